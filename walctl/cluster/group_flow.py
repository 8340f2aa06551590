"""Groups of a lab that is up: one more, one less, and one that moves. Engine walctl alone has them.

A move is a replacement (`own_members`) of one node's member by another's, under whatever load. The
directory that stays behind is a voter's log: it may be taken away once every node of the group has
applied that its owner is out, and not before; until then an old member that was cut off could ask
it for a vote, and one that has forgotten all would give it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.cluster.lab import Group, demand_new_group
from walctl.cluster.member_flow import CHANGE_SECONDS, Flow
from walctl.cluster.own_members import POLL_SECONDS, OwnMembership
from walctl.cluster.standing import NodeState
from walctl.cluster.taking_away import removal_of, remove
from walctl.errors import AccessError, ClusterError, UsageError
from walctl.fs.writable import WritableFileSystem

BEGIN_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChanged:
    """What became of a group, and of directories: those that were taken away, those that stay."""

    name: str
    done: str
    hosts: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    words: str = ""


async def begun(flow: Flow, name: str, nodes: Sequence[str]) -> GroupChanged:
    """See `group_commands.begin`."""
    members = own(flow)
    flow.again()
    if all(each.name != name for each in flow.lab.groups):
        demand_new_group(flow.lab, name)
    hosts = tuple(dict.fromkeys(flow.lab.node(each).name for each in nodes))
    for each in hosts:
        if flow.lab.node(each).is_removed:
            raise UsageError(f"{each}: was removed from the cluster, and holds no group")
    found = [each for each in flow.lab.groups if each.name == name]
    if found and set(found[0].hosts) != set(hosts):
        raise UsageError(f"{flow.lab.path}: has a group {name} already, on {_list(found[0].hosts)}")
    if not found:
        for each in hosts:
            path = flow.lab.data_path(each, name)
            if flow.disk.exists(path):
                raise AccessError(
                    f"{path}: expected no such directory, found that of an earlier group {name};"
                    f" walctl cluster group drop {flow.lab.path} {name} --delete takes it away"
                )
        await members.reloaded(flow.keeper, flow.lab, needed=hosts)
        await flow.keeper.put_group(Group(name=name, first=hosts, hosts=hosts), was=())
    await members.reloaded(flow.keeper, flow.again(), needed=hosts)
    await _led(flow, members, name)
    await flow.note(f"group {name} began on {_list(hosts)}")
    return GroupChanged(name=name, done="began", hosts=hosts)


async def moved(
    flow: Flow, disk: WritableFileSystem, name: str, source: str, target: str, *, is_delete: bool
) -> GroupChanged:
    """See `group_commands.move`."""
    members = own(flow)
    group = flow.again().group(name)
    old, new = flow.lab.node(source), flow.lab.node(target)
    if old == new:
        raise UsageError(f"--from {source} --to {target}: expected two nodes")
    if new.is_removed:
        raise UsageError(f"{target}: was removed from the cluster, and holds no group")
    await members.replace(
        flow.keeper, flow.lab, group.name, old.name, new.name, seconds=CHANGE_SECONDS
    )
    hosts = flow.again().group(name).hosts
    await flow.note(f"group {name} moved from {old.name} to {new.name}")
    done = f"moved from {old.name} to {new.name}"
    path = flow.lab.data_path(old.name, name)
    if not flow.disk.exists(path):
        return GroupChanged(name=name, done=done, hosts=hosts)
    if not is_delete:
        return GroupChanged(name=name, done=done, hosts=hosts, kept=(str(path),))
    assert old.id is not None, "a node of our own engine has one"
    late = await members.knows_all(flow.lab, name, old.id) or await _holding(flow, [old.name])
    if late:
        words = f"stays until {_list(late)} knows of the move; then do this again"
        return GroupChanged(name=name, done=done, hosts=hosts, kept=(str(path),), words=words)
    gone = _taken_away(disk, [path])
    return GroupChanged(name=name, done=done, hosts=hosts, removed=gone)


async def dropped(
    flow: Flow, disk: WritableFileSystem, name: str, *, is_delete: bool
) -> GroupChanged:
    """See `group_commands.drop`."""
    members = own(flow)
    lab = flow.again()
    paths = [lab.data_path(node.name, name) for node in lab.nodes]
    found = [each for each in paths if flow.disk.exists(each)]
    if all(each.name != name for each in lab.groups):
        if not (is_delete and found):
            lab.group(name)  # says that there is none
    else:
        await flow.keeper.drop_group(name)
    await members.reloaded(flow.keeper, flow.again())
    await flow.note(f"group {name} was dropped")
    holding = await _holding(flow, [each.parent.name for each in found])
    stays = [each for each in found if not is_delete or each.parent.name in holding]
    gone = _taken_away(disk, [each for each in found if each not in stays])
    words = f"stays until {_list(holding)} goes on or ends" if is_delete and holding else ""
    kept = tuple(str(each) for each in stays)
    return GroupChanged(name=name, done="was dropped", removed=gone, kept=kept, words=words)


def own(flow: Flow) -> OwnMembership:
    """What changes the members of a lab that has groups."""
    assert isinstance(flow.membership, OwnMembership), "engines without groups come no further"
    return flow.membership


async def _led(flow: Flow, members: OwnMembership, name: str) -> None:
    """Wait until every node of a group knows its leader. Raises: ClusterError."""
    deadline = members.pace.now_us() + round(BEGIN_SECONDS * 1_000_000)
    while True:
        views = await members.views(flow.lab, name)
        if len(views) == len(flow.lab.group(name).hosts) and all(
            each.lead for each in views.values()
        ):
            return
        if members.pace.now_us() > deadline:
            raise ClusterError(f"group {name}: has no leader after {BEGIN_SECONDS:g} s")
        await members.pace.pause(POLL_SECONDS)


async def _holding(flow: Flow, nodes: Iterable[str]) -> list[str]:
    """Nodes that may hold files of a member still: they run, and did not read the lab's file."""
    info = (await flow.keeper.info())["nodes"]
    there = (NodeState.RUNNING, NodeState.PAUSED)
    up = [each["name"] for each in info if NodeState(each["state"]) in there]
    return await own(flow).talk.reload(flow.lab, [each for each in nodes if each in up])


def _taken_away(disk: WritableFileSystem, paths: Iterable[Path]) -> tuple[str, ...]:
    """Remove directories of members, looked at whole before the first is touched."""
    plans = [(each, removal_of(disk, each)) for each in paths]
    for _, plan in plans:
        remove(disk, plan)
    return tuple(str(path) for path, _ in plans)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "no node"
