"""The engine where disks, names and moments are odd: what is refused early, and what is told."""

from pathlib import Path

import pytest

from tests.repair.disks import (
    MEMBER,
    both_folders,
    put_on,
    world,
)
from walctl.errors import UnsupportedError
from walctl.fs.real import RealFileSystem
from walctl.repair.apply import apply
from walctl.repair.backup import remove_backup
from walctl.repair.plan import Stamp

BACKUPS = MEMBER.parent / "n1.walctl"


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
