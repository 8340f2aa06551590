"""`.snap` files: the bytes are those of real ones, and what would not be read is not written."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import unpack as store
from formats import raftpb, snappb
from tests import corpus
from tests.corpus import needs_corpus
from walctl.errors import AccessError, RefusedError
from walctl.fs.faults import KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import WritableFile, WritableFileSystem
from walctl.model.record import ConfState
from walctl.snap.names import NameKind, classify
from walctl.snap.reader import judge, read_snap
from walctl.snap.writer import Snapshot, place_snap, snap_bytes, write_snap

DISK = RealFileSystem()
VOTER = ConfState(voters=(1,))
U64 = st.one_of(st.integers(1, 300), st.integers(1, (1 << 64) - 1))
IDS = st.lists(U64, max_size=3).map(tuple)
Writing = Callable[[WritableFileSystem, Path, Snapshot], Path]
both_ways = pytest.mark.parametrize("write", [write_snap, place_snap])


def parts_of(data: bytes) -> Snapshot:
    """A file taken apart by the definitions."""
    content = raftpb.SNAPSHOT.parse_exact(snappb.SNAPSHOT.parse_exact(data).data or b"")
    found = content.metadata
    assert found is not None
    assert found.conf_state is not None
    conf = ConfState(
        voters=found.conf_state.voters,
        learners=found.conf_state.learners,
        voters_outgoing=found.conf_state.voters_outgoing,
        learners_next=found.conf_state.learners_next,
        auto_leave=bool(found.conf_state.auto_leave),
    )
    return Snapshot(
        index=found.index or 0, term=found.term or 0, conf_state=conf, data=content.data
    )


def expect_made_again(files: list[Path], target: Path) -> None:
    assert files
    for real in files:
        data = real.read_bytes()
        ours = write_snap(DISK, target, parts_of(data))
        assert (ours.name, ours.read_bytes()) == (real.name, data)
        ours.unlink()


def test_the_snapshots_of_a_fixture_are_made_again_to_the_byte(tmp_path: Path) -> None:
    real = store.unpack("etcd-3.5-snapshots", tmp_path / "real")
    expect_made_again(sorted((real / "member/snap").glob("*.snap")), tmp_path)


@needs_corpus
def test_every_snapshot_of_the_clean_corpus_is_made_again_to_the_byte(tmp_path: Path) -> None:
    clean = [name for name in corpus.names() if corpus.manifest(name)["kind"] == "scenario"]
    files = [
        corpus.unpacked(name) / file
        for name in clean
        for file in corpus.manifest(name)["files"]
        if file.endswith(".snap")
    ]
    assert len(files) > 200
    expect_made_again(files, tmp_path)


def test_the_smallest_snapshot_has_the_bytes_of_the_notes() -> None:
    smallest = Snapshot(index=3, term=2, conf_state=VOTER, data=None)
    notes = "08 97 88 92 9d 05 12 0c 12 0a 0a 04 08 01 28 00 10 03 18 02"
    assert snap_bytes(smallest) == bytes.fromhex(notes)
    assert smallest.name == "0000000000000002-0000000000000003.snap"


@given(
    st.builds(
        Snapshot,
        index=U64,
        term=U64,
        conf_state=st.builds(
            ConfState,
            voters=IDS,
            learners=IDS,
            voters_outgoing=IDS,
            learners_next=IDS,
            auto_leave=st.booleans(),
        ),
        data=st.none() | st.binary(max_size=300),
    )
)
def test_whatever_is_written_is_read_back_equal(snapshot: Snapshot) -> None:
    data = snap_bytes(snapshot)
    assert parts_of(data) == snapshot
    seen = judge(Path(snapshot.name), data)
    assert seen.is_usable
    assert (seen.index, seen.term) == (snapshot.index, snapshot.term)
    assert seen.conf_state == snapshot.conf_state


def with_checksum_zero() -> Snapshot:
    """A snapshot whose content has the checksum 0: four bytes of its data are set so.

    The checksum is linear in them: each bit flips a fixed set of bits, which are solved for.
    """

    def checksum(word: int) -> int:
        made = Snapshot(index=3, term=2, conf_state=VOTER, data=word.to_bytes(4, "little"))
        metadata = raftpb.SnapshotMetadata(
            conf_state=raftpb.ConfState(voters=(1,), auto_leave=False), index=3, term=2
        )
        return crc32c.crc32c(
            raftpb.SNAPSHOT.build(raftpb.Snapshot(data=made.data, metadata=metadata))
        )

    base, word, wanted = checksum(0), 0, checksum(0)
    pivots: dict[int, tuple[int, int]] = {}
    for bit in range(32):
        flips, mask = checksum(1 << bit) ^ base, 1 << bit
        while flips and flips.bit_length() in pivots:
            other, its_mask = pivots[flips.bit_length()]
            flips, mask = flips ^ other, mask ^ its_mask
        if flips:
            pivots[flips.bit_length()] = (flips, mask)
    while wanted:
        flips, mask = pivots[wanted.bit_length()]
        wanted, word = wanted ^ flips, word ^ mask
    assert checksum(word) == 0
    return Snapshot(index=3, term=2, conf_state=VOTER, data=word.to_bytes(4, "little"))


@both_ways
def test_a_snapshot_whose_checksum_is_zero_is_refused(tmp_path: Path, write: Writing) -> None:
    unlucky = with_checksum_zero()
    with pytest.raises(RefusedError, match="expected a checksum, found 0"):
        write(DISK, tmp_path, unlucky)
    assert list(tmp_path.iterdir()) == []


@both_ways
def test_a_snapshot_is_written_whole_and_may_be_written_again(
    tmp_path: Path, write: Writing
) -> None:
    long = Snapshot(index=3, term=2, conf_state=VOTER, data=b"{}" * 5000)
    short = Snapshot(index=3, term=2, conf_state=VOTER, data=b"{}")
    for each in (long, short):
        path = write(DISK, tmp_path, each)
        assert path.read_bytes() == snap_bytes(each)
        assert read_snap(DISK, path).is_usable
    assert [path.name for path in tmp_path.iterdir()] == [short.name]


class Failing:
    """The real disk, that fails at one act; a file is half written when it fails there."""

    def __init__(self, act: str) -> None:
        self.act = act
        self.seen: list[str] = []

    def _try(self, act: str, path: Path) -> None:
        self.seen = [each.name for each in path.parent.iterdir()]
        if act == self.act:
            raise AccessError(f"{path}: No space left on device")

    def create_file(self, path: Path, *, mode: int = 0o600) -> Any:
        return _FailingFile(self, DISK.create_file(path, mode=mode))

    def rename(self, source: Path, target: Path) -> None:
        self._try("rename", target)
        DISK.rename(source, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(DISK, name)


class _FailingFile:
    def __init__(self, disk: Failing, file: WritableFile) -> None:
        self._disk, self._file = disk, file

    def write_at(self, offset: int, data: bytes) -> None:
        self._file.write_at(offset, data[: len(data) // 2])
        self._disk._try("write", self._file.path)
        self._file.write_at(offset, data)

    def sync(self) -> None:
        self._disk._try("sync", self._file.path)
        self._file.sync()

    def __enter__(self) -> "_FailingFile":
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@both_ways
@pytest.mark.parametrize("act", ["write", "sync"])
def test_a_snapshot_that_cannot_be_written_leaves_no_name(
    tmp_path: Path, write: Writing, act: str
) -> None:
    snapshot = Snapshot(index=3, term=2, conf_state=VOTER, data=b"{}" * 500)
    with pytest.raises(AccessError, match="No space left"):
        write(cast(WritableFileSystem, Failing(act)), tmp_path, snapshot)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("act", ["write", "sync", "rename"])
def test_placing_a_snapshot_never_hurts_the_one_that_has_the_name(tmp_path: Path, act: str) -> None:
    old = Snapshot(index=3, term=2, conf_state=VOTER, data=b"old")
    path = place_snap(DISK, tmp_path, old)
    new = Snapshot(index=3, term=2, conf_state=VOTER, data=b"new" * 500)
    disk = Failing(act)
    with pytest.raises(AccessError, match="No space left"):
        place_snap(cast(WritableFileSystem, disk), tmp_path, new)
    assert path.read_bytes() == snap_bytes(old)
    assert list(tmp_path.iterdir()) == [path]
    aside = [name for name in disk.seen if name != path.name]
    assert [classify(name) for name in aside] == [NameKind.ORPHAN_TMP], "etcd would delete it"


def test_what_a_crash_left_aside_is_no_hindrance(tmp_path: Path) -> None:
    snapshot = Snapshot(index=3, term=2, conf_state=VOTER, data=b"{}")
    (tmp_path / f"tmp-{snapshot.name}").write_bytes(b"half")
    path = place_snap(DISK, tmp_path, snapshot)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("had", [None, b"old"])
def test_a_crash_leaves_a_placed_snapshot_whole_or_what_was_there(had: bytes | None) -> None:
    folder = Path("/snap")
    new = Snapshot(index=3, term=2, conf_state=VOTER, data=b"new" * 400)
    before = None if had is None else snap_bytes(replace(new, data=had))
    after = snap_bytes(new)
    for number in count():
        disk = MemoryFileSystem(
            {folder / "db": b"", **({folder / new.name: before} if before else {})}
        )
        disk.on_call = kill = KillAt(number)
        with contextlib.suppress(Killed):
            place_snap(disk, folder, new)
        disk.on_call = None
        for outcome in disk.outcomes(count_max=5000):
            left = disk.crash(outcome).everything().get(folder / new.name)
            assert left in ((before, after) if kill.is_dead else (after,))
        if not kill.is_dead:
            return
