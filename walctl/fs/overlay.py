"""A disk with some of its names taken away, and some files that are put together from parts of its
own: what would be if, without a byte written."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Kind, Stat

_MISSING = "No such file or directory"
_INODE = 1 << 70
"""Inodes of files that nobody made are above those of any disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes `[start, stop)` of a file of the disk below."""

    source: Path
    start: int
    stop: int


Pieces: TypeAlias = tuple[bytes | Part, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """`base` without what is `gone` (files; folders with all in them), and with what is `made`."""

    base: FileSystem
    gone: frozenset[Path] = frozenset()
    made: dict[Path, Pieces] = field(default_factory=dict)

    def without(self, *paths: Path) -> "Overlay":
        """The same with these names taken away as well."""
        kept = {path: pieces for path, pieces in self.made.items() if path not in paths}
        return replace(self, gone=self.gone | frozenset(paths), made=kept)

    def having(self, path: Path, pieces: Pieces) -> "Overlay":
        """The same with this file in it."""
        return replace(self, made={**self.made, path: pieces})

    def pieces(self, path: Path) -> Pieces:
        """What a file is put together from. Raises: AccessError."""
        if path in self.made:
            return self.made[path]
        return (Part(source=path, start=0, stop=self.stat(path).size),)

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`."""
        pieces = self.made.get(path)
        if pieces is None:
            if self._is_gone(path):
                raise AccessError(f"{path}: {_MISSING}")
            return self.base.stat(path)
        number = list(self.made).index(path)
        return Stat(
            kind=Kind.FILE,
            size=sum(map(_size, pieces)),
            mtime_ns=0,
            inode=_INODE + number,
            mode=0o600,
            allocated_bytes=None,
        )

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`."""
        return path in self.made or (not self._is_gone(path) and self.base.exists(path))

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        if self._is_gone(path):
            raise AccessError(f"{path}: {_MISSING}")
        there = {name for name in self.base.names(path) if not self._is_gone(path / name)}
        return sorted(there | {each.name for each in self.made if each.parent == path})

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        pieces = self.made.get(path)
        if pieces is not None:
            return _Spliced(self.base, path, pieces, self.stat(path))
        if self._is_gone(path):
            raise AccessError(f"{path}: {_MISSING}")
        return self.base.open(path)

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`: what is not there is not written to."""
        raise AccessError(f"{path}: is only looked at")

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`: as `create`."""
        raise AccessError(f"{path}: is only looked at")

    def _is_gone(self, path: Path) -> bool:
        return path not in self.made and any(each in self.gone for each in (path, *path.parents))


class _Spliced:
    """A file put together from pieces; see `File`."""

    def __init__(self, disk: FileSystem, path: Path, pieces: Pieces, stat: Stat) -> None:
        self._path = path
        self._pieces = [piece for piece in pieces if _size(piece)]
        self._starts = [0, *accumulate(map(_size, self._pieces))]
        self._stat = stat
        self._stack = ExitStack()
        sources = {each.source for each in pieces if isinstance(each, Part)}
        self._files = {each: self._stack.enter_context(disk.open(each)) for each in sources}

    @property
    def path(self) -> Path:
        """See `File.path`."""
        return self._path

    def stat(self) -> Stat:
        """See `File.stat`."""
        return self._stat

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        stop = min(offset + size, self._stat.size)
        parts = []
        while offset < stop:
            position = bisect_right(self._starts, offset) - 1
            piece, start = self._pieces[position], self._starts[position]
            low, high = offset - start, min(stop, self._starts[position + 1]) - start
            if isinstance(piece, Part):
                part = self._files[piece.source].read_at(piece.start + low, high - low)
            else:
                part = piece[low:high]
            if not part:
                break  # the file below got shorter
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        data = self.read_at(offset, len(target))
        target[: len(data)] = data
        return len(data)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`."""
        stop = min(stop, self._stat.size)
        for position, piece in enumerate(self._pieces):
            base = self._starts[position]
            low, high = max(start, base), min(stop, self._starts[position + 1])
            if low >= high:
                continue
            if not isinstance(piece, Part):
                yield low, high
                continue
            shift = base - piece.start
            for first, last in self._files[piece.source].data_ranges(low - shift, high - shift):
                yield first + shift, last + shift

    def is_locked(self) -> bool:
        """See `File.is_locked`."""
        return False

    def close(self) -> None:
        """See `File.close`."""
        self._stack.close()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _size(piece: bytes | Part) -> int:
    return piece.stop - piece.start if isinstance(piece, Part) else len(piece)
