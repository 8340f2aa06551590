"""The requests of etcd's log against bytes that etcd wrote: parsed on both paths, built back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from formats import authpb, etcdserverpb, leasepb, limits, mvccpb, raftpb, rpcpb
from formats.codec import Codec
from formats.errors import LimitError, WireError
from formats.etcdserverpb import Request
from formats.fields import ALWAYS, IMPLICIT, FieldSpec, Kind, reachable
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import (
    AlarmRequest,
    CompactionRequest,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRangeRequest,
    LeaseGrantRequest,
    PutRequest,
    RequestOp,
    TxnRequest,
)
from tests.corpus import names, needs_corpus
from tests.formats import gogo
from tests.payload.corpus import is_etcd, logged, members
from walctl.model.record import EntryKind

HEADER = RequestHeader(id=0x64F3A20784248209)


def same(codec: Codec[Any], data: bytes) -> Any:
    """Parse on both paths, check that they agree and that it builds back to `data`."""
    quick = codec.parse_fast(data)
    assert quick is not None
    assert quick == codec.parse_exact(data)
    assert codec.build(quick) == data
    return quick


# Payloads of real entries of etcd 3.5.1; the headers, where the notes cut them, are made up.
REAL = [
    (
        "22 0a 0a 03 66 6f 6f 12 03 62 61 72 a2 06 0a 08 85 84 92 a1 f8 c0 e8 f9 64",
        InternalRaftRequest(
            put=PutRequest(key=b"foo", value=b"bar"), header=RequestHeader(id=0x64F3A20784248205)
        ),
    ),
    (
        "2a 05 0a 03 66 6f 6f a2 06 0a 08 88 84 92 a1 f8 c0 e8 f9 64",
        InternalRaftRequest(
            delete_range=DeleteRangeRequest(key=b"foo"), header=RequestHeader(id=0x64F3A20784248208)
        ),
    ),
    (
        "42 0d 08 d8 04 10 89 84 92 a1 f8 c0 e8 f9 64 a2 06 0a 08 89 84 92 a1 f8 c0 e8 f9 64",
        InternalRaftRequest(
            lease_grant=LeaseGrantRequest(ttl=600, id=0x64F3A20784248209), header=HEADER
        ),
    ),
    (
        "32 29 0a 09 08 01 10 02 1a 01 61 30 00 12 08 12 06 0a 01 61 12 01 32"
        "12 08 12 06 0a 01 62 12 01 33 1a 08 12 06 0a 01 63 12 01 34",
        InternalRaftRequest(
            txn=TxnRequest(
                compare=(
                    Compare(
                        result=CompareResult.GREATER,
                        target=CompareTarget.MOD,
                        key=b"a",
                        mod_revision=0,
                    ),
                ),
                success=(
                    RequestOp(request_put=PutRequest(key=b"a", value=b"2")),
                    RequestOp(request_put=PutRequest(key=b"b", value=b"3")),
                ),
                failure=(RequestOp(request_put=PutRequest(key=b"c", value=b"4")),),
            )
        ),
    ),
    ("3a 02 08 06", InternalRaftRequest(compaction=CompactionRequest(revision=6))),
    ("52 00", InternalRaftRequest(alarm=AlarmRequest())),
    (
        "22 0d 0a 04 66 6f 6f 32 12 03 62 61 72 30 01",
        InternalRaftRequest(put=PutRequest(key=b"foo2", value=b"bar", ignore_lease=True)),
    ),
    # As etcd 3.7 writes it; its messages inside an entry are proto3's, whose bytes are the same.
    (
        "22 06 0a 01 6b 12 01 76 a2 06 02 08 07",
        InternalRaftRequest(put=PutRequest(key=b"k", value=b"v"), header=RequestHeader(id=7)),
    ),
]

VERSION_PUT = bytes.fromhex(
    "08848492a1f8c0e8f964 1203505554 1a0a2f302f76657273696f6e 2205332e352e30 2800 3200 3800 4800"
    "5000 5800 6000 6800 7000 7800 800100"
)


@pytest.mark.parametrize(("text", "message"), REAL)
def test_a_real_request_reads_as_the_notes_have_it_and_builds_back(
    text: str, message: InternalRaftRequest
) -> None:
    assert same(INTERNAL_RAFT_REQUEST, bytes.fromhex(text)) == message


def test_a_v2_request_is_no_internal_request_and_keeps_its_zeros() -> None:
    with pytest.raises(WireError):
        INTERNAL_RAFT_REQUEST.parse(VERSION_PUT)
    request = same(etcdserverpb.REQUEST, VERSION_PUT)
    assert (request.id, request.method) == (0x64F3A20784248204, "PUT")
    assert (request.path, request.val) == ("/0/version", "3.5.0")
    assert (request.dir, request.prev_exist, request.expiration, request.refresh) == (
        False,
        None,
        0,
        None,
    )


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "QGET", "SYNC", "GET", "HEAD"])
def test_no_method_of_v2_lets_a_request_pass_for_an_internal_one(method: str) -> None:
    data = etcdserverpb.REQUEST.build(Request(id=1, method=method))
    with pytest.raises(WireError):
        INTERNAL_RAFT_REQUEST.parse(data)


def logs() -> list[Any]:
    """Every log of etcd's; a damaged one holds payloads of another, so those may wait."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name.startswith("x-") else [])
        for name in names()
        if is_etcd(name)
    ]


