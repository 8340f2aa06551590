"""doctor's advice: what to do, in which order, for each kind of trouble."""

import functools
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.unpack import manifest, names, unpack
from tests.corpus import needs_corpus
from tests.inspect.answers import DISK, damaged_member, member_path
from walctl.inspect.doctor import Diagnosis, doctor
from walctl.inspect.explain import PAGES
from walctl.inspect.verify import verify
from walctl.model.finding import Verdict


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Diagnosis]:
    """The diagnosis of a fixture, made once."""
    folder = tmp_path_factory.mktemp("doctor")
    return functools.cache(lambda case: doctor(DISK, unpack(case, folder / case)))


def commands(diagnosis: Diagnosis) -> list[str]:
    return [step.command for step in diagnosis.steps if step.command]


@pytest.mark.parametrize("case", names())
def test_a_fixture_gets_the_verdict_and_codes_of_its_manifest(
    asked: Callable[[str], Diagnosis], case: str
) -> None:
    said, report = manifest(case), asked(case).report
    found = {str(finding.code) for finding in report.findings}
    assert str(report.verdict) == said["verdict"]
    for choices in said.get("codes", []):
        assert found & set(choices.split("|")), (choices, found)


@pytest.mark.parametrize("case", names())
def test_only_damage_is_a_reason_not_to_start_and_then_it_is_the_first_word(
    asked: Callable[[str], Diagnosis], case: str
) -> None:
    diagnosis = asked(case)
    first = diagnosis.steps[0].text
    is_damaged = diagnosis.report.verdict is Verdict.DAMAGED
    assert first.startswith("Do not start the server") is is_damaged
    assert ("can be started" in first) is not is_damaged


@pytest.mark.parametrize("case", names())
def test_no_command_of_ours_changes_the_directory_itself(
    asked: Callable[[str], Diagnosis], case: str
) -> None:
    for command in commands(asked(case)):
        words = shlex.split(command)
        assert words[0] in ("walctl", "etcdctl", "etcdutl")
        assert not {"--apply", "--preen", "apply", "--accept-loss"} & set(words)


@pytest.mark.parametrize("case", names())
def test_what_is_named_to_be_explained_has_a_page(
    asked: Callable[[str], Diagnosis], case: str
) -> None:
    topics = {page.topic for page in PAGES}
    given = [each for each in commands(asked(case)) if each.startswith("walctl explain")]
    words = [shlex.split(part) for each in given for part in each.split("; ")]
    assert all(each[:2] == ["walctl", "explain"] and each[2] in topics for each in words)


def test_the_only_member_is_told_of_snapshots_and_never_to_remove_itself(
    asked: Callable[[str], Diagnosis],
) -> None:
    told = commands(asked("lost-last-segment"))
    assert any("snapshot restore" in each for each in told)
    assert not any("member remove" in each for each in told)


