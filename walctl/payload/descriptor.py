"""Payloads of a schema that the user brings: `--proto FILE.desc:Message`.

The file is a FileDescriptorSet, as `protoc --descriptor_set_out=FILE.desc --include_imports`
writes it; google's own well-known types may be missing from it. A payload must be a message of the
schema and nothing else: protobuf reads nearly any bytes as nearly any message, and passes over
what it does not know, so fields that the schema does not name are an error and not a detail.

Nothing is known of how private a field is, so all texts and bytes count as values. A map becomes
a list of pairs, since its keys are texts of the user's too. A field whose name a request has for
itself gets a `_` behind it.
"""

import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from formats import limits
from walctl.errors import UsageError
from walctl.model.record import EntryKind
from walctl.payload.base import OWN_NAMES, Blob, Node, PayloadError, Privacy, Request, Text
from walctl.payload.errors import shown
from walctl.payload.numbers import json_number

NAMES_MAX = 10
"""How many messages of a schema are listed when one is not found, and unknown fields named."""
WELL_KNOWN = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
}
"""Files that a descriptor set may import without holding them."""


@dataclass(frozen=True, slots=True)
class ProtoDecoder:
    """Reads payloads as a message of a descriptor set.

    `message` is its full name, or the last part of it where only one message is called so. It
    pickles as what it was made of. Raises: UsageError, when the bytes are no whole descriptor
    set, or have no such message.
    """

    descriptor_set: bytes
    message: str

    def __post_init__(self) -> None:
        _class_of(self.descriptor_set, self.message)

    @property
    def name(self) -> str:
        """What it is called where a row says who decoded it."""
        return "proto"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The payload of a normal entry as a tree; of the others as what Raft itself logs.

        Raises: PayloadError.
        """
        if kind is not EntryKind.NORMAL:
            return _not_ours(payload, kind)
        cls = _class_of(self.descriptor_set, self.message)
        full_name: str = cls.DESCRIPTOR.full_name
        try:
            found = cls.FromString(payload)
        except DecodeError as error:
            raise PayloadError(f"is no message {full_name}: {error}") from None
        _check_known(found, full_name)
        return Request(
            decoder=self.name,
            type=full_name,
            body=_beside_ours(_Builder().mapping(found), cls.DESCRIPTOR),
            words=(f"{full_name}, {len(payload):,} bytes",),
        )


def _beside_ours(body: dict[str, Node], schema: Descriptor) -> dict[str, Node]:
    """The fields by names that a request does not have for itself.

    A field called `type` or `id` would stand where JSON says what was read.
    """

    def free(name: str) -> str:
        if name not in OWN_NAMES:
            return name
        name += "_"
        while name in schema.fields_by_name:
            name += "_"
        return name

    return {free(name): node for name, node in body.items()}


def _not_ours(payload: bytes, kind: EntryKind) -> Request | None:
    if kind is EntryKind.UNKNOWN:
        return None
    from walctl.payload.confchange import decode_conf_change

    return decode_conf_change(payload, kind)


@functools.lru_cache(maxsize=8)
def _class_of(descriptor_set: bytes, message: str) -> Any:
    """upb's class for the message, from a pool of its own. Raises: UsageError."""
    files = _files_of(descriptor_set)
    pool = descriptor_pool.DescriptorPool()
    for file in _in_order(files):
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:  # upb's word for a file that contradicts itself or another
            words = " ".join(str(error).split())
            raise UsageError(f"the descriptor file is no schema: {shown(words)}") from None
    full_names = [name for file in files for name in _message_names(file)]
    return GetMessageClass(pool.FindMessageTypeByName(_chosen(full_names, message)))


def _files_of(descriptor_set: bytes) -> list[descriptor_pb2.FileDescriptorProto]:
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file
    except DecodeError:
        files = None
    if not files or not all(file.name for file in files):
        raise UsageError(
            "the descriptor file is no FileDescriptorSet: make it with "
            "protoc --include_imports --descriptor_set_out=FILE.desc FILE.proto"
        )
    return list(files)


def _in_order(
    files: list[descriptor_pb2.FileDescriptorProto],
) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    """The files, each after those it imports, with the well-known ones that they ask for.

    Raises: UsageError, when one is missing, or they import each other in a circle.
    """
    waiting = {file.name: file for file in files}
    needed = {each for file in files for each in file.dependency} - set(waiting)
    missing = sorted(needed - set(WELL_KNOWN))
    if missing:
        raise UsageError(
            f"the descriptor file lacks what it imports: {_listed(missing)}; "
            "make it with protoc --include_imports"
        )
    for name in needed:
        waiting[name] = descriptor_pb2.FileDescriptorProto.FromString(WELL_KNOWN[name])
    while waiting:
        ready = [
            file
            for file in waiting.values()
            if not any(each in waiting for each in file.dependency)
        ]
        if not ready:
            raise UsageError(f"files of the schema import each other: {_listed(sorted(waiting))}")
        for file in ready:
            del waiting[file.name]
        yield from ready


