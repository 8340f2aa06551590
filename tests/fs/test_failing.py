"""A disk that fails on command: what it refuses, and what a power cut leaves behind it.

What a power cut may leave is decided by the disk in memory: the same script is carried out on one
directly and on another through the wrapper. Whatever `MemoryFileSystem.crash` then says of a crash,
the other disk has to hold once the wrapper's power is cut by the same crash.
"""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walctl.errors import AccessError, UsageError
from walctl.fs.crash import KEPT, LOST, Crash, First, Sampled
from walctl.fs.disk_faults import CrashMode, DiskFault, DiskFaultKind, Draw
from walctl.fs.failing import FailingFileSystem
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.unsynced_names import HELD_MAX
from walctl.fs.writable import WritableFileSystem

ROOT = Path("/lab/n1")
GROUP = ROOT / "g1"
FILE = GROUP / "file"
NEW = GROUP / "new"
SUB = GROUP / "sub"
OLD = b"old " * 300
OUTCOMES_MAX = 20_000

Script = Callable[[WritableFileSystem], None]


def base() -> MemoryFileSystem:
    return MemoryFileSystem({FILE: OLD, SUB / "deep": b"deep" * 200, ROOT / "g2" / "file": b"two"})


def failing(disk: WritableFileSystem, **more: Any) -> FailingFileSystem:
    return FailingFileSystem(disk, ROOT, **more)


def put(disk: WritableFileSystem, path: Path, offset: int, data: bytes) -> None:
    with disk.open_file(path) as file:
        file.write_at(offset, data)


def sync(disk: WritableFileSystem, path: Path) -> None:
    with disk.open_file(path) as file:
        file.sync()


def resize(disk: WritableFileSystem, path: Path, size: int) -> None:
    with disk.open_file(path) as file:
        file.truncate(size)


def made(disk: WritableFileSystem, path: Path, data: bytes) -> None:
    with disk.create_file(path) as file:
        file.write_at(0, data)


def writes(disk: WritableFileSystem) -> None:
    put(disk, FILE, 300, b"a" * 600)
    put(disk, FILE, 1100, b"b" * 700)


def grows(disk: WritableFileSystem) -> None:
    put(disk, FILE, 9000, b"far" * 10)
    with disk.open_file(FILE) as file:
        file.allocate(20_000)
        file.write_at(12_288, b"x" * 100)


def shrinks(disk: WritableFileSystem) -> None:
    resize(disk, FILE, 700)
    put(disk, FILE, 900, b"behind")
    resize(disk, FILE, 5000)
    put(disk, FILE, 4090, b"over a page")


def syncs_between(disk: WritableFileSystem) -> None:
    put(disk, FILE, 0, b"kept" * 20)
    sync(disk, FILE)
    put(disk, FILE, 10, b"lost" * 200)


def makes(disk: WritableFileSystem) -> None:
    made(disk, NEW, b"new" * 300)
    disk.create(GROUP / "one", b"one step")
    disk.sync_dir(GROUP)
    put(disk, NEW, 5, b"more")
    disk.create(GROUP / "two", b"")


def renames(disk: WritableFileSystem) -> None:
    made(disk, NEW, b"new" * 100)
    sync(disk, NEW)
    disk.rename(NEW, FILE)
    put(disk, FILE, 0, b"under its name")


def renames_a_folder(disk: WritableFileSystem) -> None:
    aside = GROUP / "wal.tmp"
    disk.make_dir(aside)
    with disk.create_file(aside / "0") as file:
        file.allocate(4096)
        file.write_at(0, b"head" * 100)
    disk.rename(aside, GROUP / "wal")
    disk.create(GROUP / "wal" / "1", b"second")
    sync(disk, GROUP / "wal" / "0")


def removes(disk: WritableFileSystem) -> None:
    put(disk, FILE, 0, b"changed")
    disk.remove(FILE)
    disk.remove(SUB / "deep")
    disk.remove_dir(SUB)
    disk.make_dir(SUB)
    made(disk, FILE, b"another")


def exchanges(disk: WritableFileSystem) -> None:
    made(disk, NEW, b"new")
    disk.exchange(NEW, FILE)
    disk.exchange(SUB, FILE)
    disk.create(FILE / "inside", b"x")


def links(disk: WritableFileSystem) -> None:
    disk.hard_link(FILE, NEW)
    disk.remove(FILE)
    disk.rename(NEW, SUB / "far")
    disk.sync_dir(SUB)
    disk.create(NEW, b"x")


def drawn(number: int) -> Draw:
    return lambda count: number % count


