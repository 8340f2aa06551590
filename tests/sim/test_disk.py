"""The simulated disk of a node: what its calls cost and meet, and what its end leaves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from walctl.cluster.driver import Driver
from walctl.cluster.events import EventKind
from walctl.cluster.service import KvService
from walctl.cluster.surroundings import Surroundings
from walctl.errors import AccessError, UsageError
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind
from walctl.fs.faults import Killed
from walctl.sim.chance import Streams
from walctl.sim.disk import SimDisk, place_of

FOLDER = Path("/g1")
FILE = FOLDER / "wal" / "a"
SYNCED, LATER = b"a" * 3000, b"b" * 1500


class World:
    """A clock, and what was told."""

    def __init__(self) -> None:
        self.now_us = 0
        self.events: list[tuple[EventKind, Mapping[str, Any]]] = []

    def disk(self, node: str = "n1", *, seed: int = 1, **wishes: Any) -> SimDisk:
        return SimDisk(
            node,
            streams=Streams(seed),
            now_us=lambda: self.now_us,
            tell=lambda kind, fields: self.events.append((kind, fields)),
            **wishes,
        )


def begun(**wishes: Any) -> SimDisk:
    """A disk with one file, of which the second part is not synced."""
    disk = World().disk(**wishes)
    with_file(disk)
    return disk


def with_file(disk: SimDisk, path: Path = FILE) -> None:
    fs = disk.fs
    for folder in reversed(path.parents[:-1]):
        if not fs.exists(folder):
            fs.make_dir(folder)
            fs.sync_dir(folder.parent)
    with fs.create_file(path) as file:
        file.write_at(0, SYNCED)
        file.sync()
        fs.sync_dir(path.parent)
        file.write_at(len(SYNCED), LATER)


def held(disk: SimDisk, path: Path = FILE) -> bytes:
    with disk.fs.open(path) as file:
        return file.read_at(0, 1 << 20)


def test_a_sync_takes_its_time_and_a_slow_one_more() -> None:
    disk = begun(sync_us=500, sync_jitter_us=100)
    disk.lag_us = 0
    with disk.fs.open_file(FILE) as file:
        file.sync()
        first, disk.lag_us = disk.lag_us, 0
        disk.set(DiskFault(kind=DiskFaultKind.SLOW_SYNC, delay_us=10_000, count=1))
        file.sync()
        slow, disk.lag_us = disk.lag_us, 0
        disk.fs.sync_dir(FOLDER)
        again = disk.lag_us
    assert [400 <= first <= 600, 10_400 <= slow <= 10_600, 400 <= again <= 600] == [True] * 3


@pytest.mark.parametrize("mode", list(CrashMode))
def test_what_was_synced_survives_every_mode_but_for_a_lie(mode: CrashMode) -> None:
    for seed in range(20):
        disk = begun(seed=seed)
        disk.crash(mode)
        assert held(disk).startswith(SYNCED)


@pytest.mark.parametrize(
    ("mode", "is_left"),
    [
        (CrashMode.CLEAN, lambda found: found == SYNCED + LATER),
        (CrashMode.LOSE_ALL, lambda found: found == SYNCED),
        (CrashMode.META_AHEAD, lambda found: found == SYNCED + bytes(len(LATER))),
        (CrashMode.DIR_LOST, lambda found: found == SYNCED + LATER),
        (CrashMode.LYING, lambda found: found == SYNCED),
    ],
)
def test_a_mode_leaves_what_its_name_says(
    mode: CrashMode, is_left: Callable[[bytes], bool]
) -> None:
    disk = begun()
    disk.crash(mode)
    assert is_left(held(disk))


def test_a_clean_end_leaves_what_was_not_synced_to_a_later_power_cut() -> None:
    disk = begun()
    disk.crash(CrashMode.CLEAN)
    assert held(disk) == SYNCED + LATER
    disk.crash(CrashMode.LOSE_ALL)
    assert held(disk) == SYNCED


def test_a_name_that_no_directory_sync_covers_is_lost_and_its_bytes_are_not() -> None:
    disk = begun()
    other = FILE.with_name("b")
    disk.fs.rename(FILE, other)
    disk.crash(CrashMode.DIR_LOST)
    assert disk.fs.names(FILE.parent) == ["a"]
    assert held(disk) == SYNCED + LATER


def test_what_a_crash_draws_comes_from_its_moment_alone() -> None:
    def left(times: list[int]) -> bytes:
        world = World()
        disk = world.disk()
        for world.now_us in times:
            if disk.fs.exists(FILE):
                disk.fs.remove(FILE)
            with_file(disk)
            disk.crash(CrashMode.REORDER)
        return held(disk)

    assert left([5, 9]) == left([9]) == left([1, 2, 9])
    assert len({left([time]) for time in range(12)}) > 2


def test_a_disk_that_lies_keeps_what_the_first_of_its_lies_covered() -> None:
    found = set()
    for moment in range(40):
        world = World()
        world.now_us = moment
        disk = world.disk()
        with_file(disk)
        disk.set(DiskFault(kind=DiskFaultKind.LYING_SYNC))
        with disk.fs.open_file(FILE) as file:
            file.sync()
            file.write_at(len(SYNCED + LATER), b"c")
            file.sync()
        disk.crash(CrashMode.LYING)
        found.add(held(disk))
    assert found == {SYNCED, SYNCED + LATER}


def test_a_sync_that_fails_takes_the_bytes_with_it_and_the_next_says_that_all_is_well() -> None:
    disk = begun()
    disk.set(DiskFault(kind=DiskFaultKind.FAIL_SYNC, count=1))
    with disk.fs.open_file(FILE) as file:
        with pytest.raises(AccessError):
            file.sync()
        file.sync()
    assert held(disk) == SYNCED
    assert not disk.faults()


def test_a_write_that_fails_writes_nothing_and_is_told() -> None:
    world = World()
    disk = world.disk()
    with_file(disk)
    disk.set(DiskFault(kind=DiskFaultKind.WRITE_ERROR, group="g1", count=1))
    with disk.fs.open_file(FILE) as file:
        with pytest.raises(AccessError):
            file.write_at(0, b"z")
        file.write_at(len(SYNCED + LATER), b"c")
    assert held(disk) == SYNCED + LATER + b"c"
    assert [kind for kind, _ in world.events] == [EventKind.FSERR]


def test_a_full_disk_cuts_a_write_at_the_border_of_a_sector() -> None:
    disk = begun()
    disk.set(DiskFault(kind=DiskFaultKind.FULL, bytes_left=1000))
    end = len(SYNCED + LATER)
    with disk.fs.open_file(FILE) as file, pytest.raises(AccessError):
        file.write_at(end, b"c" * 2000)
    written = len(held(disk)) - end
    assert 0 < written <= 1000
    assert (end + written) % 512 == 0


def test_a_misdirected_write_lands_elsewhere_once() -> None:
    other, found = FOLDER / "snap" / "s", set()
    for moment in range(30):
        world = World()
        world.now_us = moment
        disk = world.disk()
        with_file(disk)
        with_file(disk, other)
        disk.set(DiskFault(kind=DiskFaultKind.MISDIRECTED))
        with disk.fs.open_file(FILE) as file:
            file.write_at(0, b"zzz")
            found.add((held(disk).find(b"zzz"), held(disk, other).find(b"zzz")))
            file.write_at(0, b"yyy")
        assert held(disk).startswith(b"yyy")
    assert found == {(4096, -1), (-1, 0), (-1, 4096)}


def test_a_node_that_is_armed_dies_before_that_call_and_does_nothing_more() -> None:
    disk = begun()
    disk.arm(CrashMode.LOSE_ALL, call=2)
    with disk.fs.open_file(FILE) as file:
        file.write_at(0, b"z")
        held(disk)
        with pytest.raises(Killed):
            file.sync()
        with pytest.raises(Killed):
            file.write_at(0, b"z")
    disk.crash()
    assert held(disk) == SYNCED
    with disk.fs.open_file(FILE) as file:
        file.write_at(0, b"z")


def test_what_survives_can_be_said_by_its_places() -> None:
    disk = begun()
    count = len(disk.pending())
    assert count == 5  # a size and four sectors
    disk.crash(CrashMode.LOSE_ALL, keep=[0, 2])
    cut = 3072 - len(SYNCED)
    assert held(disk) == SYNCED + bytes(cut) + LATER[cut : cut + 512] + bytes(4500 - 3584)


def test_the_toll_counts_operations_by_kinds_of_files() -> None:
    disk = begun()
    disk.fs.rename(FILE, FILE.with_name("b"))
    toll = disk.crash(CrashMode.LOSE_ALL)
    assert (toll.lost, toll.kept) == ({"wal": 1, "names": 1}, {})


def test_directories_are_kept_taken_away_and_put_back() -> None:
    disk = begun()
    disk.keep("before")
    disk.fs.remove(FILE)
    with_file(disk, Path("/g2/wal/a"))
    disk.rewind("before", "g1")
    assert disk.groups() == ["g1", "g2"]
    assert held(disk) == SYNCED + LATER
    disk.rewind("before")
    assert disk.groups() == ["g1"]
    with_file(disk, Path("/g1/snap/b"))
    disk.fs.remove(FILE)
    disk.rewind("before", part="wal")
    assert held(disk) == SYNCED + LATER
    assert disk.fs.names(Path("/g1/snap")) == ["b"]
    twin = disk.copy("n2")
    disk.wipe()
    assert disk.groups() == []
    assert held(twin) == SYNCED + LATER
    with pytest.raises(UsageError):
        disk.rewind("never")


def driver_on(disk: SimDisk, *, is_new: bool) -> Driver:
    world = Surroundings(
        disk=disk.fs,
        draw=lambda n: 7 % n,
        now_us=lambda: 0,
        send=lambda messages: None,
        tell=lambda kind, fields: None,
    )
    place = place_of("g1")
    if is_new:
        return Driver.join(1, place=place, service=KvService(), world=world)
    return Driver.take_up(1, place=place, service=KvService(), world=world)


@pytest.mark.parametrize("mode", list(CrashMode))
def test_a_member_that_is_killed_anywhere_comes_back_with_what_it_was_told_is_done(
    mode: CrashMode,
) -> None:
    for call in range(1, 30, 4):
        disk = World().disk(seed=call)
        driver = driver_on(disk, is_new=True)
        driver.bootstrap([1])
        driver.work()
        driver.campaign()
        driver.work()
        disk.arm(mode, call=call)
        done = 0
        try:
            while True:
                data = driver.service.put(b"k", b"%d" % done)
                driver.propose(data, lambda told: None)
                driver.work()
                done += 1
        except Killed:
            disk.crash()
        again = driver_on(disk, is_new=False)
        assert again.storage.last_index() >= done + 2  # the membership, the leader's own
        again.end("over")
