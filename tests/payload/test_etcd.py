"""The decoder of etcd's entries by cases: tree, words, keys, privacy, and bytes that are none."""

import json
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import limits
from formats.authpb import Permission, UserAddOptions
from formats.codec import Codec
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.fields import Kind, reachable, spec_of
from formats.internalpb import (
    INTERNAL_RAFT_REQUEST,
    InternalAuthenticateRequest,
    InternalRaftRequest,
    RequestHeader,
)
from formats.membershippb import (
    Attributes,
    ClusterMemberAttrSetRequest,
    ClusterVersionSetRequest,
    DowngradeInfoSetRequest,
)
from formats.rpcpb import (
    AlarmRequest,
    AuthEnableRequest,
    AuthRoleGrantPermissionRequest,
    AuthUserAddRequest,
    AuthUserChangePasswordRequest,
    CompactionRequest,
    Compare,
    DeleteRangeRequest,
    LeaseCheckpoint,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from tests import strategies
from tests.payload.wire import sized
from walctl.model.record import EntryKind
from walctl.payload.base import (
    Blob,
    KeyRange,
    Node,
    PayloadError,
    PayloadLimitError,
    Privacy,
    Request,
    Text,
)
from walctl.payload.etcd import EtcdDecoder, parse, type_names
from walctl.payload.etcd_fields import PRIVACY, V2_METHODS

ETCD = EtcdDecoder()
NORMAL = EntryKind.NORMAL
HEADER = RequestHeader(id=0x64F3A20784248209)


def decoded(message: InternalRaftRequest | V2Request) -> Request:
    codec: Codec[Any] = REQUEST if isinstance(message, V2Request) else INTERNAL_RAFT_REQUEST
    request = ETCD.decode(codec.build(message), NORMAL)
    assert request is not None
    return request


def said(request: Request) -> str:
    """The words of a request, what a user wrote in quotes."""
    return "".join(
        each
        if isinstance(each, str)
        else json.dumps(each.text if isinstance(each, Text) else each.data.decode())
        for each in request.words
    )


def test_a_put_is_its_tree_its_key_its_id_and_a_line() -> None:
    put = PutRequest(key=b"k/000", value=b"first", lease=0x694D, prev_kv=True)
    header = RequestHeader(id=0x64F3A20784248209, username="alice", auth_revision=14)
    request = decoded(InternalRaftRequest(put=put, header=header))
    assert request == Request(
        decoder="etcd",
        type="put",
        request_id=0x64F3A20784248209,
        body={
            "header": {
                "ID": "64f3a20784248209",
                "username": Text("alice", Privacy.NAME),
                "auth_revision": 14,
            },
            "put": {
                "key": Blob(b"k/000", Privacy.KEY),
                "value": Blob(b"first", Privacy.VALUE),
                "lease": "694d",
                "prev_kv": True,
            },
        },
        words=(
            "put ",
            Blob(b"k/000", Privacy.KEY),
            " = ",
            Blob(b"first", Privacy.VALUE),
            " lease 694d",
        ),
        keys=(KeyRange(b"k/000"),),
        unsaid=Privacy.OPEN,
    )
    assert list(request.body) == ["header", "put"]


def put(key: bytes, value: bytes = b"v") -> RequestOp:
    return RequestOp(request_put=PutRequest(key=key, value=value))


NESTED = RequestOp(
    request_txn=TxnRequest(
        compare=(Compare(key=b"n"),), success=(put(b"n/1"),), failure=(put(b"n/2"),)
    )
)

WORDS = [
    (InternalRaftRequest(put=PutRequest(key=b"a")), 'put "a" = ""'),
    (
        InternalRaftRequest(put=PutRequest(key=b"a", value=b"b", lease=-5)),
        'put "a" = "b" lease -5',
    ),
    (
        InternalRaftRequest(put=PutRequest(key=b"a", ignore_value=True, lease=5)),
        'put "a" with the value it has lease 5',
    ),
    (
        InternalRaftRequest(put=PutRequest(key=b"a", value=b"b", ignore_lease=True)),
        'put "a" = "b" on the lease it has',
    ),
    (InternalRaftRequest(delete_range=DeleteRangeRequest(key=b"a")), 'delete "a"'),
    (
        InternalRaftRequest(delete_range=DeleteRangeRequest(key=b"a", range_end=b"b")),
        'delete "a"–"b"',
    ),
    (
        InternalRaftRequest(delete_range=DeleteRangeRequest(key=b"a", range_end=b"\0")),
        'delete "a" and all after',
    ),
    (
        InternalRaftRequest(delete_range=DeleteRangeRequest(key=b"\0", range_end=b"\0")),
        "delete all keys",
    ),
    (InternalRaftRequest(range=RangeRequest(key=b"a")), 'get "a"'),
    (
        InternalRaftRequest(txn=TxnRequest(compare=(Compare(key=b"c"),), success=(put(b"a"),))),
        'txn if version("c") = 0 then put "a" = "v"',
    ),
    (
        InternalRaftRequest(
            txn=TxnRequest(
                compare=(
                    Compare(target=2, result=1, key=b"m", mod_revision=5),
                    Compare(target=3, key=b"x", range_end=b"z", value=b"third"),
                ),
                failure=tuple(put(bytes([97 + each])) for each in range(15)),
            )
        ),
        'txn if mod("m") > 5 and value("x"–"z") = "third" then nothing else '
        'put "a" = "v", put "b" = "v", put "c" = "v", … 12 more',
    ),
    (
        InternalRaftRequest(txn=TxnRequest(success=(NESTED, RequestOp()))),
        'txn then (txn if version("n") = 0 then put "n/1" = "v" else put "n/2" = "v"), ?',
    ),
    (
        InternalRaftRequest(lease_grant=LeaseGrantRequest(ttl=600, id=0x694D)),
        "lease grant 694d 600 s",
    ),
    (InternalRaftRequest(lease_revoke=LeaseRevokeRequest(id=-1)), "lease revoke -1"),
    (
        InternalRaftRequest(
            lease_checkpoint=LeaseCheckpointRequest(
                checkpoints=tuple(LeaseCheckpoint(id=each, remaining_ttl=9) for each in range(5))
            )
        ),
        "lease checkpoint 0 9 s left, 1 9 s left, 2 9 s left, … 2 more",
    ),
    (InternalRaftRequest(compaction=CompactionRequest(revision=6)), "compaction to revision 6"),
    (InternalRaftRequest(alarm=AlarmRequest()), "alarm list"),
    (
        InternalRaftRequest(alarm=AlarmRequest(action=1, member_id=255, alarm=1)),
        "alarm activate NOSPACE of member ff",
    ),
    (InternalRaftRequest(alarm=AlarmRequest(action=7, alarm=9)), "alarm action 7 9"),
    (InternalRaftRequest(auth_enable=AuthEnableRequest()), "auth enable"),
    (InternalRaftRequest(auth_user_add=AuthUserAddRequest(name="root")), 'auth user add "root"'),
    (
        InternalRaftRequest(
            auth_role_grant_permission=AuthRoleGrantPermissionRequest(
                name="r", perm=Permission(perm_type=2, key=b"a", range_end=b"b")
            )
        ),
        'auth role grant permission "r" READWRITE "a"–"b"',
    ),
    (
        InternalRaftRequest(cluster_version_set=ClusterVersionSetRequest(ver="3.6.0")),
        'cluster version "3.6.0"',
    ),
    (
        InternalRaftRequest(
            cluster_member_attr_set=ClusterMemberAttrSetRequest(
                member_id=255, member_attributes=Attributes(name="n1", client_urls=("http://a",))
            )
        ),
        'member ff is "n1" "http://a"',
    ),
    (
        InternalRaftRequest(downgrade_info_set=DowngradeInfoSetRequest(enabled=True, ver="3.5.0")),
        'downgrade to "3.5.0"',
    ),
    (InternalRaftRequest(downgrade_info_set=DowngradeInfoSetRequest()), "downgrade cancelled"),
    (InternalRaftRequest(header=HEADER), "nothing asked"),
    (V2Request(id=1, method="PUT", path="/1/a", val="x", dir=False), 'v2 put "/1/a" = "x"'),
    (V2Request(id=1, method="DELETE", path="/1/a", dir=False), 'v2 delete "/1/a"'),
    (V2Request(id=1, method="SYNC", time=5), "v2 sync"),
    (V2Request(id=1, method="put", dir=False), 'v2 request "put"'),
]


@pytest.mark.parametrize(("message", "words"), WORDS)
def test_words_say_in_one_line_what_is_asked(
    message: InternalRaftRequest | V2Request, words: str
) -> None:
    assert said(decoded(message)) == words


def test_a_line_stays_short_whatever_a_transaction_holds() -> None:
    steps = tuple(put(b"k") for _ in range(5_000))
    for step in (put(b"k"), NESTED):
        txn = TxnRequest(success=(step, *steps), failure=steps)
        assert len(decoded(InternalRaftRequest(txn=txn)).words) < 60


def test_the_keys_of_a_transaction_are_those_of_all_its_parts_each_once() -> None:
    txn = TxnRequest(
        compare=(Compare(key=b"c", range_end=b"d"),),
        success=(put(b"a"), put(b"a"), NESTED),
        failure=(
            RequestOp(request_range=RangeRequest(key=b"r", range_end=b"\0")),
            RequestOp(request_delete_range=DeleteRangeRequest(key=b"x")),
        ),
    )
    assert decoded(InternalRaftRequest(txn=txn)).keys == (
        KeyRange(b"c", b"d"),
        KeyRange(b"a"),
        KeyRange(b"n"),
        KeyRange(b"n/1"),
        KeyRange(b"n/2"),
        KeyRange(b"r", b"\0"),
        KeyRange(b"x"),
    )


def test_keys_are_those_that_are_read_or_written_and_no_others() -> None:
    assert decoded(V2Request(method="PUT", path="/1/a")).keys == (KeyRange(b"/1/a"),)
    granted = AuthRoleGrantPermissionRequest(name="r", perm=Permission(key=b"a"))
    assert decoded(InternalRaftRequest(auth_role_grant_permission=granted)).keys == ()


TYPES = [
    (InternalRaftRequest(), "empty", None),
    (InternalRaftRequest(header=HEADER), "empty", HEADER.id),
    (InternalRaftRequest(id=7, compaction=CompactionRequest()), "compaction", 7),
    (InternalRaftRequest(id=7, header=HEADER, alarm=AlarmRequest()), "alarm", HEADER.id),
    (InternalRaftRequest(v2=V2Request(id=3, method="GET")), "v2_get", None),
    (V2Request(id=5, method="QGET"), "v2_qget", 5),
    (V2Request(id=5, method="SYNC"), "v2_sync", 5),
    (V2Request(method="\x1b[31m", dir=False), "v2", None),
]


@pytest.mark.parametrize(("message", "name", "request_id"), TYPES)
def test_a_request_has_a_type_of_the_list_and_its_owner_s_id(
    message: InternalRaftRequest | V2Request, name: str, request_id: int | None
) -> None:
    data = (REQUEST if isinstance(message, V2Request) else INTERNAL_RAFT_REQUEST).build(
        message  # type: ignore[arg-type]
    )
    request = ETCD.decode(data, NORMAL)
    assert request is not None
    assert (request.type, request.request_id) == (name, request_id)
    assert name in type_names()


def test_a_method_that_is_none_is_shown_as_a_user_s_text() -> None:
    body: Any = decoded(V2Request(method="\x1b[31m", dir=False)).body["v2"]
    assert body == {"Method": Text("\x1b[31m", Privacy.OPEN)}


def test_a_request_of_a_later_etcd_is_unknown_and_its_bytes_a_secret() -> None:
    data = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(header=HEADER)) + b"\xc2\x57\x02\x0a\x00"
    request = ETCD.decode(data, NORMAL)
    assert request is not None
    assert request.type == "unknown"
    assert said(request) == "unknown request 1400"
    assert request.body["unknown"] == [
        {"number": 1400, "wire_type": 2, "data": Blob(data[-5:], Privacy.SECRET)}
    ]


