"""Changing who is in a group, the same for every engine.

Each step may be cut off, and done again: what is done already is seen and not done twice.
"""

from dataclasses import dataclass
from typing import Protocol

from walctl.cluster.control import Control
from walctl.cluster.lab import Engine, Lab
from walctl.errors import UnsupportedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One member as its cluster knows it. `node` is its name in the lab, or its id in hexadecimal.

    `is_started`: whether it has ever said its name.
    """

    node: str
    id: int
    peer_url: str
    is_learner: bool
    is_started: bool


class Membership(Protocol):
    """Changes of the members of one lab. Every call raises ClusterError with the server's words."""

    async def listed(self, lab: Lab, group: str) -> tuple[MemberRow, ...]:
        """The members of a group."""

    async def add(self, control: Control, lab: Lab, group: str, node: str) -> None:
        """Let a node that the lab has be a member: as a learner, started, with no vote yet."""

    async def promote(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """Give a learner its vote, as soon as it has what it needs for that."""

    async def remove(self, control: Control, lab: Lab, group: str, node: str) -> None:
        """Take a member out, and end its process."""

    async def transfer(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """Let that node lead."""

    async def close(self) -> None:
        """Let connections go."""


def membership_of(lab: Lab) -> Membership:
    """How members of this lab are changed; to be made while a loop runs.

    Raises: UnsupportedError.
    """
    if lab.engine is Engine.ETCD:
        from walctl.cluster.etcd_members import EtcdMembership

        return EtcdMembership()
    raise UnsupportedError(f"{lab.path}: members of engine {lab.engine} cannot be changed so")
