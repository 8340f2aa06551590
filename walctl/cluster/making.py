"""A new lab, and the end of one: its folder made, and taken away.

Making writes `lab.json` and nothing else; what else there is comes with `up`. Taking away first
looks at all of it and only then removes: a name that no lab makes, or a link, stops it before the
first one is gone. The lab's file goes last, so that a removal that was broken off can be repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from walctl.cluster.lab import (
    ETCD_GROUP,
    EVENTS_FILE,
    HOST,
    KEPT_FOLDER,
    LAB_FILE,
    RUN_FOLDER,
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
_HALF_MADE = frozenset({f"{LAB_FILE}.tmp"})
"""What `new` leaves when it is killed; a folder with no more than that is as good as empty."""

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
    if names - _HALF_MADE:
        raise AccessError(f"{path}: expected a new or empty folder, found one with files in it")


# Taking away.


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken away, in the order in which it is: what lies in a folder before the folder."""

    files: int
    size: int
    names: tuple[tuple[Path, bool], ...]


def removal(disk: WritableFileSystem, lab: Lab) -> Removal:
    """All that goes with a lab, looked at and not touched.

    Raises: AccessError, with the first name that a lab does not make.
    """
    known = set(_top_names(lab))
    names: list[tuple[Path, bool]] = []
    size = 0
    for name in disk.names(lab.path):
        path = lab.path / name
        if name not in known:
            raise AccessError(
                f"{path}: expected only what the lab made, found this: nothing was removed;"
                " move it elsewhere and try again"
            )
        for each, is_folder, held in _walk(disk, path, is_running=name == RUN_FOLDER):
            names.append((each, is_folder))
            size += held
    names.sort(key=lambda each: each[0] == lab.path / LAB_FILE)
    files = sum(not is_folder for _, is_folder in names)
    return Removal(files, size, (*names, (lab.path, True)))


def removal_of(disk: WritableFileSystem, folder: Path) -> Removal:
    """One member's directory, looked at and not touched. Raises: AccessError."""
    found = list(_walk(disk, folder, is_running=False))
    names = tuple((path, is_folder) for path, is_folder, _ in found)
    files = sum(not is_folder for _, is_folder in names)
    return Removal(files, sum(size for _, _, size in found), names)


def remove(disk: WritableFileSystem, plan: Removal) -> None:
    """Take it away. Raises: AccessError; what is left then is still a lab."""
    for path, is_folder in plan.names:
        if is_folder:
            disk.remove_dir(path)
        else:
            disk.remove(path)


def _top_names(lab: Lab) -> Iterator[str]:
    yield from (LAB_FILE, *_HALF_MADE, EVENTS_FILE, RUN_FOLDER, KEPT_FOLDER)
    for node in lab.nodes:
        yield node.name
        yield lab.log_path(node.name).name
        yield f"{lab.log_path(node.name).name}.1"


def _walk(
    disk: WritableFileSystem, path: Path, *, is_running: bool
) -> Iterator[tuple[Path, bool, int]]:
    """Everything at and below a name, what lies in a folder first: path, whether a folder, bytes.

    Raises: AccessError, for a link or a device: a lab makes none (sockets lie in `run`).
    """
    found = disk.attributes(path)
    if found.is_directory:
        for name in disk.names(path):
            yield from _walk(disk, path / name, is_running=is_running)
        yield path, True, 0
        return
    kind = Kind.OTHER if found.is_link else disk.stat(path).kind
    if found.is_link or (kind is not Kind.FILE and not is_running):
        what = "a link" if found.is_link else "no plain file"
        raise AccessError(
            f"{path}: is {what}, and a lab makes none: nothing was removed; take it away yourself"
        )
    yield path, False, disk.stat(path).size
