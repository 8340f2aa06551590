"""A diagnosis as a person sees it: what it is, what is lost, what a start would do, what now."""

import json

import pytest

from tests.render.drawing import CASES, NARROW, Paper, diagnosed, too_long
from walctl.inspect.doctor import Diagnosis
from walctl.render import doctor as render

CLEAN = """\
etcd-3.5-three-puts: data directory; etcd 3.5, member 799928778dcb07df, cluster
  5cd459230430312e; 1 segment, log 1–7, term 2, commit 7, database at 7

lost          nothing
a start       every version starts, its log ends at 7
start points  the log's beginning (on to 7)
state         revision 4, 3 keys, HashKV 1760537655, as of entry 7; the database
              equals what the log makes at 7
members       799928778dcb07df  n1  http://127.0.0.1:59831  ← this one

what now      Nothing is wrong here: the server can be started.
verdict       clean                                                       exit 0
"""

SCREEN_LINES_MAX = 50


def drawn(diagnosis: Diagnosis, width: int = 80) -> str:
    paper = Paper(width)
    render.screenful(paper, diagnosis)
    return paper.text


def test_a_whole_member_at_80_columns() -> None:
    assert drawn(diagnosed("etcd-3.5-three-puts")) == CLEAN


@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_screen_but_for_commands_and_words_that_cannot_be_broken(
    case: str,
) -> None:
    diagnosis = diagnosed(case)
    commands = [step.command for step in diagnosis.steps]
    for width in (NARROW, 80):
        assert too_long(drawn(diagnosis, width), width, *commands) == []


@pytest.mark.parametrize("case", CASES)
def test_every_command_stands_on_one_line_and_can_be_copied(case: str) -> None:
    diagnosis = diagnosed(case)
    for width in (NARROW, 80):
        lines = [line.strip() for line in drawn(diagnosis, width).splitlines()]
        assert all(step.command in lines for step in diagnosis.steps if step.command)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_fits_on_one_screen_with_the_verdict_last(case: str) -> None:
    lines = drawn(diagnosed(case)).splitlines()
    assert len(lines) <= SCREEN_LINES_MAX
    assert lines[-1].startswith("verdict")


def test_steps_are_numbered_where_there_are_several() -> None:
    text = drawn(diagnosed("lost-last-segment"))
    assert "what now      1. Do not start the server" in text
    assert "\n              2. See how it can be put right." in text
    assert "\n                 walctl repair lost-last-segment\n" in text


def test_members_stand_with_the_own_one_marked() -> None:
    text = drawn(diagnosed("etcd-3.5-three-members"))
    lines = [line for line in text.splitlines() if "http://" in line]
    assert [line.split("  ")[-3:][0].strip() for line in lines if "←" in line] == ["n2"]
    assert len(lines) == 3
    assert sum("← this one" in line for line in lines) == 1


@pytest.mark.parametrize("case", CASES)
def test_json_has_the_report_the_start_the_members_and_the_steps(case: str) -> None:
    diagnosis = diagnosed(case)
    told = json.loads(json.dumps(render.document(diagnosis)))
    assert set(told) == {"v", "report", "start", "state", "membership", "steps"}
    assert told["v"] == 1
    assert told["report"]["verdict"] == str(diagnosis.report.verdict)
    assert told["start"] == diagnosis.start != ""
    assert told["membership"]["own_id"]
    assert len(told["steps"]) == len(diagnosis.steps) > 0
    for view in told["membership"]["views"]:
        assert view["source"] in ("log", "snapshot", "database")
        for member in view["members"]:
            assert set(member) == {"id", "name", "peer_urls", "client_urls", "is_learner"}
