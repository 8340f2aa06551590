"""Files of a member held against a list that `sha256sum` made: which differ, lack, or are new.

A list is made when all is well, or before a copy travels, and says later whether the bytes are
still those: of what no checksum of etcd's own covers too. It may have been made in the member's
directory, or in the one that the list lies in; which of the two, its names tell. A line is one of

    HASH  NAME      HASH *NAME      SHA256 (NAME) = HASH

with a backslash in front where NAME is escaped. A list that has any other line is refused whole:
what it means to say of a file would go unheard.
"""

import enum
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.layout import Layout, Shape
from walctl.errors import TimeOverError, UnsupportedError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.hashing import blocks_of

LIST_BYTES_MAX = 16 << 20
"""A longer file is no list of a member's files."""

_PLAIN = re.compile(r"(?P<hash>[0-9a-fA-F]{64}) [ *](?P<name>.+)", re.DOTALL)
_TAGGED = re.compile(r"SHA256 ?\((?P<name>.+)\) ?= (?P<hash>[0-9a-fA-F]{64})", re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_MEANT = {"\\": "\\", "n": "\n", "r": "\r"}
_QUOTED_MAX = 60
"""As much of a line is told that is none of a list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line: the name as the list has it, and the hash in small letters."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksums:
    """A list, by the path of its file; relative paths start from the directory `here`."""

    path: Path
    here: Path
    rows: tuple[Listed, ...]

    @property
    def place(self) -> Path:
        """Where the list lies, in plain words."""
        return _plain(self.here / self.path)


class Unlike(enum.StrEnum):
    """How a file is not as the list has it."""

    DIFFERS = "differs"
    MISSING = "missing"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One file that is not as listed; `name` is relative to the member where it lies below it.

    `expected` is the list's hash (`None`: it has none), `found` the file's (`None`: not there, or
    not asked for).
    """

    name: str
    kind: Unlike
    expected: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of it: `same` files are as listed, `elsewhere` lines are about other files."""

    path: Path
    same: int
    elsewhere: int
    differences: tuple[Difference, ...]

    def of(self, kind: Unlike) -> list[Difference]:
        """The differences of one kind, in order."""
        return [each for each in self.differences if each.kind is kind]


def read_checksums(disk: FileSystem, path: Path, *, here: Path = Path()) -> Checksums:
    """The list in a file; with `here`, absolute names fit relative paths too.

    Raises: AccessError; UnsupportedError, when a line is none of such a list, or it has none.
    """
    with disk.open(path) as file:
        data = file.read_at(0, LIST_BYTES_MAX + 1)
    if len(data) > LIST_BYTES_MAX:
        raise UnsupportedError(f"{path}: expected a list of {LIST_BYTES_MAX:,} bytes at most")
    rows = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
        if text and not text.startswith("#"):
            row = _listed(text)
            if row is None:
                raise UnsupportedError(
                    f"{path}:{number}: expected a line of sha256sum, found {text[:_QUOTED_MAX]!r}"
                )
            rows.append(row)
    if not rows:
        raise UnsupportedError(f"{path}: expected lines of sha256sum, found none")
    return Checksums(path=path, here=here, rows=tuple(rows))


def _listed(line: str) -> Listed | None:
    """What a line says; `None` when it is none of a list."""
    is_escaped = line.startswith("\\")
    text = line[1:] if is_escaped else line
    found = _PLAIN.fullmatch(text) or _TAGGED.fullmatch(text)
    if found is None:
        return None
    name = found["name"]
    if is_escaped:
        if any(each not in _MEANT for each in _ESCAPED.findall(name)):
            return None
        name = _ESCAPED.sub(lambda escape: _MEANT[escape[1]], name)
    return None if "\0" in name else Listed(name, found["hash"].lower())


def compare_files(
    disk: FileSystem,
    layout: Layout,
    checksums: Checksums,
    *,
    is_over: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Hold the files of a member against a list, and the list against the files in its folders.

    Both folders are asked for, also one of which the list names no file: a list of the database
    alone says nothing of the log, and must not pass for one of the member. `is_over` is asked at
    every window that was read.

    Raises: AccessError, when a listed file cannot be read; UnsupportedError, when the list names
    no file of this member; TimeOverError.
    """
    scope = _Scope(layout, checksums.here)
    listed = _placed(disk, scope, checksums)
    differences = []
    hashes: dict[Path, str | None] = {}
    for row, path in listed:
        if path not in hashes:
            hashes[path] = _hash_of(disk, path, is_over)
        if hashes[path] != row.sha256:
            differences.append(
                Difference(
                    name=scope.name(path),
                    kind=Unlike.MISSING if hashes[path] is None else Unlike.DIFFERS,
                    expected=row.sha256,
                    found=hashes[path],
                )
            )
    known = {*hashes, checksums.place}
    unlisted = (path for path in scope.files(disk) if path not in known)
    return Comparison(
        path=checksums.path,
        same=len(listed) - len(differences),
        elsewhere=len(checksums.rows) - len(listed),
        differences=(
            *sorted(differences, key=lambda each: list(Unlike).index(each.kind)),
            *(Difference(name=scope.name(path), kind=Unlike.UNLISTED) for path in unlisted),
        ),
    )


class _Scope:
    """Which files are the member's; all paths are plain and start from the same directory."""

    def __init__(self, layout: Layout, here: Path) -> None:
        self._only = None if (file := _only_file(layout)) is None else _plain(here / file)
        self.root = _plain(here / layout.path) if self._only is None else self._only.parent
        parts = (layout.wal_dir, layout.snap_dir) if self._only is None else ()
        self._folders = [_plain(here / part) for part in parts if part is not None]

    def covers(self, path: Path) -> bool:
        """Whether it is a file of the member, there or not."""
        if self._only is not None:
            return path == self._only
        return any(path.is_relative_to(root) for root in (self.root, *self._folders))

    def name(self, path: Path) -> str:
        """What the file is called: relative to the member where it lies below it."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def files(self, disk: FileSystem) -> list[Path]:
        """All plain files of the member's folders."""
        found = (
            folder / name
            for folder in dict.fromkeys(self._folders)
            if disk.exists(folder)
            for name in disk.names(folder)
        )
        return [path for path in found if _is_file(disk, path)]


def _only_file(layout: Layout) -> Path | None:
    """The file that a layout is all of, by the name that its bytes have; `None` for a folder."""
    if layout.only_segment is not None and layout.wal_dir is not None:
        return layout.wal_dir / layout.only_segment  # an archived one is listed as it was
    is_file = layout.shape in (Shape.SNAP_FILE, Shape.DATABASE)
    return layout.path if is_file else None


def _placed(disk: FileSystem, scope: _Scope, checksums: Checksums) -> Sequence[tuple[Listed, Path]]:
    """The lines about files of the member, with these files.

    Raises: UnsupportedError, when there is none.
    """
    for base, is_enough in ((scope.root, False), (checksums.place.parent, True)):
        named = [(row, _plain(base / row.name)) for row in checksums.rows]
        placed = [(row, path) for row, path in named if scope.covers(path)]
        # Below the member every name seems to fit: there it counts only with a file behind it.
        if any(is_enough or _is_file(disk, path) for _, path in placed):
            return placed
    raise UnsupportedError(
        f"{checksums.path}: none of its {len(checksums.rows):,} names is a file of {scope.root};"
        " names are taken from there, or from the list's own directory"
    )


def _plain(path: Path) -> Path:
    """The path without `..`, by its words alone: names are compared with it, and links are not
    looked at. What it gets wrong where a link is crossed is told as missing, or as elsewhere."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", path.anchor):
            parts.pop()
        elif part != ".." or not path.anchor:
            parts.append(part)
    return Path(*parts)


def _is_file(disk: FileSystem, path: Path) -> bool:
    return disk.exists(path) and disk.stat(path).kind is Kind.FILE


def _hash_of(disk: FileSystem, path: Path, is_over: Callable[[], bool]) -> str | None:
    """The hash of a file; `None` when there is no plain file of that name."""
    if not _is_file(disk, path):
        return None
    digest = hashlib.sha256()
    with disk.open(path) as file:
        for block in blocks_of(file):
            if is_over():
                raise TimeOverError(f"time is over: comparing {path.name} with the list")
            digest.update(block)
    return digest.hexdigest()
