"""`walctl cluster shrink` as it is typed."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import Tell
from walctl.cluster.scenario import parse
from walctl.sim import shrink as engine
from walctl.sim.play import play
from walctl.sim.run import header_of
from walctl.sim.safeguards import BY_NAME
from walctl.sim.watching import Watching

NAME = "saving-before-sending"
MISSING = ("--without", NAME)
NOISY = """\
cluster 3 engine=sim tick=20ms election=100ms seed=0x1
at 200ms isolate n3
at 250ms put a b
at 300ms kill n2
at 350ms get a
"""
"""A vote that was never written down is sent already before any of this."""
FEW = ("--max-runs", "8")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "mine.scn"
    path.write_text(NOISY)
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The header of a trace, which is all that a run is made of, and an event."""
    path = tmp_path / "fail-1.jsonl"
    header = header_of(parse(NOISY, name="seed-0x1"), (NAME,))
    path.write_bytes(header + b'{"i":0,"t":5,"n":"n1","k":"start"}\n')
    return path


def plays(text: str) -> bool:
    """Whether all is as the file expects, without the safeguard."""
    with BY_NAME[NAME].removed():
        return not play(parse(text, name="small.scn"), watch=Watching).exit_status


def test_a_scenario_becomes_small_and_is_printed(tell: Tell, scenario: Path) -> None:
    told = tell("cluster", "shrink", scenario, *MISSING, *FEW)
    assert told.status == 0
    assert told.out.startswith("# Shrunk from ")
    assert told.out.endswith("expect violation I8\n")
    assert f"# Without {NAME}: I8 -- " in told.out
    assert "4 decisions -> " in told.err
    assert plays(told.out)


def test_a_trace_says_itself_what_was_missing(tell: Tell, trace: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.scn"
    told = tell("cluster", "shrink", trace, *FEW, "--output", target)
    assert (told.status, told.err) == (0, "")
    text = target.read_text()
    assert text.startswith("# Shrunk from seed-0x1: 4 decisions to ")
    assert plays(text)
    lines = told.out.splitlines()
    assert lines[0].startswith("I8 persist before send: ")
    assert lines[1].startswith("4 decisions -> ")
    assert lines[2:] == [
        f"  small  {target}",
        f"  again  walctl cluster run {target} --without {NAME}",
    ]


def test_with_nothing_to_do_left_it_says_so(tell: Tell, trace: Path) -> None:
    told = tell("cluster", "shrink", trace, "-o", "json")
    found = json.loads(told.out)
    assert (told.status, found["end"], found["after"]) == (0, "done", 0)


def test_the_document_has_all_of_it(tell: Tell, trace: Path) -> None:
    found = json.loads(tell("cluster", "shrink", trace, *FEW, "-o", "json").out)
    assert plays(found.pop("scenario"))
    assert found.pop("seconds") >= 0
    assert found.pop("words").startswith("I8 persist before send: ")
    assert found.pop("after") <= 4
    assert found == {
        "v": 1,
        "violation": "I8",
        "without": [NAME],
        "before": 4,
        "runs": 8,
        "end": "spent",
        "path": None,
    }


def test_ctrl_c_leaves_the_smallest_until_then(
    tell: Tell, trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "small.scn"

    def interrupt(shrinker: engine._Shrinker) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine._Shrinker, "_classes", interrupt)
    told = tell("cluster", "shrink", trace, "--output", target)
    assert told.status == 130
    assert told.err == "walctl: interrupted: this is the smallest until now\n"
    assert "interrupted" in told.out.splitlines()[1]
    assert plays(target.read_text())


def test_a_run_that_breaks_nothing_ends_with_4(tell: Tell, scenario: Path) -> None:
    told = tell("cluster", "shrink", scenario)
    assert (told.status, told.out) == (4, "")
    assert ": expected a run that breaks a promise, found none in " in told.err
    assert told.err.count("\n") == 1


def test_a_file_that_is_there_is_not_written_over(tell: Tell, trace: Path, scenario: Path) -> None:
    told = tell("cluster", "shrink", trace, "--output", scenario)
    assert told.status == 4
    assert "there is such a file; nothing is ever written over" in told.err
    assert scenario.read_text() == NOISY


def test_a_trace_is_not_shrunk_without_something_else(tell: Tell, trace: Path) -> None:
    told = tell("cluster", "shrink", trace, "--without", "quorum-check")
    assert told.status == 2
    assert f"its run was without {NAME}: leave --without out" in told.err


HEADER = header_of(parse(NOISY, name="seed-0x1"), (NAME,)).decode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cluster 3\nnonsense\n", 2),
        ("put a b\n", 1),
        ("cluster 3\nat 2s put a b\nat 1s put a b\n", 3),
        ("{\n", 1),
        ('{"walctl_trace":2}\n', 1),
        ('{"walctl_trace":1,"engine":"walctl","options":{}}\n', 1),
        ('{"walctl_trace":1,"engine":"sim","options":{}}\n', 1),
        (HEADER.replace("isolate n3", "isolate n9"), 1),
        (HEADER.replace(f'["{NAME}"]', '["nobody"]'), 1),
        (HEADER + '{"i":0,"t":-5,"k":"start"}\n', 2),
        (HEADER + '{"i":0,"t":5,"k":"start"}\n{"i":1,"t":5,"k":"dance"}\n', 3),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_line(
    tell: Tell, tmp_path: Path, text: str, line: int
) -> None:
    path = tmp_path / "bad"
    path.write_text(text)
    told = tell("cluster", "shrink", path)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith(f"walctl: {path}:{line}: ")
    assert told.err.count("\n") == 1


def test_a_file_that_is_not_there_ends_with_4(tell: Tell) -> None:
    assert tell("cluster", "shrink", "nowhere.jsonl").status == 4
