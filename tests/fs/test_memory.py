"""What the disk in memory can do beyond being a disk: be counted, changed midway, and fail."""

import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from walctl.errors import AccessError
from walctl.fs.contents import PAGE_BYTES
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.words import IO_ERROR, PERMISSION_DENIED

FILE = Path("/data/file")


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


def holding(data: bytes) -> MemoryFileSystem:
    return MemoryFileSystem({FILE: data})


# What it is made from, and costs.


def test_it_is_made_from_paths_and_contents() -> None:
    disk = MemoryFileSystem({Path("/a/b/one"): b"1", Path("/a/two"): b"22"})
    assert disk.names(Path("/a")) == ["b", "two"]
    assert disk.stat(Path("/a/b/one")).size == 1


def test_a_relative_path_counts_from_the_root() -> None:
    disk = MemoryFileSystem({Path("wal/file"): b"1"})
    assert disk.stat(Path("/wal/file")).size == 1
    assert disk.names(Path()) == ["wal"]


def test_a_preallocated_segment_costs_what_was_written_to_it() -> None:
    content = b"x" * 300_000
    tracemalloc.start()
    try:
        disk = holding(content)
        disk.truncate(FILE, 64_000_000)
        cost, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert disk.stat(FILE).size == 64_000_000
    assert cost < 400_000


def test_written_zeros_are_kept_but_cost_almost_nothing() -> None:
    zeros = bytes(4_000_000)
    tracemalloc.start()
    try:
        disk = holding(zeros)
        cost, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert disk.stat(FILE).allocated_bytes == -(-4_000_000 // PAGE_BYTES) * PAGE_BYTES
    assert cost < 400_000


def test_every_change_moves_the_time_and_looking_does_not() -> None:
    disk = holding(b"1")
    times = [disk.stat(FILE).mtime_ns]
    changes: list[Callable[[], None]] = [
        lambda: disk.write(FILE, b"2"),
        lambda: disk.write_at(FILE, 1, b"3"),
        lambda: disk.truncate(FILE, 1),
    ]
    for change in changes:
        change()
        times.append(disk.stat(FILE).mtime_ns)
    assert times == sorted(set(times))
    disk.open(FILE).read_at(0, 1)
    assert disk.stat(FILE).mtime_ns == times[-1]


def test_a_name_that_comes_or_goes_moves_its_directorys_time() -> None:
    disk = holding(b"")
    first = disk.stat(FILE.parent).mtime_ns
    disk.write(FILE.parent / "another", b"")
    second = disk.stat(FILE.parent).mtime_ns
    disk.remove(FILE)
    assert first < second < disk.stat(FILE.parent).mtime_ns


def test_writing_a_file_anew_keeps_its_inode() -> None:
    disk = holding(b"1")
    inode = disk.stat(FILE).inode
    disk.write(FILE, b"2")
    assert disk.stat(FILE).inode == inode
    with disk.open(FILE) as file:
        assert file.read_at(0, 9) == b"2"


def test_the_same_acts_make_the_same_disk() -> None:
    first, second = holding(b"1"), holding(b"1")
    assert first.stat(FILE) == second.stat(FILE)


def test_it_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(holding(b"123")))
    assert isinstance(copy, MemoryFileSystem)
    with copy.open(FILE) as file:
        assert file.read_at(0, 3) == b"123"


# Counting.


def test_reads_and_bytes_are_counted() -> None:
    disk = holding(b"0123456789")
    with disk.open(FILE) as file:
        file.read_at(0, 4)
        file.read_at(8, 4)
        file.read_into(0, memoryview(bytearray(3)))
        file.stat()
        list(file.data_ranges(0, 10))
    assert (disk.reads, disk.bytes_read) == (3, 4 + 2 + 3)


# Changed in the middle of being read.


def test_a_file_can_grow_just_before_it_is_read() -> None:
    disk = holding(b"01")
    disk.on_read = lambda path, offset, size: disk.write_at(path, 2, b"23")
    with disk.open(FILE) as file:
        assert file.read_at(0, 9) == b"0123"


def test_a_file_can_be_cut_between_two_reads() -> None:
    def cut_at_the_second(path: Path, offset: int, size: int) -> None:
        if offset == 4:
            disk.truncate(path, 6)

    disk = MemoryFileSystem({FILE: b"01234567"}, on_read=cut_at_the_second)
    with disk.open(FILE) as file:
        assert [file.read_at(offset, 4) for offset in (0, 4, 8)] == [b"0123", b"45", b""]


def test_a_file_renamed_while_it_is_read_is_read_to_its_end() -> None:
    asked: list[tuple[Path, int, int]] = []

    def rename_once(path: Path, offset: int, size: int) -> None:
        asked.append((path, offset, size))
        if offset == 0:
            disk.rename(path, path.with_name("renamed"))

    disk = MemoryFileSystem({FILE: b"0123"}, on_read=rename_once)
    with disk.open(FILE) as file:
        assert file.read_at(0, 2) + file.read_at(2, 2) == b"0123"
    assert asked == [(FILE, 0, 2), (FILE, 2, 2)]
    assert disk.names(FILE.parent) == ["renamed"]


# Failing.


