"""One wrong bit, found by its syndrome or by trying; and not found where it cannot be told."""

from pathlib import Path

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.limits import FLIP_SEARCH_BYTES_MAX
from tests.wal.builders import ENTRY, STATE, Builder, fresh, state
from walctl.fs.base import File
from walctl.fs.memory import MemoryFileSystem
from walctl.model.record import Checkpoint, Entry, HardState, Metadata
from walctl.wal.flip import bit_of_syndrome, flip_in_data, flip_in_head, flip_in_type, unrun
from walctl.wal.kernel import Head
from walctl.wal.records import lift
from walctl.wal.resync import Budget, frame_at

PATH = Path("/a.wal")


def opened(data: bytes) -> File:
    return MemoryFileSystem({PATH: data}).open(PATH)


@given(
    st.binary(min_size=1, max_size=3000), st.integers(0, (1 << 32) - 1), st.integers(0), st.data()
)
def test_the_syndrome_of_any_bit_gives_its_place(
    data: bytes, seed: int, place: int, draw: st.DataObject
) -> None:
    position, bit = divmod(place % (8 * len(data)), 8)
    flipped = bytearray(data)
    flipped[position] ^= 1 << bit
    syndrome = crc32c.crc32c(data, seed) ^ crc32c.crc32c(bytes(flipped), seed)
    assert bit_of_syndrome(syndrome, len(data)) == (position, bit)


def test_no_difference_and_too_much_data_give_no_place() -> None:
    assert bit_of_syndrome(0, 100) is None
    assert bit_of_syndrome(1, 0) is None
    assert bit_of_syndrome(0x82F63B78, FLIP_SEARCH_BYTES_MAX + 1) is None


@given(data=st.binary(max_size=40), seed=st.integers(0, (1 << 32) - 1))
def test_a_checksum_is_run_backwards(data: bytes, seed: int) -> None:
    assert unrun(crc32c.crc32c(data, seed), data) == seed


@given(st.binary(min_size=8, max_size=400), st.lists(st.integers(0, 63), min_size=2, max_size=2))
def test_two_wrong_bits_are_not_taken_for_another_one(data: bytes, bits: list[int]) -> None:
    flipped = bytearray(data)
    for place in set(bits):
        flipped[place // 8] ^= 1 << place % 8
    syndrome = crc32c.crc32c(data) ^ crc32c.crc32c(bytes(flipped))
    found = bit_of_syndrome(syndrome, len(data))
    if len(set(bits)) == 2:
        assert found is None
    else:
        assert found == divmod(bits[0], 8)


def head_of(log: Builder, position: int, data: bytes | None = None) -> Head:
    found = frame_at(opened(data or log.done()), log.frames[position].start, len(log.data))
    assert found is not None
    return found


def test_a_flip_in_the_data_is_mended_in_the_head_that_comes_with_it() -> None:
    log = fresh().put(1, 1, b"hello, world")
    data = bytearray(log.done())
    place = data.index(b"world") + 2
    data[place] ^= 1 << 5
    head = head_of(log, 3, bytes(data))
    flip = flip_in_data(head, crc32c.crc32c(head.payload or b"", log.frames[2].crc))
    assert flip is not None
    assert (flip.offset, flip.bit, flip.where) == (place, 5, "data")
    assert flip.head.payload == log.frames[3].payload


@pytest.mark.parametrize(
    ("position", "where"),
    [(0, "length field"), (6, "length field"), (9, "type"), (10, "field tag")]
    + [(at, "checksum field") for at in (11, 12, 13)],
)
def test_a_flip_in_a_head_is_named_by_the_field_it_hit(position: int, where: str) -> None:
    log = fresh().put(1, 1, b"hello, world").put(2)
    start = log.frames[3].start
    data = bytearray(log.done())
    data[start + position] ^= 1 << 3
    flip = flip_in_head(opened(bytes(data)), start, len(data), log.frames[2].crc, Budget())
    assert flip is not None
    assert (flip.offset, flip.bit, flip.where) == (start + position, 3, where)
    assert flip.head.payload == log.frames[3].payload


def test_no_flip_is_named_where_the_checksum_in_front_is_unknown_or_two_bits_are_wrong() -> None:
    log = fresh().put(1, 1, b"hello, world").put(2)
    start, seed = log.frames[3].start, log.frames[2].crc
    data = bytearray(log.done())
    data[start] ^= 1
    assert flip_in_head(opened(bytes(data)), start, len(data), None, Budget()) is None
    data[start + 12] ^= 1
    assert flip_in_head(opened(bytes(data)), start, len(data), seed, Budget()) is None


def test_no_flip_is_named_when_the_budget_does_not_reach() -> None:
    log = fresh().put(1, 1, b"x" * 500)
    start, seed = log.frames[3].start, log.frames[2].crc
    data = bytearray(log.done())
    data[start + 12] ^= 1
    assert flip_in_head(opened(bytes(data)), start, len(data), seed, Budget(100)) is None
    assert flip_in_head(opened(bytes(data)), start, len(data), seed, Budget()) is not None


@pytest.mark.parametrize("left", range(20))
def test_no_flip_is_named_in_a_file_that_got_shorter_meanwhile(left: int) -> None:
    log = fresh().put(1, 1, b"hello, world").put(2)
    start, seed = log.frames[3].start, log.frames[2].crc
    with opened(log.done()[: start + left]) as file:
        assert flip_in_head(file, start, len(log.data), seed, Budget()) is None
        assert flip_in_type(file, start, len(log.data), seed) is None


def test_a_wrong_length_is_turned_down_before_its_data_is_read() -> None:
    disk = MemoryFileSystem()
    log = fresh().put(1, 1, b"x" * 500)
    data = bytearray(log.done())
    start = log.frames[3].start
    data[start + 12] ^= 1
    disk.write(PATH, bytes(data))
    disk.truncate(PATH, 64_000_000)
    with disk.open(PATH) as file:
        assert flip_in_head(file, start, 64_000_000, log.frames[2].crc, Budget()) is not None
    assert disk.bytes_read < 1 << 20


WAYS = [
    (0, Checkpoint, range(8)),
    (1, Metadata, [0, 1, 3, 4, 5, 6]),
    (3, Entry, [1, 2, 3, 4, 5, 6]),
    (4, HardState, [2, 3, 4, 5, 6]),
]


@pytest.mark.parametrize(
    ("frame", "kind", "bit"),
    [(frame, kind, bit) for frame, kind, bits in WAYS for bit in bits if (frame, bit) != (0, 7)],
)
def test_a_wrong_type_is_found_by_what_the_payload_fits(frame: int, kind: type, bit: int) -> None:
    log = fresh().put(5, 2, b"hello").add(STATE, state(2, 77, 5))
    data = bytearray(log.done())
    place = log.frames[frame].start + 9
    data[place] ^= 1 << bit
    seed = log.frames[frame - 1].crc if frame else 0
    flip = flip_in_type(opened(bytes(data)), log.frames[frame].start, len(data), seed)
    assert flip is not None
    assert (flip.offset, flip.bit, flip.where) == (place, bit, "type")
    assert isinstance(lift(flip.head.raw_type, flip.head.payload, flip.head.stored), kind)


def test_a_payload_that_fits_two_types_names_no_flip() -> None:
    # Type 7 is one bit away from a state (3) and from a marker (5); an empty record fits neither.
    log = fresh().add(7, b"")
    start = log.frames[-1].start
    assert flip_in_type(opened(log.done()), start, len(log.data), log.frames[-2].crc) is None
    assert log.frames[-1].kind not in (ENTRY, STATE)
