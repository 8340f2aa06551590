"""Scenarios played against real processes."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import Tell
from tests.cluster.labs import DISK, needs_etcd, pids
from walctl.cluster.lab import load
from walctl.cluster.scenario_run import shipped

ETCD = ("leader-killed", "pause-leader", "rewound-member", "split-brain")
ESSENTIAL = ("torn-tail",)
OTHERS = tuple(name for name in shipped(DISK) if name not in ESSENTIAL)


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
        (b"cluster 3 engine=sim\n", "for the simulator"),
    ):
        file.write_bytes(data)
        told = tell("cluster", "run", file, "--lab", tmp_path / "lab")
        assert told.status in (2, 4)
        assert said in told.err
        assert not (tmp_path / "lab").exists()
