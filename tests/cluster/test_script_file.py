"""A script that is rewritten is the old one or the new one, whatever happens meanwhile."""

import contextlib
from pathlib import Path

import pytest

from walctl.cluster.script_file import SCRIPT_BYTES_MAX, decoded, load, save
from walctl.cluster.script_text import ScriptError
from walctl.errors import AccessError
from walctl.fs.faults import Fault, KillAt, Killed
from walctl.fs.memory import MemoryFileSystem

FOLDER = Path("/scripts")
PATH = FOLDER / "a.txt"
OLD, NEW = "vote\n", "vote\n----\nVoteWon ∞\n"


def disk_with_a_script() -> MemoryFileSystem:
    disk = MemoryFileSystem()
    disk.make_directory(FOLDER)
    with disk.create_file(PATH, mode=0o640) as file:
        file.write_at(0, OLD.encode())
        file.sync()
    disk.sync_dir(FOLDER)
    disk.sync_dir(FOLDER.parent)
    return disk


def calls() -> int:
    """How many calls a saving makes."""
    disk = disk_with_a_script()
    disk.on_call = count = KillAt()
    save(disk, PATH, NEW)
    return count.count


def test_what_was_saved_is_there_after_a_crash_too_with_its_mode() -> None:
    disk = disk_with_a_script()
    save(disk, PATH, NEW)
    assert load(disk, PATH) == NEW
    assert load(disk.crash(), PATH) == NEW
    assert disk.names(FOLDER) == ["a.txt"]
    assert disk.attributes(PATH).mode == 0o640


def test_a_program_that_is_killed_leaves_the_old_one_or_the_new_one() -> None:
    left = []
    for number in range(calls()):
        disk = disk_with_a_script()
        disk.on_call = KillAt(number)
        with pytest.raises(Killed):
            save(disk, PATH, NEW)
        disk.on_call = None
        disk.end_process()
        left.append(load(disk, PATH))
        assert load(disk.crash(), PATH) in (OLD, NEW)
    assert set(left) == {OLD, NEW}
    assert left == sorted(left, key=[OLD, NEW].index), "once it is the new one it stays so"


def test_a_disk_that_fails_leaves_the_old_one_or_the_new_one_and_nothing_beside_it() -> None:
    for number in range(calls()):
        disk = disk_with_a_script()
        disk.fail_call(Fault(number=number))
        with contextlib.suppress(AccessError):
            save(disk, PATH, NEW)
        assert load(disk, PATH) in (OLD, NEW)
        if disk.names(FOLDER) != ["a.txt"]:
            # Taking it away was what failed.
            assert disk.names(FOLDER) == [".part-a.txt", "a.txt"]


def test_what_somebody_left_beside_it_is_not_written_over() -> None:
    disk = disk_with_a_script()
    disk.write(FOLDER / ".part-a.txt", b"mine")
    with pytest.raises(AccessError, match=r"^/scripts/\.part-a\.txt: "):
        save(disk, PATH, NEW)
    assert load(disk, FOLDER / ".part-a.txt") == "mine"
    assert load(disk, PATH) == OLD


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(ScriptError, match=r"^3: here is a byte that is no UTF-8$"):
        decoded(b"vote\n\nab\xffc\n")


def test_a_script_has_a_bound() -> None:
    assert len(decoded(b"#" * SCRIPT_BYTES_MAX)) == SCRIPT_BYTES_MAX
    with pytest.raises(ScriptError, match=r"^1: a script has at most 16777216 bytes$"):
        decoded(b"#" * (SCRIPT_BYTES_MAX + 1))
