"""What a redaction leaves of raw payloads: all, nothing, or all but the values of some fields."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import limits
from formats.codec import Codec
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.membershippb import Attributes, ClusterMemberAttrSetRequest
from formats.raftpb import CONF_CHANGE, ConfChange
from formats.rpcpb import AuthUserAddRequest, PutRequest
from tests import strategies
from tests.corpus import needs_corpus
from tests.payload.corpus import logged
from tests.payload.test_foreign import BLOCK, SECRETBOX
from tests.payload.wire import sized
from walctl.model.record import EntryKind, Span
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Blob, Node, Privacy, Redaction, Request, Text
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.etcd_fields import tree
from walctl.payload.privacy import hidden_spans, is_hidden, most_private, secret_marks

NORMAL = EntryKind.NORMAL
LEVELS = list(Redaction)
PUT = INTERNAL_RAFT_REQUEST.build(
    InternalRaftRequest(
        put=PutRequest(key=b"the key", value=b"the value", lease=77),
        header=RequestHeader(id=5, username="alice", auth_revision=3),
    )
)
ADDED = INTERNAL_RAFT_REQUEST.build(
    InternalRaftRequest(
        auth_user_add=AuthUserAddRequest(name="alice", password="clear", hashed_password="hash")
    )
)


def masked(payload: bytes, spans: tuple[Span, ...]) -> bytes:
    """The payload with zeros where nothing may be shown."""
    out = bytearray(payload)
    for span in spans:
        out[span.start : span.stop] = bytes(span.length)
    return bytes(out)


def left(payload: bytes, redaction: Redaction, kind: EntryKind = NORMAL) -> list[bytes]:
    """The texts of at least two characters that a hexdump would still show."""
    spans = hidden_spans(payload, redaction, kind)
    assert spans is not None
    runs = "".join(chr(byte) if 0x20 <= byte < 0x7F else "\n" for byte in masked(payload, spans))
    return [run.encode() for run in runs.split("\n") if len(run) > 1]


def test_each_level_hides_the_values_of_the_fields_it_is_about() -> None:
    assert left(PUT, Redaction.NONE) == [b"the key", b"the value", b"alice"]
    assert left(PUT, Redaction.AUTH) == [b"the key", b"the value", b"alice"]
    assert left(PUT, Redaction.VALUES) == [b"the key", b"alice"]
    assert left(PUT, Redaction.KEYS) == [b"alice"]
    assert left(PUT, Redaction.ALL) == []


def test_passwords_and_their_hashes_are_hidden_unasked_and_the_name_is_not() -> None:
    assert left(ADDED, Redaction.AUTH) == [b"alice"]
    assert is_hidden(ADDED, None, Redaction.AUTH)
    assert not is_hidden(ADDED, None, Redaction.NONE)


def test_a_user_of_the_v2_store_is_hidden_unasked() -> None:
    request = V2Request(id=1, method="PUT", path="/2/users/u", val="clear", dir=False)
    shown = b"".join(left(REQUEST.build(request), Redaction.AUTH))
    assert b"/2/users/u" in shown
    assert b"clear" not in shown
    public = V2Request(id=1, method="PUT", path="/1/users/u", val="clear", dir=False)
    assert b"clear" in b"".join(left(REQUEST.build(public), Redaction.AUTH))


def test_names_and_addresses_of_members_are_hidden_when_all_is() -> None:
    published = ClusterMemberAttrSetRequest(
        member_id=3, member_attributes=Attributes(name="n1", client_urls=("http://a", "http://b"))
    )
    data = INTERNAL_RAFT_REQUEST.build(InternalRaftRequest(cluster_member_attr_set=published))
    assert left(data, Redaction.KEYS) == [b"n1", b"http://a", b"http://b"]
    assert left(data, Redaction.ALL) == []
    change = CONF_CHANGE.build(ConfChange(type=0, node_id=3, context=b'{"name":"n1"}'))
    assert left(change, Redaction.KEYS, EntryKind.CONF_CHANGE) == [b'{"name":"n1"}']
    assert left(change, Redaction.ALL, EntryKind.CONF_CHANGE) == []


@pytest.mark.parametrize("redaction", LEVELS)
@given(st.data())
@settings(max_examples=40)
def test_exactly_what_a_tree_hides_is_hidden_of_its_bytes(
    redaction: Redaction, data: st.DataObject
) -> None:
    """Zeroed where hidden, a payload still has every open piece, and nothing of a hidden one."""
    codec, cls = data.draw(st.sampled_from(PAYLOADS))
    payload = codec.build(data.draw(strategies.messages(cls, depth=4)))
    spans = hidden_spans(payload, redaction)
    assert spans is not None
    assert all(first.stop <= then.start for first, then in itertools.pairwise(spans))
    before = pieces(codec.parse(payload))
    after = pieces(codec.parse(masked(payload, spans)))
    assert len(before) == len(after)
    for (privacy, was), (_, now) in zip(before, after, strict=True):
        assert now == (bytes(len(was)) if redaction.hides(privacy) else was)


PAYLOADS: list[tuple[Codec[Any], type[Any]]] = [
    (INTERNAL_RAFT_REQUEST, InternalRaftRequest),
    (REQUEST, V2Request),
]


def pieces(message: Any) -> list[tuple[Privacy, bytes]]:
    return list(_pieces(tree(message)))


def _pieces(node: Node) -> Iterator[tuple[Privacy, bytes]]:
    if isinstance(node, Blob):
        yield node.privacy, node.data
    elif isinstance(node, Text):
        yield node.privacy, node.text.encode("utf-8", "surrogateescape")
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from _pieces(each)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            yield from _pieces(each)


def test_an_unknown_field_is_hidden_with_the_secrets() -> None:
    data = PUT + b"\xc2\x57\x06secret"
    assert left(data, Redaction.AUTH)[-1] == b"alice"
    assert left(data, Redaction.NONE)[-1] == b"secret"


@pytest.mark.parametrize("redaction", LEVELS)
def test_what_does_not_parse_is_hidden_whole_where_values_are(redaction: Redaction) -> None:
    broken = b"\x07 no payload of etcd"
    is_all = redaction in (Redaction.VALUES, Redaction.KEYS, Redaction.ALL)
    assert hidden_spans(broken, redaction) == (None if is_all else ())


@pytest.mark.parametrize("mark", [*secret_marks()])
def test_what_does_not_parse_and_has_a_mark_is_hidden_unasked(mark: bytes) -> None:
    broken = b"\x07 broken " + mark
    assert hidden_spans(broken, Redaction.AUTH) is None
    assert is_hidden(broken, None, Redaction.AUTH)
    assert hidden_spans(broken, Redaction.NONE) == ()


def test_the_marks_are_those_that_the_specification_has() -> None:
    assert secret_marks() == (b"\xa2\x3f", b"\xe2\x44", b"\xfa\x44", b"/2/users")


def test_an_entry_of_a_kind_that_etcd_lacks_is_judged_by_its_bytes() -> None:
    assert hidden_spans(PUT, Redaction.AUTH, EntryKind.UNKNOWN) == ()
    assert hidden_spans(PUT, Redaction.VALUES, EntryKind.UNKNOWN) is None
    assert hidden_spans(ADDED, Redaction.AUTH, EntryKind.UNKNOWN) is None


@given(strategies.hostile(INTERNAL_RAFT_REQUEST) | strategies.hostile(REQUEST))
@settings(max_examples=100)
def test_hostile_bytes_have_spans_inside_them_or_none(data: bytes) -> None:
    spans = hidden_spans(data, Redaction.ALL)
    assert spans is None or all(0 <= each.start < each.stop <= len(data) for each in spans)


NODES: list[tuple[Node, Privacy]] = [
    (None, Privacy.OPEN),
    (5, Privacy.OPEN),
    (1.5, Privacy.OPEN),
    ("word", Privacy.OPEN),
    ({}, Privacy.OPEN),
    (Text("n", Privacy.NAME), Privacy.NAME),
    ([Blob(b"k", Privacy.KEY), Blob(b"v", Privacy.VALUE), "word"], Privacy.VALUE),
    ({"a": {"b": [1, (Text("s", Privacy.SECRET),)]}, "c": Blob(b"k", Privacy.KEY)}, Privacy.SECRET),
]


@pytest.mark.parametrize(("node", "privacy"), NODES)
def test_a_tree_is_as_private_as_its_most_private_piece(node: Node, privacy: Privacy) -> None:
    assert most_private(node) is privacy


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_no_password_or_token_of_a_real_log_is_left_where_secrets_are_hidden(name: str) -> None:
    etcd = EtcdDecoder()
    hidden = 0
    for entry in logged(name, "n1"):
        if not entry.payload:
            continue
        request = etcd.decode(entry.payload, entry.kind)
        assert request is not None
        spans = hidden_spans(entry.payload, Redaction.AUTH, entry.kind)
        assert spans is not None
        assert bool(spans) == is_hidden(entry.payload, request, Redaction.AUTH)
        shown = masked(entry.payload, spans)
        for privacy, secret in _pieces(request.body):
            if privacy is Privacy.SECRET:
                assert secret not in shown
                hidden += 1
        assert not any(word in shown for word in (b"rootpw", b"alicepw", b"bobpw", b"carolpw"))
    assert hidden > 20


@pytest.mark.parametrize("payload", [BLOCK, SECRETBOX], ids=["fabric", "swarm"])
def test_bytes_that_a_tree_does_not_tell_of_are_hidden_with_the_values(payload: bytes) -> None:
    request = AutoDecoder().decode(payload, NORMAL)
    assert request is not None
    assert most_private(request.body) is Privacy.OPEN
    hiding = [each for each in LEVELS if is_hidden(payload, request, each)]
    assert hiding == [Redaction.VALUES, Redaction.KEYS, Redaction.ALL]


def test_bytes_that_another_s_decoder_has_read_are_judged_by_themselves() -> None:
    request = Request(decoder="mine", type="x", body={"size": 5})
    assert is_hidden(ADDED, request, Redaction.AUTH)
    assert not is_hidden(PUT, request, Redaction.AUTH)
    assert is_hidden(PUT, request, Redaction.VALUES)
    sure = replace(request, unsaid=Privacy.KEY)
    assert not is_hidden(ADDED, sure, Redaction.VALUES)
    assert is_hidden(ADDED, sure, Redaction.KEYS)
    assert is_hidden(ADDED, replace(sure, body={"p": Text("p", Privacy.SECRET)}), Redaction.AUTH)


def test_what_is_beyond_the_bounds_is_judged_by_its_bytes_and_by_no_other_rule() -> None:
    step = sized(2, b"deep")
    for _ in range(2 * limits.NESTING_MAX):
        step = sized(2, sized(4, step))
    assert hidden_spans(sized(6, step), Redaction.AUTH) == ()
    assert hidden_spans(sized(6, step), Redaction.VALUES) is None
    assert hidden_spans(sized(6, step) + ADDED, Redaction.AUTH) is None
