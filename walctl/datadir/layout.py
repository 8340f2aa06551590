"""What a PATH is: a member's directory, a part of one, or a single file; and where its parts are.

    DATA_DIR/member/wal/*.wal          a data directory (etcd: --data-dir)
             member/snap/*.snap, db
    MEMBER/wal, MEMBER/snap            its `member` folder alone
    DIR/*.snap, DIR/db                 a folder of snapshots
    DIR/*.wal                          a folder of segments (also what raftexample calls
                                       `raftexample-N`, with `raftexample-N-snap` beside it)
    FILE.wal, FILE.snap, db            one file
    FILE.wal.zst, FILE.tar.zst         an archived segment; an archive, which may be a bundle

Names decide. Looked into is a file whose name says nothing, its first bytes; and the first segment
of a data directory without a database: a log that names no member is none of etcd's. A lab's own
members of a map have such ones, which are raftexample's with etcd's names for the folders.
"""

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.errors import AccessError, UnsupportedError, UsageError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.packed import ARCHIVE_SUFFIXES
from walctl.snap.names import DB_NAME

_DATABASE_MAGIC = b"\xed\xda\x0c\xed"
"""bbolt's magic number, at offset 16 of a file."""
_CRC_RECORD_HEAD = b"\x08\x04\x10"
"""How the first record of a segment begins, behind its length field."""
_METADATA_HEAD = b"\x08\x01\x10"
"""How the second one begins, the metadata record; 16 bytes behind the first, whatever its CRC."""
_TYPE_FIELD, _CHECKSUM_FIELD = b"\x08", b"\x10"
"""How every record begins, with its type between the two: where the metadata is bare, the third
one stands 16 bytes behind the second."""
_HEADS_MAX = 64
_BARE_METADATA_BYTES_MAX = 8
"""One with no data has no more than its type and its CRC."""


CHANNELS = "wal"
"""What holds the folders of several logs is called so."""
LOGS_MAX = 10_000
"""Folders in which logs are looked for, where a path holds several."""


BUNDLE_NOTE = "bundle.json"
"""What a bundle of ours begins with: JSON, whose `root` is the name of the member in it."""
BUNDLE_NOTE_BYTES_MAX = 16 << 20


