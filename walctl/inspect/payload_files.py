"""`--save-payloads DIR`: the payload of every entry that is shown, each as a file of its own.

    INDEX-TERM.bin                    an entry that counts
    INDEX-TERM-OFFSET.bin             one that a later leader overwrote
    INDEX-TERM-OFFSET-failed.bin      one whose checksum does not fit, so that even its index may
                                      be wrong: it must not take the name of the real one
    INDEX-TERM-SEGMENT-OFFSET.bin     one of two that would be called the same

The folder is new or empty, and never part of what is being read. Nothing in it is ever written
over. Payloads that a redaction hides are counted and not saved; entries without data have none.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.errors import UsageError
from walctl.fs.base import FileSystem, Kind
from walctl.inspect.filters import Gap
from walctl.inspect.row import OVERWRITTEN, RecordRow, Row
from walctl.model.record import Check, Entry
from walctl.payload.base import Redaction

PARENTS_MAX = 256
"""Directories that are gone up to the root; a path has fewer."""
PARENT = ".."
LOOKS_MAX = 3


class PayloadFiles:
    """A folder that payloads are saved to; `saved`, `saved_bytes` and `hidden` count so far."""

    def __init__(self, disk: FileSystem, folder: Path, *, redaction: Redaction) -> None:
        self.folder = folder
        self.redaction = redaction
        self.saved = 0
        self.saved_bytes = 0
        self.hidden = 0
        self._disk = disk

    def passing(self, rows: Iterable[Row | Gap]) -> Iterator[Row | Gap]:
        """The same rows, each entry's payload saved before its row is handed on.

        Raises: AccessError, when the disk does not take a file.
        """
        for row in rows:
            if isinstance(row, RecordRow) and isinstance(row.frame.record, Entry):
                self._save(row, row.frame.record)
            yield row

    def _save(self, row: RecordRow, entry: Entry) -> None:
        if entry.payload is None:
            return
        if row.hides_payload(self.redaction):
            self.hidden += 1
            return
        self._disk.create(self._path(row, entry), entry.payload)
        self.saved += 1
        self.saved_bytes += len(entry.payload)

    def _path(self, row: RecordRow, entry: Entry) -> Path:
        """The first name that is free, or the last that there is."""
        position = f"{entry.index}-{entry.term}"
        offset = row.frame.span.start
        segment = row.frame.segment.removesuffix(".wal")
        if row.frame.check is Check.FAILED:
            stems = [f"{position}-{offset}-failed", f"{position}-{segment}-{offset}-failed"]
        else:
            stems = [position, f"{position}-{offset}", f"{position}-{segment}-{offset}"]
            stems = stems[1:] if row.status == OVERWRITTEN else stems
        paths = [self.folder / f"{stem}.bin" for stem in stems]
        return next((path for path in paths if not self._disk.exists(path)), paths[-1])


def payload_files(
    disk: FileSystem, folder: Path, layout: Layout, *, redaction: Redaction
) -> PayloadFiles:
    """The folder to save payloads to, made where it is not there.

    Raises: UsageError, when it is no empty directory, or lies within the member that is read;
    AccessError, when it cannot be looked at or made.
    """
    if not disk.exists(folder):
        _demand_apart(disk, folder.parent, folder, layout)
        disk.make_dir(folder)
        return PayloadFiles(disk, folder, redaction=redaction)
    if disk.stat(folder).kind is not Kind.DIRECTORY:
        raise UsageError(f"{folder}: payloads are saved to a folder, and this is none")
    _demand_apart(disk, folder, folder, layout)
    if disk.names(folder):
        raise UsageError(f"{folder}: payloads are saved to a new or an empty folder")
    return PayloadFiles(disk, folder, redaction=redaction)


def _demand_apart(disk: FileSystem, within: Path, folder: Path, layout: Layout) -> None:
    """Raise if `within`, or any directory above it, is one that belongs to the member.

    Directories are compared as the disk knows them, because paths may lead through links.
    """
    parts = list(_directories(disk, layout))
    for _ in range(PARENTS_MAX):
        if any(_is_same(disk, within, part) for part in parts):
            raise UsageError(f"{folder}: lies within the member that is read")
        above = within / PARENT
        if _is_same(disk, within, above):
            return
        within = above
    raise UsageError(f"{folder}: lies too deep")


def _directories(disk: FileSystem, layout: Layout) -> Iterator[Path]:
    """The member's own directories. A segment copied to where nothing else is belongs to none."""
    for path in (layout.path, layout.wal_dir, layout.snap_dir):
        if path is None or not disk.exists(path) or disk.stat(path).kind is not Kind.DIRECTORY:
            continue
        if path == layout.wal_dir and layout.only_segment is not None:
            others = [name for name in disk.names(path) if name.endswith(".wal")]
            if path.name != "wal" and others in ([], [layout.only_segment]):
                continue
        yield path


def _is_same(disk: FileSystem, one: Path, other: Path) -> bool:
    """Whether two paths lead to the same directory.

    Inodes repeat from disk to disk, so all that is known of both is compared; again where a
    server made a file in between, which changes the time of its directory.
    """
    for _ in range(LOOKS_MAX):
        first, second = disk.stat(one), disk.stat(other)
        if first == second:
            return True
        if first.inode != second.inode:
            return False
    return False
