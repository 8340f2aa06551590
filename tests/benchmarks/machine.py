"""What applying a log costs: a million small puts, with and without compaction, hashed at the end.

The puts are made one by one while they are applied, so that memory is that of the machine alone;
what making them takes is measured beside and taken off. The peer is a dict that gets key and value
as upb has parsed them: no revision, no history.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.rpcpb import CompactionRequest, PutRequest
from walctl.machine.etcd import Etcd
from walctl.raft.types import Entry

ENTRIES = 1_000_000
KEYS = 100_000
COMPACT_EVERY = 50_000
WEIGHED = 100_000

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""


def log_of(entries: int, *, compacts: bool) -> Iterator[Entry]:
    """Puts over so many keys; where it compacts, it does so down to the revision before it."""
    build = INTERNAL_RAFT_REQUEST.build
    head = RequestHeader(id=(0xC7DD << 48) + 1)
    shape = PutRequest(key=b"registry/key-%08d" % 0, value=b"v%020d" % 0)
    data = build(InternalRaftRequest(put=shape, header=head))
    at_key, at_value = data.index(b"0" * 8), data.index(b"0" * 20)
    before, between, behind = data[:at_key], data[at_key + 8 : at_value], data[at_value + 20 :]
    for index in range(1, entries + 1):
        if compacts and index % COMPACT_EVERY == 0:
            compaction = CompactionRequest(revision=index - index // COMPACT_EVERY)
            yield Entry(1, index, None, build(InternalRaftRequest(compaction=compaction)))
        else:
            put = b"%b%08d%b%020d%b" % (before, index % KEYS, between, index, behind)
            yield Entry(1, index, None, put)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _dictionary(entries: Iterator[Entry]) -> None:
    parse = INTERNAL_RAFT_REQUEST.fast_class.FromString
    found: dict[bytes, bytes] = {}
    for entry in entries:
        put = parse(entry.data).put
        found[put.key] = put.value


def _applied(entries: Iterator[Entry]) -> Etcd:
    machine = Etcd()
    for entry in entries:
        machine.apply(entry)
    return machine


def bench_machine(row: Row) -> None:
    """Tell it all."""
    made = _seconds(lambda: sum(1 for _ in log_of(ENTRIES, compacts=False)))
    peer = _seconds(lambda: _dictionary(log_of(ENTRIES, compacts=False))) - made
    row("1,000,000 puts, a dict of upb's", peer, "peer")
    for compacts in (False, True):
        start = perf_counter()
        machine = _applied(log_of(ENTRIES, compacts=compacts))
        seconds = perf_counter() - start - made
        name = "compacted each 50,000" if compacts else "all history"
        row(f"1,000,000 puts, {name}", seconds, f"{seconds / peer:.1f} × peer")
        hashed = _seconds(machine.store.hash)
        row("  HashKV of it", hashed, f"{len(machine.store.rows()):,} rows")
        restored = Etcd()
        row("  restored", _seconds(partial(restored.restore, machine.snapshot())), "")
    tracemalloc.start()
    kept = _applied(log_of(WEIGHED, compacts=False))
    weight = tracemalloc.get_traced_memory()[0] / kept.store.revision
    tracemalloc.stop()
    row("  memory a put, all kept", 0.0, f"{weight:.0f} bytes")