@needs_corpus
@pytest.mark.parametrize("name", logs())
def test_every_payload_that_etcd_logged_builds_back_byte_for_byte(name: str) -> None:
    read = 0
    for member in members(name):
        for entry in logged(name, member):
            if not entry.payload:
                continue
            read += 1
            if entry.kind is EntryKind.CONF_CHANGE:
                same(raftpb.CONF_CHANGE, entry.payload)
                continue
            try:
                gogo.unmarshal(InternalRaftRequest, entry.payload)
            except gogo.GogoError:
                request = same(etcdserverpb.REQUEST, entry.payload)
                assert request.method in ("PUT", "POST", "DELETE", "QGET", "SYNC")
            else:
                assert same(INTERNAL_RAFT_REQUEST, entry.payload).header is not None
    # Where the metadata is damaged, etcd's reader sees nothing behind it.
    assert read > 0 or name.startswith("x-flip-metadata-")


def nested_txn(depth: int) -> bytes:
    """A transaction inside `depth` others, each in the one step of the one around it."""
    data = b""
    for _ in range(depth):
        step = b"\x22" + gogo_varint(len(data)) + data
        data = b"\x12" + gogo_varint(len(step)) + step
    return data


def gogo_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("depth", [1, limits.NESTING_MAX // 2, limits.NESTING_MAX // 2 + 1, 5_000])
def test_transactions_nest_as_deep_as_the_limit_and_no_deeper(depth: int) -> None:
    data = nested_txn(depth)
    if 2 * depth <= limits.NESTING_MAX:
        same(rpcpb.TXN_REQUEST, data)
        return
    assert rpcpb.TXN_REQUEST.parse_fast(data) is None
    with pytest.raises(LimitError, match="nested too deeply"):
        rpcpb.TXN_REQUEST.parse(data)


# Names that the rule "words in camel case" does not give, as etcd's error texts have them.
GO_NAMES = [
    (INTERNAL_RAFT_REQUEST, "0a00", "ID"),
    (INTERNAL_RAFT_REQUEST, "1000", "V2"),
    (INTERNAL_RAFT_REQUEST, "4a02 0a00", "ID"),
    (INTERNAL_RAFT_REQUEST, "4202 0a00", "TTL"),
    (INTERNAL_RAFT_REQUEST, "5202 1200", "MemberID"),
    (INTERNAL_RAFT_REQUEST, "5a04 0a02 1200", "Remaining_TTL"),
    (INTERNAL_RAFT_REQUEST, "aa5102 0a00", "Member_ID"),
    (INTERNAL_RAFT_REQUEST, "e24402 2000", "HashedPassword"),
    (INTERNAL_RAFT_REQUEST, "9a4b04 1202 0a00", "PermType"),
    (etcdserverpb.REQUEST, "3000", "PrevValue"),
    (rpcpb.TXN_REQUEST, "0a02 2a00", "CreateRevision"),
]


@pytest.mark.parametrize(("codec", "text", "name"), GO_NAMES)
def test_an_error_names_the_field_as_etcd_does(codec: Codec[Any], text: str, name: str) -> None:
    with pytest.raises(WireError, match=rf"wrong wireType = \d for field {name}$"):
        codec.parse(bytes.fromhex(text))


def test_presence_is_that_of_the_schema_s_syntax() -> None:
    for spec in reachable(InternalRaftRequest):
        for field in spec.fields:
            is_scalar = field.kind is not Kind.NESTED and not field.is_repeated
            if spec.cls is Request:
                always = field.name not in ("prev_exist", "refresh")
                assert (field.presence is ALWAYS) == always
            else:
                implicit = is_scalar and field.oneof is None
                assert (field.presence is IMPLICIT) == implicit, (spec.go, field.name)


def test_every_enum_is_of_a_field_that_there_is() -> None:
    ints = {
        (spec.cls, field.name)
        for cls in (InternalRaftRequest, rpcpb.AlarmMember)
        for spec in reachable(cls)
        for field in spec.fields
        if field.kind is Kind.INT32
    }
    assert set(rpcpb.ENUMS) == ints


MANUAL = (Path(__file__).parents[2] / "man" / "walctl-formats.5").read_text()


def described(codec: Codec[Any]) -> Iterator[str]:
    """The paragraph of the manual for each message with fields that a codec needs."""
    for spec in reachable(codec.cls):
        if spec.fields and spec.cls is not InternalRaftRequest:
            fields = (rf"\%{each.proto} {each.number} \%{kind_of(each)}" for each in spec.fields)
            yield f"\n{', '.join(fields)}.\n"


def kind_of(field: FieldSpec) -> str:
    """The type as the manual has it: enums by that word, an asterisk for any number."""
    scalar = "enum" if field.kind is Kind.INT32 else field.kind.value
    name = scalar if field.target is None else field.target.__name__
    return name + "*" * field.is_repeated


@pytest.mark.parametrize(
    "codec",
    [
        INTERNAL_RAFT_REQUEST,
        etcdserverpb.REQUEST,
        mvccpb.KEY_VALUE,
        leasepb.LEASE,
        rpcpb.ALARM_MEMBER,
        authpb.USER,
        authpb.ROLE,
    ],
    ids=lambda codec: codec.cls.__name__,
)
def test_the_manual_lists_every_field_with_its_number_and_type(codec: Codec[Any]) -> None:
    missing = [text for text in described(codec) if text not in MANUAL]
    assert missing == []


def test_the_manual_has_the_tag_of_every_request() -> None:
    for field in reachable(InternalRaftRequest)[0].fields:
        tag = gogo_varint(field.number << 3 | field.kind.wire_type).hex(" ")
        assert f"\n{field.number:<6}  {tag:<8}  {field.proto:<27}  {kind_of(field)}\n" in MANUAL


@pytest.mark.parametrize("place", list(rpcpb.ENUMS), ids=lambda place: place[1])
def test_the_manual_has_the_words_of_every_enum_by_number(place: tuple[type, str]) -> None:
    words = list(rpcpb.ENUMS[place])
    assert [word.value for word in words] == list(range(len(words)))
    assert f"  {' '.join(word.name for word in words)}\n" in MANUAL
