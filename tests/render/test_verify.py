"""A verify report as a person and a script see it, byte for byte where that matters."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.render.drawing import CASES, DISK, NARROW, Paper, laid, reported, too_long
from walctl.inspect.checksums import Comparison, Difference, Unlike
from walctl.inspect.reading import Depth
from walctl.inspect.report import Report
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import HardState
from walctl.render import verify as render

CLEAN = """\
etcd-3.5-three-puts: data directory; etcd 3.5, member 799928778dcb07df, cluster
  5cd459230430312e; 1 segment, log 1–7, term 2, commit 7, database at 7

lost          nothing
start points  the log's beginning (on to 7)
verdict       clean                                                       exit 0
"""

DAMAGED = """\
lost-last-segment: data directory; etcd 3.5, member c7a3e57993071026, cluster
  71e034743653d73a; 1 segment, log 1–47, term 2, commit 47, database at 53

DAMAGED  db-ahead at db (index 53)
         The database has applied entry 53 of term 2, but the log ends at 47:
         entries 48–53 were in it once and are gone.
  etcd   every version starts, its log ends at 47, then client writes time out
         until the index has passed 53

lost          entries 48–53, which the database has applied
start points  none; blocked: 42, 21, the log's beginning (by db-ahead)
next          walctl repair lost-last-segment
verdict       damaged: do not start the server                            exit 1
"""


def drawn(report: Report, width: int = 80) -> str:
    paper = Paper(width)
    render.one(paper, report)
    return paper.text


@pytest.mark.parametrize(
    ("case", "golden"), [("etcd-3.5-three-puts", CLEAN), ("lost-last-segment", DAMAGED)]
)
def test_a_report_at_80_columns(case: str, golden: str) -> None:
    assert drawn(reported(case)) == golden


@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_a_narrow_screen_but_for_words_that_cannot_be_broken(
    case: str,
) -> None:
    text = drawn(reported(case), NARROW)
    assert too_long(text, NARROW) == []
    assert "exit" in text.splitlines()[-1] or "exit" in text.splitlines()[-2]


@pytest.mark.parametrize("case", CASES)
def test_a_wide_screen_says_the_same_words_as_a_narrow_one(case: str) -> None:
    texts = [drawn(reported(case), width).replace(",", "").split() for width in (NARROW, 80, 200)]
    assert texts[0] == texts[1] == texts[2]


def test_colour_changes_no_letter() -> None:
    report = reported("zero-page")
    plain, coloured = Paper(), Paper(colour=True)
    render.one(plain, report)
    render.one(coloured, report)
    assert "\x1b[" in coloured.text
    without = coloured.text
    while "\x1b[" in without:
        start = without.index("\x1b[")
        without = without[:start] + without[without.index("m", start) + 1 :]
    assert without == plain.text


def test_the_worst_comes_first_and_each_consequence_once() -> None:
    text = " ".join(drawn(reported("zero-page")).split())
    assert text.index("DAMAGED zero-hole") < text.index("HARMLESS snap-unmarked")
    assert text.index("HARMLESS snap-unmarked") < text.index("lost ") < text.index("verdict ")
    assert text.count("cuts everything from entry") == 1


def finding(number: int) -> Finding:
    return Finding(
        code=Code.CRC_MISMATCH,
        severity=Severity.DAMAGE,
        place=Place(segment="0.wal", offset=number),
        detail="x.",
    )


def test_of_many_findings_a_screen_shows_some_and_says_how_many_more() -> None:
    many = tuple(finding(number) for number in range(render.SHOWN_MAX + 5))
    report = Report(path=Path("x"), understood_as="data directory", findings=many)
    text = drawn(report)
    assert text.count("DAMAGED") == render.SHOWN_MAX
    assert "5 more are in the output of -o json" in text
    told = render.report_document(report)["findings"]
    assert isinstance(told, list)
    assert len(told) == len(many)


def test_a_report_without_anything_in_it_is_still_a_report() -> None:
    text = drawn(Report(path=Path("x"), understood_as="folder of segments"))
    assert text.startswith("x\n")
    assert text.splitlines()[-1].split() == ["verdict", "clean", "exit", "0"]


def test_a_path_that_could_not_be_read_has_no_text_and_no_verdict_in_json() -> None:
    report = Report(path=Path("x"), understood_as="", error="x: Permission denied")
    assert drawn(report) == ""
    told = render.report_document(report)
    assert (told["path"], told["error"], told["verdict"]) == ("x", "x: Permission denied", None)
    assert not told["findings"]
    assert not told["start_points"]


SUMMARY = {
    "segments",
    "records",
    "entries",
    "bytes",
    "first_index",
    "last_index",
    "hard_state",
    "metadata",
    "snapshots",
}
FINDING = {
    "code",
    "severity",
    "segment",
    "offset",
    "index",
    "term",
    "detail",
    "consequence",
    "next",
}
START_POINT = {"snapshot_index", "snapshot_term", "last_index", "usable", "blocked_by"}


@pytest.mark.parametrize("case", CASES)
def test_json_has_every_fact_that_was_promised(case: str) -> None:
    report = reported(case)
    told = json.loads(json.dumps(render.document([report])))
    assert told["v"] == 1
    (found,) = told["reports"]
    assert {"path", "understood_as", "verdict", "summary", "findings", "start_points"} <= set(found)
    assert found["verdict"] == str(report.verdict)
    assert set(found["summary"]) >= SUMMARY
    assert set(found["summary"]["hard_state"]) == {"term", "vote", "commit"}
    assert set(found["summary"]["metadata"]) == {"node_id", "cluster_id"}
    assert len(found["findings"]) == len(report.findings)
    assert all(set(each) >= FINDING for each in found["findings"])
    assert all(set(each) >= START_POINT for each in found["start_points"])
    assert [each["code"] for each in found["findings"]] == [str(f.code) for f in report.findings]


def test_ids_are_hex_strings_since_json_numbers_are_not_wide_enough() -> None:
    report = reported("etcd-3.5-three-puts")
    assert report.summary is not None
    told = render.summary_document(report.summary)
    assert told is not None
    assert told["metadata"] == {"node_id": "799928778dcb07df", "cluster_id": "5cd459230430312e"}
    assert report.summary.hard_state == HardState(term=2, vote=0x799928778DCB07DF, commit=7)
    assert told["hard_state"] == {"term": 2, "vote": "799928778dcb07df", "commit": 7}


def test_a_quick_check_says_that_only_a_part_was_read() -> None:
    report = verify(DISK, laid("etcd-3.5-two-segments"), depth=Depth(is_quick=True))
    assert "verdict       clean (only a part was read)" in drawn(report)
    assert render.report_document(report)["partial"] is True


@pytest.mark.parametrize("case", CASES)
def test_no_line_ends_in_blanks(case: str) -> None:
    for width in (NARROW, 80):
        assert all(line == line.rstrip() for line in drawn(reported(case), width).splitlines())


def test_files_that_are_not_as_listed_stand_before_the_verdict_and_in_json() -> None:
    expected, found = "0" * 64, "f" * 64
    comparison = Comparison(
        path=Path("SHA256SUMS"),
        same=1,
        elsewhere=2,
        differences=(
            Difference(name="member/snap/db", kind=Unlike.DIFFERS, expected=expected, found=found),
            Difference(name="member/snap/a.snap", kind=Unlike.MISSING, expected=expected),
            *(Difference(name=f"{at}.tmp", kind=Unlike.UNLISTED) for at in range(22)),
        ),
    )
    report = replace(reported("etcd-3.5-three-puts"), comparison=comparison)
    shown = """\
manifest      1 file as listed in SHA256SUMS; 2 lines of it about files
              elsewhere
  differs     member/snap/db: expected 0000000000000000…, found
              ffffffffffffffff…
  missing     member/snap/a.snap
  not listed  0.tmp
"""
    end = """\
  not listed  19.tmp
              2 more in -o json
verdict       clean, but not as listed                                    exit 1
"""
    text = drawn(report)
    assert shown in text
    assert text.endswith(end)
    assert too_long(drawn(report, NARROW), NARROW) == []
    [told] = json.loads(json.dumps(render.document([report])))["reports"]
    assert told["verdict"] == "clean"
    assert told["manifest"]["list"] == "SHA256SUMS"
    assert told["manifest"]["same"] == 1
    assert told["manifest"]["elsewhere"] == 2
    assert len(told["manifest"]["differences"]) == 24
    assert told["manifest"]["differences"][0] == {
        "name": "member/snap/db",
        "kind": "differs",
        "expected": expected,
        "found": found,
    }
    assert render.report_document(reported("etcd-3.5-three-puts"))["manifest"] is None
