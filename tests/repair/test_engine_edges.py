"""The engine where disks, names and moments are odd: what is refused early, and what is told."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.repair.disks import (
    MEMBER,
    SEGMENT,
    both_folders,
    memory_disk,
    one_folder,
    put_on,
    read,
    world,
)
from walctl.errors import AccessError, UnsupportedError, UsageError, WalctlError
from walctl.fs.crash import Lost
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.fs.real import RealFileSystem
from walctl.repair.apply import apply
from walctl.repair.backup import remove_backup
from walctl.repair.cleaning import remove_backups
from walctl.repair.execute import remove_tree
from walctl.repair.plan import Stamp
from walctl.repair.resume import Outcome, resume


def test_a_name_too_long_for_its_packed_copy_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    disk, member = RealFileSystem(), put_on(tmp_path / "n1")
    (member / "member" / "snap" / ("y" * 252)).write_bytes(b"a note")
    with pytest.raises(UnsupportedError, match="too long for a copy"):
        apply(world(disk), both_folders(disk, member))
    assert [each.name for each in tmp_path.iterdir()] == ["n1"]


def test_a_backup_goes_also_where_a_name_of_it_never_fitted(tmp_path: Path) -> None:
    folder = tmp_path / "20330518T033320Z-repair"
    (folder / "wal").mkdir(parents=True)
    (folder / "wal" / "kept.zst").write_bytes(b"packed")
    stamp = Stamp(size=0, sha256="")
    names = {"wal/kept": stamp, f"wal/{'y' * 252}": stamp}
    remove_backup(RealFileSystem(), folder, names)
    assert not folder.exists()


def test_a_receipt_that_undo_could_not_read_keeps_anything_from_being_changed() -> None:
    disk = memory_disk()
    before = disk.everything()
    plan = replace(one_folder(disk), summary="x" * 10_001)
    with pytest.raises(WalctlError, match="summary"):
        apply(world(disk), plan)
    assert disk.everything() == before


def test_a_manifest_that_undo_could_not_read_keeps_anything_from_being_changed() -> None:
    disk = memory_disk()
    segment = MEMBER / "member" / SEGMENT
    found = disk.attributes(segment)
    disk.set_attributes(segment, replace(found, extended=(("user.large", bytes(70_000)),)))
    before = disk.everything()
    with pytest.raises(WalctlError, match="extended"):
        apply(world(disk), one_folder(disk))
    assert disk.everything() == before


def test_what_could_not_be_taken_away_again_is_told_in_the_error_itself() -> None:
    disk = memory_disk()

    def full_and_then_broken(call: Call, path: Path) -> None:
        if call is Call.EXCHANGE:
            raise AccessError(f"{path}: Input/output error")
        if call is Call.REMOVE:
            raise AccessError(f"{path}: Operation not permitted")

    disk.on_call = full_and_then_broken
    with pytest.raises(AccessError, match=r"could not all be taken away.*--resume"):
        apply(world(disk), one_folder(disk))


def with_unsynced_snapshot() -> tuple[MemoryFileSystem, Path, bytes]:
    """A disk on which somebody put a `.snap` by hand and synced nothing of it but its name."""
    disk = memory_disk()
    path, data = MEMBER / "member" / "snap" / "0000000000000002-0000000000000001.snap", b"s" * 3000
    with closing(disk.create_file(path)) as file:
        file.write_at(0, data)
    disk.sync_dir(path.parent)
    return disk, path, data


def test_a_file_that_gets_a_second_name_is_on_the_disk_with_all_its_bytes() -> None:
    disk, path, data = with_unsynced_snapshot()
    apply(world(disk), both_folders(disk))
    assert read(disk.crash(Lost()), path) == data


def test_a_file_that_gets_a_second_name_and_does_not_sync_is_copied() -> None:
    disk, path, data = with_unsynced_snapshot()
    inode = disk.stat(path).inode
    disk.fail(path, "Input/output error", Call.SYNC)
    apply(world(disk), both_folders(disk))
    assert disk.stat(path).inode != inode
    assert read(disk.crash(Lost()), path) == data


def test_an_empty_work_folder_is_not_called_an_application_that_changed_nothing() -> None:
    disk = memory_disk()

    def killed_behind_the_journal(call: Call, path: Path) -> None:
        if call is Call.REMOVE and path.name == "wal.walctl-work":
            raise Killed

    disk.on_call = killed_behind_the_journal
    with pytest.raises(Killed):
        apply(world(disk), one_folder(disk))
    disk.on_call = None
    done = resume(world(disk), MEMBER)
    assert done.outcome is Outcome.NOTHING
    assert "as it was" not in done.words
    assert not disk.exists(MEMBER / "member" / "wal.walctl-work")


def test_cleaning_does_not_follow_a_link_to_another_backup() -> None:
    disk = memory_disk()
    receipt = apply(world(disk), one_folder(disk), backup_to=Path("/elsewhere"))
    name = receipt.backup.name
    disk.link(MEMBER.parent / "n1.walctl" / name, receipt.backup)
    with pytest.raises(UsageError, match="link"):
        remove_backups(world(disk), MEMBER, [name])
    assert disk.exists(receipt.path)


def test_a_disk_that_cannot_exchange_is_found_out_before_anything_is_copied() -> None:
    disk = memory_disk()
    disk.can_exchange = False
    before, said = disk.everything(), list[str]()
    with pytest.raises(UnsupportedError):
        apply(world(disk, say=said.append), one_folder(disk))
    assert disk.everything() == before
    assert [line for line in said if "backup" in line] == []


def test_a_folder_that_keeps_its_owner_out_is_taken_away_all_the_same() -> None:
    disk, folder = memory_disk(), Path("/data/dressed")
    disk.write(folder / "file", b"staged")
    disk.set_attributes(folder, replace(disk.attributes(folder), mode=0o500))

    def as_a_plain_user(call: Call, path: Path) -> None:
        if call is Call.REMOVE and not disk.attributes(path.parent).mode & 0o200:
            raise AccessError(f"{path}: Permission denied")

    disk.on_call = as_a_plain_user
    remove_tree(disk, folder)
    assert not disk.exists(folder)
