"""The files of a lab that runs: its events, its nodes' logs, and who is named in `run`."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.labs import DISK, made
from walctl.cluster import running, runtime
from walctl.cluster.chronicle import Chronicle
from walctl.cluster.lab import Lab
from walctl.cluster.node_log import NodeLog, older
from walctl.cluster.reading_on import Growing, read_on
from walctl.cluster.resting import Deed, rest
from walctl.cluster.runtime import Process
from walctl.errors import AccessError, UsageError


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found = made(tmp_path / "demo")
    found.run_path.mkdir()
    return found


def clock(start: int) -> Callable[[], int]:
    """A clock that goes on by 10 whenever it is asked."""
    ticks = iter(range(start, start + 10_000, 10))
    return lambda: next(ticks)


def events(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.events_path.read_text().splitlines()]


def test_events_go_on_behind_the_last_whole_line_and_later_than_it(lab: Lab) -> None:
    first = Chronicle(DISK, lab, now_us=clock(1_000_000))
    first.write({"k": "start", "n": "n1"}, {"k": "start", "n": "n2"})
    first.close()
    with lab.events_path.open("a") as file:
        file.write('{"i":2,"t":99,"k":"cra')
    second = Chronicle(DISK, lab, now_us=clock(5))
    second.write({"k": "stop", "n": "n1"})
    second.close()
    header, *found = events(lab)
    assert header["walctl_trace"] == 1
    assert [(each["i"], each["k"]) for each in found] == [(0, "start"), (1, "start"), (2, "stop")]
    assert found[2]["t"] > found[1]["t"] > 0


def test_a_header_that_was_torn_is_written_anew(lab: Lab) -> None:
    lab.events_path.write_text('{"walctl_tr')
    Chronicle(DISK, lab, now_us=clock(1)).close()
    assert [each["walctl_trace"] for each in events(lab)] == [1]


def test_a_nodes_log_grows_to_a_bound_and_begins_anew(lab: Lab) -> None:
    path = lab.log_path("n1")
    log = NodeLog(DISK, path, bytes_max=30)
    source = [("n1", Growing(DISK, older(path))), ("n1", Growing(DISK, path))]
    for number in range(7):
        log.write(b"line %d...." % number)
    log.close()
    assert path.stat().st_size <= 30
    assert older(path).stat().st_size <= 30
    lines = [line for _, line in read_on(source, wait=None)]
    assert lines == [b"line %d...." % number for number in (4, 5, 6)]


def test_lines_are_read_as_they_come_and_from_the_front_of_a_file_that_is_new(lab: Lab) -> None:
    path = lab.log_path("n1")
    source = Growing(DISK, path)
    assert list(source.lines()) == []
    path.write_text("one\nha")
    assert list(source.lines()) == [b"one"]
    with path.open("a") as file:
        file.write("lf\nrest")
    assert list(source.lines()) == [b"half"]
    path.rename(older(path))
    path.write_text("three\n")
    assert list(source.lines()) == [b"three"]


def test_what_is_done_to_a_lab_that_is_down_is_in_its_events_too(lab: Lab) -> None:
    file = lab.data_path("n1", "etcd") / "member" / "wal" / "0.wal"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something")
    assert rest(DISK, lab, "n1", Deed("keep", {"name": "a"}))["files"] == 1
    assert rest(DISK, lab, "n1", Deed("wipe"))["files"] == 1
    assert not file.exists()
    assert rest(DISK, lab, "n1", Deed("rewind", {"name": "a"}))["files"] == 1
    assert file.read_bytes() == b"something"
    told = [(each["k"], each["on"], each["n"]) for each in events(lab)[1:]]
    assert told == [("note", "keep", "n1"), ("fault", "wipe", "n1"), ("fault", "rewind", "n1")]


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (Deed("groups"), "expected one of flip"),
        (Deed("wipe", {"name": "x"}), "with fields of its own"),
        (Deed("flip", {"group": 1}), "another kind of value"),
        (Deed("keep"), "a field is missing"),
        (Deed("rewind", {"name": "none"}), "no copy 'none' was kept"),
    ],
)
def test_a_deed_that_makes_no_sense_is_refused(lab: Lab, deed: Deed, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rest(DISK, lab, "n1", deed)


@pytest.mark.parametrize("is_link", [False, True])
def test_what_stands_in_the_place_of_the_folder_is_not_used(tmp_path: Path, is_link: bool) -> None:
    lab = made(tmp_path / "other")
    (tmp_path / "elsewhere").mkdir()
    if is_link:
        lab.run_path.symlink_to(tmp_path / "elsewhere")
    else:
        lab.run_path.write_text("")
    with pytest.raises(AccessError, match="expected a folder of the lab"):
        running.make_run_folder(DISK, lab)


def test_only_one_may_run_a_lab(lab: Lab) -> None:
    with running.taken_lock(DISK, lab), pytest.raises(AccessError, match="is up already"):
        running.taken_lock(DISK, lab)
    running.taken_lock(DISK, lab).close()


def test_a_file_that_names_another_process_by_the_same_id_ends_nobody(lab: Lab) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            for name in ("n1", running.SUPERVISOR):
                running.note_process(DISK, lab, name, Process(stranger.pid, "another moment"))
            assert list(running.running(DISK, lab)) == []
            assert running.end(DISK, lab, wait=time.sleep, is_hard=True) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert not (lab.run_path / "n1.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}', "\0" * 99])
def test_a_file_that_does_not_read_names_nobody(lab: Lab, text: str) -> None:
    (lab.run_path / "n1.json").write_text(text)
    assert running.noted_process(DISK, lab, "n1") is None


def test_a_node_that_is_paused_and_deaf_is_ended_all_the_same(lab: Lab) -> None:
    command = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        found = runtime.identify(deaf.pid)
        assert found is not None
        running.note_process(DISK, lab, "n2", found)
        runtime.signal_group(found, signal.SIGSTOP)
        with pytest.raises(AccessError, match="n2"):
            running.demand_down(DISK, lab)
        names = running.end(DISK, lab, wait=time.sleep, is_hard=False, seconds=0.1)
        assert names == ["n2"]
        assert deaf.wait() == -signal.SIGKILL
    running.demand_down(DISK, lab)