SCRIPTS = [
    writes,
    grows,
    shrinks,
    syncs_between,
    makes,
    renames,
    renames_a_folder,
    removes,
    exchanges,
    links,
]


def left_by(script: Script, crash: Crash) -> dict[Path, Any]:
    """What the disk below holds after the power was cut behind a script."""
    below = base()
    disk = failing(below)
    script(disk)
    disk.crash(crash)
    with pytest.raises(Killed):
        disk.names(ROOT)
    return dict(below.everything())


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_crash_leaves_what_the_disk_in_memory_would_have_kept(script: Script) -> None:
    direct = base()
    script(direct)
    crashes: list[Crash] = [Sampled(seed) for seed in range(20)]
    for torn in (True, False):
        crashes += direct.outcomes(count_max=OUTCOMES_MAX, torn=torn)
    assert len(crashes) > 24
    for crash in crashes:
        assert left_by(script, crash) == direct.crash(crash).everything(), crash


@pytest.mark.parametrize("mode", list(CrashMode))
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_mode_leaves_what_some_crash_leaves(script: Script, mode: CrashMode) -> None:
    direct = base()
    script(direct)
    allowed = [
        direct.crash(each).everything()
        for torn in (True, False)
        for each in direct.outcomes(count_max=OUTCOMES_MAX, torn=torn)
    ]
    found = []
    for number in range(12):
        below = base()
        disk = failing(below)
        script(disk)
        disk.power_cut(mode, drawn(number * 7))
        found.append(below.everything())
    assert all(each in allowed for each in found)
    expected: dict[CrashMode, Crash] = {
        CrashMode.CLEAN: KEPT,
        CrashMode.LOSE_ALL: LOST,
        CrashMode.LYING: LOST,  # a real disk keeps no account of what it has lied about
    }
    names = direct.unsynced()[1]
    if mode in expected:
        assert found[0] == direct.crash(expected[mode]).everything()
    elif mode is CrashMode.DIR_LOST and not names:
        assert all(each == direct.everything() for each in found)
    else:
        assert any(each != direct.everything() for each in found)


NAMES = ("a", "b", "c")
_NAME = st.sampled_from(NAMES)
_OFFSET = st.integers(0, 6000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _NAME, _OFFSET, st.integers(1, 3000)),
        st.tuples(st.just("truncate"), _NAME, _OFFSET),
        st.tuples(st.just("allocate"), _NAME, _OFFSET),
        st.tuples(st.just("sync"), _NAME),
        st.tuples(st.just("sync_dir")),
        st.tuples(st.just("create"), _NAME, st.integers(0, 700)),
        st.tuples(st.just("rename"), _NAME, _NAME),
        st.tuples(st.just("remove"), _NAME),
    ),
    max_size=9,
)


def carry_out(disk: WritableFileSystem, folder: Path, steps: Sequence[tuple[Any, ...]]) -> None:
    """Do the steps, those that the disk refuses too."""
    for number, (what, *args) in enumerate(steps):
        path = folder / args[0] if args else folder
        with contextlib.suppress(AccessError):
            match what:
                case "write":
                    put(disk, path, args[1], bytes([number + 1]) * args[2])
                case "truncate":
                    resize(disk, path, args[1])
                case "allocate":
                    with disk.open_file(path) as file:
                        file.allocate(args[1])
                case "sync":
                    sync(disk, path)
                case "sync_dir":
                    disk.sync_dir(path)
                case "create":
                    disk.create(path, bytes([number + 1]) * args[1])
                case "rename":
                    disk.rename(path, folder / args[1])
                case _:
                    disk.remove(path)


@settings(max_examples=25)
@given(steps=STEPS, seed=st.integers(0, 1 << 32), is_whole=st.booleans())
def test_a_power_cut_leaves_the_same_on_a_real_disk(
    steps: list[tuple[Any, ...]], seed: int, is_whole: bool
) -> None:
    direct = MemoryFileSystem({FILE.parent / name: OLD for name in NAMES})
    carry_out(direct, GROUP, steps)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "g1"
        folder.mkdir()
        for each in NAMES:
            (folder / each).write_bytes(OLD)
        disk = FailingFileSystem(RealFileSystem(), Path(name))
        carry_out(disk, folder, steps)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == _below(direct)
        crash = First(seed % 5) if is_whole else Sampled(seed)
        disk.crash(crash)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == _below(direct.crash(crash))


def _below(disk: MemoryFileSystem) -> dict[str, object]:
    return {path.name: data for path, data in disk.everything().items() if path.parent == GROUP}


# Refusals.


