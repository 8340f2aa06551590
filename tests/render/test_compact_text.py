"""Compact protobuf text: the examples of the notes, its rules, and the fast way held to them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.authpb import Permission, PermissionType
from formats.errors import FormatError, LimitError
from formats.etcdserverpb import Request
from formats.fields import UnknownField
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.limits import FIELDS_MAX, NESTING_MAX
from formats.membershippb import Attributes, ClusterMemberAttrSetRequest
from formats.rpcpb import (
    AlarmAction,
    AlarmRequest,
    AlarmType,
    AuthEnableRequest,
    AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest,
    AuthUserAddRequest,
    Compare,
    CompareTarget,
    LeaseCheckpoint,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    PutRequest,
    RequestOp,
    TxnRequest,
)
from tests.corpus import needs_corpus
from tests.inspect.answers import DISK, examined, logs_in, of_kind
from tests.strategies import hostile, messages
from walctl.errors import CorruptionError
from walctl.inspect.dump_logs import dump_logs
from walctl.model.record import EntryKind
from walctl.payload.base import Redaction
from walctl.render.compact_text import CompactPrinter, compact_text, go_quoted, octal_quoted

MEMBERS = [(name, member) for name in of_kind("scenario") for member in logs_in(name)]
ID = 17519462178808684604


@pytest.mark.parametrize(
    ("message", "text"),
    [
        # The three examples of the notes.
        (
            InternalRaftRequest(
                header=RequestHeader(id=ID),
                txn=TxnRequest(
                    compare=(Compare(target=CompareTarget.VALUE, key=b"k/000", value=b"third"),),
                    success=(RequestOp(request_put=PutRequest(key=b"t/4", value=b"outer")),),
                ),
            ),
            f"header:<ID:{ID} > txn:<compare:<target:VALUE "
            'key:"k/000" value:"third" > success:<request_put:<key:"t/4" value:"outer" > > > ',
        ),
        (
            InternalRaftRequest(
                header=RequestHeader(id=ID, username="root", auth_revision=15),
                auth_role_revoke_permission=AuthRoleRevokePermissionRequest(
                    role="writer", key=b"single"
                ),
            ),
            f'header:<ID:{ID} username:"root" auth_revision:15 >'
            ' auth_role_revoke_permission:<role:"writer" key:"single" > ',
        ),
        (
            InternalRaftRequest(header=RequestHeader(id=ID), auth_enable=AuthEnableRequest()),
            f"header:<ID:{ID} > auth_enable:<> ",
        ),
        # Zero is left out in a scalar of proto3, and counts in a oneof.
        (PutRequest(key=b"k", value=b"", lease=0, prev_kv=False), 'key:"k" '),
        (PutRequest(key=b"k", lease=-1, prev_kv=True), 'key:"k" lease:-1 prev_kv:true '),
        (Compare(result=0, key=b"a", mod_revision=0), 'key:"a" mod_revision:0 '),
        (Compare(key=b"a", value=b"", range_end=b"b"), 'key:"a" value:"" range_end:"b" '),
        (RequestOp(request_txn=TxnRequest()), "request_txn:<> "),
        (InternalRaftRequest(), ""),
        # The names of the schema, lists, and enums by name, if they have one.
        (
            LeaseCheckpointRequest(
                checkpoints=(LeaseCheckpoint(id=1, remaining_ttl=2), LeaseCheckpoint(id=3))
            ),
            "checkpoints:<ID:1 remaining_TTL:2 > checkpoints:<ID:3 > ",
        ),
        (LeaseGrantRequest(ttl=60, id=7), "TTL:60 ID:7 "),
        (
            AlarmRequest(action=AlarmAction.ACTIVATE, member_id=5, alarm=AlarmType.CORRUPT),
            "action:ACTIVATE memberID:5 alarm:CORRUPT ",
        ),
        (AlarmRequest(action=9, alarm=-1), "action:9 alarm:-1 "),
        (
            AuthRoleGrantPermissionRequest(
                name="r", perm=Permission(perm_type=PermissionType.READWRITE, key=b"a")
            ),
            'name:"r" perm:<permType:READWRITE key:"a" > ',
        ),
        (
            ClusterMemberAttrSetRequest(
                member_id=5, member_attributes=Attributes(name="n", client_urls=("a", "b"))
            ),
            'member_ID:5 member_attributes:<name:"n" client_urls:"a" client_urls:"b" > ',
        ),
        # A field that has no name has no text.
        (
            PutRequest(key=b"k", unknown=(UnknownField(number=9, wire_type=0, data=b"H\1"),)),
            'key:"k" ',
        ),
    ],
)
def test_a_message_is_printed_by_the_rules(message: object, text: str) -> None:
    assert compact_text(message) == text


def test_every_byte_has_one_form_in_quotes() -> None:
    named = {10: r"\n", 13: r"\r", 9: r"\t", 34: r"\"", 92: r"\\"}
    for byte in range(256):
        wanted = named.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}")
        assert octal_quoted(bytes([byte])) == f'"{wanted}"'
        assert octal_quoted(b"a" + bytes([byte]) + b"z") == f'"a{wanted}z"'


@given(st.binary(max_size=60))
def test_quoted_bytes_can_be_read_back(data: bytes) -> None:
    text = octal_quoted(data)
    assert text.isascii()
    assert text.isprintable()
    assert text[1:-1].encode().decode("unicode_escape").encode("latin-1") == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain /a", '"plain /a"'),
        (b'"\\\a\b\f\n\r\t\v', r'"\"\\\a\b\f\n\r\t\v"'),
        (b"\x00\x1b\x7f", r'"\x00\x1b\x7f"'),
        (b"\xff\xc3", r'"\xff\xc3"'),
        ("é漢\U0001f600\ufffd".encode(), '"é漢\U0001f600\ufffd"'),
        ("\u00a0\u202e\U000e0001".encode(), r'"\u00a0\u202e\U000e0001"'),
    ],
)
def test_text_is_quoted_as_go_does(data: bytes, text: str) -> None:
    assert go_quoted(data) == text


@settings(max_examples=30)
@given(messages(InternalRaftRequest), st.sampled_from(list(Redaction)))
def test_the_fast_way_prints_what_the_definition_prints(
    message: InternalRaftRequest, level: Redaction
) -> None:
    payload = INTERNAL_RAFT_REQUEST.build(message)
    printer = CompactPrinter(level)
    slow = printer.text(INTERNAL_RAFT_REQUEST.parse_exact(payload))
    fast = printer.request_text(payload)
    assert fast in (slow, None)
    assert (fast is None) == (message.v2 is not None)


@settings(max_examples=50)
@given(hostile(INTERNAL_RAFT_REQUEST))
def test_the_fast_way_knows_when_it_does_not_count(payload: bytes) -> None:
    printer = CompactPrinter()
    fast = printer.request_text(payload)
    assert fast is None or fast == printer.text(INTERNAL_RAFT_REQUEST.parse_exact(payload))


@needs_corpus
@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_on_real_entries_the_fast_way_counts_and_is_right(name: str, member: str) -> None:
    seen = examined(name, member).survey
    printer = CompactPrinter()
    try:
        dump = dump_logs(DISK, seen.layout, seen, start_index=0)
    except CorruptionError:
        dump = dump_logs(DISK, seen.layout, seen)
    for entry in dump.entries:
        if entry.kind is not EntryKind.NORMAL:
            continue
        payload = entry.payload or b""
        fast = printer.request_text(payload)
        try:
            message = INTERNAL_RAFT_REQUEST.parse(payload)
        except FormatError:
            assert fast is None
            continue
        is_long = len(payload) > 2 * FIELDS_MAX
        assert fast == (None if is_long else printer.text(message))


def nested(depth: int) -> bytes:
    """A request with so many transactions inside one another."""
    data = b""
    for _ in range(depth):
        inner = b"\x22" + _length(data) + data  # request_txn
        data = b"\x12" + _length(inner) + inner  # success
    return b"\x32" + _length(data) + data


def _length(data: bytes) -> bytes:
    size = len(data)
    return bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])


@pytest.mark.parametrize("depth", [1, 20, 31, 32, 40, 90])
def test_nested_transactions_are_printed_as_deep_as_the_definition_goes(depth: int) -> None:
    fast = CompactPrinter().request_text(nested(depth))
    is_too_deep = 1 + 2 * depth > NESTING_MAX
    if is_too_deep:
        with pytest.raises(LimitError):
            INTERNAL_RAFT_REQUEST.parse(nested(depth))
        assert fast is None
    else:
        assert fast == compact_text(INTERNAL_RAFT_REQUEST.parse_exact(nested(depth)))
        assert fast == f"txn:<{'success:<request_txn:<' * depth}{'> ' * 2 * depth}> "


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (Redaction.NONE, 'name:"bob" password:"p" hashedPassword:"h" '),
        (Redaction.AUTH, 'name:"bob" password:"<redacted>" hashedPassword:"<redacted>" '),
        (Redaction.ALL, 'name:"<redacted>" password:"<redacted>" hashedPassword:"<redacted>" '),
    ],
)
def test_what_is_hidden_is_said_to_be(level: Redaction, text: str) -> None:
    user = AuthUserAddRequest(name="bob", password="p", hashed_password="h")
    assert compact_text(user, level) == text
    payload = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(auth_user_add=user))
    assert CompactPrinter(level).request_text(payload) == f"auth_user_add:<{text}> "


def test_a_v2_request_inside_another_hides_the_users_of_its_store() -> None:
    inside = InternalRaftRequest(v2=Request(path="/2/users/root", val="hash", prev_value="old"))
    assert compact_text(inside, Redaction.AUTH) == (
        'v2:<Path:"/2/users/root" Val:"<redacted>" PrevValue:"<redacted>" > '
    )
    assert '"hash"' in compact_text(inside)
