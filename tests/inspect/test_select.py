"""Which rows are handed out: positions, types, limits, and the status of entries."""

from pathlib import Path

import pytest

from tests.wal.builders import SNAPSHOT, STATE, Builder, fresh, mark, state
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import Survey
from walctl.errors import UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.flow import Flow
from walctl.inspect.positions import Position, parse_position
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import (
    COMMITTED,
    OVERWRITTEN,
    UNCOMMITTED,
    UNKNOWN,
    FindingRow,
    RecordRow,
    Row,
)
from walctl.inspect.select import Selection, rows
from walctl.model.record import Check, Entry
from walctl.wal.records import name_of

FOLDER = Path("/wal")
FIRST = "0000000000000000-0000000000000000.wal"
SECOND = "0000000000000001-0000000000000004.wal"


class Log:
    """Segments on a disk in memory, surveyed."""

    def __init__(self, *segments: bytes) -> None:
        names = [FIRST, SECOND]
        files = {FOLDER / name: data for name, data in zip(names, segments, strict=False)}
        self.disk = MemoryFileSystem(files)
        self.layout: Layout = understand(self.disk, FOLDER)
        self.survey: Survey = survey_of(self.disk, self.layout, depth=ONE_PROCESS)

    def flow(self) -> Flow:
        """The log as it is told from its beginning."""
        return Flow(
            self.disk,
            self.layout,
            survey=lambda: self.survey,
            applied=lambda: self.survey.applied,
        )

    def rows(self, wanted: Selection | None = None) -> list[Row]:
        return list(rows(self.disk, self.layout, self.survey, wanted or Selection()))

    def indexes(self, wanted: Selection | None = None) -> list[int]:
        """Of the entries among the rows."""
        found = [row.frame.record for row in self.rows(wanted) if isinstance(row, RecordRow)]
        return [each.index for each in found if isinstance(each, Entry)]

    def statuses(self) -> list[tuple[int, int, str | None]]:
        """Index, term and status of every entry, in file order."""
        return [
            (row.frame.record.index, row.frame.record.term, row.status)
            for row in self.rows()
            if isinstance(row, RecordRow) and isinstance(row.frame.record, Entry)
        ]


def two_segments() -> Log:
    first = fresh().puts(1, 3)
    second = Builder(first.crc).puts(4, 6)
    return Log(first.done(512), second.done(512))


def test_without_a_wish_every_record_comes_in_file_order() -> None:
    log = two_segments()
    found = log.rows()
    places = [(r.frame.segment, r.frame.span.start) for r in found if isinstance(r, RecordRow)]
    assert places == sorted(places)
    assert len(found) == log.survey.records == 3 + 6 + 1 + 6
    assert {row.frame.check for row in found if isinstance(row, RecordRow)} == {Check.VERIFIED}


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("last", range(8))
def test_bounds_by_index_are_both_included(first: int, last: int) -> None:
    wanted = Selection(start=Position(index=first), stop=Position(index=last))
    assert two_segments().indexes(wanted) == [n for n in range(1, 7) if first <= n <= last]


def test_bounds_by_offset_cut_at_exactly_these_records_in_any_segment() -> None:
    log = two_segments()
    every = log.rows()
    for start in range(0, len(every), 3):
        for stop in range(start, len(every), 4):
            begin, end = every[start], every[stop]
            assert isinstance(begin, RecordRow)
            assert isinstance(end, RecordRow)
            wanted = Selection(
                start=Position(segment=begin.frame.segment, offset=begin.frame.span.start),
                stop=Position(segment=end.frame.segment, offset=end.frame.span.start),
            )
            assert log.rows(wanted) == every[start : stop + 1]


@pytest.mark.parametrize("limit", [0, 1, 5, 100])
def test_a_limit_counts_the_rows_that_are_shown(limit: int) -> None:
    log = two_segments()
    assert log.rows(Selection(limit=limit)) == log.rows()[:limit]
    states = Selection(limit=limit, types=frozenset({"state"}))
    found = log.rows(states)
    assert len(found) == min(limit, 6)
    assert all(isinstance(row, RecordRow) and name_of(row.frame.record) == "state" for row in found)


