"""What damage may hide that nothing in the readable part of a log gives away.

A hole is damage, or a missing segment. That the indexes go on behind it proves less than it seems:

- A hard state may have stood in it, with a later term or a vote. Nothing of it is lost when any
  hard state or entry can be read behind: a member that has promised a later term takes no entry of
  an older one any more, and an entry of a term leaves no other candidate of it to vote for.
- Entries may have stood in it that took the place of entries in front. Only a new leader does that:
  not where the entries in front of a hole and behind it are of one term.
- The first record behind it often has nothing in front that its checksum could continue. It may be
  read, but nobody vouches for its data, so it gets no new checksum, and is not relied on.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from formats.walpb import RecordType
from walctl.datadir.chain import Segment
from walctl.datadir.survey import Survey
from walctl.model.finding import Code
from walctl.model.log import Run, Stretch
from walctl.model.record import Check
from walctl.wal.forensics import Named
from walctl.wal.scan import GoesOn

Position = tuple[int, int]
"""A segment's position in the log, and an offset in it; `-1` in front of all its bytes."""


def unvouched(seen: Survey) -> frozenset[tuple[str, int]]:
    """Segment and offset of each record behind a hole whose data no checksum vouches for."""
    return frozenset(
        (named.damage.segment, named.damage.stop)
        for named in seen.named
        if named.damage.goes_on is GoesOn.FOUND and named.damage.resumed is not Check.VERIFIED
    )


def holes(seen: Survey) -> list[Position]:
    """Where something may be missing, ascending."""
    found = [
        _place(seen, named)
        for named in seen.named
        if not named.is_mended and named.code is not Code.TRAILING_GARBAGE
    ]
    return sorted(found + [(position, -1) for position in _behind_missing(seen.segments)])


def may_hide_state(seen: Survey) -> bool:
    """Whether a later term or vote than any that can be read may have stood in a hole."""
    doubted = unvouched(seen)
    known = max(
        (place for place, stretch in _stretches(seen) if _tells_of_terms(stretch, doubted)),
        default=(-1, -1),
    )
    entries = {_place(seen, named) for named in seen.named if _is_an_entry(named)}
    return any(hole > known for hole in holes(seen) if hole not in entries)


def may_hide_overwriting(seen: Survey, index: int, run: Run | None = None) -> bool:
    """Whether entries in a hole may have taken the place of some up to `index` that can be read in
    front of it: of `run`, or of any.

    What a hard state in front of the hole calls committed stands for good. A tear at the end is no
    such hole: what stands there was never synced.
    """
    begins = (-1, -1) if run is None else (seen.order[run.segment], run.start)
    torn = {_place(seen, named) for named in seen.named if named.code is Code.TORN_TAIL}
    found = [each for each in holes(seen) if each > begins and each not in torn]
    before: int | None = None
    commit, is_open = 0, False
    for place, stretch in (*_stretches(seen), ((len(seen.segments), 0), None)):
        while found and found[0] < place:
            found.pop(0)
            is_open = is_open or (before is not None and commit < index)
        if stretch is None:
            break
        commit = max(commit, stretch.commit_max)
        if stretch.runs:
            if is_open and stretch.runs[0].term != before:
                return True
            before, is_open = stretch.runs[-1].term, False
    return is_open


def has_missing_segment(seen: Survey, first: str, final: str) -> bool:
    """Whether a segment is missing between two that are there, by name (both included)."""
    behind = _behind_missing(seen.segments)
    return any(seen.order[first] < each <= seen.order[final] for each in behind)


def _place(seen: Survey, named: Named) -> Position:
    return seen.order[named.damage.segment], named.damage.start


def _behind_missing(segments: Sequence[Segment]) -> Iterator[int]:
    for position, (before, here) in enumerate(pairwise(segments), start=1):
        if here.seq != before.seq + 1:
            yield position


def _stretches(seen: Survey) -> Iterator[tuple[Position, Stretch]]:
    for position, segment in enumerate(seen.segments):
        for stretch in segment.digest.stretches:
            yield (position, stretch.span.start), stretch


def _tells_of_terms(stretch: Stretch, doubted: frozenset[tuple[str, int]]) -> bool:
    """Whether a hard state or an entry is in it that a checksum vouches for."""
    is_doubted = (stretch.segment, stretch.span.start) in doubted
    return stretch.states_count + stretch.entries > int(is_doubted)


def _is_an_entry(named: Named) -> bool:
    """Whether what is damaged is one whole frame that says it is an entry."""
    head = named.damage.head
    return head is not None and head.raw_type == RecordType.ENTRY and head.stop >= named.damage.stop
