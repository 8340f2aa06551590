"""What a field says, in a few words: enums by their names, ids as etcd prints them."""

import enum
from typing import Any, Final

from formats import raftpb, rpcpb, walpb
from formats.etcdserverpb import Request as V2Request
from formats.fields import FieldSpec, Wire, spec_of
from formats.spans import FieldSpan, Value
from walctl.model.record import Check, Frame
from walctl.render.text import byte_count, counted, hex_id, quoted
from walctl.wal.records import TYPE_NAMES

QUOTED_COLUMNS_MAX: Final = 128
NUMBERS_MAX: Final = 8
"""Elements of a packed list that a line names."""

_ID_NAMES: Final = frozenset(
    {
        *("id", "node_id", "cluster_id", "member_id", "lease", "vote"),
        *("voters", "learners", "voters_outgoing", "learners_next"),
    }
)
"""Attributes that are ids of members, requests or leases wherever they stand."""


def _words(kind: type[enum.IntEnum]) -> dict[int, str]:
    return {member.value: member.name.lower().replace("_", "-") for member in kind}


_ENUMS: Final[dict[tuple[type[Any], str], dict[int, str]]] = {
    (walpb.Record, "type"): {int(kind): name for kind, name in TYPE_NAMES.items()},
    (raftpb.Entry, "type"): _words(raftpb.EntryType),
    (raftpb.ConfChange, "type"): _words(raftpb.ConfChangeType),
    (raftpb.ConfChangeSingle, "type"): _words(raftpb.ConfChangeType),
    (raftpb.ConfChangeV2, "transition"): _words(raftpb.ConfChangeTransition),
    **{key: {each.value: each.name for each in kind} for key, kind in rpcpb.ENUMS.items()},
}

_WIRES: Final = {
    Wire.VARINT: "a number",
    Wire.FIXED64: "8 bytes",
    Wire.BYTES: "bytes",
    Wire.GROUP_START: "a group",
    Wire.FIXED32: "4 bytes",
}

_CHECKS: Final = {
    Check.VERIFIED: "verified",
    Check.IMPLIED: "implied: the chain goes on from it",
    Check.UNVERIFIABLE: "nothing vouches for it",
    Check.SKIPPED: "not looked at",
}


def message_name(cls: type[Any]) -> str:
    """What etcd calls a message."""
    return "v2 Request" if cls is V2Request else spec_of(cls).go


def field_words(cls: type[Any], field: FieldSpec | None, span: FieldSpan) -> str:
    """What one field of a `cls` says; `field` is `None` for one that nobody declared."""
    if field is None:
        return f"{_WIRES[Wire(span.wire_type)]}: {message_name(cls)} has no such field"
    if field.target is not None:
        return f"{byte_count(span.value_stop - span.value_start)} of {message_name(field.target)}"
    if isinstance(span.value, tuple):
        named = [_single(cls, field, each) for each in span.value[:NUMBERS_MAX]]
        more = len(span.value) - len(named)
        return ", ".join([*named, f"{more:,} more"] if more else named) or "nothing"
    return _single(cls, field, span.value)


def _single(cls: type[Any], field: FieldSpec, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | str):
        size = f", {byte_count(len(value))}" if len(value) > QUOTED_COLUMNS_MAX else ""
        return quoted(value, width_max=QUOTED_COLUMNS_MAX) + size
    assert isinstance(value, int), "lists are taken apart, and messages have fields"
    if (cls, field.name) in _ENUMS:
        return f"{value} = {_ENUMS[cls, field.name].get(value, 'unknown')}"
    return hex_id(value) if field.name in _ID_NAMES else str(value)


def checksum_words(stored: int, frame: Frame | None, *, is_checkpoint: bool) -> str:
    """A record's checksum, and what is known of it; `frame` is `None` where no record was made."""
    value = f"{stored:08x}"
    if is_checkpoint:
        return f"{value}, the next record goes on from it"
    if frame is None:
        return value
    if frame.check is Check.FAILED:
        gives = "" if frame.computed is None else f": the data gives {frame.computed:08x}"
        return f"{value}, failed{gives}"
    return f"{value}, {_CHECKS[frame.check]}"


def length_words(record_bytes: int, padding_bytes: int, *, is_canonical: bool, rest: int) -> str:
    """A length field; `rest` is how many bytes there are behind it."""
    if record_bytes == padding_bytes == 0:
        return "no more records in this segment"
    padding = f"{padding_bytes:,} of padding" if padding_bytes else "no padding"
    words = f"{counted(record_bytes, 'byte')} of record, {padding}"
    if not is_canonical:
        words += "; not as etcd writes it"
    return words if record_bytes + padding_bytes <= rest else f"{words}; here are {rest:,}"
