"""Shortcuts are held to the definitions: puts of a log, rows of a database, by any byte."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.mvccpb import KEY_VALUE, KeyValue
from formats.rpcpb import PutRequest
from tests.machine.asking import Asked
from walctl.machine.keyindex import Row
from walctl.machine.keyrow import key_row, parse_key_row
from walctl.machine.shortcut import Put, simple_put

I64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 300)
U64 = st.integers(0, (1 << 64) - 1) | st.integers(0, 300)
PUTS = st.builds(
    PutRequest,
    key=st.binary(max_size=200),
    value=st.none() | st.binary(max_size=200),
    lease=st.none() | I64,
    prev_kv=st.none() | st.booleans(),
    ignore_value=st.none() | st.booleans(),
)
HEADERS = st.builds(
    RequestHeader, id=st.none() | U64, username=st.none() | st.text(max_size=2), unknown=st.just(())
)
REQUESTS = st.builds(InternalRaftRequest, put=PUTS, header=st.none() | HEADERS)


def by_definition(data: bytes) -> InternalRaftRequest | None:
    try:
        return INTERNAL_RAFT_REQUEST.parse_exact(data)
    except FormatError:
        return None


def expect_equal(data: bytes) -> bool:
    """The shortcut says nothing, or what the definition says; whether it said something."""
    found = simple_put(data)
    if found is None:
        return False
    request = by_definition(data)
    assert request is not None, data
    header, put = request.header, request.put
    assert header is not None
    assert put is not None
    assert found == Put(put.key or b"", put.value or b"", put.lease or 0)
    plain = PutRequest(key=put.key, value=put.value, lease=put.lease)
    only = InternalRaftRequest(put=plain, header=RequestHeader(id=header.id))
    assert request == only
    return True


@given(REQUESTS)
def test_a_put_is_read_as_the_definition_reads_it(request: InternalRaftRequest) -> None:
    expect_equal(INTERNAL_RAFT_REQUEST.build(request))


@given(
    st.binary(min_size=1, max_size=300), st.none() | st.binary(min_size=1, max_size=300), I64, U64
)
def test_a_usual_put_takes_the_shortcut(
    key: bytes, value: bytes | None, lease: int, request_id: int
) -> None:
    put = PutRequest(key=key, value=value, lease=lease or None)
    request = InternalRaftRequest(put=put, header=RequestHeader(id=request_id))
    assert expect_equal(INTERNAL_RAFT_REQUEST.build(request))


USUAL = INTERNAL_RAFT_REQUEST.build(
    InternalRaftRequest(
        put=PutRequest(key=b"key\x12\x01", value=b"\xa2\x06\x02\x08\x01", lease=-1),
        header=RequestHeader(id=(1 << 64) - 1),
    )
)


@pytest.mark.parametrize("at", range(len(USUAL)))
def test_any_other_byte_anywhere_is_read_as_the_definition_reads_it(at: int) -> None:
    assert expect_equal(USUAL)
    for byte in range(256):
        expect_equal(USUAL[:at] + bytes([byte]) + USUAL[at + 1 :])
    expect_equal(USUAL[:at])
    expect_equal(USUAL[:at] + USUAL[at + 1 :])
    expect_equal(USUAL[:at] + b"\x80" + USUAL[at:])


@given(st.binary(max_size=40), st.sampled_from([USUAL, USUAL[:20]]))
def test_other_bytes_behind_it_are_read_as_the_definition_reads_them(
    tail: bytes, head: bytes
) -> None:
    expect_equal(head + tail)


POSITIVE = st.integers(1, (1 << 63) - 1) | st.integers(1, 300)
VERSIONS = st.tuples(
    st.binary(min_size=1, max_size=200),
    POSITIVE,
    st.integers(0, 300),
    POSITIVE,
    POSITIVE,
    st.binary(max_size=300),
    I64,
)
TOMBSTONES = st.builds(
    lambda key, main, sub: (key, main, sub, 0, 0, b"", 0),
    st.binary(min_size=1, max_size=9),
    POSITIVE,
    st.integers(0, 300),
)


@given(VERSIONS | TOMBSTONES)
def test_a_row_is_built_as_the_definition_builds_it_and_comes_back(row: Row) -> None:
    key, main, sub, create, version, value, lease = row
    kv = KeyValue(key=key)
    if version:
        kv = replace(kv, create_revision=create, mod_revision=main, version=version)
        kv = replace(kv, value=value or None, lease=lease or None)
    place, built = key_row(row)
    assert built == KEY_VALUE.build(kv)
    mark = b"" if version else b"t"
    assert place == main.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big") + mark
    assert parse_key_row(place, built) == row


ROW: Row = (b"key", 300, 1, 299, 2, b"value\x30\x01", 1 << 62)


def read_slowly(place: bytes, data: bytes) -> Row | None:
    try:
        kv = KEY_VALUE.parse_exact(data)
    except FormatError:
        return None
    if not kv.version:
        return None
    numbers = (int.from_bytes(place[:8], "big"), int.from_bytes(place[9:17], "big"))
    create, lease = kv.create_revision or 0, kv.lease or 0
    return (kv.key or b"", *numbers, create, kv.version, kv.value or b"", lease)


@pytest.mark.parametrize("at", range(len(key_row(ROW)[1])))
def test_a_row_with_any_other_byte_is_read_as_the_definition_reads_it(at: int) -> None:
    place, data = key_row(ROW)
    others = [data[:at] + bytes([byte]) + data[at + 1 :] for byte in range(256)]
    for other in (*others, data[:at], data[:at] + data[at + 1 :], data[:at] + b"\x80" + data[at:]):
        try:
            found: Row | None = parse_key_row(place, other)
        except FormatError:
            found = None
        assert found == read_slowly(place, other)


@pytest.mark.parametrize(
    "place",
    [b"", bytes(16), bytes(17), bytes(8) + b"_" + bytes(8) + b"x", b"\xff" * 8 + b"_" + bytes(8)],
)
def test_a_place_that_is_no_revision_is_refused(place: bytes) -> None:
    with pytest.raises(FormatError):
        parse_key_row(place, key_row(ROW)[1])


REQUESTS_IN_A_ROW = st.lists(
    st.tuples(st.sampled_from([b"a", b"b"]), st.binary(max_size=2), st.sampled_from([0, 0, 1, 2])),
    max_size=12,
)


@given(REQUESTS_IN_A_ROW)
def test_a_member_is_the_same_with_and_without_the_shortcut(
    asked: list[tuple[bytes, bytes, int]],
) -> None:
    members = Asked(), Asked()
    for member in members:
        member.grant(1)
        member.put(b"b", b"", lease=1)
        member.compact(2)
    for key, value, lease in asked:
        # A field that the shortcut does not know, and that changes nothing.
        fast = members[0].put(key, value, lease=lease or None)
        slow = members[1].put(key, value, lease=lease or None, prev_kv=True)
        assert fast == slow
    fast_one, slow_one = (each.machine for each in members)
    assert fast_one.snapshot() == slow_one.snapshot()
    assert fast_one.store.hash() == slow_one.store.hash()
    assert fast_one.state.leases.attached == slow_one.state.leases.attached
