"""The end of a log that was just written, kept in memory: what is saved is applied next.

Every entry is asked for once it is committed, mostly a moment after it was saved, and by a leader
once more for each follower that is a little behind. So the latest ones are kept, as they would be
read back, and only who lags reads the disk.
"""

from collections.abc import Sequence
from typing import Final

from walctl.raft.types import Entry

LATEST_BYTES_MAX: Final = 1 << 18
"""Bytes that are kept at most; an entry with more than half of them is not kept at all."""
_ENTRY_BYTES: Final = 128
"""What an entry costs beside its data."""


class Latest:
    """Consecutive entries up to the last one of a log, or none."""

    def __init__(self, bytes_max: int = LATEST_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._entries: list[Entry] = []

    def put(self, entries: Sequence[Entry]) -> None:
        """These consecutive entries were put into the log, in the place of all from the first of
        them on."""
        kept = self._entries
        if kept and entries[0].index != kept[-1].index + 1:
            replaced = max(0, entries[0].index - kept[0].index)
            assert replaced < len(kept), "a log has no gap"
            self._bytes -= sum(map(_bytes_of, kept[replaced:]))
            del kept[replaced:]
        kept.extend(map(_as_read, entries))
        self._bytes += sum(map(_bytes_of, entries))
        if self._bytes > self._bytes_max:
            self._shed()

    def clear(self) -> None:
        """Another log takes the place of this one."""
        self._entries.clear()
        self._bytes = 0

    def between(self, low: int, high: int) -> Sequence[Entry] | None:
        """The entries `[low, high)`, `None` where they are not all here."""
        kept = self._entries
        if not kept or low < kept[0].index or high > kept[-1].index + 1:
            return None
        first = kept[0].index
        return kept[low - first : high - first]

    def _shed(self) -> None:
        """Keep the newest half of what may be kept: so this is hardly ever to be done."""
        total = count = 0
        for entry in reversed(self._entries):
            size = _bytes_of(entry)
            if total + size > self._bytes_max // 2:
                break
            total, count = total + size, count + 1
        del self._entries[: len(self._entries) - count]
        self._bytes = total


def _bytes_of(entry: Entry) -> int:
    return _ENTRY_BYTES + len(entry.data or b"")


def _as_read(entry: Entry) -> Entry:
    """A log says the type of every entry, as a mere number; see `values`."""
    return Entry(entry.term, entry.index, int(entry.type or 0), entry.data)
