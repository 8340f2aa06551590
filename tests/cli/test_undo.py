"""`walctl undo` as it is typed: to the byte, and not over what a server has written since."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Tell
from tests.cli.repairing import CLEAN, FREE, documented, flat, held, member
from tests.corpus import fingerprint

pytestmark = pytest.mark.usefixtures("hurried")


def repaired(tell: Tell, folder: Path) -> tuple[Path, Any, dict[str, str]]:
    """A member that was repaired, what the repair printed, and what the member held before."""
    path = member(FREE, folder / "n1.etcd")
    before = held(path)
    return path, documented(tell("repair", "--apply", "-o", "json", path)), before


def test_an_undo_gives_every_byte_back_and_can_be_undone(tell: Tell, tmp_path: Path) -> None:
    path, repair, before = repaired(tell, tmp_path)
    after = held(path)
    told = tell("undo", repair["receipt"])
    assert (told.status, told.err) == (0, "")
    assert "taken back, every file is as it was before" in flat(told.out)
    assert held(path) == before
    (line,) = [line for line in told.out.splitlines() if line.startswith("take back")]
    found = documented(tell("undo", line.split()[-1], "-o", "json"))
    assert found["result"]["what"] == "undo"
    assert held(path) == after


@pytest.mark.slow
def test_what_was_taken_back_is_not_taken_back_again(tell: Tell, tmp_path: Path) -> None:
    path, repair, before = repaired(tell, tmp_path)
    assert tell("undo", "-q", repair["receipt"]) == (0, "", "")
    told = tell("undo", repair["receipt"])
    assert (told.status, told.out) == (4, "")
    assert "it was taken back already" in told.err
    assert held(path) == before


def test_what_a_server_has_written_since_is_not_lost(tell: Tell, tmp_path: Path) -> None:
    path, repair, _ = repaired(tell, tmp_path)
    with (path / "member/snap/db").open("ab") as database:
        database.write(b"more")
    before = fingerprint(path)
    told = tell("undo", repair["receipt"])
    assert (told.status, told.out) == (4, "")
    assert "the server has written since?" in told.err
    assert fingerprint(path) == before


@pytest.mark.parametrize(
    ("text", "status"), [(None, 4), ("", 2), ("{}", 2), ('{"kind": "walctl-receipt"}', 2)]
)
def test_what_is_no_receipt_is_refused_in_one_line(
    tell: Tell, tmp_path: Path, text: str | None, status: int
) -> None:
    file = tmp_path / "receipt.json"
    if text is not None:
        file.write_text(text)
    told = tell("undo", file)
    assert (told.status, told.out) == (status, "")
    assert told.err.startswith(f"walctl: {file}: ")
    assert told.err.count("\n") == 1


def test_a_backup_that_went_bad_is_not_put_in_place(tell: Tell, tmp_path: Path) -> None:
    path, repair, _ = repaired(tell, tmp_path)
    (packed,) = (Path(repair["backup"]) / "wal").iterdir()
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)
    before = held(path)
    told = tell("undo", repair["receipt"])
    assert told.status not in (0, 2)
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert held(path) == before


@pytest.mark.slow
def test_a_backup_that_was_moved_still_leads_back(tell: Tell, tmp_path: Path) -> None:
    path, repair, before = repaired(tell, tmp_path)
    moved = tmp_path / "elsewhere"
    shutil.move(repair["backup"], moved)
    assert tell("undo", "-q", moved / "receipt.json").status == 0
    assert held(path) == before


def test_a_repaired_copy_that_was_moved_into_its_place_is_taken_back_there(
    tell: Tell, tmp_path: Path
) -> None:
    path, repair, before = repaired(tell, tmp_path)
    target = tmp_path / "etcd"
    path.rename(target)
    backup = Path(repair["backup"])
    told = tell("undo", repair["receipt"])
    root = backup.parent.rename(tmp_path / "etcd.walctl")
    (line,) = [each for each in tell("clean", target).out.splitlines() if "walctl undo" in each]
    done = tell(*line.split()[1:])
    assert (done.status, done.err) == (0, "")
    assert held(target) == before
    assert len(list(root.iterdir())) == 2
    assert told.status == 4


def test_where_neither_member_nor_backup_is_in_place_it_is_said_what_is_wanted(
    tell: Tell, tmp_path: Path
) -> None:
    path, repair, _ = repaired(tell, tmp_path)
    path.rename(tmp_path / "etcd")
    told = tell("undo", repair["receipt"])
    assert (told.status, told.out) == (4, "")
    assert f"{path}: not there any more" in told.err
    assert "side by side" in told.err
    other = member(CLEAN, path)  # another one of the same name is not what the repair left
    before = fingerprint(other)
    assert "not as the repair left it" in tell("undo", repair["receipt"]).err
    assert fingerprint(other) == before


def test_a_folder_is_taken_for_the_receipt_in_it_and_no_other_is(
    tell: Tell, tmp_path: Path
) -> None:
    path, repair, before = repaired(tell, tmp_path)
    backup = Path(repair["backup"])
    for folder in (path, backup.parent):
        told = tell("undo", folder)
        assert (told.status, told.out) == (2, "")
        assert f"walctl clean {path} lists" in told.err
    assert tell("undo", "-q", backup).status == 0
    assert held(path) == before
    (backup / "receipt.json").unlink()
    told = tell("undo", backup)
    assert told.status == 2
    assert "no receipt.json in it" in told.err
