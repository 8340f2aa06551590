"""What a lab does and how fast, beside the peers that are there: etcd and pysyncobj in this run.

Ours and etcd run as a person's lab does: processes of their own, the supervisor and its proxy
between peers, and the load generator of `walctl cluster load`, which writes down all that its
clients see. pysyncobj is asked as it wants to be (see `syncobj`).

    python -m tests.benchmarks.labs [puts] [killed] [idle] [grown]
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks import syncobj
from tests.benchmarks.lab_growth import bench_growth
from tests.benchmarks.lab_setting import DISK, engines, new_lab, up
from walctl.cluster import runtime
from walctl.cluster.answers import Client, Fate, Wait
from walctl.cluster.asking import client_of, load
from walctl.cluster.control import SupervisorClient
from walctl.cluster.events import EventKind
from walctl.cluster.lab import Engine, Lab, Timing
from walctl.cluster.load import LoadPlan, LoadResult
from walctl.cluster.up_down import status

TIMING: Final = Timing()
ELECTION_SECONDS: Final = TIMING.tick_ms * TIMING.election_ticks / 1000
CLIENTS: Final = 64
VALUE_BYTES: Final = 100
LOAD_SECONDS: Final = 10.0
PUTS_BAR: Final = 2_500
KILLS: Final = 5
REPLACED_BAR: Final = 3
"""Election timeouts."""
PROBE_SECONDS: Final = 0.02
SETTLED_SECONDS: Final = 1.5
IDLE_GROUPS: Final = 50
IDLE_SECONDS: Final = 20.0
IDLE_BAR: Final = 0.2
"""Of one core."""

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""


def bench_labs(row: Row, wanted: tuple[str, ...] = ("puts", "killed", "idle", "grown")) -> None:
    """Tell every figure, beside its bar."""
    deeds = {"puts": _puts, "killed": _killed, "idle": _idle, "grown": bench_growth}
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="walctl-bench-") as folder:
            deeds[name](Path(folder), row)


# Puts a second.


def _puts(folder: Path, row: Row) -> None:
    told: list[tuple[str, float, str]] = []
    for has_batches in (True, False):
        asked = syncobj.Asked(
            clients=CLIENTS, value_bytes=VALUE_BYTES, seconds=LOAD_SECONDS, has_batches=has_batches
        )
        place = folder / f"syncobj-{has_batches}"
        place.mkdir()
        found = syncobj.found_by(place, asked)
        if found is not None:
            words = "in batches" if has_batches else "each at once"
            note = f"no sync at all; {found.complaints:,} warnings that states diverge"
            told.append((f"pysyncobj, {words} (peer)", found.puts_a_second, note))
    for engine in engines():
        with up(new_lab(folder / engine, engine)) as lab:
            result = loaded(lab, CLIENTS, LOAD_SECONDS, mix={"put": 1})
            name = "etcd, by its JSON gateway (peer)" if engine is Engine.ETCD else "walctl"
            told.append((name, result.fates[Fate.OK] / result.seconds, latency_words(result)))
            if engine is Engine.WALCTL:
                reads = loaded(lab, CLIENTS, LOAD_SECONDS / 2, mix={"get": 1})
    ours = told[-1][1]
    for name, speed, note in told:
        ratio = f"walctl does {ours / speed:.2f} of it" if speed and speed != ours else ""
        bar = f"{ours / PUTS_BAR:.2f} of the bar of {PUTS_BAR:,}" if speed == ours else ratio
        row(f"10,000 puts: {name}", 10_000 / max(speed, 1), f"{speed:,.0f} a second; {bar}; {note}")
    speed = reads.fates[Fate.OK] / reads.seconds
    row("10,000 linearizable reads", 10_000 / speed, f"{speed:,.0f}/s; {latency_words(reads)}")


def loaded(lab: Lab, clients: int, seconds: float, *, mix: dict[str, int]) -> LoadResult:
    """What comes of as much as so many clients can ask."""
    plan = LoadPlan(
        name="bench",
        clients=clients,
        rate=None,
        keys=10_000,
        mix=mix,
        seconds=seconds,
        groups=(lab.groups[0].name,),
        value_bytes=VALUE_BYTES,
    )
    return load(lab, plan, on_progress=lambda *_: None)


def latency_words(result: LoadResult) -> str:
    """Latencies, and what did not go well."""
    shown = [
        f"p{each} {(result.latency_us(each) or 0) / 1000:.1f} ms"
        for each in (50, 99)
        if result.latencies_us
    ]
    bad = result.count - result.fates[Fate.OK]
    return ", ".join([*shown, f"{bad} not ok"] if bad else shown)


# A leader that is killed.


def _killed(folder: Path, row: Row) -> None:
    for engine in engines():
        with up(new_lab(folder / engine, engine)) as lab:
            found = [asyncio.run(_replaced(lab)) for _ in range(KILLS)]
        served, led = zip(*found, strict=True)
        what = {"until a put is answered": served, "until another node leads": led}
        for name, times in what.items():
            known = [each for each in times if each is not None]
            if not known:
                continue
            worst = max(known)
            bar = worst / (REPLACED_BAR * ELECTION_SECONDS)
            row(
                f"leader of {engine} killed, {name}",
                worst,
                f"worst of {len(known)}, median {statistics.median(known):.2f} s;"
                f" {worst / ELECTION_SECONDS:.2f} election timeouts, {bar:.2f} of the bar",
            )


async def _replaced(lab: Lab) -> tuple[float, float | None]:
    """Seconds from a kill until a client is served again, and until another node says it leads."""
    group = lab.groups[0].name
    leader = await asyncio.to_thread(lambda: status(DISK, lab).leader(group))
    assert leader is not None, "it was ready"
    async with SupervisorClient(lab) as control, client_of(lab) as client:
        await _put_until_ok(client, group)
        origin_us = (await control.info())["origin_us"]
        began_us = runtime.now_us() - origin_us
        began = time.perf_counter()
        await control.act(leader, "kill")
        await _put_until_ok(client, group)
        served = time.perf_counter() - began
        led = _led_at(lab, began_us)
        await control.act(leader, "start")
        await asyncio.to_thread(_await_even, lab, group)
        await asyncio.sleep(SETTLED_SECONDS)
    return served, None if led is None else (led - began_us) / 1e6


async def _put_until_ok(client: Client, group: str) -> None:
    """Ask again and again, without waiting for those who may never hear, until one put is done."""
    is_served = asyncio.Event()

    async def put() -> None:
        answer = await client.put(b"/k", b"v", group=group, wait=Wait.COMMIT)
        if answer.fate is Fate.OK:
            is_served.set()

    asked = []
    while not is_served.is_set():
        asked.append(asyncio.create_task(put()))
        await asyncio.wait([asyncio.create_task(is_served.wait())], timeout=PROBE_SECONDS)
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


def _led_at(lab: Lab, since_us: int) -> int | None:
    """When the first node after that moment said that it leads."""
    lines = lab.events_path.read_text().splitlines()[1:]
    events = (json.loads(line) for line in lines)
    times = [
        int(each["t"])
        for each in events
        if each["k"] == EventKind.ROLE and each.get("to") == "leader" and each["t"] >= since_us
    ]
    return min(times, default=None)


def _await_even(lab: Lab, group: str) -> None:
    """Wait until every node has applied as much as the one that has most."""
    while True:
        applied = _applied(lab, group)
        if len(applied) == len(lab.nodes) and len(set(applied)) == 1:
            return
        time.sleep(PROBE_SECONDS)


def _applied(lab: Lab, group: str) -> list[int | None]:
    standing = status(DISK, lab)
    return [each.applied for node in standing.nodes for each in node.groups if each.group == group]


# Nothing to do.


def _idle(folder: Path, row: Row) -> None:
    groups = tuple(f"g{number}" for number in range(1, IDLE_GROUPS + 1))
    with up(new_lab(folder / "idle", Engine.WALCTL, groups=groups)) as lab:
        time.sleep(2 * SETTLED_SECONDS)
        standing = status(DISK, lab)
        processes = {node.name: node.pid for node in standing.nodes} | {"supervisor": standing.pid}
        before = {name: cpu_seconds(pid) for name, pid in processes.items() if pid is not None}
        time.sleep(IDLE_SECONDS)
        used = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items() if pid}
    shares = {name: each / IDLE_SECONDS for name, each in used.items()}
    nodes = sum(share for name, share in shares.items() if name != "supervisor")
    for name, share in (
        ("of the nodes", nodes),
        ("with supervisor and proxy", sum(shares.values())),
    ):
        row(
            f"{IDLE_GROUPS} groups idle for {IDLE_SECONDS:g} s: CPU {name}",
            share * IDLE_SECONDS,
            f"{share:.1%} of one core; {share / IDLE_BAR:.2f} of the bar of {IDLE_BAR:.0%}",
        )


def cpu_seconds(pid: int) -> float:
    """What a process has used so far. Source: Linux proc_pid_stat(5), utime and stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(name: str, seconds: float, words: str) -> None:
    sys.stdout.write(f"  {name:<60}{seconds:8.3f} s   {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    bench_labs(_print, *([tuple(sys.argv[1:])] if sys.argv[1:] else []))
