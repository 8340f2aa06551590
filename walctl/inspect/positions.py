"""Positions in a log as a person writes them, and the part of a log between two of them.

231                      an index
first last commit snap   the first or last entry, the commit index, the snapshot that etcd
                         would start from; with a distance: `last-100`, `snap+1`
@7                       term 7: its first entry as a start, its last as an end
SEGMENT:OFFSET           a byte of a segment; SEGMENT alone is all of it
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.errors import UsageError
from walctl.inspect.fate import INDEX_MAX, Piece
from walctl.inspect.flow import OFFSET_MAX, Covers, Flow

DIGITS_MAX = len(str(INDEX_MAX))
"""Digits of the largest index."""

NAMED = ("first", "last", "commit", "snap")
TERMS_SHOWN_MAX = 8

_NAMED = re.compile(rf"({'|'.join(NAMED)})(?:([+-])(\d{{1,{DIGITS_MAX}}}))?")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log: a Raft index, or an offset in a segment."""

    index: int | None = None
    segment: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From `start` to `stop` (both included); `None` means no bound.

    `order` gives the position of each segment in the log. A record that is no entry stands at the
    index of the entry before it.
    """

    start: Position | None = None
    stop: Position | None = None
    order: Mapping[str, int] = field(default_factory=dict)

    def has(self, segment: str, start: int, stop: int, covers: Covers) -> bool:
        """Whether a row of bytes `[start, stop)`, which stands for these indexes, is within.

        An offset in the midst of a record means the record.
        """
        last = max(start, stop - 1)
        return self._is_reached(segment, last, covers) and self._is_kept(segment, start, covers)

    def misses(self, piece: Piece) -> bool:
        """Whether no row of a piece is within."""
        covers = Covers(piece.first, piece.highest)
        is_reached = self._is_reached(piece.segment, piece.stop - 1, covers)
        return not (is_reached and self._is_kept(piece.segment, piece.start, covers))

    def encloses(self, piece: Piece) -> bool:
        """Whether every row of a piece is within."""
        low, high = Covers(piece.first, piece.first), Covers(piece.highest, piece.highest)
        is_reached = self._is_reached(piece.segment, piece.start, low)
        return is_reached and self._is_kept(piece.segment, piece.stop - 1, high)

    def _is_reached(self, segment: str, offset: int, covers: Covers) -> bool:
        start = self.start
        if start is None:
            return True
        if start.index is not None:
            return covers.last >= start.index
        return self._place(segment, offset) >= self._place(start.segment or "", start.offset)

    def _is_kept(self, segment: str, offset: int, covers: Covers) -> bool:
        stop = self.stop
        if stop is None:
            return True
        if stop.index is not None:
            return covers.first <= stop.index
        return self._place(segment, offset) <= self._place(stop.segment or "", stop.offset)

    def _place(self, segment: str, offset: int) -> tuple[int, int]:
        return self.order.get(segment, 0), offset


def bounds_of(flow: Flow, start: str | None, stop: str | None) -> Bounds:
    """The part of a log between two positions; a named one makes the flow survey the member.

    Raises: UsageError.
    """
    first = None if start is None else parse_position(start, flow, is_start=True)
    final = None if stop is None else parse_position(stop, flow, is_start=False)
    return Bounds(start=first, stop=final, order=flow.order)


def index_of(text: str, survey: Survey, *, commit: int | None = None) -> int:
    """The index that a word or a number means, with its distance.

    `commit` is what that word means (`None`: the last hard state's). Raises: UsageError.
    """
    if _is_number(text):
        return int(text)
    named = _NAMED.fullmatch(text)
    if named is None:
        raise UsageError(f"{text} is no index: expected a number, or {', '.join(NAMED)} (last-100)")
    distance = int(named[3] or 0) * (-1 if named[2] == "-" else 1)
    base = commit if named[1] == "commit" else None
    base = _named(named[1], survey) if base is None else base
    return min(max(base + distance, 0), INDEX_MAX)


def parse_position(text: str, flow: Flow, *, is_start: bool) -> Position:
    """A position as a start or as an end, where the two differ. Raises: UsageError."""
    if _is_number(text):
        return Position(index=int(text))
    if _NAMED.fullmatch(text) is not None:
        return Position(index=index_of(text, flow.survey))
    if text.startswith("@") and _is_number(text[1:]):
        return Position(index=_of_term(int(text[1:]), flow, is_start=is_start))
    if text in flow.order:
        return Position(segment=text, offset=0 if is_start else OFFSET_MAX)
    segment, colon, offset = text.rpartition(":")
    if colon and segment in flow.order and _is_number(offset):
        return Position(segment=segment, offset=int(offset))
    if colon and _is_number(offset):
        names = ", ".join(flow.order) or "none"
        raise UsageError(f"no segment is called {segment}; there are: {names}")
    raise UsageError(
        f"{text} is no position: expected an index, {', '.join(NAMED)} (also as last-100), "
        "@TERM, or SEGMENT:OFFSET"
    )


def _named(name: str, survey: Survey) -> int:
    match name:
        case "first":
            return survey.log.first or 0
        case "last":
            return survey.last_index or 0
        case "commit":
            return survey.commit
        case _:
            return newest_start(survey)


def _of_term(term: int, flow: Flow, *, is_start: bool) -> int:
    """The first or last index of a term among the entries that count."""
    live = flow.survey.log.live
    of_it = [run for run in live if run.term == term]
    if of_it:
        return of_it[0].first if is_start else of_it[-1].last
    terms = list(dict.fromkeys(run.term for run in live))
    shown = ", ".join(map(str, terms[:TERMS_SHOWN_MAX])) or "none"
    more = ", …" if len(terms) > TERMS_SHOWN_MAX else ""
    raise UsageError(f"no entry of the log is of term {term}; there are: {shown}{more}")


def _is_number(text: str) -> bool:
    """Whether `text` is a decimal that could be an index or an offset; Python refuses long ones."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
