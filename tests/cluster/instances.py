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
    starts: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ends: dict[str, AsyncExitStack] = field(default_factory=dict)

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

    async def start(self, name: str) -> None:
        """Start a node with the lab's file as it is now, unless it runs."""
        async with self.turn:
            if name not in self.nodes:
                await self._start(name)

    async def _start(self, name: str) -> None:
        disk = RealFileSystem()
        async with AsyncExitStack() as stack:
            draws = itertools.count(self.starts, 3)
            self.starts += 1
            draw = partial(_drawn, draws)
            faults = NodeDisk(
                disk,
                self.lab.path / name,
                draw=draw,
                sleep=time.sleep,
                tell=self.events.append,
                die=partial(self.dead.append, name),
            )
            stack.callback(faults.disk.close)
            node = Instance(
                labs.load(disk, self.lab.path),
                name,
                disk=faults.disk,
                draw=draw,
                clock_us=lambda: int(asyncio.get_running_loop().time() * 1e6),
                wall_ms=lambda: 1,
                tell=self.events.append,
            )
            stack.push_async_callback(node.close)
            await node.start()
            control = Control(node, disk, faults=faults, tell=self.events.append)
            runner = await serve(Api(node, control), HOST, node.own.client_port)
            stack.push_async_callback(runner.cleanup)
            ticking = asyncio.create_task(node.tick_for_ever())
            stack.callback(ticking.cancel)
            node.reload(labs.load(disk, self.lab.path))
            self.nodes[name] = node
            self._ends[name] = stack.pop_all()

    async def stop(self, name: str) -> None:
        """End a node."""
        async with self.turn:
            del self.nodes[name]
            await self._ends.pop(name).aclose()

    async def stop_all(self) -> None:
        """End all that run."""
        for name in list(self.nodes):
            await self.stop(name)


def _drawn(numbers: Iterator[int], n: int) -> int:
    return next(numbers) * 7 % n


@asynccontextmanager
async def running(lab: Lab, *names: str) -> AsyncIterator[Here]:
    """Start these nodes (none named: all) and end them."""
    async with aiohttp.ClientSession() as session:
        here = Here(lab, session)
        try:
            for name in names or [each.name for each in lab.nodes]:
                await here.start(name)
            yield here
        finally:
            await here.stop_all()
