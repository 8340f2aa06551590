"""Changes of the membership as requests: Raft's part, and etcd's JSON inside it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import limits
from formats.fields import UnknownField
from formats.raftpb import (
    CONF_CHANGE,
    CONF_CHANGE_V2,
    ConfChange,
    ConfChangeSingle,
    ConfChangeV2,
)
from tests import strategies
from tests.corpus import names, needs_corpus
from tests.payload.corpus import logged, members
from walctl.inspect.document import request_document
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, PayloadError, Privacy, Redaction, Request, Text
from walctl.payload.confchange import context_node, decode_conf_change

# Entry 1 of a new member of etcd 3.5.1.
FIRST = CONF_CHANGE.build(
    ConfChange(
        id=0,
        type=0,
        node_id=6987771583291745523,
        context=b'{"id":6987771583291745523,"peerURLs":["http://127.0.0.1:23891"],"name":"n1"}',
    )
)


def single(change: ConfChange) -> Request:
    return decode_conf_change(CONF_CHANGE.build(change), EntryKind.CONF_CHANGE)


def said(request: Request) -> str:
    return "".join(each.text if isinstance(each, Text) else str(each) for each in request.words)


def test_a_real_change_shows_raft_s_part_and_the_member_of_etcd() -> None:
    request = decode_conf_change(FIRST, EntryKind.CONF_CHANGE)
    assert (request.decoder, request.type, request.request_id) == ("raft", "conf_change", None)
    assert request.body == {
        "conf_change": {
            "type": "add-node",
            "node_id": "60f98d3b71ac64f3",
            "context": {
                "id": "60f98d3b71ac64f3",
                "peerURLs": [Text("http://127.0.0.1:23891", Privacy.NAME)],
                "name": Text("n1", Privacy.NAME),
            },
        }
    }
    assert said(request) == "add voter 60f98d3b71ac64f3 n1 http://127.0.0.1:23891"
    assert request.keys == ()


def test_a_change_of_etcd_37_has_no_id_and_shows_the_same() -> None:
    without = CONF_CHANGE.build(ConfChange(type=0, node_id=1))
    request = decode_conf_change(without, EntryKind.CONF_CHANGE)
    assert request.body == {"conf_change": {"type": "add-node", "node_id": "1"}}


PROMOTION = b'{"id":18446744073709551615,"peerURLs":null,"isPromote":true}'

WORDS = [
    (ConfChange(id=7, type=1, node_id=255), "remove member ff"),
    (ConfChange(id=7, type=2, node_id=255), "update member ff"),
    (ConfChange(id=7, type=3, node_id=255), "add learner ff"),
    (ConfChange(id=7, type=9, node_id=255), "change of type 9 ff"),
    (ConfChange(type=0, node_id=255, context=PROMOTION), "promote learner ff"),
    (
        ConfChange(node_id=1, context=b'{"peerURLs":["a","b","c","d","e"]}'),
        "add voter 1 a b c … 2 more",
    ),
    (ConfChange(node_id=1, context=b'{"peerURLs":7,"name":8}'), "add voter 1"),
]


@pytest.mark.parametrize(("change", "words"), WORDS)
def test_words_say_who_comes_goes_or_moves(change: ConfChange, words: str) -> None:
    request = single(change)
    assert said(request) == words
    assert request.request_id == change.id


def test_an_id_of_64_bits_is_kept_to_the_last() -> None:
    node: Any = context_node(PROMOTION)
    assert node == {"id": "f" * 16, "peerURLs": None, "isPromote": True}


@pytest.mark.parametrize(
    "context",
    [
        b"",
        b"\x0a\x03abc",
        b"7",
        b'["a"]',
        b'{"a":1',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"\x1b[31m":1}',
        b'{"a b":1}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b'{"a":' + b"[" * 100_000,
        b'{"a":"\xff"}',
        "{}".encode("utf-16"),
    ],
    ids=lambda context: repr(context[:12]),
)
def test_a_context_that_is_no_member_s_json_is_shown_as_bytes(context: bytes) -> None:
    assert context_node(context) == Blob(context, Privacy.NAME)
    shown = request_document(single(ConfChange(node_id=1, context=context)), Redaction.NONE)
    assert shown is not None


def test_a_long_context_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert context_node(b'{"a":1}') == {"a": 1}
    monkeypatch.setattr(limits, "DB_JSON_BYTES_MAX", 6)
    assert context_node(b'{"a":1}') == Blob(b'{"a":1}', Privacy.NAME)


def test_several_changes_are_named_as_far_as_a_line_goes() -> None:
    steps = tuple(ConfChangeSingle(type=each % 4, node_id=each + 10) for each in range(6))
    change = ConfChangeV2(transition=2, changes=steps, context=b"\x00")
    request = decode_conf_change(CONF_CHANGE_V2.build(change), EntryKind.CONF_CHANGE_V2)
    assert request.type == "conf_change_v2"
    assert said(request) == "add voter a, remove member b, update member c, … 3 more"
    body: Any = request.body["conf_change_v2"]
    assert body["transition"] == "joint-explicit"
    assert body["changes"][3] == {"type": "add-learner-node", "node_id": "d"}
    assert body["context"] == Blob(b"\x00", Privacy.NAME)


def test_a_change_with_nothing_in_it_leaves_the_joint_configuration() -> None:
    request = decode_conf_change(b"\x08\x00", EntryKind.CONF_CHANGE_V2)
    assert said(request) == "leave the joint configuration"
    assert request.body == {"conf_change_v2": {"transition": "auto"}}


def test_an_unknown_field_is_shown_and_counts_as_a_secret() -> None:
    unknown = (UnknownField(number=9, wire_type=0, data=b"\x48\x01"),)
    body: Any = single(ConfChange(node_id=1, unknown=unknown)).body["conf_change"]
    assert body["unknown"] == [{"number": 9, "data": Blob(b"\x48\x01", Privacy.SECRET)}]


@pytest.mark.parametrize("kind", [EntryKind.CONF_CHANGE, EntryKind.CONF_CHANGE_V2])
def test_what_does_not_parse_is_an_error_with_its_place(kind: EntryKind) -> None:
    with pytest.raises(PayloadError, match="illegal tag 0") as caught:
        decode_conf_change(b"\x08\x00\x00", kind)
    assert caught.value.offset == 2


def outcome(data: bytes, kind: EntryKind) -> str | int | None:
    """The type of the request, or where `data` is none."""
    try:
        return decode_conf_change(data, kind).type
    except PayloadError as error:
        return error.offset


@given(strategies.hostile(CONF_CHANGE) | strategies.hostile(CONF_CHANGE_V2), st.booleans())
@settings(max_examples=60)
def test_hostile_bytes_are_a_change_or_an_error_with_its_place(data: bytes, is_v2: bool) -> None:
    kind = EntryKind.CONF_CHANGE_V2 if is_v2 else EntryKind.CONF_CHANGE
    name = "conf_change_v2" if is_v2 else "conf_change"
    assert outcome(data, kind) in {name, *range(len(data) + 1)}


# Those that a server wrote: `f` is raftexample's, `h` was made with the log alone, `x` are damaged.
SERVED = [each for each in names() if not each.startswith(("f-", "h-", "x-"))]


@needs_corpus
@pytest.mark.parametrize("name", SERVED)
def test_every_change_that_was_logged_names_the_member_it_is_about(name: str) -> None:
    seen = 0
    for member in members(name):
        for entry in logged(name, member):
            if entry.kind is not EntryKind.CONF_CHANGE:
                continue
            body: Any = decode_conf_change(entry.payload, entry.kind).body["conf_change"]
            has_member = body["type"] != "remove-node"
            assert ("context" in body) == has_member
            assert not has_member or body["context"]["id"] == body["node_id"]
            seen += 1
    assert seen > 0