class Shape(enum.StrEnum):
    """What the tool understood a path to be; the words are shown to people and scripts."""

    DATA_DIR = "data directory"
    MEMBER_DIR = "member directory"
    RAFTEXAMPLE = "raftexample directory"
    SEGMENTS = "folder of segments"
    SEGMENT = "one segment"
    SNAPSHOTS = "folder of snapshots"
    SNAP_FILE = "one snapshot file"
    DATABASE = "one database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the parts of one member are; `None` is a part that this path does not have.

    `only_segment` is set when one segment of `wal_dir` was named, `snap_file` when one `.snap`.
    `hidden` is what a bundle hides: `values`, `keys` or `all`, as `bundle --redact` has it; empty
    where everything is as it was.
    """

    path: Path
    shape: Shape
    wal_dir: Path | None = None
    snap_dir: Path | None = None
    database: Path | None = None
    only_segment: str | None = None
    snap_file: Path | None = None
    hidden: str = ""

    @property
    def is_member(self) -> bool:
        """Whether all parts of a member can be expected, so that a missing one means something."""
        return self.shape in (Shape.DATA_DIR, Shape.MEMBER_DIR)


def understand(
    disk: FileSystem, path: Path, *, wal_dir: Path | None = None, snap_dir: Path | None = None
) -> Layout:
    """What `path` is; `wal_dir` and `snap_dir` say where parts of a split layout are.

    Raises: AccessError when it is missing or unreadable; UnsupportedError when it is nothing that
    this tool knows, with what was looked for; UsageError when a part is given twice.
    """
    kind = disk.stat(path).kind
    if kind is Kind.OTHER:
        raise UnsupportedError(
            f"{path}: neither a plain file nor a directory, but a device, a pipe, a socket, or a"
            " link that leads nowhere"
        )
    if kind is Kind.FILE:
        if wal_dir is not None or snap_dir is not None:
            raise UsageError(f"{path}: --wal-dir and --snap-dir go with a directory, not a file")
        return _file(disk, path)
    names = set(disk.names(path))
    if BUNDLE_NOTE in names:
        root, hidden = _said_by_bundle(disk, path / BUNDLE_NOTE)
        return replace(understand(disk, path / root), hidden=hidden)
    for part in (wal_dir, snap_dir):
        if part is not None:
            disk.names(part)  # a part that is named has to be there
    if "member" in names and _is_directory(disk, path / "member"):
        return _member(disk, path, path / "member", Shape.DATA_DIR, wal_dir, snap_dir)
    if _has_segments(names):
        if wal_dir is not None:
            raise UsageError(f"{path}: holds segments itself, so --wal-dir names a second log")
        return _segments(disk, path, names, snap_dir)
    if {"wal", "snap"} & names or wal_dir is not None:
        return _member(disk, path, path, Shape.MEMBER_DIR, wal_dir, snap_dir)
    if DB_NAME in names or any(name.endswith(".snap") for name in names):
        if snap_dir is not None:
            raise UsageError(f"{path}: holds snapshots itself, so --snap-dir names others")
        return Layout(path=path, shape=Shape.SNAPSHOTS, snap_dir=path, database=path / DB_NAME)
    raise UnsupportedError(
        f"{path}: not a member's directory: no member/, wal/ or snap/, and no *.wal, *.snap or db"
        f"{_hint(disk, path, names)}"
    )


def understand_all(
    disk: FileSystem, path: Path, *, wal_dir: Path | None = None, snap_dir: Path | None = None
) -> list[Layout]:
    """What `path` is, where it may hold several logs side by side; one layout for each.

    Fabric's orderers have a folder for each channel, `wal/CHANNEL`, and beside it
    `snapshot/CHANNEL`: PATH is what holds both, or `wal` itself. Raises: as `understand`.
    """
    if wal_dir is None and snap_dir is None and disk.stat(path).kind is Kind.DIRECTORY:
        folder = path if path.name == CHANNELS else path / CHANNELS
        if disk.exists(folder) and _is_directory(disk, folder):
            found = list(_channels(disk, folder))
            if found:
                return found
    return [understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)]


def _channels(disk: FileSystem, folder: Path) -> Iterator[Layout]:
    """The folders of segments in `folder`, unless it holds segments or a member itself."""
    names = disk.names(folder)
    if "member" in names or _has_segments(set(names)):
        return
    for name in sorted(names)[:LOGS_MAX]:
        if not _is_directory(disk, folder / name):
            continue
        try:
            inner = set(disk.names(folder / name))
        except AccessError:
            # Whoever reads this channel will say why it cannot be.
            yield Layout(path=folder / name, shape=Shape.SEGMENTS, wal_dir=folder / name)
            continue
        if _has_segments(inner):
            beside = folder.parent / "snapshot" / name
            snaps = beside if disk.exists(beside) else None
            yield _segments(disk, folder / name, inner, snaps)


def _said_by_bundle(disk: FileSystem, note: Path) -> tuple[str, str]:
    """Where in a bundle the member is, and what is hidden of it, by the bundle's note.

    Raises: UnsupportedError, when the note is none of ours.
    """
    with disk.open(note) as file:
        data = file.read_at(0, BUNDLE_NOTE_BYTES_MAX + 1)
    try:
        said = json.loads(data) if len(data) <= BUNDLE_NOTE_BYTES_MAX else None
    except (ValueError, RecursionError):
        said = None
    root = said.get("root") if isinstance(said, dict) else None
    if not isinstance(root, str) or root in ("", ".", "..") or "/" in root or "\0" in root:
        raise UnsupportedError(f"{note}: does not say where in this bundle the member is")
    assert isinstance(said, dict), "its root is one of its fields"
    hidden = said.get("redact")
    return root, hidden if isinstance(hidden, str) and hidden != "none" else ""


def _hint(disk: FileSystem, path: Path, names: set[str]) -> str:
    """Where a member may be meant, when a folder one level up was named."""
    for name in sorted(names)[:100]:
        try:
            if "member" in disk.names(path / name):
                return f"; {path / name} is one"
        except AccessError:
            continue
    return ""


def _file(disk: FileSystem, path: Path) -> Layout:
    """One file, by its name; one with another name by how it begins."""
    name = path.name
    if name.endswith(".wal.zst"):
        name = name.removesuffix(".zst")
        return Layout(path=path, shape=Shape.SEGMENT, wal_dir=path.parent, only_segment=name)
    if name.endswith(".wal") or name.endswith(".wal.broken"):
        return Layout(path=path, shape=Shape.SEGMENT, wal_dir=path.parent, only_segment=name)
    if name.endswith(".snap"):
        return Layout(path=path, shape=Shape.SNAP_FILE, snap_file=path)
    if name == DB_NAME or name.endswith(".db"):
        return Layout(path=path, shape=Shape.DATABASE, database=path)
    if name.endswith(ARCHIVE_SUFFIXES):
        # Whoever may look into one has a disk on which it is a directory.
        raise UnsupportedError(
            f"{path}: an archive: a bundle can be looked at as it is, but not be repaired: unpack"
            " it first into an empty directory (tar --zstd -xf), and name what is in it"
        )
    with disk.open(path) as file:
        head = file.read_at(0, 32)
    if head[16:20] == _DATABASE_MAGIC:
        return Layout(path=path, shape=Shape.DATABASE, database=path)
    if head[8:11] == _CRC_RECORD_HEAD:
        return Layout(path=path, shape=Shape.SEGMENT, wal_dir=path.parent, only_segment=name)
    raise UnsupportedError(
        f"{path}: neither a segment (*.wal), a snapshot (*.snap) nor a database (db, *.db), by its"
        " name or by how it begins"
    )


def _member(
    disk: FileSystem,
    path: Path,
    member: Path,
    shape: Shape,
    wal_dir: Path | None,
    snap_dir: Path | None,
) -> Layout:
    log, snaps = wal_dir or member / "wal", snap_dir or member / "snap"
    database: Path | None = snaps / DB_NAME
    if _names_no_member(disk, log, snaps / DB_NAME):
        shape, database = Shape.RAFTEXAMPLE, None
    return Layout(path=path, shape=shape, wal_dir=log, snap_dir=snaps, database=database)


def _names_no_member(disk: FileSystem, log: Path, database: Path) -> bool:
    """Whether there is no database, and a segment begins with a metadata record without data: the
    first one of which the beginning can be read."""
    try:
        if disk.exists(database):
            return False
        names = sorted(name for name in disk.names(log) if name.endswith(".wal"))
    except AccessError:
        return False  # whoever reads the log will say what is wrong with it
    for name in names[:_HEADS_MAX]:
        try:
            with disk.open(log / name) as file:
                head = file.read_at(0, 48)
        except AccessError:
            continue
        if _begins_bare(head):
            return True
        if head[8:11] == _CRC_RECORD_HEAD and head[24:27] == _METADATA_HEAD:
            return False
    return False


def _begins_bare(head: bytes) -> bool:
    """Whether a segment's metadata names nobody; one of the signs may be damaged."""
    signs = (
        head[8:11] == _CRC_RECORD_HEAD,
        0 < int.from_bytes(head[16:23], "little") <= _BARE_METADATA_BYTES_MAX,
        head[24:27] == _METADATA_HEAD,
        head[40:41] == _TYPE_FIELD and head[42:43] == _CHECKSUM_FIELD,
    )
    return sum(signs) >= len(signs) - 1


def _segments(disk: FileSystem, path: Path, names: set[str], snap_dir: Path | None) -> Layout:
    """A folder of segments; raftexample keeps its snapshots in a folder with the same name."""
    beside = path.parent / f"{path.name}-snap"
    if snap_dir is None and path.name and disk.exists(beside):
        return Layout(path=path, shape=Shape.RAFTEXAMPLE, wal_dir=path, snap_dir=beside)
    database = None
    if snap_dir is not None:
        database = snap_dir / DB_NAME
    elif DB_NAME in names:
        snap_dir, database = path, path / DB_NAME
    return Layout(
        path=path, shape=Shape.SEGMENTS, wal_dir=path, snap_dir=snap_dir, database=database
    )


def _has_segments(names: set[str]) -> bool:
    return any(name.endswith(".wal") for name in names)


def _is_directory(disk: FileSystem, path: Path) -> bool:
    return disk.stat(path).kind is Kind.DIRECTORY
