"""The payload of an entry made again from the tree of its request, by the declarations of formats.

The tree is what the decoder of etcd's entries printed, or a person edited: names of the schema,
ids in hex, words for enums, bytes as `data` and `text`. What it leaves out is absent, but for the
fields that etcd before 3.7 always writes; see `Era`. Built are what etcd logs and Raft's changes
of membership, not what other decoders read.

Source: etcd-data-dir notes 5.1.
"""

import enum
import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from formats import limits
from formats.codec import Codec
from formats.errors import FormatError
from formats.etcdserverpb import REQUEST
from formats.fields import ALWAYS, IMPLICIT, FieldSpec, Kind, UnknownField, Wire, spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.raftpb import (
    CONF_CHANGE,
    CONF_CHANGE_V2,
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
)
from formats.rpcpb import ENUMS, PutRequest
from walctl.inspect.encode_values import (
    Tree,
    as_bytes,
    as_id,
    as_list,
    as_number,
    as_tree,
    as_truth,
    refuse,
    shown,
)
from walctl.inspect.where_tree import BYTES_FIELDS


class Era(enum.StrEnum):
    """By whose convention bytes are written."""

    GOGO = "3.6"
    """etcd up to 3.6: what counts as always there is written also when it is zero."""
    APIV2 = "3.7"
    """etcd from 3.7: what is set is written; an ordinary entry has no type."""


HEAD: Final = frozenset({"decoder", "type", "id"})
"""What a request's document has beside the tree."""

_CODECS: Final[Mapping[str, Codec[Any]]] = {
    "conf_change": CONF_CHANGE,
    "conf_change_v2": CONF_CHANGE_V2,
}

_ENUMS: Final[Mapping[tuple[type[Any], str], type[enum.IntEnum]]] = {
    **ENUMS,
    (ConfChange, "type"): ConfChangeType,
    (ConfChangeSingle, "type"): ConfChangeType,
    (ConfChangeV2, "transition"): ConfChangeTransition,
}

_BESIDE: Final = frozenset({(PutRequest, "kubernetes")})
"""What a decoder adds to a tree: said of the bytes that are there too."""

_ZEROS: Final = {Kind.BYTES: b"", Kind.STRING: "", Kind.BOOL: False}


RAFT: Final = "raft"
BUILT_DECODERS: Final = ("etcd", "k8s", RAFT)
"""Whose requests are built: etcd's own, also with objects beside, and changes of membership."""


def build_payload(request: Tree, era: Era) -> bytes:
    """The payload of the entry that asks for `request`. Raises: UsageError, with the place."""
    decoder = request.get("decoder")
    body = {name: node for name, node in request.items() if name not in HEAD}
    if decoder == RAFT:
        payload = _build_conf_change(body, era)
    elif decoder in BUILT_DECODERS:
        payload = _build_etcd(request, body, era)
    else:
        made_by = f"made by the decoder {shown(decoder)}"
        refuse("request", f"{made_by}; only those of etcd are built, others need their data")
    return payload


def _build_etcd(request: Tree, body: Tree, era: Era) -> bytes:
    if set(body) == {"v2"}:  # as etcd itself logs it: the v2 request alone, without a header
        message = _message(REQUEST.cls, body["v2"], "request.v2", era)
        asked = message.id
        payload = _built(REQUEST, message)
    else:
        message = _message(INTERNAL_RAFT_REQUEST.cls, body, "request", era)
        asked = (message.header.id if message.header is not None else None) or message.id
        payload = _built(INTERNAL_RAFT_REQUEST, message)
    said = request.get("id")
    if said is not None and as_id(said, "request.id") != (asked or 0):
        refuse("request.id", f"{shown(said)} is not the id that stands in the request")
    return payload


def _build_conf_change(body: Tree, era: Era) -> bytes:
    if len(body) != 1 or not body.keys() <= _CODECS.keys():
        refuse("request", f"expected one of {', '.join(_CODECS)}")
    ((name, node),) = body.items()
    codec = _CODECS[name]
    return _built(codec, _message(codec.cls, node, f"request.{name}", era))


def _built(codec: Codec[Any], message: Any) -> bytes:
    try:
        return codec.build(message)
    except FormatError as error:
        refuse("request", error.message)


