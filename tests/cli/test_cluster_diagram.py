"""`walctl cluster diagram` as it is typed: what it draws, what it says, and how it ends."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.commands import Tell
from tests.sim.traces import long, story, trace
from walctl.cluster.lab import Engine, Group, Lab, Node, Settings, document


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    path.write_bytes(trace(story()))
    return path


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The folder of a lab with an event file."""
    path = tmp_path / "demo"
    path.mkdir()
    made = Lab(
        path=path,
        engine=Engine.WALCTL,
        settings=Settings(),
        nodes=(Node(name="n1", id=1, client_port=1, peer_port=2, proxy_port=3),),
        groups=(Group(name="g1", first=("n1",), hosts=("n1",)),),
        token="t",
    )
    (path / "lab.json").write_bytes(document(made))
    made.events_path.write_bytes(trace(story(), engine="walctl", seed=None, scenario=None))
    return path


def test_a_picture_is_drawn_and_told_of(tell: Tell, run: Path, tmp_path: Path) -> None:
    told = tell("cluster", "diagram", run, "--output", tmp_path / "why.svg")
    assert told.status == 0
    assert told.err == ""
    assert told.out == (
        f"{tmp_path}/why.svg: double-vote, seed 0x2f, engine sim, walctl 0.4.0\n"
        "All of the trace: 85 events, 15 messages, 3 nodes, 0.000000 to 3.320000 s.\n"
        "I7: n2 voted for n1 and for n3 in term 2\n"
    )
    ET.parse(tmp_path / "why.svg")


def test_a_page_is_drawn_by_the_name_of_the_file(tell: Tell, run: Path, tmp_path: Path) -> None:
    told = tell("cluster", "diagram", run, "--output", tmp_path / "why.html", "-q")
    assert (told.status, told.out, told.err) == (0, "", "")
    assert (tmp_path / "why.html").read_text().startswith("<!DOCTYPE html>")


def test_json_tells_what_was_drawn(tell: Tell, run: Path, tmp_path: Path) -> None:
    told = tell(
        "cluster",
        "diagram",
        run,
        "--output",
        tmp_path / "why.svg",
        "--around",
        "I7",
        "--window",
        "200ms",
        "-o",
        "json",
    )
    assert told.status == 0
    found = json.loads(told.out)
    assert found["v"] == 1
    assert found["violations"] == ["I7: n2 voted for n1 and for n3 in term 2"]
    assert found["lanes"] == ["n1", "n2", "n3"]
    assert found["drawn"]["is_cut_before"] is True
    assert found["drawn"]["first_us"] >= 3_120_000
    assert found["drawn"]["messages"] == {"arrived": 2, "leaving": 1}


def test_a_lab_is_drawn_from_its_event_file(tell: Tell, lab: Path, tmp_path: Path) -> None:
    told = tell("cluster", "diagram", lab, "--output", tmp_path / "demo.svg", "--nodes", "n1,n2")
    assert told.status == 0
    assert "Left out, with their messages: n3." in told.out
    inside = tell("cluster", "diagram", lab, "--output", lab / "demo.svg")
    assert inside.status == 2
    assert "expected a file outside of" in inside.err
    assert not (lab / "demo.svg").exists()


def test_nothing_is_written_over(tell: Tell, run: Path, tmp_path: Path) -> None:
    target = tmp_path / "why.svg"
    target.write_text("mine")
    told = tell("cluster", "diagram", run, "--output", target)
    assert told.status == 4
    assert "nothing is ever written over" in told.err
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--output", "why.png"], "expected NAME.svg or NAME.html, found 'why.png'"),
        (["--output", "why.svg", "--around", "noon"], "--around: expected violation, I7, 12.3s"),
        (["--output", "why.svg", "--around", "I3"], "expected the violation of I3, found of I7"),
        (["--output", "why.svg", "--window", "long"], "no duration"),
        (["--output", "why.svg", "--nodes", "n1,,n2"], "found ''"),
        (["--output", "why.svg", "--nodes", "n7"], "(n1, n2, n3), found 'n7'"),
        ([], "--output"),
    ],
)
def test_a_wish_that_makes_no_sense_ends_with_2(
    tell: Tell,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = tell("cluster", "diagram", run, *words)
    assert (told.status, told.out) == (2, "")
    assert reason in told.err
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_line_that_makes_no_sense_ends_with_2_and_its_place_and_draws_nothing(
    tell: Tell, run: Path, tmp_path: Path
) -> None:
    lines = run.read_bytes().splitlines(keepends=True)
    lines[40] = b'{"t":"\x1b[2J"}\n'
    run.write_bytes(b"".join(lines))
    told = tell("cluster", "diagram", run, "--output", tmp_path / "why.svg", "--around", "1ms")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"walctl: {run}:41: expected ")
    assert told.err.count("\n") == 1
    assert "\x1b" not in told.err
    assert not (tmp_path / "why.svg").exists()


def test_what_is_not_there_ends_with_4(tell: Tell, tmp_path: Path) -> None:
    told = tell("cluster", "diagram", tmp_path / "gone", "--output", tmp_path / "why.svg")
    assert (told.status, told.out) == (4, "")
    assert "No such file" in told.err


@pytest.mark.slow
def test_a_long_trace_is_drawn(tell: Tell, run: Path, tmp_path: Path) -> None:
    run.write_bytes(trace(long(100_000)))
    told = tell("cluster", "diagram", run, "--output", tmp_path / "why.html")
    assert told.status == 0
    assert "2,000 messages; the whole has " in told.out
    assert (tmp_path / "why.html").stat().st_size < 4_000_000
