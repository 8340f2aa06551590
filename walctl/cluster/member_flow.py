"""Changes of the members of a lab that is up, whole (`member_commands` runs them).

Where no group is named, a node that comes is added to all groups, and one that goes leaves all of
them; then it is done with, and its name is not given again.

A command that was killed goes on when it is typed again, in the same words. A node that it made has
in the lab's file for what: it is taken up again, and no other is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from walctl.cluster.events import EventKind
from walctl.cluster.lab import Lab, load
from walctl.cluster.membership import Keeper, MemberRow, Membership
from walctl.cluster.quorum_left import QuorumLeft, demand_quorum, quorum_left
from walctl.cluster.standing import LabStanding
from walctl.errors import UsageError
from walctl.fs.base import FileSystem

CHANGE_SECONDS: Final = 30.0

Warn = Callable[[str, QuorumLeft], None]
"""Told of a removal, by group, before it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of a change: who, what was done, and the members then."""

    node: str
    done: str
    members: tuple[MemberRow, ...]


@dataclass(slots=True)
class Flow:
    """What a change has to do with: who changes members, and who keeps the lab."""

    disk: FileSystem
    lab: Lab
    membership: Membership
    keeper: Keeper

    def groups(self, group: str | None) -> list[str]:
        """The group that was named, or all. Raises: UsageError."""
        return [self.lab.group(group).name] if group else [each.name for each in self.lab.groups]

    def again(self) -> Lab:
        """The lab as its file is now."""
        self.lab = load(self.disk, self.lab.path)
        return self.lab

    async def note(self, words: str) -> None:
        """Write down what was done."""
        await self.keeper.tell([{"k": EventKind.NOTE, "words": words}])

    async def changed(self, node: str, done: str, groups: list[str]) -> Changed:
        """What became of it."""
        await self.note(f"{node} {done}")
        lab = self.again()
        rows = [row for each in groups for row in await self.membership.listed(lab, each)]
        return Changed(node=node, done=done, members=tuple(rows))

    def made_for(self, change: str) -> str | None:
        """The node that such a change made, if it was broken off."""
        found = [each for each in self.again().nodes if each.made_for == change]
        return next((each.name for each in found if not each.is_removed), None)

    async def usable(self, node: str | None, *, made_for: str | None = None) -> str:
        """A node of the lab that may hold members, made if there is none. Raises: UsageError."""
        name = node
        if name is None or all(each.name != name for each in self.again().nodes):
            name = (await self.keeper.add_node(name, made_for=made_for)).name
        if self.again().node(name).is_removed:
            raise UsageError(f"{name}: was removed; a node that was is not a member again")
        return name

    async def retired(self, node: str) -> None:
        """A node that no group has any more is done with."""
        if not any(self.again().hosted_by(node)):
            await self.membership.retire(self.keeper, self.lab, node)


async def added(flow: Flow, group: str | None, node: str | None, *, is_learner: bool) -> Changed:
    """See `member_commands.add`."""
    groups = flow.groups(group)
    made_for = f"add to {' '.join(groups)}"
    name = await flow.usable(node or flow.made_for(made_for), made_for=made_for)
    for each in groups:
        await flow.membership.add(flow.keeper, flow.again(), each, name)
        if not is_learner:
            await flow.membership.promote(flow.again(), each, name, seconds=CHANGE_SECONDS)
    await flow.keeper.set_added(name)
    return await flow.changed(name, "is a learner" if is_learner else "is a voter", groups)


async def promoted(flow: Flow, group: str | None, node: str) -> Changed:
    """Give a learner its vote."""
    groups = flow.groups(group)
    for each in groups:
        await flow.membership.promote(flow.again(), each, node, seconds=CHANGE_SECONDS)
    return await flow.changed(node, "is a voter", groups)


async def removed(
    flow: Flow, group: str | None, node: str, standing: LabStanding, warn: Warn
) -> Changed:
    """See `member_commands.remove`."""
    name = flow.lab.node(node).name
    groups = flow.groups(group)
    for each in groups:
        rows = await flow.membership.listed(flow.lab, each)
        if any(row.node == name and not row.is_learner for row in rows):
            left = quorum_left(rows, standing, name)
            demand_quorum(flow.lab, each, name, left)
            warn(name, left)
    for each in groups:
        await flow.membership.remove(flow.keeper, flow.again(), each, name)
    if group is None or len(flow.lab.groups) == 1:
        await flow.retired(name)
    return await flow.changed(name, "was removed", groups)


async def replaced(flow: Flow, group: str | None, old: str, new: str | None) -> Changed:
    """See `member_commands.replace`."""
    leaving = flow.lab.node(old).name
    held = [each.name for each in flow.lab.hosted_by(leaving)]
    groups = [flow.lab.group(group).name] if group else held
    made_for = f"replace {leaving}"
    if leaving == new:
        raise UsageError(f"{old}: expected another node to have its place")
    wanted = new or flow.made_for(made_for)
    if wanted is None and groups:
        groups = await _still_in(flow, groups, leaving)
        if not groups:
            if group is None or len(flow.lab.groups) == 1:
                await flow.retired(leaving)
            return await flow.changed(leaving, "was out already", held)
    if not groups and wanted is None:
        raise UsageError(f"{old}: is in no group; there is no place to have")
    name = await flow.usable(wanted, made_for=made_for)
    for each in groups:
        await flow.membership.replace(
            flow.keeper, flow.again(), each, leaving, name, seconds=CHANGE_SECONDS
        )
    if group is None or len(flow.lab.groups) == 1:
        await flow.retired(leaving)
    groups = [each.name for each in flow.again().hosted_by(name)]
    return await flow.changed(name, f"has the place of {leaving}", groups)


async def _still_in(flow: Flow, groups: list[str], node: str) -> list[str]:
    """Those of these groups of which it is a member; its places in the others are given up."""
    left = []
    for each in groups:
        if any(row.node == node for row in await flow.membership.listed(flow.lab, each)):
            left.append(each)
        else:
            await flow.membership.remove(flow.keeper, flow.again(), each, node)
    return left
