"""How a protobuf message is declared: once, as a frozen dataclass; both codecs follow from that.

A declaration says everything that the bytes depend on: number, kind, presence, oneof and the name
that etcd's parser uses in its error texts. Nothing is parsed here, and neither construct nor
protobuf is imported: declaring messages costs nothing at start-up.

    @message
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Metadata:
        node_id: Annotated[int | None, Field(1, UINT64, presence=ALWAYS, go="NodeID")] = None
        unknown: tuple[UnknownField, ...] = ()

A field that is absent from the wire is `None`; a repeated field is a tuple; `unknown` keeps what
the declaration does not name.
"""

import enum
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, TypeVar, overload

M = TypeVar("M")


class Wire(enum.IntEnum):
    """Wire types; the low three bits of a tag. 6 and 7 do not exist."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    GROUP_START = 3
    GROUP_END = 4
    FIXED32 = 5


class Kind(enum.Enum):
    """What a field's value is. Enums are declared `INT32`: an unknown number is no failure."""

    INT64 = "int64"
    UINT64 = "uint64"
    INT32 = "int32"
    UINT32 = "uint32"
    BOOL = "bool"
    BYTES = "bytes"
    STRING = "string"
    """Bytes that should be UTF-8; others come as surrogate escapes, as etcd's parser takes any."""
    NESTED = "nested"
    """A message; which one, the annotation says."""

    @property
    def wire_type(self) -> Wire:
        """The wire type of one value."""
        is_sized = self in (Kind.BYTES, Kind.STRING, Kind.NESTED)
        return Wire.BYTES if is_sized else Wire.VARINT


class Presence(enum.Enum):
    """When etcd's writer puts a field on the wire; parsing does not depend on it."""

    OPTIONAL = "optional"
    """When it is set, also to an empty value (proto2 and messages)."""
    ALWAYS = "always"
    """Also when zero or empty: gogo's `nullable=false` of proto2, marked A in etcd's tables."""
    IMPLICIT = "implicit"
    """Unless zero or empty (proto3 scalars). A member of a oneof is OPTIONAL instead."""


INT64: Final = Kind.INT64
UINT64: Final = Kind.UINT64
INT32: Final = Kind.INT32
UINT32: Final = Kind.UINT32
BOOL: Final = Kind.BOOL
BYTES: Final = Kind.BYTES
STRING: Final = Kind.STRING
NESTED: Final = Kind.NESTED
OPTIONAL: Final = Presence.OPTIONAL
ALWAYS: Final = Presence.ALWAYS
IMPLICIT: Final = Presence.IMPLICIT


@dataclass(frozen=True, slots=True)
class Field:
    """What an annotation says of one field.

    `go` is the name in etcd's error texts where it is not the attribute's in camel case, `proto`
    the name in the schema where it is not the attribute's (`TTL`, `memberID`). Fields with the same
    `oneof` exclude each other: the one that comes last on the wire stays.
    """

    number: int
    kind: Kind
    presence: Presence = OPTIONAL
    oneof: str | None = None
    go: str | None = None
    proto: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownField:
    """A field that the declaration does not name; `data` is all of it, the tag included."""

    number: int
    wire_type: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of a declared message, resolved.

    `name` is the attribute, `go` the name in error texts, `proto` the name in the schema, `target`
    the class of a nested message.
    """

    name: str
    number: int
    kind: Kind
    presence: Presence
    oneof: str | None
    go: str
    proto: str
    is_repeated: bool
    target: type[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSpec:
    """A declared message: its class, its name in error texts, its fields in ascending order."""

    cls: type[Any]
    go: str
    fields: tuple[FieldSpec, ...]


_GO_NAMES: dict[type[Any], str] = {}
_SPECS: dict[type[Any], "MessageSpec"] = {}


@overload
def message(cls: type[M], /) -> type[M]: ...


@overload
def message(*, go: str) -> Callable[[type[M]], type[M]]: ...


def message(
    cls: type[M] | None = None, /, *, go: str | None = None
) -> type[M] | Callable[[type[M]], type[M]]:
    """Declare a dataclass to be a message; `go` is its name in error texts if not the class's."""

    def declare(declared: type[M]) -> type[M]:
        assert any(field.name == "unknown" for field in fields(typing.cast(Any, declared)))
        _GO_NAMES[declared] = go or declared.__name__
        return declared

    return declare if cls is None else declare(cls)


def spec_of(cls: type[Any]) -> MessageSpec:
    """The declaration of `cls`, resolved from its annotations on first use."""
    if cls not in _SPECS:
        _SPECS[cls] = _resolve(cls)
    return _SPECS[cls]


def _resolve(cls: type[Any]) -> MessageSpec:
    hints = typing.get_type_hints(cls, include_extras=True)
    specs = [
        _resolve_field(name, hint)
        for name, hint in hints.items()
        if name != "unknown" and typing.get_origin(hint) is Annotated
    ]
    numbers = [spec.number for spec in specs]
    assert len(specs) == len(hints) - 1, f"{cls.__name__}: a field without Field()"
    assert len(set(numbers)) == len(numbers), f"{cls.__name__}: a number used twice"
    ordered = tuple(sorted(specs, key=lambda spec: spec.number))
    return MessageSpec(cls=cls, go=_GO_NAMES[cls], fields=ordered)


def _resolve_field(name: str, hint: Any) -> FieldSpec:
    """Read one annotation: `T | None` is a single field, `tuple[T, ...]` a repeated one."""
    value_type, field = typing.get_args(hint)
    assert isinstance(field, Field)
    is_repeated = typing.get_origin(value_type) is tuple
    is_single = typing.get_origin(value_type) in (types.UnionType, typing.Union)
    assert is_repeated or is_single, f"{name}: neither `T | None` nor `tuple[T, ...]`"
    target = typing.get_args(value_type)[0] if field.kind is NESTED else None
    assert target is None or target in _GO_NAMES, f"{name}: its type is no message"
    return FieldSpec(
        name=name,
        number=field.number,
        kind=field.kind,
        presence=field.presence,
        oneof=field.oneof,
        go=field.go or "".join(word.capitalize() for word in name.split("_")),
        proto=field.proto or name,
        is_repeated=is_repeated,
        target=target,
    )


def reachable(cls: type[Any]) -> tuple[MessageSpec, ...]:
    """The declarations of `cls` and of every message below it, `cls` first, each once."""
    found: dict[type[Any], MessageSpec] = {}
    waiting = [cls]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found[current] = spec_of(current)
        waiting += [field.target for field in found[current].fields if field.target is not None]
    return tuple(found.values())
