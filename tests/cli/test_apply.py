"""`walctl apply` as it is typed: a plan from a file, on the files it was made for or on none."""

import json
import resource
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Tell
from tests.cli.repairing import CLEAN, COSTLY, FREE, documented, flat, held, member
from tests.corpus import fingerprint
from walctl.cli import apply as module
from walctl.cli.world import world_of
from walctl.fs.real import RealFileSystem
from walctl.render.screen import Screen

pytestmark = pytest.mark.usefixtures("hurried")


def planned(tell: Tell, case: str, folder: Path) -> tuple[Path, Path]:
    """A damaged member, and the file with the plan for it."""
    path, plan = member(case, folder / "n1.etcd"), folder / "fix.json"
    tell("repair", "-q", path, "--plan", plan)
    return path, plan


@pytest.mark.slow
def test_a_plan_from_a_file_does_what_repair_would_have_done(tell: Tell, tmp_path: Path) -> None:
    path, plan = planned(tell, FREE, tmp_path)
    found = documented(tell("apply", plan, "-o", "json"))
    after = held(path)
    assert (found["v"], found["exit"]) == (1, 0)
    assert tell("undo", "-q", found["receipt"]).status == 0
    assert tell("repair", "-q", path, "--apply").status == 0
    assert held(path) == after


def test_what_repair_prints_as_json_is_a_plan_too(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    plan = tmp_path / "printed.json"
    plan.write_text(tell("repair", path, "-o", "json").out)
    assert tell("apply", "-q", plan) == (0, "", "")
    assert tell("verify", "-q", path).status == 0


@pytest.mark.parametrize("change", ["byte", "new file", "file gone", "applied"])
def test_a_directory_that_is_another_now_is_left_alone(
    tell: Tell, tmp_path: Path, change: str
) -> None:
    path, plan = planned(tell, FREE, tmp_path)
    database = path / "member/snap/db"
    match change:
        case "byte":
            data = bytearray(database.read_bytes())
            data[-1] ^= 1
            database.write_bytes(data)
        case "new file":
            (path / "member/snap/new").write_bytes(b"")
        case "file gone":
            database.unlink()
        case _:
            assert tell("apply", "-q", plan).status == 0
    before = fingerprint(path)
    told = tell("apply", plan)
    assert (told.status, told.out) == (4, "")
    why = "carried out already" if change == "applied" else "changed since the plan was made"
    assert why in told.err
    assert told.err.endswith("; nothing was changed\n")
    assert told.err.count("\n") == 1
    assert fingerprint(path) == before


def test_a_plan_that_was_edited_is_refused_with_the_file_and_the_place(
    tell: Tell, tmp_path: Path
) -> None:
    path, plan = planned(tell, FREE, tmp_path)
    before = fingerprint(path)
    document = json.loads(plan.read_text())
    document["plan"]["summary"] = "harmless"
    plan.write_text(json.dumps(document))
    told = tell("apply", plan)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"walctl: {plan}: seal: does not fit")
    document["plan"]["steps"][0]["file"] = "wal/../../../etc/passwd"
    plan.write_text(json.dumps(document))
    told = tell("apply", plan)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"walctl: {plan}: steps[0].file: expected")
    assert fingerprint(path) == before


def test_a_plan_of_another_class_is_refused_without_a_page_of_its_steps(
    tell: Tell, tmp_path: Path
) -> None:
    _, plan = planned(tell, FREE, tmp_path)
    document = json.loads(plan.read_text())
    document["plan"]["class"] = "nothing"
    plan.write_text(json.dumps(document))
    told = tell("apply", plan)
    assert told.status == 2
    assert told.err == (
        f"walctl: {plan}: steps: expected no steps where there is nothing to repair,"
        f" found a list of {len(document['plan']['steps'])}\n"
    )
    document["plan"]["class"] = None
    plan.write_text(json.dumps(document))
    assert tell("apply", plan).err.endswith(", found null\n")


