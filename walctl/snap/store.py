"""The v2 store inside a `.snap`: members and cluster version, as etcd 3.4 to 3.7 keep them there.

The data of a snapshot is JSON, a tree of nodes with `Path`, `Value` and `Children`:

    /0/members/ID/raftAttributes   {"peerURLs": [...], "isLearner": true?}
    /0/members/ID/attributes       {"name": "...", "clientURLs": [...]}
    /0/removed_members/ID
    /0/version                     3.5.0

ID is a member id in hex digits without padding. Of the user keys of the v2 API, below `/1`, only
whether there are any is told. Other owners of the format have other data there (raftexample: a
JSON map of its keys).

Source: etcd-data-dir notes 7.2 and 11.4, checked against etcd 3.4.23 and 3.5.1.
"""

import json
import re
from dataclasses import dataclass

from formats.limits import SNAP_STORE_BYTES_MAX
from walctl.model.member import Member

_HEX_ID = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What the v2 store says of the cluster, members by ascending id; `None` is absent."""

    members: tuple[Member, ...]
    removed_members: tuple[int, ...]
    cluster_version: str | None


def parse_store(data: bytes) -> Store:
    """The store in a snapshot's data.

    Raises: ValueError, when it is no v2 store, or one that does not read; with the reason.
    """
    if len(data) > SNAP_STORE_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes of v2 store are more than {SNAP_STORE_BYTES_MAX}")
    root = _object(data, "the data")
    if not isinstance(root.get("Root"), dict):
        raise ValueError("the data is JSON, but no v2 store of etcd")
    cluster = _children(root["Root"], "/").get("0", {})
    under = _children(cluster, "/0")
    members = _children(under.get("members", {}), "/0/members")
    removed = _children(under.get("removed_members", {}), "/0/removed_members")
    version = under.get("version")
    return Store(
        members=tuple(
            sorted((_member(text, node) for text, node in members.items()), key=lambda m: m.id)
        ),
        removed_members=tuple(sorted(_id(text) for text in removed)),
        cluster_version=None if version is None else _value(version, "/0/version"),
    )


def _member(text: str, node: object) -> Member:
    path = f"/0/members/{text}"
    parts = _children(node, path)
    raft = _attributes(parts, path, "raftAttributes")
    published = _attributes(parts, path, "attributes")
    is_learner = raft.get("isLearner", False)
    name = published.get("name", "")
    if not isinstance(is_learner, bool) or not isinstance(name, str):
        raise ValueError(f"{path}: expected a name and a flag")
    return Member(
        id=_id(text),
        name=name,
        peer_urls=_strings(raft.get("peerURLs"), path),
        client_urls=_strings(published.get("clientURLs"), path),
        is_learner=is_learner,
    )


def _attributes(parts: dict[str, object], path: str, name: str) -> dict[str, object]:
    """The JSON object in the value of a child; an absent child is an empty one."""
    if name not in parts:
        return {}
    place = f"{path}/{name}"
    return _object(_value(parts[name], place), place)


def _object(data: bytes | str, place: str) -> dict[str, object]:
    """A JSON object.

    Raises: ValueError.
    """
    try:
        found: object = json.loads(data)
    except RecursionError:
        raise ValueError(f"{place}: JSON nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{place}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{place}: expected a JSON object")
    return found


def _children(node: object, path: str) -> dict[str, object]:
    """The children of a node; `null`, as leaves have it, is none."""
    found = node.get("Children") if isinstance(node, dict) else node
    if found is None:
        return {}
    if not isinstance(node, dict) or not isinstance(found, dict):
        raise ValueError(f"{path}: expected a node of a v2 store")
    return found


def _value(node: object, path: str) -> str:
    found = node.get("Value") if isinstance(node, dict) else None
    if not isinstance(found, str):
        raise ValueError(f"{path}: expected a node with a value")
    return found


def _id(text: str) -> int:
    if _HEX_ID.fullmatch(text) is None:
        raise ValueError(f"expected a member id in hex digits, found {text[:32]!r}")
    return int(text, 16)


def _strings(found: object, path: str) -> tuple[str, ...]:
    """A JSON list of strings; `null` and an absent one are empty."""
    if found is None:
        return ()
    if not isinstance(found, list):
        raise ValueError(f"{path}: expected a list of URLs")
    strings = tuple(each for each in found if isinstance(each, str))
    if len(strings) != len(found):
        raise ValueError(f"{path}: expected a list of URLs")
    return strings


def holds_user_keys(data: bytes) -> bool:
    """Whether a v2 store holds keys that clients of the v2 API wrote; data of no store has none."""
    try:
        return bool(json.loads(data)["Root"]["Children"]["1"]["Children"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
