"""A new member of a group with 100 MB of state: until it has all of it, while clients write.

The nodes begin with the state in a snapshot, so that the time goes into what is measured. The
leader makes a new snapshot (its old one does not know the new member), streams it through the
proxy, and the new member takes it over and catches up with what was written meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks.lab_setting import DISK, new_lab, up
from walctl.cluster import runtime
from walctl.cluster.answers import Fate
from walctl.cluster.asking import client_of
from walctl.cluster.control import SupervisorClient
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.load import Load, LoadPlan, LoadResult
from walctl.cluster.node_talk import NodeTalk
from walctl.cluster.own_members import OwnMembership
from walctl.cluster.pace import LoopPace
from walctl.machine.kv import Kv
from walctl.raft.types import ConfState, HardState, Snapshot
from walctl.replay.walstorage import WalStorage

STATES: Final = ((10_000, 10_000), (1_000_000, 100))
"""Keys, and bytes of a value: 100 MB each."""
INDEX: Final = 1_000
"""What the snapshot that the nodes begin with is of."""
BAR_SECONDS: Final = 10.0
CLIENTS: Final = 8
WAIT_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.02
AROUND_SECONDS: Final = 1.0
"""How long clients write before and after."""

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""


def bench_growth(folder: Path, row: Row) -> None:
    """Tell it for few large values and for many small ones."""
    for keys, value_bytes in STATES:
        lab = new_lab(folder / str(keys), Engine.WALCTL)
        _fill(lab, keys, value_bytes)
        with up(lab):
            seconds, result, is_led = asyncio.run(_grown(lab))
        lost = "" if is_led else "; the leader lost its leadership"
        row(
            f"new member has {keys:,} keys of {value_bytes:,} bytes",
            seconds,
            f"{seconds / BAR_SECONDS:.2f} of the bar of {BAR_SECONDS:g} s;"
            f" {result.fates[Fate.OK] / result.seconds:,.0f} puts/s meanwhile,"
            f" longest {max(result.latencies_us) / 1e6:.2f} s,"
            f" {result.count - result.fates[Fate.OK]} not ok{lost}",
        )


def _fill(lab: Lab, keys: int, value_bytes: int) -> None:
    """Give every node the same state."""
    group = lab.groups[0].name
    machine = Kv()
    value = b"v" * value_bytes
    machine.pairs = {b"/filled/%d" % number: value for number in range(keys)}
    conf = ConfState(voters=tuple(node.id for node in lab.nodes if node.id is not None))
    snapshot = Snapshot(index=INDEX, term=1, conf_state=conf, data=machine.snapshot())
    for node in lab.nodes:
        place = lab.data_path(node.name, group) / "member"
        place.mkdir(parents=True)
        with WalStorage.create(DISK, place / "wal", place / "snap", metadata=None) as storage:
            storage.save(HardState(term=1, commit=INDEX), (), snapshot)


async def _grown(lab: Lab) -> tuple[float, LoadResult, bool]:
    """Seconds until the new member has what the leader has; and whether that led all the time."""
    group = lab.groups[0].name
    members = OwnMembership(DISK, talk=NodeTalk(), pace=LoopPace())
    try:
        async with SupervisorClient(lab) as control, client_of(lab) as client:
            plan = LoadPlan(
                name="bench",
                clients=CLIENTS,
                rate=None,
                keys=1_000,
                mix={"put": 1},
                seconds=WAIT_SECONDS,
                value_bytes=100,
            )
            load = Load(
                plan,
                client,
                draw=runtime.draw().randrange,
                now_us=runtime.now_us,
                tell=lambda _: asyncio.sleep(0),
            )
            running = asyncio.create_task(load.run())
            await asyncio.sleep(AROUND_SECONDS)
            before = await members.lead(lab, group)
            began = time.perf_counter()
            node = await control.add_node()
            await members.add(control, lab.with_node(node), group, node.name)
            await _caught_up(members, lab.with_node(node), group, node.name)
            seconds = time.perf_counter() - began
            await asyncio.sleep(AROUND_SECONDS)
            after = await members.lead(lab, group)
            load.stop()
            return seconds, await running, before.term == after.term
    finally:
        await members.close()


async def _caught_up(members: OwnMembership, lab: Lab, group: str, node: str) -> None:
    """Wait until a member has applied what the leader had a moment ago."""
    wanted = 0
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            views = await members.talk.views(lab, group, [each.name for each in lab.nodes])
            own = views.get(node)
            if own is not None and 0 < wanted <= own.applied:
                return
            wanted = max(each.applied for each in views.values())
            await asyncio.sleep(POLL_SECONDS)
