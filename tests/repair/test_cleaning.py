"""clean: lists what is there, takes away what was named, and nothing that is not ours."""

from pathlib import Path

import pytest

from tests.repair.disks import MEMBER, memory_disk, one_file, one_folder, tree, world
from walctl.errors import AccessError, UsageError
from walctl.fs.faults import KillAt, Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.repair.apply import apply
from walctl.repair.cleaning import backups, remove_backups
from walctl.repair.undo import undo

ROOT = MEMBER.parent / "n1.walctl"


def with_two() -> MemoryFileSystem:
    disk = memory_disk()
    receipt = apply(world(disk), one_folder(disk))
    undo(world(disk), receipt.path)
    return disk


def test_backups_are_listed_with_what_they_were_for() -> None:
    disk = with_two()
    assert backups(memory_disk(), MEMBER) == []
    repair, taken_back = backups(disk, MEMBER)
    assert (repair.kind, taken_back.kind) == ("repair", "undo")
    assert repair.receipt == repair.path / "receipt.json"
    assert repair.words == "made for a test"
    held = [
        disk.stat(path).size
        for path, data in disk.everything().items()
        if path.is_relative_to(repair.path) and data is not None
    ]
    assert repair.size == sum(held) > 0


def test_what_is_named_goes_and_all_else_stays() -> None:
    disk = with_two()
    before = tree(disk)
    repair, taken_back = backups(disk, MEMBER)
    assert remove_backups(world(disk), MEMBER, [repair.name]) == repair.size
    assert backups(disk, MEMBER) == [taken_back]
    assert tree(disk) == before
    assert remove_backups(world(disk), MEMBER, []) == 0
    assert remove_backups(world(disk), MEMBER, [taken_back.name]) == taken_back.size
    assert backups(disk, MEMBER) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../n1", "/data/n1", "20330518T033320Z-repair/wal"]
)
def test_a_name_that_is_no_backup_is_refused(name: str) -> None:
    disk = with_two()
    before = disk.everything()
    with pytest.raises(UsageError, match="no backup"):
        remove_backups(world(disk), MEMBER, [name])
    assert disk.everything() == before


def test_a_backup_with_something_foreign_stays_whole() -> None:
    for foreign in ("notes.txt", "wal/mine", "snap/sub.zst/x"):
        disk = with_two()
        repair, taken_back = backups(disk, MEMBER)
        disk.write(taken_back.path / foreign, b"mine")
        before = disk.everything()
        with pytest.raises(UsageError, match="not of walctl's making"):
            remove_backups(world(disk), MEMBER, [repair.name, taken_back.name])
        assert disk.everything() == before


def test_a_link_in_a_backup_is_not_followed_and_not_taken() -> None:
    disk = with_two()
    repair, _ = backups(disk, MEMBER)
    disk.link(repair.path / "wal" / "x.zst", MEMBER / "member" / "snap" / "db")
    with pytest.raises(UsageError, match="not of walctl's making"):
        remove_backups(world(disk), MEMBER, [repair.name])


def test_nothing_goes_while_an_application_is_pending() -> None:
    disk = with_two()
    (repair, _) = backups(disk, MEMBER)
    plan = one_file(disk)
    disk.on_call = KillAt(1, [Call.RENAME])
    with pytest.raises(Killed):
        apply(world(disk), plan)
    disk.on_call = None
    disk.end_process()
    with pytest.raises(AccessError, match="--resume"):
        remove_backups(world(disk), MEMBER, [repair.name])


@pytest.mark.slow
def test_killed_at_any_call_it_leaves_backups_that_can_be_listed_and_taken_away() -> None:
    number = 0
    while True:
        disk = with_two()
        names = [backup.name for backup in backups(disk, MEMBER)]
        disk.on_call = KillAt(number, [Call.REMOVE])
        try:
            remove_backups(world(disk), MEMBER, names)
        except Killed:
            disk.on_call = None
            left = backups(disk, MEMBER)
            for backup in left:
                whole = disk.exists(backup.path / "manifest.json")
                assert backup.receipt is None or whole
            remove_backups(world(disk), MEMBER, [backup.name for backup in left])
            assert backups(disk, MEMBER) == []
            number += 5
        else:
            break
    assert number > 20


def test_folders_that_are_no_backups_are_not_listed() -> None:
    disk = with_two()
    disk.make_directory(ROOT / "mine")
    disk.write(ROOT / "20330518T033320Z-file", b"")
    assert len(backups(disk, MEMBER)) == 2
    assert backups(disk, Path("/data/other")) == []
