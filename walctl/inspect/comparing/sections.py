"""Who has what at which index, as sections: neighbouring indexes at which nothing changes.

The live entries of all members are read side by side, a window of each file at a time, and compared
by term, type and payload. The number of sections follows leaders, snapshots and faults, and not
the entries; where it does not (`SECTIONS_MAX`), the comparison ends there and says so.
"""

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Final, NamedTuple

from walctl.fs.base import FileSystem
from walctl.inspect.agreement import recovered_entry
from walctl.inspect.comparing.given import Given
from walctl.model.log import Run
from walctl.model.record import Entry
from walctl.wal.entry_frames import entries_of

SECTIONS_MAX: Final = 20_000
STEP_ENTRIES: Final = 1 << 14
"""Indexes between two words on how far it has come."""

Step = Callable[[int, int], None]
"""Told how much is done, and how much there is."""


class Holds(enum.StrEnum):
    """What a member has at an index."""

    ENTRY = "entry"
    SNAPSHOT = "snapshot"
    """No entry: a snapshot stands for it."""
    DAMAGED = "damaged"
    """It was there, and cannot be read."""
    MISSING = "missing"
    """No entry, and nothing says why."""
    BEYOND = "beyond"
    """Its log ends before."""


class Cell(NamedTuple):
    """What one member has in a section. Entries of members with the same `variant` are equal; it
    counts from 0 within a section, and is `None` where there is no entry."""

    holds: Holds
    term: int | None = None
    variant: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Indexes `first..last`, both included, and a cell for each member, in their order."""

    first: int
    last: int
    cells: tuple[Cell, ...]

    @property
    def variants(self) -> int:
        """How many different entries there are."""
        return len({cell.variant for cell in self.cells} - {None})

    @property
    def holders(self) -> list[int]:
        """Positions of the members that have an entry."""
        return [at for at, cell in enumerate(self.cells) if cell.variant is not None]

    @property
    def kind(self) -> str:
        """`differs`, `equal` (of two members or more), `one` or `none`."""
        if self.variants > 1:
            return "differs"
        return {0: "none", 1: "one"}.get(len(self.holders), "equal")

    @property
    def same_term_differs(self) -> bool:
        """Whether two entries differ though their terms are the same."""
        told = {(cell.term, cell.variant) for cell in self.cells if cell.variant is not None}
        return len({term for term, _ in told}) < len(told)


class Part(NamedTuple):
    """Indexes `first..last` of one member that it has in one way."""

    first: int
    last: int
    holds: Holds
    run: Run | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """All of them, ascending, without gaps from index 1 on; `stopped_at` is the first index that
    was not compared any more."""

    found: tuple[Section, ...]
    stopped_at: int | None = None


def sections_of(
    disk: FileSystem, members: Sequence[Given], *, step: Step = lambda done, total: None
) -> Sections:
    """Compare the logs of `members`. Raises: AccessError, when one changes meanwhile."""
    parts = [list(parts_of(each)) for each in members]
    horizon = max((each.last for each in members), default=0)
    horizon = max(horizon, *(each.commit for each in members), 0)
    found: list[Section] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(disk, each)) for each in members]
        for first, last in _intervals(parts, horizon):
            here = [_part_at(each, first) for each in parts]
            for section in _compared(readers, here, first, last, lambda at: step(at, horizon)):
                _add(found, section)
            if len(found) >= SECTIONS_MAX:
                return Sections(found=tuple(found), stopped_at=last + 1)
    return Sections(found=tuple(found))


def split_at(sections: Iterable[Section], cuts: Iterable[int]) -> Iterator[Section]:
    """The same sections, so that none goes across an index of `cuts`: each is the last of one."""
    ordered = sorted(set(cuts))
    for section in sections:
        first = section.first
        for cut in ordered[bisect_left(ordered, first) : bisect_left(ordered, section.last)]:
            yield replace(section, first=first, last=cut)
            first = cut + 1
        yield replace(section, first=first)


def parts_of(given: Given) -> Iterator[Part]:
    """What a member has, ascending from index 1 on, up to the last index it knows of."""
    seen = given.seen
    reached, is_first = 0, True
    for run in seen.log.live:
        if run.first > reached + 1:
            holds = _absent(given, reached + 1, run.first - 1, is_first=is_first)
            yield Part(reached + 1, run.first - 1, holds)
        yield Part(run.first, run.last, Holds.ENTRY, run)
        reached, is_first = run.last, False
    if given.last > reached:
        yield Part(reached + 1, given.last, Holds.SNAPSHOT)
        reached = given.last
    known = max(seen.commit_max, seen.applied or 0)
    open_end = [named.lost for named in seen.named if named.lost and named.lost[1] is None]
    if open_end and known > reached:
        yield Part(reached + 1, known, Holds.DAMAGED)


def _absent(given: Given, first: int, last: int, *, is_first: bool) -> Holds:
    """Why a log has none of these entries."""
    seen = given.seen
    for named in seen.named:
        lost = named.lost
        if lost is not None and lost[0] <= last and (lost[1] is None or lost[1] >= first):
            return Holds.DAMAGED
    if is_first:
        reach = [placed.mark.index for placed in seen.marks]
        reach += [snap.index or 0 for snap in seen.snaps if snap.is_usable]
        return Holds.SNAPSHOT if max(reach, default=0) >= last else Holds.MISSING
    gap = next((each for each in seen.log.gaps() if each.first == first), None)
    return Holds.SNAPSHOT if gap is not None and seen.is_bridged(gap) else Holds.MISSING


class Reader:
    """The live entries of one member, ascending; each file is open while a run of it is read."""

    def __init__(self, disk: FileSystem, given: Given) -> None:
        self._disk = disk
        self._survey = given.seen
        self._run: Run | None = None
        self._entries: Iterator[Entry] = iter(())
        self._next = 0
        self._stack = ExitStack()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def take(self, run: Run, first: int, last: int) -> Iterator[Entry]:
        """The entries `first..last` of a run; what was taken before is in front of them."""
        if run is not self._run:
            self._stack.close()
            self._run, self._next = run, first
            self._entries = self._opened(run, first)
        skipped = first - self._next
        self._next = last + 1
        return islice(self._entries, skipped, skipped + last - first + 1)

    def _opened(self, run: Run, first: int) -> Iterator[Entry]:
        if run.is_recovered:
            return iter((recovered_entry(self._survey, run),))
        folder = self._survey.layout.wal_dir
        assert folder is not None, "a log that was surveyed has a folder"
        file = self._stack.enter_context(self._disk.open(folder / run.segment))
        return entries_of(file, run, first=first, last=run.last)


def entry_at(disk: FileSystem, given: Given, index: int) -> Entry | None:
    """One live entry; `None` where there is none. Raises: AccessError."""
    run = given.seen.log.run_of(index)
    if run is None:
        return None
    with Reader(disk, given) as reader:
        return next(reader.take(run, index, index), None)


def _intervals(parts: Sequence[Sequence[Part]], horizon: int) -> Iterator[tuple[int, int]]:
    """The finest stretches of indexes in which no member's part begins or ends."""
    cuts = {1, horizon + 1}
    for each in parts:
        for part in each:
            cuts |= {part.first, part.last + 1}
    ordered = sorted(cut for cut in cuts if cut <= horizon + 1)
    for first, after in pairwise(ordered):
        yield first, after - 1


