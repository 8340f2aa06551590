"""raftexample's entries as requests, held against real logs and what their server answered."""

import json
import pickle

import pytest

from formats.gob import Pair, build_pair
from tests.corpus import needs_corpus, unpacked
from tests.formats.proposals import entries_of
from walctl.inspect.document import request_document
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, KeyRange, PayloadError, Redaction, key_blob, value_blob
from walctl.payload.raftexample import RaftexampleDecoder

DECODER = RaftexampleDecoder()


def test_a_proposal_is_a_put_of_its_pair() -> None:
    request = DECODER.decode(build_pair(Pair(b"/k", b"v\xff")), EntryKind.NORMAL)
    assert request is not None
    assert (request.decoder, request.type, request.request_id) == ("raftexample", "put", None)
    assert request.body == {"put": {"key": key_blob(b"/k"), "value": value_blob(b"v\xff")}}
    assert request.words == ("put ", key_blob(b"/k"), " = ", value_blob(b"v\xff"))
    assert request.keys == (KeyRange(b"/k"),)


def test_what_is_hidden_of_a_put_follows_from_what_it_is() -> None:
    request = DECODER.decode(build_pair(Pair(b"/k", b"v")), EntryKind.NORMAL)
    shown = {"data": "L2s=", "text": "/k"}
    hidden = {"redacted": True, "size": 1}
    asked = request_document(request, Redaction.VALUES)
    assert asked is not None
    assert asked["put"] == {"key": shown, "value": hidden}


@needs_corpus
def test_the_puts_of_a_real_log_are_what_its_server_answered() -> None:
    folder = unpacked("f-raftexample-35")
    stored: dict[str, str] = {}
    entries = entries_of(folder / "raftexample-1")
    for index in sorted(entries):
        is_change = entries[index].startswith(b"\x08")
        kind = EntryKind.CONF_CHANGE if is_change else EntryKind.NORMAL
        request = DECODER.decode(entries[index], kind) if entries[index] else None
        assert request is None or request.type == ("conf_change" if is_change else "put")
        if request is not None and request.type == "put":
            _, key, _, value = request.words
            assert isinstance(key, Blob)
            assert isinstance(value, Blob)
            assert key == key_blob(request.keys[0].key)
            stored[key.data.decode().removeprefix("/")] = value.data.decode()
    assert stored == json.loads((folder / "truth" / "kv.api.json").read_bytes())["kv"]


def test_what_is_no_proposal_is_told_with_its_place() -> None:
    whole = build_pair(Pair(b"/k", b"v"))
    with pytest.raises(PayloadError, match="bytes follow the value") as caught:
        DECODER.decode(whole + b"\0", EntryKind.NORMAL)
    assert caught.value.offset == len(whole)


def test_changes_of_the_membership_are_raft_s() -> None:
    request = DECODER.decode(bytes.fromhex("080010001803"), EntryKind.CONF_CHANGE)
    assert request is not None
    assert (request.decoder, request.type) == ("raft", "conf_change")
    assert request.body["conf_change"] == {"type": "add-node", "node_id": "3"}


def test_nothing_is_said_of_a_kind_that_raft_lacks() -> None:
    assert DECODER.decode(b"\x08", EntryKind.UNKNOWN) is None


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(DECODER)) == DECODER
