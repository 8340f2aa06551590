"""What `walctl replay` costs: a million small puts, with and without compaction, as one command.

Without compaction every version is kept, as etcd keeps it; with it memory must follow the keys that
are left, not the log.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from formats.etcdserverpb import METADATA, Metadata
from tests.benchmarks.machine import ENTRIES, Row, log_of
from walctl.fs.real import RealFileSystem
from walctl.model.record import Entry, EntryKind, HardState
from walctl.wal.writer import Wal

SAVED_TOGETHER = 10_000
SECONDS_GOAL = 10.0

Ran = Callable[..., tuple[float, int]]
"""Best seconds of a command, and the most memory that it took (KiB)."""


def _entries(*, compacts: bool) -> Iterator[Entry]:
    for each in log_of(ENTRIES, compacts=compacts):
        yield Entry(index=each.index, term=1, kind=EntryKind.NORMAL, raw_kind=0, payload=each.data)


def write_puts(folder: Path, *, compacts: bool) -> None:
    """A log of so many puts, all committed."""
    metadata = METADATA.build(Metadata(node_id=1, cluster_id=2))
    with Wal.create(RealFileSystem(), folder, metadata=metadata) as wal:
        entries = _entries(compacts=compacts)
        while some := list(islice(entries, SAVED_TOGETHER)):
            wal.save(HardState(term=1, vote=1, commit=some[-1].index), some)


def bench_replaying(folder: Path, run: Ran, row: Row) -> None:
    """The rows of the table."""
    folder.mkdir()
    for compacts in (False, True):
        wal = folder / ("compacted" if compacts else "kept")
        write_puts(wal, compacts=compacts)
        name = "compacted each 50,000" if compacts else "all history"
        for words in ((), ("-o", "json"), ("--key", "registry/key-00000007", "--history")):
            seconds, kib = run("replay", str(wal), *words)
            told = " ".join(words[:2]) or "as text"
            against = f"{SECONDS_GOAL / seconds:.1f} times as fast as the goal of 10 s"
            row(f"{name}, {told}, {kib // 1024} MiB", seconds, against)
