"""What one request does to keys and leases: read off the fast codec's object, or off a tree.

Both ways say the same of the same payload; the tree is what any decoder gives, and the object
spares its making for etcd's own requests.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.limits import FIELDS_MAX
from formats.peek import peeker
from walctl.payload.base import Blob, Node, Request

DEPTH_MAX = 8
"""Transactions in one another that the fast way looks into."""
SIZE_MAX = 2 * FIELDS_MAX
"""A payload of so many bytes cannot have more fields than a message may."""

_PUTS = frozenset({"put", "v2_put", "v2_post"})
_DELETES = frozenset({"delete", "v2_delete"})
_COUNTED = frozenset({"txn", "lease_checkpoint"})
"""Requests that may have any number of fields."""
_INT64 = 1 << 64


@dataclass(slots=True, kw_only=True)
class Touch:
    """A request's type, and what it does.

    `puts` are key, bytes of key and value, and lease (0: none; unsigned); those of both branches of
    a transaction, since the log does not say which one is taken. `deletes` are keys, `ranges` the
    first keys of deleted ranges. The rest counts leases.
    """

    type: str
    puts: list[tuple[bytes, int, int]] = field(default_factory=list)
    deletes: list[bytes] = field(default_factory=list)
    ranges: list[bytes] = field(default_factory=list)
    granted: int = 0
    revoked: int = 0
    checkpoints: int = 0

    @property
    def writes(self) -> bool:
        """Whether it asks for a change of keys that makes a revision: the v2 store has none."""
        is_change = bool(self.puts or self.deletes or self.ranges)
        return is_change and not self.type.startswith("v2")

    def put(self, key: bytes, value_bytes: int, lease: int) -> None:
        """One more put."""
        self.puts.append((key, len(key) + value_bytes, lease % _INT64))

    def delete(self, key: bytes, range_end: bytes) -> None:
        """One more delete, of a range if it has an end."""
        (self.ranges if range_end else self.deletes).append(key)


@functools.cache
def _peek() -> Callable[[bytes], Any]:
    return peeker(INTERNAL_RAFT_REQUEST)


def touch_of_payload(payload: bytes) -> Touch | None:
    """What etcd's request in a payload does; `None` where only a decoder can tell.

    It is told here for requests as etcd's servers write them: with a header and one request.
    """
    parsed = _peek()(payload)
    fields = parsed.ListFields() if parsed is not None else []
    if len(fields) != 2:
        return None
    (first, inner), (second, _) = fields
    name = first.name
    if name == "header":
        (name, inner), second = (second.name, fields[1][1]), first
    if second.name != "header" or name in ("id", "v2"):
        return None
    if name in _COUNTED and len(payload) > SIZE_MAX:
        return None
    touch = Touch(type=name)
    match name:
        case "put":
            touch.put(inner.key, len(inner.value), inner.lease)
        case "delete_range":
            touch.delete(inner.key, inner.range_end)
        case "txn":
            return touch if _add_txn(touch, inner) else None
        case "lease_grant":
            touch.granted = 1
        case "lease_revoke":
            touch.revoked = 1
        case "lease_checkpoint":
            touch.checkpoints = len(inner.checkpoints)
        case _:
            pass
    return touch


def _add_txn(touch: Touch, txn: Any) -> bool:
    """Both branches of a transaction, with those inside; false where it nests too deep."""
    waiting = [(txn, 1)]
    while waiting:
        inner, depth = waiting.pop()
        if depth > DEPTH_MAX:
            return False
        for branch in (inner.success, inner.failure):
            for op in branch:
                kind = op.WhichOneof("request")
                if kind == "request_put":
                    put = op.request_put
                    touch.put(put.key, len(put.value), put.lease)
                elif kind == "request_delete_range":
                    touch.delete(op.request_delete_range.key, op.request_delete_range.range_end)
                elif kind == "request_txn":
                    waiting.append((op.request_txn, depth + 1))
    return True


def touch_of_request(request: Request, payload_bytes: int) -> Touch:
    """What a request does, by the tree that a decoder gave.

    A put or delete of an owner whose tree is not etcd's is told by the keys it touches; the bytes
    of its key and value are then those of the payload.
    """
    touch = Touch(type=request.type)
    is_etcd = False
    for name, node in _requests(request.body):
        is_etcd = True
        match name:
            case "put":
                lease = node.get("lease")
                key, value = _bytes(node.get("key")), _bytes(node.get("value"))
                touch.put(key, len(value), int(lease, 16) if isinstance(lease, str) else 0)
            case "delete_range":
                touch.delete(_bytes(node.get("key")), _bytes(node.get("range_end")))
            case "lease_grant":
                touch.granted += 1
            case "lease_revoke":
                touch.revoked += 1
            case "lease_checkpoint":
                touch.checkpoints += len(_list(node.get("checkpoints")))
    if not is_etcd and request.type in _PUTS | _DELETES:
        for each in request.keys:
            if request.type in _PUTS:
                touch.puts.append((each.key, payload_bytes, 0))
            else:
                touch.delete(each.key, each.end or b"")
    return touch


_TOLD = frozenset({"put", "delete_range", "lease_grant", "lease_revoke", "lease_checkpoint"})


def _requests(body: Mapping[str, Node]) -> Iterator[tuple[str, Mapping[str, Node]]]:
    """The requests in etcd's tree, those in transactions included, in no certain order."""
    waiting: list[tuple[str, Node]] = list(body.items())
    while waiting:
        name, node = waiting.pop()
        name = name.removeprefix("request_")
        if not isinstance(node, Mapping):
            continue
        if name == "txn":
            branches = (_list(node.get("success")), _list(node.get("failure")))
            for op in (each for branch in branches for each in branch):
                waiting += op.items() if isinstance(op, Mapping) else ()
        elif name in _TOLD and (name != "put" or isinstance(node.get("key"), Blob | None)):
            yield name, node


def _bytes(node: Node) -> bytes:
    return node.data if isinstance(node, Blob) else b""


def _list(node: Node) -> Sequence[Node]:
    return node if isinstance(node, Sequence) and not isinstance(node, str) else ()
