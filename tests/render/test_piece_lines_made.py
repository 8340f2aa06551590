"""Logs made by hand, with puts that no etcd writes: drawn by pieces as row by row.

What a shortcut takes for usual must be exactly that. So here are frames that nearly are: fields in
another order, twice, longer than need be, a byte changed anywhere; between many that are usual, so
that whatever is learnt from those is in use.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.render.piece_forms import LOOKS, Drawing, items_of
from tests.wal.builders import ENTRY, STATE, Builder, bytes_field, entry, fresh, state, varint
from walctl.datadir.layout import understand
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.fate import Piece
from walctl.inspect.flow import Item
from walctl.inspect.select import Choice
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Decoder
from walctl.payload.etcd import EtcdDecoder
from walctl.wal.names import format_name

FOLDER = Path("/wal")
JSON, TEXT, FULL = LOOKS[0], LOOKS[4], LOOKS[5]
DECODERS: tuple[Decoder, ...] = (AutoDecoder(strict=True), EtcdDecoder())
USUAL = 40
"""Frames of one length in front of one that is not usual: more than it takes to learn a pattern."""
REGISTRY = b"/registry/pods/a/b"


def put(
    key: bytes,
    value: bytes,
    *,
    request_id: int = 0x1122334455667788,
    lease: int = 0,
    user: bytes = b"",
    wide: int = 1,
) -> bytes:
    """A put as etcd writes it; `wide` is the least size of its varints."""
    inner = b"\x0a" + varint(len(key), size=wide) + key
    inner += b"\x12" + varint(len(value), size=wide) + value
    inner += b"" if lease == 0 else b"\x18" + varint(lease % (1 << 64), size=wide)
    header = b"\x08" + varint(request_id, size=wide) + (bytes_field(2, user) if user else b"")
    whole = b"\x22" + varint(len(inner), size=wide) + inner
    return whole + b"\xa2\x06" + varint(len(header), size=wide) + header


def log_of(builder: Builder) -> tuple[list[Item], Choice]:
    """What a log of one segment is told as."""
    disk = MemoryFileSystem({FOLDER / format_name(seq=0, index=0): builder.done(64)})
    items, choice, _ = items_of(disk, understand(disk, FOLDER))
    return items, choice


def demand_equal(builder: Builder, *, looks: tuple[int, ...] = (0, 4, 5)) -> int:
    """Both ways are equal for every row; gives how many rows pieces had, of both decoders."""
    items, choice = log_of(builder)
    count = 0
    for decoder in DECODERS:
        decoded = replace(choice, decoder=decoder)
        rows = [list(decoded.rows(item)) for item in items]
        for look in looks:
            drawing = Drawing(decoded, decoder, LOOKS[look])
            for item, found in zip(items, rows, strict=True):
                drawing.demand_equal(item, found)
        count += sum(len(r) for r, i in zip(rows, items, strict=True) if isinstance(i, Piece))
    return count


def usual(builder: Builder, count: int, *, key_bytes: int = 6, value_bytes: int = 9) -> int:
    """Entries 1 to `count`: puts of one length, with a hard state behind each third; the next."""
    for index in range(1, count + 1):
        key, value = b"%0*d" % (key_bytes, index), bytes([index % 256]) * value_bytes
        builder.add(ENTRY, entry(index, 1, put(key, value, request_id=(1 << 60) + index)))
        if index % 3 == 0:
            builder.add(STATE, state(1, 7, index))
    return count + 1


KEYS = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from([b"k", b'"', b"\\", b"a\x1b[31m\r\n", "ü/\u202e日本".encode(), b"\xff\xfe"]),
    st.sampled_from([REGISTRY, b"/registry/", b"/registry", b"\xed\xa0\x80", b"x" * 128, b"%s%b"]),
    st.sampled_from([b"y" * 129, b"z" * 200]),
)
VALUES = st.one_of(
    KEYS,
    st.just(b""),
    st.sampled_from([b"v" * 16_300, b"w" * 16_384, b'{"a":1}', b"k8s\0" + b"\x0a\x04abcd"]),
)
IDS = st.one_of(
    st.integers(0, 300),
    st.integers(1 << 13, 1 << 15),
    st.sampled_from([0, 1, 127, 128, (1 << 56) - 1, 1 << 63, (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
)
LEASES = st.sampled_from([0, 0, 0, 1, 0x7587, (1 << 63) - 1, -1, -(1 << 63)])
NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1)).map(varint)
OVERLONG = st.sampled_from([b"\xff" * 9 + b"\x12", b"\xff" * 9 + b"\x7f", b"\x80" * 9 + b"\x01"])
ANY_NUMBER = st.one_of(NUMBERS, OVERLONG, st.sampled_from([b"\x80\x00", b"\x85\x80\x00"]))


@st.composite
def odd_puts(draw: st.DrawFn) -> bytes:
    """Payloads that begin like a put: fields missing, doubled, swapped, unknown, overlong."""
    inner = b"".join(
        draw(
            st.lists(
                st.one_of(
                    KEYS.map(lambda key: bytes_field(1, key)),
                    VALUES.map(lambda value: bytes_field(2, value)),
                    ANY_NUMBER.map(lambda number: b"\x18" + number),
                    ANY_NUMBER.map(lambda number: b"\x20" + number),
                    ANY_NUMBER.map(lambda number: b"\x50" + number),
                    st.binary(max_size=6),
                ),
                max_size=4,
            )
        )
    )
    header = b"".join(
        draw(
            st.lists(
                st.one_of(
                    ANY_NUMBER.map(lambda number: b"\x08" + number),
                    KEYS.map(lambda name: bytes_field(2, name)),
                    ANY_NUMBER.map(lambda number: b"\x18" + number),
                ),
                max_size=3,
            )
        )
    )
    size = draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    parts = [
        b"\x22" + varint(max(len(inner) + size, 0), size=draw(st.integers(1, 3))) + inner,
        bytes_field(100, header) if draw(st.booleans()) else b"",
        draw(st.sampled_from([b"", b"", b"\x08\x05", b"\x1a\x00", b"\xf8\x3f\x01"])),
    ]
    return b"".join(draw(st.permutations(parts)))


PUTS = st.builds(put, KEYS, VALUES, request_id=IDS, lease=LEASES)
WIDE_PUTS = st.builds(put, KEYS, VALUES, request_id=IDS, wide=st.integers(2, 4))
USERS_PUTS = st.builds(put, KEYS, VALUES, request_id=IDS, user=KEYS)
PAYLOADS = st.one_of(PUTS, PUTS, WIDE_PUTS, USERS_PUTS, odd_puts(), st.binary(max_size=40))


@st.composite
def logs(draw: st.DrawFn) -> Builder:
    """A log of such puts, in which each may come often, so that it is worth learning."""
    builder = fresh()
    index = term = 1
    for payload in draw(st.lists(PAYLOADS, min_size=1, max_size=6)):
        times = draw(st.sampled_from([1, 1, 3, USUAL]))
        kind = draw(st.sampled_from([0, 0, None, 1]))
        wide = draw(st.sampled_from([1, 1, 1, 2]))
        term += draw(st.integers(0, 1)) * draw(st.sampled_from([1, 200, 20_000]))
        for _ in range(times):
            builder.add(ENTRY, entry(index, term, payload, kind=kind, wide=wide), wide=wide)
            index += 1
        if draw(st.booleans()):
            vote = draw(st.sampled_from([0, 7, (1 << 64) - 1]))
            builder.add(STATE, state(term, vote, draw(st.integers(0, index - 1))))
        index -= draw(st.sampled_from([0, 0, 0, 1]))
    return builder


@settings(max_examples=60)
@given(builder=logs(), look=st.integers(0, len(LOOKS) - 1))
def test_puts_of_any_bytes_are_drawn_as_their_rows(builder: Builder, look: int) -> None:
    demand_equal(builder, looks=(0, look))


@pytest.mark.slow
def test_one_byte_changed_in_a_put_is_drawn_as_its_row() -> None:
    """Every byte of a payload that is usual, to every value, while its pattern is known."""
    whole = put(b"abcdef", b"value%svu", request_id=0x1122334455667788)
    builder = fresh()
    index = usual(builder, USUAL)
    assert len(whole) == len(put(b"000001", b"\x01" * 9, request_id=(1 << 60) + 1))
    for at in range(len(whole)):
        for byte in range(256):
            payload = whole[:at] + bytes([byte]) + whole[at + 1 :]
            builder.add(ENTRY, entry(index, 1, payload))
            index += 1
    assert demand_equal(builder, looks=(0, 5)) > 2 * 256 * len(whole)


EXHAUSTED = range(24)
"""Bytes of an entry's head; the fast run changes those of its first varint and of its index."""


