"""Changes of the members of a lab that is up, whole: for whoever has no event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from walctl.cluster.control import Control
from walctl.cluster.events import EventKind
from walctl.cluster.lab import Lab, load
from walctl.cluster.membership import MemberRow, Membership, membership_of
from walctl.cluster.standing import LabStanding
from walctl.errors import UsageError
from walctl.fs.base import FileSystem

CHANGE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of a change: who, what was done, and the members then."""

    node: str
    done: str
    members: tuple[MemberRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumLeft:
    """What a removal leaves: voters, those of them that run, and how many have to."""

    voters: int
    up: int

    @property
    def needed(self) -> int:
        """A majority of the voters."""
        return self.voters // 2 + 1

    @property
    def spare(self) -> int:
        """How many may fail until nothing is committed any more; below 0: nothing is."""
        return self.up - self.needed


def listed(lab: Lab, group: str) -> tuple[MemberRow, ...]:
    """The members of a group, as the cluster has them. Raises: ClusterError."""

    async def run() -> tuple[MemberRow, ...]:
        async with _membership(lab) as membership:
            return await membership.listed(lab, group)

    return asyncio.run(run())


def add(
    disk: FileSystem,
    lab: Lab,
    group: str,
    node: str | None,
    *,
    is_learner: bool,
    seconds: float = CHANGE_SECONDS,
) -> Changed:
    """Let one more node be a member, a voter in the end unless `is_learner`.

    `node` is one that the lab has already and that is no member yet, or is one by half; `None`
    makes one. Raises: ClusterError, UsageError.
    """

    async def run() -> Changed:
        async with _membership(lab) as membership, Control(lab) as control:
            name = node
            if name is None or all(each.name != name for each in lab.nodes):
                name = (await control.add_node(name)).name
            now = load(disk, lab.path)
            if now.node(name).is_removed:
                raise UsageError(f"{name}: was removed; a node that was is not a member again")
            await membership.add(control, now, group, name)
            now = load(disk, lab.path)
            if not is_learner:
                await membership.promote(now, group, name, seconds=seconds)
            done = "is a learner" if is_learner else "is a voter"
            await _note(control, f"{name} {done} of {group}")
            members = await membership.listed(now, group)
            return Changed(node=name, done=done, members=members)

    return asyncio.run(run())


def promote(lab: Lab, group: str, node: str, *, seconds: float = CHANGE_SECONDS) -> Changed:
    """Give a learner its vote. Raises: ClusterError, UsageError."""

    async def run() -> Changed:
        async with _membership(lab) as membership, Control(lab) as control:
            await membership.promote(lab, group, node, seconds=seconds)
            await _note(control, f"{node} is a voter of {group}")
            members = await membership.listed(lab, group)
            return Changed(node=node, done="is a voter", members=members)

    return asyncio.run(run())


def remove(disk: FileSystem, lab: Lab, group: str, node: str) -> Changed:
    """Take a member out, and end its process; its directory stays. Raises: ClusterError."""

    async def run() -> Changed:
        async with _membership(lab) as membership, Control(lab) as control:
            await membership.remove(control, lab, group, node)
            await _note(control, f"{node} was removed from {group}")
            members = await membership.listed(load(disk, lab.path), group)
            return Changed(node=node, done="was removed", members=members)

    return asyncio.run(run())


def transfer(lab: Lab, group: str, node: str, *, seconds: float = CHANGE_SECONDS) -> None:
    """Let that node lead. Raises: ClusterError."""

    async def run() -> None:
        async with _membership(lab) as membership:
            await membership.transfer(lab, group, node, seconds=seconds)

    asyncio.run(run())


def quorum_left(members: tuple[MemberRow, ...], standing: LabStanding, node: str) -> QuorumLeft:
    """What taking `node` out of these members leaves, as they stand now."""
    up = {each.name for each in standing.nodes if each.is_up}
    voters = [row.node for row in members if not row.is_learner and row.node != node]
    return QuorumLeft(voters=len(voters), up=sum(each in up for each in voters))


async def _note(control: Control, words: str) -> None:
    await control.tell([{"k": EventKind.NOTE, "words": words}])


@asynccontextmanager
async def _membership(lab: Lab) -> AsyncIterator[Membership]:
    membership = membership_of(lab)
    try:
        yield membership
    finally:
        await membership.close()
