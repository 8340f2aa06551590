"""Payloads of a schema that somebody brings; the schemas are made with protobuf's own classes."""

import json
import pickle

import pytest
from google.protobuf import descriptor_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from formats import limits
from tests.payload.wire import number, sized
from walctl.errors import ExitStatus, UsageError
from walctl.inspect.document import request_document
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, PayloadError, Privacy, Redaction, Text
from walctl.payload.descriptor import ProtoDecoder

KINDS = {
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "string": FieldDescriptorProto.TYPE_STRING,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "sint32": FieldDescriptorProto.TYPE_SINT32,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
}


def add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: str,
    *,
    many: bool = False,
) -> FieldDescriptorProto:
    """A field; a kind with a dot is a message."""
    label = FieldDescriptorProto.LABEL_REPEATED if many else FieldDescriptorProto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind.startswith("."):
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, kind
    else:
        field.type = KINDS[kind]
    return field


def shop() -> FileDescriptorProto:
    """A file with one of everything."""
    file = FileDescriptorProto(name="shop.proto", package="acme.shop", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    colour = file.enum_type.add(name="Colour")
    colour.value.add(name="NONE", number=0)
    colour.value.add(name="RED", number=1)
    order = file.message_type.add(name="Order")
    for position, kind in enumerate(KINDS, start=1):
        add(order, kind, position, kind)
    field = order.field.add(name="colour", number=20, label=1)
    field.type, field.type_name = FieldDescriptorProto.TYPE_ENUM, ".acme.shop.Colour"
    add(order, "counts", 21, "int64", many=True)
    add(order, "inner", 22, ".acme.shop.Order.Line")
    add(order, "lines", 23, ".acme.shop.Order.Line", many=True)
    add(order, "at", 24, ".google.protobuf.Timestamp")
    add(order, "prices", 25, ".acme.shop.Order.PricesEntry", many=True)
    add(order, "parent", 26, ".acme.shop.Order")
    line = order.nested_type.add(name="Line")
    add(line, "item", 1, "string")
    entry = order.nested_type.add(name="PricesEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, "string")
    add(entry, "value", 2, ".acme.shop.Order.Line")
    file.message_type.add(name="Customer")
    return file


def descriptor_set(*files: FileDescriptorProto) -> bytes:
    return descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()


SHOP = descriptor_set(shop())
ORDER = ProtoDecoder(SHOP, "acme.shop.Order")


def body(payload: bytes) -> object:
    request = ORDER.decode(payload, EntryKind.NORMAL)
    assert request is not None
    assert (request.decoder, request.type) == ("proto", "acme.shop.Order")
    return request.body


def test_every_kind_of_field_has_its_place_in_the_tree() -> None:
    payload = b"".join(
        [
            sized(1, b"\xff\0"),
            sized(2, "käse"),
            number(3, (1 << 64) - 5),
            number(4, (1 << 64) - 1),
            number(5, 5),
            b"\x35\x01\0\0\0",
            b"\x39" + bytes(6) + b"\xf0\x3f",
            number(8, 1),
            number(20, 1),
            sized(21, b"\x01\x02"),
            sized(22, sized(1, "apple")),
            sized(23, b"") + sized(23, sized(1, "pear")),
            sized(24, number(1, 60)),
            sized(25, sized(1, "b") + sized(2, b"")) + sized(25, sized(1, "a")),
        ]
    )
    assert body(payload) == {
        "bytes": Blob(b"\xff\0", Privacy.VALUE),
        "string": Text("käse", Privacy.VALUE),
        "int64": -5,
        "uint64": (1 << 64) - 1,
        "sint32": -3,
        "fixed32": 1,
        "double": 1.0,
        "bool": True,
        "colour": "RED",
        "counts": [1, 2],
        "inner": {"item": Text("apple", Privacy.VALUE)},
        "lines": [{}, {"item": Text("pear", Privacy.VALUE)}],
        "at": {"seconds": 60},
        "prices": [
            {"key": Text("a", Privacy.VALUE), "value": {}},
            {"key": Text("b", Privacy.VALUE), "value": {}},
        ],
    }


@pytest.mark.parametrize(
    ("tail", "word"), [("f07f", "Infinity"), ("f0ff", "-Infinity"), ("f87f", "NaN")]
)
def test_a_number_that_json_lacks_is_a_word(tail: str, word: str) -> None:
    assert body(b"\x39" + bytes(6) + bytes.fromhex(tail)) == {"double": word}


def test_an_enum_s_unknown_number_stays_a_number() -> None:
    assert body(number(20, 77)) == {"colour": 77}


def test_fields_out_of_order_and_lists_that_are_not_packed_are_read() -> None:
    assert body(number(21, 1) + number(8, 1) + number(21, 2)) == {"bool": True, "counts": [1, 2]}


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\xff", "is no message acme.shop.Order"),
        (sized(2, b"\xff"), "is no message"),
        (sized(22, b"\x0a\x05ab"), "is no message"),
        (number(99, 1) + number(8, 1) + number(98, 1), "does not name: 98, 99"),
        (sized(22, number(7, 1)), "does not name: in a message inside"),
        (number(1, 5), "does not name: 1"),
        (b"".join(sized(26, b"") for _ in range(3)) + sized(26, number(50, 1)), "in a message"),
    ],
)
def test_what_is_not_the_message_is_an_error_and_never_a_guess(payload: bytes, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as caught:
        ORDER.decode(payload, EntryKind.NORMAL)
    assert caught.value.message.isprintable()


def test_messages_inside_one_another_have_an_end() -> None:
    payload = b""
    for _ in range(200):
        payload = sized(26, payload)
    with pytest.raises(PayloadError, match="is no message"):
        ORDER.decode(payload, EntryKind.NORMAL)
    assert body(sized(26, sized(26, number(8, 1)))) == {"parent": {"parent": {"bool": True}}}


def test_a_list_of_millions_is_not_made_into_objects() -> None:
    with pytest.raises(PayloadError, match="more than 65,536 fields and elements"):
        ORDER.decode(sized(21, bytes(limits.FIELDS_MAX + 1)), EntryKind.NORMAL)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_a_payload_error(payload: bytes) -> None:
    try:
        request = ORDER.decode(payload, EntryKind.NORMAL)
    except PayloadError:
        return
    assert json.dumps(request_document(request, Redaction.NONE), allow_nan=False)


def test_texts_and_bytes_are_hidden_as_values_and_so_are_the_keys_of_maps() -> None:
    payload = sized(2, "mine") + sized(25, sized(1, "mine") + sized(2, sized(1, "mine")))
    request = ORDER.decode(payload, EntryKind.NORMAL)
    assert "mine" not in json.dumps(request_document(request, Redaction.VALUES))
    assert json.dumps(request_document(request)).count("mine") == 3


def test_changes_of_the_membership_are_raft_s_whatever_the_schema() -> None:
    request = ORDER.decode(number(1, 1) + number(3, 5), EntryKind.CONF_CHANGE)
    assert request is not None
    assert request.type == "conf_change"
    assert ORDER.decode(b"x", EntryKind.UNKNOWN) is None


def test_the_decoder_pickles() -> None:
    copy = pickle.loads(pickle.dumps(ORDER))
    assert copy == ORDER
    assert copy.decode(number(8, 1), EntryKind.NORMAL).body == {"bool": True}


@pytest.mark.parametrize("wish", ["acme.shop.Order", "shop.Order", "Order"])
def test_a_message_may_be_called_by_the_end_of_its_name(wish: str) -> None:
    request = ProtoDecoder(SHOP, wish).decode(number(8, 1), EntryKind.NORMAL)
    assert request is not None
    assert request.type == "acme.shop.Order"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("Ordre", "did you mean acme.shop.Order?"),
        ("acme.shop.order", "did you mean acme.shop.Order or"),
        ("zzz", "there are: acme.shop.Order, acme.shop.Order.Line, acme.shop.Customer"),
        ("", "there are: acme.shop.Order,"),
        ("PricesEntry", "no message 'PricesEntry'"),
        ("x\x1b", r"no message 'x\x1b'"),
    ],
)
def test_a_message_that_there_is_not_is_a_wrong_request(wish: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        ProtoDecoder(SHOP, wish)
    assert words in caught.value.message
    assert caught.value.exit_status is ExitStatus.USAGE


def test_a_name_that_two_messages_end_with_is_not_guessed() -> None:
    other = FileDescriptorProto(name="other.proto", package="other")
    other.message_type.add(name="Order")
    with pytest.raises(UsageError, match=r"could be acme\.shop\.Order, other\.Order"):
        ProtoDecoder(descriptor_set(shop(), other), "Order")


def test_files_may_come_in_any_order_and_with_or_without_the_well_known_ones() -> None:
    user = FileDescriptorProto(name="user.proto", package="user", dependency=["shop.proto"])
    add(user.message_type.add(name="Uses"), "order", 1, ".acme.shop.Order")
    stamp = FileDescriptorProto.FromString(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for files in ((user, shop()), (shop(), user), (user, stamp, shop())):
        request = ProtoDecoder(descriptor_set(*files), "Uses").decode(
            sized(1, sized(24, number(1, 5))), EntryKind.NORMAL
        )
        assert request is not None
        assert request.body == {"order": {"at": {"seconds": 5}}}


def test_a_schema_of_protobuf_s_own_is_read_as_protobuf_itself_writes_it() -> None:
    files = descriptor_set(FileDescriptorProto.FromString(struct_pb2.DESCRIPTOR.serialized_pb))
    value = struct_pb2.Struct()
    value.update({"n": 1.5, "s": "text"})
    request = ProtoDecoder(files, "Struct").decode(value.SerializeToString(), EntryKind.NORMAL)
    assert request is not None
    assert request.body == {
        "fields": [
            {"key": Text("n", Privacy.VALUE), "value": {"number_value": 1.5}},
            {
                "key": Text("s", Privacy.VALUE),
                "value": {"string_value": Text("text", Privacy.VALUE)},
            },
        ]
    }


def broken(**fields: object) -> bytes:
    file = FileDescriptorProto(name="a.proto")
    add(file.message_type.add(name="A"), "f", 1, "int64").MergeFrom(
        FieldDescriptorProto(**fields)  # type: ignore[arg-type]
    )
    return descriptor_set(file)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no FileDescriptorSet"),
        (b"syntax = proto3;", "no FileDescriptorSet"),
        (SHOP[:-1], "no FileDescriptorSet"),
        (descriptor_set(FileDescriptorProto()), "no FileDescriptorSet"),
        (shop().SerializeToString(), "no FileDescriptorSet"),
        (
            descriptor_set(FileDescriptorProto(name="a.proto", dependency=["b\x1b.proto"])),
            r"lacks what it imports: 'b\\x1b.proto'; make it with",
        ),
        (
            descriptor_set(
                FileDescriptorProto(name="a.proto", dependency=["b.proto"]),
                FileDescriptorProto(name="b.proto", dependency=["a.proto"]),
            ),
            "import each other: a.proto, b.proto",
        ),
        (broken(number=0), "is no schema: .*invalid field number"),
        (broken(name="two words"), "is no schema"),
        (broken(type=11, type_name=".no.Such"), r"is no schema: .*couldn't resolve name"),
    ],
)
def test_a_file_that_is_no_whole_schema_is_a_wrong_request(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ProtoDecoder(data, "A")
    assert caught.value.message.isprintable()


def old(*names: str) -> ProtoDecoder:
    """A message of proto2 with texts of these names."""
    file = FileDescriptorProto(name="old.proto", package="old", syntax="proto2")
    message = file.message_type.add(name="Old")
    for position, name in enumerate(names, start=1):
        # Else protobuf refuses `id` beside `id_`: their names in its JSON are the same.
        add(message, name, position, "string").json_name = f"json{position}"
    return ProtoDecoder(descriptor_set(file), "Old")


def test_a_string_of_proto2_that_is_no_utf_8_comes_as_bytes() -> None:
    request = old("s").decode(sized(1, b"\xff\xfe"), EntryKind.NORMAL)
    assert request is not None
    assert request.body == {"s": Blob(b"\xff\xfe", Privacy.VALUE)}
    document = request_document(request)
    assert document is not None
    assert document["s"] == {"data": "//4="}


def test_a_field_called_as_ours_are_does_not_take_their_place() -> None:
    decoder = old("id", "type", "decoder", "id_")
    payload = b"".join(sized(each, f"v{each}") for each in range(1, 5))
    assert request_document(decoder.decode(payload, EntryKind.NORMAL)) == {
        "decoder": "proto",
        "type": "old.Old",
        "id": None,
        "id__": "v1",
        "type_": "v2",
        "decoder_": "v3",
        "id_": "v4",
    }
    alone = decoder.decode(sized(1, "v1"), EntryKind.NORMAL)
    assert alone is not None
    assert list(alone.body) == ["id__"]  # a name does not depend on what else is there
