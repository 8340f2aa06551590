"""The peer that is always there: pysyncobj's cluster of three processes, asked in its own way.

Each node keeps a journal file. pysyncobj writes it through a memory map and never syncs it: what it
acknowledges outlives its process, and not a power cut. A client of it is a call with a callback, in
the process of a node; here that of the leader, which is the shortest way that there is.

Its two ways of sending are both measured: batches, which wait for a tick and are its default, and
each entry at once, which its manual has for fast single requests.
"""

import logging
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from typing import Any, Final

import pysyncobj  # type: ignore[import-untyped]

from fixtures.recipes.etcd import free_ports

NODES: Final = 3
KEYS: Final = 10_000
READY_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the clients do; `has_batches`: which of its two ways of sending."""

    clients: int
    value_bytes: int
    seconds: float
    has_batches: bool


@dataclass(frozen=True, slots=True)
class Found:
    """`complaints` are warnings of its own, that a node's state may be another's no more."""

    puts_a_second: float
    complaints: int


class _Complaints(logging.Handler):
    """Counts what the nodes warn of, in place of printing it."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "diverged" in record.getMessage()


def found_by(folder: Path, asked: Asked) -> Found | None:
    """Acknowledged puts; `None` where its nodes do not find each other."""
    names = [f"127.0.0.1:{port}" for port in free_ports(NODES)]
    pipes, processes = [], []
    for name in names:
        here, there = multiprocessing.Pipe()
        others = [each for each in names if each != name]
        args = (name, others, folder / name.partition(":")[2], asked, there)
        processes.append(multiprocessing.Process(target=_live, args=args))
        pipes.append(here)
    for process in processes:
        process.start()
    try:
        leads = [pipe.recv() for pipe in pipes if pipe.poll(2 * READY_SECONDS)]
        if leads.count(True) != 1 or len(leads) != NODES:
            return None
        leader = pipes[leads.index(True)]
        leader.send(True)
        speed = leader.recv() if leader.poll(asked.seconds + READY_SECONDS) else 0.0
        for pipe in pipes:
            pipe.send(False)
        return Found(speed, sum(pipe.recv() for pipe in pipes if pipe.poll(READY_SECONDS)))
    finally:
        for process, pipe in zip(processes, pipes, strict=True):
            pipe.close()
            process.join(READY_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()


def _live(name: str, others: list[str], journal: Path, asked: Asked, there: Connection) -> None:
    """The process of one node: says whether it leads, and puts when it is told to."""
    complaints = _Complaints()
    logging.basicConfig(handlers=[complaints], force=True)
    node = _store(name, others, journal, has_batches=asked.has_batches)
    deadline = time.monotonic() + READY_SECONDS
    while node._getLeader() is None or not node.isReady():
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    there.send(bool(node._isLeader()))
    try:
        if there.recv():
            there.send(_put(node, asked))
            there.recv()
        there.send(complaints.count)
    except EOFError:
        pass  # nobody asks any more
    node.destroy()


def _put(node: Any, asked: Asked) -> float:
    """Puts a second: each client asks again as soon as it has an answer."""
    value, is_over, under_way = bytes(asked.value_bytes), Event(), asked.clients
    acknowledged = 0
    began = time.monotonic()

    def answered(_: object, error: int) -> None:
        nonlocal acknowledged, under_way
        acknowledged += error == pysyncobj.FAIL_REASON.SUCCESS
        if time.monotonic() - began < asked.seconds:
            node.put(f"/k{acknowledged % KEYS}", value, callback=answered)
            return
        under_way -= 1
        if not under_way:
            is_over.set()

    for _ in range(asked.clients):
        node.put("/k", value, callback=answered)
    is_over.wait(asked.seconds + READY_SECONDS)
    return acknowledged / (time.monotonic() - began)


def _store(name: str, others: list[str], journal: Path, *, has_batches: bool) -> Any:
    class Store(pysyncobj.SyncObj):  # type: ignore[misc]
        """raftexample's map."""

        def __init__(self) -> None:
            config = pysyncobj.SyncObjConf(
                journalFile=str(journal), appendEntriesUseBatch=has_batches
            )
            super().__init__(name, others, conf=config)
            self.pairs: dict[str, bytes] = {}

        @pysyncobj.replicated  # type: ignore[untyped-decorator]
        def put(self, key: str, value: bytes) -> None:
            self.pairs[key] = value

    return Store()
