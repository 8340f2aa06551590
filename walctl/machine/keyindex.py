"""One key's versions, oldest first, and its generations; imports nothing of ours.

A generation is a key's life: from the put that creates it to the tombstone that ends it. The
final one of a living key has no tombstone yet. Versions are exact tuples, because there is one for
each change of the log: Python's garbage collector soon stops looking at tuples of plain values.

    key   create 2   put 3   put 5   delete 7        put 9   put 12
          '------ generation 1 ------------'         '-- generation 2 --

Compaction at a revision keeps, of what is not above it, the newest version alone, and not even
that where it is a tombstone: the key was not there any more.

Source: etcd's server/mvcc/key_index.go, by the rules that etcd-data-dir notes 8.5 and 9.4 give.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

Row: TypeAlias = tuple[bytes, int, int, int, int, bytes, int]
"""Key, main revision, sub revision, create revision, version (0: a tombstone), value, lease."""

KEY, MAIN, SUB, CREATE, VERSION, VALUE, LEASE = range(7)
"""Positions in a row."""

_MAIN: Final = itemgetter(MAIN)


def newest_at(rows: Sequence[Row], revision: int) -> Row | None:
    """The version that a reader at `revision` sees; `None` when the key is not there then."""
    last = rows[-1]
    if last[1] > revision:
        position = bisect_right(rows, revision, key=_MAIN)
        if position == 0:
            return None
        last = rows[position - 1]
    return last if last[4] else None


def generations(rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    """The lives of a key, oldest first; the tombstone that ends one is its last row."""
    start = 0
    for position, row in enumerate(rows):
        if row[4] == 0:
            yield tuple(rows[start : position + 1])
            start = position + 1
    if start < len(rows):
        yield tuple(rows[start:])


def compacted(rows: list[Row], revision: int, *, keeps_tombstone: bool) -> list[Row]:
    """What compaction at `revision` leaves of a key; `rows` itself where that is all.

    `keeps_tombstone`: one that was made by exactly this revision stays until the next compaction
    (etcd from 3.4.34, 3.5.16 and 3.6 on).
    """
    position = bisect_right(rows, revision, key=_MAIN)
    if position == 0:
        return rows
    newest = rows[position - 1]
    stays = newest[4] or (keeps_tombstone and newest[1] == revision)
    start = position - 1 if stays else position
    return rows[start:] if start else rows
