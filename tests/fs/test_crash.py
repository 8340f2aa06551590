"""What a power cut may leave on the disk in memory: every outcome of small histories, by name."""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walctl.errors import AccessError, UsageError
from walctl.fs.crash import KEPT, LOST, First, Sampled, These
from walctl.fs.faults import KillAt
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.words import IO_ERROR
from walctl.fs.writable import Attributes, Lock

FILE = Path("/d/file")
NEW = Path("/d/new")
SECTOR = 512
MANY = 100_000

Everything = dict[Path, bytes | Path | None]


def holding(data: bytes = b"old") -> MemoryFileSystem:
    return MemoryFileSystem({FILE: data})


def write(disk: MemoryFileSystem, path: Path, offset: int, data: bytes) -> None:
    with disk.open_file(path) as file:
        file.write_at(offset, data)


def sync(disk: MemoryFileSystem, path: Path) -> None:
    with disk.open_file(path) as file:
        file.sync()


def make(disk: MemoryFileSystem, path: Path, data: bytes, *, is_synced: bool = False) -> None:
    with disk.create_file(path) as file:
        file.write_at(0, data)
        if is_synced:
            file.sync()


def ends(disk: MemoryFileSystem, *, torn: bool = True) -> list[Everything]:
    """What is there after every crash; no two are alike."""
    found = [disk.crash(each).everything() for each in disk.outcomes(count_max=MANY, torn=torn)]
    assert len({repr(each) for each in found}) == len(found)
    return found


def contents(disk: MemoryFileSystem, path: Path = FILE, *, torn: bool = True) -> set[object]:
    """What one file holds after every crash, `MISSING` where it is not there."""
    return {each.get(path, MISSING) for each in ends(disk, torn=torn)}


MISSING = "missing"


# Bytes of one file.


def test_what_was_not_synced_is_lost_and_what_was_is_not() -> None:
    disk = holding()
    write(disk, FILE, 0, b"new")
    assert disk.crash().everything()[FILE] == b"old"
    assert disk.crash(KEPT).everything()[FILE] == b"new"
    sync(disk, FILE)
    assert contents(disk) == {b"new"}


def test_a_write_within_one_sector_is_there_or_not() -> None:
    disk = holding()
    write(disk, FILE, 1, b"NE")
    assert contents(disk) == {b"old", b"oNE"}


def test_the_sectors_of_a_write_survive_each_on_its_own() -> None:
    disk = holding(b"-" * (3 * SECTOR))
    write(disk, FILE, 0, b"x" * (3 * SECTOR))
    wanted = {b"".join(each * SECTOR for each in mix) for mix in product((b"-", b"x"), repeat=3)}
    assert contents(disk) == wanted
    assert contents(disk, torn=False) == {b"-" * (3 * SECTOR), b"x" * (3 * SECTOR)}


def test_a_write_tears_where_sectors_meet_and_not_where_it_begins() -> None:
    disk = holding(b"-" * (2 * SECTOR))
    write(disk, FILE, SECTOR - 2, b"abcd")
    left, right = b"-" * (SECTOR - 2), b"-" * (SECTOR - 2)
    wanted = {left + mid + right for mid in (b"----", b"ab--", b"--cd", b"abcd")}
    assert contents(disk) == wanted


def test_two_writes_to_one_sector_keep_their_order() -> None:
    disk = holding(b"----")
    write(disk, FILE, 0, b"a")
    write(disk, FILE, 2, b"b")
    assert contents(disk) == {b"----", b"a---", b"a-b-"}


def test_two_writes_to_two_sectors_do_not() -> None:
    disk = holding(b"-" * (2 * SECTOR))
    write(disk, FILE, 0, b"a")
    write(disk, FILE, SECTOR, b"b")
    found = {(data[0:1], data[SECTOR : SECTOR + 1]) for data in map(bytes_of, contents(disk))}
    assert found == {(b"-", b"-"), (b"a", b"-"), (b"-", b"b"), (b"a", b"b")}


def bytes_of(data: object) -> bytes:
    assert isinstance(data, bytes)
    return data


def test_a_file_that_grew_may_have_its_size_without_its_bytes() -> None:
    disk = holding()
    write(disk, FILE, 3, b"new")
    assert contents(disk) == {b"old", b"old\0\0\0", b"oldnew"}