@pytest.mark.parametrize(
    "swapped",
    [each if each in (3, 15) else pytest.param(each, marks=pytest.mark.slow) for each in EXHAUSTED],
)
def test_one_byte_changed_in_the_head_of_an_entry_is_drawn_as_its_row(swapped: int) -> None:
    """What the scan makes of it, it makes of it once, for both ways."""
    payload = put(b"abcdef", b"value", request_id=0x1122334455667788)
    data = entry(USUAL + 1, 1, payload)
    if swapped >= len(data):
        return
    for byte in range(256):
        builder = fresh()
        usual(builder, USUAL, value_bytes=5)
        builder.add(ENTRY, data[:swapped] + bytes([byte]) + data[swapped + 1 :])
        builder.add(STATE, state(1, 7, 5))
        demand_equal(builder, looks=(0,))


BAD_VARINTS = (
    b"\xff" * 9 + b"\x01",
    b"\xff" * 9 + b"\x02",
    b"\xff" * 9 + b"\x7f",
    b"\x81" + b"\x80" * 8 + b"\x7e",
    b"\x81\x80\x00",
    b"\x80\x00",
    b"\xff" * 8 + b"\x7f",
    b"\xff" * 9 + b"\x12\x05",
)
"""Varints at and over 64 bits, and longer than need be."""


