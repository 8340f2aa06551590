"""A client of a lab's nodes (engine walctl): asks by the strict API, and says what became of it.

It knows the leader of a group from the last answer. Where nothing was proposed (another node leads,
nobody does, nobody listens) it tries again until its time is over; where nobody can tell, it never
does: a second try could do it twice. `via` names a node to begin with: from a node that does not
lead a write is sent on to the one that does, as for every client.

Who holds a group may change while a client lives: answers name them, and it goes after the group.
"""

import asyncio
import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote_from_bytes

import aiohttp
from yarl import URL

from walctl.cluster.answers import Answer, Fate, Read, Wait
from walctl.cluster.api_heads import FATE, HOSTS, INDEX, LEADER
from walctl.cluster.lab import HOST, Lab, MachineKind

PROPOSED: Final = "it was proposed, and may never happen"
"""The words of a write that waits for nothing more, as raftexample's do."""
ANSWER_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.05
GONE: Final = 410
GRACE_SECONDS: Final = 1.0
"""A node says itself when it has waited long enough; the client waits a little longer for that."""
_WRITE: Final = "POST"
"""PUT and DELETE may be repeated, says HTTP, and the library does so where a connection breaks. A
write that is done twice, with another in between, is no write that was done once."""
_SAFE: Final = "/:@!$'()*,;-._~"


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer as it came: `leader` is where it sends us, `hosts` who has the group, by port."""

    answer: Answer
    status: int = 0
    leader: str | None = None
    body: bytes = b""
    hosts: Mapping[str, int] = field(default_factory=dict)


class LabClient:
    """A `Client` of engine walctl. `seconds` is how long one request may take in all."""

    def __init__(
        self, lab: Lab, *, seconds: float = ANSWER_SECONDS, connector: aiohttp.BaseConnector
    ) -> None:
        self._nodes = {
            each.name: f"http://{HOST}:{each.client_port}"
            for each in lab.nodes
            if not each.is_removed
        }
        self._hosts = {each.name: each.hosts for each in lab.groups}
        self._has_bare_keys = lab.settings.machine is MachineKind.ETCD
        self._seconds = seconds
        self._leaders: dict[str, str] = {}
        self._session = aiohttp.ClientSession(connector=connector)

    async def put(
        self,
        key: bytes,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
        wait: Wait = Wait.COMMIT,
    ) -> Answer:
        """See `Client`."""
        words = {"wait": str(wait).encode()}
        return (await self._ask(_WRITE, group, key, words, via=via, body=value)).answer

    async def get(
        self, key: bytes, *, group: str, via: str | None = None, read: Read = Read.INDEX
    ) -> Answer:
        """See `Client`."""
        reply = await self._ask("GET", group, key, {"read": str(read).encode()}, via=via)
        if reply.answer.fate is Fate.OK and reply.status == 200:
            return replace(reply.answer, value=reply.body)
        return reply.answer

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        """See `Client`."""
        words = {"wait": b"commit", "delete": b""}
        return (await self._ask(_WRITE, group, key, words, via=via)).answer

    async def swap(
        self,
        key: bytes,
        expected: bytes | None,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
    ) -> Answer:
        """See `Client`."""
        words = {"wait": b"commit"}
        words |= {"absent": b""} if expected is None else {"expect": expected}
        return (await self._ask(_WRITE, group, key, words, via=via, body=value)).answer

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read = Read.INDEX
    ) -> tuple[Answer, dict[bytes, bytes]]:
        """See `Client`."""
        words = {"read": str(read).encode(), "prefix": b""}
        reply = await self._ask("GET", group, prefix, words, via=via)
        if reply.answer.fate is not Fate.OK:
            return reply.answer, {}
        pairs = json.loads(reply.body)["pairs"]
        decode = base64.b64decode
        return reply.answer, {decode(each["key"]): decode(each["value"]) for each in pairs}

    async def close(self) -> None:
        """Let connections go."""
        await self._session.close()

    async def _ask(
        self,
        method: str,
        group: str,
        key: bytes,
        words: Mapping[str, bytes],
        *,
        via: str | None = None,
        body: bytes | None = None,
    ) -> _Reply:
        """Ask until it was done, or certainly not, or nobody can tell, or the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        tried: list[str] = []
        node = via or self._leaders.get(group)
        while True:
            node = node or self._next(group, tried, via)
            if node is None:
                return _Reply(Answer(fate=Fate.FAIL, words=f"nobody holds group {group!r}"))
            left = end - loop.time()
            reply = await self._once(method, node, group, key, words, body, max(left, 0.001))
            self._learn(group, node, reply)
            if reply.status == GONE:
                via = None  # the node that was named has it no more
            elif reply.status and reply.status != 307:
                self._leaders[group] = node
            if not _may_ask_again(reply) or loop.time() + PAUSE_SECONDS >= end:
                return reply
            tried.append(node)
            self._leaders.pop(group, None)
            node = reply.leader if reply.leader not in tried[-2:] else None
            if node not in self._nodes:
                node = None
            if node is None:
                await asyncio.sleep(PAUSE_SECONDS)

    def _next(self, group: str, tried: list[str], via: str | None) -> str | None:
        """Whom to ask: in turn, unless the caller named one; any node may know who has it now."""
        if via is not None:
            return via
        nodes = [each for each in self._hosts.get(group, ()) if each in self._nodes]
        nodes += [each for each in self._nodes if each not in nodes]
        return nodes[len(tried) % len(nodes)] if nodes else None

    def _learn(self, group: str, node: str, reply: _Reply) -> None:
        """Who has the group, as this answer says."""
        if not reply.hosts:
            return
        self._nodes |= {name: f"http://{HOST}:{port}" for name, port in reply.hosts.items()}
        own = () if reply.status == GONE else (node,)
        self._hosts[group] = (*own, *reply.hosts)

    async def _once(
        self,
        method: str,
        node: str,
        group: str,
        key: bytes,
        words: Mapping[str, bytes],
        body: bytes | None,
        seconds: float,
    ) -> _Reply:
        words = {**words, "timeout": str(max(1, int(seconds * 1000))).encode()}
        query = "&".join(
            f"{name}={quote_from_bytes(value, safe='')}" if value or name == "expect" else name
            for name, value in words.items()
        )
        target = quote_from_bytes(key, safe=_SAFE)
        slash = "/" if self._has_bare_keys else ""
        url = URL(f"{self._nodes[node]}/groups/{group}{slash}{target}?{query}", encoded=True)
        # A stream, for a long body would else be copied whole into the socket's buffer at once.
        data = io.BytesIO(body) if body is not None else None
        timeout = aiohttp.ClientTimeout(total=seconds + GRACE_SECONDS)
        # What did not reach a node did nothing; what may have reached it may have done anything.
        broken = Fate.FAIL if method == "GET" else Fate.UNKNOWN
        try:
            async with self._session.request(
                method, url, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                return _reply(response, await response.read(), node)
        except aiohttp.ClientConnectorError as error:
            return _Reply(Answer(fate=Fate.FAIL, node=node, words=f"{node}: {error.strerror}"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = str(error) or "timed out"
            return _Reply(Answer(fate=broken, node=node, words=f"{node}: {text}"))


def _reply(response: aiohttp.ClientResponse, body: bytes, node: str) -> _Reply:
    index = response.headers.get(INDEX)
    fate = Fate(response.headers.get(FATE, Fate.UNKNOWN))
    is_octets = response.content_type == "application/octet-stream"
    is_value = response.status == 412 and is_octets
    return _Reply(
        Answer(
            fate=fate,
            index=None if index is None else int(index),
            value=body if is_value else None,
            node=node,
            words="" if fate is Fate.OK else _first_line(body, response),
        ),
        status=response.status,
        leader=response.headers.get(LEADER),
        body=body,
        hosts=dict(_hosts(response.headers.get(HOSTS, ""))),
    )


def _hosts(text: str) -> Iterator[tuple[str, int]]:
    for each in text.split(","):
        name, _, port = each.strip().partition("=")
        if name and port.isdecimal():
            yield name, int(port)


def _first_line(body: bytes, response: aiohttp.ClientResponse) -> str:
    if response.status == 412:
        return "the key holds something else"
    if response.status == 204:
        return PROPOSED
    return body.decode("utf-8", "replace").strip() or f"status {response.status}"


def _may_ask_again(reply: _Reply) -> bool:
    """Whether certainly nothing was proposed, for a reason that may pass."""
    return reply.answer.fate is Fate.FAIL and reply.status in (0, 307, 503, GONE)
