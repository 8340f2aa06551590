"""Logs on a real disk whose power is cut: what a Save had promised is there when it is taken up.

The shipped writer and storage write over the disk that fails on command, and the power goes in the
place of one of their syncs. Then the directory is judged by the engine of `walctl verify`, taken up
as a node takes it up, and held against what the storage had been asked and had answered.
"""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.replay.stored import everything, typed
from walctl.cluster.recovery import Recovered, reopen
from walctl.errors import AccessError, CorruptionError
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind
from walctl.fs.failing import FailingFileSystem
from walctl.fs.faults import Killed
from walctl.fs.real import RealFileSystem
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Severity, Verdict
from walctl.raft.types import Entry, HardState
from walctl.replay.walstorage import WalStorage

DISK = RealFileSystem()
SEGMENT = 16 << 10
ORDERLY = (CrashMode.CLEAN, CrashMode.LOSE_ALL, CrashMode.PREFIX, CrashMode.TORN)


@dataclass(slots=True)
class Member:
    """A member's folders on the real disk, and what it was asked and had answered."""

    root: Path
    asked: list[Entry] = field(default_factory=list)
    promised: int = 0
    term: int = 0

    @property
    def folder(self) -> Path:
        return self.root / "g1" / "member"

    def made(self) -> "Member":
        for path in (self.root, self.root / "g1", self.folder):
            path.mkdir()
        return self

    def disk(self, **more: object) -> FailingFileSystem:
        return FailingFileSystem(DISK, self.root, **more)  # type: ignore[arg-type]

    def created(self, disk: FailingFileSystem) -> WalStorage:
        wal, snap = self.folder / "wal", self.folder / "snap"
        return WalStorage.create(disk, wal, snap, metadata=None, segment_bytes=SEGMENT)

    def reopened(self, disk: FailingFileSystem | RealFileSystem = DISK) -> Recovered:
        return reopen(disk, self.folder / "wal", self.folder / "snap", segment_bytes=SEGMENT)

    def save(self, storage: WalStorage, random: Random) -> None:
        """A few entries, and a state that commits some of them."""
        self.term = max(1, self.term)
        first = len(self.asked) + 1
        sizes = [random.randrange(1, 2500) for _ in range(random.randrange(1, 5))]
        entries = [
            Entry(self.term, first + at, 0, random.randbytes(size)) for at, size in enumerate(sizes)
        ]
        self.asked += entries
        storage.save(HardState(term=self.term, vote=1, commit=self.promised), entries)
        self.promised = len(self.asked)

    def run(self, storage: WalStorage, random: Random, *, saves: int) -> bool:
        """Save until it is killed; whether it was."""
        try:
            for _ in range(saves):
                self.save(storage, random)
        except Killed:
            return True
        return False

    def expect_kept(self, found: list[Entry]) -> None:
        """Everything that was promised is there, and of the rest the first of it at most."""
        assert self.promised <= len(found)
        assert found == self.asked[: len(found)]


def killed(member: Member, random: Random, mode: CrashMode) -> FailingFileSystem:
    """A log that was written until the power went."""
    disk = member.disk()
    storage = member.created(disk)
    disk.arm_power_cut(mode, at_sync=random.randrange(2, 14), draw=random.randrange)
    assert member.run(storage, random, saves=40)
    storage.close()
    return disk


def power_cut(tmp_path: Path, seed: int, mode: CrashMode) -> bool:
    """One run and what follows it; whether a torn end had to be cut off."""
    random = Random(seed)
    member = Member(tmp_path / f"{mode}-{seed}").made()
    killed(member, random, mode)
    # A log without a database has no witness for what a torn end cost: verify calls that damage.
    findings = verify(DISK, member.root / "g1").findings
    damage = [each.code for each in findings if each.severity is Severity.DAMAGE]
    assert damage in ([], [Code.TORN_TAIL])
    recovered = member.reopened()
    with recovered.storage as storage:
        found = [typed(each) for each in everything(storage)]
        member.expect_kept(found)
        member.asked, member.term = found, member.term + 1
        member.save(storage, random)
    assert verify(DISK, member.root / "g1").verdict in (Verdict.CLEAN, Verdict.HARMLESS)
    with member.reopened().storage as storage:
        assert [typed(each) for each in everything(storage)] == member.asked
    assert (recovered.cut is not None) == bool(damage)
    return recovered.cut is not None


@pytest.mark.parametrize("mode", ORDERLY)
def test_what_was_saved_outlives_a_power_cut(mode: CrashMode, tmp_path: Path) -> None:
    cuts = [power_cut(tmp_path, seed, mode) for seed in range(3)]
    assert mode is CrashMode.TORN or not any(cuts)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ORDERLY)
