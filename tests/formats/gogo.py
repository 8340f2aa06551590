"""A second reading of gogo/protobuf's parser, kept apart from the one under test.

Written the way the generated Go runs: one position in one slice, 64-bit integers that wrap, the
same order of checks. It has gogo's texts and no offsets and no limits. It imports the
declarations, and nothing else of the formats.
"""

from dataclasses import fields
from typing import Any

from formats.fields import FieldSpec, Kind, UnknownField, spec_of

EOF = "unexpected EOF"
OVERFLOW = "proto: integer overflow"
NEGATIVE = "proto: negative length found during unmarshaling"


class GogoError(Exception):
    """What Unmarshal returns; the text is its message."""


def _wrap(value: int, bits: int, *, is_signed: bool) -> int:
    value %= 1 << bits
    return value - (1 << bits) if is_signed and value >= 1 << (bits - 1) else value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if shift >= 64:
            raise GogoError(OVERFLOW)
        if at >= len(data):
            raise GogoError(EOF)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value % (1 << 64), at
        shift += 7


def _sized(data: bytes, at: int) -> tuple[int, int]:
    raw, at = _varint(data, at)
    length = _wrap(raw, 64, is_signed=True)
    if length < 0:
        raise GogoError(NEGATIVE)
    post = _wrap(at + length, 64, is_signed=True)
    if post < 0:
        raise GogoError(NEGATIVE)
    if post > len(data):
        raise GogoError(EOF)
    return at, post


def _skip(data: bytes) -> int:
    at = depth = 0
    while at < len(data):
        wire, at = _varint(data, at)
        wire_type = wire & 7
        if wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type == 1:
            at += 8
        elif wire_type == 2:
            raw, at = _varint(data, at)
            length = _wrap(raw, 64, is_signed=True)
            if length < 0:
                raise GogoError(NEGATIVE)
            at = _wrap(at + length, 64, is_signed=True)
        elif wire_type == 3:
            depth += 1
        elif wire_type == 4:
            if depth == 0:
                raise GogoError("proto: unexpected end of group")
            depth -= 1
        elif wire_type == 5:
            at += 4
        else:
            raise GogoError(f"proto: illegal wireType {wire_type}")
        if at < 0:
            raise GogoError(NEGATIVE)
        if depth == 0:
            return at
    raise GogoError(EOF)


def _scalar(kind: Kind, raw: int) -> Any:
    if kind is Kind.BOOL:
        return raw != 0
    bits = 32 if kind in (Kind.INT32, Kind.UINT32) else 64
    return _wrap(raw, bits, is_signed=kind in (Kind.INT32, Kind.INT64))


def _store(message: dict[str, Any], spec: list[FieldSpec], field: FieldSpec, value: Any) -> None:
    if field.is_repeated:
        message[field.name] = (*message.get(field.name, ()), value)
        return
    if field.oneof:
        for other in spec:
            if other.oneof == field.oneof:
                message.pop(other.name, None)
    message[field.name] = value


def _known(
    message: dict[str, Any],
    cls: type[Any],
    field: FieldSpec,
    wire_type: int,
    data: bytes,
    at: int,
) -> int:
    spec = list(spec_of(cls).fields)
    wrong = GogoError(f"proto: wrong wireType = {wire_type} for field {field.go}")
    if field.kind in (Kind.BYTES, Kind.STRING, Kind.NESTED):
        if wire_type != 2:
            raise wrong
        at, post = _sized(data, at)
        part = data[at:post]
        if field.kind is Kind.BYTES:
            _store(message, spec, field, part)
        elif field.kind is Kind.STRING:
            _store(message, spec, field, part.decode("utf-8", "surrogateescape"))
        else:
            assert field.target is not None
            merges = not (field.is_repeated or field.oneof)
            target = message.get(field.name) if merges else None
            _store(message, spec, field, unmarshal(field.target, part, target))
        return post
    if wire_type == 0:
        raw, at = _varint(data, at)
        _store(message, spec, field, _scalar(field.kind, raw))
        return at
    if wire_type == 2 and field.is_repeated:
        at, post = _sized(data, at)
        while at < post:
            raw, at = _varint(data, at)
            _store(message, spec, field, _scalar(field.kind, raw))
        return at
    raise wrong


def unmarshal(cls: type[Any], data: bytes, onto: Any = None) -> Any:
    """Parse `data` into a `cls`, on top of `onto` when there is one.

    Raises: GogoError.
    """
    spec = list(spec_of(cls).fields)
    have = {each.name: getattr(onto, each.name) for each in fields(cls)} if onto else {}
    message = {name: value for name, value in have.items() if value is not None}
    at = 0
    while at < len(data):
        before = at
        wire, at = _varint(data, at)
        number = _wrap(wire >> 3, 32, is_signed=True)
        wire_type = wire & 7
        if wire_type == 4:
            raise GogoError(f"proto: {spec_of(cls).go}: wiretype end group for non-group")
        if number <= 0:
            raise GogoError(f"proto: {spec_of(cls).go}: illegal tag {number} (wire type {wire})")
        found = [field for field in spec if field.number == number]
        if found:
            at = _known(message, cls, found[0], wire_type, data, at)
            continue
        skipped = _skip(data[before:])
        at = _wrap(before + skipped, 64, is_signed=True)
        if at < 0:
            raise GogoError(NEGATIVE)
        if at > len(data):
            raise GogoError(EOF)
        raw_field = UnknownField(number=number, wire_type=wire_type, data=data[before:at])
        message["unknown"] = (*message.get("unknown", ()), raw_field)
    return cls(**message)
