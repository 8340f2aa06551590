"""A window gives the bytes of the file, whatever its size, and knows when the file got shorter."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from formats.limits import WINDOW_BYTES
from walctl.fs.memory import MemoryFileSystem
from walctl.wal.window import LEAD_BYTES, SLACK_BYTES, Window, first_nonzero, last_nonzero

PATH = Path("/a.wal")


def window_of(data: bytes, window_bytes: int = 64) -> tuple[MemoryFileSystem, Window]:
    disk = MemoryFileSystem({PATH: data})
    return disk, Window(disk.open(PATH), size=len(data), window_bytes=window_bytes)


@given(
    st.binary(max_size=300),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 400)), min_size=1, max_size=5),
    st.sampled_from([1, 64, 128]),
)
def test_a_window_holds_what_the_file_holds_there(
    data: bytes, loads: list[tuple[int, int]], window_bytes: int
) -> None:
    _, window = window_of(data, window_bytes)
    for position, at_least in loads:
        position = min(position, len(data))
        window.load(position, at_least=at_least)
        stop = min(len(data), position + max(window_bytes, at_least))
        assert window.stop == stop
        assert window.holds(position, stop)
        assert not window.holds(position, stop + 1)
        assert window.buffer[LEAD_BYTES : LEAD_BYTES + stop - position] == data[position:stop]
        lead = bytes(LEAD_BYTES) + data[:position]
        assert window.buffer[:LEAD_BYTES] == lead[-LEAD_BYTES:]
        slack = window.buffer[LEAD_BYTES + stop - position :][:SLACK_BYTES]
        assert slack == bytes(SLACK_BYTES)
        assert window.bytes_at(position, len(data) + 9) == data[position:]
        assert window.bytes_at(0, len(data)) == data
        assert window.size == len(data)


def test_a_file_that_got_shorter_lowers_the_size() -> None:
    disk, window = window_of(b"x" * 300)
    window.load(0)
    disk.truncate(PATH, 100)
    window.load(64)
    assert (window.size, window.stop) == (100, 100)
    disk.truncate(PATH, 10)
    window.load(90)
    assert (window.size, window.stop) == (90, 90)


def test_a_file_that_got_longer_is_read_as_long_as_it_was() -> None:
    disk, window = window_of(b"x" * 100, 1000)
    disk.write_at(PATH, 100, b"y" * 100)
    window.load(0)
    assert (window.size, window.stop) == (100, 100)
    assert window.bytes_at(0, 200) == b"x" * 100


def test_a_claim_beyond_the_file_makes_no_larger_buffer() -> None:
    _, window = window_of(b"x" * 100)
    window.load(20, at_least=1 << 40)
    assert len(window.buffer) <= 100 + LEAD_BYTES + SLACK_BYTES


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 255)), max_size=6), st.data())
def test_the_first_and_the_last_byte_that_is_not_zero_are_found(
    places: list[tuple[int, int]], data: st.DataObject
) -> None:
    disk = MemoryFileSystem({PATH: b""})
    disk.truncate(PATH, 3001)
    for offset, value in places:
        disk.write_at(PATH, offset, bytes([value]))
    start = data.draw(st.integers(0, 3001))
    stop = data.draw(st.integers(start, 3001))
    inside = [offset for offset, _ in places if start <= offset < stop]
    with disk.open(PATH) as file:
        assert first_nonzero(file, start, stop) == min(inside, default=None)
        assert last_nonzero(file, start, stop) == max(inside, default=None)


def test_zeros_that_were_written_are_looked_at_and_holes_are_not() -> None:
    disk = MemoryFileSystem({PATH: bytes(5000)})
    disk.truncate(PATH, 3 * WINDOW_BYTES)
    disk.write_at(PATH, 2 * WINDOW_BYTES + 5, b"x")
    with disk.open(PATH) as file:
        assert first_nonzero(file, 0, 3 * WINDOW_BYTES) == 2 * WINDOW_BYTES + 5
    assert disk.bytes_read < 1 << 16
