"""raftexample's JSON map: real snapshots to the byte, Go's escaping, and what is no such map."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError, TruncatedError, WireError
from formats.raftexample import Store, build_store, parse_store
from tests.corpus import needs_corpus, unpacked
from tests.formats.proposals import snapshot_data

BYTES = st.binary(max_size=30) | st.text(max_size=20).map(lambda text: text.encode())


@needs_corpus
@pytest.mark.parametrize("member", [1, 2, 3])
def test_a_real_snapshot_is_read_and_written_to_the_byte(member: int) -> None:
    data = snapshot_data(unpacked("f-raftexample-35") / f"raftexample-{member}-snap")
    store = parse_store(data)
    assert len(store.pairs) == 100
    assert store.pairs[b"/key0"] == b"value 9900"
    assert (store.duplicates, store.replaced) == ((), ())
    assert build_store(store.pairs) == data


def test_a_map_is_written_in_the_order_of_its_bytes_without_spaces() -> None:
    assert build_store({b"/my-key": b"hello", b"/k0": b"v0"}) == b'{"/k0":"v0","/my-key":"hello"}'
    assert build_store({}) == b"{}"
    unordered = {"\U00010000".encode(): b"", "\uffff".encode(): b""}  # UTF-16 has them reversed
    assert build_store(unordered) == '{"\uffff":"","\U00010000":""}'.encode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"<>&", rb"\u003c\u003e\u0026"),
        ("\u2028\u2029\u2027".encode(), rb"\u2028\u2029" + "\u2027".encode()),
        (b"\n\r\t\"\\/'", rb"\n\r\t\"\\/'"),
        (b"\x00\x08\x0c\x1b\x1f\x7f", rb"\u0000\u0008\u000c\u001b\u001f" + b"\x7f"),
        (b"\xff", rb"\ufffd"),
        (b"\xe2\x82", rb"\ufffd\ufffd"),
        (b"\xed\xa0\x80", rb"\ufffd\ufffd\ufffd"),
        ("\ufffd\u00e9\U0001f600".encode(), "\ufffd\u00e9\U0001f600".encode()),
    ],
)
def test_a_value_is_escaped_as_go_escapes_it(value: bytes, written: bytes) -> None:
    assert build_store({b"k": value}) == b'{"k":"' + written + b'"}'


def test_bytes_that_are_no_utf8_come_back_as_others_and_are_told() -> None:
    store = parse_store(
        build_store({b"/a\xfe": b"1", b"/a\xff": b"2", b"/b": b"x\xff", b"/c": b""})
    )
    changed = "/a\ufffd".encode()
    assert store == Store(
        pairs={changed: b"2", b"/b": "x\ufffd".encode(), b"/c": b""},
        duplicates=(changed,),
        replaced=(changed, b"/b"),
    )


@given(st.dictionaries(BYTES, BYTES, max_size=6))
def test_what_is_written_is_json_and_reads_as_other_programs_read_it(
    pairs: dict[bytes, bytes],
) -> None:
    data = build_store(pairs)
    told = {key.encode(): value.encode() for key, value in json.loads(data).items()}
    assert parse_store(data).pairs == told
    is_text = all(_is_utf8(each) for pair in pairs.items() for each in pair)
    assert not is_text or told == pairs


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b' \t\r\n{ "a" : "b" , "c" : null } ', {b"a": b"b", b"c": b""}),
        (b"null", {}),
        (rb'{"\u0061\/":"\ud83d\ude00\b\f"}', {b"a/": "\U0001f600\b\f".encode()}),
        (rb'{"a":"\ud83dx\ude00"}', {b"a": "\ufffdx\ufffd".encode()}),
        (b'{"a":"\xff\\n\xe2\x82"}', {b"a": "\ufffd\n\ufffd\ufffd".encode()}),
        # A byte that is no UTF-8 behind an escaped half of a pair does not complete it.
        (b'{"a":"\\ud83d\xed\xb8\x80"}', {b"a": ("\ufffd" * 4).encode()}),
        (b'{"a":"1","b":"2","a":"3"}', {b"a": b"3", b"b": b"2"}),
    ],
)
def test_what_go_takes_is_taken(data: bytes, pairs: dict[bytes, bytes]) -> None:
    assert parse_store(data).pairs == pairs


@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [
        (b"", 0, "ends where { is expected"),
        (b"  ", 2, "ends where { is expected"),
        (b"[]", 0, "expected {, found '[]'"),
        (b'{"a":"b"', 8, "ends where , is expected"),
        (b'{"a":"b",}', 9, "expected a string, found '}'"),
        (b'{"a":1}', 5, "expected a string, found '1}'"),
        (b'{"a":{"b":"c"}}', 5, """expected a string, found '{"b":"c"}}'"""),
        (b'{"a" "b"}', 5, """expected :, found '"b"}'"""),
        (b'{"a":"b"} {}', 10, "expected the end, found '{}'"),
        (b'{"a":"\n"}', 5, """expected a string, found '"\\n"}'"""),
        (rb'{"a":"\x41"}', 5, """expected a string, found '"\\\\x41"}'"""),
        (rb'{"a":"\u12"}', 5, """expected a string, found '"\\\\u12"}'"""),
        (b'{"a\xff', 1, """expected a string, found '"a\\\\xff'"""),
    ],
)
def test_what_is_no_such_map_is_told_with_its_place(data: bytes, offset: int, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_store(data)
    assert (caught.value.message, caught.value.offset) == (words, offset)
    is_short = words.startswith("ends")
    assert type(caught.value) is (TruncatedError if is_short else WireError)


@given(st.binary(max_size=40) | st.text('{}[]":,\\u0a ', max_size=40).map(str.encode))
def test_any_bytes_are_a_map_or_a_format_error(data: bytes) -> None:
    try:
        pairs = parse_store(data).pairs
    except FormatError as error:
        place = error.offset
        pairs = {}
    else:
        place = 0
    assert 0 <= place <= len(data)
    assert parse_store(build_store(pairs)).pairs == pairs
