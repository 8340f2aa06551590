"""`walctl clean` as it is typed: backups are listed, chosen, and only then taken away."""

import shlex
import shutil
from pathlib import Path

import pytest

from fixtures.unpack import unpack
from tests.cli.commands import Tell
from tests.cli.repairing import FREE, documented, flat, held, member
from tests.corpus import fingerprint, needs_corpus, unpacked

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def mended(tell: Tell, tmp_path: Path) -> Path:
    """A member with two backups: of a repair, and of its undo."""
    path = member(FREE, tmp_path / "n1.etcd")
    receipt = documented(tell("repair", "--apply", "-o", "json", path))["receipt"]
    assert tell("undo", "-q", receipt).status == 0
    return path


def backups(tell: Tell, path: Path) -> list[str]:
    return [each["name"] for each in documented(tell("clean", path, "-o", "json"))["backups"]]


def test_a_member_without_backups_has_none(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    told = tell("clean", path)
    assert (told.status, told.err) == (0, "")
    assert "no backups" in flat(told.out)
    assert tell("clean", path, "--remove-all", "--yes").status == 0
    assert tell("clean", tmp_path / "gone").status == 4


def test_a_list_changes_nothing_and_names_what_takes_each_back(tell: Tell, mended: Path) -> None:
    before = fingerprint(mended.parent)
    told = tell("clean", mended)
    assert (told.status, told.err) == (0, "")
    assert "2 backups" in flat(told.out)
    names = backups(tell, mended)
    assert [name.rpartition("-")[2] for name in names] == ["repair", "undo"]
    for name in names:
        assert f"walctl undo {mended}.walctl/{name}/receipt.json" in told.out
    assert fingerprint(mended.parent) == before


def test_what_is_chosen_is_marked_and_stays_until_it_is_meant(tell: Tell, mended: Path) -> None:
    before = fingerprint(mended.parent)
    first, second = backups(tell, mended)
    told = tell("clean", mended, "--remove", first)
    assert f"- {first}" in told.out
    assert f"- {second}" not in told.out
    assert fingerprint(mended.parent) == before
    (line,) = [line for line in told.out.splitlines() if line.startswith("do it")]
    done = tell(*shlex.split(line.removeprefix("do it"))[1:])
    assert (done.status, done.err) == (0, "")
    assert "1 backup taken away" in flat(done.out)
    assert backups(tell, mended) == [second]
    assert not (mended.parent / "n1.etcd.walctl" / first).exists()


@pytest.mark.slow
def test_all_are_taken_away_when_that_is_meant_and_the_member_is_as_it_was(
    tell: Tell, mended: Path
) -> None:
    before = held(mended)
    found = documented(tell("clean", mended, "--remove-all", "--yes", "-o", "json"))
    assert found["removed"] is True
    assert found["freed_bytes"] == sum(each["bytes"] for each in found["backups"]) > 0
    assert backups(tell, mended) == []
    assert held(mended) == before


def test_a_name_that_is_no_backup_takes_none_away(tell: Tell, mended: Path) -> None:
    before = fingerprint(mended.parent)
    known = backups(tell, mended)[0]
    for name in ("nothing", "..", "../n1.etcd", "", known + "/wal"):
        told = tell("clean", mended, "--remove", known, "--remove", name, "--yes")
        assert (told.status, told.out) == (2, "")
    assert tell("clean", mended, "--yes").status == 2
    assert tell("clean", mended, "--purge-preview", "--yes").status == 2
    assert fingerprint(mended.parent) == before


@pytest.mark.slow
def test_a_backup_in_which_somebody_keeps_something_stays(tell: Tell, mended: Path) -> None:
    name = backups(tell, mended)[0]
    (mended.parent / "n1.etcd.walctl" / name / "notes.txt").write_text("mine")
    before = fingerprint(mended.parent)
    told = tell("clean", mended, "--remove-all", "--yes")
    assert (told.status, told.out) == (2, "")
    assert "notes.txt: not of walctl's making" in told.err
    assert fingerprint(mended.parent) == before


def test_a_purge_takes_only_segments_in_front_of_what_a_start_needs(
    tell: Tell, tmp_path: Path
) -> None:
    path = unpack("etcd-3.5-two-segments", tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("clean", path, "--purge-preview", "--max-wals", "1", "-o", "json")
    purge = documented(told)["purge"]
    first, second = sorted(each.name for each in (path / "member/wal").glob("*.wal"))
    assert purge["segments"] + purge["held"] == [first]
    assert second not in purge["segments"]
    preview = documented(tell("clean", path, "--purge-preview", "-o", "json"))["purge"]
    assert preview["segments"] == preview["held"] == preview["snapshots"] == []
    assert fingerprint(tmp_path) == before


@needs_corpus
def test_a_purge_of_many_segments_without_a_snapshot_takes_none(tell: Tell) -> None:
    path = unpacked("h-20-small-segments-34") / "n1"
    told = tell("clean", path, "--purge-preview", "--max-wals", "2", "-o", "json")
    purge = documented(told)["purge"]
    assert purge["segments"] == []
    assert len(purge["held"]) == 18
    assert purge["start"] == 0


@needs_corpus
def test_a_purge_keeps_the_newest_snapshots_and_the_segments_they_need(tell: Tell) -> None:
    path = unpacked("c-snapshots-segments-35") / "n1"
    words = ["--purge-preview", "--max-wals", "1", "--max-snapshots", "3", "-o", "json"]
    purge = documented(tell("clean", path, *words))["purge"]
    snaps = sorted(each.name for each in (path / "member/snap").glob("*.snap"))
    segments = sorted(each.name for each in (path / "member/wal").glob("*.wal"))
    assert purge["snapshots"] == snaps[:-3]
    assert purge["start"] == int(snaps[-1].split("-")[1].split(".")[0], 16)
    # Each segment's name says the first entry that it was begun for.
    needed = [name for name in segments if int(name[17:33], 16) <= purge["start"]][-1]
    assert purge["segments"] == segments[: segments.index(needed)]
    assert purge["segments"]
    text = tell("clean", path, *words[:-2]).out
    assert "nothing was changed" in text
    assert purge["segments"][0] in text


def test_what_is_no_member_is_not_said_to_have_no_backups(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    (tmp_path / "note.txt").write_text("a note\n")
    files = [next(path.glob(each)) for each in ("member/wal/*.wal", "member/snap/db")]
    for odd in (Path("/dev/null"), tmp_path / "note.txt", tmp_path, *files):
        told = tell("clean", odd)
        assert (told.status, told.out) == (4, ""), odd
        assert told.err.startswith(f"walctl: {odd}: ")
        assert told.err.count("\n") == 1


def test_the_backups_of_a_member_that_is_gone_are_listed(tell: Tell, mended: Path) -> None:
    names = backups(tell, mended)
    shutil.rmtree(mended)
    assert backups(tell, mended) == names
    mended.mkdir()
    assert backups(tell, mended) == names


def test_a_receipt_that_does_not_read_is_not_offered_to_undo(tell: Tell, mended: Path) -> None:
    name = backups(tell, mended)[0]
    (mended.parent / "n1.etcd.walctl" / name / "receipt.json").write_text("{}")
    told = tell("clean", mended)
    assert "does not read" in told.out
    assert f"{name}/receipt.json\n" not in told.out
