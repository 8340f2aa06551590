"""A client of a lab of real etcd members: see `answers.Client`.

Any member takes any request and hands it to the leader, so the client keeps to one that answers,
and goes to the next where nobody listens: nothing was sent then. etcd has no lease reads and no
answer before commit, so those are given what is more: a linearizable read, a committed write.
"""

import base64
import contextlib
from typing import Any, Final

import aiohttp

from walctl.cluster.answers import Answer, Fate, Read, Wait
from walctl.cluster.etcd_gateway import GatewayError, asked, revision
from walctl.cluster.lab import Lab, Node
from walctl.machine.mvcc import ENDLESS, prefix_end

REQUEST_SECONDS: Final = 10.0
"""Longer than etcd's own limit (5 s and two election timeouts), so that its words arrive."""
_AFTER_ALL: Final = b"\0"
"""As `range_end` behind the key `\\0`: every key. Source: etcd, `rpc.proto`, RangeRequest."""


class EtcdClient:
    """See `answers.Client`; `group` is there for the protocol's sake, a cluster of etcd has one."""

    def __init__(self, lab: Lab, *, seconds: float = REQUEST_SECONDS) -> None:
        self._nodes = {node.name: node for node in lab.nodes if not node.is_removed}
        self._seconds = seconds
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._order = list(self._nodes)

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        """See `answers.Client.put`."""
        body = {"key": _text(key), "value": _text(value)}
        return (await self._ask("/v3/kv/put", body, via))[0]

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        """See `answers.Client.get`."""
        body = {"key": _text(key), "serializable": read is Read.LOCAL}
        answer, found = await self._ask("/v3/kv/range", body, via)
        values = _rows(found)
        return _with_value(answer, next(iter(values.values()), None))

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        """See `answers.Client.delete`."""
        return (await self._ask("/v3/kv/deleterange", {"key": _text(key)}, via))[0]

    async def swap(
        self,
        key: bytes,
        expected: bytes | None,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
    ) -> Answer:
        """See `answers.Client.swap`."""
        name = _text(key)
        compare: dict[str, Any] = {"key": name, "result": "EQUAL"}
        if expected is None:
            compare |= {"target": "VERSION", "version": "0"}
        else:
            compare |= {"target": "VALUE", "value": _text(expected)}
        body = {
            "compare": [compare],
            "success": [{"requestPut": {"key": name, "value": _text(value)}}],
        }
        answer, found = await self._ask("/v3/kv/txn", body, via)
        if answer.fate is Fate.OK and not found.get("succeeded"):
            words = "the key does not hold what was expected"
            return Answer(fate=Fate.FAIL, index=answer.index, node=answer.node, words=words)
        return answer

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read
    ) -> tuple[Answer, dict[bytes, bytes]]:
        """See `answers.Client.range`."""
        body = {
            "key": _text(prefix or ENDLESS),
            "range_end": _text(prefix_end(prefix)),
            "serializable": read is Read.LOCAL,
        }
        answer, found = await self._ask("/v3/kv/range", body, via)
        return answer, _rows(found)

    async def close(self) -> None:
        """See `answers.Client.close`."""
        await self._session.close()

    async def _ask(
        self, route: str, body: dict[str, Any], via: str | None
    ) -> tuple[Answer, dict[str, Any]]:
        """A request to the node that was named, or to the first that is there."""
        names = [via] if via is not None else list(self._order)
        answer = Answer(fate=Fate.FAIL, words="the lab has no node to ask")
        for name in names:
            node = self._nodes.get(name)
            if node is None:
                words = f"{name}: no such node in this lab"
                return Answer(fate=Fate.FAIL, node=name, words=words), {}
            try:
                return await self._asked(node, route, body)
            except GatewayError as error:
                fate = Fate.FAIL if error.is_certain else Fate.UNKNOWN
                answer = Answer(fate=fate, node=name, words=error.message)
                self._put_last(name)
                if not error.is_unreached:
                    break
        return answer, {}

    async def _asked(
        self, node: Node, route: str, body: dict[str, Any]
    ) -> tuple[Answer, dict[str, Any]]:
        found = await asked(self._session, node, route, body, seconds=self._seconds)
        return Answer(fate=Fate.OK, index=revision(found), node=node.name), found

    def _put_last(self, name: str) -> None:
        """Ask this node last from now on."""
        with contextlib.suppress(ValueError):
            self._order.remove(name)
            self._order.append(name)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _rows(found: dict[str, Any]) -> dict[bytes, bytes]:
    """The keys and values of an answer, ascending by key as etcd gives them."""
    return {
        base64.b64decode(row["key"]): base64.b64decode(row.get("value", ""))
        for row in found.get("kvs", [])
    }


def _with_value(answer: Answer, value: bytes | None) -> Answer:
    return Answer(
        fate=answer.fate, index=answer.index, value=value, node=answer.node, words=answer.words
    )