def test_what_was_saved_outlives_many_power_cuts(mode: CrashMode, tmp_path: Path) -> None:
    cuts = [power_cut(tmp_path, seed, mode) for seed in range(100, 150)]
    assert any(cuts) is (mode is CrashMode.TORN)


@pytest.mark.slow
def test_a_power_cut_that_keeps_any_sectors_is_recovered_or_refused_and_loses_nothing(
    tmp_path: Path,
) -> None:
    refused = 0
    for seed in range(60):
        random = Random(seed)
        member = Member(tmp_path / str(seed)).made()
        killed(member, random, CrashMode.REORDER)
        try:
            with member.reopened().storage as storage:
                member.expect_kept([typed(each) for each in everything(storage)])
        except CorruptionError:
            refused += 1
    assert refused < 6


PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from random import Random
from tests.cluster.test_power_cuts import DISK, Member
from walctl.fs.disk_faults import CrashMode
from walctl.fs.failing import FailingFileSystem

root, seed = Path(sys.argv[1]), int(sys.argv[2])
random = Random(seed)
member = Member(root).made()
disk = FailingFileSystem(
    DISK,
    root,
    on_event=lambda event: print(json.dumps(event), flush=True),
    on_dead=lambda: os.kill(os.getpid(), signal.SIGKILL),
)
storage = member.created(disk)
disk.arm_power_cut(CrashMode.TORN, at_sync=random.randrange(2, 14), draw=random.randrange)
while True:
    member.save(storage, random)
    print(member.promised, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_process_that_dies_with_the_power_leaves_what_it_had_told(
    seed: int, tmp_path: Path
) -> None:
    member = Member(tmp_path / "n1")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, member.root, str(seed)],
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    *told, event = map(json.loads, ended.stdout.splitlines())
    assert (event["k"], event["mode"]) == ("crash", "torn")
    with member.reopened() as recovered:
        last = recovered.storage.last_index()
    assert last >= (told[-1] if told else 0)


def test_a_disk_that_lies_loses_what_was_promised(tmp_path: Path) -> None:
    random = Random(1)
    member = Member(tmp_path / "n1").made()
    disk = member.disk()
    storage = member.created(disk)
    member.save(storage, random)
    told = member.promised
    disk.set(DiskFault(kind=DiskFaultKind.LYING_SYNC))
    member.run(storage, random, saves=3)
    toll = disk.power_cut(CrashMode.LOSE_ALL, random.randrange)
    assert set(toll.lost) <= {"wal", "names"}
    assert toll.lost["wal"] >= 3
    with pytest.raises(Killed):
        storage.close()
    assert member.promised > told
    assert verify(DISK, member.root / "g1").verdict in (Verdict.CLEAN, Verdict.HARMLESS)
    with member.reopened().storage as storage:
        assert [typed(each) for each in everything(storage)] == member.asked[:told]


@pytest.mark.parametrize(
    "fault",
    [
        DiskFault(kind=DiskFaultKind.FAIL_SYNC, count=1),
        DiskFault(kind=DiskFaultKind.WRITE_ERROR, count=1),
        DiskFault(kind=DiskFaultKind.FULL, bytes_left=700, count=1),
    ],
    ids=lambda fault: fault.kind,
)
def test_after_one_error_nothing_is_written_until_the_log_is_opened_again(
    fault: DiskFault, tmp_path: Path
) -> None:
    random = Random(2)
    member = Member(tmp_path / "n1").made()
    disk = member.disk()
    storage = member.created(disk)
    member.run(storage, random, saves=3)
    disk.set(fault)
    with pytest.raises(AccessError, match=r"Input/output error|No space left on device"):
        member.run(storage, random, saves=100)
    disk.clear()
    with pytest.raises(AccessError, match="not written to any more"):
        storage.save(HardState(term=9, vote=1, commit=0))
    storage.close()
    disk.close()
    with member.reopened().storage as storage:
        found = [typed(each) for each in everything(storage)]
        member.expect_kept(found)
        member.asked, member.term = found, 2
        member.save(storage, random)
    assert verify(DISK, member.root / "g1").verdict in (Verdict.CLEAN, Verdict.HARMLESS)


def test_a_full_disk_is_restarted_on(tmp_path: Path) -> None:
    random = Random(3)
    member = Member(tmp_path / "n1").made()
    disk = member.disk()
    storage = member.created(disk)
    member.run(storage, random, saves=3)
    storage.close()
    disk.set(DiskFault(kind=DiskFaultKind.FULL))
    with member.reopened(disk).storage as storage:
        assert [typed(each) for each in everything(storage)] == member.asked
        with pytest.raises(AccessError, match="No space left on device"):
            member.save(storage, random)
