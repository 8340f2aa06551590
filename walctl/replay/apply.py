"""The entries of a log into a state machine, one after the other, up to an index.

What may be applied is what a member would apply: entries that are committed, by the last hard
state or because its own database has them. What is uncommitted is applied only when asked for.
An entry that no machine can carry out ends it there: what is behind it would build on a state
that no member has.

Source: etcd-data-dir notes 9.1 and 9.2.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

from walctl.datadir.survey import Survey
from walctl.fs.base import File, FileSystem
from walctl.fs.lazy import LazyFile
from walctl.machine.base import Machine, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.model.log import Run
from walctl.raft.types import Entry
from walctl.wal.entry_frames import made_of

_ENDS: frozenset[Outcome] = frozenset({Outcome.UNDECODABLE, Outcome.FATAL})
HAZARDS_MAX = 100
"""Entries that are told as doubtful; all are counted."""
STEP_ENTRIES = 4096
"""After so many entries whoever waits is told how far it is."""

Watch = Callable[[Entry, Result], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where applying ended before its time: an entry, and why; `outcome` is `None` where no entry
    stands at that index."""

    index: int
    words: str
    outcome: Outcome | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """An entry with which real members do different things."""

    index: int
    words: str


@dataclass(slots=True, kw_only=True)
class Applied:
    """What became of a stretch of entries.

    `last` is the index of the last one that was applied (where it began, without any). `counts`
    are by request and outcome.
    """

    last: int
    stop: Stop | None = None
    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    hazards: list[Hazard] = field(default_factory=list)
    hazards_count: int = 0


def committed(seen: Survey) -> int:
    """Index of the last entry that a member would apply, as far as its own files say; 0 for none.

    A database that is damaged says nothing.
    """
    applied = 0 if seen.tree_defects or seen.database_problem is not None else seen.applied or 0
    return max(seen.commit, applied)


def live_runs(disk: FileSystem, seen: Survey) -> Iterator[tuple[Run, File]]:
    """The runs of the entries that count, ascending, each with its segment, which is open while the
    run is current: one file at a time, however many runs there are."""
    folder = seen.layout.wal_dir
    if folder is None:
        return
    for segment, runs in groupby(seen.log.live, key=lambda run: run.segment):
        with LazyFile(disk, folder / segment) as file:
            for run in runs:
                yield run, file


def entries_between(
    disk: FileSystem, seen: Survey, first: int, last: int, *, passes_damage: bool = False
) -> Iterator[Entry]:
    """The live entries `first..last` (both included) that are there, ascending; gaps are passed.

    It ends at an entry whose frame is damaged, as what was read of it is a guess, however good;
    `passes_damage` leaves out that one alone.

    Raises: AccessError, when a segment is not what it was.
    """
    for run, file in live_runs(disk, seen):
        low, high = max(first, run.first), min(last, run.last)
        if low > high:
            continue
        if not run.is_recovered:
            yield from made_of(file, run, first=low, last=high, make=Entry)
        elif not passes_damage:
            return


def apply_entries(
    disk: FileSystem,
    seen: Survey,
    machine: Machine,
    *,
    first: int,
    last: int,
    watch: Watch | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Applied:
    """Give a machine the entries `first..last` (both included), up to a gap or one that ends it.

    `watch` is told of every entry and what became of it; `on_step` how many of how many are done.

    Raises: AccessError.
    """
    result = Applied(last=first - 1)
    counts, total = result.counts, max(0, last - first + 1)
    with _without_collector():
        for entry in entries_between(disk, seen, first, last):
            if entry.index != result.last + 1:
                break
            became = machine.apply(entry)
            counts[became.kind, became.outcome] += 1
            if became.outcome in _ENDS:
                words = became.words or str(became.outcome.value)
                result.stop = _stop_at(seen, entry.index, words, became.outcome)
                return result
            if became.hazard is not None:
                result.hazards_count += 1
                if len(result.hazards) < HAZARDS_MAX:
                    result.hazards.append(Hazard(index=entry.index, words=became.hazard))
            if watch is not None:
                watch(entry, became)
            result.last = entry.index
            if entry.index % STEP_ENTRIES == 0:
                on_step(entry.index - first + 1, total)
    if result.last < last:
        index = result.last + 1
        is_there = seen.log.run_of(index) is not None
        words = "its frame is damaged" if is_there else "the log has no such entry"
        result.stop = _stop_at(seen, index, words, None)
    return result


def entry_of_revision(disk: FileSystem, seen: Survey, revision: int, last: int) -> int | None:
    """Index of the entry, up to `last`, that makes a revision of etcd's key space, by replaying the
    log from its beginning; `None` when none does. Raises: AccessError."""
    machine = Etcd()
    for entry in entries_between(disk, seen, 1, last):
        if machine.apply(entry).revision == revision:
            return entry.index
    return None


def _stop_at(seen: Survey, index: int, words: str, outcome: Outcome | None) -> Stop:
    run = seen.log.run_of(index)
    segment = run.segment if run is not None else None
    return Stop(index=index, words=words, outcome=outcome, segment=segment)


@contextmanager
def _without_collector() -> Iterator[None]:
    """While a state grows there is no garbage in cycles, and looking for it takes as long again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
