"""A log put together: runs of entries, stretches of whole frames, and what holds for every log.

A healthy log of half a million entries is one `Run`. So reports, invariants and cross-checks work
on runs and on the few records that are no entries, and their memory does not follow the log.
Nothing here knows how the bytes look.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from walctl.model.record import Entry, HardState, Metadata, SnapshotMark, Span


@dataclass(slots=True, kw_only=True)
class Run:
    """Consecutive entries `first..last` (both included) of one term, one behind the other.

    `start` and `stop` are the offsets of the first frame and behind the last, as they were written:
    a run of which later entries replaced the end keeps its `stop`. `commit_before` is the highest
    commit index that a hard state in front of it, in the same stretch, had named.
    """

    segment: str
    first: int
    last: int
    term: int
    start: int
    stop: int
    commit_before: int = 0
    is_recovered: bool = False
    """Read out of a damaged frame whose one wrong bit, or wrong type, is known."""

    @classmethod
    def of_one(cls, segment: str, entry: Entry, span: Span) -> "Run":
        """The run of a single entry, whose frame is `span`."""
        return cls(
            segment=segment,
            first=entry.index,
            last=entry.index,
            term=entry.term,
            start=span.start,
            stop=span.stop,
        )

    def extend(self, *, count: int, stop: int) -> None:
        """`count` more entries, the last of which ends at `stop`."""
        self.last += count
        self.stop = stop


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedState:
    """A hard state with its provenance."""

    segment: str
    offset: int
    state: HardState


@dataclass(slots=True, kw_only=True)
class StateRun:
    """Hard states with one term and one vote, of which no commit is below the one before.

    `first_offset` and `last_offset` are where the first and the last stand.
    """

    segment: str
    term: int
    vote: int
    count: int
    first_offset: int
    last_offset: int
    commit_first: int
    commit_last: int

    def extend(self, *, count: int, offset: int, commit: int) -> None:
        """`count` more states, the last at `offset` with `commit`."""
        self.count += count
        self.last_offset = offset
        self.commit_last = commit

    def accepts(self, state: HardState) -> bool:
        """Whether `state` may follow in this run."""
        same = (state.term, state.vote) == (self.term, self.vote)
        return same and state.commit >= self.commit_last

    @property
    def first_state(self) -> HardState:
        """The first of the run."""
        return HardState(term=self.term, vote=self.vote, commit=self.commit_first)

    @property
    def last_state(self) -> HardState:
        """The last of the run."""
        return HardState(term=self.term, vote=self.vote, commit=self.commit_last)


def add_run(runs: list[StateRun], run: StateRun) -> None:
    """Put one more run behind `runs`, into the last of them if it may follow there."""
    if runs and runs[-1].accepts(run.first_state):
        runs[-1].extend(count=run.count, offset=run.last_offset, commit=run.commit_last)
        return
    runs.append(replace(run))


def add_state(runs: list[StateRun], segment: str, offset: int, state: HardState) -> None:
    """Put one more hard state behind `runs`, in the last of them if it may follow there."""
    if runs and runs[-1].accepts(state):
        runs[-1].extend(count=1, offset=offset, commit=state.commit)
        return
    runs.append(
        StateRun(
            segment=segment,
            term=state.term,
            vote=state.vote,
            count=1,
            first_offset=offset,
            last_offset=offset,
            commit_first=state.commit,
            commit_last=state.commit,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMark:
    """A snapshot marker and where it stands."""

    segment: str
    offset: int
    mark: SnapshotMark


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMetadata:
    """A metadata record and where it stands."""

    segment: str
    offset: int
    metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEntry:
    """An entry that is kept whole: a membership change."""

    segment: str
    offset: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStep:
    """Two hard states, one after the other, of which the later takes something back."""

    before: PlacedState
    after: PlacedState


@dataclass(slots=True, kw_only=True)
class Stretch:
    """Whole frames without damage between them, folded to what reports need.

    `seed` is the checksum that the first record continues (`None`: unknown, trusted), `first_crc`
    and `crc` are those that the first and the last record store.
    """

    segment: str
    span: Span
    seed: int | None
    first_crc: int
    crc: int
    is_recovered: bool = False
    """One record, read out of a damaged frame whose wrong bit or type is known."""
    frames: int = 0
    entries: int = 0
    states_count: int = 0
    commit_max: int = 0
    runs: list[Run] = field(default_factory=list)
    first_state: PlacedState | None = None
    last_state: PlacedState | None = None
    steps: list[StateStep] = field(default_factory=list)
    votes: list[StateRun] = field(default_factory=list)
    """The hard states as runs of one term and vote."""
    marks: list[PlacedMark] = field(default_factory=list)
    metadata: list[PlacedMetadata] = field(default_factory=list)
    conf_changes: list[PlacedEntry] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    """Offsets of the records that only carry the checksum."""
    oversize: list[Run] = field(default_factory=list)
    """Entries whose record is too long for some versions of the owner."""

    @property
    def save_batches(self) -> int:
        """Batches that the writer handed to the disk, at least: each ends with its hard state."""
        if not self.frames:
            return 0
        tail = self.last_state is None or (
            bool(self.runs) and self.runs[-1].stop > self.last_state.offset
        )
        return self.states_count + int(tail)

    def holds_later_batch(self) -> bool:
        """Whether records of two batches are here: so the first batch had been synced.

        A batch ends with its hard state and has at most one: a second one, or an entry or marker
        behind the first, is of a later batch. A marker is always written by itself.
        """
        if self.first_state is None:
            return bool(self.marks)
        behind = self.first_state.offset
        is_behind = any(run.stop > behind for run in self.runs)
        return bool(self.marks) or self.states_count > 1 or is_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwrite:
    """A run that replaces entries written earlier: `run.first..replaced_last`."""

    run: Run
    replaced_last: int
    replaced_term: int
    commit_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Indexes `first..last` that no entry has, between two runs of the file."""

    first: int
    last: int
    before: Run
    after: Run


