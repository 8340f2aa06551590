"""The evidence of one member in one file, fit to be handed on: a tar archive, packed.

    bundle.json     what this is: root, version, what was hidden, every file as it was on the disk
    verify.json     what verify said of the member, and doctor.json what doctor did
    ROOT/...        the member, laid out as it was: segments, snapshots, database

Every command reads it as it is. Unless nothing is to be hidden, payloads, rows and users' nodes
are letters of the same length (`redacted`, `redacted_snap`, `redacted_db`), and of files that no
log needs only name and size are there. What verify says of the bundle is compared with what it
said of the member before the bundle gets its name; what does not survive is told.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from formats.limits import SNAP_FILE_BYTES_MAX
from walctl.datadir.layout import BUNDLE_NOTE, Layout, Shape
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, StoppedError, UsageError
from walctl.fs import tar, zstd
from walctl.fs.base import FileSystem, Kind, Stat
from walctl.fs.packed import ARCHIVE_SUFFIXES, PackedFileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.report import Report
from walctl.inspect.verify import examine, verify
from walctl.model.finding import Finding
from walctl.payload.base import Redaction
from walctl.repair.new_file import Stopped, never, placed, plain_blocks, write_new
from walctl.repair.redacted import Redactor
from walctl.repair.redacted_db import redacted_database
from walctl.repair.redacted_snap import redacted_snap
from walctl.snap.names import DB_NAME

BUNDLE_SUFFIX = "-bundle.tar.zst"
DIFFERENCES_MAX = 20
_ZEROS = bytes(1 << 20)
_FOLDER_MODE = 0o700

Block = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a bundle is to be. `documents` are further files by name, `about` is for its note."""

    redaction: Redaction = Redaction.KEYS
    documents: Mapping[str, bytes] = field(default_factory=dict)
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Item:
    """One name of a bundle: where it comes from, and what is given of it.

    `content` is `whole`, `redacted` or `left out` (zeros of the same size).
    """

    name: str
    source: Path
    stat: Stat
    content: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was made. `differences` are findings of the member that the bundle does not show, or
    shows besides; `longer` as in `Redactor`."""

    path: Path
    size: int
    redaction: Redaction
    items: tuple[Item, ...]
    report: Report
    differences: tuple[str, ...]
    longer: tuple[tuple[str, int], ...]
    steps: tuple[str, ...] = ()
    """What `minimise` took away before, in words."""


def bundle(
    disk: WritableFileSystem,
    layout: Layout,
    output: Path,
    wish: Wish,
    *,
    reader: FileSystem | None = None,
    is_stopped: Stopped = never,
    say: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Make the bundle `output` of what is at `layout`; `reader` is the disk that it lies on.

    Raises: AccessError, when something does not read, or the name is taken; UsageError, when the
    output is no name for an archive or lies within the member; StoppedError.
    """
    reader = reader or PackedFileSystem(disk)
    _demand_name(disk, layout, output)
    say(f"reading {layout.path}")
    examination = examine(reader, layout)
    items = _items(reader, layout, examination.survey, wish.redaction)
    differences: list[str] = []

    def check(part: Path) -> None:
        say("reading the bundle back")
        differences.extend(_differences(examination.report, _read_back(disk, part)))

    for attempt in (1, 2):
        redactor = Redactor(reader, layout.wal_dir or layout.path, wish.redaction)
        making = _Making(reader, layout, examination.survey, wish, items, redactor, is_stopped)
        say(f"writing {output}")
        try:
            parts = zstd.packed(making.blocks())
            write_new(disk, output, placed(parts), check=check, is_stopped=is_stopped)
            break
        except _ResizedError:
            if attempt == 2:
                raise AccessError(f"{layout.path}: changed while it was read") from None
    return Bundle(
        path=output,
        size=disk.stat(output).size,
        redaction=wish.redaction,
        items=tuple(items),
        report=examination.report,
        differences=tuple(differences),
        longer=tuple(redactor.longer),
    )


def root_of(layout: Layout) -> str:
    """What the member is called in a bundle: the name of its path."""
    name = layout.only_segment or layout.path.name
    for suffix in ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix)
    return name if name not in ("", ".", "..") else "member"


