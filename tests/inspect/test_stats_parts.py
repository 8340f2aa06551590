"""The parts that figures are counted with: shapes, tallies, prefixes, touches; each by itself."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import (
    DeleteRangeRequest,
    LeaseGrantRequest,
    PutRequest,
    RequestOp,
    TxnRequest,
)
from formats.varint import whole_varint
from tests.corpus import needs_corpus, unpacked
from tests.wal.builders import STATE, Builder, bytes_field, entry, fresh, state, varint
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.counting.figures import EVENTS_MAX, TERMS_MAX, Figures
from walctl.inspect.counting.fold import SEEN_BEFORE, Fold, Wish
from walctl.inspect.counting.prefix import PrefixRule
from walctl.inspect.counting.shapes import FRAME_BYTES_MAX, Shape, shape_of
from walctl.inspect.counting.tally import Tally
from walctl.inspect.counting.touch import touch_of_payload, touch_of_request
from walctl.model.record import EntryKind
from walctl.payload.base import Decoder, PayloadError, Request
from walctl.payload.etcd import EtcdDecoder
from walctl.wal.fold import digest

ETCD = EtcdDecoder()
NAME = "0000000000000000-0000000000000000.wal"


def put_payload(key: bytes, value: bytes, *, lease: int | None = None, header: int = 1) -> bytes:
    """A put as etcd writes it, by hand."""
    put = bytes_field(1, key) + (bytes_field(2, value) if value else b"")
    put += b"" if lease is None else b"\x18" + varint(lease % 2**64)
    return bytes_field(4, put) + bytes_field(100, b"\x08" + varint(header))


def frames_in(builder: Builder) -> list[bytes]:
    return [bytes(builder.data[each.start : each.stop]) for each in builder.frames]


# Shapes.


def assert_reads_like_the_definition(shape: Shape, frame: bytes) -> None:
    """Whatever a shape matches, the definition reads just so."""
    found = shape.pattern.match(frame)
    if found is None:
        return
    length = split_length(int.from_bytes(frame[:LENGTH_FIELD_BYTES], "little"))
    body = frame[LENGTH_FIELD_BYTES : LENGTH_FIELD_BYTES + length.record_bytes]
    record = walpb.RECORD.parse_exact(body)
    assert shape.frame_bytes == LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
    assert shape.padding_bytes == length.padding_bytes
    if shape.put_bytes is None:
        assert record.type == walpb.RecordType.STATE
        return
    assert record.type == walpb.RecordType.ENTRY
    told = raftpb.ENTRY.parse_exact(record.data or b"")
    assert not told.type
    request = INTERNAL_RAFT_REQUEST.parse_exact(told.data or b"")
    asked = ETCD.decode(told.data or b"", EntryKind.NORMAL)
    assert asked is not None
    assert asked.type == "put"
    put = request.put
    assert put is not None
    assert len(told.data or b"") == shape.payload_bytes
    assert len(put.key or b"") + len(put.value or b"") == shape.put_bytes
    assert found[1][: shape.key_bytes] == put.key
    lease = found[1][-shape.lease_bytes :] if shape.lease_bytes else b"\0"
    assert whole_varint(lease) == (put.lease or 0) % 2**64


SMALL = st.binary(min_size=1, max_size=12)
PUTS = st.builds(
    put_payload,
    SMALL,
    st.binary(max_size=200),
    lease=st.none() | st.integers(-(2**63), 2**63 - 1),
    header=st.integers(0, 2**64 - 1),
)


@given(st.lists(PUTS, min_size=1, max_size=4), st.integers(1, 300), st.integers(1, 2**40))
def test_a_put_that_etcd_writes_has_a_shape_and_reads_so(
    payloads: list[bytes], term: int, index: int
) -> None:
    log = fresh()
    for at, payload in enumerate(payloads):
        log.add(2, entry(index + at, term, payload, kind=0 if at % 2 else None))
    frames = frames_in(log)[3:]
    for frame in frames:
        shape = shape_of(frame)
        assert shape is not None
        assert shape.pattern.match(frame)
        for other in frames:
            assert_reads_like_the_definition(shape, other)


@given(PUTS, st.data())
def test_a_byte_changed_anywhere_never_makes_a_shape_lie(
    payload: bytes, data: st.DataObject
) -> None:
    frame = bytearray(frames_in(fresh().add(2, entry(7, 2, payload)))[-1])
    shape = shape_of(bytes(frame))
    assert shape is not None
    at = data.draw(st.integers(LENGTH_FIELD_BYTES, len(frame) - 1 - shape.padding_bytes))
    frame[at] = data.draw(st.integers(0, 255))
    assert_reads_like_the_definition(shape, bytes(frame))


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=1))
def test_a_hard_state_has_a_shape_and_no_figures_but_its_own(states: list[tuple[int, int]]) -> None:
    log = fresh()
    for term, commit in states:
        log.add(STATE, state(term, 1, commit))
    for frame in frames_in(log)[3:]:
        shape = shape_of(frame)
        assert shape is not None
        assert shape.put_bytes is None
        assert_reads_like_the_definition(shape, frame)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes_field(4, bytes_field(1, b"k")),
        bytes_field(4, bytes_field(2, b"v")) + bytes_field(100, b"\x08\x01"),
        bytes_field(4, bytes_field(1, b"k") + b"\x20\x01") + bytes_field(100, b"\x08\x01"),
        bytes_field(4, bytes_field(1, b"k")) + bytes_field(100, b"\x08\x01\x18\x05"),
        bytes_field(5, bytes_field(1, b"k")) + bytes_field(100, b"\x08\x01"),
        put_payload(b"k", b"v") + b"\x08\x01",
        put_payload(b"k" * 128, b"v"),
        put_payload(b"k", b"v" * FRAME_BYTES_MAX),
    ],
)
def test_anything_else_has_no_shape(payload: bytes) -> None:
    assert shape_of(frames_in(fresh().add(2, entry(7, 2, payload)))[-1]) is None


@needs_corpus
@pytest.mark.parametrize("name", ["a-single-20puts-34", "b-single-allops-35"])
def test_no_shape_made_of_a_real_log_lies_about_any_of_its_frames(name: str) -> None:
    path = next((unpacked(name) / "n1" / "member" / "wal").iterdir())
    data = path.read_bytes()
    frames, at = [], 0
    while int.from_bytes(data[at : at + 8], "little"):
        length = split_length(int.from_bytes(data[at : at + 8], "little"))
        stop = at + 8 + length.record_bytes + length.padding_bytes
        frames.append(data[at:stop])
        at = stop
    shapes = [shape for shape in map(shape_of, frames) if shape is not None]
    assert len(shapes) > 20
    by_word = Counter(frame[:8] for frame in frames)
    for frame in frames:
        for shape in shapes[:: max(1, len(shapes) // 20)]:
            assert_reads_like_the_definition(shape, frame)
    assert by_word.most_common(1)[0][1] > 1


# The fold around them.


def folded(log: Builder, *, top: int = 10, window_bytes: int = 4096) -> Figures:
    file = MemoryFileSystem({Path("/a.wal"): log.done(64)}).open(Path("/a.wal"))
    fold = Fold(NAME, Wish(decoder=ETCD, top=top))
    with file:
        digest(file, segment=NAME, seed=0, window_bytes=window_bytes, watch=fold.add)
    return fold.figures


def many(count: int, *, states: bool = False) -> Builder:
    log = fresh()
    for index in range(1, count + 1):
        lease = None if index % 3 else 2**40 + index % 5
        log.add(2, entry(index, 2, put_payload(b"k%03d" % (index % 7), b"v" * 30, lease=lease)))
        if states:
            log.add(STATE, state(2, 1, index))
    return log


@pytest.mark.parametrize("states", [False, True])
def test_many_entries_that_are_alike_are_counted_as_if_each_were_read(states: bool) -> None:
    count = 5 * SEEN_BEFORE
    figures = folded(many(count, states=states))
    assert figures.requests["put"].count == figures.entries.count == count
    assert figures.records["entry"].bytes == sum(
        each.stop - each.start for each in many(count).frames[3:]
    )
    assert ("state" in figures.records) == states
    keys = Counter(b"k%03d" % (index % 7) for index in range(1, count + 1))
    assert {row.name: row.writes for row in figures.keys.top(99)} == keys
    leases = Counter(2**40 + index % 5 for index in range(3, count + 1, 3))
    assert {row.name: row.writes for row in figures.leases.top(99)} == leases
    assert (figures.first_index, figures.last_index) == (1, count)


def test_such_entries_do_go_by_their_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    touch = touch_of_payload

    def counting(payload: bytes) -> object:
        asked.append(payload)
        return touch(payload)

    monkeypatch.setattr("walctl.inspect.counting.fold.touch_of_payload", counting)
    folded(many(20 * SEEN_BEFORE))
    assert SEEN_BEFORE <= len(asked) < 10 * SEEN_BEFORE


def test_of_equal_entries_the_first_are_the_biggest_also_when_they_have_a_shape() -> None:
    for top in (1, 10, 3 * SEEN_BEFORE):
        figures = folded(many(5 * SEEN_BEFORE), top=top)
        size = figures.biggest[0].size
        indexes = [big.index for big in figures.biggest if big.size == size]
        assert indexes == sorted(indexes)
        assert len(figures.biggest) == top
        # Those with a lease are longer, and they are every third.
        expected = list(range(3, 5 * SEEN_BEFORE + 1, 3))[:top]
        assert indexes == expected[: len(indexes)]


def test_what_a_hostile_log_may_have_without_end_is_bounded() -> None:
    log = fresh()
    for index in range(1, TERMS_MAX + 200):
        log.add(2, entry(index, index, b""))
        log.add(STATE, state(index, index, index))
    figures = folded(log)
    assert len(figures.terms) == TERMS_MAX
    assert figures.terms_left == 199
    assert len(figures.events) == EVENTS_MAX
    assert figures.events_left == 2 * (TERMS_MAX + 199) - EVENTS_MAX
    assert figures.entries.count == TERMS_MAX + 199


class Worse:
    """A decoder that calls every payload something else, and refuses some."""

    name = "worse"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        if payload.startswith(b"\xff"):
            raise PayloadError("no")
        return (
            None if payload == b"none" else Request(decoder=self.name, type=repr(payload), body={})
        )


def test_types_of_requests_are_bounded_and_refusals_are_counted() -> None:
    log = fresh()
    for index in range(1, 1400):
        log.put(index, data=b"%d" % index)
    log.put(1400, data=b"\xff").put(1401, data=b"none")
    file = MemoryFileSystem({Path("/a.wal"): log.done(64)}).open(Path("/a.wal"))
    decoder: Decoder = Worse()
    fold = Fold(NAME, Wish(decoder=decoder))
    with file:
        digest(file, segment=NAME, seed=0, watch=fold.add)
    requests = fold.figures.requests
    assert len(requests) == 1001
    assert sum(amount.count for amount in requests.values()) == 1401
    assert fold.figures.undecodable == 1


# Touches: the fast way and the tree.


@given(PUTS)
@example(INTERNAL_RAFT_REQUEST.build(InternalRaftRequest()))
@example(b"\x22\x00")
@example(put_payload(b"k", b"v") * 2)
def test_what_the_fast_codec_says_a_payload_does_is_what_its_tree_says(payload: bytes) -> None:
    touch = touch_of_payload(payload)
    if touch is not None:
        request = ETCD.decode(payload, EntryKind.NORMAL)
        assert request is not None
        assert touch == touch_of_request(request, len(payload))


def txn(*success: RequestOp, failure: tuple[RequestOp, ...] = ()) -> bytes:
    request = InternalRaftRequest(
        header=RequestHeader(id=5), txn=TxnRequest(success=success, failure=failure)
    )
    return INTERNAL_RAFT_REQUEST.build(request)


def test_of_a_transaction_both_branches_and_those_inside_are_counted() -> None:
    put = RequestOp(request_put=PutRequest(key=b"a", value=b"12", lease=-1))
    delete = RequestOp(request_delete_range=DeleteRangeRequest(key=b"b", range_end=b"c"))
    inner = RequestOp(request_txn=TxnRequest(success=(put,), failure=(delete, put)))
    payload = txn(put, inner, failure=(inner, delete))
    touch = touch_of_payload(payload)
    assert touch is not None
    assert touch.type == "txn"
    assert touch.puts == [(b"a", 3, 2**64 - 1)] * 5
    assert touch.ranges == [b"b"] * 3
    request = ETCD.decode(payload, EntryKind.NORMAL)
    assert request is not None
    assert touch == touch_of_request(request, len(payload))


def test_a_deep_transaction_is_left_to_the_decoder() -> None:
    op = RequestOp(request_put=PutRequest(key=b"a"))
    for _ in range(20):
        op = RequestOp(request_txn=TxnRequest(success=(op,)))
    payload = txn(op)
    assert touch_of_payload(payload) is None
    request = ETCD.decode(payload, EntryKind.NORMAL)
    assert request is not None
    assert touch_of_request(request, len(payload)).puts == [(b"a", 1, 0)]


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        bytes_field(4, bytes_field(1, b"k")),
        INTERNAL_RAFT_REQUEST.build(
            InternalRaftRequest(
                header=RequestHeader(id=1),
                put=PutRequest(key=b"k"),
                lease_grant=LeaseGrantRequest(),
            )
        ),
        bytes_field(4, b"\x0a\x81\x00k") + bytes_field(100, b"\x08\x01"),
        bytes_field(4, b"\x08\x01") + bytes_field(100, b"\x08\x01"),
    ],
)
def test_what_no_server_writes_is_left_to_the_decoder(payload: bytes) -> None:
    assert touch_of_payload(payload) is None


# Tallies.

NAMES = st.lists(st.tuples(st.sampled_from([b"%d" % n for n in range(30)]), st.integers(0, 50)))


@given(st.lists(NAMES, max_size=6), st.booleans(), st.integers(1, 8))
def test_a_tally_keeps_every_total_and_says_how_wrong_each_row_may_be(
    parts: list[list[tuple[bytes, int]]], by_bytes: bool, kept_max: int
) -> None:
    whole: Tally[bytes] = Tally(kept_max, by_bytes=by_bytes)
    writes: Counter[bytes] = Counter()
    sizes: Counter[bytes] = Counter()
    for part in parts:
        tally: Tally[bytes] = Tally(kept_max, by_bytes=by_bytes)
        for name, size in part:
            tally.add(name, tally.unit(writes=1, size=size))
            writes[name] += 1
            sizes[name] += size
        whole.merge(tally)
    assert whole.total() == (writes.total(), 0, sizes.total())
    assert len(whole.rows) <= 2 * kept_max
    truth = sizes if by_bytes else writes
    for row in whole.top(1000):
        found = row.bytes if by_bytes else row.writes
        assert found <= truth[row.name] <= found + row.missing_max
    for name in truth.keys() - whole.rows.keys():
        assert truth[name] <= whole.lost
    if len(truth) <= 2 * kept_max:
        assert not whole.is_approximate
        assert {row.name: row.writes for row in whole.top(1000)} == writes


def test_a_heavy_row_among_many_small_ones_is_found_and_exact() -> None:
    tally: Tally[bytes] = Tally(10)
    for n in range(5000):
        tally.add(b"small %d" % n, tally.unit(writes=1))
        if n % 10 == 0:
            tally.add(b"heavy", tally.unit(writes=1, size=7))
    (first,) = tally.top(1)
    assert (first.name, first.writes, first.bytes, first.missing_max) == (b"heavy", 500, 3500, 0)
    assert tally.is_approximate


def test_of_equal_rows_the_first_comes_first() -> None:
    tally: Tally[bytes] = Tally(10)
    for name in (b"b", b"a", b"c", b"a", b"b", b"c"):
        tally.add(name, tally.unit(writes=1))
    assert [row.name for row in tally.top(2)] == [b"b", b"a"]


# Prefixes.


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        (b"/registry/pods/default/web-0", b"/registry/pods/"),
        (b"/registry/health", b"/registry/"),
        (b"config/db", b"config/"),
        (b"a/b/c", b"a/b/"),
        (b"a/", b"a/"),
        (b"/", b"/"),
        (b"//a//b//c", b"//a//b//"),
        (b"/foo-12", b"/foo-"),
        (b"user:1017:name", b"user:"),
        (b"job-000017", b"job-"),
        (b"k0017", b"k"),
        (b"foo", b"foo"),
        (b"0017", b""),
        (b"", b""),
        (b"\xff\x00/\n/x", b"\xff\x00/\n/"),
    ],
)
def test_a_key_is_counted_under_what_a_person_would_call_its_folder(
    key: bytes, prefix: bytes
) -> None:
    assert PrefixRule().finder()(key) == prefix


def test_depth_and_separator_are_the_person_s() -> None:
    assert PrefixRule(depth=1).finder()(b"/a/b/c") == b"/a/"
    assert PrefixRule(depth=3).finder()(b"/a/b/c") == b"/a/b/"
    assert PrefixRule(depth=100).finder()(b"/a/b/c") == b"/a/b/"
    assert PrefixRule(separator=b".", depth=1).finder()(b"a/b.c.d") == b"a/b."
    assert PrefixRule(separator=b"::", depth=2).finder()(b"a:b::c::d") == b"a:b::c::"
    assert PrefixRule(separator=b"]", depth=1).finder()(b"a]b") == b"a]"
    assert PrefixRule(separator=b"^", depth=1).finder()(b"a^b") == b"a^"


@given(st.binary(max_size=40), st.sampled_from([b"/", b".", b"::", b"ab"]), st.integers(1, 4))
def test_a_prefix_is_the_beginning_of_its_key(key: bytes, separator: bytes, depth: int) -> None:
    prefix = PrefixRule(separator=separator, depth=depth).finder()(key)
    assert key.startswith(prefix)
    components = [each for each in prefix.split(separator) if each]
    assert len(components) <= depth
