"""Storages on a disk in memory that can be closed, cut off, and opened again."""

from pathlib import Path

from tests.wal.writing import cut_tail
from walctl.errors import CorruptionError
from walctl.fs.memory import MemoryFileSystem
from walctl.raft.storage import Storage
from walctl.raft.types import UNLIMITED, Entry
from walctl.replay.walstorage import WalStorage

MEMBER = Path("/m")
WAL, SNAP = MEMBER / "wal", MEMBER / "snap"
SEGMENT = 600


def new_disk() -> MemoryFileSystem:
    """A disk with the member's folder on it, safe from every power cut."""
    disk = MemoryFileSystem()
    disk.make_directory(MEMBER)
    disk.sync_dir(Path("/"))
    return disk


def created(disk: MemoryFileSystem) -> WalStorage:
    """A new log, of which a segment is full after a few entries."""
    return WalStorage.create(disk, WAL, SNAP, metadata=None, segment_bytes=SEGMENT)


def opened(disk: MemoryFileSystem) -> WalStorage:
    """The log taken up again; where a power cut tore its end, that is cut off first, as etcd's own
    repair does."""
    try:
        return WalStorage.open(disk, WAL, SNAP, segment_bytes=SEGMENT)
    except CorruptionError as error:
        cut_tail(disk, WAL, error.message)
        return WalStorage.open(disk, WAL, SNAP, segment_bytes=SEGMENT)


def typed(entry: Entry) -> Entry:
    """The same entry with its type spelt out, as a log has it."""
    return Entry(entry.term, entry.index, entry.type or 0, entry.data)


def everything(storage: Storage) -> list[Entry]:
    """All entries that it holds."""
    if storage.last_index() < storage.first_index():
        return []
    return list(storage.entries(storage.first_index(), storage.last_index() + 1, UNLIMITED))
