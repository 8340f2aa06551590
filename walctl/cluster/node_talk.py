"""What operators ask of nodes of engine walctl: the other side of `node_control`."""

import asyncio
from collections.abc import Iterable
from typing import Any

import aiohttp

from walctl.cluster.api_heads import TOKEN
from walctl.cluster.lab import HOST, Lab, Node
from walctl.cluster.talk import DO_SECONDS, STATUS_SECONDS, UnreachedError, View, view_of
from walctl.errors import ClusterError


class NodeTalk:
    """See `Talk`; `close` it."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession()

    async def do(
        self, lab: Lab, node: str, verb: str, *, seconds: float = DO_SECONDS, **fields: Any
    ) -> dict[str, Any]:
        """See `Talk`."""
        url = f"{_url(lab.node(node))}/control/{verb}"
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.post(
                url, json=fields, headers={TOKEN: lab.token}, timeout=timeout
            ) as answer:
                if answer.status != 200:
                    raise ClusterError(f"{node}: {(await answer.text()).strip()}")
                found = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnreachedError(f"{node}: no answer: {_words(error)}") from error
        assert isinstance(found, dict), "our own node says so"
        return found

    async def views(self, lab: Lab, group: str, nodes: Iterable[str]) -> dict[str, View]:
        """See `Talk`."""
        found = await asyncio.gather(*(self._view(lab, group, each) for each in nodes))
        return {each.node: each for each in found if each is not None}

    async def reload(self, lab: Lab, nodes: Iterable[str]) -> list[str]:
        """See `Talk`."""

        async def one(node: str) -> str | None:
            try:
                await self.do(lab, node, "reload", seconds=STATUS_SECONDS)
            except UnreachedError:
                return node
            return None

        found = await asyncio.gather(*(one(each) for each in nodes))
        return [each for each in found if each is not None]

    async def close(self) -> None:
        """See `Talk`."""
        await self._session.close()

    async def _view(self, lab: Lab, group: str, node: str) -> View | None:
        try:
            found = await self.do(lab, node, "status", seconds=STATUS_SECONDS)
        except ClusterError:
            return None
        return view_of(found, node, group)


def _url(node: Node) -> str:
    return f"http://{HOST}:{node.client_port}"


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nobody listens there"
    return str(error) or "timed out"