def test_a_failing_file_fails_every_call_with_the_reason_given() -> None:
    disk = holding(b"1")
    open_before = disk.open(FILE)
    disk.fail(FILE, PERMISSION_DENIED)
    words = f"{FILE}: Permission denied"
    assert message_of(lambda: disk.open(FILE)) == words
    assert message_of(lambda: disk.stat(FILE)) == words
    assert message_of(lambda: disk.exists(FILE)) == words
    assert message_of(lambda: open_before.read_at(7, 1)) == f"{words} at byte 7"


def test_only_the_calls_named_fail() -> None:
    disk = holding(b"1")
    disk.fail(FILE, PERMISSION_DENIED, Call.OPEN)
    assert disk.stat(FILE).size == 1
    assert message_of(lambda: disk.open(FILE)) == f"{FILE}: Permission denied"


def test_a_directory_may_refuse_to_be_listed_and_still_let_one_through() -> None:
    disk = holding(b"1")
    disk.fail(FILE.parent, PERMISSION_DENIED, Call.NAMES)
    assert message_of(lambda: disk.names(FILE.parent)) == f"{FILE.parent}: Permission denied"
    assert disk.exists(FILE)


def test_a_directory_that_lets_nobody_through_hides_whether_a_file_is_there() -> None:
    disk = holding(b"1")
    disk.fail(FILE.parent, PERMISSION_DENIED, Call.ENTER)
    assert disk.stat(FILE.parent).size == 0
    missing = FILE.parent / "missing"
    assert message_of(lambda: disk.exists(FILE)) == f"{FILE}: Permission denied"
    assert message_of(lambda: disk.exists(missing)) == f"{missing}: Permission denied"


def test_a_directory_may_refuse_new_names_and_stays_as_it_was() -> None:
    disk = MemoryFileSystem({Path("/folder/file"): b""})
    disk.fail(Path("/folder"), "No space left on device", Call.CREATE)
    words = "/folder/new: No space left on device"
    assert message_of(lambda: disk.create(Path("/folder/new"), b"")) == words
    assert message_of(lambda: disk.make_dir(Path("/folder/new"))) == words
    assert disk.names(Path("/folder")) == ["file"]


def test_a_link_into_a_forbidden_directory_is_forbidden_and_not_just_a_link() -> None:
    disk = holding(b"1")
    disk.link(Path("/link"), FILE)
    disk.fail(FILE.parent, PERMISSION_DENIED, Call.ENTER)
    assert message_of(lambda: disk.stat(Path("/link"))) == "/link: Permission denied"


def test_a_failure_stays_with_the_file_when_its_name_changes() -> None:
    disk = holding(b"1")
    disk.fail(FILE, IO_ERROR, Call.OPEN)
    other = FILE.with_name("other")
    disk.rename(FILE, other)
    disk.write(FILE, b"new")
    assert message_of(lambda: disk.open(other)) == f"{other}: Input/output error"
    assert disk.open(FILE).read_at(0, 9) == b"new"


@pytest.mark.parametrize(
    ("offset", "size", "failed_at"),
    [(0, 10, None), (0, 11, 10), (5, 90, 10), (10, 1, 10), (15, 1, 15), (19, 9, 19), (20, 9, None)],
)
def test_a_bad_sector_fails_the_reads_that_touch_it_at_its_first_byte(
    offset: int, size: int, failed_at: int | None
) -> None:
    disk = holding(bytes(100))
    disk.fail_reads(FILE, 10, 20)
    with disk.open(FILE) as file:
        if failed_at is None:
            assert file.read_at(offset, size) == bytes(size)
        else:
            words = f"{FILE}: Input/output error at byte {failed_at}"
            assert message_of(lambda: file.read_at(offset, size)) == words


# What its owner may not do.


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda disk: disk.remove_dir(FILE.parent), "/data: Directory not empty"),
        (lambda disk: disk.remove(Path("/no")), "/no: No such file or directory"),
        (
            lambda disk: disk.rename(Path("/no"), FILE),
            "/no -> /data/file: No such file or directory",
        ),
        (lambda disk: disk.rename(FILE, FILE.parent), "/data/file -> /data: Directory not empty"),
        (lambda disk: disk.link(FILE, FILE), "/data/file: File exists"),
        (lambda disk: disk.make_special(FILE), "/data/file: File exists"),
        (lambda disk: disk.make_directory(FILE), "/data/file: Not a directory"),
        (lambda disk: disk.write(FILE.parent, b""), "/data: Is a directory"),
        (lambda disk: disk.truncate(Path("/no"), 1), "/no: No such file or directory"),
        (lambda disk: disk.fail(Path("/no"), IO_ERROR), "/no: No such file or directory"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused_and_changes_nothing(
    act: Callable[[MemoryFileSystem], None], words: str
) -> None:
    disk = holding(b"1")
    assert message_of(lambda: act(disk)) == words
    assert disk.names(Path("/")) == ["data"]
    assert disk.names(FILE.parent) == ["file"]
    assert disk.open(FILE).read_at(0, 9) == b"1"


def test_an_empty_directory_can_be_removed_and_a_file_put_in_its_place() -> None:
    disk = MemoryFileSystem()
    disk.make_directory(FILE)
    disk.remove_dir(FILE)
    disk.write(FILE, b"1")
    assert disk.stat(FILE).size == 1
