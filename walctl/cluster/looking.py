"""A look at a whole lab: its supervisor asked what runs, and each node how it stands."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import aiohttp

from walctl.cluster.control import NotUpError, SupervisorClient
from walctl.cluster.copying.holding import held_of
from walctl.cluster.engine import EngineKind
from walctl.cluster.faults import Link, LinkFault
from walctl.cluster.lab import Lab, Node
from walctl.cluster.quantities import show_duration
from walctl.cluster.running import noted_process, supervisor_of
from walctl.cluster.runtime import Draw
from walctl.cluster.standing import LabStanding, NodeStanding, NodeState, Standing
from walctl.cluster.topology import describe
from walctl.errors import ClusterError, UsageError
from walctl.fs.base import FileSystem

CHOSEN_WORDS: Final = ("leader", "follower", "random")
"""Names that mean whichever node it is now."""
ORPHANED: Final = "its supervisor has died"


async def look(
    disk: FileSystem, lab: Lab, kind: EngineKind, session: aiohttp.ClientSession
) -> LabStanding:
    """How all of it stands; what gives no answer is said to give none. Raises nothing of a node."""
    try:
        async with SupervisorClient(lab) as control:
            info: Mapping[str, Any] = await control.info()
    except NotUpError:
        info = orphans(disk, lab)
    return await look_by(disk, lab, kind, session, info)


async def look_by(
    disk: FileSystem,
    lab: Lab,
    kind: EngineKind,
    session: aiohttp.ClientSession,
    info: Mapping[str, Any],
) -> LabStanding:
    """The same, with what the supervisor says known."""
    known = {each["name"]: each for each in info["nodes"]}
    nodes = [node for node in lab.nodes if not node.is_removed]
    found = await asyncio.gather(
        *(_node(disk, lab, kind, session, node, known.get(node.name, {})) for node in nodes)
    )
    return LabStanding(
        name=lab.name,
        engine=lab.engine,
        pid=info["pid"],
        nodes=tuple(_with_lag(found)),
        faults=tuple(faults_in_words(info["faults"], [node.name for node in nodes])),
        forecasts=held_of(lab),
    )


def orphans(disk: FileSystem, lab: Lab) -> dict[str, Any]:
    """What `info` says where no supervisor answers: nodes may run all the same."""
    nodes: list[dict[str, Any]] = []
    for node in lab.nodes:
        process = noted_process(disk, lab, node.name)
        if process is None:
            nodes.append({"name": node.name, "state": NodeState.STOPPED, "pid": None, "words": ""})
        else:
            words = {"pid": process.pid, "words": ORPHANED}
            nodes.append({"name": node.name, "state": NodeState.RUNNING, **words})
    supervisor = supervisor_of(disk, lab)
    return {"pid": supervisor.pid if supervisor else None, "nodes": nodes, "faults": []}


async def _node(
    disk: FileSystem,
    lab: Lab,
    kind: EngineKind,
    session: aiohttp.ClientSession,
    node: Node,
    info: Mapping[str, Any],
) -> NodeStanding:
    state = NodeState(info.get("state", NodeState.STOPPED))
    words = str(info.get("words", ""))
    groups: tuple[Standing, ...] = ()
    if state is NodeState.RUNNING:
        try:
            groups = await kind.standing(session, disk, lab, node)
        except ClusterError as error:
            words = words or error.message.removeprefix(f"{node.name}: ")
    return NodeStanding(
        name=node.name,
        state=state,
        client_port=node.client_port,
        pid=info.get("pid"),
        words=words,
        groups=groups,
    )


def _with_lag(nodes: Iterable[NodeStanding]) -> list[NodeStanding]:
    """Each member's distance to the highest commit that any member of its group tells."""
    found = list(nodes)
    best: dict[str, int] = {}
    for node in found:
        for each in node.groups:
            best[each.group] = max(best.get(each.group, 0), each.commit or 0)
    return [
        replace(
            node,
            groups=tuple(
                replace(each, lag=None if each.applied is None else best[each.group] - each.applied)
                for each in node.groups
            ),
        )
        for node in found
    ]


def links_on(faults: Iterable[Mapping[str, Any]]) -> dict[Link, LinkFault]:
    """The links among the faults that `info` tells."""
    found: dict[Link, LinkFault] = {}
    for each in faults:
        if each["on"] == "link":
            source, _, target = each["link"].partition("->")
            found[Link(source, target)] = LinkFault(**each["fault"])
    return found


def faults_in_words(faults: Sequence[Mapping[str, Any]], nodes: Sequence[str]) -> Iterator[str]:
    """What is on, as whoever did it would say it."""
    links = describe(links_on(faults), nodes=nodes)
    yield from links.split("; ") if links else ()
    for each in faults:
        if each["on"] != "link":
            yield _fault_words(each)


def _fault_words(fault: Mapping[str, Any]) -> str:
    args = dict(fault.get("args") or {})
    kind = [str(args.pop("kind"))] if "kind" in args else []
    told = [
        show_duration(value) if name.endswith("_us") else f"{name.replace('_', ' ')} {value}"
        for name, value in args.items()
        if value is not None
    ]
    where = f"{fault['n']}: " if fault.get("n") else ""
    return where + " ".join([str(fault["on"]), *kind, *told])


def chosen(
    lab: Lab, standing: LabStanding, word: str, draw: Draw, *, group: str | None = None
) -> str:
    """The node that a word means: a name, or `leader`, `follower` or `random`.

    Raises: UsageError, for a node that is not there; ClusterError, when no node is what was asked.
    """
    if word not in CHOSEN_WORDS:
        node = lab.node(word)
        if node.is_removed:
            raise UsageError(f"{word}: was removed from the cluster")
        return node.name
    wanted = lab.group(group).name
    up = [node for node in standing.nodes if node.is_up]
    leader = standing.leader(wanted)
    if word == "leader":
        if leader is None:
            raise ClusterError(f"{lab.path}: group {wanted} has no leader now")
        return leader
    names = [node.name for node in up if word == "random" or node.name != leader]
    if not names:
        raise ClusterError(f"{lab.path}: found no {word} node among those that run")
    return draw.choice(names)