def test_a_record_that_is_no_entry_stands_at_the_index_before_it() -> None:
    log = two_segments()
    wanted = Selection(start=Position(index=3), stop=Position(index=3))
    kinds = [name_of(row.frame.record) for row in log.rows(wanted) if isinstance(row, RecordRow)]
    assert kinds == ["entry", "state", "crc"]


def test_entries_beyond_the_last_commit_are_uncommitted() -> None:
    log = Log(fresh().puts(1, 3).done())
    assert [status for _, _, status in log.statuses()] == [COMMITTED, COMMITTED, UNCOMMITTED]


def test_entries_that_a_later_leader_replaced_are_overwritten() -> None:
    built = fresh().put(1).put(2).put(3).put(2, term=2).put(3, term=2)
    built.add(STATE, state(2, 7, 2))
    assert Log(built.done()).statuses() == [
        (1, 1, COMMITTED),
        (2, 1, OVERWRITTEN),
        (3, 1, OVERWRITTEN),
        (2, 2, COMMITTED),
        (3, 2, UNCOMMITTED),
    ]


def test_an_overwrite_takes_away_all_behind_it_as_etcd_reads_it() -> None:
    """Entry 3 of term 1 is behind the replaced entry 2: no record has index 3 any more."""
    built = fresh().put(1).put(2).put(3).put(2, term=2).add(STATE, state(2, 7, 2))
    (*_, third, replacing) = Log(built.done()).statuses()
    assert replacing == (2, 2, COMMITTED)
    assert third in ((3, 1, OVERWRITTEN), (3, 1, UNKNOWN))


def test_without_any_hard_state_nothing_is_known_of_commits() -> None:
    assert [s for _, _, s in Log(fresh().put(1).put(2).done()).statuses()] == [UNKNOWN, UNKNOWN]


def test_only_entries_have_a_status() -> None:
    for row in two_segments().rows():
        assert isinstance(row, RecordRow)
        assert (row.status is None) is not isinstance(row.frame.record, Entry)


def test_damage_stands_once_between_the_rows_whatever_types_were_chosen() -> None:
    built = fresh().puts(1, 6)
    data = bytearray(built.done(512))
    third = [each for each in built.frames if each.kind == 2][2]
    data[third.stop - 9] ^= 0xFF
    log = Log(bytes(data))
    found = log.rows()
    (damage,) = [row for row in found if isinstance(row, FindingRow)]
    assert damage.finding.place.offset == third.start
    failed = [r for r in found if isinstance(r, RecordRow) and r.frame.check is Check.FAILED]
    assert [row.frame.span.start for row in failed] == [third.start]
    chosen = log.rows(Selection(types=frozenset({"state"})))
    assert [row for row in chosen if isinstance(row, FindingRow)] == [damage]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("0", Position(index=0)),
        ("231", Position(index=231)),
        (f"{FIRST}:0", Position(segment=FIRST, offset=0)),
        (f"{SECOND}:48", Position(segment=SECOND, offset=48)),
        ("snap", Position(index=0)),
        ("first", Position(index=1)),
        ("last", Position(index=6)),
        ("last-2", Position(index=4)),
        ("last-100", Position(index=0)),
        ("last+1", Position(index=7)),
        ("commit", Position(index=5)),
        ("commit-1", Position(index=4)),
        ("@1", Position(index=1)),
        (SECOND, Position(segment=SECOND)),
    ],
)
def test_a_position_is_read_as_a_person_writes_it(text: str, position: Position) -> None:
    assert parse_position(text, two_segments().flow(), is_start=True) == position


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x10", "٣", "snapshot", f"{FIRST}:x", ":5"])
def test_what_is_no_position_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(UsageError):
        parse_position(text, two_segments().flow(), is_start=True)


def test_a_segment_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        parse_position("0000.wal:5", two_segments().flow(), is_start=True)
    assert caught.value.message == f"no segment is called 0000.wal; there are: {FIRST}, {SECOND}"


def test_a_marker_moves_the_log_on_as_an_entry_does() -> None:
    built = fresh().puts(1, 2).add(SNAPSHOT, mark(50, 1)).puts(51, 53)
    wanted = Selection(start=Position(index=50))
    log = Log(built.done())
    assert log.indexes(wanted) == [51, 52, 53]
    (first, *_) = log.rows(wanted)
    assert isinstance(first, RecordRow)
    assert name_of(first.frame.record) == "snapshot"
