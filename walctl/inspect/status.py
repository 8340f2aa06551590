"""What became of an entry by the whole log: committed, not yet, or overwritten by a later one.

What the commit has passed counts as committed. That is more than is known of a follower that held
entries of its own, not committed, when it installed a leader's snapshot: it forgot them all, and
whether they were those that the snapshot stands for no record says. Only the one at the snapshot's
own index could be told, by its term; so nothing is made of it, here or in `fate`.
"""

from bisect import bisect_right

from walctl.datadir.survey import Survey
from walctl.inspect.fate import Fate
from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN
from walctl.model.log import Run
from walctl.model.record import Entry, Frame, Liveness


class Status:
    """Answers for one surveyed member."""

    def __init__(self, survey: Survey) -> None:
        self._log = survey.log
        known = [survey.commit] if survey.last_state is not None else []
        known += [survey.applied] if survey.applied is not None else []
        self._commit = max(known, default=None)

    def of(self, frame: Frame) -> str | None:
        """The status of an entry; `None` for other records, `unknown` without any commit."""
        entry = frame.record
        if not isinstance(entry, Entry):
            return None
        liveness = self.liveness(frame, entry.index)
        if liveness is Liveness.SUPERSEDED:
            return OVERWRITTEN
        if liveness is None or self._commit is None:
            return UNKNOWN
        return COMMITTED if entry.index <= self._commit else UNCOMMITTED

    def liveness(self, frame: Frame, index: int) -> Liveness | None:
        """Whether the entry still counts; `None` when the log does not have it at all."""
        run = self._log.run_of(index)
        if run is None:
            return None
        is_held = self._holds(run, frame.segment, frame.span.start)
        return Liveness.LIVE if is_held else Liveness.SUPERSEDED

    def settle(self, fate: Fate, segment: str) -> None:
        """Tell the fate of a run of whole entries; what the log does not hold was overwritten.

        Later entries take the end of a run away, never its beginning.
        """
        live = self._log.live
        position = bisect_right(live, fate.last, key=lambda run: run.first) - 1
        fate.kept = fate.first - 1
        while position >= 0 and live[position].last >= fate.first:
            run = live[position]
            if self._holds(run, segment, fate.start):
                fate.kept = min(fate.last, run.last)
                break
            position -= 1
        fate.committed = self._commit or 0
        fate.is_known = self._commit is not None

    @staticmethod
    def _holds(run: Run, segment: str, offset: int) -> bool:
        return run.segment == segment and run.start <= offset < run.stop
