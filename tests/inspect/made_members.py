"""Members that tests make: a log of any requests, and a database as of any of its entries."""

from collections.abc import Callable, Iterable
from pathlib import Path

from formats.etcdserverpb import METADATA, Metadata
from tests.machine.asking import Asked
from tests.machine.replays import by_bucket
from walctl.backend.writer import Contents, written
from walctl.fs.real import RealFileSystem
from walctl.machine.base import Result
from walctl.machine.etcd import Etcd
from walctl.machine.state import Options
from walctl.model import record
from walctl.raft.types import Entry
from walctl.replay.values import log_entry
from walctl.wal.writer import Wal

Buckets = dict[bytes, dict[bytes, bytes]]
PAGE_BYTES = 4096
BUCKETS = (
    b"alarm",
    b"auth",
    b"authRoles",
    b"authUsers",
    b"cluster",
    b"key",
    b"lease",
    b"members",
    b"members_removed",
    b"meta",
)


class Written(Asked):
    """What a member is asked for, kept as the entries of its log."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.entries: list[Entry] = []

    def give(self, data: bytes | None, *, type: int = 0) -> Result:
        self.entries.append(Entry(1, len(self.entries) + 1, type, data))
        return self.machine.apply(self.entries[-1])


def fed(entries: Iterable[Entry], until: int, options: Options | None = None) -> Etcd:
    """A new machine with the entries up to `until`."""
    machine = Etcd(options=options)
    for entry in entries:
        if entry.index <= until:
            machine.apply(entry)
    return machine


def lay_log(
    path: Path,
    entries: Iterable[Entry],
    *,
    commit: int | None = None,
    metadata: bytes | None = None,
    together: int = 1000,
) -> Path:
    """A member's directory with nothing but a log; without `commit` all of it is committed."""
    told = [log_entry(each) for each in entries]
    (path / "member" / "snap").mkdir(parents=True, exist_ok=True)
    words = METADATA.build(Metadata(node_id=1, cluster_id=2)) if metadata is None else metadata
    last = len(told) if commit is None else commit
    with Wal.create(RealFileSystem(), path / "member" / "wal", metadata=words) as wal:
        for start in range(0, len(told), together):
            some = told[start : start + together]
            state = record.HardState(term=1, vote=1, commit=min(last, some[-1].index))
            wal.save(state, some)
    return path


def lay_database(path: Path, buckets: Buckets) -> Path:
    """Give a member's directory a database with these rows."""

    def items_of(rows: dict[bytes, bytes]) -> Contents:
        return Contents(items=lambda: iter(sorted(rows.items())))

    every = {name: items_of(buckets.get(name, {})) for name in BUCKETS}
    root = Contents(items=lambda: iter(sorted(every.items())))
    pages = b"".join(written(root, page_bytes=PAGE_BYTES, txid=1))
    (path / "member" / "snap" / "db").write_bytes(pages)
    return path


def member(
    path: Path,
    entries: Iterable[Entry],
    *,
    at: int | None = None,
    options: Options | None = None,
    edit: Callable[[Buckets], object] = lambda buckets: None,
) -> Path:
    """A directory whose database has applied the entries up to `at` (`None`: all), then `edit`."""
    told = list(entries)
    buckets = by_bucket(fed(told, len(told) if at is None else at, options))
    edit(buckets)
    return lay_database(lay_log(path, told), buckets)
