"""A new lab: its folder made. That writes `lab.json` and nothing else; the rest comes with `up`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from walctl.cluster.lab import (
    ETCD_GROUP,
    HALF_MADE,
    HOST,
    LAB_FILE,
    Engine,
    Group,
    Lab,
    Node,
    Settings,
    demand_name,
    save,
)
from walctl.cluster.runtime import Draw
from walctl.errors import AccessError, UsageError
from walctl.fs.base import Kind
from walctl.fs.writable import WritableFileSystem

NODES_MAX: Final = 99
GROUPS_MAX: Final = 1000
PORTS_A_NODE: Final = 3
GROUPS: Final = ("g1",)
"""What a lab has if nothing is said."""
PORT_MIN, PORT_MAX = 1024, 65535
_FOUND_MIN, _FOUND_MAX = 10_000, 30_000
"""Where free ports are looked for: below those that systems give to whoever dials out."""
_TRIES_MAX = 200

PortFault = Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLab:
    """What a new lab is to be; `nodes` is how many, `base_port` where their ports begin."""

    path: Path
    nodes: int
    groups: tuple[str, ...] = GROUPS
    engine: Engine = Engine.WALCTL
    settings: Settings = field(default_factory=Settings)
    program: str | None = None
    base_port: int | None = None


def make(
    disk: WritableFileSystem,
    wish: NewLab,
    *,
    token: str,
    draw: Draw,
    port_fault: PortFault,
) -> Lab:
    """Make the folder and the file of a lab. Raises: UsageError, AccessError."""
    _demand_sane(wish)
    _demand_free(disk, wish.path)
    names = tuple(f"n{number}" for number in range(1, wish.nodes + 1))
    is_etcd = wish.engine is Engine.ETCD
    ports = free_ports(wish.nodes * PORTS_A_NODE, base=wish.base_port, draw=draw, fault=port_fault)
    nodes = tuple(
        Node(
            name=name,
            id=None if is_etcd else number,
            client_port=ports[0 + PORTS_A_NODE * (number - 1)],
            peer_port=ports[1 + PORTS_A_NODE * (number - 1)],
            proxy_port=ports[2 + PORTS_A_NODE * (number - 1)],
        )
        for number, name in enumerate(names, start=1)
    )
    groups = (ETCD_GROUP,) if is_etcd else wish.groups
    lab = Lab(
        path=wish.path,
        engine=wish.engine,
        settings=wish.settings,
        nodes=nodes,
        groups=tuple(Group(name=each, first=names, hosts=names) for each in groups),
        token=token,
        program=wish.program,
    )
    if not disk.exists(wish.path):
        disk.make_dir(wish.path)
    save(disk, lab)
    return lab


def free_ports(
    count: int,
    *,
    base: int | None,
    draw: Draw,
    fault: PortFault,
    besides: Sequence[int] = (),
) -> tuple[int, ...]:
    """So many ports in a row that nobody listens at: from `base` on, or wherever there are.

    `besides` are ports that are given to somebody, though nobody may listen there now.
    Raises: UsageError, for a base that will not do; AccessError, when none were found.
    """
    if base is not None:
        if not PORT_MIN <= base <= PORT_MAX + 1 - count:
            raise UsageError(
                f"--base-port {base}: expected {PORT_MIN} to {PORT_MAX + 1 - count}:"
                f" {count} ports in a row are needed"
            )
        for port in range(base, base + count):
            why = fault(HOST, port)
            if why is not None:
                raise AccessError(
                    f"port {port} on {HOST} {why}: choose another --base-port, or leave it out"
                )
        return tuple(range(base, base + count))
    for _ in range(_TRIES_MAX):
        first = draw.randrange(_FOUND_MIN, _FOUND_MAX - count)
        row = range(first, first + count)
        if all(port not in besides and fault(HOST, port) is None for port in row):
            return tuple(row)
    raise AccessError(f"found no {count} free ports in a row on {HOST}: say --base-port")


def _demand_sane(wish: NewLab) -> None:
    """Raises: UsageError."""
    if not 1 <= wish.nodes <= NODES_MAX:
        raise UsageError(f"--nodes {wish.nodes}: expected 1 to {NODES_MAX}")
    if wish.engine is Engine.ETCD and wish.groups != GROUPS:
        raise UsageError("--groups: engine etcd has one group, and no more; leave it out")
    for name in wish.groups:
        demand_name(name, what="group")
    if len(set(wish.groups)) != len(wish.groups) or not 1 <= len(wish.groups) <= GROUPS_MAX:
        raise UsageError(f"--groups: expected 1 to {GROUPS_MAX} names, each once")
    timing = wish.settings.timing
    if min(timing.tick_ms, timing.heartbeat_ticks) < 1:
        raise UsageError("--tick: expected at least 1 ms")
    if timing.election_ticks < 5 * timing.heartbeat_ticks:
        raise UsageError(
            f"--election: expected at least 5 times the heartbeat,"
            f" which is {timing.heartbeat_ticks * timing.tick_ms} ms"
        )


def _demand_free(disk: WritableFileSystem, path: Path) -> None:
    """Raises: AccessError, when the folder is taken, or has nowhere to be."""
    if not disk.exists(path):
        if not disk.exists(path.parent):
            raise AccessError(f"{path}: expected a folder {path.parent} to make it in, found none")
        return
    if disk.stat(path).kind is not Kind.DIRECTORY:
        raise AccessError(f"{path}: expected a name for a new folder, found a file of that name")
    names = set(disk.names(path))
    if LAB_FILE in names:
        raise AccessError(
            f"{path}: is a lab already: walctl cluster up starts it, walctl cluster rm removes it"
        )
    if names - HALF_MADE:
        raise AccessError(f"{path}: expected a new or empty folder, found one with files in it")