def _message(cls: type[Any], node: object, place: str, era: Era, depth: int = 0) -> Any:
    """A declared message from its tree."""
    if depth > limits.NESTING_MAX:
        refuse(place, "nested too deeply")
    found = as_tree(node, place)
    if found.get("redacted") is True:
        as_bytes(found, place)  # refuses with the hint
    specs = {field.proto: field for field in spec_of(cls).fields}
    values: dict[str, Any] = {"unknown": _unknown(found.get("unknown"), f"{place}.unknown")}
    taken: dict[str, str] = {}
    for name, value in found.items():
        if name == "unknown" or value is None or (cls, name) in _BESIDE:
            continue
        field = specs.get(name)
        if field is None:
            close = get_close_matches(name, specs, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            refuse(place, f"it has no field {shown(name)}{hint}")
        if field.oneof is not None and taken.setdefault(field.oneof, name) != name:
            refuse(place, f"{taken[field.oneof]} and {name} exclude each other")
        values[field.name] = _values(cls, field, value, f"{place}.{name}", era, depth)
    if era is Era.GOGO:
        for field in specs.values():
            if field.presence is ALWAYS and values.get(field.name) is None:
                values[field.name] = _ZEROS.get(field.kind, 0)
    return cls(**values)


def _values(
    cls: type[Any], field: FieldSpec, value: object, place: str, era: Era, depth: int
) -> object:
    """One value, or all of a repeated field; `None` for a zero that is never written."""
    if field.is_repeated:
        return tuple(
            _single(cls, field, each, f"{place}[{position}]", era, depth)
            for position, each in enumerate(as_list(value, place))
        )
    single = _single(cls, field, value, place, era, depth)
    return None if field.presence is IMPLICIT and not single else single


def _single(
    cls: type[Any], field: FieldSpec, value: object, place: str, era: Era, depth: int
) -> object:
    match field.kind:
        case Kind.NESTED:
            assert field.target is not None
            return _message(field.target, value, place, era, depth + 1)
        case Kind.BYTES:
            is_json = (cls, field.name) in ((ConfChange, "context"), (ConfChangeV2, "context"))
            return _context(value, place) if is_json else as_bytes(value, place)
        case Kind.STRING:
            return as_bytes(value, place).decode("utf-8", "surrogateescape")
        case Kind.BOOL:
            return as_truth(value, place)
        case _:
            return _number(cls, field, value, place)


def _number(cls: type[Any], field: FieldSpec, value: object, place: str) -> int:
    """A number, the word of an enum, or an id in hex."""
    words = _ENUMS.get((cls, field.name))
    if words is None or not isinstance(value, str):
        return as_id(value, place) if isinstance(value, str) else as_number(value, place)
    written = value.upper().replace("-", "_")
    if written not in words.__members__:
        refuse(place, f"{shown(value)} is none of {', '.join(words.__members__)}")
    return int(words[written])


def _context(value: object, place: str) -> bytes:
    """The context of a change of membership: bytes, or the member as JSON, as etcd writes it."""
    is_tree = isinstance(value, Mapping) and bool(
        value.keys() - BYTES_FIELDS - {"redacted", "size"}
    )
    if not is_tree:
        return as_bytes(value, place)
    return json.dumps(_json(value, place, 0), ensure_ascii=False, separators=(",", ":")).encode()


def _json(value: object, place: str, depth: int) -> object:
    """JSON with its ids as the numbers that they were."""
    if depth > limits.NESTING_MAX:
        refuse(place, "nested too deeply")
    if isinstance(value, Mapping):
        if value.get("redacted") is True:
            as_bytes(value, place)  # refuses with the hint
        for name in value:
            as_bytes(name, f"{place}: a name")
        return {
            name: as_id(each, f"{place}.{name}")
            if name == "id" and isinstance(each, str)
            else _json(each, f"{place}.{name}", depth + 1)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_json(each, place, depth + 1) for each in value]
    if isinstance(value, str):
        as_bytes(value, place)  # a text that no UTF-8 can say would not be written
    if isinstance(value, float) and not math.isfinite(value):
        refuse(place, f"{value} is no number of JSON")
    return value


def _unknown(value: object, place: str) -> tuple[UnknownField, ...]:
    """Fields that the declarations lack, whole, as they were printed."""
    if value is None:
        return ()
    fields = []
    for position, each in enumerate(as_list(value, place)):
        where = f"{place}[{position}]"
        found = as_tree(each, where)
        fields.append(
            UnknownField(
                number=as_number(found.get("number"), f"{where}.number"),
                wire_type=as_number(found.get("wire_type", int(Wire.BYTES)), f"{where}.wire_type"),
                data=as_bytes(found.get("data"), f"{where}.data"),
            )
        )
    return tuple(fields)
