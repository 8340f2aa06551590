"""Delete and swap in a log: our own payloads, exact, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError, WireError
from formats.etcdserverpb import REQUEST
from formats.gob import parse_pair
from formats.internalpb import INTERNAL_RAFT_REQUEST
from formats.kvpb import (
    KV_REQUEST,
    MARK,
    KvRequest,
    Op,
    build_delete,
    build_swap,
    is_marked,
    parse_request,
)
from tests.strategies import hostile
from walctl.model.record import EntryKind
from walctl.payload.owners import owned

VALUES = st.none() | st.binary(max_size=40)


def test_the_bytes_are_those_of_the_manual() -> None:
    assert MARK.hex() == "9777616c63746c01"
    assert build_delete(b"/k") == MARK + bytes.fromhex("0801 1202") + b"/k"
    assert build_swap(b"/k", b"a", b"") == MARK + bytes.fromhex("0802 1202 2f6b 1a00 2201 61")
    assert build_swap(b"", None, None) == MARK + bytes.fromhex("0802 1200")


@given(st.binary(max_size=40), VALUES, VALUES)
def test_a_request_comes_back_as_it_was(
    key: bytes, expected: bytes | None, value: bytes | None
) -> None:
    assert parse_request(build_delete(key)) == KvRequest(op=Op.DELETE, key=key)
    swap = KvRequest(op=Op.SWAP, key=key, value=value, expected=expected)
    assert parse_request(build_swap(key, expected, value)) == swap


@given(st.binary(max_size=40), VALUES)
def test_nobody_else_takes_it_for_a_request_of_theirs(key: bytes, value: bytes | None) -> None:
    payload = build_swap(key, None, value)
    # What Go's decoder calls an unsigned integer out of range: 0x97 are 105 bytes, and 8 are most.
    assert -int.from_bytes(payload[:1], "big", signed=True) == 105
    with pytest.raises(WireError, match="a number of 105 bytes"):
        parse_pair(payload)
    for codec in (INTERNAL_RAFT_REQUEST, REQUEST):
        with pytest.raises(WireError, match="illegal wireType 7"):
            codec.parse(payload)
    found = owned(payload, EntryKind.NORMAL)
    assert found is not None
    assert found.decoder == "raftexample"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "operation None is not known"),
        ("0803 1200", "operation 3 is not known"),
        ("0801", "a request without a key"),
        ("0801 1200 1a00", "a delete that has a value"),
        ("0801 1200 2200", "a delete that has a value"),
        ("0802 1200 2a00", "field 5 is not known"),
        ("0802 1205 61", "unexpected EOF"),
    ],
)
def test_what_is_no_request_of_ours_is_told(body: str, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_request(MARK + bytes.fromhex(body))
    assert caught.value.message == words
    assert caught.value.offset >= len(MARK)


def test_what_is_not_marked_is_refused() -> None:
    assert not is_marked(MARK[:-1] + b"\x02")
    with pytest.raises(WireError, match="expected"):
        parse_request(b"\x08\x01\x12\x00")


@given(hostile(KV_REQUEST))
def test_any_bytes_are_a_request_or_a_format_error(data: bytes) -> None:
    try:
        found = parse_request(MARK + data)
    except FormatError as error:
        place, found = error.offset, KvRequest(op=Op.DELETE, key=b"")
    else:
        place = len(MARK)
    assert len(MARK) <= place <= len(MARK) + len(data)
    assert parse_request(MARK + KV_REQUEST.build(found)) == found