def _message_names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    """Full names of the messages in a file, and of those inside them; a map's entry is none."""
    waiting = [(file.package, message) for message in reversed(file.message_type)]
    while waiting:
        scope, message = waiting.pop()
        if message.options.map_entry:
            continue
        full_name = f"{scope}.{message.name}" if scope else message.name
        yield full_name
        waiting += [(full_name, inner) for inner in reversed(message.nested_type)]


def _chosen(full_names: list[str], wish: str) -> str:
    """The full name that was meant. Raises: UsageError."""
    if wish in full_names:
        return wish
    matching = [name for name in full_names if name.endswith(f".{wish}")]
    if len(matching) == 1 and wish:
        return matching[0]
    if matching and wish:
        raise UsageError(f"message {shown(wish)} could be {_listed(matching)}")
    near = difflib.get_close_matches(wish, full_names, n=3, cutoff=0.5)
    lasts = {name.rpartition(".")[2]: name for name in full_names}
    near += [lasts[each] for each in difflib.get_close_matches(wish, lasts, n=3)]
    if near:
        words = f"did you mean {' or '.join(dict.fromkeys(near))}?"
    else:
        words = f"there are: {_listed(full_names)}"
    raise UsageError(f"the schema has no message {shown(wish)}; {words}")


def _listed(names: list[str]) -> str:
    """Names in a message of one line; the schema's own checks have not seen them yet."""
    more = len(names) - NAMES_MAX
    words = ", ".join(each if each.isprintable() else shown(each) for each in names[:NAMES_MAX])
    return f"{words} and {more:,} more" if more > 0 else words or "none"


def _check_known(found: Message, full_name: str) -> None:
    """Raise a PayloadError when anything in the message has no name in the schema.

    The whole is compared with what is left without the unknown fields; `found` loses them.
    """
    unknown = UnknownFieldSet(found)
    count = min(len(unknown), limits.FIELDS_MAX)
    numbers = {unknown[position].field_number for position in range(count)}
    before = found.SerializePartialToString(deterministic=True)
    found.DiscardUnknownFields()
    if found.SerializePartialToString(deterministic=True) == before:
        return
    words = _listed([str(each) for each in sorted(numbers)]) if numbers else "in a message inside"
    raise PayloadError(f"has fields that {full_name} does not name: {words}")


class _Builder:
    """Makes a tree of a message, and counts what it makes of it.

    A payload of a few megabytes can have millions of numbers in one list, each of which would be
    an object here and a word on a screen.
    """

    def __init__(self) -> None:
        self._count = 0

    def mapping(self, message: Message) -> dict[str, Node]:
        """The fields that are there, by the schema's names, in the order of their numbers."""
        return {
            field.full_name if field.is_extension else field.name: self._field(field, value)
            for field, value in message.ListFields()
        }

    def _field(self, field: FieldDescriptor, value: Any) -> Node:
        entry = _map_entry(field)
        if entry is not None:
            key, inner = entry.fields_by_number[1], entry.fields_by_number[2]
            return [
                {"key": self._one(key, each), "value": self._one(inner, value[each])}
                for each in sorted(value)
            ]
        if field.is_repeated:
            return [self._one(field, each) for each in value]
        return self._one(field, value)

    def _one(self, field: FieldDescriptor, value: Any) -> Node:
        self._count += 1
        if self._count > limits.FIELDS_MAX:
            raise PayloadError(f"has more than {limits.FIELDS_MAX:,} fields and elements")
        if field.type in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP):
            return self.mapping(value)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return Blob(value, Privacy.VALUE)
        if field.type == FieldDescriptor.TYPE_STRING:
            # A string of proto2 may hold any bytes, and comes as bytes when it is no UTF-8.
            if isinstance(value, bytes):
                return Blob(value, Privacy.VALUE)
            return Text(value, Privacy.VALUE)
        if field.type == FieldDescriptor.TYPE_ENUM:
            assert field.enum_type is not None
            word = field.enum_type.values_by_number.get(value)
            return value if word is None else word.name
        return json_number(value) if isinstance(value, float) else value


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    """What the elements of the field are, if it is a map."""
    kind = field.message_type
    is_map = kind is not None and field.is_repeated and kind.GetOptions().map_entry
    return kind if is_map else None
