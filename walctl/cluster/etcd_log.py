"""What etcd says in its log, as events: its lines are JSON objects, made by the logger zap.

Only what etcd says itself becomes an event; nothing is concluded. Source: etcd 3.5, the messages of
`raft/raft.go`, `raft/node.go`, `server/etcdserver/server.go` and `server/storage/wal`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from walctl.cluster.engine import LineMeaning
from walctl.cluster.events import EventKind

Name = Callable[[str], str]
Event = dict[str, Any]
LINE_BYTES_MAX: Final = 1 << 16
"""A longer line is no event; etcd has none that is."""

_ROLE: Final = re.compile(
    r"[0-9a-f]+ became (follower|pre-candidate|candidate|leader) at term (\d+)"
)
_LEADER: Final = re.compile(
    r"raft\.node: [0-9a-f]+ (?:elected leader ([0-9a-f]+)|changed leader from [0-9a-f]+ to"
    r" ([0-9a-f]+)|lost leader ([0-9a-f]+)) at term (\d+)"
)
_VOTE: Final = re.compile(
    r"[0-9a-f]+ \[.*\] (cast|rejected) (MsgVote|MsgPreVote) (?:for|from) ([0-9a-f]+) \[.*\]"
    r" at term (\d+)"
)
_MEMBERS: Final = {
    "added member": ("add", "added-peer-id"),
    "removed member": ("remove", "removed-remote-peer-id"),
    "promote member": ("promote", "promoted-member-id"),
}
_SNAPSHOTS: Final = {
    "saved snapshot": (EventKind.SNAP_MAKE, "snapshot-index"),
    "sent database snapshot to remote peer": (EventKind.SNAP_SEND, "snapshot-index"),
    "sending database snapshot": (EventKind.SNAP_SEND, "snapshot-index"),
    "received and saved database snapshot": (EventKind.SNAP_RECV, "incoming-snapshot-index"),
}


def told(line: bytes, name: Name) -> LineMeaning:
    """What a line means; `name` turns an id in hexadecimal into a node's name. Never raises."""
    if not line.startswith(b"{") or len(line) > LINE_BYTES_MAX:
        return LineMeaning()
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return LineMeaning()
    if not isinstance(found, dict):
        return LineMeaning()
    return LineMeaning(_event(found, str(found.get("msg", "")), name), member_id=_own_id(found))


def _own_id(found: Mapping[str, Any]) -> int | None:
    try:
        return int(str(found.get("local-member-id", "")), 16) or None
    except ValueError:
        return None


def _event(found: Mapping[str, Any], words: str, name: Name) -> Event | None:
    """The event that a line tells of."""
    if found.get("logger") == "raft":
        return _raft_event(words, name)
    if words in _MEMBERS:
        what, field = _MEMBERS[words]
        # etcd 3.5 does not say who was promoted.
        who = {"node": name(str(found[field]))} if field in found else {}
        return {"k": EventKind.CONF, "what": what, **who}
    if words in _SNAPSHOTS:
        kind, field = _SNAPSHOTS[words]
        return {"k": kind, "index": found.get(field)}
    if words == "slow fdatasync":
        return {"k": EventKind.FSYNC, "f": "wal", "took": found.get("took")}
    if found.get("level") in ("fatal", "panic"):
        return {
            "k": EventKind.NOTE,
            "words": f"{words}: {found['error']}" if "error" in found else words,
        }
    return None


def _raft_event(words: str, name: Name) -> Event | None:
    """The same of a line that Raft itself wrote."""
    role = _ROLE.fullmatch(words)
    if role is not None:
        return {"k": EventKind.ROLE, "to": role[1], "term": int(role[2])}
    leader = _LEADER.fullmatch(words)
    if leader is not None:
        new = leader[1] or leader[2]
        return {"k": EventKind.TERM, "term": int(leader[4]), "lead": name(new) if new else None}
    vote = _VOTE.fullmatch(words)
    if vote is not None:
        return {
            "k": EventKind.VOTE,
            "for": name(vote[3]),
            "term": int(vote[4]),
            "granted": vote[1] == "cast",
            "pre": vote[2] == "MsgPreVote",
        }
    if words.startswith("tocommit("):
        return {"k": EventKind.NOTE, "words": words}
    return None
