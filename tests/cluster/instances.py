"""Nodes of a lab in this process: real sockets and files, one loop, and no supervisor.

Peers are reached directly: a node's proxy port is its own peer port.
"""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from walctl.cluster import lab as labs
from walctl.cluster.http import Api, serve
from walctl.cluster.lab import HOST, Engine, Group, Lab, Node, Settings, Timing
from walctl.cluster.node import Instance
from walctl.cluster.node_control import Control
from walctl.cluster.node_disk import NodeDisk
from walctl.fs.real import RealFileSystem

FAST = Timing(tick_ms=10)
BOUND_SECONDS = 10.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind((HOST, 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def new_lab(folder: Path, *, nodes: int = 1, groups: int = 1, **wishes: Any) -> Lab:
    """A lab in a new folder, whose clocks go fast."""
    folder.mkdir()
    ports = iter(free_ports(2 * nodes))
    made = []
    for number in range(1, nodes + 1):
        client, peer = next(ports), next(ports)
        made.append(
            Node(
                name=f"n{number}",
                id=number,
                client_port=client,
                peer_port=peer,
                proxy_port=peer,
            )
        )
    names = tuple(each.name for each in made)
    lab = Lab(
        path=folder,
        engine=Engine.WALCTL,
        settings=replace(Settings(timing=FAST, segment_bytes=1 << 20), **wishes),
        nodes=tuple(made),
        groups=tuple(
            Group(name=f"g{number}", first=names, hosts=names) for number in range(1, groups + 1)
        ),
        token="secret",
    )
    labs.save(RealFileSystem(), lab)
    return lab


@dataclass
class Here:
    """The nodes of a lab that run in this loop."""

    lab: Lab
    session: aiohttp.ClientSession
    nodes: dict[str, Instance] = field(default_factory=dict)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def url(self, node: str, path: str) -> str:
        """Where a node answers."""
        return f"http://{HOST}:{self.lab.node(node).client_port}{path}"

    async def until(self, holds: Any) -> None:
        """Wait until it holds, not for ever."""
        async with asyncio.timeout(BOUND_SECONDS):
            while not holds():
                await asyncio.sleep(0.005)

    async def led(self, group: str = "g1") -> Instance:
        """The node that leads a group, once there is one that every member knows."""

        def leaders() -> list[Instance]:
            return [each for each in self.nodes.values() if each.driver(group).is_leader]

        def is_settled() -> bool:
            leads = {each.driver(group).lead for each in self.nodes.values()}
            return len(leaders()) == 1 and leads == {leaders()[0].id}

        await self.until(is_settled)
        return leaders()[0]

    async def control(self, node: str, verb: str, **fields: Any) -> dict[str, Any]:
        """Do what an operator asks."""
        headers = {"X-Walctl-Token": self.lab.token}
        url = self.url(node, f"/control/{verb}")
        async with self.session.post(url, json=fields, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            found: dict[str, Any] = await answer.json()
            return found


def _drawn(numbers: Iterator[int], n: int) -> int:
    return next(numbers) * 7 % n


@asynccontextmanager
async def running(lab: Lab, *names: str) -> AsyncIterator[Here]:
    """Start these nodes (none named: all) and end them."""
    disk = RealFileSystem()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        here = Here(lab, session)
        for number, name in enumerate(names or [each.name for each in lab.nodes]):
            draws = itertools.count(number, 3)
            draw = partial(_drawn, draws)
            faults = NodeDisk(
                disk,
                lab.path / name,
                draw=draw,
                sleep=time.sleep,
                tell=here.events.append,
                die=partial(here.dead.append, name),
            )
            stack.callback(faults.disk.close)
            node = Instance(
                lab,
                name,
                disk=faults.disk,
                draw=draw,
                clock_us=lambda: int(asyncio.get_running_loop().time() * 1e6),
                tell=here.events.append,
            )
            here.nodes[name] = node
            stack.push_async_callback(node.close)
            await node.start()
            api = Api(node, Control(node, disk, faults=faults, tell=here.events.append))
            runner = await serve(api, HOST, node.own.client_port)
            stack.push_async_callback(runner.cleanup)
            ticking = asyncio.create_task(node.tick_for_ever())
            stack.callback(ticking.cancel)
        yield here
