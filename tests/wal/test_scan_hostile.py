"""The scan of what is hostile, endless or in motion: claims cost nothing, and limits are said."""

import functools
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.limits import RECORD_BYTES_MAX, WINDOW_BYTES
from tests.wal.builders import ENTRY, Builder, frame, fresh, varint
from tests.wal.test_scan import PATH, SEGMENT, read
from walctl.fs.memory import MemoryFileSystem
from walctl.model.finding import Code
from walctl.wal import scan as scan_module
from walctl.wal.fold import Digest, digest
from walctl.wal.forensics import name_all
from walctl.wal.kernel import Halt
from walctl.wal.resync import Budget
from walctl.wal.scan import GoesOn

# Claims that cost nothing.


def sparse(data: bytes, size: int) -> MemoryFileSystem:
    disk = MemoryFileSystem({PATH: data})
    disk.truncate(PATH, size)
    return disk


@pytest.mark.parametrize("claim", [1 << 55, (1 << 56) - 8, RECORD_BYTES_MAX + 8, RECORD_BYTES_MAX])
def test_a_length_field_cannot_ask_for_memory(claim: int) -> None:
    log = fresh().puts(1, 3)
    disk = sparse(log.done() + claim.to_bytes(8, "little"), 1 << 30)
    tracemalloc.start()
    try:
        with disk.open(PATH) as file:
            found = digest(file, segment=SEGMENT, seed=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20
    (damage,) = found.damages
    assert (damage.start, damage.goes_on) == (len(log.data), GoesOn.NOT)


def test_the_zeros_of_a_preallocated_segment_are_not_read_through() -> None:
    disk = sparse(fresh().puts(1, 3).done(), 64_000_000)
    with disk.open(PATH) as file:
        found = digest(file, segment=SEGMENT, seed=0)
    assert not found.damages
    assert disk.bytes_read < 3 * WINDOW_BYTES


@pytest.mark.parametrize(
    "pattern",
    [
        b"\x08\x02\x10",
        (1 << 20).to_bytes(8, "little") + b"\x08\x02\x10\0\0\0\0\0",
        frame(b"\x08\x02\x10"),
        frame(b"\x08\x02\x10\x07"),
        b"\x08" + bytes(7) + b"\x08\x02\x10\x07\x1a\x02ab",
    ],
)
def test_bytes_made_to_look_like_frames_cost_a_bounded_search(pattern: bytes) -> None:
    size = 1 << 17
    disk = MemoryFileSystem({PATH: pattern * (size // len(pattern))})
    with disk.open(PATH) as file:
        found = digest(file, segment=SEGMENT, seed=0)
    assert found.damages
    assert disk.reads < 60 * size // len(pattern) + 10_000


def test_a_frame_longer_than_the_file_is_damage_and_the_search_goes_on() -> None:
    log = fresh().puts(1, 3)
    long = (1 << 20).to_bytes(8, "little") + b"\x08\x02\x10" + b"\x99" * 21
    whole = bytes(log.data) + long
    start = len(log.data)
    log.data += long
    log.puts(4, 6)
    found = read(whole + bytes(log.data[len(whole) :]))
    (damage,) = found.damages
    assert (damage.halt, damage.start, damage.stop) == (Halt.LENGTH, start, start + len(long))
    assert damage.goes_on is GoesOn.FOUND
    assert found.stretches[-1].runs[-1].last == 6


# A file that moves.


@dataclass
class Mover:
    """Does one thing to the disk before the read with that number."""

    at: int
    act: Callable[[MemoryFileSystem], None]
    disk: MemoryFileSystem | None = None
    seen: int = 0

    def __call__(self, path: Path, offset: int, size: int) -> None:
        self.seen += 1
        if self.seen == self.at and self.disk is not None:
            self.act(self.disk)


def moved(data: bytes, at: int, act: Callable[[MemoryFileSystem], None]) -> Digest:
    mover = Mover(at, act)
    disk = MemoryFileSystem({PATH: data}, on_read=mover)
    mover.disk = disk
    with disk.open(PATH) as file:
        return digest(file, segment=SEGMENT, seed=0, window_bytes=256)


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("size", [0, 5, 100, 333, 600])
def test_a_file_that_shrinks_is_read_up_to_where_it_still_is(at: int, size: int) -> None:
    log = fresh().puts(1, 10)
    found = moved(log.done(), at, lambda disk: disk.truncate(PATH, size))
    assert found.shrunk
    assert found.size < len(log.data)
    ends = {each.stop for each in log.frames} | {0}
    assert found.end in ends


@functools.cache
def hurt_log() -> bytes:
    """A log with damage of every kind, so that every look behind damage is taken."""
    log = fresh().puts(1, 16, size=60)
    hits = [each for each in log.frames if each.kind == ENTRY]
    data = bytearray(log.done(zeros=16)) + b"\xee" * 40
    data[hits[1].start + 40] ^= 4
    data[hits[3].start] ^= 4
    data[hits[5].start + 9] ^= 1
    data[hits[7].start : hits[7].stop] = b"\xee" * (hits[7].stop - hits[7].start)
    data[hits[9].start : hits[9].stop] = bytes(hits[9].stop - hits[9].start)
    data[hits[11].start + 40 : hits[11].start + 44] = b"\xee" * 4
    data[hits[13].start + 8 : hits[13].start + 20] = b"\xee" * 12
    return bytes(data)


@settings(max_examples=150)
@given(st.integers(1, 300), st.integers(0, 2000), st.sampled_from([64, 256, 4096]))
def test_a_hurt_file_that_shrinks_at_any_read_is_scanned_and_named(
    at: int, size: int, window_bytes: int
) -> None:
    size = min(size, len(hurt_log()))
    mover = Mover(at, lambda disk: disk.truncate(PATH, size))
    disk = MemoryFileSystem({PATH: hurt_log()}, on_read=mover)
    mover.disk = disk
    with disk.open(PATH) as file:
        found = digest(file, segment=SEGMENT, seed=0, window_bytes=window_bytes)
        named = name_all([found], {SEGMENT: file})
    assert [each.damage for each in named] == found.damages
    assert all(damage.start < damage.stop for damage in found.damages)
    assert found.end <= len(hurt_log())


@pytest.mark.parametrize("at", range(1, 8))
def test_a_file_that_grows_is_read_as_long_as_it_was(at: int) -> None:
    log = fresh().puts(1, 10)
    size = len(log.data)
    log.puts(11, 20)
    more = bytes(log.data[size:])
    found = moved(bytes(log.data[:size]), at, lambda disk: disk.write_at(PATH, size, more))
    assert not found.shrunk
    assert (found.size, found.end) == (size, size)
    assert found.stretches[-1].runs[-1].last == 10


def test_a_file_whose_name_vanishes_is_read_to_its_end() -> None:
    log = fresh().puts(1, 10)
    found = moved(log.done(), 3, lambda disk: disk.remove(PATH))
    assert not found.damages
    assert found.end == len(log.data)


def test_a_segment_full_of_damage_is_given_up_with_a_word() -> None:
    bad = frame(b"\x08\x02\x10" + varint(0x81234567) + b"\x1a" + varint(30) + b"q" * 30)
    good = fresh().puts(1, 3)
    found = read(good.done() + bad * 1500 + bytes(8))
    last = found.damages[-1]
    assert last.halt is Halt.GIVEN_UP
    assert (last.start, last.stop) == (found.end, found.size - 8)
    assert found.stretches[0].runs[-1].last == 3


def test_a_search_that_costs_too_much_is_said_to_be_unfinished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = fresh().puts(1, 3)
    whole = log.done()
    data = whole + b"\xee" * 40_000 + Builder(log.crc).puts(4, 9).done()
    monkeypatch.setattr(scan_module, "Budget", lambda: Budget(20_000))
    file = MemoryFileSystem({PATH: data}).open(PATH)
    found = digest(file, segment=SEGMENT, seed=0)
    (damage,) = found.damages
    assert (damage.halt, damage.start, damage.goes_on) == (
        Halt.GIVEN_UP,
        len(whole),
        GoesOn.NOT,
    )
    (named,) = name_all([found], {SEGMENT: file})
    assert named.code is Code.BAD_RECORD
    assert "not all was read" in named.detail
    assert "No record can be read" not in named.detail


@pytest.mark.slow
def test_six_hundred_damages_do_not_use_up_the_search() -> None:
    log = fresh().puts(1, 3)
    for index in range(4, 604):
        log.data += b"\xee" * 16
        log.put(index).put(index)
    found = read(log.done() + b"\xee" * WINDOW_BYTES)
    assert len(found.damages) == 601
    assert {damage.goes_on for damage in found.damages[:-1]} == {GoesOn.FOUND}


def test_a_record_longer_than_walctl_reads_is_named_so() -> None:
    log = fresh().puts(1, 3)
    long = (RECORD_BYTES_MAX + 8).to_bytes(8, "little") + b"\x08\x02\x10" + b"\x99" * 21
    disk = sparse(log.done() + long, RECORD_BYTES_MAX + (1 << 20))
    with disk.open(PATH) as file:
        found = digest(file, segment=SEGMENT, seed=0)
        (named,) = name_all([found], {SEGMENT: file})
    assert (named.damage.halt, named.damage.start) == (Halt.TOO_LONG, len(log.data))
    assert named.code is Code.BAD_RECORD
    assert "walctl does not read such records" in named.detail
