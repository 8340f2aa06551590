"""The calls that made a real log, read off its records, and made again with our writer.

A Save ends with its hard state; entries at the end of a segment belong to the Save that cut it.
What a file does not tell is where etcd was started again, and two Saves of entries without a state
between them look like one. Both would show in the bytes only where the head of a segment lacks the
state that a start had not written yet, or where a cut comes one Save later: no log of the corpus
has either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from formats import walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.fs.base import FileSystem
from walctl.model.batch import Batch
from walctl.model.record import Checkpoint, Entry, HardState, Metadata, Record, SnapshotMark
from walctl.wal.names import in_order
from walctl.wal.records import lift
from walctl.wal.scan import End, scan
from walctl.wal.writer import Wal


@dataclass(frozen=True, slots=True)
class Save:
    """`segment` and `stop`: where the call's last record ended."""

    state: HardState | None
    entries: tuple[Entry, ...]
    segment: str
    stop: int


@dataclass(frozen=True, slots=True)
class Mark:
    mark: SnapshotMark
    segment: str
    stop: int


Call: TypeAlias = Save | Mark


class OldWal(Wal):
    """As etcd 3.4 writes: markers without a conf state are written too."""

    def save_snapshot(self, mark: SnapshotMark) -> None:
        self._write_mark(mark)


def records_of(disk: FileSystem, path: Path) -> Iterator[tuple[Record, int]]:
    """Every record of a whole segment, and where its frame stops."""
    with disk.open(path) as file:
        for item in scan(file, segment=path.name):
            if isinstance(item, End):
                return
            assert isinstance(item, Batch), item
            stops = [*item.offsets[1:], item.stop - item.base]
            for position, stop in zip(item.offsets, stops, strict=True):
                start = position + LENGTH_FIELD_BYTES
                word = int.from_bytes(item.data[position:start], "little")
                body = item.data[start : start + split_length(word).record_bytes]
                record = walpb.RECORD.parse(body)
                yield lift(record.type, record.data, record.crc or 0), item.base + stop


def metadata_of(disk: FileSystem, folder: Path) -> bytes | None:
    """What the first segment of a log says of its owner, as bytes."""
    first = in_order(disk.names(folder))[0]
    record = next(r for r, _ in records_of(disk, folder / first.text) if isinstance(r, Metadata))
    return record.raw


def calls_of(disk: FileSystem, folder: Path) -> list[Call]:
    """Everything but the heads of the segments, as calls."""
    calls: list[Call] = []
    state: HardState | None = None
    for name in in_order(disk.names(folder)):
        entries: list[Entry] = []
        start = stop = 0
        for position, (record, stop) in enumerate(records_of(disk, folder / name.text)):
            before, start = start, stop
            match record:
                case Entry():
                    entries.append(record)
                case HardState():
                    if position == 2 and name.seq > 0 and record == state:
                        continue  # of the head: a cut repeats the last one
                    state = record
                    calls.append(Save(record, tuple(entries), name.text, stop))
                    entries = []
                case SnapshotMark():
                    if position == 2 and name.seq == 0:
                        continue  # of the head: a log begins with it
                    if entries:
                        calls.append(Save(None, tuple(entries), name.text, before))
                        entries = []
                    calls.append(Mark(record, name.text, stop))
                case Checkpoint() | Metadata():
                    pass
                case _:
                    raise AssertionError(record)
        if entries:
            calls.append(Save(None, tuple(entries), name.text, stop))
    return calls


def drive(wal: Wal, calls: Sequence[Call]) -> None:
    """Make the calls."""
    for call in calls:
        match call:
            case Save(state=state, entries=entries):
                wal.save(state, entries)
            case Mark(mark=mark):
                wal.save_snapshot(mark)


def first_difference(
    disk: FileSystem, ours: Path, real: Path, *, since: str = ""
) -> tuple[str, int] | None:
    """The first segment and offset where two logs differ, or `None`; sizes count, holes do not.

    Segments named below `since` are passed over.
    """
    names = [name.text for name in in_order(disk.names(real)) if name.text >= since]
    found = [name.text for name in in_order(disk.names(ours)) if name.text >= since]
    if names != found:
        return min(set(names) ^ set(found)), -1
    for name in names:
        with disk.open(ours / name) as left, disk.open(real / name) as right:
            size = left.stat().size
            if size != right.stat().size:
                return name, min(size, right.stat().size)
            ranges = [*left.data_ranges(0, size), *right.data_ranges(0, size)]
            for start, stop in sorted(ranges):
                for at in range(start, stop, 1 << 20):
                    count = min(1 << 20, stop - at)
                    if left.read_at(at, count) != right.read_at(at, count):
                        return name, at
    return None
