"""Where the log goes on behind damage: known checksums first, then place, then the last frame."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.limits import WINDOW_BYTES
from tests.wal.builders import STATE, Builder, frame, fresh, state, varint
from walctl.fs.memory import MemoryFileSystem
from walctl.model.record import Check
from walctl.wal.resync import (
    FRAME_COST_BYTES,
    SEARCH_BYTES,
    Budget,
    Resumption,
    candidates,
    frame_at,
    resume,
)

PATH = Path("/a.wal")


def found(
    data: bytes, start: int = 0, *, seeds: tuple[int, ...] = (), budget: Budget | None = None
) -> Resumption | None:
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        return resume(file, start, len(data), seeds=seeds, budget=budget or Budget())


def offsets(data: bytes, start: int = 0, budget: Budget | None = None) -> list[int]:
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        heads = candidates(file, start, len(data), budget or Budget())
        return [head.start for head in heads]


def log_at(shift: int) -> Builder:
    log = Builder(data=bytearray(b"\xee" * shift))
    return log.puts(1, 3)


@pytest.mark.parametrize("shift", range(17))
def test_every_frame_is_a_candidate_at_any_alignment(shift: int) -> None:
    log = log_at(shift)
    assert offsets(log.done()) == [each.start for each in log.frames]


@pytest.mark.parametrize("distance", range(-20, 21))
def test_a_frame_across_two_reads_of_the_search_is_a_candidate_once(distance: int) -> None:
    disk = MemoryFileSystem()
    log = fresh().puts(1, 3)
    start = SEARCH_BYTES + distance
    disk.write_at(PATH, 0, b"\xee" * start + log.done())
    size = start + len(log.data)
    with disk.open(PATH) as file:
        heads = [head.start for head in candidates(file, 0, size, Budget())]
    assert heads == [start + each.start for each in log.frames]


@settings(max_examples=20)
@given(st.integers(0, 1 << 20))
def test_a_frame_behind_holes_is_found_without_reading_them(gap: int) -> None:
    disk = MemoryFileSystem({PATH: b"\xee" * 30})
    for page in range(50, 300, 50):
        disk.write_at(PATH, 4096 * page, b"\xee" * 30)
    log = fresh().puts(1, 2)
    start = 4096 * 300 + gap
    disk.write_at(PATH, start, log.done())
    with disk.open(PATH) as file:
        heads = [head.start for head in candidates(file, 0, start + len(log.data), Budget())]
    assert heads == [start + each.start for each in log.frames]
    assert disk.bytes_read < 1 << 17


def test_no_candidate_lies_before_the_start() -> None:
    log = log_at(0)
    start = log.frames[2].start
    assert offsets(log.done(), start)[0] == start
    assert offsets(log.done(), start + 1)[0] == log.frames[3].start


def test_a_known_checksum_makes_one_frame_enough() -> None:
    log = fresh().put(1).put(2)
    data = b"\xee" * 3 + bytes(log.data[log.frames[-1].start :]) + b"\xee" * 40
    seed = log.frames[-2].crc
    assert found(data, seeds=(1, seed)) == Resumption(offset=3, seed=seed, check=Check.VERIFIED)
    assert found(data, seeds=(1,)) is None


def test_two_frames_that_fit_each_other_are_enough_without_one() -> None:
    log = fresh().put(1).put(2).put(3)
    data = b"\xee" * 8 + bytes(log.data[log.frames[-2].start :]) + b"\xee" * 40
    assert found(data) == Resumption(offset=8, seed=None, check=Check.IMPLIED)


def test_a_single_frame_at_the_end_of_the_log_is_a_last_resort() -> None:
    log = fresh().put(1).put(2)
    last = bytes(log.data[log.frames[-1].start :])
    assert found(b"\xee" * 8 + last + bytes(64)) == Resumption(
        offset=8, seed=None, check=Check.UNVERIFIABLE
    )
    assert found(b"\xee" * 8 + last + b"\xee" * 64) is None


def test_a_pair_at_the_place_of_a_frame_goes_before_one_elsewhere() -> None:
    pair = fresh().puts(1, 2).done()
    data = b"\xee" * 13 + pair + b"\xee" * 27
    data += b"\xee" * (-len(data) % 8)
    expected = len(data)
    both = found(data + pair)
    assert both == Resumption(offset=expected, seed=None, check=Check.IMPLIED)
    assert found(data) == Resumption(offset=13, seed=None, check=Check.IMPLIED)


def test_the_place_of_a_frame_counts_from_the_damage() -> None:
    pair = fresh().puts(1, 2).done()
    data = b"\xee" * 21 + pair + b"\xee" * 3
    data += b"\xee" * (-len(data) % 8)
    both = found(data + pair, 5)
    assert both is not None
    assert both.offset == 21


def chain(first: int, last: int, term: int = 1) -> bytes:
    """Frames of entries that continue each other, without a segment's head."""
    log = Builder(first)
    for index in range(first, last + 1):
        log.put(index, term)
    return bytes(log.data[log.frames[1].start :])


