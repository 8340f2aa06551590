"""The exact definition of a declared message, in construct: every rule of etcd's own parser.

What it knows beyond the fast codec: where each field lies, absent against zero, unknown fields,
varints longer than they need be, and gogo/protobuf's words for what is malformed, in the order in
which gogo checks. gogo's rules, as its generated code (Unmarshal, skipRecord) has them:

- A varint has at most ten bytes, any of them superfluous; bits beyond the 64th fall off, and a
  32-bit field keeps the low 32. A bool is true unless zero.
- A tag is a varint; the field number is its upper part as a *signed 32-bit* number, and below 1
  illegal. The end of a group is looked for first, then the number, then the wire type.
- A repeated number may be packed or not. The last element of a packed list may run over the end
  of the list, into what follows it; parsing goes on behind that element.
- A single field that comes twice: the last one counts; a nested message is merged instead, unless
  it belongs to a oneof, where the last member replaces whatever was there.
- An unknown field is skipped by its wire type. Groups nest, and their numbers are not compared.

Where gogo differs by version, the code of etcd 3.5 is followed. It has no bounds on nesting and
fields; ours come from `formats.limits`.

Source: etcd 3.5 `server/wal/walpb/record.pb.go`, raft `raftpb/raft.pb.go`.
"""

import io
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import construct

from formats import limits
from formats.errors import LimitError, WireError
from formats.fields import FieldSpec, Kind, MessageSpec, Wire, reachable
from formats.spans import FieldSpan, Value
from formats.varint import build_varint
from formats.window import Window

if TYPE_CHECKING:
    Definition: TypeAlias = construct.Construct[Any, Any]
    Adapter: TypeAlias = construct.Adapter[Any, Any, Any, Any]
else:
    Definition = construct.Construct
    Adapter = construct.Adapter

_UINT_MAX = (1 << 64) - 1


class Varint(Definition):
    """An unsigned varint by gogo's rules; built in as few bytes as possible.

    construct's own takes any number of bytes and does not stop at the end of a message.
    """

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        return stream.varint()

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        stream.write(build_varint(obj))
        return obj


class Integer(Adapter):
    """A varint of which the low `bits` count, read as two's complement when `is_signed`."""

    def __init__(self, subcon: Definition, *, bits: int, is_signed: bool) -> None:
        super().__init__(subcon)
        self.bits = bits
        self.is_signed = is_signed

    def _decode(self, obj: int, context: Any, path: Any) -> int:
        value = obj & ((1 << self.bits) - 1)
        return value - (1 << self.bits) if self.is_signed and value >> (self.bits - 1) else value

    def _encode(self, obj: int, context: Any, path: Any) -> int:
        low = -(1 << (self.bits - 1)) if self.is_signed else 0
        if not low <= obj < low + (1 << self.bits):
            sign = "signed" if self.is_signed else "unsigned"
            raise WireError(f"{obj} does not fit {self.bits} bits {sign}")
        return obj & _UINT_MAX  # a negative int32 too takes ten bytes


class Truth(Adapter):
    """A varint that is true unless zero."""

    def _decode(self, obj: int, context: Any, path: Any) -> bool:
        return obj != 0

    def _encode(self, obj: bool, context: Any, path: Any) -> int:
        return int(obj)


class Sized(Definition):
    """A length, then that many bytes of `subcon`: bytes, text or a message.

    Parsing gives the pair (offset of the first byte, value). A negative length, or one with which
    etcd's 64-bit position would overflow, is an error of its own; then the end of the message is
    looked at, and only then is anything read.
    """

    def __init__(self, subcon: Definition) -> None:
        super().__init__()
        self.subcon = subcon

    def _parse(self, stream: Any, context: Any, path: Any) -> tuple[int, Any]:
        length = stream.length(stream.start)
        start, stop = stream.start, stream.stop
        stream.start = stream.tell()
        stream.stop = stream.start + length
        value_start = stream.start
        value = self.subcon._parsereport(stream, context, path)
        stream.start, stream.stop = start, stop
        return value_start, value

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        part = io.BytesIO()
        self.subcon._build(obj, part, context, path)
        VARINT._build(part.tell(), stream, context, path)
        stream.write(part.getvalue())
        return obj


class Rest(Definition):
    """All bytes up to the end that the length in front of them set."""

    def _parse(self, stream: Any, context: Any, path: Any) -> bytes:
        return cast(bytes, stream.read(stream.stop - stream.tell()))

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        stream.write(obj)
        return obj


class Text(Adapter):
    """Bytes as UTF-8; what is none becomes surrogate escapes and comes back as it was."""

    def _decode(self, obj: bytes, context: Any, path: Any) -> str:
        return obj.decode("utf-8", "surrogateescape")

    def _encode(self, obj: str, context: Any, path: Any) -> bytes:
        try:
            return obj.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise WireError(f"text that no bytes stand for: {error.reason}") from error


class Packed(Definition):
    """Elements up to the end of the list; the last one may run over it, as it may in gogo."""

    def __init__(self, subcon: Definition) -> None:
        super().__init__()
        self.subcon = subcon

    def _parse(self, stream: Any, context: Any, path: Any) -> tuple[int, tuple[int, ...]]:
        length = stream.length(stream.start)
        value_start = stream.tell()
        stop = value_start + length
        values = []
        while stream.tell() < stop:
            stream.count()
            values.append(self.subcon._parsereport(stream, context, path))
        return value_start, tuple(values)


