"""Two members' logs held against each other, entry by entry, wherever both have one.

Never byte by byte: releases of etcd write the same entry in different ways, and a chain of
checksums begins with a member's own metadata. An entry is the same when index, term, type and
payload are. Raft's Log Matching says that two logs with the same entry at an index have the same
entries in front of it. That is said of a log without a gap: what stands in front of a snapshot
that a leader sent may never have been committed, and nothing behind the snapshot vouches for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from walctl.datadir.survey import Survey
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.model.log import Log, Run
from walctl.model.record import Entry
from walctl.wal.entry_frames import entries_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Indexes `first..last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a comparison of all live entries that two logs share has shown.

    `agreed` and `conflicts` ascend: indexes of entries that are the same in both, and of such with
    different terms, of which a leader has replaced, or will replace, one. `differs_at` is the
    first index at which content differs though the term is the same, or a marker's term is not
    that of the other's entry: no two logs of one cluster may do that.
    """

    agreed: tuple[Range, ...] = ()
    conflicts: tuple[Range, ...] = ()
    differs_at: int | None = None

    @property
    def anchor(self) -> int:
        """The last index at which both logs have the same entry; 0 when they share none."""
        return self.agreed[-1].last if self.agreed else 0

    def has(self, index: int) -> bool:
        """Whether both logs have the same entry at `index`."""
        return any(span.first <= index <= span.last for span in self.agreed)


def agreement(disk: FileSystem, first: Survey, second: Survey) -> Agreement:
    """Compare the live entries of two logs, and their snapshot markers. Raises: AccessError."""
    agreed: list[Range] = []
    conflicts: list[Range] = []
    for one, other, span in shared(first.log, second.log):
        if one.term != other.term:
            conflicts.append(span)
            continue
        at = _first_difference(disk, (first, one), (second, other), span)
        if at is not None:
            return Agreement(agreed=tuple(agreed), conflicts=tuple(conflicts), differs_at=at)
        agreed.append(span)
    at = _marked_otherwise(first, second)
    return Agreement(agreed=tuple(agreed), conflicts=tuple(conflicts), differs_at=at)


def contradictions(
    first: Survey, second: Survey, seen: Agreement, *, committed: int
) -> Iterator[Range]:
    """Conflicts that no two logs of one cluster have: right in front of an entry that both have,
    or up to `committed`, which both know to be committed.

    Entries in front of a gap do not count for the latter: a snapshot has replaced them.
    """
    for span in seen.conflicts:
        in_front = seen.has(span.last + 1)
        known = span.first <= committed and all(
            contiguous(each, span.first) == each.log.last for each in (first, second)
        )
        if in_front or known:
            yield span


def contiguous(survey: Survey, index: int) -> int:
    """Last index up to which a log has all entries from `index` on; `index - 1` without it."""
    return index - 1 if survey.log.run_of(index) is None else survey.log.contiguous_from(index - 1)


def term_at(survey: Survey, index: int) -> int | None:
    """The term at `index` by a live entry or a snapshot's marker; 0 in front of every log."""
    if index == 0:
        return 0
    term = survey.log.term_of(index)
    if term is not None:
        return term
    found = {each.mark.term for each in survey.marks if each.mark.index == index}
    return found.pop() if len(found) == 1 else None


def joins(first: Survey, second: Survey, index: int) -> bool:
    """Whether both logs have `index`, as an entry or as a snapshot's boundary, with one term."""
    term = term_at(first, index)
    return term is not None and term == term_at(second, index)


def shared(first: Log, second: Log) -> Iterator[tuple[Run, Run, Range]]:
    """Every stretch of indexes that a live run of each has, ascending."""
    ours, theirs = first.live, second.live
    here = there = 0
    while here < len(ours) and there < len(theirs):
        one, other = ours[here], theirs[there]
        low, high = max(one.first, other.first), min(one.last, other.last)
        if low <= high:
            yield one, other, Range(first=low, last=high)
        if one.last <= other.last:
            here += 1
        else:
            there += 1


def reach_of(survey: Survey) -> tuple[int, int]:
    """Term and index of the last entry of a log, or of a snapshot's marker that is beyond it."""
    runs = survey.log.live
    entry = (runs[-1].term, runs[-1].last) if runs else (0, 0)
    marked = max(((each.mark.term, each.mark.index) for each in survey.marks), default=(0, 0))
    return max(entry, marked)


def highest_term(survey: Survey) -> int:
    """The highest term of any hard state, entry or marker of a log, behind damage too."""
    states = [
        state.state.term
        for segment in survey.segments
        for stretch in segment.digest.stretches
        for state in (stretch.first_state, stretch.last_state)
        if state is not None
    ]
    stepped = [step.before.state.term for step in survey.steps]
    runs = [run.term for run in survey.runs]
    return max([*states, *stepped, *runs, *(each.mark.term for each in survey.marks)], default=0)


def _first_difference(
    disk: FileSystem, one: tuple[Survey, Run], other: tuple[Survey, Run], span: Range
) -> int | None:
    left, right = _entries(disk, *one, span), _entries(disk, *other, span)
    for ours, theirs in zip(left, right, strict=True):
        if (ours.raw_kind, ours.payload or b"") != (theirs.raw_kind, theirs.payload or b""):
            return ours.index
    return None


def _entries(disk: FileSystem, survey: Survey, run: Run, span: Range) -> Iterator[Entry]:
    """The entries of a run, read from its frames; one read out of damage is known already."""
    if run.is_recovered:
        yield recovered_entry(survey, run)
        return
    folder = survey.layout.wal_dir
    assert folder is not None, "a log that was surveyed has a folder"
    with disk.open(folder / run.segment) as file:
        yield from entries_of(file, run, first=span.first, last=span.last)


def recovered_entry(survey: Survey, run: Run) -> Entry:
    """The entry of a run that was read out of a damaged frame.

    Raises: AccessError, when there is none.
    """
    for segment in survey.segments:
        for damage in segment.digest.damages if segment.name.text == run.segment else ():
            if damage.start == run.start and isinstance(damage.recovered, Entry):
                return damage.recovered
    raise AccessError(f"{run.segment}:{run.start}: no entry was recovered here")


def _marked_otherwise(first: Survey, second: Survey) -> int | None:
    """The first index that a marker of one has with another term than an entry of the other."""
    found = [
        placed.mark.index
        for one, other in ((first, second), (second, first))
        for placed in one.marks
        if other.log.term_of(placed.mark.index) not in (None, placed.mark.term)
    ]
    return min(found, default=None)
