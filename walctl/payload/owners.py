"""Whose a payload is, where the log does not say it: every owner is asked for what it writes.

Payloads do not say whose they are, and protobuf reads nearly anything, so the strictest come
first and nothing is claimed that was not read:

    gzip and zstd     a magic number; what comes out is asked again, once
    Swarm, Fabric     their message and nothing else
    raftexample       a gob stream, by its grammar
    etcd              a request that etcd knows and that asks for something
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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


def owned(payload: bytes, kind: EntryKind) -> Request | None:
    """The request in a payload; `None` when no owner that we know wrote it.

    Raises: PayloadError, for a compressed payload that is damaged or too long.
    """
    return inside(payload, kind) or _plain(payload, kind)


def inside(payload: bytes, kind: EntryKind) -> Request | None:
    """What a compressed payload asks for, and how it was compressed; nothing is opened twice.

    `None` for any other. Raises: as `owned`.
    """
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
