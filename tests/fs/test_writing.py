"""What every disk that may be written to keeps to: the real one and the one in memory."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fs.disks import Disk, MemoryDisk, RealDisk
from walctl.errors import AccessError
from walctl.fs.base import Kind
from walctl.fs.writable import Lock, WritableFileSystem

PAGE = 4096
MIB = 1 << 20


@pytest.fixture(params=["real", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else MemoryDisk()


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.message


def held(disk: Disk, name: str) -> bytes:
    with disk.reader.open(disk.root / name) as file:
        return file.read_at(0, 1 << 30)


def refused(disk: Disk, call: Callable[[], object], *names: str) -> str:
    """The reason that a call gives, behind the names that it has to give."""
    place = " -> ".join(str(disk.root / name) for name in names)
    words = message_of(call)
    assert words.startswith(f"{place}: ")
    return words.removeprefix(f"{place}: ")


def test_it_is_a_disk_that_may_be_written_to(disk: Disk) -> None:
    assert isinstance(disk.writer, WritableFileSystem)


# New files, and old ones.


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_a_new_file_is_empty_and_has_the_mode_that_was_asked_for(disk: Disk, mode: int) -> None:
    with disk.writer.create_file(disk.root / "new", mode=mode) as file:
        assert file.path == disk.root / "new"
        assert (file.stat().size, file.stat().mode) == (0, mode)
        file.write_at(0, b"123")
        assert file.read_at(0, 9) == b"123"
    assert held(disk, "new") == b"123"


@pytest.mark.parametrize("taken", ["file", "folder", "pipe", "link", "dangling"])
def test_a_new_file_takes_nobodys_name(disk: Disk, taken: str) -> None:
    disk.write(disk.root / "file", b"old")
    disk.make_directory(disk.root / "folder")
    disk.make_special(disk.root / "pipe")
    disk.link(disk.root / "link", Path("file"))
    disk.link(disk.root / "dangling", Path("nowhere"))
    call = partial(disk.writer.create_file, disk.root / taken)
    assert refused(disk, call, taken) == "File exists"
    assert held(disk, "file") == b"old"
    assert not disk.reader.exists(disk.root / "nowhere")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "No such file or directory"),
        ("file/below", "Not a directory"),
        ("folder", "Is a directory"),
        ("pipe", "Not a plain file"),
        ("link", "Is a symbolic link"),
        ("dangling", "Is a symbolic link"),
    ],
)
def test_only_a_plain_file_is_opened_to_be_written(disk: Disk, name: str, reason: str) -> None:
    disk.write(disk.root / "file", b"old")
    disk.make_directory(disk.root / "folder")
    disk.make_special(disk.root / "pipe")
    disk.link(disk.root / "link", Path("file"))
    disk.link(disk.root / "dangling", Path("nowhere"))
    call = partial(disk.writer.open_file, disk.root / name)
    assert refused(disk, call, name) == reason


def test_a_file_opened_to_be_written_keeps_what_it_held(disk: Disk) -> None:
    disk.write(disk.root / "file", b"0123456789")
    with disk.writer.open_file(disk.root / "file") as file:
        file.write_at(3, memoryview(b"-ab-")[1:3])
        file.write_at(5, b"")
        file.sync()
    assert held(disk, "file") == b"012ab56789"


def test_a_gap_behind_the_end_becomes_a_hole(disk: Disk) -> None:
    with disk.writer.create_file(disk.root / "file") as file:
        file.write_at(0, b"head")
        file.write_at(2 * MIB, b"tail")
        assert list(file.data_ranges(0, 3 * MIB)) == [(0, PAGE), (2 * MIB, 2 * MIB + 4)]
    assert held(disk, "file") == b"head" + bytes(2 * MIB - 4) + b"tail"


def test_a_file_is_cut_and_lengthened_and_what_was_cut_off_is_gone(disk: Disk) -> None:
    disk.write(disk.root / "file", b"x" * 100)
    with disk.writer.open_file(disk.root / "file") as file:
        file.truncate(10)
        file.truncate(50)
        file.truncate(50)
    assert held(disk, "file") == b"x" * 10 + bytes(40)


def test_allocating_lengthens_a_file_and_never_shortens_it(disk: Disk) -> None:
    disk.write(disk.root / "file", b"x" * 100)
    with disk.writer.open_file(disk.root / "file") as file:
        file.allocate(10)
        assert file.stat().size == 100
        file.allocate(MIB)
        assert file.stat().size == MIB
        assert file.stat().allocated_bytes == MIB
        file.allocate(0)
        assert file.read_at(0, 101) == b"x" * 100 + b"\0"
        # Reserved is not written: a scan need not read what nobody wrote.
        assert list(file.data_ranges(0, MIB)) == [(0, PAGE)]
        file.truncate(PAGE)
        assert file.stat().allocated_bytes == PAGE


def test_an_offset_that_no_file_reaches_is_an_error_with_its_place(disk: Disk) -> None:
    huge = 1 << 63
    path = disk.root / "file"
    with disk.writer.create_file(path) as file:
        assert (
            message_of(lambda: file.write_at(huge, b"1"))
            == f"{path}: File too large at byte {huge}"
        )
        assert message_of(lambda: file.write_at(-1, b"1")) == f"{path}: Invalid argument at byte -1"
        assert message_of(lambda: file.truncate(huge)) == f"{path}: File too large"
        assert message_of(lambda: file.truncate(-1)) == f"{path}: Invalid argument"
        assert message_of(lambda: file.allocate(huge)) == f"{path}: File too large"
        assert message_of(lambda: file.allocate(-1)) == f"{path}: Invalid argument"
        assert file.stat().size == 0


def test_a_closed_file_is_not_written_nor_is_the_one_opened_after_it(disk: Disk) -> None:
    with disk.writer.create_file(disk.root / "first") as first:
        pass
    with disk.writer.create_file(disk.root / "second") as second:
        calls: list[Callable[[], object]] = [
            lambda: first.write_at(0, b"1"),
            lambda: first.truncate(9),
            lambda: first.allocate(9),
            first.sync,
            lambda: first.lock(Lock.FLOCK),
            lambda: first.lock(Lock.RECORD),
        ]
        for call in calls:
            assert refused(disk, call, "first").startswith("Bad file descriptor")
        assert not first.is_locked()
        assert second.stat().size == 0


def test_an_open_file_is_written_wherever_its_name_goes(disk: Disk) -> None:
    with disk.writer.create_file(disk.root / "before") as file:
        disk.writer.rename(disk.root / "before", disk.root / "after")
        file.write_at(0, b"123")
        assert held(disk, "after") == b"123"
        disk.writer.remove(disk.root / "after")
        file.write_at(3, b"456")
        assert file.read_at(0, 9) == b"123456"
    assert disk.reader.names(disk.root) == []


# Names.


def test_a_rename_replaces_a_file_in_one_step(disk: Disk) -> None:
    disk.write(disk.root / "new", b"new")
    disk.write(disk.root / "old", b"old")
    disk.writer.rename(disk.root / "new", disk.root / "old")
    assert disk.reader.names(disk.root) == ["old"]
    assert held(disk, "old") == b"new"


def test_a_link_is_renamed_replaced_and_removed_but_never_followed(disk: Disk) -> None:
    disk.write(disk.root / "file", b"1")
    disk.link(disk.root / "link", Path("file"))
    disk.writer.rename(disk.root / "link", disk.root / "moved")
    assert disk.writer.attributes(disk.root / "moved").is_link
    disk.writer.remove(disk.root / "moved")
    assert disk.reader.names(disk.root) == ["file"]
    disk.link(disk.root / "link", Path("file"))
    disk.write(disk.root / "new", b"2")
    disk.writer.rename(disk.root / "new", disk.root / "link")
    assert not disk.writer.attributes(disk.root / "link").is_link
    assert (held(disk, "file"), held(disk, "link")) == (b"1", b"2")


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("missing", "new", "No such file or directory"),
        ("file", "missing/new", "No such file or directory"),
        ("file", "file/new", "Not a directory"),
        ("file", "empty", "Is a directory"),
        ("full", "file", "Not a directory"),
        ("empty", "full", "Directory not empty"),
        ("full", "full/inner/new", "Invalid argument"),
        ("full/inner", "full", "Directory not empty"),
        ("full/inner/file", "full", "Directory not empty"),
    ],
)
def test_a_rename_that_makes_no_sense_is_refused_and_changes_nothing(
    disk: Disk, source: str, target: str, reason: str
) -> None:
    disk.write(disk.root / "file", b"1")
    disk.make_directory(disk.root / "empty")
    disk.write(disk.root / "full" / "inner" / "file", b"2")
    call = partial(disk.writer.rename, disk.root / source, disk.root / target)
    assert refused(disk, call, source, target) == reason
    assert disk.reader.names(disk.root) == ["empty", "file", "full"]
    assert (held(disk, "file"), held(disk, "full/inner/file")) == (b"1", b"2")


def test_a_directory_may_take_the_name_of_an_empty_one(disk: Disk) -> None:
    disk.write(disk.root / "full" / "file", b"1")
    disk.make_directory(disk.root / "empty")
    disk.writer.rename(disk.root / "full", disk.root / "empty")
    assert disk.reader.names(disk.root) == ["empty"]
    assert held(disk, "empty/file") == b"1"


def test_an_exchange_changes_what_two_names_stand_for(disk: Disk) -> None:
    disk.write(disk.root / "member" / "wal" / "1", b"old")
    disk.write(disk.root / "beside" / "2", b"new")
    before = disk.reader.stat(disk.root / "member" / "wal").inode
    disk.writer.exchange(disk.root / "member" / "wal", disk.root / "beside")
    assert held(disk, "member/wal/2") == b"new"
    assert held(disk, "beside/1") == b"old"
    assert disk.reader.stat(disk.root / "beside").inode == before


def test_a_file_and_a_directory_and_a_link_can_be_exchanged(disk: Disk) -> None:
    disk.write(disk.root / "a", b"1")
    disk.write(disk.root / "b" / "file", b"2")
    disk.link(disk.root / "c", Path("nowhere"))
    disk.writer.exchange(disk.root / "a", disk.root / "b")
    disk.writer.exchange(disk.root / "b", disk.root / "c")
    assert held(disk, "a/file") == b"2"
    assert disk.writer.attributes(disk.root / "b").is_link
    assert held(disk, "c") == b"1"
    disk.writer.exchange(disk.root / "c", disk.root / "c")
    assert held(disk, "c") == b"1"


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("full", "missing", "No such file or directory"),
        ("missing", "full", "No such file or directory"),
        ("full", "full/file", "Invalid argument"),
        ("full/file", "full", "Invalid argument"),
    ],
)
def test_an_exchange_that_cannot_be_changes_nothing(
    disk: Disk, first: str, second: str, reason: str
) -> None:
    disk.write(disk.root / "full" / "file", b"1")
    call = partial(disk.writer.exchange, disk.root / first, disk.root / second)
    assert refused(disk, call, first, second) == reason
    assert held(disk, "full/file") == b"1"
    assert disk.reader.names(disk.root) == ["full"]


def test_a_second_name_is_the_same_file(disk: Disk) -> None:
    disk.write(disk.root / "one", b"1")
    disk.writer.hard_link(disk.root / "one", disk.root / "two")
    assert disk.writer.attributes(disk.root / "one").links == 2
    assert disk.reader.stat(disk.root / "one").inode == disk.reader.stat(disk.root / "two").inode
    disk.write_at(disk.root / "one", 1, b"2")
    assert held(disk, "two") == b"12"
    # To the system this is one file already, and it does nothing.
    disk.writer.rename(disk.root / "one", disk.root / "two")
    assert disk.reader.names(disk.root) == ["one", "two"]
    disk.writer.remove(disk.root / "one")
    assert disk.writer.attributes(disk.root / "two").links == 1
    assert held(disk, "two") == b"12"


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("missing", "new", "No such file or directory"),
        ("folder", "new", "Is a directory"),
        ("link", "new", "Is a symbolic link"),
        ("file", "link", "File exists"),
        ("file", "missing/new", "No such file or directory"),
    ],
)
def test_only_a_plain_file_gets_a_second_name_that_is_new(
    disk: Disk, source: str, target: str, reason: str
) -> None:
    disk.write(disk.root / "file", b"1")
    disk.make_directory(disk.root / "folder")
    disk.link(disk.root / "link", Path("file"))
    call = partial(disk.writer.hard_link, disk.root / source, disk.root / target)
    assert refused(disk, call, source, target) == reason
    assert disk.writer.attributes(disk.root / "file").links == 1


def test_names_are_taken_away_by_the_call_that_is_for_them(disk: Disk) -> None:
    disk.write(disk.root / "full" / "file", b"1")
    disk.make_directory(disk.root / "empty")
    disk.make_special(disk.root / "pipe")
    remove, remove_dir = disk.writer.remove, disk.writer.remove_dir
    assert refused(disk, lambda: remove(disk.root / "empty"), "empty") == "Is a directory"
    words = refused(disk, lambda: remove_dir(disk.root / "full/file"), "full/file")
    assert words == "Not a directory"
    assert refused(disk, lambda: remove_dir(disk.root / "full"), "full") == "Directory not empty"
    for call, name in ((remove, "no"), (remove_dir, "no")):
        assert refused(disk, partial(call, disk.root / name), name) == "No such file or directory"
    remove(disk.root / "full" / "file")
    remove(disk.root / "pipe")
    remove_dir(disk.root / "full")
    remove_dir(disk.root / "empty")
    assert disk.reader.names(disk.root) == []


def test_only_a_directory_is_synced_as_one(disk: Disk) -> None:
    disk.write(disk.root / "file", b"")
    disk.writer.sync_dir(disk.root)
    missing = disk.root / "missing"
    words = refused(disk, lambda: disk.writer.sync_dir(missing), "missing")
    assert words == "No such file or directory"
    words = refused(disk, lambda: disk.writer.sync_dir(disk.root / "file"), "file")
    assert words == "Not a directory"


# Attributes.


def test_attributes_are_of_the_name_itself(disk: Disk) -> None:
    disk.write(disk.root / "folder" / "file", b"1")
    disk.link(disk.root / "link", Path("folder/file"))
    file = disk.writer.attributes(disk.root / "folder" / "file")
    folder = disk.writer.attributes(disk.root / "folder")
    link = disk.writer.attributes(disk.root / "link")
    assert (file.is_link, file.is_directory, file.links) == (False, False, 1)
    assert (folder.is_link, folder.is_directory) == (False, True)
    assert (link.is_link, link.is_directory) == (True, False)
    assert file.device == folder.device == link.device
    assert file.mtime_ns == disk.reader.stat(disk.root / "folder" / "file").mtime_ns
    missing = disk.root / "missing"
    words = refused(disk, lambda: disk.writer.attributes(missing), "missing")
    assert words == "No such file or directory"


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY])
def test_what_another_had_is_given_to_the_last_bit(disk: Disk, kind: Kind) -> None:
    for name in ("old", "new"):
        if kind is Kind.FILE:
            disk.write(disk.root / name, b"1")
        else:
            disk.make_directory(disk.root / name)
    wanted = replace(
        disk.writer.attributes(disk.root / "old"),
        mode=0o705,
        mtime_ns=1_600_000_000_123_456_789,
        extended=(("user.a", b"\0\xff"), ("user.b", b"")),
    )
    disk.writer.set_attributes(disk.root / "old", wanted)
    found = disk.writer.attributes(disk.root / "old")
    assert found == wanted
    disk.writer.set_attributes(disk.root / "new", found)
    assert disk.writer.attributes(disk.root / "new") == wanted
    disk.writer.set_attributes(disk.root / "new", found)
    assert disk.writer.attributes(disk.root / "new") == wanted


def test_attributes_are_given_to_no_link_and_to_nothing_special(disk: Disk) -> None:
    disk.write(disk.root / "file", b"1")
    disk.link(disk.root / "link", Path("file"))
    disk.make_special(disk.root / "pipe")
    wanted = disk.writer.attributes(disk.root / "file")
    for name, reason in (("link", "Is a symbolic link"), ("pipe", "Not a plain file")):
        call = partial(disk.writer.set_attributes, disk.root / name, wanted)
        assert refused(disk, call, name) == reason


def test_there_is_room_on_what_is_there(disk: Disk) -> None:
    assert disk.writer.free_bytes(disk.root) > 0
    call = partial(disk.writer.free_bytes, disk.root / "missing")
    assert refused(disk, call, "missing") == "No such file or directory"


# Locks.


@pytest.mark.parametrize("kind", list(Lock))
def test_a_lock_keeps_every_other_open_file_out_until_it_is_closed(disk: Disk, kind: Lock) -> None:
    disk.write(disk.root / "file", b"1")
    first = disk.writer.open_file(disk.root / "file")
    first.lock(kind)
    first.lock(kind)
    with disk.writer.open_file(disk.root / "file") as second:
        assert refused(disk, lambda: second.lock(kind), "file") == "Locked by another process"
        first.close()
        second.lock(kind)


def test_the_two_locks_do_not_see_each_other(disk: Disk) -> None:
    disk.write(disk.root / "file", b"1")
    with (
        disk.writer.open_file(disk.root / "file") as first,
        disk.writer.open_file(disk.root / "file") as second,
    ):
        first.lock(Lock.RECORD)
        second.lock(Lock.FLOCK)


def test_only_another_files_record_lock_shows_when_asked_about(disk: Disk) -> None:
    disk.write(disk.root / "file", b"1")
    with (
        disk.writer.open_file(disk.root / "file") as owner,
        disk.writer.open_file(disk.root / "file") as other,
        disk.reader.open(disk.root / "file") as reader,
    ):
        owner.lock(Lock.FLOCK)
        assert not other.is_locked()
        owner.lock(Lock.RECORD)
        assert (owner.is_locked(), other.is_locked(), reader.is_locked()) == (False, True, True)
        owner.close()
        assert (other.is_locked(), reader.is_locked()) == (False, False)


# One against the other.

NAMES = ("a", "b", "d/a", "d/b", "d", "e", "e/a", "l")

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("create_file"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("make_dir"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("exchange"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("hard_link"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("remove_dir"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("open_file"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("open"), st.sampled_from(NAMES), st.none()),
    ),
    max_size=12,
)


def done(disk: Disk, operation: str, first: str, second: str | None) -> str:
    """What a disk says to an operation: a reason without the place of the disk, or nothing."""
    paths = [disk.root / name for name in (first, second) if name is not None]
    try:
        result = getattr(disk.writer, operation)(*paths)
    except AccessError as error:
        return error.message.replace(str(disk.root), "")
    if result is not None:
        result.close()
    return ""


def tree(disk: Disk) -> list[tuple[str, Kind, int]]:
    found = []
    waiting = [""]
    while waiting:
        name = waiting.pop()
        for each in disk.reader.names(disk.root / name):
            path = f"{name}/{each}" if name else each
            kind = disk.reader.stat(disk.root / path).kind
            is_link = disk.writer.attributes(disk.root / path).is_link
            links = disk.writer.attributes(disk.root / path).links if kind is Kind.FILE else 0
            found.append((path, kind, links))
            if kind is Kind.DIRECTORY and not is_link:
                waiting.append(path)
    return sorted(found)


@given(operations=OPERATIONS)
@settings(max_examples=150, deadline=None)
def test_both_disks_say_the_same_to_any_operations_and_end_up_alike(
    operations: list[tuple[str, str, str | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        real, memory = RealDisk(Path(folder)), MemoryDisk()
        for disk in (real, memory):
            disk.write(disk.root / "a", b"1")
            disk.write(disk.root / "d" / "a", b"2")
            disk.link(disk.root / "l", Path("d"))
        for operation in operations:
            assert done(memory, *operation) == done(real, *operation)
        assert tree(memory) == tree(real)
