"""Scenarios played against real processes."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import Tell
from tests.cluster.labs import DISK, needs_etcd, pids
from walctl.cluster.hands import demand_real
from walctl.cluster.lab import Engine, load
from walctl.cluster.scenario import deed_of, parse
from walctl.cluster.scenario_run import engine_of, is_simulated, left_out, wish_of
from walctl.cluster.shipped import SUFFIX, read, shipped
from walctl.errors import UnsupportedError

ETCD = ("leader-killed", "pause-leader", "wal-older-than-peers", "split-brain")
ESSENTIAL = ("torn-tail",)
OTHERS = tuple(
    name
    for name in shipped(DISK)
    if name not in ESSENTIAL
    and not is_simulated(read(DISK, name, Path(f"{name}{SUFFIX}")).cluster, None)
)


@pytest.mark.parametrize(
    "name", [*ESSENTIAL, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_what_a_shipped_scenario_expects_holds(name: str, tmp_path: Path, tell: Tell) -> None:
    lab = tmp_path / "lab"
    told = tell("cluster", "run", name, "--lab", lab, "-o", "json")
    assert told.status == 0, told.out
    found = json.loads(told.out)
    assert found["verdict"] == "holds"
    assert all(step["holds"] is not False and not step["error"] for step in found["steps"])
    assert pids(load(DISK, lab)) == {}


@needs_etcd
@pytest.mark.slow
@pytest.mark.parametrize("name", ETCD)
def test_real_etcds_do_what_it_expects(name: str, tmp_path: Path, tell: Tell) -> None:
    from fixtures.recipes import etcd

    words = ("--engine", "etcd", "--etcd-bin", etcd.binary("etcd"), "--lab", tmp_path / "lab")
    told = tell("cluster", "run", name, *words)
    assert told.status == 0, told.out


def test_an_expectation_that_does_not_hold_is_named_with_its_line(
    tmp_path: Path, tell: Tell
) -> None:
    file = tmp_path / "wrong.scn"
    text = "cluster 1 tick=20ms election=100ms; stabilize\nput k v\nexpect value k=other\nput k w\n"
    file.write_text(text)
    told = tell("cluster", "run", file, "--lab", tmp_path / "lab")
    assert told.status == 1
    assert f"{file}:3: does not hold: expect value k=other: k is b'v'" in told.out
    assert "put k w" not in told.out
    assert f"the lab is kept: {tmp_path / 'lab'}" in told.out


def test_a_command_that_cannot_be_done_breaks_it_off(tmp_path: Path, tell: Tell) -> None:
    file = tmp_path / "wrong.scn"
    file.write_text("cluster 1 tick=20ms election=100ms\nresume n1\n")
    told = tell("cluster", "run", file, "--lab", tmp_path / "lab")
    assert told.status == 4
    assert f"{file}:2: broken off: n1: expected a paused node, found it running" in told.out


def test_a_file_that_makes_no_sense_is_refused_before_anything_starts(
    tmp_path: Path, tell: Tell
) -> None:
    file = tmp_path / "wrong.scn"
    for data, said in (
        (b"cluster 3\nmelt n1\n", f"{file}:2: expected a command"),
        (b"cluster 3\n\xff\n", f"{file}:2: expected UTF-8"),
        (b"cluster 3 engine=sim\n", "for real processes"),
    ):
        file.write_bytes(data)
        told = tell("cluster", "run", file, "--lab", tmp_path / "lab")
        assert told.status in (2, 4)
        assert said in told.err
        assert not (tmp_path / "lab").exists()


SIMULATED = (
    "message n1->n2 MsgApp term=3 nth=2 drop",
    "repair n1",
    "twin n1 as=n9",
    "converge",
    "kill n1 call=3",
    "kill n1 keep=none",
    "disk n1 latent",
    "disk n1 stale",
    "disk n1 misdirect",
    "disk n1 misdirect off",
)


@pytest.mark.parametrize("line", SIMULATED)
def test_what_the_simulator_alone_does_is_refused_in_one_line(line: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        demand_real(deed_of(line.split()))
    assert caught.value.message == f"{line}: the simulator alone does this (engine=sim)"


@pytest.mark.parametrize("line", ["kill n1 mode=torn", "disk n1 flip", "disk n1 lie", "heal"])
def test_what_processes_can_do_is_not_refused(line: str) -> None:
    demand_real(deed_of(line.split()))


def test_what_a_cluster_says_for_the_simulator_is_left_out_or_done() -> None:
    words = "cluster 3 seed=1 budget=off net=1ms sync=1ms segment=16KiB catch-up=7"
    cluster = parse(words, name="f").cluster
    assert left_out(cluster, Engine.WALCTL) == ("seed", "budget", "sync")
    assert left_out(cluster, Engine.ETCD) == ("seed", "budget", "sync", "segment", "catch-up")
    wish = wish_of(cluster, Path("lab"), engine=Engine.WALCTL, program=None)
    assert (wish.settings.segment_bytes, wish.settings.catch_up_entries) == (16384, 7)
    assert left_out(parse("cluster 3", name="f").cluster, Engine.ETCD) == ()


def test_who_is_to_play_a_scenario() -> None:
    sim, plain = (parse(f"cluster 3{each}", name="f").cluster for each in (" engine=sim", ""))
    assert is_simulated(sim, None)
    assert is_simulated(plain, "sim")
    assert not is_simulated(sim, "walctl")
    assert not is_simulated(plain, None)
    with pytest.raises(UnsupportedError, match="for the simulator"):
        engine_of(sim, None)
    assert engine_of(sim, "etcd") is Engine.ETCD


TIMED = """\
cluster 3 tick=20ms election=300ms seed=1 net=1ms±500us
stabilize
at 2s put k v
at 2s get k read=local
at 2s load clients=1 for 100ms
at 2.1s put k w
at 2.3s expect value k=w
expect linearizable
expect elections>=1; expect not elections>9
expect not violation I1|I2
stop n1
expect not finding(n1) crc-mismatch
expect plan(n1) nothing
disk n1 flip offset=100 bit=0
expect finding(n1) crc-mismatch
expect not plan(n1) nothing
start n1
run until refused(n1) has "crc" within 10s
"""


@pytest.mark.slow
def test_commands_with_moments_are_done_at_them_and_their_answers_are_not_waited_for(
    tmp_path: Path, tell: Tell
) -> None:
    file, lab = tmp_path / "timed.scn", tmp_path / "lab"
    file.write_text(TIMED)
    told = tell("cluster", "run", file, "--lab", lab, "-o", "json")
    found = json.loads(told.out)
    assert told.status == 0, told.out
    assert found["left_out"] == ["seed"]
    timed = [step for step in found["steps"] if step["command"].startswith("at ")]
    moments = [2_000_000, 2_000_000, 2_000_000, 2_100_000, 2_300_000]
    assert all(0 <= each["t"] - at < 200_000 for each, at in zip(timed, moments, strict=True))
    assert timed[0]["words"] == "asked; nobody waits for the answer"
    lines = [json.loads(line) for line in (lab / "events.jsonl").read_text().splitlines()]
    asked = [each for each in lines if each.get("k") == "invoke" and "load" not in each["c"]]
    assert [each.get("read") for each in asked if each["f"] == "get"] == ["local"]
    answered = {each["c"] for each in lines if each.get("k") == "ok"}
    assert {each["c"] for each in asked} <= answered
    assert any("left out: seed" in each.get("what", "") for each in lines)
    (delayed,) = [each for each in lines if each.get("k") == "fault" and each["on"] == "delay"]
    assert delayed["args"]["words"] == "delay all 1ms±500us"
