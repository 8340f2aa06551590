"""Places of a segment by which one can tell later whether the log up to there is still the same.

A record's checksum covers all that is in front of it, so the head of one frame that is unchanged
says that the whole log before it is.
"""

from collections import deque
from typing import NamedTuple

from walctl.inspect.reached import Reached
from walctl.wal.kernel import Cursor

HEAD_BYTES = 24
"""A frame's length field, and its record's type and checksum."""
MARKS_MAX = 2048
"""Frames that are remembered one by one; and as many of those before them, evenly."""


class Mark(NamedTuple):
    """A frame (or damage that was passed over) at `[start, stop)`: how it begins, what follows it.

    `crc` is the checksum that the next record continues, `reached` what is known behind it.
    """

    start: int
    stop: int
    head: bytes
    crc: int | None
    reached: Reached

    def cursor(self) -> Cursor:
        """Where a scan goes on behind it."""
        reached = self.reached
        return Cursor(self.stop, self.crc, reached.last, reached.term, reached.state)


class Marks:
    """The last frames that were read, and some of those before, by ascending offset."""

    def __init__(self, old: list[Mark]) -> None:
        self._old = old
        self._recent: deque[Mark] = deque()
        self._stride = 1
        self._passed = 0

    @property
    def last(self) -> Mark | None:
        """The newest."""
        if self._recent:
            return self._recent[-1]
        return self._old[-1] if self._old else None

    def add(self, mark: Mark) -> None:
        """Remember one more."""
        self._recent.append(mark)
        if len(self._recent) <= MARKS_MAX:
            return
        oldest = self._recent.popleft()
        self._passed += 1
        if self._passed % self._stride == 0:
            self._old.append(oldest)
        if len(self._old) > MARKS_MAX:
            self._old = self._old[1::2]
            self._stride *= 2

    def drop_last(self) -> None:
        """Forget the newest."""
        (self._recent or self._old).pop()
