"""A lab on its way up: waited for, until every node knows a leader or has done what was foretold.

A copied member that was foretold to die is given up once it has; the others need a leader where
they are a majority without it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import aiohttp

from walctl.cluster import runtime
from walctl.cluster.control import SupervisorClient
from walctl.cluster.copying.holding import forecast_of, held
from walctl.cluster.engine import engine_kind
from walctl.cluster.lab import HOST, Lab, load
from walctl.cluster.looking import look_by
from walctl.cluster.standing import LabStanding, NodeStanding, NodeState
from walctl.cluster.trial import last_words
from walctl.errors import ClusterError
from walctl.fs.base import FileSystem

READY_SECONDS: Final = 30.0
"""How long nodes may take until they know a leader."""
_POLL_SECONDS: Final = 0.05


async def ready(disk: FileSystem, lab: Lab, names: Sequence[str], seconds: float) -> LabStanding:
    """Start what does not run of `names`, and wait until all of it is ready, or has ended as it was
    foretold, or in spite of that.

    Raises: ClusterError, when a node of which nothing was foretold ends, or one is not ready.
    """
    kind = engine_kind(lab)
    deadline = runtime.now_us() + round(seconds * 1_000_000)
    async with aiohttp.ClientSession() as session, SupervisorClient(lab) as control:
        for each in (await control.info())["nodes"]:
            if each["name"] in names and each["state"] == NodeState.STOPPED:
                await control.act(each["name"], "start")
        while True:
            info = await control.info()
            now = load(disk, lab.path)
            dead = {each["name"] for each in info["nodes"] if _has_died(now, names, each)}
            standing = await look_by(disk, now, kind, session, info)
            left = [name for name in names if name not in dead]
            up = [name for name in left if not _is_doomed(now, name)]
            waited = [node for node in standing.nodes if node.name in left]
            late = {node.name: why for node in waited if (why := _why_late(now, node, up))}
            is_over = runtime.now_us() > deadline
            if is_over and not late.keys() <= set(left) - set(up):
                words = "; ".join(late.values())
                raise ClusterError(f"not ready after {seconds:g} s: {words}")
            if is_over or not late:
                for name in left:
                    await control.act(name, "settle")
                return await look_by(disk, load(disk, lab.path), kind, session, info)
            await asyncio.sleep(_POLL_SECONDS)


def is_settled(lab: Lab, node: NodeStanding) -> bool:
    """Whether a node has shown that it starts: it knows a leader."""
    return bool(node.groups) and all(each.leader is not None for each in node.groups)


def _has_died(lab: Lab, names: Collection[str], info: Mapping[str, Any]) -> bool:
    """Whether a copied member's process has ended, right or wrong. Raises: ClusterError, for one
    that has ended and was not foretold anything, or did not just start for the first time."""
    name = info["name"]
    if name not in names or info["state"] != NodeState.CRASHED:
        return False
    told = held(lab, name)
    if told is not None and not told.is_up:
        return True
    raise ClusterError(
        f"{name}: died ({info['words']}): {last_words(info['last'])};"
        f" walctl cluster logs {lab.path} {name} has more"
    )


def _is_doomed(lab: Lab, name: str) -> bool:
    """Whether it was foretold to end, and has not been seen to live."""
    forecast, told = forecast_of(lab, name), held(lab, name)
    return forecast is not None and not forecast.serves and (told is None or not told.is_up)


def _why_late(lab: Lab, node: NodeStanding, up: Sequence[str]) -> str:
    """Why a node is not ready; empty when it is. `up` are those that the others can count on."""
    if node.name not in up:
        return "" if is_settled(lab, node) else f"{node.name} has not ended yet, as was foretold"
    for group in lab.hosted_by(node.name):
        here = [name for name in group.hosts if name in up]
        if 2 * len(here) <= max(len(group.hosts), _voters(lab)):
            # Without a majority no leader can be: it is enough that it listens.
            if runtime.port_fault(HOST, lab.node(node.name).peer_port) is None:
                return f"{node.name} does not listen yet"
            continue
        found = [each for each in node.groups if each.group == group.name]
        if not found:
            return f"{node.name}: {node.words or node.state}"
        if found[0].leader is None:
            return f"{node.name} knows no leader of group {group.name}"
    return ""


def _voters(lab: Lab) -> int:
    """How many voters the cluster had that a lab was copied from, here or not; 0 for a new one."""
    return int((lab.origin or {}).get("voters", 0))