@dataclass(slots=True, kw_only=True)
class Log:
    """The entries that count, after later ones have replaced earlier ones with the same index.

    `live` runs ascend by index and do not overlap; they may leave gaps. `overwrites` are what the
    replacing did, `commit_max` the highest commit index of any hard state.
    """

    live: list[Run] = field(default_factory=list)
    overwrites: list[Overwrite] = field(default_factory=list)
    commit_max: int = 0

    @property
    def first(self) -> int | None:
        """First index, `None` without entries."""
        return self.live[0].first if self.live else None

    @property
    def last(self) -> int | None:
        """Last index, `None` without entries."""
        return self.live[-1].last if self.live else None

    def term_of(self, index: int) -> int | None:
        """Term of the live entry at `index`, `None` when there is none."""
        run = self.run_of(index)
        return run.term if run is not None else None

    def run_of(self, index: int) -> Run | None:
        """The live run that holds `index`, `None` when there is none."""
        position = bisect_right(self.live, index, key=lambda run: run.first) - 1
        if position < 0 or self.live[position].last < index:
            return None
        return self.live[position]

    def gaps(self) -> Iterator[Gap]:
        """Holes between live runs, ascending."""
        for before, after in pairwise(self.live):
            if after.first > before.last + 1:
                yield Gap(first=before.last + 1, last=after.first - 1, before=before, after=after)

    def term_falls(self) -> Iterator[tuple[Run, Run]]:
        """Neighbours of which the later has the lower term: no Raft log does that."""
        for before, after in pairwise(self.live):
            if after.term < before.term:
                yield before, after

    def contiguous_from(self, index: int) -> int:
        """Last index reached from `index` on without a hole; `index` itself if none follows."""
        reached = index
        for run in self.live:
            if run.first <= reached + 1 <= run.last:
                reached = run.last
        return reached


def put_together(runs: Iterable[Run]) -> Log:
    """Apply the overwrite rule to `runs` in file order: an entry replaces all from its index on.

    Source: etcd `wal.ReadAll` (`ents = append(ents[:offset], e)`), without its start index.
    """
    log = Log()
    for run in runs:
        while log.live and log.live[-1].first >= run.first:
            _replace(log, run, log.live.pop())
        if log.live and log.live[-1].last >= run.first:
            old = log.live[-1]
            _replace(log, run, old)
            log.live[-1] = _shortened(old, run.first - 1)
        log.live.append(run)
    return log


def _replace(log: Log, run: Run, old: Run) -> None:
    """Note that `run` takes the place of a part of `old`."""
    log.overwrites.append(
        Overwrite(
            run=run,
            replaced_last=old.last,
            replaced_term=old.term,
            commit_before=run.commit_before,
        )
    )


def _shortened(run: Run, last: int) -> Run:
    return replace(run, last=last)


def takes_back(before: HardState, after: HardState) -> bool:
    """Whether a hard state forgets what an earlier one remembered: term, vote, or commit."""
    return (
        after.term < before.term
        or after.commit < before.commit
        or (after.term == before.term and before.vote != 0 and after.vote != before.vote)
    )