def test_a_member_of_a_oneof_is_there_when_it_is_zero_and_a_plain_zero_is_not() -> None:
    txn = TxnRequest(compare=(Compare(result=0, target=2, key=b"a", mod_revision=0),))
    body: Any = decoded(InternalRaftRequest(txn=txn)).body["txn"]
    expected = {"target": "MOD", "key": Blob(b"a", Privacy.KEY), "mod_revision": 0}
    assert body == {"compare": [expected]}


def test_an_enum_s_number_that_etcd_lacks_is_shown_as_a_number() -> None:
    body: Any = decoded(InternalRaftRequest(alarm=AlarmRequest(action=9, alarm=2))).body["alarm"]
    assert body == {"action": 9, "alarm": "CORRUPT"}


def test_optional_flags_of_v2_are_there_when_they_are_set_to_no() -> None:
    body: Any = decoded(V2Request(method="PUT", dir=False, prev_exist=False)).body["v2"]
    assert body == {"Method": "PUT", "PrevExist": False}


# ---------------------------------------------------------------------------------------------
# What is hidden.


def pieces(node: Node) -> Iterator[Blob | Text]:
    if isinstance(node, Blob | Text):
        yield node
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from pieces(each)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            yield from pieces(each)


def secrets(request: Request) -> set[str]:
    return {
        each.text if isinstance(each, Text) else each.data.decode("latin-1")
        for each in (*pieces(request.body), *pieces(list(request.words)))
        if each.privacy is Privacy.SECRET
    }


