"""What may not happen while all is calm (L4), and that snapshots come to an end (L5).

Times are virtual microseconds. Each rule is told what happens, and answers with a `Violation` or
with nothing. What has to happen once faults are over (L1 to L3) is asked of a cluster that runs:
`walctl.sim.converging`.
"""

from collections import deque
from typing import Final

from walctl.checker.violation import Violation, moment

MINUTE_US: Final = 60_000_000


class Calm:
    """L4: while nothing is wrong, at most `terms_max` elections begin in any minute.

    An election is a term: several candidates of one are one election.
    """

    __slots__ = ("_begun", "_term", "_terms_max")

    def __init__(self, terms_max: int) -> None:
        self._terms_max = terms_max
        self._begun: deque[tuple[int, int]] = deque()
        self._term = 0

    def campaigned(self, node: str, term: int, *, now_us: int) -> Violation | None:
        """A candidate asks for votes."""
        if term <= self._term:
            return None
        self._term = term
        begun = self._begun
        begun.append((now_us, term))
        while begun[0][0] <= now_us - MINUTE_US:
            begun.popleft()
        if len(begun) <= self._terms_max:
            return None
        return Violation(
            id="L4",
            words=f"{len(begun)} elections within a minute, and nothing is wrong",
            nodes=(node,),
            time_us=now_us,
            term=term,
            witnesses=(f"{moment(begun[0][0])}: that of term {begun[0][1]}",),
        )


class CatchingUp:
    """L5: of snapshots that are sent to a follower, one lets it catch up with the log.

    One that is sent more than `snapshots_max` in a row, and takes no entry behind any, is in a
    loop; where it takes one, another `CatchingUp` begins. One that does not get through counts as
    well: a sender that is never told tries for ever.
    """

    __slots__ = ("_sent", "_snapshots_max")

    def __init__(self, snapshots_max: int) -> None:
        self._snapshots_max = snapshots_max
        self._sent: list[int] = []

    def sent(self, node: str, index: int, *, now_us: int) -> Violation | None:
        """A snapshot of `index` goes out to the follower, which is `node`."""
        sent = self._sent
        sent.append(index)
        if len(sent) <= self._snapshots_max:
            return None
        return Violation(
            id="L5",
            words=f"{node} is sent its snapshot number {len(sent)} in a row, and never catches up",
            nodes=(node,),
            time_us=now_us,
            index=index,
            witnesses=(f"they were of {', '.join(map(str, sent[-self._snapshots_max :]))}",),
        )
