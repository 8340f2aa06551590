"""Changes of the membership, which every owner of a Raft log has: who comes, goes or moves.

Their context is the owner's. etcd writes the member as JSON there,

    {"id":3746994889972252672,"peerURLs":["http://…"],"name":"n1","isPromote":false}

and what reads as such an object is shown as one; anything else is shown as bytes.
"""

import enum
import json
import math
import re
from typing import Any, Final, cast

from formats import limits
from formats.errors import FormatError
from formats.raftpb import (
    CONF_CHANGE,
    CONF_CHANGE_V2,
    ConfChange,
    ConfChangeSingle,
    ConfChangeTransition,
    ConfChangeType,
    ConfChangeV2,
)
from walctl.model.record import EntryKind
from walctl.payload.base import Blob, Node, Privacy, Request, Text, payload_error

DECODER: Final = "raft"
"""Who reads these: no decoder of an owner, as they are Raft's own."""

CONF_CHANGE_TYPES: Final = ("conf_change", "conf_change_v2")
STEPS_MAX: Final = 3
"""Single changes, and URLs, that a line names."""

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_VERBS: Final = {
    ConfChangeType.ADD_NODE: "add voter",
    ConfChangeType.REMOVE_NODE: "remove member",
    ConfChangeType.UPDATE_NODE: "update member",
    ConfChangeType.ADD_LEARNER_NODE: "add learner",
}


def decode_conf_change(payload: bytes, kind: EntryKind) -> Request:
    """The request in the payload of a `CONF_CHANGE` or `CONF_CHANGE_V2` entry.

    Raises: PayloadError.
    """
    assert kind in (EntryKind.CONF_CHANGE, EntryKind.CONF_CHANGE_V2)
    try:
        if kind is EntryKind.CONF_CHANGE:
            return _single(CONF_CHANGE.parse(payload))
        return _several(CONF_CHANGE_V2.parse(payload))
    except FormatError as error:
        raise payload_error(error) from None


def _single(change: ConfChange) -> Request:
    body: dict[str, Node] = {}
    if change.id:
        body["id"] = f"{change.id:x}"
    body.update(_change(change))
    member = None if change.context is None else context_node(change.context)
    if member is not None:
        body["context"] = member
    return Request(
        decoder=DECODER,
        type=CONF_CHANGE_TYPES[0],
        request_id=change.id or None,
        body={CONF_CHANGE_TYPES[0]: _with_unknown(body, change)},
        words=_words(change, member),
        unsaid=Privacy.OPEN,
    )


def _several(change: ConfChangeV2) -> Request:
    body: dict[str, Node] = {}
    if change.transition is not None:
        body["transition"] = _word(ConfChangeTransition, change.transition)
    if change.changes:
        body["changes"] = [_with_unknown(_change(each), each) for each in change.changes]
    if change.context is not None:
        body["context"] = context_node(change.context)
    words: list[str] = [_verb(each) for each in change.changes[:STEPS_MAX]]
    more = len(change.changes) - STEPS_MAX
    words += [f"… {more:,} more"] if more > 0 else []
    return Request(
        decoder=DECODER,
        type=CONF_CHANGE_TYPES[1],
        body={CONF_CHANGE_TYPES[1]: _with_unknown(body, change)},
        words=(", ".join(words) or "leave the joint configuration",),
        unsaid=Privacy.OPEN,
    )


def _change(change: ConfChange | ConfChangeSingle) -> dict[str, Node]:
    body: dict[str, Node] = {}
    if change.type is not None:
        body["type"] = _word(ConfChangeType, change.type)
    if change.node_id is not None:
        body["node_id"] = f"{change.node_id:x}"
    return body


def _with_unknown(body: dict[str, Node], message: Any) -> dict[str, Node]:
    """What the declaration does not name may be anything, so it counts as a secret."""
    if message.unknown:
        body["unknown"] = [
            {"number": each.number, "data": Blob(each.data, Privacy.SECRET)}
            for each in message.unknown
        ]
    return body


def context_node(context: bytes) -> Node:
    """The context as a tree where it is a JSON object, otherwise as bytes.

    All its texts are names and addresses; an `id` is a number of 64 bits there, and hex here.
    """
    try:
        if len(context) > limits.DB_JSON_BYTES_MAX:
            raise ValueError("too long")
        found = json.loads(context.decode("utf-8"), parse_constant=_no_number)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return _json_node(found, 0)
    except (ValueError, RecursionError):
        return Blob(context, Privacy.NAME)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _json_node(found: object, depth: int) -> Node:
    """A value of JSON as a node.

    Raises: ValueError, for what no member has and no screen would take.
    """
    if depth > limits.NESTING_MAX:
        raise ValueError("nested too deeply")
    if isinstance(found, str):
        found.encode("utf-8")  # a lone surrogate stands for no text
        return Text(found, Privacy.NAME)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError("beyond all numbers")
    if isinstance(found, list):
        return [_json_node(each, depth + 1) for each in found]
    if isinstance(found, dict):
        if not all(_KEY.fullmatch(key) for key in found):
            raise ValueError("a key that is no word")
        return {
            key: f"{value:x}"
            if key == "id" and type(value) is int
            else _json_node(value, depth + 1)
            for key, value in found.items()
        }
    return cast("int | float | bool | None", found)


def _words(change: ConfChange, member: Node) -> tuple[str | Blob | Text, ...]:
    """The line for one change, with the member's name and addresses where the context has them."""
    if not isinstance(member, dict):
        return (_verb(change),)
    is_promotion = member.get("isPromote") is True and not change.type
    words: list[str | Blob | Text] = [
        f"promote learner {change.node_id or 0:x}" if is_promotion else _verb(change)
    ]
    name, urls = member.get("name"), member.get("peerURLs")
    texts = [name, *(urls[:STEPS_MAX] if isinstance(urls, list) else ())]
    for text in texts:
        if isinstance(text, Text) and text.text:
            words += [" ", text]
    more = len(urls) - STEPS_MAX if isinstance(urls, list) else 0
    return (*words, f" … {more:,} more") if more > 0 else tuple(words)


def _verb(change: ConfChange | ConfChangeSingle) -> str:
    number = change.type or 0
    verb = _VERBS[ConfChangeType(number)] if number in _VERBS else f"change of type {number}"
    return f"{verb} {change.node_id or 0:x}"


def _word(cls: type[enum.IntEnum], value: int) -> str | int:
    """`ADD_LEARNER_NODE` as `add-learner-node`; a number that the enum lacks stays one."""
    try:
        return cls(value).name.lower().replace("_", "-")
    except ValueError:
        return value
