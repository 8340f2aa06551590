"""What operators have one node do: campaign, make a snapshot, compact.

Engine etcd has its own ways: it makes Raft's snapshots by itself, and what it compacts are
revisions of keys, not entries of the log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp

from walctl.cluster import runtime
from walctl.cluster.etcd_gateway import asked, revision
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.node_talk import NodeTalk
from walctl.errors import UnsupportedError, UsageError

ANSWER_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """What a node did for one group. Indexes are of entries; of `revision`s with engine etcd."""

    node: str
    group: str
    done: str
    index: int | None = None
    first: int | None = None
    last: int | None = None
    revision: int | None = None


def campaign(lab: Lab, node: str, group: str | None) -> Operated:
    """Let a node try to become leader; who leads then. Raises: ClusterError.

    Members that hear from a leader do not vote, where the lab has pre-votes or a quorum check.
    """
    if lab.engine is Engine.ETCD:
        raise UnsupportedError(
            f"{lab.path}: etcd campaigns when it misses its leader;"
            f" walctl cluster transfer {lab.path} {node} hands it the lead"
        )
    name = lab.group(group).name

    async def asked_for(talk: NodeTalk) -> Operated:
        await talk.do(lab, node, "campaign", group=name)
        timing = lab.settings.timing
        deadline = runtime.now_us() + 2000 * timing.tick_ms * timing.election_ticks
        while True:
            view = (await talk.views(lab, name, [node])).get(node)
            if view is not None and view.is_leader:
                return Operated(node=node, group=name, done=f"leads in term {view.term}")
            if runtime.now_us() > deadline:
                lead = 0 if view is None else view.lead
                who = next((each.name for each in lab.nodes if lead and each.id == lead), "nobody")
                return Operated(node=node, group=name, done=f"campaigned, and {who} leads")
            await asyncio.sleep(POLL_SECONDS)

    return _talking(asked_for)


def snapshot(lab: Lab, node: str, group: str | None) -> tuple[Operated, ...]:
    """Let a node make a snapshot of a group, or of all that it has. Raises: ClusterError."""
    if lab.engine is Engine.ETCD:
        raise UnsupportedError(
            f"{lab.path}: etcd makes a snapshot by itself every {lab.settings.snapshot_count}"
            " entries; walctl cluster new --snapshot-count makes that less"
        )

    async def asked_for(talk: NodeTalk) -> tuple[Operated, ...]:
        done = []
        for name in _groups(lab, node, group):
            found = await talk.do(lab, node, "snapshot", group=name)
            done.append(Operated(node=node, group=name, done="snapshot", index=found["index"]))
        return tuple(done)

    return _talking(asked_for)


def compact(lab: Lab, node: str, group: str | None, *, index: int | None) -> tuple[Operated, ...]:
    """Let a node forget entries up to `index`, at most (`None`) up to its newest snapshot.

    Engine etcd: older revisions than this one, in the whole cluster. Raises: ClusterError.
    """
    if lab.engine is Engine.ETCD:
        return (asyncio.run(_compact_etcd(lab, node, index)),)

    async def asked_for(talk: NodeTalk) -> tuple[Operated, ...]:
        done = []
        for name in _groups(lab, node, group):
            found = await talk.do(lab, node, "compact", group=name, index=index)
            first, last = found["first"], found["last"]
            done.append(Operated(node=node, group=name, done="compact", first=first, last=last))
        return tuple(done)

    return _talking(asked_for)


def _talking(work: Callable[[NodeTalk], Awaitable[T]]) -> T:
    async def run() -> T:
        talk = NodeTalk()
        try:
            return await work(talk)
        finally:
            await talk.close()

    return asyncio.run(run())


def _groups(lab: Lab, node: str, group: str | None) -> list[str]:
    """The group that was named, or all that the node has. Raises: UsageError."""
    held = [each.name for each in lab.hosted_by(lab.node(node).name)]
    wanted = held if group is None else [lab.group(group).name]
    if not wanted or any(each not in held for each in wanted):
        raise UsageError(f"{node}: holds no {f'group {group}' if group else 'group'}")
    return wanted


async def _compact_etcd(lab: Lab, node: str, index: int | None) -> Operated:
    async with aiohttp.ClientSession() as session:
        place, seconds = lab.node(node), ANSWER_SECONDS
        wanted = index
        if wanted is None:
            body: dict[str, Any] = {"key": "AA==", "limit": 1}
            wanted = revision(await asked(session, place, "/v3/kv/range", body, seconds=seconds))
        body = {"revision": wanted, "physical": True}
        await asked(session, place, "/v3/kv/compaction", body, seconds=seconds)
    return Operated(node=node, group=lab.group().name, done="compact", revision=wanted)