def test_a_write_over_the_end_may_survive_up_to_the_old_end_alone() -> None:
    disk = holding(b"-" * SECTOR)
    write(disk, FILE, SECTOR - 1, b"ab")
    old = b"-" * (SECTOR - 1)
    assert contents(disk) == {
        old + b"-",
        old + b"a",
        old + b"-\0",
        old + b"a\0",
        old + b"-b",
        old + b"ab",
    }


def test_sizes_keep_their_order() -> None:
    disk = holding(b"12345678")
    with disk.open_file(FILE) as file:
        file.truncate(2)
        file.truncate(4)
        file.truncate(3)
    assert contents(disk) == {b"12345678", b"12", b"12\0\0", b"12\0"}


def test_what_is_written_behind_a_cut_survives_only_with_the_cut() -> None:
    disk = holding(b"12345678")
    with disk.open_file(FILE) as file:
        file.truncate(2)
        file.write_at(4, b"x")
    assert contents(disk) == {b"12345678", b"12", b"12\0\0\0", b"12\0\0x"}


def test_a_cut_may_survive_without_what_was_written_before_it() -> None:
    disk = holding(b"12345678")
    with disk.open_file(FILE) as file:
        file.write_at(0, b"x")
        file.truncate(2)
    assert contents(disk) == {b"12345678", b"x2345678", b"12", b"x2"}


def test_allocated_room_may_be_lost_and_then_so_is_all_that_was_written_there() -> None:
    disk = holding(b"")
    with disk.open_file(FILE) as file:
        file.allocate(2 * SECTOR)
        file.write_at(0, b"a")
    assert contents(disk) == {b"", bytes(2 * SECTOR), b"a" + bytes(2 * SECTOR - 1)}


def test_a_sync_is_of_one_file_only() -> None:
    disk = MemoryFileSystem({FILE: b"old", Path("/d/other"): b"old"})
    write(disk, FILE, 0, b"new")
    write(disk, Path("/d/other"), 0, b"new")
    sync(disk, FILE)
    assert contents(disk) == {b"new"}
    assert contents(disk, Path("/d/other")) == {b"old", b"new"}


def test_what_a_failing_sync_did_not_sync_may_be_lost() -> None:
    disk = holding()
    write(disk, FILE, 0, b"new")
    disk.fail(FILE, IO_ERROR, Call.SYNC)
    with pytest.raises(AccessError):
        sync(disk, FILE)
    assert contents(disk) == {b"old", b"new"}


# Names.


def test_a_new_file_may_be_missing_empty_zeros_or_whole() -> None:
    disk = holding()
    make(disk, NEW, b"new")
    assert contents(disk, NEW) == {MISSING, b"", b"\0\0\0", b"new"}


def test_a_synced_file_whose_directory_was_not_synced_may_be_missing_but_never_half() -> None:
    disk = holding()
    make(disk, NEW, b"new", is_synced=True)
    assert contents(disk, NEW) == {MISSING, b"new"}
    disk.sync_dir(NEW.parent)
    assert contents(disk, NEW) == {b"new"}


def test_a_synced_name_of_a_file_that_was_not_synced_may_stand_for_nothing() -> None:
    disk = holding()
    make(disk, NEW, b"new")
    disk.sync_dir(NEW.parent)
    assert contents(disk, NEW) == {b"", b"\0\0\0", b"new"}


def test_a_rename_is_there_or_not_and_never_leaves_a_name_without_a_file() -> None:
    disk = holding()
    make(disk, NEW, b"new", is_synced=True)
    disk.sync_dir(NEW.parent)
    disk.rename(NEW, FILE)
    assert ends(disk) == [
        {Path("/d"): None, FILE: b"old", NEW: b"new"},
        {Path("/d"): None, FILE: b"new"},
    ]


def test_a_rename_may_outlive_the_bytes_of_its_file() -> None:
    disk = holding()
    make(disk, NEW, b"new")
    disk.rename(NEW, FILE)
    assert contents(disk) == {b"old", b"", b"\0\0\0", b"new"}


def test_an_exchange_happens_to_both_names_or_to_none() -> None:
    disk = MemoryFileSystem({Path("/m/wal/a"): b"old", Path("/m/new/b"): b"new"})
    disk.exchange(Path("/m/wal"), Path("/m/new"))
    both = [sorted(map(str, each)) for each in ends(disk)]
    assert both == [
        ["/m", "/m/new", "/m/new/b", "/m/wal", "/m/wal/a"],
        ["/m", "/m/new", "/m/new/a", "/m/wal", "/m/wal/b"],
    ]
    disk.sync_dir(Path("/m/wal"))
    assert len(ends(disk)) == 2
    disk.sync_dir(Path("/m"))
    assert [sorted(map(str, each)) for each in ends(disk)] == both[1:]


