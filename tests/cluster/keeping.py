"""A lab whose nodes run in this loop, kept as its supervisor keeps one: the file and the nodes."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from tests.cluster.instances import Here, free_ports, new_lab, running
from walctl.checker.linearizable import Judgement, Limits, check
from walctl.checker.trace import parse
from walctl.cluster import lab as labs
from walctl.cluster.client import LabClient
from walctl.cluster.lab import Group, Lab, Node
from walctl.cluster.load import Load, LoadPlan
from walctl.cluster.member_flow import Flow
from walctl.cluster.node_talk import NodeTalk
from walctl.cluster.own_members import OwnMembership
from walctl.cluster.pace import LoopPace
from walctl.cluster.standing import NodeState
from walctl.fs.real import RealFileSystem

DISK = RealFileSystem()


class KilledError(Exception):
    """The command was killed here."""


@dataclass
class InLoop:
    """See `Keeper`."""

    here: Here
    calls: list[str] = field(default_factory=list)

    @property
    def lab(self) -> Lab:
        return labs.load(DISK, self.here.lab.path)

    def save(self, lab: Lab) -> None:
        labs.save(DISK, lab)
        self.here.lab = lab

    async def info(self) -> dict[str, Any]:
        states = {
            each.name: NodeState.RUNNING if each.name in self.here.nodes else NodeState.STOPPED
            for each in self.lab.nodes
        }
        return {"nodes": [{"name": name, "state": state} for name, state in states.items()]}

    async def act(self, node: str, action: str) -> dict[str, Any]:
        self.calls.append(f"{action} {node}")
        if action == "start":
            await self.here.start(node)
        elif node in self.here.nodes:
            await self.here.stop(node)
        return {}

    async def add_node(self, name: str | None = None, *, made_for: str | None = None) -> Node:
        number = max(each.id or 0 for each in self.lab.nodes) + 1
        client, peer = free_ports(2)
        node = Node(
            name=name or f"n{number}",
            id=number,
            client_port=client,
            peer_port=peer,
            proxy_port=peer,
            made_for=made_for,
        )
        self.save(self.lab.with_node(node))
        return node

    async def set_added(self, node: str) -> None:
        self.save(self.lab.with_node(replace(self.lab.node(node), made_for=None)))

    async def set_removed(self, node: str) -> None:
        self.save(self.lab.with_node(replace(self.lab.node(node), is_removed=True)))

    async def put_group(self, group: Group, *, was: Sequence[str]) -> None:
        now = [name for each in self.lab.groups if each.name == group.name for name in each.hosts]
        assert now == list(was)
        self.calls.append(f"put {group.name} {group.hosts}")
        self.save(self.lab.with_group(group))

    async def drop_group(self, name: str) -> None:
        self.save(self.lab.without_group(name))

    async def tell(self, events: Sequence[Mapping[str, Any]]) -> None:
        pass


@asynccontextmanager
async def flowing(folder: Path, *, nodes: int, **wishes: Any) -> AsyncIterator[Flow]:
    """A new lab that runs, and what changes of it need; its first group is led."""
    lab = new_lab(folder / "lab", nodes=nodes, **wishes)
    async with running(lab) as here:
        keeper = InLoop(here)
        membership = OwnMembership(DISK, talk=NodeTalk(), pace=LoopPace())
        try:
            await membership.lead(lab, "g1")
            yield Flow(DISK, lab, membership, keeper)
        finally:
            await membership.close()


def kept(flow: Flow) -> InLoop:
    """The keeper of a flow of these tests."""
    assert isinstance(flow.keeper, InLoop)
    return flow.keeper


def own(flow: Flow) -> OwnMembership:
    """The membership of a flow of these tests."""
    assert isinstance(flow.membership, OwnMembership)
    return flow.membership


@asynccontextmanager
async def client(lab: Lab) -> AsyncIterator[LabClient]:
    """A client that knows the lab as it is now, and hears no more of its file."""
    found = LabClient(lab, connector=aiohttp.TCPConnector(limit=0))
    try:
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def loaded(flow: Flow, group: str) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Clients ask a group while the block runs; what they saw, whole when the block is over."""
    events: list[Mapping[str, Any]] = []

    async def tell(told: Sequence[Mapping[str, Any]]) -> None:
        events.extend(told)

    plan = LoadPlan(name="c", clients=6, rate=400, keys=6, seconds=60, groups=(group,))
    async with client(flow.again()) as found:
        loop = asyncio.get_running_loop()
        load = Load(
            plan,
            found,
            draw=Random(7).randrange,
            now_us=lambda: int(loop.time() * 1e6),
            tell=tell,
        )
        task = asyncio.create_task(load.run())
        try:
            yield events
            await asyncio.sleep(0.1)
        finally:
            load.stop()
            await task


def judged(events: Sequence[Mapping[str, Any]]) -> Judgement:
    """The verdict on what clients saw."""
    return check(parse(json.dumps(each) for each in events), limits=Limits())


def shown(lab: Lab) -> dict[str, Any]:
    """What of a lab's file has to be the same in the end."""
    return {each.name: asdict(each) for each in lab.groups}