def _demand_name(disk: FileSystem, layout: Layout, output: Path) -> None:
    """Raises: UsageError, when no bundle can be made there."""
    if not output.name.endswith(ARCHIVE_SUFFIXES):
        raise UsageError(f"{output}: a bundle is called .tar.zst")
    folder = disk.stat(output.parent)
    for own in (layout.wal_dir, layout.snap_dir):
        if own is None or layout.only_segment is not None or not disk.exists(own):
            continue
        if disk.stat(own) == folder:
            raise UsageError(f"{output}: lies within the member; name another --output")


class _ResizedError(Exception):
    """A segment got longer than it was said to be; `Item.size` is right now."""


@dataclass(slots=True)
class _Making:
    """One attempt to write the archive."""

    reader: FileSystem
    layout: Layout
    survey: Survey
    wish: Wish
    items: list[Item]
    redactor: Redactor
    is_stopped: Stopped

    def blocks(self) -> Iterator[bytes]:
        """The archive, unpacked."""
        for name, data in {BUNDLE_NOTE: self._note(), **self.wish.documents}.items():
            yield tar.head_of(name, size=len(data), mtime_ns=0)
            yield data + tar.padding_of(len(data))
        segments = {each.name.text for each in self.survey.segments}
        folder = self.layout.wal_dir
        is_hidden = self.wish.redaction is not Redaction.NONE
        chained = [
            item
            for item in self.items
            if is_hidden and item.source.parent == folder and item.source.name in segments
        ]
        for item in self.items:
            if item not in chained:
                yield from self._item(item)
        yield from self._segments({item.source.name: item for item in chained})
        yield tar.END

    def _note(self) -> bytes:
        note = {
            "v": 1,
            "kind": "walctl-bundle",
            "root": root_of(self.layout),
            "understood_as": str(self.layout.shape),
            "redact": self.wish.redaction.value,
            "hidden": _WORDS[self.wish.redaction],
            **self.wish.about,
            "files": [
                {
                    "name": item.name,
                    "content": item.content,
                    "size": item.size,
                    "mtime_ns": item.stat.mtime_ns,
                    "mode": item.stat.mode,
                    "allocated_bytes": item.stat.allocated_bytes,
                }
                for item in self.items
            ],
        }
        return json.dumps(note, indent=1).encode("ascii") + b"\n"

    def _item(self, item: Item) -> Iterator[bytes]:
        if item.stat.kind is not Kind.FILE:
            name = item.name + "/"
            yield tar.head_of(
                name, size=0, mtime_ns=item.stat.mtime_ns, mode=_FOLDER_MODE, is_directory=True
            )
            return
        yield _head(item)
        given = 0
        for block in self._content(item):
            self._demand_going_on()
            given += len(block)
            yield bytes(block)
        if given != item.size:
            item.size = given
            raise _ResizedError
        yield tar.padding_of(item.size)

    def _content(self, item: Item) -> Iterator[Block]:
        """The bytes of one file that is not a segment of the chain."""
        redaction = self.wish.redaction
        if item.content == "left out":
            for start in range(0, item.size, len(_ZEROS)):
                yield memoryview(_ZEROS)[: item.size - start]
            return
        with self.reader.open(item.source) as file:
            size = file.stat().size
            if item.content == "whole":
                yield from plain_blocks(file, size)
            elif item.source.name.endswith(".snap"):
                yield redacted_snap(file.read_at(0, size), redaction)
            else:
                yield from redacted_database(file, redaction)

    def _segments(self, items: Mapping[str, Item]) -> Iterator[bytes]:
        """The segments of the chain, in its order."""
        blocks = self.redactor.blocks(self.survey.segments)
        current = next(blocks, None)
        for segment in self.survey.segments:
            item = items.get(segment.name.text)
            if item is None:
                continue
            yield _head(item)
            given = 0
            while current is not None and current[0] == item.source.name:
                self._demand_going_on()
                given += len(current[1])
                yield bytes(current[1])
                current = next(blocks, None)
            if given != item.size:
                item.size = given
                raise _ResizedError
            yield tar.padding_of(item.size)

    def _demand_going_on(self) -> None:
        if self.is_stopped():
            raise StoppedError("stopped while the bundle was written; it is not there")


