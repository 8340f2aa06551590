"""A segment read a window at a time, so that memory does not follow its size; never a map.

A file that a server cuts while it is mapped would kill this process; one that is read only gets
shorter. Eight bytes before the window and some zeros behind it are there too, so that the kernel
can read fixed-size heads without asking for each whether they fit.
"""

from collections.abc import Iterator

from formats.limits import WINDOW_BYTES
from walctl.fs.base import File

LEAD_BYTES = 8
SLACK_BYTES = 64


class Window:
    """Bytes `[base, stop)` of a segment, in `buffer` (and `view`, the same bytes).

    `size` is the file's length when the window was made, as etcd takes it once; a file that turns
    out shorter lowers it. After `load(position)` that position stands at `LEAD_BYTES`.
    """

    def __init__(self, file: File, *, size: int, window_bytes: int = WINDOW_BYTES) -> None:
        self.file = file
        self.size = size
        self.window_bytes = window_bytes
        self.base = -LEAD_BYTES
        self.stop = 0
        self.buffer = bytearray(LEAD_BYTES + min(window_bytes, max(size, 0)) + SLACK_BYTES)
        self.view = memoryview(self.buffer)

    def load(self, position: int, *, at_least: int = 0) -> None:
        """Read from `position` on: a window, or `at_least` bytes where that is more.

        A larger buffer is made only as far as the file goes on, so a length field cannot ask for
        memory that the file does not fill.
        """
        wanted = min(max(self.window_bytes, at_least), max(self.size - position, 0))
        if LEAD_BYTES + wanted + SLACK_BYTES > len(self.buffer):
            self.buffer = bytearray(LEAD_BYTES + wanted + SLACK_BYTES)
            self.view = memoryview(self.buffer)
        lead = min(LEAD_BYTES, position)
        self.buffer[:LEAD_BYTES] = bytes(LEAD_BYTES)
        first = LEAD_BYTES - lead
        got = self.file.read_into(position - lead, self.view[first : LEAD_BYTES + wanted]) - lead
        got = max(got, 0)
        self.base = position - LEAD_BYTES
        self.stop = position + got
        if got < wanted:
            self.size = self.stop
        end = LEAD_BYTES + got
        self.buffer[end : end + SLACK_BYTES] = bytes(SLACK_BYTES)

    def holds(self, start: int, stop: int) -> bool:
        """Whether `[start, stop)` of the file is in the window now."""
        return self.base + LEAD_BYTES <= start and stop <= self.stop

    def bytes_at(self, start: int, stop: int) -> bytes:
        """`[start, stop)` of the file, from the window where it is there; fewer at the end."""
        if self.holds(start, stop):
            return bytes(self.view[start - self.base : stop - self.base])
        return self.file.read_at(start, max(0, min(stop, self.size) - start))


def first_nonzero(file: File, start: int, stop: int) -> int | None:
    """Offset of the first byte in `[start, stop)` that is not zero; holes are not read."""
    for low, high in _chunks(file, start, stop):
        chunk = file.read_at(low, high - low)
        stripped = chunk.lstrip(b"\0")
        if stripped:
            return low + len(chunk) - len(stripped)
    return None


def last_nonzero(file: File, start: int, stop: int) -> int | None:
    """Offset of the last byte in `[start, stop)` that is not zero."""
    found = None
    for low, high in _chunks(file, start, stop):
        stripped = file.read_at(low, high - low).rstrip(b"\0")
        if stripped:
            found = low + len(stripped) - 1
    return found


def _chunks(file: File, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The data ranges of the file in pieces of a window."""
    for low, high in file.data_ranges(start, stop):
        while low < high:
            end = min(low + WINDOW_BYTES, high)
            yield low, end
            low = end
