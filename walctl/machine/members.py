"""Who belongs to the cluster, by what the log says: members, removed ones, Raft's own view.

A membership change is checked when it is applied, and etcd hands Raft an empty one where it is
refused. A member says its name and its clients' addresses itself, after it has started.

    add            a new member, which has never been removed before; as a learner, or as a voter
    add, promote   a learner becomes a voter
    update         other peer URLs
    remove         for ever: the id may not come back

What etcd counts besides, how many learners there may be, depends on its options: not checked.

Refusals are etcd's words, `None` is success.

Source: etcd-data-dir notes 5.7 and 9.9.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from formats.errors import FormatError, LimitError, WireError
from formats.limits import DB_JSON_BYTES_MAX
from formats.raftpb import ConfChange, ConfChangeType
from walctl.model.member import Member

REMOVED: Final = "membership: ID removed"
EXISTS: Final = "membership: ID exists"
NOT_FOUND: Final = "membership: ID not found"
URL_EXISTS: Final = "membership: peerURL exists"
NOT_LEARNER: Final = "membership: can only promote a learner member"
UNKNOWN: Final = "failed to update; member unknown"

_U64_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Change:
    """A membership change as the log has it: what of the member is said, and whether it exists."""

    type: int
    node_id: int
    member: Member
    is_promote: bool = False


@dataclass(slots=True)
class Membership:
    """Members by id, removed ids, and the two lists of Raft's configuration.

    A database may lack what a log of etcd 3.5 says; Raft's lists are the ones to trust then.
    """

    members: dict[int, Member] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    voters: set[int] = field(default_factory=set)
    learners: set[int] = field(default_factory=set)

    def apply(self, change: Change) -> str | None:
        """Carry out a change."""
        words = self._refusal(change)
        if words is not None:
            return words
        node, said = change.node_id, change.member
        if change.type == ConfChangeType.REMOVE_NODE:
            self.members.pop(node, None)
            self.removed.add(node)
            self.voters.discard(node)
            self.learners.discard(node)
        elif change.type == ConfChangeType.UPDATE_NODE:
            self.members[node] = replace(self.members[node], peer_urls=said.peer_urls)
        else:
            is_learner = change.type == ConfChangeType.ADD_LEARNER_NODE
            if change.is_promote:
                self.members[node] = replace(self.members[node], is_learner=False)
            else:
                self.members[node] = said
            (self.learners if is_learner else self.voters).add(node)
            (self.voters if is_learner else self.learners).discard(node)
        return None

    def publish(self, node: int, name: str, client_urls: Iterable[str]) -> str | None:
        """A member says who it is; one that was removed meanwhile is passed over."""
        member = self.members.get(node)
        if member is None:
            return None if node in self.removed else UNKNOWN
        self.members[node] = replace(member, name=name, client_urls=tuple(client_urls))
        return None

    def _refusal(self, change: Change) -> str | None:
        """Why a change may not be made."""
        node = change.node_id
        if node in self.removed:
            return REMOVED
        known = self.members.get(node)
        if change.type in (ConfChangeType.REMOVE_NODE, ConfChangeType.UPDATE_NODE):
            if known is None:
                return NOT_FOUND
            is_update = change.type == ConfChangeType.UPDATE_NODE
            return self._taken(change, node) if is_update else None
        if change.is_promote:
            if known is None:
                return NOT_FOUND
            return None if known.is_learner else NOT_LEARNER
        return EXISTS if known is not None else self._taken(change, None)

    def _taken(self, change: Change, but: int | None) -> str | None:
        others = (each for node, each in self.members.items() if node != but)
        urls = {url for each in others for url in each.peer_urls}
        return URL_EXISTS if urls.intersection(change.member.peer_urls) else None


def parse_change(change: ConfChange) -> Change:
    """What a membership change says; removing needs no words.

    Raises: FormatError, where etcd could not read it.
    """
    kind, node = change.type or 0, change.node_id or 0
    if kind not in ConfChangeType.__members__.values():
        raise WireError(f"a membership change of type {kind}")
    if kind == ConfChangeType.REMOVE_NODE:
        return Change(kind, node, Member(id=node))
    found = parse_object(change.context or b"")
    member = parse_member(found)
    if member.id != node:
        raise WireError(f"a change of member {node:x} tells of member {member.id:x}")
    is_add = kind in (ConfChangeType.ADD_NODE, ConfChangeType.ADD_LEARNER_NODE)
    return Change(kind, node, member, is_promote=is_add and _flag(found.get("isPromote")))


def parse_member(found: Mapping[str, object]) -> Member:
    """A member of its JSON object. Raises: FormatError."""
    node = found.get("id", 0)
    if not isinstance(node, int) or isinstance(node, bool) or not 0 <= node <= _U64_MASK:
        raise WireError("a member's id is no whole number of 64 bits")
    name, client_urls = parse_attributes(found)
    return Member(
        id=node,
        peer_urls=_texts(found.get("peerURLs")),
        is_learner=_flag(found.get("isLearner")),
        name=name,
        client_urls=client_urls,
    )


def parse_attributes(found: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    """What a member says of itself: its name, its clients' URLs. Raises: FormatError."""
    return _texts([found.get("name") or ""])[0], _texts(found.get("clientURLs"))


def parse_object(data: bytes) -> dict[str, object]:
    """A JSON object. Raises: FormatError."""
    if len(data) > DB_JSON_BYTES_MAX:
        raise LimitError(f"{len(data)} bytes of JSON are more than {DB_JSON_BYTES_MAX}")
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise WireError("expected a JSON object")
    return found


def _texts(found: object) -> tuple[str, ...]:
    """Strings; `null` and an absent key are none."""
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise WireError("expected strings")
    # A half of a surrogate pair is no text, to Go either.
    return tuple(each.encode("utf-8", "replace").decode() for each in found)


def _flag(found: object) -> bool:
    if found is None or isinstance(found, bool):
        return bool(found)
    raise WireError("expected true or false")
