"""A lab: the folder in which a cluster on this machine lives, and the file that says what it is.

    LAB/lab.json          this module's file: what makes a folder a lab
        events.jsonl      all that happened (`events`)
        NODE/GROUP/       a data directory: etcd's member/wal and member/snap
        NODE.log          what a node printed
        run/              what runs just now: sockets, and a file for each process
        kept/NODE/NAME/   older copies of a node's data directories (`at_rest`)

    NODE/GROUP/member/wal, member/snap      one group's member, engine walctl
    NODE/etcd/member/wal, member/snap       engine etcd: its --data-dir

A node listens at `client_port` for clients and at `peer_port` for its peers, which do not know
that: they dial `proxy_port`, behind which the lab's supervisor can break the link. All ports are on
the loopback device. `token` is what may tell a node to do things that no client may; so the file is
for its owner alone. A folder without the file is no lab, and nothing in it is touched.

This module knows the file, and starts nothing.
"""

import enum
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from walctl.errors import AccessError, ClusterError, UsageError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.writable import WritableFileSystem

LAB_FILE: Final = "lab.json"
EVENTS_FILE: Final = "events.jsonl"
RUN_FOLDER: Final = "run"
KEPT_FOLDER: Final = "kept"
HALF_MADE: Final = frozenset({f"{LAB_FILE}.tmp"})
"""What `new` leaves when it is killed; a folder with no more than that is as good as empty."""
LAB_VERSION: Final = 1
LAB_BYTES_MAX: Final = 16 << 20
SEGMENT_BYTES_MIN: Final = 4096
ETCD_GROUP: Final = "etcd"
"""What the one group of an etcd cluster is called."""
HOST: Final = "127.0.0.1"
NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
"""How nodes and groups are called; `leader`, `follower` and `random` mean a node, and name none."""
RESERVED: Final = frozenset({RUN_FOLDER, KEPT_FOLDER, "leader", "follower", "random", "all"})


class Engine(enum.StrEnum):
    """Whose members a lab has."""

    WALCTL = "walctl"
    ETCD = "etcd"


class MachineKind(enum.StrEnum):
    """What the members of engine walctl apply their logs to."""

    KV = "kv"
    """raftexample's map."""
    ETCD = "etcd"
    """etcd's key space, for a lab made from copies of etcd's members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast Raft's clock goes."""

    tick_ms: int = 100
    heartbeat_ticks: int = 1
    election_ticks: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the members of a lab behave; `snapshot_count` and what is kept behind it in entries."""

    timing: Timing = Timing()
    pre_vote: bool = True
    check_quorum: bool = True
    snapshot_count: int = 10_000
    catch_up_entries: int = 10_000
    segment_bytes: int = 64_000_000
    machine: MachineKind = MachineKind.KV


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node. `id` is Raft's id, the same in all groups; `None` while etcd has not given one.

    A node that is removed from all groups stays in the file, so that its id is not given again.
    `peer_url` is what the members know it by where that is not our own choice (a copied member).
    `made_for` is the change that made it, by which the same command finds it when typed again.
    """

    name: str
    id: int | None
    client_port: int
    peer_port: int
    proxy_port: int
    is_removed: bool = False
    peer_url: str | None = None
    made_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One Raft group: `first` are the nodes that it began with, `hosts` those that hold a member of
    it now or did, and are to start it."""

    name: str
    first: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What `lab.json` says. `program` is the etcd that is run, for engine etcd.

    `is_closed`: everything of it runs in a network namespace of its own (`closed`), and is reached
    through sockets in `run/`.
    """

    path: Path
    engine: Engine
    settings: Settings
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    token: str
    program: str | None = None
    is_closed: bool = False
    dropped: tuple[str, ...] = ()
    """Names of groups that are no more. A name is not given again: what clients were told under it
    would be one history of two stores."""
    origin: dict[str, Any] | None = None
    """For a lab from copies: where each node's directory came from, with hashes."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.path.name

    @property
    def events_path(self) -> Path:
        """The event file."""
        return self.path / EVENTS_FILE

    @property
    def run_path(self) -> Path:
        """The folder of what runs now."""
        return self.path / RUN_FOLDER

    def data_path(self, node: str, group: str) -> Path:
        """The data directory of a node's member of a group."""
        return self.path / node / group

    def log_path(self, node: str) -> Path:
        """What a node printed."""
        return self.path / f"{node}.log"

    def node(self, name: str) -> Node:
        """The node of that name. Raises: UsageError, with the names that there are."""
        for each in self.nodes:
            if each.name == name:
                return each
        names = ", ".join(each.name for each in self.nodes)
        raise UsageError(f"{self.path}: no node {name!r} in this lab; there are {names}")

    def group(self, name: str | None = None) -> Group:
        """The group of that name, the first for `None`. Raises: UsageError."""
        for each in self.groups:
            if name is None or each.name == name:
                return each
        if not self.groups:
            raise UsageError(
                f"{self.path}: has no group any more; walctl cluster group add {self.path} g1"
                " --on NODE,... begins one"
            )
        names = ", ".join(each.name for each in self.groups)
        raise UsageError(f"{self.path}: no group {name!r} in this lab; there are {names}")

    def hosted_by(self, name: str) -> Iterator[Group]:
        """The groups of which this node is to hold a member."""
        return (each for each in self.groups if name in each.hosts)

    def with_node(self, node: Node) -> "Lab":
        """The same with this node put in place of the one of its name, or added."""
        others = [node if each.name == node.name else each for each in self.nodes]
        is_new = all(each.name != node.name for each in self.nodes)
        return replace(self, nodes=(*others, node) if is_new else tuple(others))

    def with_group(self, group: Group) -> "Lab":
        """The same with this group put in place of the one of its name, or added."""
        others = [group if each.name == group.name else each for each in self.groups]
        is_new = all(each.name != group.name for each in self.groups)
        return replace(self, groups=(*others, group) if is_new else tuple(others))

    def without_group(self, name: str) -> "Lab":
        """The same without that group, whose name is not given again."""
        groups = tuple(each for each in self.groups if each.name != name)
        return replace(self, groups=groups, dropped=(*self.dropped, name))