def test_a_segment_in_the_place_of_a_plan_or_a_receipt_is_told_what_it_is_not(
    tell: Tell, tmp_path: Path
) -> None:
    (segment,) = (member(FREE, tmp_path / "n1.etcd") / "member/wal").glob("*.wal")
    for command in ("apply", "undo"):
        told = tell(command, segment)
        assert (told.status, told.out) == (2, "")
        words = "neither a plan nor a receipt of walctl's (no JSON: not UTF-8)"
        assert told.err == f"walctl: {segment}: {words}\n"


@pytest.mark.parametrize("place", ["", "backups", "member", "member/wal/backups"])
def test_a_backup_is_not_put_into_the_member_that_it_is_of(
    tell: Tell, tmp_path: Path, place: str
) -> None:
    path, plan = planned(tell, FREE, tmp_path)
    before = fingerprint(tmp_path)
    told = tell("apply", plan, "--backup-to", path / place)
    assert (told.status, told.out) == (2, "")
    assert "choose another place" in told.err
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", '{"v": 2, "plan": {}, "seal": ""}'])
def test_a_file_that_is_no_plan_is_refused_in_one_line(
    tell: Tell, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "fix.json"
    file.write_text(text)
    told = tell("apply", file)
    assert (told.status, told.out) == (4 if '"v": 2' in text else 2, "")
    assert told.err.startswith(f"walctl: {file}: ")
    assert told.err.count("\n") == 1


def test_a_file_that_is_missing_no_file_or_too_long_ends_with_4(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLAN_BYTES_MAX", 10)
    (tmp_path / "long").write_bytes(b"{" * 11)
    for file in (tmp_path / "gone", tmp_path, tmp_path / "long"):
        told = tell("apply", file)
        assert (told.status, told.out) == (4, "")
        assert told.err.count("\n") == 1


@pytest.mark.slow
def test_a_plan_that_may_lose_something_wants_the_word_and_names_it(
    tell: Tell, tmp_path: Path
) -> None:
    path, plan = planned(tell, COSTLY, tmp_path)
    before = fingerprint(path)
    told = tell("apply", plan)
    assert (told.status, told.err) == (5, "")
    accept = json.loads(plan.read_text())["plan"]["accept"]
    assert f"walctl apply {plan} --accept-loss {accept}" in flat(told.out)
    assert tell("apply", plan, "--accept-loss", "0").status == 5
    assert fingerprint(path) == before
    assert tell("apply", "-q", plan, "--accept-loss", accept).status == 0
    assert tell("verify", "-q", path).status in (0, 3)


def test_a_plan_for_nothing_is_carried_out_by_doing_nothing(tell: Tell, tmp_path: Path) -> None:
    path, plan = planned(tell, CLEAN, tmp_path)
    before = fingerprint(path)
    told = tell("apply", plan)
    assert (told.status, told.err) == (0, "")
    assert "NOTHING to repair" in told.out
    assert fingerprint(path) == before


def test_resume_goes_to_the_directory_that_the_plan_names(tell: Tell, tmp_path: Path) -> None:
    path, plan = planned(tell, FREE, tmp_path)
    before = fingerprint(path)
    found = documented(tell("apply", plan, "--resume", "-o", "json"))
    assert (found["resumed"], found["directory"]) == ("nothing", str(path))
    assert tell("apply", plan, "--resume", "--accept-loss", "1").status == 2
    assert fingerprint(path) == before


def test_a_log_of_more_segments_than_a_program_may_open_by_default_is_repaired(
    tmp_path: Path,
) -> None:
    """A lock is held on every segment, so the limit that can be raised is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 256:
        pytest.skip("this system does not let a program open 256 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with world_of(Screen(sys.stdout, sys.stderr), RealFileSystem()) as world:
            paths = [tmp_path / f"{number}" for number in range(128)]
            files = [world.disk.create_file(path) for path in paths]
        for file in files:
            file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
