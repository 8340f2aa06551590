"""What saving, opening and reading back take, beside the plainest writing that there is in Python.

The peer builds entry and record with the protobuf package (upb), counts the C checksum on, and
writes once at the end; it syncs nothing. Ours syncs each Save, as a log has to.
"""

import functools
import struct
from collections.abc import Callable
from pathlib import Path

import crc32c

from formats import raftpb, walpb
from walctl.fs.real import RealFileSystem
from walctl.model.record import Entry, EntryKind, HardState
from walctl.wal.writer import Wal

ENTRIES = 200_000
SAVED_TOGETHER = (100, 10_000)
"""Entries of one Save: with few of them the disk's syncs are what is measured."""

Told = Callable[[str, float, str], None]
Timed = Callable[[Callable[[], object]], float]


def made(entry_bytes: int) -> list[Entry]:
    """Entries of that many bytes of payload."""
    payload = b"v" * entry_bytes
    return [
        Entry(index=index, term=2, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)
        for index in range(1, ENTRIES + 1)
    ]


def plain_writing(path: Path, entries: list[Entry]) -> None:
    """The peer: one frame after the other, in one piece to the file."""
    record_of, entry_of = walpb.RECORD.fast_class, raftpb.ENTRY.fast_class
    out = bytearray()
    running = 0
    for entry in entries:
        built = entry_of(type=0, term=entry.term, index=entry.index, data=entry.payload)
        data = built.SerializeToString()
        running = crc32c.crc32c(data, running)
        record = record_of(type=2, crc=running, data=data).SerializeToString()
        padding = -len(record) % 8
        top = (0x80 | padding) << 56 if padding else 0
        out += struct.pack("<Q", len(record) | top) + record + bytes(padding)
    path.write_bytes(out)


def our_writing(folder: Path, entries: list[Entry], together: int) -> None:
    """The engine: a Save for so many entries at a time, each synced."""
    with Wal.create(RealFileSystem(), folder, metadata=b"") as wal:
        for start in range(0, len(entries), together):
            state = HardState(term=2, vote=1, commit=start)
            wal.save(state, entries[start : start + together])


def read_back(folder: Path) -> None:
    """Open the log to be written on, and go through its entries."""
    opened = Wal.open(RealFileSystem(), folder, index=0, term=0)
    with opened.wal:
        assert sum(1 for _ in opened.contents.entries()) == ENTRIES


def bench_writing(folder: Path, entry_bytes: int, once: Timed, row: Told) -> None:
    """The rows of one size of entry."""
    folder.mkdir()
    entries = made(entry_bytes)
    peer = once(lambda: plain_writing(folder / "plain", entries))
    row("plain writing with upb, nothing synced (peer)", peer, "1.00")
    for together in SAVED_TOGETHER:
        wal = folder / f"wal-{together}"
        seconds = once(functools.partial(our_writing, wal, entries, together))
        against = f"{seconds / peer:.2f} of the peer; {ENTRIES / seconds:,.0f} entries/s"
        row(f"saved by {together:,}, each synced", seconds, against)
    back = once(lambda: read_back(wal))
    row("opened and read back", back, f"{back / peer:.2f} of the peer's writing")
