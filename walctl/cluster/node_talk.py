"""What operators ask of nodes of engine walctl: the other side of `node_control`."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from walctl.cluster.api_heads import TOKEN
from walctl.cluster.lab import HOST, Lab, Node
from walctl.errors import ClusterError

STATUS_SECONDS: Final = 2.0
DO_SECONDS: Final = 75.0
"""Longer than a node itself waits for anything that it is asked to do."""


class UnreachedError(ClusterError):
    """The node gave no answer; nobody can tell whether it did what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A group as one member of it tells; nodes by Raft's ids. `match` is empty but on a leader."""

    node: str
    id: int
    state: str
    is_leader: bool = False
    term: int = 0
    lead: int = 0
    commit: int = 0
    applied: int = 0
    voters: frozenset[int] = frozenset()
    learners: frozenset[int] = frozenset()
    outgoing: frozenset[int] = frozenset()
    match: Mapping[int, int] | None = None

    @property
    def members(self) -> frozenset[int]:
        """All of it, those that are leaving included."""
        return self.voters | self.learners | self.outgoing


class NodeTalk:
    """Speaks to the nodes of a lab; `close` it."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession()

    async def do(
        self, lab: Lab, node: str, verb: str, *, seconds: float = DO_SECONDS, **fields: Any
    ) -> dict[str, Any]:
        """Have a node do something; what it says of it.

        Raises: UnreachedError; ClusterError, with its words where it refuses.
        """
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
        """The group as these nodes see it, those left out that do not answer or have no part."""
        found = await asyncio.gather(*(self._view(lab, group, each) for each in nodes))
        return {each.node: each for each in found if each is not None}

    async def reload(self, lab: Lab, nodes: Iterable[str]) -> list[str]:
        """Have nodes read the lab's file again; the names of those that gave no answer.

        A node that stands still does it when it goes on, one that is down when it starts.
        """

        async def one(node: str) -> str | None:
            try:
                await self.do(lab, node, "reload", seconds=STATUS_SECONDS)
            except UnreachedError:
                return node
            return None

        found = await asyncio.gather(*(one(each) for each in nodes))
        return [each for each in found if each is not None]

    async def close(self) -> None:
        """Let connections go."""
        await self._session.close()

    async def _view(self, lab: Lab, group: str, node: str) -> View | None:
        try:
            found = await self.do(lab, node, "status", seconds=STATUS_SECONDS)
        except ClusterError:
            return None
        node_id = int(found["id"], 16)
        for each in found["groups"]:
            if each["group"] == group:
                return _view(node, node_id, each)
        return None


def _view(node: str, node_id: int, found: Mapping[str, Any]) -> View:
    if found["state"] != "running":
        return View(node=node, id=node_id, state=found["state"])
    return View(
        node=node,
        id=node_id,
        state="running",
        is_leader=found["role"] == "leader",
        term=found["term"],
        lead=int(found["lead"], 16),
        commit=found["commit"],
        applied=found["applied"],
        voters=_ids(found["voters"]),
        learners=_ids(found["learners"]),
        outgoing=_ids(found["outgoing"]),
        match={int(peer, 16): each["match"] for peer, each in found["progress"].items()},
    )


def _ids(found: Iterable[str]) -> frozenset[int]:
    return frozenset(int(each, 16) for each in found)


def _url(node: Node) -> str:
    return f"http://{HOST}:{node.client_port}"


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nobody listens there"
    return str(error) or "timed out"
