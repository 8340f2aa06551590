"""How far a log has come, told in a few numbers: for one who reads it as it is written.

`Reached` is what the records up to a place say: the last hard state, and the entries that count as
runs of one term. `Outlook` is what the records behind a place say of the entries in front.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN
from walctl.model.batch import Batch
from walctl.model.record import Entry, HardState, Record
from walctl.wal.names import SegmentName

RUNS_MAX = 64
"""Runs that are remembered: what a new leader overwrites lies in the last few."""
FALLS_MAX = 4096
"""Overwritings that are looked ahead for; of entries before them nothing is claimed."""


class TermRun(NamedTuple):
    """Entries `first..last` (both included) of one term; `None`: of terms that were not read."""

    first: int
    last: int
    term: int | None


@dataclass(frozen=True, slots=True)
class Reached:
    """What the records up to a place say; `runs` ascend by index."""

    state: HardState | None = None
    runs: tuple[TermRun, ...] = ()

    @classmethod
    def at(cls, name: SegmentName) -> "Reached":
        """At the head of a segment whose predecessor was not read: its name has the next index."""
        return cls(runs=(TermRun(1, name.index - 1, None),) if name.index > 1 else ())

    @property
    def last(self) -> int:
        """Index of the last entry; 0 without one."""
        return self.runs[-1].last if self.runs else 0

    @property
    def term(self) -> int:
        """Term of the last entry; 0 where it is not known."""
        return (self.runs[-1].term or 0) if self.runs else 0

    @property
    def commit(self) -> int | None:
        """The commit index of the last hard state, `None` without one."""
        return None if self.state is None else self.state.commit

    def replaced_by(self, index: int) -> tuple[TermRun, ...]:
        """The entries that an entry at `index` takes the place of: it and all behind it."""
        if index > self.last:
            return ()
        return tuple(
            TermRun(max(run.first, index), run.last, run.term)
            for run in self.runs
            if run.last >= index
        )

    def with_run(self, first: int, last: int, term: int) -> "Reached":
        """With the entries `first..last` written, after the rule that overwrites."""
        runs = self.runs
        while runs and runs[-1].first >= first:
            runs = runs[:-1]
        if runs and runs[-1].last >= first:
            runs = (*runs[:-1], runs[-1]._replace(last=first - 1))
        if runs and runs[-1].last == first - 1 and runs[-1].term == term:
            return Reached(self.state, (*runs[:-1], runs[-1]._replace(last=last)))
        return Reached(self.state, (*runs[1 - RUNS_MAX :], TermRun(first, last, term)))

    def with_record(self, record: Record) -> "Reached":
        """With one more record."""
        match record:
            case Entry(index=index, term=term):
                return self.with_run(index, index, term)
            case HardState():
                return replace(self, state=record)
            case _:
                return self

    def with_batch(self, batch: Batch) -> "Reached":
        """With all records of a batch."""
        reached = self
        for run in batch.runs:
            reached = reached.with_run(run.first, run.last, run.term)
        return replace(reached, state=batch.states[-1].last_state) if batch.states else reached


Where = tuple[str, int]
"""Name of a segment and an offset; they ascend as the log does."""


@dataclass(slots=True)
class Outlook:
    """What records up to `end` say of the entries in front of them.

    `commit` is that of the last hard state. `falls` are where an entry overwrites others, and its
    index; both ascend, because one that a lower one follows adds nothing. In front of `floor` some
    may be missing.
    """

    commit: int | None = None
    falls: list[tuple[Where, int]] = field(default_factory=list)
    floor: Where = ("", 0)
    end: Where = ("", 0)

    @classmethod
    def of(cls, batch: Batch, reached: Reached) -> "Outlook":
        """What a batch says of its own entries; `reached` is what was known in front of it."""
        outlook = cls(commit=reached.commit)
        outlook.add(batch, reached)
        return outlook

    def add(self, batch: Batch, reached: Reached) -> None:
        """Look at one more batch; `reached` is what is known in front of it."""
        last = reached.last
        for run in batch.runs:
            if run.first <= last or not self.falls:
                self._fall((batch.segment, run.start), run.first)
            last = run.last
        if batch.states:
            self.commit = batch.states[-1].commit_last
        self.end = (batch.segment, batch.stop)

    def before(self, later: "Outlook") -> "Outlook":
        """This of earlier segments and `later` of those behind them, as one."""
        commit = self.commit if later.commit is None else later.commit
        joined = Outlook(commit, [], max(self.floor, later.floor), max(self.end, later.end))
        for where, index in (*self.falls, *later.falls):
            joined._fall(where, index)
        return joined

    def _fall(self, where: Where, index: int) -> None:
        """Note an overwriting; those in front that left more standing say nothing any more."""
        falls = self.falls
        while falls and falls[-1][1] >= index:
            falls.pop()
        falls.append((where, index))
        if len(falls) > 2 * FALLS_MAX:
            self.floor = falls[FALLS_MAX - 1][0]
            del falls[:FALLS_MAX]

    def status(self, entry: Entry, where: Where) -> str:
        """The status of the entry at `where`, for all that is known up to `end`."""
        if self.commit is None or where < self.floor:
            return UNKNOWN
        behind = bisect_right(self.falls, where, key=lambda fall: fall[0])
        if behind < len(self.falls) and self.falls[behind][1] <= entry.index:
            return OVERWRITTEN
        return COMMITTED if entry.index <= self.commit else UNCOMMITTED