def put_with(request_id: bytes, lease: bytes = b"", key_length: bytes = b"\x06") -> bytes:
    inner = b"\x0a" + key_length + b"abcdef" + b"\x12\x03xyz" + lease
    return b"\x22" + varint(len(inner)) + inner + bytes_field(100, b"\x08" + request_id)


@pytest.mark.parametrize("number", BAD_VARINTS, ids=bytes.hex)
def test_numbers_of_puts_that_hardly_are_any_are_drawn_as_their_rows(number: bytes) -> None:
    payloads = [
        put_with(number),
        put_with(b"\x05", b"\x18" + number),
        put_with(b"\x05", b"", number),
        put_with(number, b"\x18" + number),
    ]
    for payload in payloads:
        builder = fresh()
        for index in range(1, 2 * USUAL):
            builder.add(ENTRY, entry(index, 1, payload))
        demand_equal(builder)


@pytest.mark.parametrize("number", BAD_VARINTS, ids=bytes.hex)
@pytest.mark.parametrize("where", ["term", "vote", "commit", "entry-term", "entry-index"])
def test_numbers_of_records_that_hardly_are_any_are_drawn_as_their_rows(
    number: bytes, where: str
) -> None:
    fields = {"term": b"\x01", "vote": b"\x07", "commit": b"\x05"}
    data = bytes_field(4, put(b"abcdef", b"value"))
    builder = fresh()
    usual(builder, USUAL)
    if where in fields:
        fields[where] = number
        head = b"\x08" + fields["term"] + b"\x10" + fields["vote"] + b"\x18" + fields["commit"]
        builder.add(STATE, head)
    else:
        term = number if where == "entry-term" else b"\x01"
        index = number if where == "entry-index" else bytes([USUAL + 1])
        builder.add(ENTRY, b"\x08\x00\x10" + term + b"\x18" + index + data)
    demand_equal(builder)


@pytest.mark.parametrize("top", [0x00, 0x0F, 0x10, 0x7F])
@pytest.mark.parametrize("size", [5, 6, 9, 10])
def test_a_checksum_written_with_bits_that_do_not_count_is_drawn_as_its_row(
    top: int, size: int
) -> None:
    """etcd's parser drops what is above 32 bits, so such a frame is whole."""
    builder = fresh()
    index = usual(builder, USUAL)
    builder.add(ENTRY, entry(index, 1, put(b"%06d" % index, b"x" * 9, request_id=1 << 60)))
    wide = bytearray(varint(builder.crc, size=size))
    last = builder.frames[-1]
    plain = bytes(builder.data[last.start : last.stop])
    body = plain[8 : 8 + (plain[0] | plain[1] << 8)]
    crc = varint(builder.crc)
    assert body.startswith(b"\x08\x02\x10" + crc)
    wide[-1] |= top
    record = b"\x08\x02\x10" + bytes(wide) + body[3 + len(crc) :]
    padding = -len(record) % 8
    word = len(record) | ((0x80 | padding) << 56 if padding else 0)
    del builder.data[last.start :]
    builder.data += word.to_bytes(8, "little") + record + bytes(padding)
    usual_again = builder.add(STATE, state(1, 7, index))
    demand_equal(usual_again)
