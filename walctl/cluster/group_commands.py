"""Groups of a lab that is up, listed and changed (`group_flow`), for whoever has no loop."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from walctl.cluster.group_flow import GroupChanged, begun, dropped, moved, own
from walctl.cluster.lab import Engine, Group, Lab
from walctl.cluster.member_commands import flowing
from walctl.cluster.member_flow import Flow
from walctl.cluster.membership import Note
from walctl.cluster.talk import View
from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group as it stands; `leader` is `None` where nobody leads. `hosts` are to hold it."""

    name: str
    hosts: tuple[str, ...]
    leader: str | None = None
    term: int | None = None
    commit: int | None = None


async def rows(flow: Flow) -> tuple[GroupRow, ...]:
    """All groups of a lab."""
    members = own(flow)
    views = await asyncio.gather(*(members.views(flow.lab, each.name) for each in flow.lab.groups))
    return tuple(_row(each, found) for each, found in zip(flow.lab.groups, views, strict=True))


def listed(disk: FileSystem, lab: Lab) -> tuple[GroupRow, ...]:
    """All groups of a lab that is up. Raises: ClusterError."""
    return _run(disk, lab, None, rows)


def begin(
    disk: FileSystem, lab: Lab, name: str, nodes: Sequence[str], *, note: Note
) -> GroupChanged:
    """Let a new group begin on these nodes; ready when all of them know its leader.

    Raises: ClusterError, UsageError, AccessError.
    """
    return _run(disk, lab, note, lambda flow: begun(flow, name, nodes))


def move(
    disk: WritableFileSystem,
    lab: Lab,
    name: str,
    source: str,
    target: str,
    *,
    is_delete: bool,
    note: Note,
) -> GroupChanged:
    """Move one node's member of a group to another node; the group works on meanwhile.

    Raises: ClusterError, UsageError.
    """
    return _run(
        disk,
        lab,
        note,
        lambda flow: moved(flow, disk, name, source, target, is_delete=is_delete),
    )


def drop(
    disk: WritableFileSystem, lab: Lab, name: str, *, is_delete: bool, note: Note
) -> GroupChanged:
    """End a group; its directories stay, unless `is_delete`. Raises: ClusterError, UsageError."""
    return _run(disk, lab, note, lambda flow: dropped(flow, disk, name, is_delete=is_delete))


def _run(disk: FileSystem, lab: Lab, note: Note | None, work: Callable[[Flow], Awaitable[T]]) -> T:
    async def run() -> T:
        wanted: dict[str, Any] = {} if note is None else {"note": note}
        async with flowing(disk, lab, **wanted) as flow:
            return await work(flow)

    _demand_own(lab)
    return asyncio.run(run())


def _demand_own(lab: Lab) -> None:
    """Raises: UnsupportedError."""
    if lab.engine is not Engine.WALCTL:
        raise UnsupportedError(
            f"{lab.path}: engine {lab.engine} has one group, and no more; walctl cluster member"
            " changes who is in it"
        )


def _row(group: Group, views: dict[str, View]) -> GroupRow:
    leading = [each for each in views.values() if each.is_leader]
    best = max(leading, key=lambda view: view.term, default=None)
    return GroupRow(
        name=group.name,
        hosts=group.hosts,
        leader=best.node if best else None,
        term=best.term if best else None,
        commit=best.commit if best else None,
    )