def test_the_changes_of_one_directory_keep_their_order() -> None:
    disk = MemoryFileSystem()
    for name in ("a", "b", "c"):
        disk.make_dir(Path("/") / name)
    disk.remove_dir(Path("/a"))
    assert [disk.crash(each).names(Path("/")) for each in disk.outcomes(count_max=9)] == [
        [],
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
        ["b", "c"],
    ]


def test_two_directories_keep_no_order_between_them() -> None:
    disk = MemoryFileSystem({Path("/a/file"): b"", Path("/b/file"): b""})
    disk.remove(Path("/a/file"))
    disk.remove(Path("/b/file"))
    found = {(Path("/a/file") in each, Path("/b/file") in each) for each in ends(disk)}
    assert found == {(True, True), (True, False), (False, True), (False, False)}


def test_a_move_between_two_directories_keeps_its_place_in_both() -> None:
    disk = MemoryFileSystem({Path("/a/file"): b"1"})
    disk.make_directory(Path("/b"))
    disk.make_dir(Path("/b/before"))
    disk.rename(Path("/a/file"), Path("/b/file"))
    disk.make_dir(Path("/a/after"))
    wanted = [
        ["a/file"],
        ["a/file", "b/before"],
        ["b/before", "b/file"],
        ["a/after", "b/before", "b/file"],
    ]
    assert inner_names(disk) == wanted
    # Synced where it came from, it is there where it went, with what had to come before it there.
    disk.sync_dir(Path("/a"))
    assert inner_names(disk) == wanted[-1:]


def inner_names(disk: MemoryFileSystem) -> list[list[str]]:
    """Names below the first level, after each crash."""
    return [sorted(str(path)[1:] for path in each if len(path.parts) > 2) for each in ends(disk)]


def test_a_synced_directory_without_a_synced_name_is_gone_with_all_that_is_in_it() -> None:
    disk = MemoryFileSystem()
    disk.make_dir(Path("/new"))
    make(disk, Path("/new/file"), b"1", is_synced=True)
    disk.sync_dir(Path("/new"))
    assert [sorted(map(str, each)) for each in ends(disk)] == [[], ["/new", "/new/file"]]


def test_a_removed_file_may_come_back_with_any_of_its_bytes() -> None:
    disk = holding()
    write(disk, FILE, 0, b"new")
    disk.remove(FILE)
    assert contents(disk) == {MISSING, b"old", b"new"}


def test_two_names_of_one_file_share_its_bytes_after_the_crash() -> None:
    disk = holding()
    disk.hard_link(FILE, NEW)
    write(disk, FILE, 0, b"new")
    assert {(each[FILE], each.get(NEW)) for each in ends(disk)} == {
        (b"old", None),
        (b"new", None),
        (b"old", b"old"),
        (b"new", b"new"),
    }
    after = disk.crash(KEPT)
    assert after.attributes(FILE).links == 2
    assert disk.crash().attributes(FILE).links == 1


def test_attributes_survive_as_they_were_set() -> None:
    disk = holding()
    disk.set_attributes(FILE, Attributes(mode=0o640, uid=3, extended=(("user.a", b"1"),)))
    found = disk.crash().attributes(FILE)
    assert (found.mode, found.uid, found.extended) == (0o640, 3, (("user.a", b"1"),))


# The disk afterwards.


def test_the_disk_after_a_crash_is_another_one() -> None:
    disk = holding()
    disk.fail_reads(FILE, 1, 2)
    file = disk.open_file(FILE)
    file.lock(Lock.RECORD)
    file.write_at(0, b"new")
    after = disk.crash(KEPT)
    with after.open_file(FILE) as reopened:
        reopened.lock(Lock.RECORD)
        reopened.write_at(0, b"x")
        with pytest.raises(AccessError):
            reopened.read_at(0, 3)
    assert disk.everything()[FILE] == b"new"
    assert (after.everything()[FILE], after.crash().everything()[FILE]) == (b"xew", b"new")
    assert disk.crash().everything()[FILE] == b"old"
    make(after, NEW, b"")
    make(disk, NEW, b"")
    assert after.stat(NEW).inode not in {after.stat(FILE).inode, after.stat(NEW.parent).inode}


