"""Segments that are needed no more: let go by the writer, and removed by a purge."""

import contextlib
from itertools import count
from pathlib import Path

import pytest

from tests.wal.writing import DISK, created, puts, segments, state
from walctl.errors import UsageError
from walctl.fs.faults import KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.writable import Lock
from walctl.wal.purge import purge, purgeable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "wal"


def test_segments_in_front_of_a_snapshot_are_let_go_and_then_purged(folder: Path) -> None:
    with created(DISK, folder) as wal:
        for first in range(1, 420, 30):
            wal.save(state(), puts(first, first + 29, size=200))
        names = segments(folder)
        indexes = [int(name[17:33], 16) for name in names]
        assert len(names) > 6
        assert purge(DISK, folder, keep=2) == [], "the writer holds them all"

        wal.release_to(indexes[3])
        assert wal.held_segments == names[2:], "the one with the entry before it is kept"
        wal.release_to(indexes[3])
        wal.release_to(0)
        assert wal.held_segments == names[2:]
        assert purge(DISK, folder, keep=2) == names[:2]
        assert segments(folder) == names[2:]

        wal.release_to(1 << 60)
        assert wal.held_segments == names[-1:]
        assert purge(DISK, folder, keep=2) == names[2:-2]
        wal.save(state(), puts(421, 421))


def test_a_purge_stops_at_the_first_segment_that_somebody_holds(tmp_path: Path) -> None:
    names = [f"{seq:016x}-{seq:016x}.wal" for seq in range(6)]
    for name in names:
        (tmp_path / name).touch()
    with DISK.open_file(tmp_path / names[2]) as held:
        held.lock(Lock.RECORD)
        assert purge(DISK, tmp_path, keep=1) == names[:2]
    assert purge(DISK, tmp_path, keep=1) == names[2:5]


def test_what_a_purge_would_remove_is_told_without_touching_anything() -> None:
    names = ["c.wal", "a.wal", "b.wal", "0.tmp", "a.wal.broken", "d.mywal"]
    assert purgeable(names, keep=2) == ["a.wal", "b.wal"]
    assert purgeable(names, keep=2, held={"b.wal"}) == ["a.wal"]
    assert purgeable(names, keep=2, held={"a.wal"}) == []
    assert purgeable(names, keep=4) == purgeable([]) == []
    with pytest.raises(UsageError):
        purgeable(names, keep=0)


def test_a_purge_that_is_killed_leaves_no_hole_whatever_the_disk_forgets() -> None:
    folder = Path("/wal")
    names = [f"{seq:016x}-{seq:016x}.wal" for seq in range(5)]
    for number in count():
        disk = MemoryFileSystem({folder / name: b"frames" for name in names})
        disk.on_call = kill = KillAt(number)
        with contextlib.suppress(Killed):
            purge(disk, folder, keep=2)
        disk.on_call = None
        for outcome in disk.outcomes(count_max=1000):
            left = disk.crash(outcome).names(folder)
            assert left == names[-len(left) :]
            assert len(left) >= 2
        if not kill.is_dead:
            assert disk.names(folder) == names[-2:]
            return