def told(**more: Any) -> tuple[MemoryFileSystem, FailingFileSystem, list[dict[str, Any]]]:
    below, events = base(), list[dict[str, Any]]()
    return below, failing(below, on_event=events.append, **more), events


def test_a_failed_sync_takes_the_bytes_along_and_the_next_one_says_that_all_is_well() -> None:
    below, disk, events = told()
    disk.set(DiskFault(kind=DiskFaultKind.FAIL_SYNC, count=1))
    with disk.open_file(FILE) as file:
        file.write_at(0, b"gone")
        file.truncate(5000)
        with pytest.raises(AccessError, match=r"g1/file: Input/output error$"):
            file.sync()
        file.sync()
        assert file.read_at(0, 5000) == OLD
    assert below.everything()[FILE] == OLD
    assert disk.faults() == []
    assert [(e["k"], e["g"], e["f"], e["call"], e["on"]) for e in events] == [
        ("fserr", "g1", "file", "sync", "fail-fsync")
    ]


def test_a_sync_that_always_fails_fails_until_it_is_taken_off() -> None:
    _, disk, events = told()
    disk.set(DiskFault(kind=DiskFaultKind.FAIL_SYNC))
    for _ in range(3):
        with pytest.raises(AccessError):
            sync(disk, FILE)
    disk.clear(DiskFaultKind.FAIL_SYNC)
    sync(disk, FILE)
    assert len(events) == 3


def test_a_write_that_fails_writes_nothing() -> None:
    below, disk, _ = told()
    disk.set(DiskFault(kind=DiskFaultKind.WRITE_ERROR, count=2))
    with pytest.raises(AccessError, match=r"Input/output error at byte 3$"):
        put(disk, FILE, 3, b"x")
    with pytest.raises(AccessError, match=r"Input/output error$"):
        disk.create(NEW, b"x")
    put(disk, FILE, 3, b"y")
    assert below.everything()[FILE] == OLD[:3] + b"y" + OLD[4:]
    assert NEW not in below.everything()


def test_a_full_disk_takes_what_fits_and_no_more() -> None:
    below, disk, events = told()
    disk.set(DiskFault(kind=DiskFaultKind.FULL, bytes_left=700))
    assert disk.free_bytes(FILE) == 700
    put(disk, FILE, 0, b"a" * 60)
    # Room for 640 bytes, of which those behind the block's border are not written.
    with pytest.raises(AccessError, match=r"No space left on device at byte 512$"):
        put(disk, FILE, 0, b"b" * 700)
    with disk.open_file(FILE) as file:
        file.allocate(len(OLD))
        with pytest.raises(AccessError, match="No space left"):
            file.allocate(len(OLD) + 500)
    with pytest.raises(AccessError, match="No space left"):
        disk.create(NEW, b"x" * 500)
    assert below.everything()[FILE] == b"b" * 512 + OLD[512:]
    disk.clear()
    put(disk, FILE, 0, b"c" * 200)
    assert {event["why"] for event in events} == {"No space left on device"}


def test_a_slow_sync_takes_as_much_longer_as_was_said() -> None:
    slept: list[float] = []
    _, disk, _ = told(sleep=slept.append)
    disk.set(DiskFault(kind=DiskFaultKind.SLOW_SYNC, delay_us=1500, count=2))
    sync(disk, FILE)
    disk.sync_dir(GROUP)
    sync(disk, FILE)
    assert slept == [0.0015, 0.0015]


def test_a_sync_that_lies_keeps_nothing_and_one_that_does_not_keeps_all() -> None:
    for is_synced in (False, True):
        below, disk, _ = told()
        disk.set(DiskFault(kind=DiskFaultKind.LYING_SYNC))
        put(disk, FILE, 0, b"new ")
        sync(disk, FILE)
        disk.create(NEW, b"x")
        disk.sync_dir(GROUP)
        disk.clear(DiskFaultKind.LYING_SYNC)
        if is_synced:
            sync(disk, FILE)
        disk.power_cut(CrashMode.LOSE_ALL, lambda count: 0)
        found = below.everything()
        assert found[FILE] == (b"new " if is_synced else b"old ") + OLD[4:]
        assert NEW not in found


def test_a_fault_of_a_group_leaves_the_others_alone() -> None:
    _, disk, _ = told()
    disk.set(DiskFault(kind=DiskFaultKind.WRITE_ERROR, group="g2"))
    put(disk, FILE, 0, b"x")
    with pytest.raises(AccessError):
        put(disk, ROOT / "g2" / "file", 0, b"x")
    disk.set(DiskFault(kind=DiskFaultKind.WRITE_ERROR, group="g1", count=5))
    assert len(disk.faults()) == 2
    disk.clear(DiskFaultKind.WRITE_ERROR, group="g2")
    assert disk.faults() == [DiskFault(kind=DiskFaultKind.WRITE_ERROR, group="g1", count=5)]