def test_what_the_owner_does_is_durable_at_once() -> None:
    disk = MemoryFileSystem()
    disk.write(FILE, b"1")
    disk.write_at(FILE, 1, b"2")
    disk.truncate(FILE, 5)
    disk.link(Path("/e/link"), FILE)
    disk.make_special(Path("/e/pipe"))
    disk.mount(Path("/mnt/other"))
    assert disk.crash().everything() == disk.everything()
    assert len(ends(disk)) == 1


def test_a_crash_costs_no_second_copy_of_what_was_synced() -> None:
    disk = holding(b"x" * 100_000)
    after = disk.crash()
    with disk.open(FILE) as before, after.open(FILE) as later:
        assert before.read_at(0, MANY) == later.read_at(0, MANY)
    pages = [each._tree.plain(FILE).contents.pages for each in (disk, after)]
    assert all(pages[0][number] is pages[1][number] for number in pages[0])


# Choosing.


def history() -> MemoryFileSystem:
    """Seven operations that were not synced: three of names, four of bytes."""
    disk = holding(b"-" * (2 * SECTOR))
    write(disk, FILE, 0, b"a" * (2 * SECTOR))
    make(disk, NEW, b"new")
    write(disk, FILE, 5, b"b")
    disk.rename(NEW, Path("/d/newer"))
    disk.make_dir(Path("/d/folder"))
    write(disk, Path("/d/newer"), 1, b"E")
    return disk


def test_the_first_operations_survive_in_the_order_of_the_program() -> None:
    disk = history()
    found = [disk.crash(First(count)).everything() for count in range(8)]
    assert found[0] == disk.crash(LOST).everything()
    assert found[7] == disk.crash(KEPT).everything() == disk.everything()
    assert [each.get(NEW) for each in found] == [None, None, b"", b"new", b"new", None, None, None]
    assert found[4][FILE] == b"aaaaab" + b"a" * (2 * SECTOR - 6)
    assert found[6][Path("/d/newer")] == b"new"
    assert len({repr(each) for each in found}) == 8


def test_a_seed_always_gives_the_same_crash_and_seeds_reach_every_outcome() -> None:
    disk = holding(b"-" * (2 * SECTOR))
    write(disk, FILE, 0, b"a" * (2 * SECTOR))
    make(disk, NEW, b"new")
    wanted = {repr(each) for each in ends(disk)}
    found = [repr(disk.crash(Sampled(seed)).everything()) for seed in range(500)]
    assert [repr(disk.crash(Sampled(seed)).everything()) for seed in range(50)] == found[:50]
    assert (set(found), len(wanted)) == (wanted, 4 * 4)


def test_what_cannot_survive_alone_does_not() -> None:
    disk = holding(b"----")
    write(disk, FILE, 0, b"a")
    write(disk, FILE, 2, b"b")
    assert disk.crash(These(frozenset({1}))).everything()[FILE] == b"----"
    assert disk.crash(These(frozenset({0, 7}))).everything()[FILE] == b"a---"


def test_too_many_outcomes_are_an_error_and_not_some_of_them() -> None:
    disk = history()
    count = len(ends(disk))
    assert len(list(disk.outcomes(count_max=count))) == count
    found: list[These] = []
    with pytest.raises(UsageError, match=f"more than {count - 1} outcomes"):
        found.extend(disk.outcomes(count_max=count - 1))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("abc"), st.integers(0, 3 * SECTOR)),
        st.tuples(st.just("truncate"), st.sampled_from("abc"), st.integers(0, 3 * SECTOR)),
        st.tuples(st.just("allocate"), st.sampled_from("abc"), st.integers(0, 3 * SECTOR)),
        st.tuples(st.just("create"), st.sampled_from(("c", "d/a", "d/b")), st.just(0)),
        st.tuples(st.just("rename"), st.sampled_from(("a", "b", "d/a")), st.sampled_from((0, 1))),
        st.tuples(st.just("exchange"), st.sampled_from(("a", "d/a")), st.just(0)),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("sync"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("sync_dir"), st.sampled_from(("", "d")), st.just(0)),
    ),
    max_size=6,
)


