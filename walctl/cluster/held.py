"""The members that one node holds: which it is to hold, who has the others, and what one is asked.

A node that runs is a table of these. Processes have one (`node.Instance`), and so has each node of
the simulator; what they may ask of it is said here once for both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from walctl.cluster.driver import Driver
from walctl.cluster.lab import Group, Lab, Node
from walctl.cluster.surroundings import Place
from walctl.errors import ClusterError, UsageError

ENDED: Final = "this member has ended"


class ElsewhereError(ClusterError):
    """This node holds no member of the group; the lab's file says who does."""


class Held(Protocol):
    """A node's member of one group; `driver` is `None` once it has ended, and `words` say why."""

    group: str
    driver: Driver | None
    words: str
    is_removed: bool


@dataclass(slots=True)
class Member:
    """See `Held`."""

    group: str
    driver: Driver | None
    words: str = ""
    is_removed: bool = False


def state_of(member: Held) -> str:
    """In a word, as a node's status has it."""
    if member.driver is not None:
        return "running"
    return "removed" if member.is_removed else "failed"


def driver_in(members: Mapping[str, Held], lab: Lab, node: str, group: str) -> Driver:
    """The node's member of a group.

    Raises: UsageError, when there is no such group; ElsewhereError, when others hold it;
    ClusterError, when the member has ended.
    """
    member = members.get(group)
    if member is None and all(each.name != group for each in lab.groups):
        names = ", ".join(members) or "none"
        raise UsageError(f"no group {group!r} on {node}; there are {names}")
    if member is None or (member.driver is None and member.is_removed):
        names = ", ".join(each.name for each in holders(lab, node, group)) or "nobody"
        raise ElsewhereError(f"group {group} is not on {node}: {names} has it")
    if member.driver is None:
        raise ended(member, node)
    return member.driver


def ended(member: Held, node: str) -> ClusterError:
    """What is said of a member that has ended."""
    return ClusterError(f"group {member.group} on {node}: {member.words or ENDED}")


def holders(lab: Lab, node: str, group: str) -> Iterator[Node]:
    """The other nodes that are to hold a member of a group."""
    for found in lab.groups:
        if found.name == group:
            for name in found.hosts:
                if name != node:
                    yield lab.node(name)


def leaving(members: Mapping[str, Held], lab: Lab, node: str) -> list[str]:
    """The groups of which a node holds a member, and is not to hold one any more."""
    hosted = {group.name for group in lab.hosted_by(node)}
    return [each for each in members if each not in hosted]


def coming(members: Mapping[str, Held], lab: Lab, node: str) -> list[Group]:
    """The groups of which a node is to begin or take up a member: one that was removed from a
    group, and is to hold it again, is taken up from its old log."""
    found = []
    for group in lab.hosted_by(node):
        member = members.get(group.name)
        if member is None or (member.driver is None and member.is_removed):
            found.append(group)
    return found


def first_ids(lab: Lab, group: Group, node: str) -> list[int]:
    """The ids that a group begins with, where this node is one of them; else none: it joins."""
    if node not in group.first:
        return []
    ids = (lab.node(name).id for name in group.first)
    return [each for each in ids if each is not None]


def place_of(lab: Lab, node: str, group: str) -> Place:
    """Where a node's member of a group is, and how it behaves."""
    settings = lab.settings
    folder = lab.data_path(node, group) / "member"
    return Place(
        wal=folder / "wal",
        snap=folder / "snap",
        tick_us=settings.timing.tick_ms * 1000,
        election_ticks=settings.timing.election_ticks,
        heartbeat_ticks=settings.timing.heartbeat_ticks,
        pre_vote=settings.pre_vote,
        check_quorum=settings.check_quorum,
        snapshot_count=settings.snapshot_count,
        catch_up_entries=settings.catch_up_entries,
        segment_bytes=settings.segment_bytes,
    )
