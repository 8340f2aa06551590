"""Where each entry of a log stands: eight bytes of memory an entry, and no more.

The log is kept in pieces, each of consecutive entries of one term in one segment:

    segment   first  term   offsets of the frames        stop
    00…00       1      1    [  488,  592,  696, … ]      9,912
    00…00      94      2    [10,016, … ]                   …
    00…01     812      2    [  120, … ]

In front of the first entry there is a place of which only index and term are known, so that there
is always something to match against.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from walctl.model.log import Run
from walctl.raft.types import Entry, EntryID

READ_BYTES = 1 << 18
"""As much of a segment is read at a time, and one entry however long it is."""


@dataclass(slots=True)
class _Piece:
    """Entries `first` and following, of one term, in one segment; see the table above.

    `stop` is the offset behind the frame of the last one, or somewhere behind it, before that of
    any other entry.
    """

    segment: str
    first: int
    term: int
    offsets: "array[int]"
    stop: int

    @property
    def last(self) -> int:
        return self.first + len(self.offsets) - 1


class Offsets:
    """See the module; `before` is the place in front of the first entry.

    `first` is the index of the first entry, or of where it would be, `last` that of the last one;
    `first` - 1 without entries. Raft asks for both many times a message, so they are kept.
    """

    def __init__(self, before: EntryID) -> None:
        self.before = before
        self.first = before.index + 1
        self.last = before.index
        self._pieces: list[_Piece] = []

    @property
    def segments(self) -> list[str]:
        """Names of the segments that entries are in, ascending by index."""
        return [segment for segment, _ in groupby(piece.segment for piece in self._pieces)]

    def term(self, index: int) -> int:
        """Term of an entry, or of the place in front; `index` is from `first` - 1 to `last`."""
        if index < self.first:
            return self.before.term
        final = self._pieces[-1]
        return final.term if index >= final.first else self._piece_of(index).term

    def add_run(self, run: Run, offsets: Iterator[int]) -> None:
        """Put the entries of a run behind the last one; `offsets` are their frames'."""
        assert run.first == self.last + 1, "a log has no gap"
        found = array("Q", offsets)
        assert len(found) == run.last - run.first + 1, "each entry has a frame"
        self._pieces.append(_Piece(run.segment, run.first, run.term, found, run.stop))
        self.last = run.last

    def put(self, segment: str, entries: Sequence[Entry], offsets: Sequence[int]) -> None:
        """Put consecutive entries into the log, in the place of all from the first of them on.

        `offsets` are those of their frames in `segment`, and the one behind the last.
        """
        # Frames of replaced entries lie between: those in front and behind are not read at one go.
        tail = None if self._cut(entries[0].index) or not self._pieces else self._pieces[-1]
        at = 0
        for term, group in groupby(entries, key=lambda each: each.term):
            stop = at + sum(1 for _ in group)
            if tail is None or (tail.segment, tail.term) != (segment, term):
                tail = _Piece(segment, entries[at].index, term, array("Q"), 0)
                self._pieces.append(tail)
            tail.offsets.extend(offsets[at:stop])
            tail.stop = offsets[stop]
            at = stop
        self.last = entries[-1].index

    def forget_to(self, index: int) -> None:
        """Let the entry at `index` be the place in front of the first."""
        self.before = EntryID(self.term(index), index)
        self.first = index + 1
        while self._pieces and self._pieces[0].last <= index:
            self._pieces.pop(0)
        if self._pieces and self._pieces[0].first <= index:
            head = self._pieces[0]
            del head.offsets[: index + 1 - head.first]
            head.first = index + 1

    def runs(self, low: int, high: int) -> Iterator[Run]:
        """The entries `[low, high)`, all of them there, as runs that are read at one go each."""
        while low < high:
            piece = self._piece_of(low)
            offsets, at = piece.offsets, low - piece.first
            reach = bisect_right(offsets, offsets[at] + READ_BYTES, lo=at + 1)
            stop = min(reach, high - piece.first)
            yield Run(
                segment=piece.segment,
                first=low,
                last=piece.first + stop - 1,
                term=piece.term,
                start=offsets[at],
                stop=offsets[stop] if stop < len(offsets) else piece.stop,
            )
            low = piece.first + stop

    def _piece_of(self, index: int) -> _Piece:
        position = bisect_right(self._pieces, index, key=lambda piece: piece.first) - 1
        return self._pieces[position]

    def _cut(self, index: int) -> bool:
        """Forget the entries from `index` on; whether there were any."""
        if self.last < index:
            return False
        while self._pieces and self._pieces[-1].first >= index:
            self._pieces.pop()
        if self._pieces and self._pieces[-1].last >= index:
            tail = self._pieces[-1]
            tail.stop = tail.offsets[index - tail.first]
            del tail.offsets[index - tail.first :]
        return True
