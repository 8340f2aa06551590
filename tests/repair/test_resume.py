"""resume: an interrupted application is seen, and no backup goes that is the only copy there is."""

from pathlib import Path

import pytest

from tests.repair.disks import MEMBER, PLANS, SEGMENT, memory_disk, read, tree, world
from walctl.errors import ExitStatus
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.inspect.verify import verify
from walctl.repair.apply import apply
from walctl.repair.backup import packed_path
from walctl.repair.cleaning import backups
from walctl.repair.packing import unpacked
from walctl.repair.resume import Outcome, resume

SEGMENT_PATH = MEMBER / "member" / SEGMENT
ROOT = MEMBER.parent / "n1.walctl"


def killed(kind: str, name: str) -> MemoryFileSystem:
    """A disk on which an application was killed as it was about to put the file `name` on it."""
    disk = memory_disk()
    plan = PLANS[kind](disk)

    ended: list[Path] = []

    def on_call(call: Call, path: Path) -> None:
        if ended or (call is Call.CREATE and path.name == name):
            ended.append(path)  # and nothing can be taken away any more
            raise Killed

    disk.on_call = on_call
    with pytest.raises(Killed):
        apply(world(disk), plan)
    disk.on_call = None
    disk.end_process()
    return disk


def backed_up(disk: MemoryFileSystem, folder: Path, name: str) -> bytes:
    with disk.open(packed_path(folder, name)) as file:
        return b"".join(unpacked(file, bytes_max=1 << 30))


@pytest.mark.parametrize("kind", PLANS)
def test_the_only_backup_of_a_member_that_was_written_to_since_stays(kind: str) -> None:
    disk = killed(kind, "receipt.json.new")
    before = read(disk, SEGMENT_PATH)
    disk.truncate(SEGMENT_PATH, 8192)  # as etcd cuts a torn log when it starts
    after = tree(disk)
    done = resume(world(disk), MEMBER)
    (backup,) = backups(disk, MEMBER)
    assert (done.outcome, done.kept) == (Outcome.ROLLED_BACK, backup.path)
    assert done.exit_status is ExitStatus.UNFINISHED
    assert "somebody has written to the member since" in done.words
    assert str(backup.path) in done.words
    assert "as it was:" not in done.words
    assert backed_up(disk, backup.path, SEGMENT) == before
    assert tree(disk) == after
    assert [path for path in disk.everything() if "walctl-work" in str(path)] == []
    assert resume(world(disk), MEMBER).outcome is Outcome.NOTHING


@pytest.mark.parametrize("name", ["new", "gone"])
def test_a_file_that_came_or_went_since_is_something_that_was_written(name: str) -> None:
    disk = killed("one folder", "receipt.json.new")
    if name == "new":
        disk.write(SEGMENT_PATH.with_name("1.wal"), b"")
    else:
        disk.remove(SEGMENT_PATH)
    assert resume(world(disk), MEMBER).kept is not None
    assert len(backups(disk, MEMBER)) == 1


@pytest.mark.parametrize("kind", PLANS)
def test_the_backup_of_a_member_that_nobody_wrote_to_goes_wherever_it_lies(kind: str) -> None:
    for moved in (MEMBER, Path("/data/n2")):
        disk = killed(kind, "receipt.json.new")
        if moved != MEMBER:
            disk.rename(MEMBER, moved)
        done = resume(world(disk), moved)
        assert (done.outcome, done.kept) == (Outcome.ROLLED_BACK, None)
        assert done.exit_status is ExitStatus.CLEAN
        assert not disk.exists(ROOT)


@pytest.mark.parametrize("kind", PLANS)
def test_an_interrupted_application_is_told_of_by_whoever_reads_the_member(kind: str) -> None:
    disk = killed(kind, "receipt.json.new")
    for directory in (MEMBER, MEMBER / "member"):
        notes = verify(disk, directory).notes
        (note,) = [each for each in notes if "an interrupted repair lies here" in each]
        assert f"walctl repair {directory} --resume finishes or rolls it back" in note
    resume(world(disk), MEMBER)
    assert not [each for each in verify(disk, MEMBER).notes if "interrupted" in each]


def test_a_backup_that_was_never_whole_goes_though_somebody_has_written() -> None:
    disk = killed("one folder", "manifest.json")
    disk.truncate(SEGMENT_PATH, 8192)
    done = resume(world(disk), MEMBER)
    assert (done.outcome, done.kept) == (Outcome.ROLLED_BACK, None)
    assert backups(disk, MEMBER) == []