ADDED = AuthUserAddRequest(
    name="u", password="clear", hashed_password="hash", options=UserAddOptions()
)
PASSWORDS = [
    InternalRaftRequest(auth_user_add=ADDED),
    InternalRaftRequest(
        auth_user_change_password=AuthUserChangePasswordRequest(
            name="u", password="clear", hashed_password="hash"
        )
    ),
    InternalRaftRequest(
        authenticate=InternalAuthenticateRequest(name="u", password="clear", simple_token="hash")
    ),
    V2Request(method="PUT", path="/2/users/u", val="clear", prev_value="hash"),
    V2Request(method="PUT", path="2/.//users/x/../u", val="clear", prev_value="hash"),
    InternalRaftRequest(
        v2=V2Request(method="PUT", path="/2/users/u", val="clear", prev_value="hash")
    ),
]


@pytest.mark.parametrize("message", PASSWORDS)
def test_passwords_hashes_and_tokens_are_secrets(message: Any) -> None:
    assert secrets(decoded(message)) == {"clear", "hash"}


@pytest.mark.parametrize("path", ["/1/users/u", "/2/roles/u", "/2/usersx", "/2/users/../roles"])
def test_other_values_of_the_v2_store_are_values(path: str) -> None:
    request = decoded(V2Request(method="PUT", path=path, val="v"))
    assert secrets(request) == set()
    assert request.words[-1] == Text("v", Privacy.VALUE)


