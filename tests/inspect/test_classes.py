"""Every directory of the corpus gets the verdict, codes and exit status of its row in classes.md.

The table is read when the tests are collected, so a row that changes there is judged here. What
differs from a row on purpose has to stand in `EXCUSED`, with its reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.corpus import CORPUS, needs_corpus, unpacked
from tests.inspect.answers import DISK, damaged_member, examined, logs_in, of_kind, said
from walctl.errors import ExitStatus
from walctl.inspect.report import Report
from walctl.inspect.verify import verify
from walctl.model.finding import Code, Finding, Severity, Verdict

pytestmark = needs_corpus

STATUS = {
    "clean": ExitStatus.CLEAN,
    "harmless": ExitStatus.HARMLESS,
    "damaged": ExitStatus.DAMAGE,
}
NO_CODES = "–"
READABLE_BEHIND = "with the readable records behind it counted"
"""The one condition of the table that is no code; it has a test of its own."""

EXCUSED: dict[str, str] = {}
"""Directories whose answer is not that of their row, each with the reason: there are none."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: each of `wanted` is met by any one of its codes, none of `never` may be there."""

    directory: str
    verdict: str
    wanted: tuple[frozenset[str], ...]
    never: frozenset[str]
    conditions: tuple[str, ...]


def parse_codes(cell: str) -> tuple[list[frozenset[str]], set[str], list[str]]:
    """The codes of a cell: wanted (any of each), forbidden, and conditions in words."""
    wanted: list[frozenset[str]] = []
    never: set[str] = set()
    conditions: list[str] = []
    for part in re.sub(r"\(.*?\)", "", cell).split(","):
        words = part.strip()
        choices = frozenset(words.removeprefix("never ").split(" or "))
        if words in ("", NO_CODES):
            continue
        if not choices <= set(Code):
            conditions.append(words)
        elif words.startswith("never "):
            never |= choices
        else:
            wanted.append(choices)
    return wanted, never, conditions


def table() -> list[Row]:
    """The rows of classes.md; empty without a corpus."""
    if CORPUS is None:
        return []
    rows = []
    for line in (CORPUS / "classes.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| x-"):
            continue
        wanted, never, conditions = parse_codes(cells[2])
        rows.append(Row(cells[0], cells[1], tuple(wanted), frozenset(never), tuple(conditions)))
    return rows


def row_of(name: str) -> Row:
    return next(row for row in ROWS if row.directory == re.sub(r"-3[45]$", "", name))


ROWS = table()
DAMAGED = of_kind("damage")
WHOLE = of_kind("scenario")


def report_of(name: str) -> Report:
    return examined(name, damaged_member(name)).report


def codes_of(report: Report, severity: Severity | None = None) -> set[str]:
    return {
        str(finding.code)
        for finding in report.findings
        if severity is None or finding.severity is severity
    }


def where(name: str) -> dict[str, int]:
    """The first damaged place by the manifest."""
    place = said(name)["expected"].get("first_bad")
    assert isinstance(place, dict)
    return place


def test_the_table_has_a_row_for_every_damaged_directory_and_no_other() -> None:
    assert {row.directory for row in ROWS} == {re.sub(r"-3[45]$", "", name) for name in DAMAGED}
    assert len(DAMAGED) == 2 * len(ROWS) >= 60


def test_the_table_uses_no_condition_that_is_not_tested_here() -> None:
    assert {each for row in ROWS for each in row.conditions} == {READABLE_BEHIND}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_directory_gets_the_verdict_codes_and_status_of_its_row(name: str) -> None:
    row, report = row_of(name), report_of(name)
    found = codes_of(report)
    answer = (str(report.verdict), report.exit_status)
    missing = [sorted(choices) for choices in row.wanted if not choices & found]
    is_met = answer == (row.verdict, STATUS[row.verdict]) and not missing and not row.never & found
    assert is_met is (name not in EXCUSED), (answer, missing, sorted(found))


@pytest.mark.parametrize("name", DAMAGED)
def test_the_verdict_of_a_row_comes_from_its_own_codes_and_nothing_else(name: str) -> None:
    """A right verdict for a wrong reason would pass the test above."""
    row, report = row_of(name), report_of(name)
    severity = {"damaged": Severity.DAMAGE, "harmless": Severity.HARMLESS}.get(row.verdict)
    named = {code for choices in row.wanted for code in choices}
    if severity is None:
        assert report.findings == ()
        return
    assert codes_of(report, severity) <= named
    assert codes_of(report, severity)


def test_the_other_members_of_a_cluster_with_one_damaged_follower_are_clean() -> None:
    """Its row is of the member that lost its tail; alone, the others are healthy."""
    names = [name for name in DAMAGED if len(said(name)["members"]) > 1]
    assert [re.sub(r"-3[45]$", "", name) for name in names] == ["x-follower-tail-lost"] * 2
    for name in names:
        for member in said(name)["members"]:
            report = examined(name, member).report
            assert (report.verdict is Verdict.CLEAN) is (member != damaged_member(name)), member


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_directory_is_clean_and_one_without_database_harmless(name: str) -> None:
    for member in logs_in(name):
        report = examined(name, member).report
        if name.startswith("h-"):
            assert codes_of(report) == {Code.SNAP_MISSING, Code.DB_MISSING}
            assert report.exit_status is ExitStatus.HARMLESS
            continue
        assert report.exit_status is ExitStatus.CLEAN, (member, report.findings)
        told = {Code.LEFTOVER} if name[:2] in ("d2", "f-") else set()
        assert codes_of(report) - {Code.MEMBERSHIP_DIFFERS} == told
        # A learner was promoted there, and 3.5.1 did not write that down: worth knowing, no more.
        is_promoted = name.startswith("d-cluster3") and member != "n3"
        assert (Code.MEMBERSHIP_DIFFERS in codes_of(report, Severity.INFO)) is is_promoted