def with_hosts(lab: Lab, group: Group, was: Sequence[str] | None) -> Lab:
    """The same with this group; `was` is who had it when that was decided, if anybody asks.

    Raises: UsageError, for a node that is not there, or the name of a group that was dropped;
    ClusterError, when others have it by now.
    """
    if all(each.name != group.name for each in lab.groups):
        demand_new_group(lab, group.name)
    for name in (*group.first, *group.hosts):
        lab.node(name)
    now = [name for each in lab.groups if each.name == group.name for name in each.hosts]
    if was is not None and sorted(was) != sorted(now):
        raise ClusterError(
            f"group {group.name}: expected it on {', '.join(was) or 'no node'}, found it on"
            f" {', '.join(now) or 'no node'}: another command changes it; do this again"
        )
    return lab.with_group(group)


def new_node(lab: Lab, name: str | None, *, made_for: str | None, ports: Sequence[int]) -> Node:
    """One more node, in no group yet, that has these ports: for clients, peers and the proxy.

    Raises: UsageError, for a name that there is.
    """
    numbers = [int(each.name[1:]) for each in lab.nodes if each.name[1:].isdecimal()]
    wanted = name or f"n{max(numbers, default=0) + 1}"
    if any(each.name == wanted for each in lab.nodes):
        raise UsageError(f"{lab.path}: has a node {wanted} already; a name is not given again")
    ids = [each.id for each in lab.nodes if each.id is not None]
    return Node(
        name=wanted,
        id=max(ids, default=0) + 1 if lab.engine is Engine.WALCTL else None,
        client_port=ports[0],
        peer_port=ports[1],
        proxy_port=ports[2],
        made_for=made_for,
    )


def demand_new_group(lab: Lab, name: str) -> None:
    """A group may be called so. Raises: UsageError."""
    demand_name(name, what="group")
    if name in lab.dropped:
        raise UsageError(
            f"{lab.path}: had a group {name}, which was dropped; a name is not given again"
        )


def demand_name(name: str, *, what: str) -> str:
    """`name`, which may be given to a node or a group. Raises: UsageError."""
    if NAME.fullmatch(name) is None or name in RESERVED or name.endswith((".log", ".json")):
        raise UsageError(
            f"{name!r} is no name for a {what}: expected small letters, digits, '-', '_' and '.',"
            f" and none of {', '.join(sorted(RESERVED))}"
        )
    return name


def is_lab(disk: FileSystem, path: Path) -> bool:
    """Whether there is a lab's file in this folder; nothing is said of what it holds."""
    return disk.exists(path / LAB_FILE)


def load(disk: FileSystem, path: Path) -> Lab:
    """The lab in a folder.

    Raises: AccessError, when there is no folder, or it is not a lab, or its file does not read.
    """
    file = path / LAB_FILE
    if disk.stat(path).kind is not Kind.DIRECTORY or not disk.exists(file):
        raise AccessError(
            f"{path}: expected a lab, found no {LAB_FILE} in it; walctl cluster new LAB makes one"
        )
    with disk.open(file) as opened:
        data = opened.read_at(0, LAB_BYTES_MAX + 1)
    try:
        found = json.loads(data)
        if found.get("walctl_lab") != LAB_VERSION:
            raise AccessError(f"{file}: expected version {LAB_VERSION}, found another")
        return _lab(path, found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AccessError(
            f"{file}: expected a lab's file, found something else: {error}"
        ) from error


def save(disk: WritableFileSystem, lab: Lab) -> None:
    """Put the lab's file in place, whole or not at all. Raises: AccessError."""
    file = lab.path / LAB_FILE
    aside = file.with_name(file.name + ".tmp")
    if disk.exists(aside):
        disk.remove(aside)
    disk.create(aside, document(lab))
    with disk.open_file(aside) as opened:
        opened.sync()
    disk.rename(aside, file)
    disk.sync_dir(lab.path)


def document(lab: Lab) -> bytes:
    """The text of the lab's file."""
    fields = asdict(lab)
    del fields["path"]
    return (json.dumps({"walctl_lab": LAB_VERSION, **fields}, indent=1) + "\n").encode()


def _lab(path: Path, found: dict[str, Any]) -> Lab:
    settings = dict(found["settings"])
    return Lab(
        path=path,
        engine=Engine(found["engine"]),
        settings=Settings(
            **{
                **settings,
                "timing": Timing(**settings["timing"]),
                "machine": MachineKind(settings["machine"]),
            }
        ),
        nodes=tuple(Node(**each) for each in found["nodes"]),
        groups=tuple(
            Group(name=each["name"], first=tuple(each["first"]), hosts=tuple(each["hosts"]))
            for each in found["groups"]
        ),
        token=str(found["token"]),
        program=found["program"],
        is_closed=bool(found["is_closed"]),
        dropped=tuple(map(str, found.get("dropped", ()))),
        origin=found["origin"],
    )