def test_one_of_three_is_told_to_join_anew_with_its_own_name_and_urls(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-three-members", tmp_path / "member.etcd")
    (path / "member/wal/0000000000000000-0000000000000000.wal").unlink()
    diagnosis = doctor(DISK, path)
    assert diagnosis.report.verdict is Verdict.DAMAGED
    assert diagnosis.membership.size == 3


@needs_corpus
def test_a_follower_that_lost_its_tail_is_told_to_leave_and_to_join_under_a_new_id() -> None:
    name = "x-follower-tail-lost-35"
    diagnosis = doctor(DISK, member_path(name, damaged_member(name)))
    told = commands(diagnosis)
    own = diagnosis.membership.own_id
    assert own is not None
    remove = next(n for n, each in enumerate(told) if f"member remove {own:x}" in each)
    add = next(n for n, each in enumerate(told) if "member add" in each)
    repair = next(n for n, each in enumerate(told) if each.startswith("walctl repair "))
    status = next(n for n, each in enumerate(told) if "endpoint status" in each)
    assert repair < status < remove < add
    assert diagnosis.membership.described(own).name in shlex.split(told[add])
    endpoints = next(w for w in shlex.split(told[status]) if w.startswith("--endpoints="))
    own_urls = diagnosis.membership.described(own).client_urls
    assert endpoints.startswith("--endpoints=http://"), "the log has them, if no database does"
    assert len(own_urls) == 1
    assert not any(url in endpoints for url in own_urls)


@needs_corpus
@pytest.mark.parametrize("name", ["x-zero-page-mid-35", "x-snap-flip-34", "x-cut-at-boundary-35"])
def test_the_report_is_the_one_of_verify_and_a_start_is_always_told(name: str) -> None:
    path = member_path(name, damaged_member(name))
    diagnosis = doctor(DISK, path)
    assert diagnosis.report == verify(DISK, path)
    assert diagnosis.start
    assert diagnosis.steps


def test_a_path_with_spaces_and_quotes_is_quoted_in_every_command(tmp_path: Path) -> None:
    path = unpack("lost-last-segment", tmp_path / "it's; rm -rf $HOME")
    (repair,) = [each for each in commands(doctor(DISK, path)) if each.startswith("walctl repair")]
    assert shlex.split(repair) == ["walctl", "repair", str(path)]


def test_a_path_that_cannot_be_read_is_an_error_and_no_advice(tmp_path: Path) -> None:
    told = doctor(DISK, tmp_path / "gone")
    assert told.report.error == f"{tmp_path}/gone: No such file or directory"
    assert told.report.exit_status == 4
    assert not told.steps


PARTS = ["member/wal", "member/snap", "member/snap/db"]


@pytest.mark.parametrize("part", PARTS)
def test_of_a_part_alone_nobody_is_told_that_the_server_can_be_started(
    tmp_path: Path, part: str
) -> None:
    """The log that is left here is whole, and so is the database: only both tell of the loss."""
    path = unpack("lost-last-segment", tmp_path / "member.etcd")
    diagnosis = doctor(DISK, path / part)
    assert diagnosis.report.verdict is Verdict.CLEAN
    (step,) = diagnosis.steps
    assert "can be started." not in step.text
    assert "ask again with its data directory" in step.text
    assert doctor(DISK, path / "member").report.verdict is Verdict.DAMAGED


@needs_corpus
def test_a_raftexample_has_no_database_and_is_whole_without() -> None:
    (step,) = doctor(DISK, member_path("f-raftexample-35", "raftexample-1")).steps
    assert step.text == "Nothing is wrong here: the server can be started."


@pytest.mark.parametrize("name", ["-n1", "n 1"])
def test_the_plan_is_asked_for_where_the_parts_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = unpack("lost-last-segment", tmp_path / name)
    (path / "member/wal").rename(tmp_path / "fast disk")
    monkeypatch.chdir(tmp_path)
    diagnosis = doctor(DISK, Path(name), wal_dir=Path("fast disk"))
    (repair,) = [each for each in commands(diagnosis) if each.startswith("walctl repair")]
    shown = f"./{name}" if name.startswith("-") else name
    assert shlex.split(repair) == ["walctl", "repair", shown, "--wal-dir", "fast disk"]
    assert diagnosis.report.findings[0].next == repair


@pytest.mark.parametrize("is_left", [True, False])
def test_a_lone_member_without_a_usable_database_is_told_how_to_rescue_what_can_be_read(
    tmp_path: Path, is_left: bool
) -> None:
    path = unpack("zero-page", tmp_path / "n 1")
    if not is_left:
        (path / "member/snap/db").unlink()
    told = [each for each in commands(doctor(DISK, path)) if each.startswith("walctl salvage")]
    rescue = ["walctl", "salvage", str(path), "--output-dir", "NEW-DIRECTORY"]
    assert [shlex.split(each) for each in told] == ([] if is_left else [rescue])


def test_one_of_three_is_not_told_to_salvage(tmp_path: Path) -> None:
    path = unpack("etcd-3.5-three-members", tmp_path / "member.etcd")
    (path / "member/wal/0000000000000000-0000000000000000.wal").unlink()
    assert not any("salvage" in each for each in commands(doctor(DISK, path)))
