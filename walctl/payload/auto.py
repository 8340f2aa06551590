"""The decoder that finds out for each payload whose it is, and claims nothing that it has not read.

Payloads do not say whose they are, and protobuf reads nearly anything. So each owner is asked for
exactly what it writes, the strictest first:

    gzip and zstd     a magic number; what comes out is asked again, once
    raftexample       a gob stream, by its grammar
    Swarm, Fabric     their message and nothing else
    etcd              its own rule; in a log that does not say it is etcd's, only a request that
                      etcd knows and that asks for something

and a value below `/registry/` may be an object of Kubernetes. In a log whose metadata is etcd's,
etcd is asked first and by its own rule alone: it has to apply whatever is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from walctl.model.record import EntryKind
from walctl.payload.base import Node, PayloadError, Request
from walctl.payload.compressed import opened
from walctl.payload.etcd import EMPTY, UNKNOWN, V2
from walctl.payload.fabric import decode_fabric
from walctl.payload.k8s import K8sDecoder
from walctl.payload.raftexample import RaftexampleDecoder
from walctl.payload.swarm import decode_swarm

_ETCD: Final = K8sDecoder(is_anywhere=False)
_RAFTEXAMPLE: Final = RaftexampleDecoder()


@dataclass(frozen=True, slots=True)
class AutoDecoder:
    """Reads any payload of a known owner.

    `strict` is for a log whose metadata is etcd's: what does not decode there is an error, since
    it would stop a server. Elsewhere it is just not known.
    """

    strict: bool = False
    name: str = "auto"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload, or `None` when no known owner wrote it.

        Raises: PayloadError, where `strict` asks for it, and for a compressed payload that is
        damaged or too long.
        """
        if not self.strict:
            return _any_owner(payload, kind)
        try:
            return _ETCD.decode(payload, kind)
        except PayloadError:
            request = _inside(payload, kind)
            if request is None:
                raise
            return request


def _any_owner(payload: bytes, kind: EntryKind) -> Request | None:
    """The strictest first."""
    return _inside(payload, kind) or _plain(payload, kind)


def _inside(payload: bytes, kind: EntryKind) -> Request | None:
    """What a compressed payload asks for, and how it was compressed; nothing is opened twice."""
    found = opened(payload)
    if found is None:
        return None
    name, inner = found
    request = _plain(inner, kind) if inner else None
    if request is None:
        return None
    return replace(request, body={**request.body, "compressed": name})


def _plain(payload: bytes, kind: EntryKind) -> Request | None:
    swarm = decode_swarm(payload)  # wraps changes of the membership as well
    if swarm is not None:
        return swarm
    try:
        if kind is not EntryKind.NORMAL:
            return _known(_ETCD.decode(payload, kind))
        return (
            _raftexample(payload) or decode_fabric(payload) or _known(_ETCD.decode(payload, kind))
        )
    except PayloadError:
        return None


def _raftexample(payload: bytes) -> Request | None:
    try:
        return _RAFTEXAMPLE.decode(payload, EntryKind.NORMAL)
    except PayloadError:
        return None


def _known(request: Request | None) -> Request | None:
    """The request if etcd would have written it, and not only read it.

    etcd passes over fields that it does not know, so that most messages of anybody would do for a
    request that asks for nothing.
    """
    if request is None or request.type in (EMPTY, UNKNOWN, V2) or _has_unknown(request.body):
        return None
    return request


def _has_unknown(node: Node) -> bool:
    """Whether a field was passed over anywhere in the tree.

    A context is the owner's own JSON, in which any word may stand.
    """
    if isinstance(node, Mapping):
        inner = (each for name, each in node.items() if name != "context")
        return "unknown" in node or any(_has_unknown(each) for each in inner)
    if isinstance(node, Sequence) and not isinstance(node, str):
        return any(_has_unknown(each) for each in node)
    return False
