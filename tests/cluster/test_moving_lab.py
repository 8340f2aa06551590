"""A real lab, whose nodes are processes: groups move and members come and go while clients ask, the
command is killed after each of its steps, and nodes with it. Then every log is asked."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import WALCTL, Tell, environment, ran
from tests.cluster.labs import DISK, QUICK, again, ended, pids, wait_for
from walctl.cluster import runtime
from walctl.cluster.lab import Engine, Lab
from walctl.cluster.making import NewLab, make
from walctl.cluster.up_down import act, status, up_detached

STEPS = 7


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of our own nodes that is up; g2 is on n1 alone."""
    wish = NewLab(path=tmp_path / "demo", nodes=4, engine=Engine.WALCTL, settings=QUICK)
    found = make(
        DISK, wish, token=runtime.token(), draw=runtime.draw(), port_fault=runtime.port_fault
    )
    with ended(found):
        up_detached(DISK, found, only=())
        told = ran("cluster", "group", "add", found.path, "g2", "--on", "n1")
        assert told.status == 0, told
        yield found


@contextmanager
def load(lab: Lab, group: str, seconds: int) -> Iterator[None]:
    """Clients of another process ask a group, from before the block until it is over."""
    words = ["--group", group, "--for", f"{seconds}s", "--rate", "150", "--clients", "5", "-q"]
    with subprocess.Popen(
        [*WALCTL, "cluster", "load", lab.path, *words], env=environment(), text=True
    ) as process:
        wait_for(lambda: '"k":"ok"' in lab.events_path.read_text(), "an answer")
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def killed_at(lab: Lab, step: int, *words: str) -> bool:
    """Type a command, and kill it with SIGKILL as soon as it has told of so many steps."""
    with subprocess.Popen(
        [*WALCTL, "cluster", *words], env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for number, _ in enumerate(process.stderr, 1):
            if number == step:
                process.kill()
        process.stderr.close()
        return process.wait() == -signal.SIGKILL


def led(lab: Lab) -> list[str]:
    """The nodes that are up, once g1 has a leader."""
    found = status(DISK, again(lab))
    return [each.name for each in found.nodes if each.is_up and found.leader("g1")]


def demand_linearizable(lab: Lab) -> None:
    """By what clients saw, and by that and the logs."""
    told = ran("cluster", "check", lab.path, "-o", "json")
    assert told.status == 0, told
    told = ran("cluster", "check", lab.path, "--with-wal", "-o", "json")
    assert told.status == 0, told
    found = json.loads(told.out)
    assert found["with_logs"]["contradictions"] == []
    assert found["operations"]["ok"] > 100


@pytest.mark.slow
def test_moves_that_are_killed_after_each_step_lose_and_double_nothing(lab: Lab) -> None:
    place, other, kills = "n1", "n4", 0
    with load(lab, "g2", 120):
        for step in range(1, STEPS + 1):
            words = ("group", "move", str(lab.path), "g2", "--from", place, "--to", other)
            kills += killed_at(lab, step, *words)
            if step % 3 == 0:
                victim = place if step % 2 else other
                act(lab, victim, "kill")
                act(lab, victim, "start")
            assert ran("cluster", *words).status == 0
            assert again(lab).group("g2").hosts == (other,)
            place, other = other, place
    assert kills >= STEPS - 2
    demand_linearizable(lab)


@pytest.mark.slow
def test_members_come_and_go_under_load_and_a_dead_one_is_replaced(lab: Lab, tell: Tell) -> None:
    with load(lab, "g1", 60):
        assert tell("cluster", "member", "add", lab.path).out.startswith("n5 is a voter\n")
        act(lab, "n2", "kill")
        told = tell("cluster", "member", "replace", lab.path, "n2")
        assert told.out.startswith("n6 has the place of n2\n")
        leader = status(DISK, again(lab)).leader("g1")
        told = tell("cluster", "member", "replace", lab.path, "leader", "--group", "g1")
        assert told.out.startswith(f"n7 has the place of {leader}\n"), told
        leader = status(DISK, again(lab)).leader("g1")
        told = tell("cluster", "member", "remove", lab.path, "leader", "--group", "g1")
        assert (told.status, told.out.startswith(f"{leader} was removed\n")) == (0, True), told
        *_, one, other = again(lab).group("g1").hosts
        told = tell("cluster", "campaign", lab.path, one, "--group", "g1")
        assert (told.status, "campaigned, and" in told.out or "leads" in told.out) == (0, True)
        told = tell("cluster", "snapshot", lab.path, one)
        assert (told.status, f"{one}: g1: has a snapshot of index" in told.out) == (0, True), told
        assert tell("cluster", "compact", lab.path, one).status == 0
        assert tell("cluster", "transfer", lab.path, other, "--group", "g1").status == 0
        time.sleep(0.5)  # let clients ask the group as it is now
    rows = json.loads(tell("cluster", "group", "list", lab.path, "-o", "json").out)["groups"]
    assert [row["leader"] for row in rows if row["name"] == "g1"] == [other]
    assert "n2" not in pids(lab)
    demand_linearizable(lab)


def test_a_removal_warns_and_is_refused_where_it_leaves_no_majority(lab: Lab, tell: Tell) -> None:
    act(lab, "n4", "kill")
    told = tell("cluster", "member", "remove", lab.path, "n4")
    assert told.status == 0, told
    assert "without n4 there are 3 voters; up: n1, n2, n3: 1 more may fail\n" in told.err
    act(lab, "n3", "kill")
    wait_for(lambda: led(lab) == ["n1", "n2"], "a leader")
    told = tell("cluster", "member", "remove", lab.path, "n2", "--group", "g1")
    assert (told.status, len(told.err.splitlines())) == (5, 1), told
    assert "of the 2 voters that are left, 2 have to be up, and 1 is; start n3 first" in told.err
