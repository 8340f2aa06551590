"""What agreeing takes: three nodes in one process, on one core, beside pysyncobj's three.

Ours have no network and no disk between them, so this is what the core costs; pysyncobj's talk over
the loopback interface, as it cannot be had without, with all entries queued at once. So the ratio
with one at a time is unkind to us and the other flatters; the raw numbers are told beside it.
"""

import itertools
import socket
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pysyncobj  # type: ignore[import-untyped]

from formats.raftpb import MessageType
from tests.raft.harness import Cluster
from walctl.raft.types import Entry, Message

ENTRIES = 30_000
BATCH = 100
SIZES = (1_000, 10_000, 100_000, 1_000_000)
"""Lengths of the log at which the cost of an entry is told: it should not grow."""
SYNCOBJ_ENTRIES = 3_000
SECONDS_MAX = 60.0
TOLD = 10_000
"""Times are told for so many entries."""

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""


def proposed(cluster: Cluster, count: int, batch: int) -> tuple[float, int]:
    """Seconds to commit so many entries on all nodes, and the messages that took."""
    raft = cluster[1].raw.raft
    entries = tuple(Entry(data=b"0123456789abcdef") for _ in range(batch))
    messages = 0
    start = time.perf_counter()
    for _ in range(count // batch):
        raft.step(Message(MessageType.PROP, source=1, entries=entries))
        cluster.work()
        while cluster.flying:
            messages += len(cluster.flying)
            cluster.deliver()
            cluster.work()
    seconds = time.perf_counter() - start
    for each in cluster.nodes.values():
        each.applied.clear()
    return seconds, messages


def led() -> Cluster:
    """Three nodes, of which the first leads."""
    cluster = Cluster.of(3)
    cluster.campaign(1)
    return cluster


def bench_raft(row: Row) -> None:
    """Tell every figure; the peer comes first."""
    peer = _peer_seconds()
    if peer is not None:
        speed = f"1.00; {1 / peer:,.0f} entries/s"
        row(f"{TOLD:,} entries: pysyncobj, over loopback (peer)", TOLD * peer, speed)
    cluster = led()
    for batch in (1, BATCH):
        count = ENTRIES if batch > 1 else ENTRIES // 10
        seconds, messages = proposed(cluster, count, batch)
        each = seconds / count
        words = f"{1 / each:,.0f} entries/s, {messages / seconds:,.0f} messages/s"
        if peer is not None:
            words = f"{each / peer:.2f} of the peer; {words}"
        row(f"{TOLD:,} entries: ours, {batch} at a time", TOLD * each, words)
    cluster, length = led(), 1
    for size in SIZES:
        seconds, _ = proposed(cluster, size - length, BATCH)
        each = seconds / (size - length)
        row(
            f"{TOLD:,} entries, up to {size:,} in the log", TOLD * each, f"{each * 1e6:.1f} µs each"
        )
        length = size


def _peer_seconds() -> float | None:
    """What an entry takes with pysyncobj; `None` where its nodes do not find each other."""
    names = [f"127.0.0.1:{port}" for port in _free_ports(3)]
    nodes = [_counter(name, [each for each in names if each != name]) for name in names]
    try:
        deadline = time.perf_counter() + SECONDS_MAX
        while not all(each.isReady() for each in nodes) and time.perf_counter() < deadline:
            time.sleep(0.05)
        leader = next((each for each in nodes if each._isLeader()), nodes[0])
        done, seen = Event(), itertools.count(1)

        def count(*_: object) -> None:
            if next(seen) == SYNCOBJ_ENTRIES:
                done.set()

        start = time.perf_counter()
        for _ in range(SYNCOBJ_ENTRIES):
            leader.add(callback=count)
        if not done.wait(SECONDS_MAX):
            return None
        return (time.perf_counter() - start) / SYNCOBJ_ENTRIES
    finally:
        for each in nodes:
            each.destroy()


def _counter(name: str, others: list[str]) -> Any:
    class Counter(pysyncobj.SyncObj):  # type: ignore[misc]
        """The smallest state machine that there is."""

        def __init__(self) -> None:
            config = pysyncobj.SyncObjConf(commandsQueueSize=10 * SYNCOBJ_ENTRIES)
            super().__init__(name, others, conf=config)
            self.count = 0

        @pysyncobj.replicated  # type: ignore[untyped-decorator]
        def add(self) -> int:
            self.count += 1
            return self.count

    return Counter()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
