"""The engine where disks, names and moments are odd: what is refused early, and what is told."""

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
    world,
)
from walctl.errors import AccessError, UnsupportedError, WalctlError
from walctl.fs.nodes import Call
from walctl.fs.real import RealFileSystem
from walctl.repair.apply import apply
from walctl.repair.backup import remove_backup
from walctl.repair.plan import Stamp


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
