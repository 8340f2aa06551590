"""What every file system keeps to; each test runs on the real disk and on the one in memory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fs.disks import Disk, MemoryDisk, RealDisk
from walctl.errors import AccessError
from walctl.fs.base import FileSystem, Kind

PAGE = 4096
MIB = 1 << 20
BLOCK = 1 << 18
"""A multiple of every file system's block, so that holes of this size are holes everywhere."""


@pytest.fixture(params=["real", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else MemoryDisk()


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


def test_it_is_a_file_system(disk: Disk) -> None:
    assert isinstance(disk.reader, FileSystem)


# Looking.


def test_stat_tells_a_file_from_a_directory_and_both_from_the_rest(disk: Disk) -> None:
    disk.write(disk.root / "file", b"12345")
    disk.make_directory(disk.root / "folder")
    disk.make_special(disk.root / "pipe")
    kinds = {name: disk.reader.stat(disk.root / name).kind for name in ("file", "folder", "pipe")}
    assert kinds == {"file": Kind.FILE, "folder": Kind.DIRECTORY, "pipe": Kind.OTHER}
    assert disk.reader.stat(disk.root / "file").size == 5


def test_stat_follows_links_to_what_they_stand_for(disk: Disk) -> None:
    disk.write(disk.root / "far" / "file", b"123")
    disk.link(disk.root / "absolute", disk.root / "far")
    disk.link(disk.root / "relative", Path("far/../absolute/./file"))
    assert disk.reader.stat(disk.root / "absolute").kind is Kind.DIRECTORY
    assert disk.reader.stat(disk.root / "relative").kind is Kind.FILE
    same = disk.reader.stat(disk.root / "far" / "file").inode
    assert disk.reader.stat(disk.root / "absolute" / "file").inode == same


def test_a_path_may_climb_out_of_a_link_by_where_it_leads(disk: Disk) -> None:
    disk.write(disk.root / "far" / "near" / "file", b"")
    disk.write(disk.root / "far" / "sibling", b"123")
    disk.link(disk.root / "link", Path("far/near"))
    assert disk.reader.stat(disk.root / "link" / ".." / "sibling").size == 3


@pytest.mark.parametrize("target", ["nowhere", "self", "file/below"])
def test_a_link_that_leads_nowhere_is_something_else_when_looked_at(
    disk: Disk, target: str
) -> None:
    disk.write(disk.root / "file", b"")
    disk.link(disk.root / "self", Path(target))
    assert disk.reader.stat(disk.root / "self").kind is Kind.OTHER


def test_what_is_missing_cannot_be_looked_at(disk: Disk) -> None:
    path = disk.root / "missing"
    assert message_of(lambda: disk.reader.stat(path)) == f"{path}: No such file or directory"


def test_a_circle_of_links_above_a_name_is_an_error_with_its_reason(disk: Disk) -> None:
    disk.link(disk.root / "a", Path("b"))
    disk.link(disk.root / "b", Path("a"))
    path = disk.root / "a" / "file"
    words = f"{path}: Too many levels of symbolic links"
    assert message_of(lambda: disk.reader.stat(path)) == words
    assert message_of(lambda: disk.reader.exists(path)) == words
    assert message_of(lambda: disk.reader.open(path)) == words


def test_a_chain_of_forty_links_is_followed_and_one_of_forty_one_is_not(disk: Disk) -> None:
    disk.write(disk.root / "0", b"123")
    for position in range(1, 42):
        disk.link(disk.root / str(position), Path(str(position - 1)))
    assert disk.reader.stat(disk.root / "40").kind is Kind.FILE
    assert disk.reader.stat(disk.root / "41").kind is Kind.OTHER


def test_exists_says_whether_a_path_leads_to_something(disk: Disk) -> None:
    disk.write(disk.root / "file", b"")
    disk.make_special(disk.root / "pipe")
    disk.link(disk.root / "good", Path("file"))
    disk.link(disk.root / "dangling", Path("nowhere"))
    said = {
        name: disk.reader.exists(disk.root / name)
        for name in ("file", "pipe", "good", "dangling", "missing", "missing/below", "file/below")
    }
    assert said == {
        "file": True,
        "pipe": True,
        "good": True,
        "dangling": False,
        "missing": False,
        "missing/below": False,
        "file/below": False,
    }


def test_exists_does_not_guess_about_a_link_in_a_circle(disk: Disk) -> None:
    path = disk.root / "self"
    disk.link(path, Path("self"))
    words = f"{path}: Too many levels of symbolic links"
    assert message_of(lambda: disk.reader.exists(path)) == words


def test_a_sparse_file_takes_what_its_data_takes(disk: Disk) -> None:
    path = disk.root / "sparse"
    disk.write(path, b"x" * 10)
    disk.truncate(path, 64_000_000)
    found = disk.reader.stat(path)
    assert found.size == 64_000_000
    assert found.allocated_bytes is not None
    assert found.allocated_bytes <= BLOCK


# Names.


def test_names_come_in_the_order_of_code_points(disk: Disk) -> None:
    # Case, digits, and a letter whose place a collation would change.
    for name in ("b", "A", "a", "Z", "é", "0-1.wal", "00.wal", "z"):
        disk.write(disk.root / "wal" / name, b"")
    found = disk.reader.names(disk.root / "wal")
    assert found == ["0-1.wal", "00.wal", "A", "Z", "a", "b", "z", "é"]


def test_names_hold_directories_links_and_hidden_files_too(disk: Disk) -> None:
    disk.write(disk.root / ".hidden", b"")
    disk.make_directory(disk.root / "folder")
    disk.link(disk.root / "dangling", Path("nowhere"))
    assert disk.reader.names(disk.root) == [".hidden", "dangling", "folder"]


def test_a_name_that_is_not_utf_8_can_be_listed_and_opened(disk: Disk) -> None:
    name = b"\xff.wal".decode("utf-8", "surrogateescape")
    disk.write(disk.root / name, b"123")
    assert disk.reader.names(disk.root) == [name]
    with disk.reader.open(disk.root / name) as file:
        assert file.read_at(0, 9) == b"123"


def test_names_of_an_empty_directory_are_none(disk: Disk) -> None:
    assert disk.reader.names(disk.root) == []


def test_a_missing_directory_and_a_file_have_no_names(disk: Disk) -> None:
    missing, file = disk.root / "missing", disk.root / "file"
    disk.write(file, b"")
    assert message_of(lambda: disk.reader.names(missing)) == f"{missing}: No such file or directory"
    assert message_of(lambda: disk.reader.names(file)) == f"{file}: Not a directory"


# Opening.


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "No such file or directory"),
        ("dangling", "No such file or directory"),
        ("file/below", "Not a directory"),
        ("folder", "Is a directory"),
        ("to-folder", "Is a directory"),
        ("pipe", "Not a plain file"),
        ("self", "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_plain_file_is_refused_with_its_reason(
    disk: Disk, name: str, reason: str
) -> None:
    disk.write(disk.root / "file", b"")
    disk.make_directory(disk.root / "folder")
    disk.make_special(disk.root / "pipe")
    disk.link(disk.root / "dangling", Path("nowhere"))
    disk.link(disk.root / "to-folder", Path("folder"))
    disk.link(disk.root / "self", Path("self"))
    path = disk.root / name
    assert message_of(lambda: disk.reader.open(path)) == f"{path}: {reason}"


def test_an_open_file_knows_the_path_it_was_opened_by(disk: Disk) -> None:
    disk.write(disk.root / "file", b"")
    disk.link(disk.root / "link", Path("file"))
    with disk.reader.open(disk.root / "link") as file:
        assert file.path == disk.root / "link"


def test_a_closed_file_reads_nothing_and_closing_twice_does_nothing(disk: Disk) -> None:
    path = disk.root / "file"
    disk.write(path, b"123")
    with disk.reader.open(path) as file:
        pass
    file.close()
    words = f"{path}: Bad file descriptor"
    assert message_of(lambda: file.read_at(0, 3)).startswith(words)
    assert message_of(lambda: file.read_into(0, memoryview(bytearray(3)))).startswith(words)
    assert message_of(lambda: list(file.data_ranges(0, 3))) == words
    assert message_of(file.stat) == words


def test_a_closed_file_does_not_read_from_the_one_opened_after_it(disk: Disk) -> None:
    disk.write(disk.root / "first", b"first")
    disk.write(disk.root / "second", b"second")
    first = disk.reader.open(disk.root / "first")
    first.close()
    with disk.reader.open(disk.root / "second") as second:
        with pytest.raises(AccessError):
            first.read_at(0, 5)
        first.close()
        assert second.read_at(0, 6) == b"second"


# Reading.


@pytest.mark.parametrize("offset", range(12))
@pytest.mark.parametrize("size", range(12))
def test_reading_gives_what_is_there_and_less_only_at_the_end(
    disk: Disk, offset: int, size: int
) -> None:
    content = b"0123456789"
    disk.write(disk.root / "file", content)
    target = bytearray(b"-" * size)
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_at(offset, size) == content[offset : offset + size]
        count = file.read_into(offset, memoryview(target))
    assert count == len(content[offset : offset + size])
    assert target == content[offset : offset + size] + b"-" * (size - count)


@pytest.mark.parametrize("offset", [1 << 40, (1 << 63) - 1, 1 << 63, 1 << 64, 1 << 80])
def test_an_offset_beyond_all_files_reads_nothing(disk: Disk, offset: int) -> None:
    disk.write(disk.root / "file", b"123")
    target = bytearray(b"---")
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_at(offset, 1 << 20) == b""
        assert file.read_into(offset, memoryview(target)) == 0
        assert list(file.data_ranges(offset, offset + 9)) == []
    assert target == b"---"


def test_a_size_beyond_all_files_reads_what_is_there(disk: Disk) -> None:
    disk.write(disk.root / "file", b"123")
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_at(1, 1 << 70) == b"23"
        assert list(file.data_ranges(0, 1 << 70)) == [(0, 3)]


def test_a_negative_offset_is_an_error_and_not_the_end_of_the_file(disk: Disk) -> None:
    path = disk.root / "file"
    disk.write(path, b"123")
    with disk.reader.open(path) as file:
        assert message_of(lambda: file.read_at(-1, 1)) == f"{path}: Invalid argument at byte -1"


def test_reading_into_a_part_of_a_buffer_leaves_the_rest_alone(disk: Disk) -> None:
    disk.write(disk.root / "file", b"0123456789")
    target = bytearray(b"-" * 8)
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_into(4, memoryview(target)[2:5]) == 3
    assert target == b"--456---"


def test_a_read_longer_than_one_request_is_put_together(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walctl.fs.real.READ_BYTES_MAX", 7)
    content = bytes(range(50))
    disk.write(disk.root / "file", content)
    target = bytearray(60)
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_at(3, 60) == content[3:]
        assert file.read_at(3, 20) == content[3:23]
        assert file.read_into(1, memoryview(target)) == 49
    assert target == content[1:] + bytes(11)


def test_holes_read_as_zeros(disk: Disk) -> None:
    path = disk.root / "sparse"
    disk.write(path, b"head")
    disk.truncate(path, 3 * MIB)
    disk.write_at(path, 2 * MIB, b"tail")
    with disk.reader.open(path) as file:
        whole = file.read_at(0, 4 * MIB)
    assert whole == b"head" + bytes(2 * MIB - 4) + b"tail" + bytes(MIB - 4)


# A file that changes while it is read.


def test_an_open_file_outlives_its_name(disk: Disk) -> None:
    disk.write(disk.root / "renamed", b"renamed")
    disk.write(disk.root / "removed", b"removed")
    with (
        disk.reader.open(disk.root / "renamed") as renamed,
        disk.reader.open(disk.root / "removed") as removed,
    ):
        disk.rename(disk.root / "renamed", disk.root / "other")
        disk.remove(disk.root / "removed")
        disk.write(disk.root / "removed", b"another file")
        assert renamed.read_at(0, 99) == b"renamed"
        assert removed.read_at(0, 99) == b"removed"
        assert removed.stat().size == 7
    assert disk.reader.names(disk.root) == ["other", "removed"]


def test_a_rename_over_a_file_leaves_the_open_one_as_it_was(disk: Disk) -> None:
    disk.write(disk.root / "old", b"old")
    disk.write(disk.root / "new", b"new")
    with disk.reader.open(disk.root / "old") as old:
        disk.rename(disk.root / "new", disk.root / "old")
        assert old.read_at(0, 9) == b"old"
    with disk.reader.open(disk.root / "old") as new:
        assert new.read_at(0, 9) == b"new"


def test_a_renamed_file_keeps_its_inode_and_a_new_one_has_another(disk: Disk) -> None:
    disk.write(disk.root / "a", b"")
    disk.write(disk.root / "b", b"")
    first = disk.reader.stat(disk.root / "a").inode
    assert disk.reader.stat(disk.root / "b").inode != first
    disk.rename(disk.root / "a", disk.root / "c")
    assert disk.reader.stat(disk.root / "c").inode == first


def test_a_directory_renamed_takes_its_files_along(disk: Disk) -> None:
    disk.write(disk.root / "old" / "deep" / "file", b"123")
    disk.rename(disk.root / "old", disk.root / "new")
    assert disk.reader.stat(disk.root / "new" / "deep" / "file").size == 3
    assert not disk.reader.exists(disk.root / "old")


def test_growth_and_shrinkage_show_in_an_open_file(disk: Disk) -> None:
    path = disk.root / "file"
    disk.write(path, b"0123456789")
    with disk.reader.open(path) as file:
        disk.write_at(path, 10, b"ab")
        assert file.stat().size == 12
        assert file.read_at(8, 9) == b"89ab"
        disk.truncate(path, 4)
        assert file.stat().size == 4
        assert file.read_at(2, 9) == b"23"
        assert file.read_at(8, 9) == b""
        assert list(file.data_ranges(8, 99)) == []


@pytest.mark.parametrize("cut", [0, 3, PAGE - 1, PAGE, PAGE + 1])
def test_what_was_cut_off_reads_as_zeros_when_the_file_grows_again(disk: Disk, cut: int) -> None:
    path = disk.root / "file"
    disk.write(path, b"x" * (2 * PAGE))
    disk.truncate(path, cut)
    disk.truncate(path, 3 * PAGE)
    with disk.reader.open(path) as file:
        assert file.read_at(0, 4 * PAGE) == b"x" * cut + bytes(3 * PAGE - cut)


def test_ranges_end_when_the_file_is_cut_while_they_are_asked_for(disk: Disk) -> None:
    path = disk.root / "sparse"
    disk.write(path, b"x" * BLOCK)
    for position in (2, 4, 6):
        disk.write_at(path, position * MIB, b"x" * BLOCK)
    with disk.reader.open(path) as file:
        ranges = file.data_ranges(0, 8 * MIB)
        first = next(ranges)
        disk.truncate(path, 0)
        rest = list(ranges)
    assert first == (0, BLOCK)
    assert len(rest) <= 3


# Making what is new.


def test_a_new_file_holds_what_it_was_given_and_is_its_owners_alone(disk: Disk) -> None:
    data = bytes(range(256)) * 100
    disk.make_directory(disk.root / "folder")
    disk.reader.create(disk.root / "folder" / "new", data)
    disk.reader.create(disk.root / "folder" / "empty", b"")
    assert disk.reader.names(disk.root / "folder") == ["empty", "new"]
    with disk.reader.open(disk.root / "folder" / "new") as file:
        assert file.read_at(0, 1 << 20) == data
        assert file.stat().mode == 0o600
    assert disk.reader.stat(disk.root / "folder" / "empty").size == 0


def test_a_new_directory_is_empty_and_its_owners_alone(disk: Disk) -> None:
    disk.reader.make_dir(disk.root / "new")
    assert disk.reader.names(disk.root / "new") == []
    found = disk.reader.stat(disk.root / "new")
    assert (found.kind, found.mode) == (Kind.DIRECTORY, 0o700)


@pytest.mark.parametrize("taken", ["file", "folder", "pipe", "link", "dangling", "circle"])
def test_a_name_that_is_taken_stays_what_it_was(disk: Disk, taken: str) -> None:
    disk.write(disk.root / "file", b"old")
    disk.write(disk.root / "folder" / "inner", b"")
    disk.make_special(disk.root / "pipe")
    disk.link(disk.root / "link", Path("file"))
    disk.link(disk.root / "dangling", Path("nowhere"))
    disk.link(disk.root / "circle", Path("circle"))
    path = disk.root / taken
    before = disk.reader.stat(path)
    words = f"{path}: File exists"
    assert message_of(lambda: disk.reader.create(path, b"new")) == words
    assert message_of(lambda: disk.reader.make_dir(path)) == words
    assert disk.reader.stat(path) == before
    assert not disk.reader.exists(disk.root / "nowhere")
    with disk.reader.open(disk.root / "file") as file:
        assert file.read_at(0, 9) == b"old"


def test_nothing_is_made_where_no_directory_is(disk: Disk) -> None:
    disk.write(disk.root / "file", b"")
    disk.link(disk.root / "a", Path("b"))
    disk.link(disk.root / "b", Path("a"))
    reasons = {
        "missing/new": "No such file or directory",
        "file/new": "Not a directory",
        "a/new": "Too many levels of symbolic links",
    }
    for name, reason in reasons.items():
        path = disk.root / name
        assert message_of(partial(disk.reader.create, path, b"")) == f"{path}: {reason}"
        assert message_of(partial(disk.reader.make_dir, path)) == f"{path}: {reason}"


def test_a_new_file_may_lie_behind_a_link(disk: Disk) -> None:
    disk.make_directory(disk.root / "far")
    disk.link(disk.root / "near", Path("far"))
    disk.reader.create(disk.root / "near" / "new", b"123")
    assert disk.reader.names(disk.root / "far") == ["new"]


# Holes.


def test_data_ranges_step_over_holes(disk: Disk) -> None:
    path = disk.root / "sparse"
    disk.write(path, b"x" * BLOCK)
    disk.truncate(path, 8 * MIB)
    disk.write_at(path, 4 * MIB, b"x" * (2 * BLOCK))
    with disk.reader.open(path) as file:
        assert list(file.data_ranges(0, 8 * MIB)) == [(0, BLOCK), (4 * MIB, 4 * MIB + 2 * BLOCK)]


@pytest.mark.parametrize(
    ("start", "stop", "ranges"),
    [
        (5, 9, [(5, 9)]),
        (BLOCK - 1, 9 * MIB, [(BLOCK - 1, BLOCK), (4 * MIB, 4 * MIB + BLOCK)]),
        (BLOCK, 4 * MIB, []),
        (BLOCK, 4 * MIB + 1, [(4 * MIB, 4 * MIB + 1)]),
        (4 * MIB + BLOCK, 9 * MIB, []),
        (4 * MIB + 7, 4 * MIB + 7, []),
        (8, 3, []),
    ],
)
def test_data_ranges_stay_within_what_was_asked(
    disk: Disk, start: int, stop: int, ranges: list[tuple[int, int]]
) -> None:
    path = disk.root / "sparse"
    disk.write(path, b"x" * BLOCK)
    disk.truncate(path, 8 * MIB)
    disk.write_at(path, 4 * MIB, b"x" * BLOCK)
    with disk.reader.open(path) as file:
        assert list(file.data_ranges(start, stop)) == ranges


def test_a_file_without_holes_is_one_range_cut_at_its_end(disk: Disk) -> None:
    disk.write(disk.root / "file", b"x" * (3 * BLOCK + 5))
    with disk.reader.open(disk.root / "file") as file:
        assert list(file.data_ranges(0, 1 << 40)) == [(0, 3 * BLOCK + 5)]


def test_written_zeros_are_data_and_no_hole(disk: Disk) -> None:
    path = disk.root / "file"
    disk.write(path, bytes(4 * BLOCK))
    with disk.reader.open(path) as file:
        assert list(file.data_ranges(0, 4 * BLOCK)) == [(0, 4 * BLOCK)]


def test_an_empty_file_has_no_ranges(disk: Disk) -> None:
    disk.write(disk.root / "file", b"")
    with disk.reader.open(disk.root / "file") as file:
        assert list(file.data_ranges(0, 100)) == []


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 9 * PAGE), st.binary(min_size=1, max_size=9)),
        st.tuples(st.just("fill"), st.integers(0, 9 * PAGE), st.integers(1, 3 * PAGE)),
        st.tuples(st.just("cut"), st.integers(0, 12 * PAGE), st.none()),
    ),
    max_size=8,
)