def test_an_unfinished_received_snapshot_is_told_with_what_the_server_makes_of_it() -> None:
    name = next(each for each in WHOLE if each.startswith("d2-"))
    findings = examined(name, logs_in(name)[0]).report.findings
    (finding,) = [each for each in findings if (each.place.segment or "").endswith(".snap.db")]
    assert finding.severity is Severity.INFO
    assert "3.5.1: panics once" in finding.consequence


def bytes_findings(name: str) -> Iterator[Finding]:
    """The damage findings that have a place in a segment."""
    for finding in report_of(name).findings:
        segment = finding.place.segment or ""
        if finding.severity is Severity.DAMAGE and segment.endswith(".wal"):
            yield finding


PLACED = [name for name in DAMAGED if "first_bad" in said(name)["expected"]]


@pytest.mark.parametrize("name", PLACED)
def test_damage_is_placed_at_the_first_bad_byte_of_the_manifest(name: str) -> None:
    segment = str(where(name)["file"]).rsplit("/", 1)[-1]
    found = [(each.place.segment, each.place.offset) for each in bytes_findings(name)]
    if row_of(name).wanted == (frozenset({"segment-missing"}),):
        # The bad segment is not there: what is named is the missing one, or the one behind it.
        (finding,) = bytes_findings(name)
        assert finding.place.index == said(name)["expected"]["entries_from_there"][0]
        return
    if name.startswith("x-forged-gap"):
        # The manifest names where entry 450 would be: there the next one stands, behind its state.
        (finding,) = bytes_findings(name)
        assert (finding.place.segment, finding.place.index) == (segment, where(name)["index"])
        assert 0 <= (finding.place.offset or 0) - where(name)["offset"] < 64
        return
    assert (segment, where(name)["offset"]) in found


CORRUPT = [name for name in PLACED if said(name)["expected"]["verdict"] in ("corrupt", "torn")]


@pytest.mark.parametrize("name", CORRUPT)
def test_the_log_is_read_up_to_the_last_good_entry_and_not_beyond_the_damage(name: str) -> None:
    """The last entry in front of the damage; what is read behind it stands behind it."""
    expected, seen = said(name)["expected"], examined(name, damaged_member(name)).survey
    segment = str(where(name)["file"]).rsplit("/", 1)[-1]
    bad = (segment, where(name)["offset"])
    before = [run for run in seen.runs if not run.is_recovered and (run.segment, run.start) < bad]
    assert all(run.stop <= bad[1] for run in before if run.segment == segment)
    assert max((run.last for run in before), default=0) == expected["last_good_index"]


LAST_READ = {
    "x-torn-in-data": "last_good_index",
    "x-torn-in-length": "last_good_index",
    "x-zero-last-sector": "last_good_index",
    "x-zero-length-last": "last_good_index",
    "x-follower-tail-lost": "last_good_index",
}
"""Damage at the end of the log; any other is read past, to the last entry ever written."""


@pytest.mark.parametrize("name", DAMAGED)
def test_the_log_is_read_past_any_damage_to_the_last_entry_that_was_written(name: str) -> None:
    expected = said(name)["expected"]
    key = LAST_READ.get(row_of(name).directory, "last_index_before_damage")
    summary = report_of(name).summary
    assert summary is not None
    assert summary.last_index == expected[key]


BEHIND = [name for name in DAMAGED if READABLE_BEHIND in row_of(name).conditions]


@pytest.mark.parametrize("name", BEHIND)
def test_readable_records_behind_a_zero_page_are_counted(name: str) -> None:
    """Records behind the hole, by counting them: those of the whole log but the ones lost."""
    seen, report = examined(name, damaged_member(name)).survey, report_of(name)
    hole = next(each for each in report.findings if each.severity is Severity.DAMAGE)
    behind = [s for s in seen.segments[-1].digest.stretches if s.span.start > where(name)["offset"]]
    count = sum(stretch.frames for stretch in behind)
    assert count > 400
    assert f"{count:,}" in hole.detail or f"{count}" in hole.detail


AHEAD = [name for name in DAMAGED if "db_ahead" in said(name)["expected"]]


@pytest.mark.parametrize("name", AHEAD)
def test_a_database_ahead_of_the_log_is_told_as_such_or_as_an_effect_that_is_kept(
    name: str,
) -> None:
    """Where the log goes on behind the damage, the database is ahead of nothing that is read."""
    expected, report = said(name)["expected"], report_of(name)
    summary = report.summary
    assert summary is not None
    assert summary.applied_index == expected["db_ahead"]["db_consistent_index"]
    reads_less = (summary.last_index or 0) < (summary.applied_index or 0)
    assert (Code.DB_AHEAD in codes_of(report)) is reads_less


@pytest.mark.parametrize("name", DAMAGED)
def test_every_damage_says_what_to_do_and_every_damage_of_the_log_what_a_start_would_do(
    name: str,
) -> None:
    for finding in report_of(name).findings:
        assert finding.detail.endswith((".", ".)")), finding.detail
        assert finding.next
        if finding.severity is Severity.DAMAGE:
            assert finding.next.startswith("walctl repair ")
            assert finding.consequence, finding.code


def test_what_verify_reports_is_what_was_examined() -> None:
    name = next(each for each in DAMAGED if each.startswith("x-zero-page-mid"))
    assert verify(DISK, unpacked(name) / damaged_member(name)) == report_of(name)
