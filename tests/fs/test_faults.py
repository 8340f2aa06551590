"""Calls that fail, disks that fill up, programs that end: faults of the disk in memory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from walctl.errors import AccessError, UnsupportedError
from walctl.fs.contents import PAGE_BYTES
from walctl.fs.faults import Fault, KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import NAME_CALLS, READING, Call
from walctl.fs.words import IO_ERROR, NO_SPACE, PERMISSION_DENIED
from walctl.fs.writable import Attributes, Lock

FILE = Path("/d/file")
NEW = Path("/d/new")


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


def holding(data: bytes = b"old") -> MemoryFileSystem:
    return MemoryFileSystem({FILE: data})


def busy(disk: MemoryFileSystem) -> None:
    """One of everything that a program can ask for."""
    disk.make_dir(Path("/d/folder"))
    disk.create(Path("/d/copy"), b"copy")
    with disk.create_file(NEW) as file:
        file.lock(Lock.RECORD)
        file.allocate(100)
        file.write_at(0, b"new")
        file.truncate(3)
        file.sync()
        file.read_at(0, 3)
        file.stat()
    with disk.open_file(NEW) as file:
        file.read_into(0, memoryview(bytearray(3)))
    with disk.open(NEW):
        pass
    disk.set_attributes(NEW, Attributes(mode=0o600))
    disk.attributes(NEW)
    disk.hard_link(NEW, Path("/d/second"))
    disk.exchange(NEW, FILE)
    disk.rename(NEW, Path("/d/folder/old"))
    disk.remove(Path("/d/folder/old"))
    disk.remove_dir(Path("/d/folder"))
    disk.sync_dir(Path("/d"))
    disk.names(Path("/d"))
    disk.exists(NEW)
    disk.stat(FILE)
    disk.free_bytes(FILE)


def calls_of(act: Callable[[MemoryFileSystem], None]) -> list[tuple[Call, Path]]:
    disk = holding()
    found: list[tuple[Call, Path]] = []
    disk.on_call = lambda call, path: found.append((call, path))
    act(disk)
    assert disk.calls == len(found)
    return found


# Counting and telling.


def test_every_kind_of_call_is_told_before_it_is_made_and_counted() -> None:
    found = calls_of(busy)
    assert {call for call, _ in found} == set(Call) - {Call.ENTER}
    assert found[:5] == [
        (Call.CREATE, Path("/d/folder")),
        (Call.CREATE, Path("/d/copy")),
        (Call.WRITE, Path("/d/copy")),
        (Call.CREATE, NEW),
        (Call.LOCK, NEW),
    ]


def test_what_the_one_who_is_told_does_himself_is_not_told_again() -> None:
    disk = holding()
    told: list[Call] = []

    def moving(call: Call, path: Path) -> None:
        told.append(call)
        disk.rename(FILE, NEW)
        assert disk.exists(NEW)

    disk.on_call = moving
    assert message_of(partial(disk.open, FILE)) == f"{FILE}: No such file or directory"
    assert (told, disk.calls) == ([Call.OPEN], 1)


def test_a_clock_can_be_moved_by_slow_calls() -> None:
    disk = holding()
    slow = {Call.SYNC: 40, Call.READ: 1}
    now = [0]

    def wait(call: Call, path: Path) -> None:
        now[0] += slow.get(call, 0)

    disk.on_call = wait
    busy(disk)
    assert now == [42]


# Killed.


def test_a_killed_program_leaves_what_the_calls_before_have_done_and_nothing_else() -> None:
    calls = calls_of(busy)
    before: list[object] = []
    disk = holding()
    disk.on_call = lambda call, path: before.append(disk.everything())
    busy(disk)
    for number in range(len(calls)):
        disk = holding()
        disk.on_call = KillAt(number)
        with pytest.raises(Killed, match=f"killed before {calls[number][0]}, call {number}"):
            busy(disk)
        assert disk.everything() == before[number]


def test_a_dead_program_cannot_tidy_up() -> None:
    disk = holding()
    killer = KillAt(1)
    disk.on_call = killer

    def tidy() -> None:
        try:
            disk.create_file(NEW)
            disk.sync_dir(Path("/d"))
        finally:
            disk.remove(NEW)

    with pytest.raises(Killed, match="by a dead program"):
        tidy()
    assert killer.is_dead
    assert disk.everything()[NEW] == b""


def test_only_the_calls_that_change_something_can_be_counted() -> None:
    counting = KillAt(None, set(Call) - READING)
    disk = holding()
    disk.on_call = counting
    busy(disk)
    changing = [call for call, _ in calls_of(busy) if call not in READING]
    assert counting.count == len(changing)
    disk = holding()
    disk.on_call = KillAt(len(changing) - 1, set(Call) - READING)
    with pytest.raises(Killed, match="before sync-dir"):
        busy(disk)


def test_nothing_that_catches_errors_catches_the_end_of_the_program() -> None:
    assert not issubclass(Killed, Exception)


def test_when_a_program_ends_its_files_are_closed_and_its_locks_are_free() -> None:
    disk = holding()
    file = disk.open_file(FILE)
    reader = disk.open(FILE)
    file.lock(Lock.RECORD)
    file.lock(Lock.FLOCK)
    file.write_at(0, b"new")
    disk.end_process()
    calls: list[Callable[[], object]] = [
        lambda: file.write_at(0, b"x"),
        lambda: file.lock(Lock.RECORD),
        file.sync,
        lambda: reader.read_at(0, 1),
    ]
    for call in calls:
        assert message_of(call) == f"{FILE}: Bad file descriptor"
    assert disk.everything()[FILE] == b"new"
    with disk.open_file(FILE) as again:
        again.lock(Lock.RECORD)
        again.lock(Lock.FLOCK)
        file.close()
        assert disk.open_file(FILE).is_locked(), "a dead program's file frees nobody's lock"


# Failing calls.


@pytest.mark.parametrize("number", range(26))
def test_any_call_can_fail_and_the_program_is_told_which(number: int) -> None:
    calls = calls_of(busy)
    disk = holding()
    disk.fail_call(Fault(number=number, reason=NO_SPACE))
    words = message_of(partial(busy, disk))
    assert words.startswith(str(calls[number][1]))
    assert f": {NO_SPACE}" in words
    assert disk.calls == number + 1


def test_every_call_of_a_busy_program_was_made_to_fail() -> None:
    assert len(calls_of(busy)) == 26


def test_the_third_write_can_fail_and_the_fourth_succeed() -> None:
    disk = holding()
    disk.fail_call(Fault(number=2, calls=frozenset({Call.WRITE})))
    with disk.open_file(FILE) as file:
        file.write_at(0, b"1")
        file.sync()
        file.write_at(1, b"2")
        words = f"{FILE}: {IO_ERROR} at byte 2"
        assert message_of(partial(file.write_at, 2, b"3")) == words
        file.write_at(3, b"4")
    assert disk.everything()[FILE] == b"12d4"


def test_a_lasting_fault_never_ends() -> None:
    disk = holding()
    disk.fail_call(Fault(number=1, calls=frozenset({Call.SYNC}), is_lasting=True))
    with disk.open_file(FILE) as file:
        file.sync()
        for _ in range(3):
            assert message_of(file.sync) == f"{FILE}: {IO_ERROR}"
        file.write_at(0, b"x")


def test_two_faults_count_on_their_own() -> None:
    disk = holding()
    disk.fail_call(Fault(number=0))
    disk.fail_call(Fault(number=1, reason=NO_SPACE))
    found = [message_of(partial(disk.stat, FILE)) for _ in range(2)]
    assert found == [f"{FILE}: {IO_ERROR}", f"{FILE}: {NO_SPACE}"]
    assert disk.stat(FILE).size == 3


@pytest.mark.parametrize(
    ("call", "act"),
    [
        (Call.WRITE, lambda disk, file: file.write_at(0, b"x")),
        (Call.TRUNCATE, lambda disk, file: file.truncate(1)),
        (Call.ALLOCATE, lambda disk, file: file.allocate(9)),
        (Call.SYNC, lambda disk, file: file.sync()),
        (Call.LOCK, lambda disk, file: file.lock(Lock.FLOCK)),
        (Call.OPEN, lambda disk, file: disk.open_file(FILE)),
        (Call.RENAME, lambda disk, file: disk.rename(FILE, NEW)),
        (Call.EXCHANGE, lambda disk, file: disk.exchange(FILE, Path("/d/other"))),
        (Call.HARD_LINK, lambda disk, file: disk.hard_link(FILE, NEW)),
        (Call.REMOVE, lambda disk, file: disk.remove(FILE)),
        (Call.SET_ATTRIBUTES, lambda disk, file: disk.set_attributes(FILE, Attributes(mode=0))),
    ],
)
def test_a_file_can_refuse_any_call_that_changes_it(
    call: Call, act: Callable[[MemoryFileSystem, object], None]
) -> None:
    disk = MemoryFileSystem({FILE: b"old", Path("/d/other"): b"other"})
    file = disk.open_file(FILE)
    disk.fail(FILE, PERMISSION_DENIED, call)
    before = disk.everything(), disk.attributes(FILE)
    assert PERMISSION_DENIED in message_of(partial(act, disk, file))
    assert (disk.everything(), disk.attributes(FILE)) == before


def test_a_directory_that_may_not_be_written_to_refuses_every_change_of_names() -> None:
    disk = MemoryFileSystem({FILE: b"1", Path("/e/file"): b"2"})
    disk.make_directory(Path("/d/empty"))
    disk.fail(Path("/d"), PERMISSION_DENIED, *NAME_CALLS)
    before = disk.everything()
    calls: list[Callable[[], object]] = [
        lambda: disk.create(NEW, b""),
        lambda: disk.create_file(NEW),
        lambda: disk.make_dir(NEW),
        lambda: disk.rename(FILE, NEW),
        lambda: disk.rename(Path("/e/file"), NEW),
        lambda: disk.rename(FILE, Path("/e/new")),
        lambda: disk.exchange(FILE, Path("/e/file")),
        lambda: disk.exchange(Path("/e/file"), FILE),
        lambda: disk.hard_link(Path("/e/file"), NEW),
        lambda: disk.remove(FILE),
        lambda: disk.remove_dir(Path("/d/empty")),
    ]
    for call in calls:
        assert message_of(call).endswith(f": {PERMISSION_DENIED}")
    assert disk.everything() == before


def test_a_disk_without_exchange_says_so() -> None:
    disk = MemoryFileSystem({FILE: b"1", NEW: b"2"})
    disk.can_exchange = False
    with pytest.raises(UnsupportedError, match="cannot exchange two names in one step"):
        disk.exchange(FILE, NEW)
    assert disk.everything()[FILE] == b"1"
    with pytest.raises(UnsupportedError):
        disk.crash().exchange(FILE, NEW)


def test_two_file_systems_share_no_file_and_exchange_no_name() -> None:
    disk = holding()
    disk.mount(Path("/other"))
    disk.write(Path("/other/file"), b"2")
    assert disk.attributes(Path("/other/file")).device != disk.attributes(FILE).device
    for call in (disk.rename, disk.hard_link):
        words = f"{FILE} -> /other/new: They lie on different file systems"
        assert message_of(partial(call, FILE, Path("/other/new"))) == words
    words = f"{FILE} -> /other/file: They lie on different file systems"
    assert message_of(partial(disk.exchange, FILE, Path("/other/file"))) == words
    # What a mount point stands for has no name of its own to change.
    busy_words = "Device or resource busy"
    disk.make_dir(Path("/folder"))
    for each in (disk.exchange, disk.rename):
        assert message_of(partial(each, Path("/other"), Path("/folder"))).endswith(busy_words)
    disk.remove(Path("/other/file"))
    assert message_of(partial(disk.remove_dir, Path("/other"))) == f"/other: {busy_words}"


def test_the_owner_says_who_else_has_what_open() -> None:
    disk = holding()
    disk.elsewhere = {FILE: [7, 3], Path("/e/file"): [9]}
    assert disk.holders([Path("/d")]) == [3, 7]
    assert disk.holders([FILE, Path("/e")]) == [3, 7, 9]
    assert disk.holders([Path("/d/fil")]) == []


# A disk that fills up.


def small(pages: int) -> MemoryFileSystem:
    return MemoryFileSystem({FILE: b"old"}, capacity_bytes=pages * PAGE_BYTES)


def test_a_write_that_does_not_fit_is_told_where_it_ended() -> None:
    disk = small(3)
    assert disk.free_bytes(FILE) == 2 * PAGE_BYTES
    with disk.open_file(FILE) as file:
        words = f"{FILE}: {NO_SPACE} at byte {3 * PAGE_BYTES}"
        assert message_of(partial(file.write_at, 0, b"x" * (4 * PAGE_BYTES))) == words
        assert file.stat().size == 3 * PAGE_BYTES
        file.write_at(5, b"y" * PAGE_BYTES)
        assert message_of(partial(file.write_at, 3 * PAGE_BYTES, b"z")).startswith(f"{FILE}: ")
    assert disk.free_bytes(FILE) == 0


def test_holes_cost_nothing_and_what_is_cut_off_or_removed_is_given_back() -> None:
    disk = small(3)
    with disk.open_file(FILE) as file:
        file.truncate(1 << 40)
        file.write_at(1 << 30, b"x")
        assert disk.free_bytes(FILE) == PAGE_BYTES
        file.truncate(0)
        assert disk.free_bytes(FILE) == 3 * PAGE_BYTES
    disk.create(NEW, b"x" * (3 * PAGE_BYTES))
    assert disk.free_bytes(FILE) == 0
    disk.hard_link(NEW, Path("/d/second"))
    disk.remove(NEW)
    assert disk.free_bytes(FILE) == 0
    disk.remove(Path("/d/second"))
    assert disk.free_bytes(FILE) == 3 * PAGE_BYTES


def test_what_was_allocated_can_be_written_on_a_disk_that_is_full() -> None:
    disk = small(4)
    with disk.create_file(NEW) as file:
        assert message_of(partial(file.allocate, 4 * PAGE_BYTES)) == f"{NEW}: {NO_SPACE}"
        assert file.stat().size == 0
        file.allocate(3 * PAGE_BYTES)
        assert disk.free_bytes(FILE) == 0
        file.write_at(0, b"x" * (3 * PAGE_BYTES))
        assert message_of(partial(file.write_at, 3 * PAGE_BYTES, b"x")).endswith("at byte 12288")
        file.truncate(PAGE_BYTES)
    assert disk.free_bytes(FILE) == 2 * PAGE_BYTES


def test_a_new_file_that_does_not_fit_whole_is_not_there() -> None:
    disk = small(3)
    words = f"{NEW}: {NO_SPACE}"
    assert message_of(partial(disk.create, NEW, b"x" * (3 * PAGE_BYTES))) == words
    assert disk.names(Path("/d")) == ["file"]


def test_the_owner_may_fill_a_disk_beyond_what_it_holds() -> None:
    disk = small(1)
    disk.write(FILE, b"x" * (2 * PAGE_BYTES))
    assert disk.free_bytes(FILE) == 0
    assert disk.crash().free_bytes(FILE) == 0
