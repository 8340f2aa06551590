"""What became of the entries of a log, told while it is read: committed, not yet, or overwritten.

An entry's fate is settled by what comes behind it: a hard state whose commit reaches it, or a new
leader's entry with an index no higher. Both usually come soon, so the log need not be read to its
end before its beginning can be shown. Where a log does what no Raft log does (takes a commit back,
overwrites what was committed) the reader stops and says so, and the whole log must be looked at.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN
from walctl.model.batch import Batch
from walctl.model.log import PlacedMark, Run
from walctl.model.record import Check

INDEX_MAX = (1 << 64) - 1


@dataclass(slots=True)
class Fate:
    """The fate of the entries `first..last` of one run; `start` and `stop` are file offsets.

    Those up to `committed` are committed, those above `kept` overwritten. `is_known` is false
    where no commit is known at all, and then none of the others is called uncommitted.
    """

    start: int
    stop: int
    first: int
    last: int
    term: int
    committed: int = 0
    kept: int = INDEX_MAX
    is_known: bool = True

    @classmethod
    def of(cls, run: Run) -> "Fate":
        """Of a run of which nothing is known yet."""
        return cls(run.start, run.stop, run.first, run.last, run.term)

    def status(self, index: int) -> str:
        """The status of one of the entries, as a row has it."""
        if index <= min(self.committed, self.kept):
            return COMMITTED
        if index > self.kept:
            return OVERWRITTEN
        return UNCOMMITTED if self.is_known else UNKNOWN


@dataclass(slots=True, kw_only=True)
class Piece:
    """Whole frames `[start, stop)` of a segment without damage, and the fates of the entries.

    `seed` is the checksum that the first frame continues; where it is `None`, `first_check` says
    what is known of that frame. `reached` is the index that the log had reached in front of it,
    and `last` the one that it reaches. `marks` are the indexes of its snapshot marks: they stand
    among entries that have gone further.
    """

    segment: str
    start: int
    stop: int
    seed: int | None
    first_check: Check
    reached: int
    last: int
    fates: list[Fate] = field(default_factory=list)
    marks: tuple[int, ...] = ()

    @property
    def first(self) -> int:
        """The lowest index that a record of the piece stands at."""
        return min([self.reached, *(fate.first for fate in self.fates), *self.marks])

    @property
    def highest(self) -> int:
        """The highest index that a record of the piece stands at."""
        return max([self.reached, *(fate.last for fate in self.fates), *self.marks])


def piece_of(batch: Batch, *, reached: int, first_check: Check) -> Piece:
    """The piece that a batch of the scan is, with nothing settled yet."""
    fates = [Fate.of(run) for run in batch.runs]
    return Piece(
        segment=batch.segment,
        start=batch.base + batch.offsets[0],
        stop=batch.stop,
        seed=batch.seed,
        first_check=first_check,
        reached=reached,
        last=index_reached(batch.runs, batch.marks, reached),
        fates=fates,
        marks=tuple(placed.mark.index for placed in batch.marks),
    )


def index_reached(runs: Iterable[Run], marks: Iterable[PlacedMark], before: int) -> int:
    """The index that the log reaches with runs and marks of one segment, as `index_behind` says.

    A run goes on behind a mark that stands in it, so what counts is where it ends.
    """
    ends = [(run.stop, False, run.last) for run in runs]
    ends += [(placed.offset, True, placed.mark.index) for placed in marks]
    for _, is_mark, index in sorted(ends):
        before = max(before, index) if is_mark else index
    return before


class Settling:
    """Holds pieces back until the fates of their entries are settled; gives them in order.

    What is held is a few numbers a piece: memory does not follow what is held back either.
    """

    def __init__(self) -> None:
        self._pending: deque[Piece] = deque()
        # Of what is pending, the fates that still hold an entry, ascending by index.
        self._live: deque[Fate] = deque()
        self._commit = 0
        self._has_commit = False

    @property
    def first_pending(self) -> Piece | None:
        """The first piece that is held back."""
        return self._pending[0] if self._pending else None

    def add(self, piece: Piece, batch: Batch) -> bool:
        """Take the next piece of the log; false, and nothing is taken, where it is not sound."""
        if not self._is_sound(batch):
            return False
        self._pending.append(piece)
        for fate in piece.fates:
            self._cut(fate.first)
            self._live.append(fate)
        for states in batch.states:
            self._has_commit = True
            self._commit = max(self._commit, states.commit_last)
        return True

    def settled(self) -> Iterator[Piece]:
        """The pieces that need not be held any longer."""
        while self._pending and self._is_settled(self._pending[0]):
            piece = self._pending.popleft()
            for fate in piece.fates:
                if self._live and self._live[0] is fate:
                    self._live.popleft()
            yield self._told(piece, self._commit, is_known=True)

    def rest(self, applied: int | None) -> Iterator[Piece]:
        """All that is left at the end of the log, where the database has applied so much."""
        is_known = self._has_commit or applied is not None
        while self._pending:
            piece = self._pending.popleft()
            yield self._told(piece, max(self._commit, applied or 0), is_known=is_known)

    def _is_sound(self, batch: Batch) -> bool:
        """Whether no commit is taken back, and nothing is overwritten that was committed."""
        commit = self._commit
        for states in batch.states:
            if states.commit_first < commit:
                return False
            commit = states.commit_last
        return all(run.first > max(self._commit, run.commit_before) for run in batch.runs)

    def _is_settled(self, piece: Piece) -> bool:
        return all(
            fate.kept < fate.first or min(fate.last, fate.kept) <= self._commit
            for fate in piece.fates
        )

    def _cut(self, index: int) -> None:
        """Entries from `index` on are overwritten. Each fate is gone through once, however often
        leaders change: one without an entry that counts needs no second look."""
        while self._live and self._live[-1].first >= index:
            self._live.pop().kept = index - 1
        if self._live and self._live[-1].last >= index:
            newest = self._live[-1]
            newest.kept = min(newest.kept, index - 1)

    @staticmethod
    def _told(piece: Piece, commit: int, *, is_known: bool) -> Piece:
        """The piece with what is known by now; what was overwritten before stays overwritten."""
        for fate in piece.fates:
            fate.committed = commit
            fate.is_known = is_known
        return piece