def after_steps(steps: list[tuple[str, str, int]]) -> MemoryFileSystem:
    """A disk on which these were tried; what makes no sense there was refused."""
    disk = MemoryFileSystem({Path("/a"): b"a" * 700, Path("/b"): b"b", Path("/d/x"): b""})
    for position, (step, name, value) in enumerate(steps):
        path = Path("/") / name
        try:
            match step:
                case "write":
                    write(disk, path, value, bytes([65 + position]) * 300)
                case "truncate" | "allocate":
                    with disk.open_file(path) as file:
                        getattr(file, step)(value)
                case "create":
                    make(disk, path, bytes([97 + position]) * 9)
                case "rename":
                    disk.rename(path, Path(("/d/b", "/b")[value]))
                case "exchange":
                    disk.exchange(path, Path("/b"))
                case "sync":
                    sync(disk, path)
                case _:
                    getattr(disk, step)(path)
        except AccessError:
            pass
    return disk


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_the_outcomes_are_those_of_all_sets_of_atoms(steps: list[tuple[str, str, int]]) -> None:
    disk = after_steps(steps)
    count = max((max(each.positions, default=-1) for each in outcomes_of(disk)), default=-1) + 1
    if count > 9:
        return
    subsets = [each for size in range(count + 1) for each in combinations(range(count), size)]
    wanted = {repr(disk.crash(These(frozenset(each))).everything()) for each in subsets}
    assert {repr(disk.crash(each).everything()) for each in outcomes_of(disk)} == wanted
    assert {repr(disk.crash(Sampled(seed)).everything()) for seed in range(20)} <= wanted


def outcomes_of(disk: MemoryFileSystem) -> Iterator[These]:
    return disk.outcomes(count_max=MANY)


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_everything_kept_is_what_a_reader_saw_and_everything_synced_is_kept(
    steps: list[tuple[str, str, int]],
) -> None:
    disk = after_steps(steps)
    assert disk.crash(KEPT).everything() == disk.everything()
    assert disk.crash(KEPT).crash(LOST).everything() == disk.everything()
    for path, held in disk.everything().items():
        if isinstance(held, bytes):
            sync(disk, path)
    for path in (Path("/"), Path("/d")):
        disk.sync_dir(path)
    assert disk.crash(LOST).everything() == disk.everything()
    assert len(list(outcomes_of(disk))) == 1


# What all this is for: a program that replaces a file, with the power cut before each of its calls.


def replacing(disk: MemoryFileSystem, *, without: str = "") -> None:
    """Put 1000 bytes in the place of the old ones, as a careful program does it."""
    with disk.create_file(NEW) as file:
        file.write_at(0, b"x" * 1000)
        if without != "sync":
            file.sync()
    disk.rename(NEW, FILE)
    if without != "sync_dir":
        disk.sync_dir(FILE.parent)


def cut_before_each_call(act: Callable[[MemoryFileSystem], None]) -> set[object]:
    """What `FILE` may hold after a power cut at any instant of `act`."""
    found: set[object] = set()
    disk = holding()
    disk.on_call = lambda call, path: found.update(contents(disk))
    act(disk)
    return found | contents(disk)


def test_a_careful_program_leaves_the_old_or_the_new_wherever_the_power_is_cut() -> None:
    assert cut_before_each_call(replacing) == {b"old", b"x" * 1000}


def test_a_careless_program_is_found_out() -> None:
    def careless(disk: MemoryFileSystem) -> None:
        replacing(disk, without="sync")

    found = cut_before_each_call(careless)
    assert {b"old", b"", bytes(1000), b"x" * 1000, b"x" * 512 + bytes(488)} <= found


def test_only_the_synced_directory_says_that_the_new_is_there() -> None:
    done, undone = holding(), holding()
    replacing(done)
    replacing(undone, without="sync_dir")
    assert contents(done) == {b"x" * 1000}
    assert contents(undone) == {b"old", b"x" * 1000}


def test_killed_and_then_cut_from_power_it_still_leaves_the_old_or_the_new() -> None:
    count = KillAt()
    disk = holding()
    disk.on_call = count
    replacing(disk)
    found: set[object] = set()
    for number in range(count.count):
        disk = holding()
        disk.on_call = KillAt(number)
        with pytest.raises(BaseException, match="killed before"):
            replacing(disk)
        disk.on_call = None
        disk.end_process()
        found |= contents(disk) | {disk.everything()[FILE]}
    assert count.count == 5
    assert found == {b"old", b"x" * 1000}
