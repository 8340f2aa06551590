"""What etcd's own log lines become; the lines are as etcd 3.5.1 wrote them."""

import json
from typing import Any

import pytest

from walctl.cluster.etcd_log import told

NAMES = {"c9f7": "n1", "705d": "n2"}


def event(line: dict[str, Any] | str) -> Any:
    text = line if isinstance(line, str) else json.dumps(line)
    return told(text.encode(), lambda each: NAMES.get(each, each)).event


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("c9f7 became follower at term 2", {"k": "role", "to": "follower", "term": 2}),
        ("c9f7 became pre-candidate at term 2", {"k": "role", "to": "pre-candidate", "term": 2}),
        ("c9f7 became leader at term 3", {"k": "role", "to": "leader", "term": 3}),
        (
            "raft.node: c9f7 elected leader 705d at term 3",
            {"k": "term", "term": 3, "lead": "n2"},
        ),
        (
            "raft.node: c9f7 changed leader from c9f7 to ab at term 3",
            {"k": "term", "term": 3, "lead": "ab"},
        ),
        ("raft.node: c9f7 lost leader 705d at term 3", {"k": "term", "term": 3, "lead": None}),
        (
            "c9f7 [logterm: 2, index: 9, vote: 0] cast MsgVote for 705d [logterm: 2, index: 9]"
            " at term 3",
            {"k": "vote", "for": "n2", "term": 3, "granted": True, "pre": False},
        ),
        (
            "c9f7 [logterm: 2, index: 9, vote: 705d] rejected MsgPreVote from ab"
            " [logterm: 1, index: 4] at term 2",
            {"k": "vote", "for": "ab", "term": 2, "granted": False, "pre": True},
        ),
        (
            "tocommit(7) is out of range [lastIndex(3)]. Was the raft log corrupted?",
            {
                "k": "note",
                "words": "tocommit(7) is out of range [lastIndex(3)]. Was the raft log corrupted?",
            },
        ),
        ("c9f7 received MsgVoteResp from c9f7 at term 2", None),
    ],
)
def test_a_line_of_raft_becomes_an_event(words: str, expected: object) -> None:
    assert event({"level": "info", "logger": "raft", "msg": words}) == expected
    # The same words from elsewhere are nobody's vote: a key may be called anything.
    assert event({"level": "info", "msg": words}) is None


def test_changes_of_members_and_snapshots_become_events() -> None:
    added = {"msg": "added member", "added-peer-id": "705d", "local-member-id": "c9f7"}
    assert event(added) == {"k": "conf", "what": "add", "node": "n2"}
    assert event({"msg": "promote member"}) == {"k": "conf", "what": "promote"}
    made = {"msg": "saved snapshot", "snapshot-index": 12}
    assert event(made) == {"k": "snap_make", "index": 12}


def test_what_it_dies_of_becomes_a_note() -> None:
    line = {"level": "fatal", "msg": "discovery failed", "error": "member has been bootstrapped"}
    assert event(line) == {
        "k": "note",
        "words": "discovery failed: member has been bootstrapped",
    }


def test_its_own_id_is_learned() -> None:
    line = json.dumps({"msg": "starting", "local-member-id": "c9f751f0b0b4fa5a"}).encode()
    assert told(line, str).member_id == 0xC9F751F0B0B4FA5A


@pytest.mark.parametrize(
    "line", ["", "panic: x", "{", "[1]", '{"msg": 1}', '{"local-member-id": "xyz"}', "{" * 70_000]
)
def test_any_other_line_is_none(line: str) -> None:
    found = told(line.encode(), str)
    assert (found.event, found.member_id, found.is_kept) == (None, None, True)