def test_every_text_and_every_run_of_bytes_has_its_privacy() -> None:
    for spec in reachable(InternalRaftRequest):
        sensitive = {each.name for each in spec.fields if each.kind in (Kind.BYTES, Kind.STRING)}
        assert sensitive == set(PRIVACY.get(spec.cls, {})), spec.go


@given(st.data())
@settings(max_examples=60)
def test_no_text_of_a_user_reaches_a_screen_unmarked(data: st.DataObject) -> None:
    """Every plain word of a tree or a line is one of ours or of the schema, whatever is logged."""
    message = data.draw(strategies.messages(InternalRaftRequest, depth=4))
    request = ETCD.decode(INTERNAL_RAFT_REQUEST.build(message), NORMAL)
    assert request is not None
    known = {field.proto for spec in reachable(InternalRaftRequest) for field in spec.fields}
    for name, node in plain(request.body):
        assert name in known | {"unknown"}
        if isinstance(node, str):
            assert re.fullmatch(r"-?[0-9a-f]+|[A-Z_]+", node), node
    for word in request.words:
        assert not isinstance(word, str) or word.isprintable()


def plain(tree: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    for name, node in tree.items():
        for each in node if isinstance(node, list) else [node]:
            if isinstance(each, Mapping):
                yield name, None
                yield from plain(each)
            else:
                yield name, each


# ---------------------------------------------------------------------------------------------
# Bytes that are none of etcd's.


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("22", 0, r"no InternalRaftRequest \(unexpected EOF\), no v2 Request \(unexpected EOF\)"),
        ("0801 1203505554 1a022f31 2a00", 11, r"no v2 Request \(proto: wrong wireType = 2"),
        ("07", 0, "illegal tag 0"),
    ],
)
def test_what_neither_parses_as_is_an_error_with_its_place(
    text: str, offset: int, words: str
) -> None:
    with pytest.raises(PayloadError, match=words) as caught:
        ETCD.decode(bytes.fromhex(text), NORMAL)
    assert caught.value.offset == offset


