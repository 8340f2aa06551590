"""How the nodes of a lab stand: frozen values, from whoever was asked."""

import enum
from dataclasses import dataclass, field


class NodeState(enum.StrEnum):
    """What became of a node's process."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """It was told to end, or ended well by itself, or was never started."""
    CRASHED = "crashed"
    """It died, or was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One node's member of one group, as it says itself; `None` is what it does not tell.

    `role` is leader, follower, candidate, pre-candidate or learner. `leader` is the leader's name,
    or its id in hexadecimal where no node of the lab has it. `sync_us` is what a sync of the log
    takes, on average. `lag` is how far it is behind the best commit of all, once that is known.
    """

    group: str
    role: str
    term: int | None = None
    leader: str | None = None
    commit: int | None = None
    applied: int | None = None
    first: int | None = None
    last: int | None = None
    lag: int | None = None
    segments: int | None = None
    wal_bytes: int | None = None
    sync_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStanding:
    """One node. `words` say how its process ended, or why it gives no answer."""

    name: str
    state: NodeState
    client_port: int
    pid: int | None = None
    words: str = ""
    groups: tuple[Standing, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether it runs, and answered."""
        return self.state is NodeState.RUNNING and bool(self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What came of the forecast of a copied member's first start; `is_up`: it started.

    `words` are what happened, and what had been told where that is something else.
    """

    name: str
    is_as_foretold: bool
    is_up: bool
    words: str

    @property
    def line(self) -> str:
        """It in one line."""
        return f"{self.name}: {'as' if self.is_as_foretold else 'NOT as'} foretold: {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStanding:
    """A whole lab; `pid` is its supervisor's, `None` where none runs. `faults` are in words.

    `forecasts` are of members that were copied, and have been started.
    """

    name: str
    engine: str
    pid: int | None
    nodes: tuple[NodeStanding, ...]
    faults: tuple[str, ...] = field(default=())
    forecasts: tuple[Foretold, ...] = field(default=())

    def leader(self, group: str) -> str | None:
        """The node that says that it leads, in the highest term there is."""
        leading = [
            (each.term or 0, node.name)
            for node in self.nodes
            for each in node.groups
            if each.group == group and each.role == "leader"
        ]
        return max(leading)[1] if leading else None
