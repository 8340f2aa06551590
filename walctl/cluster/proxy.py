"""What stands between nodes: a stand-in that lets everything pass.

One listener a node: the others dial `proxy_port`, and are led to `peer_port`.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from walctl.cluster.faults import WELL, Link, LinkFault
from walctl.cluster.lab import HOST, Lab, Node
from walctl.errors import AccessError

CHUNK_BYTES = 1 << 16


class Proxy:
    """All the links of a lab."""

    def __init__(self, lab: Lab) -> None:
        self._nodes = {node.name: node for node in lab.nodes if not node.is_removed}
        self._servers: dict[str, asyncio.Server] = {}
        self._faults: dict[Link, LinkFault] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen for every node. Raises: AccessError."""
        for node in self._nodes.values():
            await self.add(node)

    async def add(self, node: Node) -> None:
        """Listen for one more node. Raises: AccessError."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await _carry(node, reader, writer)
            finally:
                self._tasks.discard(task)

        try:
            self._servers[node.name] = await asyncio.start_server(serve, HOST, node.proxy_port)
        except OSError as error:
            raise AccessError(f"{node.name}: port {node.proxy_port} on {HOST}: {error}") from error

    def set_fault(self, link: Link, fault: LinkFault) -> None:
        """Break a link, or make it well."""
        self._faults.pop(link, None)
        if fault != WELL:
            self._faults[link] = fault

    def faults(self) -> Mapping[Link, LinkFault]:
        """The links that are not well."""
        return dict(self._faults)

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """What passed, by link."""
        return {}

    async def close(self) -> None:
        """Listen no more, and let go what is open."""
        for server in self._servers.values():
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers.values():
            await server.wait_closed()
        self._servers.clear()


async def _carry(node: Node, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both directions of one connection, until one side ends."""
    inner: asyncio.StreamWriter | None = None
    try:
        back, inner = await asyncio.open_connection(HOST, node.peer_port)
        ways = [
            asyncio.create_task(_copy(reader, inner)),
            asyncio.create_task(_copy(back, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    except OSError:
        pass  # the node is down: whoever called sees the connection end
    finally:
        for each in (writer, inner):
            if each is not None:
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK_BYTES):
            target.write(data)
            await target.drain()
