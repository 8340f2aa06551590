"""What tests of the writer write: entries, states, small logs."""

from pathlib import Path

from tests.wal import builders
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.model.record import ConfState, Entry, EntryKind, HardState
from walctl.wal.writer import Wal

METADATA = builders.metadata()
SEGMENT = 4096
VOTERS = ConfState(voters=(1, 2), learners=(3,))
DISK = RealFileSystem()


def put(index: int, term: int = 1, payload: bytes | None = b"x") -> Entry:
    return Entry(index=index, term=term, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)


def puts(first: int, last: int, term: int = 1, size: int = 40) -> list[Entry]:
    return [put(index, term, bytes([index % 251 + 1]) * size) for index in range(first, last + 1)]


def state(term: int = 1, vote: int = 7, commit: int = 0) -> HardState:
    return HardState(term=term, vote=vote, commit=commit)


def created(disk: WritableFileSystem, folder: Path, segment_bytes: int = SEGMENT) -> Wal:
    return Wal.create(disk, folder, metadata=METADATA, segment_bytes=segment_bytes)


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.wal"))


def read_back(
    folder: Path, *, disk: WritableFileSystem = DISK, index: int = 0, term: int = 0
) -> list[Entry]:
    """The entries of a log that is opened to be written."""
    opened = Wal.open(disk, folder, index=index, term=term, segment_bytes=SEGMENT)
    with opened.wal:
        return list(opened.contents.entries())


def cut_tail(disk: MemoryFileSystem, folder: Path, words: str) -> None:
    """End the log at the place that a refusal names, which is in its last segment."""
    name, offset, _ = words.split(":", 2)
    assert name == [each for each in disk.names(folder) if each.endswith(".wal")][-1], words
    disk.truncate(folder / name, int(offset))
