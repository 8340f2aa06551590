"""The v2 store of a `.snap` with other members: made from nothing, or an existing one rewritten.

A server of 3.5.1 that starts from a snapshot takes its members from here, whatever the database
says: a forced new cluster that names its members in the database alone has the old ones. A store
that is made is the one that etcd would have after these requests: each member added, then what it
has published of itself, the cluster version, the removed ids; its history of events tells the same.
In one that is rewritten the nodes of members change and nothing else does: user keys of the v2 API,
the history and the counters stay as they are, byte for byte.

`walctl.snap.store` has the layout and is the reader.

Source: etcd-data-dir notes 7.2 and 11.4. For the same members a store made here equals the one of
`etcdutl snapshot restore` of etcd 3.5.1 byte for byte.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeAlias

from formats import gojson
from walctl.model.member import Member
from walctl.snap.store import parse_store

Node: TypeAlias = dict[str, object]

HISTORY_EVENTS: Final = 1000
"""Slots of the history: a ring, of which the empty ones are written too."""
_NEVER: Final = "0001-01-01T00:00:00Z"
_COUNTERS: Final = (
    *("getsSuccess", "getsFail", "setsSuccess", "setsFail", "deleteSuccess", "deleteFail"),
    *("updateSuccess", "updateFail", "createSuccess", "createFail", "compareAndSwapSuccess"),
    *("compareAndSwapFail", "compareAndDeleteSuccess", "compareAndDeleteFail", "expireCount"),
    "watchers",
)
_STORE_VERSION: Final = 2
_MEMBERS, _REMOVED = "members", "removed_members"


def built_store(
    members: Iterable[Member],
    *,
    removed: Iterable[int] = (),
    cluster_version: str | None = None,
) -> bytes:
    """A store with these members, and nothing else.

    Raises: FormatError, for a name or URL that is no Unicode text.
    """
    history = _History()
    ordered = sorted(members, key=lambda each: each.id)
    for each in ordered:
        history.create(f"/0/{_MEMBERS}/{each.id:x}/raftAttributes", _raft_attributes(each))
    for each in ordered:
        if _is_published(each):
            history.set(f"/0/{_MEMBERS}/{each.id:x}/attributes", _attributes(each))
    if cluster_version is not None:
        history.set("/0/version", cluster_version)
    for gone in sorted(removed):
        history.create(f"/0/{_REMOVED}/{gone:x}", "")
    return gojson.build(history.store())


def rewritten_store(
    data: bytes, members: Iterable[Member], *, removed: Collection[int] = ()
) -> bytes:
    """The store in `data` with exactly these members and removed ids.

    A node that says already what it is to say keeps its bytes; new nodes get the store's current
    index. A member without name and client URLs keeps what the store has published of it.
    Raises: ValueError, when `data` is no v2 store that reads.
    """
    parse_store(data)  # from here on every node on the way to a member is known to be one
    store: Node = json.loads(data)
    index = store.get("CurrentIndex", 0)
    if not isinstance(index, int):
        raise ValueError("expected a whole number as the store's current index")
    cluster = _directory(_as_node(store["Root"]), "0", "/0", index)
    there = _directory(cluster, _MEMBERS, f"/0/{_MEMBERS}", index)
    wanted = {f"{each.id:x}": each for each in members}
    _keep_only(there, wanted)
    for name, member in wanted.items():
        path = f"/0/{_MEMBERS}/{name}"
        node = _directory(there, name, path, index)
        _put(node, "raftAttributes", path, _raft_attributes(member), index)
        if _is_published(member):
            _put(node, "attributes", path, _attributes(member), index)
        _sort(node)
    _sort(there)
    if removed or _REMOVED in _children(cluster):
        _set_removed(_directory(cluster, _REMOVED, f"/0/{_REMOVED}", index), removed, index)
    _sort(cluster)
    return gojson.build(store)


def _set_removed(gone: Node, removed: Iterable[int], index: int) -> None:
    names = {f"{each:x}" for each in removed}
    _keep_only(gone, names)
    for name in names - _children(gone).keys():
        _children(gone)[name] = _node(f"/0/{_REMOVED}/{name}", index, "", None)
    _sort(gone)


def _is_published(member: Member) -> bool:
    return bool(member.name or member.client_urls)


def _raft_attributes(member: Member) -> str:
    found: Node = {"peerURLs": list(member.peer_urls)}
    if member.is_learner:
        found["isLearner"] = True
    return gojson.build(found).decode()


def _attributes(member: Member) -> str:
    found: Node = {}
    if member.name:
        found["name"] = member.name
    if member.client_urls:
        found["clientURLs"] = list(member.client_urls)
    return gojson.build(found).decode()


def _node(path: str, index: int, value: str, children: Node | None) -> Node:
    """A node in the order of its fields; `None` for the children of what holds a value."""
    return {
        "Path": path,
        "CreatedIndex": index,
        "ModifiedIndex": index,
        "ExpireTime": _NEVER,
        "Value": value,
        "Children": children,
    }


def _as_node(found: object) -> Node:
    """Raises: ValueError, for what is no JSON object."""
    if not isinstance(found, dict):
        raise ValueError("expected a node of a v2 store")
    return found


def _children(node: Node) -> Node:
    """What lies below a directory, to be changed in place; one without any gets its own."""
    found = node.get("Children")
    if found is None:
        found = node["Children"] = {}
    return _as_node(found)


def _directory(parent: Node, name: str, path: str, index: int) -> Node:
    """The directory `name`, made where it is missing."""
    return _as_node(_children(parent).setdefault(name, _node(path, index, "", {})))


def _put(parent: Node, name: str, path: str, value: str, index: int) -> None:
    """Let a node say `value`; one that says the same in other words is left as it is."""
    node = _as_node(_children(parent).setdefault(name, _node(f"{path}/{name}", index, value, None)))
    if json.loads(str(node["Value"])) != json.loads(value):
        node["Value"] = value
        node["ModifiedIndex"] = index


def _keep_only(node: Node, names: Collection[str]) -> None:
    children = _children(node)
    for name in [each for each in children if each not in names]:
        del children[name]


def _sort(node: Node) -> None:
    """Go writes maps by ascending key."""
    node["Children"] = dict(sorted(_children(node).items()))


class _History:
    """A new store to which requests are made, one index each, as etcd counts them."""

    def __init__(self) -> None:
        self._index = 0
        self._events: list[Node] = []
        self._count = dict.fromkeys(_COUNTERS, 0)
        self._root = _node("/", 0, "", {})
        for name in ("0", "1"):
            _directory(self._root, name, f"/{name}", 0)

    def create(self, path: str, value: str) -> None:
        """Make a node that was not there."""
        self._count["createSuccess"] += 1
        self._request("create", path, value)

    def set(self, path: str, value: str) -> None:
        """Make a node, whether it was there or not."""
        self._count["setsSuccess"] += 1
        self._request("set", path, value)

    def store(self) -> Node:
        """The whole of it."""
        total = len(self._events)
        size = min(total, HISTORY_EVENTS)
        front = total % HISTORY_EVENTS if total > HISTORY_EVENTS else 0
        return {
            "Root": self._root,
            "WatcherHub": {
                "EventHistory": {
                    "Queue": {
                        "Events": _ring(self._events),
                        "Size": size,
                        "Front": front,
                        "Back": total % HISTORY_EVENTS,
                        "Capacity": HISTORY_EVENTS,
                    },
                    # Every event has an index of its own, from 1 on.
                    "StartIndex": total - size + 1 if total else 0,
                    "LastIndex": total,
                }
            },
            "CurrentIndex": self._index,
            "Stats": self._count,
            "CurrentVersion": _STORE_VERSION,
        }

    def _request(self, action: str, path: str, value: str) -> None:
        self._index += 1
        node, place = self._root, ""
        *above, name = path.strip("/").split("/")
        for part in above:
            place = f"{place}/{part}"
            node = _directory(node, part, place, self._index)
        _children(node)[name] = _node(path, self._index, value, None)
        _sort(node)
        told = {
            "key": path,
            "value": value,
            "modifiedIndex": self._index,
            "createdIndex": self._index,
        }
        self._events.append({"action": action, "node": told})


def _ring(events: Sequence[Node]) -> list[Node | None]:
    """The latest events, each in its slot."""
    slots: list[Node | None] = [None] * HISTORY_EVENTS
    for position, event in enumerate(events):
        slots[position % HISTORY_EVENTS] = event
    return slots
