"""What has to happen once faults are over (L1–L3, L5), and what may not while all is calm (L4).

Times are virtual microseconds. Each rule is asked at a moment, and answers with a `Violation` or
with nothing; whoever runs the cluster asks when its deadline has come, and at the end.

    heal ── 10 election timeouts ──► somebody leads (L1) ── bound ──► all alike (L2), probe ok (L3)
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from walctl.checker.violation import Violation, moment, named

LEADER_TIMEOUTS: Final = 10
"""So many election timeouts after the heal there is a leader."""
MINUTE_US: Final = 60_000_000


def led(*, healed_us: int, election_us: int, led_us: int | None, now_us: int) -> Violation | None:
    """L1: somebody leads within ten election timeouts. `led_us`: since when, `None`: nobody."""
    end_us = healed_us + LEADER_TIMEOUTS * election_us
    late_us = now_us if led_us is None else led_us
    if late_us <= end_us:
        return None
    words = "nobody leads" if led_us is None else f"somebody leads only at {moment(led_us)}"
    return Violation(
        id="L1",
        words=f"{words}, {LEADER_TIMEOUTS} election timeouts after all was well",
        time_us=now_us,
        witnesses=(f"{moment(healed_us)}: faults were over",),
    )


def converged(members: Mapping[str, tuple[int, str]], *, now_us: int) -> Violation | None:
    """L2: all that live have applied as much, and their states are alike.

    `members` are applied index and digest by name; to be asked when the bound has passed.
    """
    alike: dict[tuple[int, str], list[str]] = {}
    for name, stands in members.items():
        alike.setdefault(stands, []).append(name)
    if len(alike) <= 1:
        return None
    told = "; ".join(f"{named(tuple(names))} at {at}" for (at, _), names in sorted(alike.items()))
    indexes = {at for at, _ in alike}
    what = "have applied as much" if len(indexes) > 1 else "have the same state"
    return Violation(
        id="L2",
        words=f"members do not all {what}: {told}",
        nodes=tuple(members),
        time_us=now_us,
        index=max(indexes),
    )


def probed(*, asked_us: int, bound_us: int, acked_us: int | None, now_us: int) -> Violation | None:
    """L3: a write that is asked for after the heal is acknowledged within `bound_us`."""
    late_us = now_us if acked_us is None else acked_us
    if late_us - asked_us <= bound_us:
        return None
    words = "is not acknowledged" if acked_us is None else f"is only at {moment(acked_us)}"
    return Violation(
        id="L3",
        words=f"a write asked for at {moment(asked_us)} {words}",
        time_us=now_us,
        witnesses=(f"{moment(asked_us + bound_us)}: it was to be by then",),
    )


class Calm:
    """L4: while nothing is wrong, at most `terms_max` elections begin in any minute.

    An election is a term: several candidates of one are one election.
    """

    __slots__ = ("_begun", "_term", "_terms_max")

    def __init__(self, terms_max: int) -> None:
        self._terms_max = terms_max
        self._begun: deque[tuple[int, int]] = deque()
        self._term = 0

    def disturb(self) -> None:
        """A fault begins or ends: what was counted is not held against anybody."""
        self._begun.clear()

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

    A follower that takes `snapshots_max` snapshots in a row, and no entry behind any, is in a loop.
    One that does not get through counts as well: a sender that is never told tries for ever.
    """

    __slots__ = ("_sent", "_snapshots_max")

    def __init__(self, snapshots_max: int) -> None:
        self._snapshots_max = snapshots_max
        self._sent: dict[str, list[int]] = {}

    def sent(self, node: str, index: int, *, now_us: int) -> Violation | None:
        """A snapshot of `index` goes out to a node."""
        sent = self._sent.setdefault(node, [])
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

    def appended(self, node: str) -> None:
        """A node has accepted entries from the log."""
        self._sent.pop(node, None)

    def disturb(self, node: str) -> None:
        """A fault has kept the node from catching up."""
        self._sent.pop(node, None)
