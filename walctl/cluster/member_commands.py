"""Members of a lab that is up, listed and changed (`member_flow`), for whoever has no loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from walctl.cluster.control import SupervisorClient
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.member_flow import (
    CHANGE_SECONDS,
    Changed,
    Flow,
    Warn,
    added,
    promoted,
    removed,
    replaced,
)
from walctl.cluster.membership import MemberRow, Membership, Note, no_note
from walctl.cluster.standing import LabStanding
from walctl.fs.base import FileSystem


def membership_of(disk: FileSystem, lab: Lab, note: Note = no_note) -> Membership:
    """How members of this lab are changed; to be made while a loop runs."""
    if lab.engine is Engine.ETCD:
        from walctl.cluster.etcd_members import EtcdMembership

        return EtcdMembership(disk)
    from walctl.cluster.node_talk import NodeTalk
    from walctl.cluster.own_members import OwnMembership
    from walctl.cluster.pace import LoopPace

    return OwnMembership(disk, talk=NodeTalk(), pace=LoopPace(), note=note)


def listed(disk: FileSystem, lab: Lab, group: str | None) -> tuple[MemberRow, ...]:
    """The members of a group, or of all, as the cluster has them. Raises: ClusterError."""

    async def run() -> tuple[MemberRow, ...]:
        membership = membership_of(disk, lab)
        names = [lab.group(group).name] if group else [each.name for each in lab.groups]
        try:
            return tuple([row for each in names for row in await membership.listed(lab, each)])
        finally:
            await membership.close()

    return asyncio.run(run())


def add(
    disk: FileSystem, lab: Lab, group: str | None, node: str | None, *, is_learner: bool, note: Note
) -> Changed:
    """Let one more node be a member, a voter in the end unless `is_learner`.

    `node` is one that the lab has already and that is no member yet, or is one by half; `None`
    makes one. Raises: ClusterError, UsageError.
    """
    return _done(disk, lab, note, lambda flow: added(flow, group, node, is_learner=is_learner))


def promote(disk: FileSystem, lab: Lab, group: str | None, node: str, *, note: Note) -> Changed:
    """Give a learner its vote. Raises: ClusterError, UsageError."""
    return _done(disk, lab, note, lambda flow: promoted(flow, group, node))


def remove(
    disk: FileSystem,
    lab: Lab,
    group: str | None,
    node: str,
    standing: LabStanding,
    *,
    warn: Warn,
    note: Note,
) -> Changed:
    """Take a member out; its directory stays. `warn` is told what that leaves, before it is done.

    Raises: ClusterError; RefusedError, when what is left would be no majority.
    """
    return _done(disk, lab, note, lambda flow: removed(flow, group, node, standing, warn))


def replace(
    disk: FileSystem, lab: Lab, group: str | None, old: str, new: str | None, *, note: Note
) -> Changed:
    """Let a node have the place of another; `None` makes one. Raises: ClusterError, UsageError."""
    return _done(disk, lab, note, lambda flow: replaced(flow, group, old, new))


def transfer(
    disk: FileSystem, lab: Lab, group: str, node: str, *, seconds: float = CHANGE_SECONDS
) -> None:
    """Let that node lead. Raises: ClusterError."""

    async def run() -> None:
        membership = membership_of(disk, lab)
        try:
            await membership.transfer(lab, group, node, seconds=seconds)
        finally:
            await membership.close()

    asyncio.run(run())


def _done(
    disk: FileSystem, lab: Lab, note: Note, work: Callable[[Flow], Awaitable[Changed]]
) -> Changed:
    async def run() -> Changed:
        async with flowing(disk, lab, note) as flow:
            return await work(flow)

    return asyncio.run(run())


@asynccontextmanager
async def flowing(disk: FileSystem, lab: Lab, note: Note = no_note) -> AsyncIterator[Flow]:
    """What a change of a lab that is up needs, while the block runs. Raises: NotUpError."""
    membership = membership_of(disk, lab, note)
    try:
        async with SupervisorClient(lab) as control:
            await control.info()  # first of all: whether it is up
            yield Flow(disk, lab, membership, control)
    finally:
        await membership.close()