def test_an_armed_power_cut_comes_in_the_place_of_the_sync_that_was_said() -> None:
    died: list[bool] = []
    below, disk, events = told(on_dead=lambda: died.append(True))
    disk.arm_power_cut(CrashMode.LOSE_ALL, at_sync=2, draw=lambda count: 0, group="g1")
    put(disk, FILE, 0, b"1st!")
    sync(disk, ROOT / "g2" / "file")
    sync(disk, FILE)
    put(disk, FILE, 0, b"2nd!")
    with pytest.raises(Killed):
        sync(disk, FILE)
    assert below.everything()[FILE] == b"1st!" + OLD[4:]
    assert died == [True]
    assert events == [{"k": "crash", "mode": "lose-all", "lost": {"g1": 1}, "kept": {}}]
    with pytest.raises(Killed):
        disk.open(FILE)


def test_an_armed_power_cut_can_be_taken_back() -> None:
    _, disk, _ = told()
    disk.arm_power_cut(CrashMode.TORN, at_sync=1, draw=lambda count: 0)
    disk.disarm()
    sync(disk, FILE)


def test_a_torn_write_ends_at_the_border_of_a_sector() -> None:
    for number in range(3):
        below, disk, _ = told()
        put(disk, FILE, 100, b"N" * 1000)
        disk.power_cut(CrashMode.TORN, drawn(number))
        cut = 512 * (number % 2 + 1)
        assert below.everything()[FILE] == OLD[:100] + b"N" * (cut - 100) + OLD[cut:]


def test_what_is_beyond_the_bound_counts_as_durable_and_is_said_once() -> None:
    below, disk, events = told(pending_bytes_max=4096)
    with disk.open_file(FILE) as file:
        for number in range(20):
            file.write_at(512 * number, bytes([number + 1]) * 512)
        assert [event["k"] for event in events] == ["note"]
        disk.power_cut(CrashMode.LOSE_ALL, lambda count: 0)
    data = below.everything()[FILE]
    assert isinstance(data, bytes)
    kept = len(data) // 512
    assert 10 <= kept < 20
    assert data == b"".join(bytes([each + 1]) * 512 for each in range(kept))


def test_of_files_that_lost_their_names_a_few_come_back() -> None:
    count = HELD_MAX + 3
    paths = [GROUP / f"{number:02}" for number in range(count)]
    below = MemoryFileSystem({path: path.name.encode() for path in paths})
    disk = failing(below)
    for path in paths:
        disk.remove(path)
    disk.power_cut(CrashMode.LOSE_ALL, lambda count: 0)
    assert below.names(GROUP) == [path.name for path in paths[3:]]
    assert below.everything()[paths[-1]] == b"10"


def test_threads_share_a_disk_behind_a_lock_and_all_die_with_it() -> None:
    below = MemoryFileSystem({GROUP / str(number): b"" for number in range(4)})
    disk = failing(below, guard=threading.RLock())
    saved = [0] * 4
    begun = threading.Barrier(4)

    def save(number: int) -> None:
        with contextlib.suppress(Killed), disk.open_file(GROUP / str(number)) as file:
            begun.wait(timeout=10)
            while True:
                file.write_at(saved[number], b"x")
                file.sync()
                saved[number] += 1
                if number == 0 and saved[0] == 50:
                    disk.power_cut(CrashMode.LOSE_ALL, drawn(0))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=10)
    assert saved[0] == 50
    for number, count in enumerate(saved):
        assert below.stat(GROUP / str(number)).size in (count, count + 1)


def test_nothing_stays_open_when_all_is_synced_and_closed() -> None:
    _, disk, _ = told()
    writes(disk)
    makes(disk)
    disk.remove(SUB / "deep")
    for path in (FILE, NEW, GROUP / "one", GROUP / "two"):
        sync(disk, path)
    for folder in (GROUP, SUB):
        disk.sync_dir(folder)
    assert disk.unsynced.nodes == []
    assert disk.unsynced.names == []
    assert disk.unsynced.open_files == 0


def test_what_only_a_simulated_disk_does_is_refused() -> None:
    disk = failing(base())
    with pytest.raises(UsageError, match="the simulator's is"):
        disk.set(DiskFault(kind=DiskFaultKind.MISDIRECTED))
    assert disk.faults() == []
