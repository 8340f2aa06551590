"""Requests of etcd as JSON straight from upb's objects: what the tree of a request would give.

A Kubernetes cluster writes nearly everything in transactions. To make a tree of each, and JSON of
the tree, takes several times as long as to write what upb has read. Only what is plain goes this
way: a header and one request, nothing unknown, nothing that the redaction hides; a test holds both
ways to be equal for every request of real logs.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from formats.fields import FieldSpec, Kind, reachable, spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.k8s import OBJECT_STARTS
from formats.peek import peeker
from formats.rpcpb import ENUMS, PutRequest
from walctl.inspect.document import node_document
from walctl.payload.base import Redaction
from walctl.payload.etcd_fields import PRIVACY, enum_word, is_id, keeps_zero
from walctl.payload.k8s import head_of
from walctl.render.dump_json import blob, encode

Write = Callable[[Any], bytes]


class RequestJson:
    """Writes requests as `request_document` of an `EtcdDecoder` gives them.

    With `object_root` values under keys that begin so are looked at as a `K8sDecoder` does.
    """

    def __init__(self, redaction: Redaction, *, object_root: bytes | None = None) -> None:
        self._redaction = redaction
        self._root = object_root
        self._peek = peeker(INTERNAL_RAFT_REQUEST)
        self._writes: dict[type[Any], Mapping[int, tuple[bytes, bool, Write]]] = {}
        self._has_object = False
        self._hidden_of_header = [
            name for name, each in PRIVACY[RequestHeader].items() if redaction.hides(each)
        ]
        self._requests = {
            field.number: field
            for field in spec_of(InternalRaftRequest).fields
            if field.target is not None and field.name != "header" and self._is_open(field)
        }

    def text(self, payload: bytes) -> bytes | None:
        """The request in a payload, or `None` for what is not plain."""
        found = self._peek(payload)
        fields = [] if found is None else found.ListFields()
        if len(fields) != 2:
            return None
        (one, request), (other, header) = sorted(fields, key=lambda each: each[0].name == "header")
        field = self._requests.get(one.number)
        if other.name != "header" or field is None or not header.id:
            return None
        if any(getattr(header, name) for name in self._hidden_of_header):
            return None
        assert field.target is not None
        self._has_object = False
        try:
            head = self._message(RequestHeader, header)
            body = self._message(field.target, request)
        except UnicodeDecodeError:
            return None
        return b'{"decoder":"%b","type":"%b","id":"%x","header":%b,"%b":%b}' % (
            b"k8s" if self._has_object else b"etcd",
            field.proto.encode("ascii"),
            header.id,
            head,
            field.proto.encode("ascii"),
            body,
        )

    def _is_open(self, field: FieldSpec) -> bool:
        """Whether no part of a request is ever hidden, whatever it holds."""
        assert field.target is not None
        judged = [PRIVACY.get(spec.cls, {}).values() for spec in reachable(field.target)]
        hidden = any(self._redaction.hides(each) for privacies in judged for each in privacies)
        return field.name != "v2" and not hidden

    def _message(self, cls: type[Any], message: Any) -> bytes:
        """One message: its fields as they come, which is the order of their numbers."""
        writes = self._writes.get(cls)
        if writes is None:
            writes = self._writes[cls] = dict(self._plan(cls))
        parts = []
        for descriptor, value in message.ListFields():
            name, has_zero, write = writes[descriptor.number]
            if value or has_zero:
                parts.append(name + write(value))
        if cls is PutRequest and self._root is not None:
            parts += self._object(message)
        return b"{" + b",".join(parts) + b"}"

    def _plan(self, cls: type[Any]) -> Iterator[tuple[int, tuple[bytes, bool, Write]]]:
        for field in spec_of(cls).fields:
            name = b'"%b":' % field.proto.encode("ascii")
            write = self._write(cls, field)
            if field.is_repeated:
                write = partial(_list, write)
            yield field.number, (name, keeps_zero(field), write)

    def _write(self, cls: type[Any], field: FieldSpec) -> Write:
        """What writes one value of a field."""
        if field.target is not None:
            return partial(self._message, field.target)
        if field.kind is Kind.BYTES:
            return blob
        if field.kind is Kind.STRING:
            return _text
        if field.kind is Kind.BOOL:
            return _bool
        if is_id(cls, field.name):
            return _hex
        if (cls, field.name) in ENUMS:
            return partial(_enum, cls, field.name)
        return _number

    def _object(self, put: Any) -> list[bytes]:
        """What a Kubernetes object says of itself, beside the value that it is."""
        root = self._root or b""
        if not put.value.startswith(OBJECT_STARTS) or not put.key.startswith(root):
            return []
        head = head_of(put.key, put.value)
        if head is None:
            return []
        self._has_object = True
        node = node_document(head.node(), self._redaction)
        return [b'"kubernetes":' + encode(node).encode("ascii")]


def _list(write: Write, values: Any) -> bytes:
    return b"[" + b",".join(map(write, values)) + b"]"


def _text(data: bytes) -> bytes:
    return encode(data.decode("utf-8")).encode("ascii")


def _bool(value: bool) -> bytes:
    return b"true" if value else b"false"


def _hex(value: int) -> bytes:
    return b'"%b"' % f"{value:x}".encode("ascii")


def _number(value: int) -> bytes:
    return b"%d" % value


def _enum(cls: type[Any], attribute: str, value: int) -> bytes:
    return encode(enum_word(cls, attribute, value)).encode("ascii")