@given(changes=CHANGES, start=st.integers(0, 10 * PAGE), size=st.integers(0, 10 * PAGE))
@settings(max_examples=60)
def test_a_disk_in_memory_holds_what_a_plain_byte_array_would(
    changes: list[tuple[str, int, object]], start: int, size: int
) -> None:
    disk = MemoryDisk()
    path = disk.root / "file"
    disk.write(path, b"")
    truth = bytearray()
    for verb, offset, what in changes:
        if verb == "cut":
            disk.truncate(path, offset)
            truth = bytearray(truth[:offset].ljust(offset, b"\0"))
            continue
        data = what if isinstance(what, bytes) else b"x" * (what if isinstance(what, int) else 0)
        disk.write_at(path, offset, data)
        truth = bytearray(truth.ljust(offset, b"\0"))
        truth[offset : offset + len(data)] = data
    with disk.reader.open(path) as file:
        assert file.stat().size == len(truth)
        assert file.read_at(start, size) == truth[start : start + size]
        ranges = list(file.data_ranges(start, start + size))
    assert_ranges_hold_all_data(ranges, bytes(truth), start=start, stop=start + size)


def assert_ranges_hold_all_data(
    ranges: list[tuple[int, int]], content: bytes, *, start: int, stop: int
) -> None:
    """Ascending, apart, inside `[start, stop)` and the file; outside them only zeros."""
    edges = [edge for each in ranges for edge in each]
    assert edges == sorted(set(edges))
    assert all(start <= edge <= min(stop, len(content)) for edge in edges)
    rest = bytearray(content[start:stop])
    for first, end in ranges:
        rest[first - start : end - start] = bytes(end - first)
    assert rest == bytes(len(rest))