def _part_at(parts: Sequence[Part], index: int) -> Part:
    position = bisect_right(parts, index, key=lambda part: part.first) - 1
    if position < 0 or parts[position].last < index:
        return Part(index, index, Holds.BEYOND)
    return parts[position]


def _compared(
    readers: Sequence[Reader],
    parts: Sequence[Part],
    first: int,
    last: int,
    step: Callable[[int], None],
) -> Iterator[Section]:
    """The sections of one interval: split where equal entries become unequal, or equal again."""
    terms = [part.run.term if part.run is not None else None for part in parts]
    groups = [
        members
        for term in dict.fromkeys(terms)
        if term is not None
        and len(members := [at for at, each in enumerate(terms) if each == term]) > 1
    ]
    start, pattern = first, None
    for index, found in _patterns(readers, parts, groups, first, last, step):
        if index > start:
            yield _section(parts, terms, start, index - 1, pattern)
        start, pattern = index, found
    yield _section(parts, terms, start, last, pattern)


Pattern = tuple[tuple[int, ...], ...]
"""For each group of members with one term: which of their entries are equal, by small numbers."""


def _patterns(
    readers: Sequence[Reader],
    parts: Sequence[Part],
    groups: Sequence[Sequence[int]],
    first: int,
    last: int,
    step: Callable[[int], None],
) -> Iterator[tuple[int, Pattern | None]]:
    """Each index from which on the entries fall apart in another way; `None`: not at all."""
    if not groups:
        return
    taken = [[readers[at].take(_run_of(parts[at]), first, last) for at in each] for each in groups]
    before: Pattern | None = None
    for index, rows in enumerate(
        zip(*(zip(*each, strict=True) for each in taken), strict=True), first
    ):
        found: Pattern | None = None
        if not all(map(_is_plainly_equal, rows)):
            found = tuple(map(_numbered, rows))
            found = found if any(map(any, found)) else None
        if found != before:
            yield index, found
            before = found
        if index % STEP_ENTRIES == 0:
            step(index)


def _is_plainly_equal(row: Sequence[Entry]) -> bool:
    """Whether all are equal, without a look at ways to write nothing."""
    head = row[0]
    return all(each.payload == head.payload and each.raw_kind == head.raw_kind for each in row[1:])


def _run_of(part: Part) -> Run:
    assert part.run is not None, "a group is of members that have entries"
    return part.run


def _numbered(row: Sequence[Entry]) -> tuple[int, ...]:
    """Equal entries get equal numbers, from 0 on."""
    known: dict[tuple[int, bytes], int] = {}
    return tuple(known.setdefault((each.raw_kind, each.payload or b""), len(known)) for each in row)


def _section(
    parts: Sequence[Part],
    terms: Sequence[int | None],
    first: int,
    last: int,
    pattern: Pattern | None,
) -> Section:
    """The cells of a section; `pattern` is of the groups in the order of their terms."""
    kinds: list[tuple[int, int] | None] = [None] * len(parts)
    group = 0
    for term in dict.fromkeys(each for each in terms if each is not None):
        members = [at for at, each in enumerate(terms) if each == term]
        numbers: Sequence[int] = [0] * len(members)
        if len(members) > 1:
            numbers = pattern[group] if pattern is not None else numbers
            group += 1
        for at, number in zip(members, numbers, strict=True):
            kinds[at] = (term, number)
    order = {kind: number for number, kind in enumerate(dict.fromkeys(filter(None, kinds)))}
    cells = tuple(
        Cell(part.holds, term, None if kind is None else order[kind])
        for part, term, kind in zip(parts, terms, kinds, strict=True)
    )
    return Section(first=first, last=last, cells=cells)


def _add(found: list[Section], section: Section) -> None:
    """Put a section behind the others, into the last of them where nothing changes."""
    if found and found[-1].cells == section.cells:
        found[-1] = replace(found[-1], last=section.last)
    else:
        found.append(section)