class Skipped(Definition):
    """The value of an unknown field, given its wire type; what the value says is ignored."""

    def __init__(self, wire_type: int) -> None:
        super().__init__()
        self.wire_type = wire_type

    def _parse(self, stream: Any, context: Any, path: Any) -> None:
        wire_type, depth = self.wire_type, 0
        while True:
            if wire_type == Wire.GROUP_START:
                depth += 1
            elif wire_type == Wire.GROUP_END:
                depth -= 1
            else:
                # Inside a group, gogo counts from the field; behind it, from the message.
                self._skip(wire_type, stream, stream.field_start if depth else stream.start)
            if stream.depth - 1 + depth > limits.NESTING_MAX:
                raise LimitError("groups nested too deeply", offset=stream.field_start)
            if depth == 0:
                return
            stream.count()
            wire_type = stream.varint() & 7

    def _skip(self, wire_type: int, stream: Window, base: int) -> None:
        if wire_type == Wire.VARINT:
            stream.varint()
        elif wire_type == Wire.FIXED64:
            stream.take(8)
        elif wire_type == Wire.BYTES:
            stream.seek(stream.length(base), io.SEEK_CUR)
        elif wire_type == Wire.FIXED32:
            stream.take(4)
        else:
            raise stream.wrong(f"proto: illegal wireType {wire_type}")


class Fields(Definition):
    """A message: its fields in the order in which they come, up to the end of the window."""

    def __init__(self, spec: MessageSpec) -> None:
        super().__init__()
        self.spec = spec
        self.values: dict[int, tuple[FieldSpec, Definition]] = {}

    def _parse(self, stream: Any, context: Any, path: Any) -> tuple[FieldSpan, ...]:
        if stream.depth > limits.NESTING_MAX:
            raise LimitError("messages nested too deeply", offset=stream.field_start)
        found = []
        stream.depth += 1
        while stream.tell() < stream.stop:
            stream.field_start = stream.tell()
            stream.count()
            found.append(self._field(stream, context, path))
        stream.depth -= 1
        return tuple(found)

    def _field(self, stream: Window, context: Any, path: Any) -> FieldSpan:
        start = stream.field_start
        tag = stream.varint()
        number = _signed32(tag >> 3)
        wire_type = tag & 7
        if wire_type == Wire.GROUP_END:
            raise stream.wrong(f"proto: {self.spec.go}: wiretype end group for non-group")
        if number <= 0:
            text = f"proto: {self.spec.go}: illegal tag {number} (wire type {tag})"
            raise stream.wrong(text)
        tag_stop = value_start = stream.tell()
        name: str | None = None
        value: Value = None
        nested: tuple[FieldSpan, ...] = ()
        if number not in self.values:
            Skipped(wire_type)._parsereport(stream, context, path)
            value = stream.whole_field()
        else:
            spec, definition = self.values[number]
            name = spec.name
            if wire_type == Wire.BYTES and _may_be_packed(spec):
                value_start, value = Packed(definition)._parsereport(stream, context, path)
            elif wire_type != spec.kind.wire_type:
                raise stream.wrong(f"proto: wrong wireType = {wire_type} for field {spec.go}")
            elif spec.kind is Kind.NESTED:
                value_start, nested = definition._parsereport(stream, context, path)
            elif wire_type == Wire.BYTES:
                value_start, value = definition._parsereport(stream, context, path)
            else:
                value = definition._parsereport(stream, context, path)
        stop = stream.tell()
        return FieldSpan(number, name, wire_type, start, tag_stop, value_start, stop, value, nested)

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        for spec, definition in self.values.values():
            value = getattr(obj, spec.name)
            for single in value if spec.is_repeated else () if value is None else (value,):
                VARINT._build(spec.number << 3 | spec.kind.wire_type, stream, context, path)
                definition._build(single, stream, context, path)
        for unknown in obj.unknown:
            stream.write(unknown.data)
        return obj


def _signed32(value: int) -> int:
    low = value & 0xFFFF_FFFF
    return low - (1 << 32) if low >> 31 else low


def _may_be_packed(spec: FieldSpec) -> bool:
    return spec.is_repeated and spec.kind.wire_type is Wire.VARINT


VARINT = Varint()
_SINGLES: dict[Kind, Definition] = {
    Kind.INT64: Integer(VARINT, bits=64, is_signed=True),
    Kind.UINT64: Integer(VARINT, bits=64, is_signed=False),
    Kind.INT32: Integer(VARINT, bits=32, is_signed=True),
    Kind.UINT32: Integer(VARINT, bits=32, is_signed=False),
    Kind.BOOL: Truth(VARINT),
    Kind.BYTES: Sized(Rest()),
    Kind.STRING: Sized(Text(Rest())),
}


def define(cls: type[Any]) -> Fields:
    """The definition of the message `cls`, and with it of every message below."""
    definitions = {spec.cls: Fields(spec) for spec in reachable(cls)}
    for definition in definitions.values():
        for field in definition.spec.fields:
            single = Sized(definitions[field.target]) if field.target else _SINGLES[field.kind]
            definition.values[field.number] = (field, single)
    return definitions[cls]


def parse(definition: Fields, data: bytes) -> tuple[FieldSpan, ...]:
    """The fields of `data`, in the order in which they lie there.

    Raises: FormatError, with gogo's words where gogo has any.
    """
    if len(data) > limits.MESSAGE_BYTES_MAX:
        raise LimitError(f"{len(data)} bytes are more than a message may have")
    return cast(tuple[FieldSpan, ...], definition.parse_stream(Window(data)))


def build(definition: Fields, message: Any) -> bytes:
    """The bytes of `message`: what is set, in ascending order, unknown fields at the end.

    Raises: WireError, when a value does not fit its field.
    """
    return definition.build(message)
