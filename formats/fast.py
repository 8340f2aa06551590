"""The fast codec of a declared message: the protobuf package's (upb), built from the declaration.

upb is laxer than etcd's parser: it takes a wrong wire type for an unknown field, packed for
unpacked lists and back, and varints of any length, and it merges messages. So its result counts
only when the input has no unknown field and is byte for byte what upb writes for that result;
everything else is the business of `formats.exact`. Enums are declared int32 and text is declared
bytes, so that no value is refused or changed. Lists are declared unpacked, as etcd writes them.

The classes live in a pool of their own, out of the way of other users of the package.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from formats import limits
from formats.fields import FieldSpec, Kind, MessageSpec, reachable

_PACKAGE = "walctl"
_TYPES = {
    Kind.INT64: descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    Kind.UINT64: descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    Kind.INT32: descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    Kind.UINT32: descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    Kind.BOOL: descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    Kind.BYTES: descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    Kind.STRING: descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    Kind.NESTED: descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
}

Lift = Callable[[Any, int], Any]
"""Makes a dataclass of a upb message that `depth` messages lie around."""


class _UncountedError(Exception):
    """Beyond the limits: the definition has to say so."""


class FastCodec:
    """upb's class for one declared message, and the way from its objects to ours."""

    def __init__(self, cls: type[Any]) -> None:
        specs = reachable(cls)
        names = {spec.cls: _name(spec) for spec in specs}
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{names[cls]}.proto", package=_PACKAGE, syntax="proto2"
        )
        for spec in specs:
            _declare(file.message_type.add(), spec, names)
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(file.SerializeToString())
        descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.{names[cls]}")
        self.fast_class = message_factory.GetMessageClass(descriptor)
        self._lift = _lifts(specs)[cls]

    def parse(self, data: bytes) -> Any | None:
        """The message, or `None` where upb's word does not count."""
        try:
            parsed = self.fast_class.FromString(data)
        except message.DecodeError:
            return None
        parsed.DiscardUnknownFields()
        if parsed.SerializeToString(deterministic=True) != data:
            return None
        if len(data) > 2 * limits.FIELDS_MAX and _fields(parsed) > limits.FIELDS_MAX:
            return None
        try:
            return self._lift(parsed, 0)
        except _UncountedError:
            return None


def _name(spec: MessageSpec) -> str:
    """A name that is unique although several schemas have a Snapshot."""
    return f"{spec.cls.__module__.rpartition('.')[2]}_{spec.cls.__name__}"


def _declare(
    target: descriptor_pb2.DescriptorProto, spec: MessageSpec, names: dict[type[Any], str]
) -> None:
    target.name = names[spec.cls]
    oneofs: list[str] = []
    for field in spec.fields:
        declared = target.field.add(name=field.name, number=field.number)
        declared.type = _TYPES[field.kind]
        declared.label = declared.LABEL_REPEATED if field.is_repeated else declared.LABEL_OPTIONAL
        if field.target is not None:
            declared.type_name = f".{_PACKAGE}.{names[field.target]}"
        if field.oneof is not None:
            if field.oneof not in oneofs:
                oneofs.append(field.oneof)
                target.oneof_decl.add(name=field.oneof)
            declared.oneof_index = oneofs.index(field.oneof)


def _fields(parsed: message.Message) -> int:
    """Fields and list elements in `parsed`, those of nested messages included."""
    total = 0
    for field, value in parsed.ListFields():
        values = value if field.is_repeated else (value,)
        total += len(values)
        if field.message_type is not None:
            total += sum(_fields(nested) for nested in values)
    return total


def _lifts(specs: tuple[MessageSpec, ...]) -> dict[type[Any], Lift]:
    """One function a message; they find each other in the result, so messages may be recursive."""
    lifts: dict[type[Any], Lift] = {}
    for spec in specs:
        lifts[spec.cls] = _lift_of(spec, lifts)
    return lifts


def _lift_of(spec: MessageSpec, lifts: dict[type[Any], Lift]) -> Lift:
    """Only the fields that are there are gone through: a request has one of thirty."""
    cls = spec.cls
    fields = {field.number: (field.name, field.is_repeated, field) for field in spec.fields}
    plain = frozenset(field.number for field in spec.fields if _is_plain(field))

    def convert(field: FieldSpec, value: Any, depth: int) -> Any:
        if field.target is not None:
            return lifts[field.target](value, depth + 1)
        return value.decode("utf-8", "surrogateescape") if field.kind is Kind.STRING else value

    def lift(parsed: Any, depth: int) -> Any:
        if depth > limits.NESTING_MAX:
            raise _UncountedError
        values = {}
        for descriptor, value in parsed.ListFields():
            number = descriptor.number
            name, is_repeated, field = fields[number]
            if number in plain:
                values[name] = tuple(value) if is_repeated else value
            elif is_repeated:
                values[name] = tuple(convert(field, each, depth) for each in value)
            else:
                values[name] = convert(field, value, depth)
        return cls(**values)

    return lift


def _is_plain(field: FieldSpec) -> bool:
    """Whether upb's value is ours."""
    return field.target is None and field.kind is not Kind.STRING