NOISE = b"\xee" * 64
END = bytes(64)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([chain(500, 520), chain(5, 9), END], 1),
        ([chain(500, 520), chain(5, 9)], 1),
        ([chain(1, 3), chain(5, 9), END], 1),
        ([chain(4, 6), chain(5, 9), END], 1),
        ([chain(5, 9), chain(2, 3), END], 0),
        ([chain(5, 9), chain(11, 15), END], 0),
        ([chain(5, 9), chain(8, 12, 2), END], 0),
        ([chain(2, 3, 2), chain(11, 15), END], 0),
        ([chain(5, 9), chain(6, 7)], 0),
        ([chain(1, 3)], 0),
    ],
)
def test_of_chains_the_one_is_the_log_that_goes_on_where_it_ended(
    parts: list[bytes], expected: int
) -> None:
    data, starts = b"", []
    for part in parts:
        data += NOISE * (part != END)
        starts.append(len(data))
        data += part
    data += NOISE * (END not in parts)
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        size = len(data)
        log = resume(file, 0, size, seeds=(), budget=Budget(), last_index=3, last_term=1)
    assert log is not None
    assert log.offset == starts[expected]


def test_hard_states_of_an_earlier_term_are_not_the_log() -> None:
    inner = Builder(9).add(STATE, state(1, 7, 3)).add(STATE, state(1, 7, 4))
    data = NOISE + bytes(inner.data[inner.frames[1].start :]) + NOISE
    start = len(data)
    data += chain(5, 9, 3) + END
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        log = resume(file, 0, len(data), seeds=(), budget=Budget(), last_index=3, last_term=3)
    assert log is not None
    assert log.offset == start


def test_a_search_ends_with_its_budget() -> None:
    pair = fresh().puts(1, 2).done()
    data = b"\xee" * 800 + pair
    assert found(data, budget=Budget(10)) is None
    assert found(data, budget=Budget(100_000)) is not None


def test_a_search_is_charged_for_what_is_in_front_of_the_frame_that_it_finds() -> None:
    log = fresh().puts(1, 9)
    data = b"\xee" * 64 + log.done(zeros=16) + b"\xee" * WINDOW_BYTES
    budget = Budget()
    whole = budget.left
    assert found(data, budget=budget) is not None
    assert whole - budget.left < 2 * SEARCH_BYTES + 50 * FRAME_COST_BYTES
    assert not budget.is_spent


def test_what_a_length_claims_is_paid_for_before_it_is_read() -> None:
    claim = (1 << 17).to_bytes(8, "little") + b"\x08\x02\x10\x00\x1a\x00\x00\x00"
    disk = MemoryFileSystem({PATH: claim * (1 << 14)})
    with disk.open(PATH) as file:
        budget = Budget(1 << 20)
        assert list(candidates(file, 0, 1 << 18, budget)) == []
    assert budget.left < 0
    assert disk.bytes_read < 4 << 20


NO_FRAMES = {
    "zero length": bytes(8) + b"\x08\x02\x10\x00",
    "wrong padding count": (4).to_bytes(7, "little") + b"\x85\x08\x02\x10\x00" + bytes(5),
    "padding that is not zero": (4).to_bytes(7, "little") + b"\x84\x08\x02\x10\x00\x01" + bytes(3),
    "type 6": frame(b"\x08\x06\x10\x00"),
    "no checksum": frame(b"\x08\x02\x1a\x00"),
    "unknown field": frame(b"\x08\x02\x10\x00\x28\x00"),
    "longer than the file": (400).to_bytes(8, "little") + b"\x08\x02\x10\x00",
    "cut within the length field": b"\x04\x00\x00",
}


@pytest.mark.parametrize("case", NO_FRAMES)
def test_what_etcd_would_not_have_written_is_no_frame(case: str) -> None:
    data = NO_FRAMES[case]
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        assert frame_at(file, 0, len(data)) is None


def test_what_a_frame_says_is_in_its_head() -> None:
    data = frame(b"\x08\x02\x10" + varint(0x81234567) + b"\x1a\x03abc")
    with MemoryFileSystem({PATH: data}).open(PATH) as file:
        head = frame_at(file, 0, len(data))
    assert head is not None
    assert (head.start, head.stop, head.raw_type, head.stored) == (0, len(data), 2, 0x81234567)
    assert head.payload == b"abc"
    assert data[head.payload_start :].startswith(b"abc")
