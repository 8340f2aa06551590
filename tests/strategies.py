"""What hypothesis draws from: every declared message, and bytes that mean no good.

Strategies for messages follow from the declarations, so a new message needs no line here.
"""

from typing import Any

from hypothesis import strategies as st

from formats.codec import Codec
from formats.fields import FieldSpec, Kind, UnknownField, Wire, spec_of

_RANGES = {
    Kind.INT64: (-(1 << 63), (1 << 63) - 1),
    Kind.UINT64: (0, (1 << 64) - 1),
    Kind.INT32: (-(1 << 31), (1 << 31) - 1),
    Kind.UINT32: (0, (1 << 32) - 1),
}


def varint(value: int, *, size: int = 1) -> bytes:
    """`value` as a varint of at least `size` bytes: superfluous ones hold no bits."""
    groups = [value >> shift & 0x7F for shift in range(0, max(7 * size, value.bit_length()), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def integers(kind: Kind) -> st.SearchStrategy[int]:
    """Numbers of a kind, small ones and the edges often."""
    low, high = _RANGES[kind]
    return st.one_of(st.integers(0, 300), st.integers(low, high), st.sampled_from([low, high]))


def values(field: FieldSpec, depth: int) -> st.SearchStrategy[Any]:
    """Single values of one field; nested messages get no deeper than `depth`."""
    if field.target is not None:
        return messages(field.target, depth=depth - 1)
    if field.kind is Kind.BOOL:
        return st.booleans()
    if field.kind is Kind.BYTES:
        return st.binary(max_size=200)
    if field.kind is Kind.STRING:
        return st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    return integers(field.kind)


@st.composite
def messages(draw: st.DrawFn, cls: type[Any], *, depth: int = 2) -> Any:
    """Messages of a declared class, any field absent, at most one member of a oneof present."""
    drawn: dict[str, Any] = {}
    taken: set[str] = set()
    for field in spec_of(cls).fields:
        if field.target is not None and depth == 0:
            continue
        if field.is_repeated:
            drawn[field.name] = tuple(draw(st.lists(values(field, depth), max_size=2)))
        elif field.oneof not in taken and draw(st.booleans()):
            drawn[field.name] = draw(values(field, depth))
            taken |= {field.oneof} if field.oneof else set()
    return cls(**drawn)


@st.composite
def unknown_values(draw: st.DrawFn, wire_type: int, *, depth: int = 2) -> bytes:
    """What may follow a tag of that wire type; a group comes with its end."""
    if wire_type == Wire.VARINT:
        return varint(draw(integers(Kind.UINT64)), size=draw(st.integers(1, 3)))
    if wire_type == Wire.BYTES:
        data = draw(st.binary(max_size=20))
        return varint(len(data)) + data
    if wire_type == Wire.GROUP_START:
        inner = draw(st.lists(unknown_fields(range(1, 9), depth=depth - 1), max_size=2))
        return b"".join(field.data for field in inner) + varint(draw(st.integers(1, 9)) << 3 | 4)
    size = 8 if wire_type == Wire.FIXED64 else 4
    return draw(st.binary(min_size=size, max_size=size))


@st.composite
def unknown_fields(draw: st.DrawFn, numbers: range, *, depth: int = 2) -> UnknownField:
    """Fields of any wire type, with a number out of `numbers`."""
    wires = [Wire.VARINT, Wire.FIXED64, Wire.BYTES, Wire.FIXED32, Wire.GROUP_START]
    wire_type = draw(st.sampled_from(wires[: 5 if depth else 4]))
    number = draw(st.sampled_from(numbers))
    data = varint(number << 3 | wire_type) + draw(unknown_values(wire_type, depth=depth))
    return UnknownField(number=number, wire_type=int(wire_type), data=data)


@st.composite
def tags(draw: st.DrawFn, cls: type[Any]) -> bytes:
    """Tags that mostly name a field of `cls`, mostly with its wire type, at times overlong."""
    number = draw(
        st.one_of(
            st.sampled_from([field.number for field in spec_of(cls).fields]),
            st.integers(0, 20),
            st.integers(0, (1 << 61) - 1),
        )
    )
    known = [field.kind.wire_type for field in spec_of(cls).fields if field.number == number]
    wire_type = draw(
        st.one_of(st.sampled_from([int(wire) for wire in known] or [0]), st.integers(0, 7))
    )
    return varint(number << 3 | wire_type, size=draw(st.sampled_from([1, 1, 1, 2, 10, 11])))


def _pieces(cls: type[Any]) -> st.SearchStrategy[bytes]:
    """Parts of a message that need not fit each other."""
    return st.one_of(
        tags(cls),
        integers(Kind.UINT64).map(varint),
        st.binary(max_size=12),
        st.just(b"\xff" * 9),
        st.integers(0, 5).flatmap(
            lambda size: st.binary(min_size=size, max_size=size).map(
                lambda data: varint(len(data)) + data
            )
        ),
    )


@st.composite
def damaged(draw: st.DrawFn, codec: Codec[Any]) -> bytes:
    """Messages in good order, then cut, flipped, doubled or joined with another."""
    data = bytearray(codec.build(draw(messages(codec.cls))))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(data)))
        act = draw(st.sampled_from(["cut", "flip", "drop", "insert", "append"]))
        if act == "cut":
            del data[position:]
        elif act == "append":
            data += codec.build(draw(messages(codec.cls)))
        elif act == "insert":
            data[position:position] = draw(_pieces(codec.cls))
        elif position < len(data):
            if act == "flip":
                data[position] ^= 1 << draw(st.integers(0, 7))
            else:
                del data[position]
    return bytes(data)


def hostile(codec: Codec[Any]) -> st.SearchStrategy[bytes]:
    """Bytes that no parser may trip over: noise, parts in any order, messages with damage."""
    parts = st.lists(_pieces(codec.cls), max_size=8).map(b"".join)
    return st.one_of(st.binary(max_size=64), parts, damaged(codec))
