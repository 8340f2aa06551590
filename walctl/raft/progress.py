"""What a leader knows of one node, and how it feeds it: probe, replicate, snapshot.

    Probe       one append, then wait: it is not known where the logs meet
    Replicate   appends stream ahead of their acknowledgements, through a sliding window
    Snapshot    nothing is sent: the node is given a snapshot

`match` is the last index that the node is known to hold, `next` the next one to send; match < next.
In Probe a non-empty append pauses the flow until an answer; in Replicate a full window does.

Source: Raft paper, figure 2 (nextIndex, matchIndex); thesis, section 10.2.1 (pipelining).
"""

import enum

from walctl.raft.inflights import Inflights


class ProgressState(enum.StrEnum):
    """How a node is fed; the words are etcd's."""

    PROBE = "StateProbe"
    REPLICATE = "StateReplicate"
    SNAPSHOT = "StateSnapshot"


class Progress:
    """One node as the leader sees it.

    `sent_commit` is the highest commit index that was sent to it, `pending_snapshot` the index of
    the one that it is being given (0: none). `is_active`: it was heard from since the last check.
    """

    __slots__ = (
        "inflights",
        "is_active",
        "is_flow_paused",
        "is_learner",
        "match",
        "next",
        "pending_snapshot",
        "sent_commit",
        "state",
    )

    def __init__(
        self,
        *,
        match: int,
        next_index: int,
        inflights: Inflights,
        is_learner: bool = False,
        is_active: bool = False,
    ) -> None:
        self.match = match
        self.next = next_index
        self.state = ProgressState.PROBE
        self.sent_commit = 0
        self.pending_snapshot = 0
        self.is_active = is_active
        self.is_flow_paused = False
        self.is_learner = is_learner
        self.inflights = inflights

    def copy(self) -> "Progress":
        """The same progress for another configuration; the window is shared with this one."""
        other = Progress(
            match=self.match,
            next_index=self.next,
            inflights=self.inflights,
            is_learner=self.is_learner,
            is_active=self.is_active,
        )
        other.state = self.state
        other.sent_commit = self.sent_commit
        other.pending_snapshot = self.pending_snapshot
        other.is_flow_paused = self.is_flow_paused
        return other

    @property
    def is_paused(self) -> bool:
        """Whether nothing may be appended to it now."""
        return self.is_flow_paused or self.state is ProgressState.SNAPSHOT

    def become_probe(self) -> None:
        """Find out where the logs meet; behind a snapshot that was sent, from there on."""
        pending = self.pending_snapshot if self.state is ProgressState.SNAPSHOT else 0
        self._reset(ProgressState.PROBE)
        self.next = max(self.match, pending) + 1
        self.sent_commit = min(self.sent_commit, self.next - 1)

    def become_replicate(self) -> None:
        """Stream: the node is known to hold everything up to `match`."""
        self._reset(ProgressState.REPLICATE)
        self.next = self.match + 1

    def become_snapshot(self, index: int) -> None:
        """Wait for a snapshot of `index` to be installed."""
        self._reset(ProgressState.SNAPSHOT)
        self.pending_snapshot = index
        self.next = index + 1
        self.sent_commit = index

    def _reset(self, state: ProgressState) -> None:
        self.is_flow_paused = False
        self.pending_snapshot = 0
        self.state = state
        self.inflights.reset()

    def sent_entries(self, *, count: int, payload_bytes: int) -> None:
        """An append of `count` entries was sent."""
        assert self.state is not ProgressState.SNAPSHOT, "nothing is appended beside a snapshot"
        if self.state is ProgressState.REPLICATE:
            if count > 0:
                self.next += count
                self.inflights.add(self.next - 1, payload_bytes)
            self.is_flow_paused = self.inflights.is_full
        elif count > 0:
            self.is_flow_paused = True

    def can_bump_commit(self, index: int) -> bool:
        """Whether telling it that `index` is committed would tell it anything new."""
        return index > self.sent_commit and self.sent_commit < self.next - 1

    def update(self, index: int) -> bool:
        """It holds everything up to `index`; whether that is new."""
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, index + 1)
        self.is_flow_paused = False
        return True

    def decrease(self, rejected: int, hint: int) -> bool:
        """It refused an append behind `rejected` and said that the logs meet at `hint` or below;
        whether that is news, and not the answer to an older append."""
        if self.state is ProgressState.REPLICATE:
            if rejected <= self.match:
                return False
            # The window is thrown away: what is known for certain is the match.
            self.next = self.match + 1
            self.sent_commit = min(self.sent_commit, self.next - 1)
            return True
        if self.next - 1 != rejected:
            return False
        self.next = max(min(rejected, hint + 1), self.match + 1)
        self.sent_commit = min(self.sent_commit, self.next - 1)
        self.is_flow_paused = False
        return True
