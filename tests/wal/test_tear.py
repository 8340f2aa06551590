"""A write that ended at a sector's border, with only a few bytes of its last record behind it."""

from pathlib import Path

import pytest

from walctl.datadir.layout import Layout, Shape
from walctl.datadir.survey import survey
from walctl.fs.crash import SECTOR_BYTES
from walctl.fs.memory import MemoryFileSystem
from walctl.model.finding import Code
from walctl.model.record import Entry, EntryKind, HardState
from walctl.wal.writer import Wal

FOLDER = Path("/wal")
STATE_FRAME_BYTES = 32
IN_FRONT = 24
"""Bytes of the frame that stand in front of the border."""


def log_of(payload_bytes: int) -> tuple[MemoryFileSystem, str, list[int]]:
    """A log of entries with a hard state behind each: its disk, its segment, where those begin."""
    disk = MemoryFileSystem()
    wal = Wal.create(disk, FOLDER, metadata=None, segment_bytes=1 << 16)
    frames: list[int] = []
    for index in range(1, 40):
        entry = Entry(
            index=index, term=45, kind=EntryKind.NORMAL, raw_kind=0, payload=b"x" * payload_bytes
        )
        offsets = wal.save(HardState(term=45, vote=1, commit=39_000 + index), [entry])
        frames.append(offsets[-1])
    name = wal.segment
    wal.close()
    return disk, name, frames


def codes_of_cut(payload_bytes: int, *, behind: bytes = b"") -> list[Code]:
    """What is said of the log, cut at a border of which fewer than eight bytes of a hard state lie
    behind; `behind` stands where its frame would have ended."""
    disk, name, frames = log_of(payload_bytes)
    start = next(each for each in frames if each % SECTOR_BYTES == SECTOR_BYTES - IN_FRONT)
    border = start + IN_FRONT
    with disk.open_file(FOLDER / name) as file:
        file.write_at(border, bytes(file.stat().size - border))
        file.write_at(start + STATE_FRAME_BYTES, behind)
    layout = Layout(path=FOLDER, shape=Shape.SEGMENTS, wal_dir=FOLDER)
    return [each.code for each in survey(disk, layout).named]


@pytest.mark.parametrize("payload_bytes", [117, 133])
def test_a_state_that_was_cut_at_a_border_is_a_torn_tail(payload_bytes: int) -> None:
    assert codes_of_cut(payload_bytes) == [Code.TORN_TAIL]


def test_with_anything_behind_it_it_is_no_end_of_a_write() -> None:
    assert Code.TORN_TAIL not in codes_of_cut(117, behind=b"\x01")
