"""What a change of members or groups needs of the world: words to nodes, and time.

The changes themselves (`own_members`, `member_flow`, `group_flow`) are coroutines that wait for
these calls alone. Between processes HTTP and an event loop are behind them (`node_talk`, `pace`);
the simulator has its own, in virtual time.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from walctl.cluster.lab import Lab
from walctl.errors import ClusterError

STATUS_SECONDS: Final = 2.0
DO_SECONDS: Final = 75.0
"""Longer than a node itself waits for anything that it is asked to do."""


class UnreachedError(ClusterError):
    """The node gave no answer; nobody can tell whether it did what was asked."""


class LateError(ClusterError):
    """What was waited for did not come in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A group as one member of it tells; nodes by Raft's ids. `match` is empty but on a leader."""

    node: str
    id: int
    state: str
    is_leader: bool = False
    term: int = 0
    lead: int = 0
    commit: int = 0
    applied: int = 0
    voters: frozenset[int] = frozenset()
    learners: frozenset[int] = frozenset()
    outgoing: frozenset[int] = frozenset()
    match: Mapping[int, int] | None = None

    @property
    def members(self) -> frozenset[int]:
        """All of it, those that are leaving included."""
        return self.voters | self.learners | self.outgoing


class Talk(Protocol):
    """Speaks to the nodes of a lab."""

    async def do(
        self, lab: Lab, node: str, verb: str, *, seconds: float = DO_SECONDS, **fields: Any
    ) -> dict[str, Any]:
        """Have a node do something (`node_control` has the verbs); what it says of it.

        Raises: UnreachedError; ClusterError, with its words where it refuses.
        """

    async def views(self, lab: Lab, group: str, nodes: Iterable[str]) -> dict[str, View]:
        """The group as these nodes see it, those left out that do not answer or have no part.

        They are asked all at once.
        """

    async def reload(self, lab: Lab, nodes: Iterable[str]) -> list[str]:
        """Have nodes read the lab's file again; the names of those that gave no answer.

        A node that stands still does it when it goes on, one that is down when it starts.
        """

    async def close(self) -> None:
        """Let connections go."""


class Pace(Protocol):
    """Time, as whoever waits has it."""

    def now_us(self) -> int:
        """Microseconds on a clock that nobody sets."""

    async def pause(self, seconds: float) -> None:
        """Let so much time pass."""

    def within(self, seconds: float, words: str) -> AbstractAsyncContextManager[None]:
        """A block that is broken off, wherever it waits, when it takes longer.

        Raises: LateError, with these words.
        """


def view_of(status: Mapping[str, Any], node: str, group: str) -> View | None:
    """What a node's status tells of one group, `None` where it has no part in that."""
    for each in status["groups"]:
        if each["group"] == group:
            return _view(node, int(status["id"], 16), each)
    return None


def _view(node: str, node_id: int, found: Mapping[str, Any]) -> View:
    if found["state"] != "running":
        return View(node=node, id=node_id, state=found["state"])
    return View(
        node=node,
        id=node_id,
        state="running",
        is_leader=found["role"] == "leader",
        term=found["term"],
        lead=int(found["lead"], 16),
        commit=found["commit"],
        applied=found["applied"],
        voters=_ids(found["voters"]),
        learners=_ids(found["learners"]),
        outgoing=_ids(found["outgoing"]),
        match={int(peer, 16): each["match"] for peer, each in found["progress"].items()},
    )


def _ids(found: Iterable[str]) -> frozenset[int]:
    return frozenset(int(each, 16) for each in found)
