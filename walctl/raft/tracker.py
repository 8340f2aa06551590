"""All nodes of a cluster as one of them sees them: the configuration, and each one's progress.

Voters come in two halves, the second empty outside a joint configuration. Learners are fed and do
not count. `learners_next` are voters of the outgoing half that become learners when it is left.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from walctl.raft.inflights import Inflights
from walctl.raft.progress import Progress
from walctl.raft.quorum import VoteResult, joint_committed_index, joint_vote_result
from walctl.raft.types import ConfState


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration; see the module."""

    incoming: frozenset[int] = frozenset()
    outgoing: frozenset[int] = frozenset()
    learners: frozenset[int] = frozenset()
    learners_next: frozenset[int] = frozenset()
    auto_leave: bool = False

    @property
    def is_joint(self) -> bool:
        """Whether two majorities have to agree."""
        return bool(self.outgoing)

    @property
    def voters(self) -> frozenset[int]:
        """Everybody who votes, in either half."""
        return self.incoming | self.outgoing

    @property
    def conf_state(self) -> ConfState:
        """The same for a snapshot, every list ascending."""
        return ConfState(
            voters=tuple(sorted(self.incoming)),
            learners=tuple(sorted(self.learners)),
            voters_outgoing=tuple(sorted(self.outgoing)),
            learners_next=tuple(sorted(self.learners_next)),
            auto_leave=self.auto_leave,
        )


ProgressTable = dict[int, Progress]
"""Every node's progress; whoever goes through it goes by ascending id."""


@dataclass(slots=True, kw_only=True)
class Tracker:
    """The configuration, the progress of every node in it, and the votes of an election."""

    inflight_count_max: int
    inflight_bytes_max: int = 0
    config: Config = Config()
    progress: ProgressTable = field(default_factory=dict)
    votes: dict[int, bool] = field(default_factory=dict)

    def new_inflights(self) -> Inflights:
        """An empty window with this tracker's bounds."""
        return Inflights(count_max=self.inflight_count_max, bytes_max=self.inflight_bytes_max)

    def new_progress(self, *, last_index: int, is_learner: bool) -> Progress:
        """That of a node which is just added: taken for active until the next check."""
        return Progress(
            match=0,
            next_index=max(last_index, 1),
            inflights=self.new_inflights(),
            is_learner=is_learner,
            is_active=True,
        )

    def in_order(self) -> Iterator[tuple[int, Progress]]:
        """Every node with its progress, by ascending id: the order of messages is behaviour."""
        return iter([(node, self.progress[node]) for node in sorted(self.progress)])

    def install(self, config: Config, progress: ProgressTable) -> None:
        """Take over a configuration."""
        self.config, self.progress = config, progress

    def committed_index(self) -> int:
        """Highest index that a majority of each half holds (figure 2, leader rule 4)."""
        return joint_committed_index(self.config.incoming, self.config.outgoing, self._match)

    def _match(self, node: int) -> int:
        progress = self.progress.get(node)
        return 0 if progress is None else progress.match

    def record_vote(self, node: int, *, is_granted: bool) -> None:
        """Note a vote; the first of a node counts."""
        self.votes.setdefault(node, is_granted)

    def election_result(self) -> VoteResult:
        """How the election stands."""
        return joint_vote_result(self.config.incoming, self.config.outgoing, self.votes)

    def is_quorum_active(self) -> bool:
        """Whether a quorum was heard from since the last check."""
        active = {node: p.is_active for node, p in self.progress.items() if not p.is_learner}
        won = joint_vote_result(self.config.incoming, self.config.outgoing, active)
        return won is VoteResult.WON