def verdict(data: bytes) -> str | int | None:
    """The type of the request in `data`, or where it is none."""
    try:
        request = ETCD.decode(data, NORMAL)
    except PayloadError as error:
        return error.offset
    return None if request is None else request.type


@given(strategies.hostile(INTERNAL_RAFT_REQUEST) | strategies.hostile(REQUEST))
@settings(max_examples=100)
def test_hostile_bytes_are_a_request_or_an_error_with_its_place(data: bytes) -> None:
    assert verdict(data) in {*type_names(), *range(len(data) + 1)}


def test_a_damaged_request_that_parses_as_v2_is_taken_for_one_as_etcd_does() -> None:
    """Field 4 is a value there, and the password's field is none: it stays a secret."""
    sent = InternalRaftRequest(put=PutRequest(key=b"k", value=b"v"), auth_user_add=ADDED)
    data = INTERNAL_RAFT_REQUEST.build(sent)
    request = ETCD.decode(data.replace(b"\x04hash", b"\x05hash"), NORMAL)
    assert request is not None
    assert request.type == "v2"
    assert any("clear" in each for each in secrets(request))


def test_an_entry_of_a_kind_that_etcd_lacks_is_left_alone() -> None:
    assert ETCD.decode(b"\xff", EntryKind.UNKNOWN) is None


def test_the_decoder_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(ETCD)) == ETCD


def test_the_list_of_types_has_each_once_and_every_request_of_the_schema() -> None:
    assert len(set(type_names())) == len(type_names())
    fields = {field.proto for field in spec_of(InternalRaftRequest).fields}
    assert fields - {"ID", "header"} <= set(type_names())
    assert {f"v2_{method.lower()}" for method in V2_METHODS} <= set(type_names())


def test_etcd_s_rule_tries_the_internal_request_first() -> None:
    assert parse(b"") == InternalRaftRequest()
    assert parse(REQUEST.build(V2Request(method="PUT"))) == V2Request(method="PUT")
    assert parse(REQUEST.build(V2Request(id=4))) == InternalRaftRequest(id=4)


def nested(depth: int) -> bytes:
    """A transaction with that many inside one another, with a put at the bottom."""
    step = sized(2, sized(2, sized(1, b"k") + sized(2, b"v")))
    for _ in range(depth):
        step = sized(2, sized(4, step))
    return sized(6, step)


def test_a_transaction_nested_beyond_the_bounds_is_not_taken_for_a_v2_request() -> None:
    request = ETCD.decode(nested(20), NORMAL)
    assert request is not None
    assert request.type == "txn"
    for depth in (limits.NESTING_MAX, 10 * limits.NESTING_MAX):
        payload = nested(depth)
        assert REQUEST.parse(payload).unknown == ()  # by its own rule it would be one
        with pytest.raises(PayloadLimitError, match="nested too deeply"):
            ETCD.decode(payload, NORMAL)


def test_a_request_with_more_fields_than_are_read_is_not_taken_for_a_v2_request() -> None:
    payload = sized(6, sized(2, b"") * (limits.FIELDS_MAX + 1))
    with pytest.raises(PayloadLimitError, match="more than 65536 fields"):
        ETCD.decode(payload, NORMAL)
