"""raftexample's gob pair: the vectors of its notes, every entry of real logs, and hostile bytes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftexample
from formats.errors import FormatError, LimitError, TruncatedError, WireError
from formats.gob import DESCRIPTION_BYTES_MAX, Pair, build_pair, parse_pair, parse_stream
from tests.corpus import needs_corpus, unpacked
from tests.formats.proposals import entries_of, snapshot_data

TYPE_65 = bytes.fromhex(
    "20 FF81 03 01 01 02 6B76 01 FF82 00 01 02 01 03 4B6579 01 0C 00 01 03 56616C 01 0C 00 00 00"
)
TYPE_64 = bytes.fromhex(
    "1F 7F 03 01 01 02 6B76 01 FF80 00 01 02 01 03 4B6579 01 0C 00 01 03 56616C 01 0C 00 00 00"
)

# Key, value, message 2 with type 65 up to the last run of `x`, and the length of the whole.
VECTORS = [
    (b"/my-key", b"hello", "13 FF82 01 07 2F6D792D6B6579 01 05 68656C6C6F 00", 53),
    (b"/k", b"", "07 FF82 01 02 2F6B 00", 41),
    (b"", b"v", "06 FF82 02 01 76 00", 40),
    (b"", b"", "03 FF82 00", 37),
    (b"/a", b"x" * 130, "FF8C FF82 01 02 2F61 01 FF82" + "78" * 130 + "00", 175),
    (b"/a", b"x" * 300, "FE0137 FF82 01 02 2F61 01 FE012C" + "78" * 300 + "00", 347),
    (b"/a", b"x" * 70_000, "FD01117C FF82 01 02 2F61 01 FD011170" + "78" * 70_000 + "00", 70_049),
]

PAIRS = st.builds(Pair, st.binary(max_size=200), st.binary(max_size=400))


def as_go_119(pair: Pair) -> bytes:
    """The stream as the program of the corpus wrote it (type 65), by no code of ours."""

    def number(value: int) -> bytes:
        if value < 128:
            return bytes([value])
        size = (value.bit_length() + 7) // 8
        return bytes([256 - size]) + value.to_bytes(size, "big")

    body = bytes.fromhex("FF82")
    step = 1
    for text in (pair.key, pair.value):
        if text:
            body += number(step) + number(len(text)) + text
            step = 1
        else:
            step += 1
    body += b"\0"
    return TYPE_65 + number(len(body)) + body


@pytest.mark.parametrize(("key", "value", "message", "size"), VECTORS)
def test_the_vectors_of_the_notes_parse(key: bytes, value: bytes, message: str, size: int) -> None:
    data = TYPE_65 + bytes.fromhex(message)
    assert len(data) == size
    assert parse_pair(data) == Pair(key, value)
    assert as_go_119(Pair(key, value)) == data


@pytest.mark.parametrize(("key", "value", "message", "size"), VECTORS)
def test_what_is_built_is_the_vector_with_type_64(
    key: bytes, value: bytes, message: str, size: int
) -> None:
    # The ID takes two bytes in message 2 with either type, so only message 1 is shorter.
    expected = TYPE_64 + bytes.fromhex(message.replace("FF82", "FF80", 1))
    built = build_pair(Pair(key, value))
    assert (built, len(built)) == (expected, size - 1)


@needs_corpus
@pytest.mark.parametrize("member", [1, 2, 3])
def test_every_entry_of_a_real_log_is_told_apart_to_the_byte(member: int) -> None:
    folder = unpacked("f-raftexample-35")
    told: list[dict[str, Any]] = json.loads(
        (folder / "truth" / f"raftexample-{member}.waljson.from0.json").read_bytes()
    )["entries"]
    entries = entries_of(folder / f"raftexample-{member}")
    assert sorted(entries) == [each["index"] for each in told]
    normal = [each for each in told if each["type"] == "EntryNormal" and each["len"]]
    assert len(normal) > 10_000
    for each in normal:
        data = entries[each["index"]]
        pair = parse_pair(data)
        assert as_go_119(pair) == data
        assert parse_pair(build_pair(pair)) == pair


@needs_corpus
def test_the_pairs_of_a_real_log_make_its_snapshot_and_what_its_server_answered() -> None:
    folder = unpacked("f-raftexample-35")
    entries = entries_of(folder / "raftexample-1")
    stored: dict[bytes, bytes] = {}
    for index in sorted(entries):
        data = entries[index]
        if data.startswith(b"\x20"):
            pair = parse_pair(data)
            stored[pair.key] = pair.value
        if index == 10_001:
            saved = snapshot_data(folder / "raftexample-1-snap")
            assert raftexample.parse_store(saved).pairs == stored
            assert raftexample.build_store(stored) == saved
    told = json.loads((folder / "truth" / "kv.api.json").read_bytes())["kv"]
    assert told == {key.decode().lstrip("/"): value.decode() for key, value in stored.items()}


@given(PAIRS)
def test_what_is_built_parses_to_the_same_pair(pair: Pair) -> None:
    assert parse_pair(build_pair(pair)) == pair
    assert parse_pair(as_go_119(pair)) == pair


@given(PAIRS, st.data())
def test_a_stream_cut_anywhere_is_an_error_within_it(pair: Pair, data: st.DataObject) -> None:
    whole = build_pair(pair)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(TruncatedError) as caught:
        parse_pair(whole[:cut])
    assert caught.value.offset <= cut


def outcome(data: bytes) -> Pair | int:
    """The pair, or where the bytes are none."""
    try:
        return parse_pair(data)
    except FormatError as error:
        return error.offset


@given(st.binary(max_size=80))
def test_any_bytes_are_a_pair_or_a_format_error(data: bytes) -> None:
    for behind in (data, TYPE_64 + data):
        found = outcome(behind)
        assert behind.endswith(b"\0") if isinstance(found, Pair) else 0 <= found <= len(behind)


def test_every_changed_byte_is_another_pair_or_a_format_error_at_a_place() -> None:
    whole = as_go_119(Pair(b"/key", b"value"))
    pairs = errors = 0
    for position in range(len(whole)):
        for change in range(1, 256):
            bad = whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :]
            found = outcome(bad)
            pairs += isinstance(found, Pair)
            errors += isinstance(found, int) and 0 <= found <= len(bad)
    assert pairs + errors == 255 * len(whole)
    assert min(pairs, errors) > 1000


def stream(description: str, value: str) -> bytes:
    """Two messages from hex, their lengths (of one byte) put in front."""
    parts = [bytes.fromhex(description), bytes.fromhex(value)]
    return b"".join(bytes([len(part)]) + part for part in parts)


NAMED_KEY, NAMED_VAL = "01 03 4B6579 01 0C 00", "01 03 56616C 01 0C 00"


@pytest.mark.parametrize(
    ("description", "value"),
    [
        # Another name and ID: type 1000, signed -1000 is 07CF, 1000 is 07D0.
        (
            f"FE07CF 03 01 01 05 6F74686572 01 FE07D0 00 01 02 {NAMED_KEY} {NAMED_VAL} 00 00",
            "FE07D0 01 01 6B 01 01 76 00",
        ),
        # The fields the other way round.
        (
            f"7F 03 01 01 02 6B76 00 01 02 {NAMED_VAL} {NAMED_KEY} 00 00",
            "FF80 01 01 76 01 01 6B 00",
        ),
        # Nothing of what all types have in common.
        (f"7F 03 02 02 {NAMED_KEY} {NAMED_VAL} 00 00", "FF80 01 01 6B 01 01 76 00"),
        # Fields besides: a bool, an int, a uint, a float, bytes, a complex; one of them left out.
        (
            f"7F 03 02 08 01 01 41 01 02 00 01 01 42 01 04 00 {NAMED_KEY} 01 01 43 01 06 00"
            f" 01 01 44 01 08 00 01 01 45 01 0A 00 {NAMED_VAL} 01 01 46 01 0E 00 00 00",
            "FF80 01 01 01 FF85 01 01 6B 02 FE3FF0 01 02 FFFF 01 01 76 01 FE3FF0 40 00",
        ),
        # A number that takes more bytes than it needs.
        (f"7F 03 02 02 {NAMED_KEY} {NAMED_VAL} 00 00", "FF80 01 FE0001 6B 01 FF01 76 00"),
    ],
)
def test_another_description_of_the_same_struct_is_read(description: str, value: str) -> None:
    assert parse_pair(stream(description, value)) == Pair(b"k", b"v")


SAME = f"7F 03 02 02 {NAMED_KEY} {NAMED_VAL} 00 00"


@pytest.mark.parametrize(
    ("description", "value", "offset", "words"),
    [
        ("FF80 00", "FF80 00", 1, "a value of a type that is not described"),
        ("00 00", "FF80 00", 1, "a value of a type that is not described"),
        ("7F 02 00 00", "FF80 00", 2, "a type that is no struct"),
        ("7F 03 00 00", "FF80 00", 2, "a struct without a string called Key"),
        (f"7F 03 02 01 {NAMED_KEY} 00 00", "FF80 00", 2, "a struct without a string called Val"),
        (
            f"7F 03 02 02 {NAMED_KEY} 01 03 56616C 01 0A 00 00 00",
            "FF80 00",
            2,
            "a struct without a string called Val",
        ),
        (f"{SAME} 00", "FF80 00", 23, "bytes follow the description of the type"),
        ("7F 03 02 FD010001", "FF80 00", 4, "a struct with 65537 fields"),
        ("7F 03 05", "FF80 00", 3, "field 4 of a struct with 2"),
        (SAME, "FF82 00", 24, "a value of type 65, where type 64 was described"),
        (SAME, "7F 00", 24, "a value of type -64, where type 64 was described"),
        (SAME, "FF80 03 00", 26, "field 2 of a struct with 2"),
        (SAME, "FF80 00 00", 27, "bytes follow the value"),
        (SAME, "FF80 01 F7", 27, "a number of 9 bytes"),
        (SAME, "FF80 01 05 6B 00", 27, "ends inside a string of 5 bytes"),
        (SAME, "FF80 01 F8FFFFFFFFFFFFFFFF 00", 27, f"ends inside a string of {2**64 - 1} bytes"),
        (
            f"7F 03 02 03 {NAMED_KEY} {NAMED_VAL} 01 01 4D 01 FF84 00 00 00",
            "FF80 03 00 00",
            34,
            "field M is of type 66",
        ),
    ],
)
def test_what_is_no_such_stream_is_told_with_its_place(
    description: str, value: str, offset: int, words: str
) -> None:
    with pytest.raises(FormatError) as caught:
        parse_pair(stream(description, value))
    assert (caught.value.message, caught.value.offset) == (words, offset)


def test_bytes_behind_the_value_are_an_error_at_their_place() -> None:
    whole = build_pair(Pair(b"/k", b"v"))
    with pytest.raises(WireError, match="bytes follow the value") as caught:
        parse_pair(whole + whole)
    assert caught.value.offset == len(whole)


def test_an_empty_payload_is_no_stream() -> None:
    with pytest.raises(TruncatedError, match="where a description of the type is expected"):
        parse_pair(b"")


def test_a_description_beyond_any_use_is_not_read() -> None:
    huge = b"\xfd" + (DESCRIPTION_BYTES_MAX + 1).to_bytes(3, "big")
    with pytest.raises(LimitError):
        parse_pair(huge + bytes(DESCRIPTION_BYTES_MAX + 1))


SHORT = st.binary(max_size=8)
LONG = st.integers(0, 140).map(bytes)


@given(
    st.builds(Pair, key=SHORT | LONG, value=SHORT | LONG).map(build_pair),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.binary(max_size=2)), max_size=3),
)
def test_the_shortcut_for_short_pairs_gives_what_the_definition_gives(
    data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for place, count, other in changes:
        data = data[:-place] + other + data[len(data) - place + count :] if place else data + other
    assert came_of(parse_pair, data) == came_of(parse_stream, data)


def test_the_shortcut_errs_in_no_byte_of_a_short_pair() -> None:
    for pair in (Pair(b"k", b"v"), Pair(b"", b"v"), Pair(b"k", b""), Pair(b"key", b"\x01" * 110)):
        whole = build_pair(pair)
        assert parse_stream(whole) == pair
        for place in (0, *range(30, min(len(whole), 50)), len(whole) - 1):
            for byte in range(256):
                data = whole[:place] + bytes((byte,)) + whole[place + 1 :]
                assert came_of(parse_pair, data) == came_of(parse_stream, data)


def test_the_shortcut_takes_no_number_for_a_length_that_is_none() -> None:
    head = build_pair(Pair(b"", b""))[:32]
    for size in range(100, 160):
        value = b"\xff\x80\x01\x03key\x01" + bytes((size,)) + bytes(size) + b"\0"
        data = head + bytes((len(value),)) + value
        assert came_of(parse_pair, data) == came_of(parse_stream, data)


def came_of(parse: Callable[[bytes], Pair], data: bytes) -> Pair | str:
    """What comes of reading these bytes."""
    try:
        return parse(data)
    except FormatError as error:
        return f"{error.offset}: {error.message}"
