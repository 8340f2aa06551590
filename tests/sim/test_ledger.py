"""The witness of durability: it says what the shipped reader says, and what a power cut leaves."""

from collections.abc import Sequence
from pathlib import Path

import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.raftpb import EntryType
from formats.walpb import RecordType
from tests.corpus import names, needs_corpus, unpacked
from tests.sim.test_disk import World
from walctl.cluster.recovery import reopen
from walctl.datadir.layout import Layout, Shape
from walctl.datadir.survey import Survey, survey
from walctl.errors import WalctlError
from walctl.fs.crash import LOST
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind
from walctl.fs.real import RealFileSystem
from walctl.model.log import put_together
from walctl.raft.types import ConfState, Entry, HardState, Snapshot
from walctl.replay.walstorage import WalStorage
from walctl.sim.disk import SimDisk
from walctl.sim.disk_files import SimFileSystem
from walctl.sim.ledger import Ledger, Ledgers
from walctl.sim.log_bytes import ENTRY, MARK, STATE, View, digest_of, read_frames
from walctl.wal.encoder import frame_of

FOLDER, SNAP = Path("/g1/wal"), Path("/g1/snap")


class Heard:
    """A listener that keeps a view of its own from what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.waiting = 0

    def wrote_entry(self, index: int, term: int, digest: int) -> None:
        self.waiting += 1
        self.said.append(("entry", index, term, digest))

    def wrote_state(self, term: int, vote: int, commit: int) -> None:
        self.waiting += 1
        self.said.append(("state", term, vote, commit))

    def wrote_snapshot(self, index: int, term: int) -> None:
        self.waiting += 1
        self.said.append(("mark", index, term))

    def synced(self, count: int) -> None:
        self.waiting -= count

    def reread(self, waiting: int) -> None:
        self.waiting = waiting


class Watched:
    """One log on a simulated disk, with its ledger and a listener."""

    def __init__(self, segment_bytes: int = 600) -> None:
        self.segment_bytes = segment_bytes
        self.world = World()
        self.disk: SimDisk = self.world.disk()
        self.heard = Heard()
        self.ledgers = Ledgers(lambda group: self.heard)
        self.disk.watch = self.ledgers
        self.disk.fs.make_dir(Path("/g1"))
        self.disk.fs.sync_dir(Path("/"))
        self.storage = WalStorage.create(
            self.disk.fs, FOLDER, SNAP, metadata=b"m", segment_bytes=segment_bytes
        )

    @property
    def ledger(self) -> Ledger:
        return self.ledgers["g1"]

    def reopened(self) -> None:
        self.storage = reopen(self.disk.fs, FOLDER, SNAP, segment_bytes=self.segment_bytes).storage

    def put(self, first: int, count: int, term: int, commit: int) -> None:
        entries = [
            Entry(index=index, term=term, data=b"%d" % index * (index % 40))
            for index in range(first, first + count)
        ]
        self.storage.save(HardState(term=term, vote=1, commit=commit), entries)


def read_anew(disk: SimFileSystem) -> Ledger:
    ledger = Ledger(FOLDER)
    ledger.begin(disk)
    return ledger


def demand_the_same(found: View, storage: WalStorage) -> None:
    """The shipped reader's log is the tail of the ledger's, up to the same end."""
    first, last = storage.first_index(), storage.last_index()
    expected = {
        each.index: (each.term, digest_of(int(each.type or 0), each.data))
        for each in storage.read(first, last + 1)
    }
    assert {index: found.entries.get(index) for index in expected} == expected
    assert last == max(found.last, found.mark[0])
    state, _ = storage.initial_state()
    assert (state.term, state.vote, state.commit) == found.state


def test_an_entry_is_durable_when_its_segment_was_synced_and_not_before() -> None:
    log = Watched(segment_bytes=64_000)
    log.put(1, 3, term=1, commit=0)
    assert log.ledger.durable.entries == log.ledger.now.entries
    log.storage.save(HardState(term=1, vote=1, commit=3))
    log.storage._wal._encoder.flush()
    assert log.ledger.now.state == (1, 1, 3)
    assert log.ledger.durable.state == (1, 1, 0)
    assert log.heard.said[-1] == ("state", 1, 1, 3)
    assert log.heard.waiting == 1
    log.storage._wal.sync()
    assert log.heard.waiting == 0
    assert log.ledger.durable.state == (1, 1, 3)


def test_nothing_is_durable_in_a_segment_whose_name_is_not() -> None:
    disk = World().disk()
    ledgers = Ledgers()
    disk.watch = ledgers
    source = Watched()
    source.put(1, 2, term=1, commit=0)
    (name,) = (each for each in source.disk.fs.names(FOLDER) if each.endswith(".wal"))
    segment = FOLDER / name
    with source.disk.fs.open(segment) as file:
        data = file.read_at(0, 1 << 20)
    for folder in (Path("/g1"), FOLDER):
        disk.fs.make_dir(folder)
    with disk.fs.create_file(segment) as file:
        file.write_at(0, data)
        file.sync()
    ledger = ledgers["g1"]
    assert (ledger.now.last, ledger.durable.last) == (2, 0)
    disk.fs.sync_dir(FOLDER)
    disk.fs.sync_dir(Path("/g1"))
    assert ledger.durable.last == 0
    disk.fs.sync_dir(Path("/"))
    assert ledger.durable.last == 2


def test_a_disk_that_lies_does_not_deceive_it() -> None:
    log = Watched(segment_bytes=64_000)
    log.put(1, 2, term=1, commit=0)
    log.disk.set(DiskFault(kind=DiskFaultKind.LYING_SYNC))
    log.put(3, 2, term=1, commit=0)
    assert (log.ledger.now.last, log.ledger.durable.last) == (4, 2)
    log.disk.crash(CrashMode.LOSE_ALL)
    assert log.ledger.survived().last == 2


def test_a_failed_sync_takes_back_what_it_knew() -> None:
    log = Watched(segment_bytes=64_000)
    log.put(1, 2, term=1, commit=0)
    log.disk.set(DiskFault(kind=DiskFaultKind.FAIL_SYNC, count=1))
    with pytest.raises(WalctlError):
        log.put(3, 2, term=1, commit=0)
    assert log.ledger.now.last == log.ledger.durable.last == 2


def test_a_misdirected_write_makes_a_log_end_where_it_is_missing() -> None:
    for moment in range(20):
        log = Watched(segment_bytes=64_000)
        log.world.now_us = moment
        log.put(1, 2, term=1, commit=0)
        log.disk.set(DiskFault(kind=DiskFaultKind.MISDIRECTED))
        log.put(3, 1, term=1, commit=0)
        log.put(4, 1, term=1, commit=0)
        assert log.ledger.now.last <= 2
        assert log.ledger.now == read_anew(log.disk.fs).now


def test_a_purged_segment_takes_its_entries_along() -> None:
    log = Watched()
    log.put(1, 40, term=1, commit=40)
    log.put(41, 1, term=1, commit=41)
    log.put(42, 1, term=1, commit=42)
    there = [name for name in log.disk.fs.names(FOLDER) if name.endswith(".wal")]
    log.disk.fs.remove(FOLDER / there[0])
    log.disk.fs.sync_dir(FOLDER)
    assert list(log.ledger.now.entries) == list(log.ledger.durable.entries) == [42]
    assert log.ledger.now.last == log.ledger.durable.last == 42


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("append", "append", "overwrite", "commit", "mark", "flush", "crash")),
        st.integers(1, 12),
        st.integers(0, 1 << 16),
    ),
    max_size=14,
)


@settings(max_examples=60)
@given(steps=STEPS, mode=st.sampled_from(list(CrashMode)))
def test_it_says_what_the_shipped_reader_says_and_what_a_power_cut_leaves(
    steps: Sequence[tuple[str, int, int]], mode: CrashMode
) -> None:
    log = Watched()
    term = commit = 1
    log.put(1, 2, term=1, commit=1)
    for number, (what, count, draw) in enumerate(steps):
        log.world.now_us = number + draw
        last = log.storage.last_index()
        match what:
            case "append":
                log.put(last + 1, count, term, commit)
            case "overwrite":
                term += 1
                log.put(max(commit + 1, last - count), count, term, commit)
            case "commit":
                commit = last
                log.storage.save(HardState(term=term, vote=1, commit=commit))
            case "mark" if commit > log.storage.snapshot().index:
                log.storage.create_snapshot(commit, ConfState(voters=(1,)), b"state")
            case "flush":
                log.storage._wal._encoder.flush()
            case "crash":
                log.disk.crash(mode)
                demand_the_same_after(log)
                commit = max(1, log.storage.initial_state()[0].commit)
        lost = log.disk.fs.after(LOST)
        assert log.ledger.now == read_anew(log.disk.fs).now
        assert log.ledger.durable == read_anew(lost).now
    log.storage.close()
    log.disk.crash(CrashMode.LOSE_ALL)
    demand_the_same_after(log)


def demand_the_same_after(log: Watched) -> None:
    survived = log.ledger.survived()
    log.reopened()
    demand_the_same(survived, log.storage)


def test_a_snapshot_of_a_leader_is_a_marker_that_covers_what_is_not_there() -> None:
    log = Watched()
    log.put(1, 2, term=1, commit=1)
    sent = Snapshot(index=9, term=2, conf_state=ConfState(voters=(1,)), data=b"all")
    log.storage.save(HardState(term=2, vote=0, commit=9), (), sent)
    log.put(10, 1, term=2, commit=9)
    assert log.ledger.durable.mark == (9, 2)
    assert log.ledger.durable.holds(7, 1)
    assert log.ledger.durable.holds(10, 2)
    assert not log.ledger.durable.holds(11, 2)


# The corpus.


def loaded(folder: Path) -> SimFileSystem:
    """The segments of a real member, on a simulated disk."""
    disk = World().disk().fs
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        disk.write(FOLDER / path.name, data.rstrip(b"\0"))
        disk.truncate(FOLDER / path.name, len(data))
    return disk


def logs(name: str) -> list[Path]:
    top = unpacked(name)
    found = [path.parent for path in sorted(top.rglob("*.wal")) if "truth" not in path.parts]
    return list(dict.fromkeys(found))


def seen_in(disk: SimFileSystem | RealFileSystem, folder: Path) -> Survey:
    return survey(disk, Layout(path=folder, shape=Shape.SEGMENTS, wal_dir=folder))


def unbroken(seen: Survey) -> list[str]:
    """The segments in front of the first that is missing."""
    found = [each.name for each in seen.segments]
    first = found[0].seq if found else 0
    return [each.text for at, each in enumerate(found) if each.seq == first + at]


@needs_corpus
@pytest.mark.parametrize("name", names() or ["none"])
@pytest.mark.slow
def test_it_reads_what_real_members_wrote_as_the_shipped_reader_does(name: str) -> None:
    for folder in logs(name):
        disk = loaded(folder)
        found, seen = read_anew(disk), seen_in(RealFileSystem(), folder)
        if seen.misplaced:
            continue
        whole = [run for run in seen.runs if run.segment in unbroken(seen)]
        runs = whole
        if seen.named:
            damage = seen.named[0].damage
            runs = [
                run for run in runs if (run.segment, run.start) < (damage.segment, damage.start)
            ]
        log = put_together(runs)
        assert {index: term for index, (term, _) in found.now.entries.items()} == {
            index: run.term for run in log.live for index in range(run.first, run.last + 1)
        }
        if seen.named or len(unbroken(seen)) < len(seen.segments):
            continue
        assert not found.is_bad
        state = seen.last_state
        if state is not None:
            expected = (state.state.term, state.state.vote, state.state.commit)
            assert found.now.state == expected
        if seen.marks:
            mark = seen.marks[-1].mark
            assert found.now.mark == (mark.index, mark.term)


def test_an_entry_is_known_by_its_kind_and_its_bytes() -> None:
    normal, change = int(EntryType.NORMAL), int(EntryType.CONF_CHANGE)
    assert len({digest_of(normal, b"a"), digest_of(change, b"a"), digest_of(normal, b"b")}) == 3
    assert digest_of(normal, None) == digest_of(normal, b"")


@given(
    numbers=st.tuples(*[st.one_of(st.integers(0, 3), st.integers(0, (1 << 64) - 1))] * 3),
    payload=st.one_of(st.none(), st.binary(max_size=300)),
    kind=st.sampled_from((ENTRY, STATE, MARK)),
    crc=st.one_of(st.integers(0, 1 << 10), st.integers(0, (1 << 32) - 1)),
)
def test_every_record_that_the_writers_codec_makes_is_read_back(
    numbers: tuple[int, int, int], payload: bytes | None, kind: int, crc: int
) -> None:
    first, second, third = numbers
    if kind == ENTRY:
        body = raftpb.ENTRY.build(raftpb.Entry(type=1, term=second, index=first, data=payload))
        expected = first, second, digest_of(1, payload)
    elif kind == STATE:
        body = raftpb.HARD_STATE.build(raftpb.HardState(term=first, vote=second, commit=third))
        expected = numbers
    else:
        body = walpb.SNAPSHOT.build(walpb.Snapshot(index=first, term=second))
        expected = first, second, 0
    frame = frame_of(RecordType(kind), crc32c.crc32c(body, crc), body)
    read = read_frames(frame + bytes(8), crc)
    assert read.items == [(kind, *expected, len(frame))]
    assert not read.is_bad


@given(data=st.binary(max_size=60), at=st.integers(0, 30))
def test_no_bytes_make_the_parser_fail(data: bytes, at: int) -> None:
    body = raftpb.ENTRY.build(raftpb.Entry(type=0, term=1, index=2, data=b"abc"))
    frame = frame_of(RecordType.ENTRY, crc32c.crc32c(body, 0), body)
    for each in (data, frame[:at] + data, len(data).to_bytes(8, "little") + data):
        read = read_frames(each, 0)
        assert 0 <= read.end <= len(each)
