"""Changing who is in a group, the same for every engine.

Each step may be cut off, and done again: what is done already is seen and not done twice.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from walctl.cluster.lab import Group, Lab, Node

Note = Callable[[str], Awaitable[None]]
"""Told of each step of a change, in words, once it is done."""


async def no_note(words: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One member as its cluster knows it. `node` is its name in the lab, or its id in hexadecimal.

    `is_started`: whether it has ever said its name. `is_leaving`: it has a vote until the change
    that takes it out is over.
    """

    node: str
    id: int
    peer_url: str
    is_learner: bool
    is_started: bool
    group: str
    is_leaving: bool = False


class Keeper(Protocol):
    """Who keeps the lab's file and its processes: `control.SupervisorClient`, wherever that is."""

    async def info(self) -> dict[str, Any]:
        """What runs."""

    async def act(self, node: str, action: str) -> dict[str, Any]:
        """`start` or `stop` a node."""

    async def add_node(self, name: str | None = None, *, made_for: str | None = None) -> Node:
        """One more node, in no group and not started; see `lab.Node`."""

    async def set_added(self, node: str) -> None:
        """Write down that an addition that made a node is done."""

    async def set_removed(self, node: str) -> None:
        """Write down that a node is in no group any more."""

    async def put_group(self, group: Group, *, was: Sequence[str]) -> None:
        """Write down who is in a group, if those who `was` had it still do."""

    async def drop_group(self, name: str) -> None:
        """Forget a group."""

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Have events written."""


class Membership(Protocol):
    """Changes of the members of one lab. Every call raises ClusterError with the server's words."""

    async def listed(self, lab: Lab, group: str) -> tuple[MemberRow, ...]:
        """The members of a group."""

    async def add(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """Let a node that the lab has be a member: as a learner, started, with no vote yet."""

    async def promote(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """Give a learner its vote, as soon as it has what it needs for that."""

    async def remove(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """Take a member out, and end it."""

    async def replace(
        self, control: Keeper, lab: Lab, group: str, old: str, new: str, *, seconds: float
    ) -> None:
        """Let `new` have the place of `old`, whose member ends."""

    async def retire(self, control: Keeper, lab: Lab, node: str) -> None:
        """End a node that is in no group any more, for good."""

    async def transfer(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """Let that node lead."""

    async def close(self) -> None:
        """Let connections go."""