def _head(item: Item) -> bytes:
    mode = item.stat.mode & 0o777
    return tar.head_of(item.name, size=item.size, mtime_ns=item.stat.mtime_ns, mode=mode)


_WORDS = {
    Redaction.NONE: "nothing: every file is as it was, passwords and tokens included",
    Redaction.VALUES: "values, passwords, tokens; keys and names are shown",
    Redaction.KEYS: "keys, values, passwords, tokens; names of members and users are shown",
    Redaction.ALL: "keys, values, passwords, tokens, names of members and users, addresses",
}


def _items(reader: FileSystem, layout: Layout, survey: Survey, redaction: Redaction) -> list[Item]:
    """Every name of the member, with its place in the bundle."""
    root = root_of(layout)
    if layout.snap_file is not None or layout.shape is Shape.DATABASE:
        return [_item(reader, layout.path, root, redaction, survey)]
    if layout.only_segment is not None and layout.wal_dir is not None:
        source = layout.wal_dir / layout.only_segment
        return [_item(reader, source, root, redaction, survey)]
    wal, snap = root, f"{root}-snap"
    if layout.is_member:
        wal, snap = f"{root}/member/wal", f"{root}/member/snap"
    elif layout.snap_dir == layout.path:
        snap = root
    items: list[Item] = []
    seen: set[Path] = set()
    for folder, name in ((layout.wal_dir, wal), (layout.snap_dir, snap)):
        if folder is None or folder in seen or not reader.exists(folder):
            continue
        seen.add(folder)
        items.append(_item(reader, folder, name, redaction, survey))
        for text in reader.names(folder):
            items.append(_item(reader, folder / text, f"{name}/{text}", redaction, survey))
    if layout.wal_dir is not None:
        for text in survey.siblings:
            source = layout.wal_dir.parent / text
            items.append(_item(reader, source, f"{root}/member/{text}", redaction, survey))
    return items


def _item(
    reader: FileSystem, source: Path, name: str, redaction: Redaction, survey: Survey
) -> Item:
    stat = reader.stat(source)
    size = stat.size if stat.kind is Kind.FILE else 0
    return Item(
        name=name,
        source=source,
        stat=stat,
        content=_content_of(source, stat, redaction, survey),
        size=size,
    )


def _content_of(source: Path, stat: Stat, redaction: Redaction, survey: Survey) -> str:
    """What is given of a file: `whole`, `redacted` or `left out`."""
    if redaction is Redaction.NONE:
        return "whole"
    layout = survey.layout
    is_segment = source.parent == layout.wal_dir and source.name in {
        each.name.text for each in survey.segments
    }
    is_snap = source.name.endswith(".snap") and stat.size <= SNAP_FILE_BYTES_MAX
    is_database = source.name in (DB_NAME,) or source.name.endswith((".db", ".snap.db"))
    is_database = is_database or layout.shape is Shape.DATABASE
    return "redacted" if is_segment or is_snap or is_database else "left out"


def _read_back(disk: FileSystem, part: Path) -> Report:
    """What verify says of a bundle.

    Raises: AccessError, when it does not read.
    """
    packed = PackedFileSystem(disk)
    report = verify(packed, part)
    if report.error is not None:
        raise AccessError(report.error)
    return report


def _differences(before: Report, after: Report) -> Iterator[str]:
    """Findings that one has and the other has not, in words; the first ones."""
    gone = _places(before.findings)
    new = _places(after.findings)
    words = [f"not shown: {each}" for each in gone if each not in new]
    words += [f"shown besides: {each}" for each in new if each not in gone]
    yield from words[:DIFFERENCES_MAX]
    if len(words) > DIFFERENCES_MAX:
        yield f"{len(words) - DIFFERENCES_MAX} more"


def _places(findings: tuple[Finding, ...]) -> list[str]:
    """What must be the same of a finding: all but the figures in its sentences."""
    return [
        f"{each.severity} {each.code} {each.place.segment or ''}:{each.place.offset}-{each.stop}"
        f" index {each.place.index} term {each.place.term}"
        for each in findings
    ]
