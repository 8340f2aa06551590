"""Faults of a lab that is up, as they are typed: each has its effect, is shown, and has an off."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Tell, Told
from tests.cluster.labs import DISK, again, ended, needs_etcd, pids, wait_for
from walctl.cluster.lab import Lab, load


@pytest.fixture
def lab(tmp_path: Path, tell: Tell) -> Iterator[Lab]:
    """A lab of our own members, up."""
    path = tmp_path / "lab"
    quick = ("--tick", "20", "--election", "300", "--segment-bytes", "1000000")
    assert tell("cluster", "new", path, *quick).status == 0
    made = load(DISK, path)
    assert made.settings.segment_bytes == 1_000_000
    with ended(made):
        assert tell("cluster", "up", path, "-d").status == 0
        yield made


def done(told: Told) -> dict[str, Any]:
    assert told.status == 0, told.err
    found: dict[str, Any] = json.loads(told.out)
    return found


def events(lab: Lab, kind: str) -> list[dict[str, Any]]:
    lines = lab.events_path.read_text().splitlines()
    return [event for line in lines if (event := json.loads(line)).get("k") == kind]


def test_faults_of_a_lab_are_done_shown_written_down_and_taken_off(lab: Lab, tell: Tell) -> None:
    def fault(*words: str) -> dict[str, Any]:
        return done(tell("cluster", words[0], lab.path, *words[1:], "-o", "json"))

    def on() -> list[str]:
        standing = done(tell("cluster", "status", lab.path, "-o", "json"))
        found: list[str] = standing["faults"]
        return found

    # Links.
    isolated = fault("net", "isolate", "leader")
    assert len(isolated["links"]) == 4
    assert isolated["on"][0].startswith("isolate n")
    delayed = fault("net", "delay", "n1->n2", "50ms±20ms")
    assert "delay n1->n2 50ms±20ms" in delayed["on"]
    assert on() == delayed["on"]
    assert fault("net", "heal", "--all")["on"] == []
    assert on() == []
    wait_for(lambda: tell("cluster", "status", lab.path).out.count("leader") >= 2, "a leader")

    # Disks and clocks of nodes that run.
    fault("disk", "n2", "slow-fsync", "1ms")
    fault("clock", "n2", "rate", "300%")
    wait_for(lambda: len(on()) == 2, "two faults")
    assert on() == ["n2: disk slow-fsync 1ms", "n2: clock rate percent 300"]
    fault("disk", "n2", "off")
    fault("clock", "n2", "off")
    wait_for(lambda: on() == [], "no fault")
    assert tell("cluster", "disk", lab.path, "n2", "eio", "group=g9").status == 4

    # The power, and files at rest.
    before = pids(lab)
    killed = fault("kill", "n3", "--mode", "torn")
    assert killed["state"] == "crashed"
    assert pids(lab).keys() == before.keys() - {"n3"}
    assert events(lab, "crash")[-1]["mode"] == "torn"
    refused = tell("cluster", "disk", lab.path, "n3", "lie")
    assert (refused.status, refused.err.count("\n")) == (4, 1)
    assert tell("cluster", "disk", lab.path, "n2", "flip").status == 2
    fault("keep", "n3")
    flipped = fault("disk", "n3", "flip", "offset=100", "bit=0")
    assert (flipped["offset"], flipped["size"]) == (100, 1)
    fault("rewind", "n3")
    assert tell("cluster", "start", lab.path, "n3").status == 0
    wait_for(lambda: tell("cluster", "status", lab.path).out.count("n3 ") >= 1, "n3")

    # All of it is written down.
    told = {(each["on"], each.get("n")) for each in events(lab, "fault")}
    assert told >= {
        ("isolate", None),
        ("delay", None),
        ("disk", "n2"),
        ("clock", "n2"),
        ("power-cut", "n3"),
        ("flip", "n3"),
        ("rewind", "n3"),
    }
    healed = {(each["on"], each.get("n")) for each in events(lab, "heal")}
    assert healed >= {("heal", None), ("disk", "n2"), ("clock", "n2")}


def test_a_nemesis_is_on_its_way_only_while_it_says_so(lab: Lab, tell: Tell) -> None:
    words = ("--faults", "kill,partition,disk,clock,torn", "--seed", "11", "--interval", "500ms")
    found = done(tell("cluster", "nemesis", lab.path, *words, "--for", "3s", "-o", "json"))
    assert found["left"] == []
    assert sum(each["done"] and not each["heal"] for each in found["deeds"]) >= 4
    standing = done(tell("cluster", "status", lab.path, "-o", "json"))
    assert standing["faults"] == []
    assert {each["state"] for each in standing["nodes"]} == {"running"}
    notes = [each for each in events(lab, "note") if each.get("what", "").startswith("nemesis")]
    assert [each["args"]["seed"] for each in notes] == [11, 11]
    assert again(lab).nodes == lab.nodes


def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path, tell: Tell) -> None:
    path = tmp_path / "lab"
    assert tell("cluster", "new", path).status == 0
    for words, status, said in (
        (("net", path, "isolate", "n1"), 4, "is not up"),
        (("net", path, "melt"), 2, "expected one of cut"),
        (("disk", path, "n1", "melt"), 2, "expected what to do to a disk"),
        (("disk", path, "n9", "off"), 2, "no node 'n9'"),
        (("disk", path, "n1", "lie"), 4, "expected a node that runs"),
        (("clock", path, "n1", "jump", "-3s"), 2, "never goes back"),
        (("kill", path, "n1", "--mode", "torn"), 4, "is not up"),
        (("nemesis", path, "--faults", "flood"), 2, "found 'flood'"),
        (("nemesis", path, "--interval", "1ms"), 2, "an interval from 100ms on"),
        (("run", tmp_path / "none.scn"), 4, "no such file"),
    ):
        told = tell("cluster", *words)
        assert (told.status, told.out) == (status, "")
        assert said in told.err
        assert told.err.count("\n") == 1


@needs_etcd
@pytest.mark.slow
def test_what_etcd_cannot_do_is_refused_with_what_can_be_done_instead(
    tmp_path: Path, tell: Tell
) -> None:
    from tests.cluster.labs import made

    lab = made(tmp_path / "lab")
    with ended(lab):
        assert tell("cluster", "up", lab.path, "-d").status == 0
        for words in (("clock", "n1", "rate", "50%"), ("disk", "n1", "lie")):
            told = tell("cluster", words[0], lab.path, *words[1:])
            assert (told.status, "engine walctl" in told.err) == (4, True)
        assert tell("cluster", "kill", lab.path, "n1", "--mode", "torn").status == 4
