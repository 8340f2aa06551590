"""Changing the members of a lab of real etcds.

A member that is new is added as a learner before it is started; it is told of the members that
there are, and takes the state from the leader. It may be promoted once it has nearly all of it,
which the leader judges (etcd: 90 % of the leader's log).
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import aiohttp

from walctl.cluster import runtime
from walctl.cluster.etcd import node_named, peer_url
from walctl.cluster.etcd_gateway import GatewayError, asked, number
from walctl.cluster.lab import Lab, Node, load
from walctl.cluster.membership import Keeper, MemberRow
from walctl.cluster.standing import NodeState
from walctl.errors import ClusterError, UsageError
from walctl.fs.base import FileSystem

CHANGE_SECONDS: Final = 15.0
"""Longer than etcd itself waits for a change of the configuration."""
END_SECONDS: Final = 5.0
"""How long a member that was removed may take to see that and end."""
_POLL_SECONDS: Final = 0.1
_LEARNER: Final = "not supported for learner"
_NOT_YET: Final = ("can only promote a learner member which is in sync", "unhealthy cluster")
"""Refusals that pass by themselves, as soon as a new member has come to know the others."""


class EtcdMembership:
    """See `Membership`."""

    def __init__(self, disk: FileSystem) -> None:
        self._disk = disk
        self._session = aiohttp.ClientSession()

    async def listed(self, lab: Lab, group: str) -> tuple[MemberRow, ...]:
        """See `Membership.listed`."""
        body = {"linearizable": True}
        found = await self._patient(lab, "/v3/cluster/member/list", body, is_read=True)
        return tuple(_row(lab, group, each) for each in found.get("members", []))

    async def add(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """See `Membership.add`."""
        added = lab.node(node)
        here = lab.group(group)
        known = {row.peer_url for row in await self.listed(lab, group)}
        if added.name not in here.hosts:
            # First, so that the node is told of itself when it starts.
            hosts = (*here.hosts, added.name)
            await control.put_group(replace(here, hosts=hosts), was=here.hosts)
        while peer_url(added) not in known:
            body = {"peerURLs": [peer_url(added)], "isLearner": True}
            with _doubt():
                await self._patient(lab, "/v3/cluster/member/add", body, but=added.name)
            known = {row.peer_url for row in await self.listed(lab, group)}
        states = {each["name"]: each["state"] for each in (await control.info())["nodes"]}
        if states.get(added.name) not in (NodeState.RUNNING, NodeState.PAUSED):
            await control.act(added.name, "start")

    async def promote(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """See `Membership.promote`."""
        route = "/v3/cluster/member/promote"
        while (row := await self._row(lab, group, node)).is_learner:
            with _doubt():
                await self._patient(lab, route, {"ID": row.id}, seconds=seconds)

    async def remove(self, control: Keeper, lab: Lab, group: str, node: str) -> None:
        """See `Membership.remove`."""
        removed = lab.node(node)
        rows = await self.listed(lab, group)
        while any(row.node == node for row in rows):
            row = next(row for row in rows if row.node == node)
            with _doubt():
                await self._patient(lab, "/v3/cluster/member/remove", {"ID": row.id}, but=node)
            rows = await self.listed(lab, group)
        await self._ended(control, removed)
        here = lab.group(group)
        left = tuple(each for each in here.hosts if each != node)
        await control.put_group(replace(here, hosts=left), was=here.hosts)

    async def replace(
        self, control: Keeper, lab: Lab, group: str, old: str, new: str, *, seconds: float
    ) -> None:
        """See `Membership.replace`: etcd has no change of two members at once."""
        await self.add(control, lab, group, new)
        lab = load(self._disk, lab.path)
        await self.promote(lab, group, new, seconds=seconds)
        await self.remove(control, lab, group, old)

    async def retire(self, control: Keeper, lab: Lab, node: str) -> None:
        """See `Membership.retire`: its process has ended with its member."""
        await control.set_removed(node)

    async def transfer(self, lab: Lab, group: str, node: str, *, seconds: float) -> None:
        """See `Membership.transfer`."""
        row = await self._row(lab, group, node)
        deadline = runtime.now_us() + round(seconds * 1_000_000)
        while True:
            found = await self._any(lab, "/v3/maintenance/status", {}, is_read=True)
            leader = number(found, "leader")
            if leader == row.id:
                return
            if runtime.now_us() > deadline:
                raise ClusterError(f"{node}: does not lead after {seconds:g} s")
            name = node_named(lab, f"{leader:x}")
            # It may have lost the lead meanwhile, or nobody has it.
            with contextlib.suppress(GatewayError, UsageError):
                leading = lab.node(name)
                body = {"targetID": row.id}
                route = "/v3/maintenance/transfer-leadership"
                await asked(self._session, leading, route, body, seconds=seconds)
            await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """See `Membership.close`."""
        await self._session.close()

    async def _row(self, lab: Lab, group: str, node: str) -> MemberRow:
        """Raises: ClusterError, where the node is no member."""
        for row in await self.listed(lab, group):
            if row.node == lab.node(node).name:
                return row
        raise ClusterError(f"{node}: is no member of the cluster")

    async def _any(
        self, lab: Lab, route: str, body: dict[str, Any], *, but: str = "", is_read: bool = False
    ) -> dict[str, Any]:
        """The answer of the first node that takes it. Raises: GatewayError."""
        nodes = _asked_of(lab, but)
        for node in nodes:
            try:
                return await asked(self._session, node, route, body, seconds=CHANGE_SECONDS)
            except GatewayError as error:
                # A learner takes no such request, and one that is down none at all: the next may.
                # A question does no harm twice.
                is_next = is_read or error.is_unreached or _LEARNER in error.message
                if not is_next or node is nodes[-1]:
                    raise
        raise ClusterError(f"{lab.path}: has no node to ask")

    async def _patient(
        self,
        lab: Lab,
        route: str,
        body: dict[str, Any],
        *,
        but: str = "",
        seconds: float = CHANGE_SECONDS,
        is_read: bool = False,
    ) -> dict[str, Any]:
        """The same, again and again where a refusal passes by itself; a question after any."""
        deadline = runtime.now_us() + round(seconds * 1_000_000)
        while True:
            try:
                return await self._any(lab, route, body, but=but, is_read=is_read)
            except GatewayError as error:
                passes = any(words in error.message for words in _NOT_YET)
                passes |= is_read and not error.is_unreached
                if not passes or runtime.now_us() > deadline:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def _ended(self, control: Keeper, node: Node) -> None:
        """Wait until a removed member has ended by itself, and end it if it does not."""
        deadline = runtime.now_us() + round(END_SECONDS * 1_000_000)
        while True:
            states = {each["name"]: each["state"] for each in (await control.info())["nodes"]}
            if states.get(node.name) not in (NodeState.RUNNING, NodeState.PAUSED):
                return
            if runtime.now_us() > deadline:
                await control.act(node.name, "stop")
                return
            await asyncio.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _doubt() -> Iterator[None]:
    """Go on where nobody can tell whether a change was made: whoever asked looks for himself."""
    try:
        yield
    except GatewayError as error:
        if error.is_certain:
            raise


def _asked_of(lab: Lab, but: str) -> Sequence[Node]:
    return [node for node in lab.nodes if not node.is_removed and node.name != but]


def _row(lab: Lab, group: str, found: dict[str, Any]) -> MemberRow:
    """A member of the list; found by its address, since one that never started has no name."""
    urls = [str(each) for each in found.get("peerURLs", [])]
    names = [node.name for node in lab.nodes if not node.is_removed and peer_url(node) in urls]
    member_id = number(found, "ID")
    return MemberRow(
        node=names[0] if names else f"{member_id:x}",
        id=member_id,
        peer_url=urls[0] if urls else "",
        is_learner=bool(found.get("isLearner")),
        is_started=bool(found.get("name")),
        group=group,
    )
