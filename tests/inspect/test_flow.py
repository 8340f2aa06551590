"""The log told piece by piece: the same rows as the survey tells, and not later than need be."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus import names, needs_corpus
from tests.inspect.answers import DISK, logs_in, member_path
from tests.wal.builders import SNAPSHOT, STATE, Builder, fresh, mark, state
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import Survey
from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import Call
from walctl.inspect.fate import Fate, Piece, Settling, piece_of
from walctl.inspect.flow import Flow, surveyed
from walctl.inspect.positions import Bounds, Position
from walctl.inspect.reading import ONE_PROCESS, flow_of, survey_of
from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN, RecordRow, Row
from walctl.inspect.select import Choice, Selection, rows
from walctl.model.batch import Batch
from walctl.model.log import Run
from walctl.model.record import Check, Entry, Frame, SnapshotMark
from walctl.wal.names import format_name

FOLDER = Path("/wal")

Segments = list[list[tuple[str, int, int]]]
"""Records of each segment: ("put", index, term) or ("state", term, commit)."""


class Told:
    """A log on a disk in memory, and what its flow gives; `surveys` counts how often it looked."""

    def __init__(self, segments: Segments, applied: int | None = None) -> None:
        files = {}
        builder = fresh()
        for seq, records in enumerate(segments):
            if seq:
                builder = Builder(builder.crc)
            for kind, first, second in records:
                if kind == "put":
                    builder.put(first, second)
                else:
                    builder.add(STATE, state(first, 7, second))
            index = next((record[1] for record in records if record[0] == "put"), seq)
            files[FOLDER / format_name(seq=seq, index=index if seq else 0)] = builder.done(64)
        self.disk = MemoryFileSystem(files)
        self.layout = understand(self.disk, FOLDER)
        self.surveys = 0
        self.flow = Flow(self.disk, self.layout, survey=self._survey, applied=lambda: applied)
        self.choice = Choice(disk=self.disk, folder=FOLDER)

    def _survey(self) -> Survey:
        self.surveys += 1
        return survey_of(self.disk, self.layout, depth=ONE_PROCESS)

    def rows(self) -> list[Row]:
        return rows_of(self.flow, self.choice)

    def statuses(self) -> list[tuple[int, int, str | None]]:
        return [
            (row.frame.record.index, row.frame.record.term, row.status)
            for row in self.rows()
            if isinstance(row, RecordRow) and isinstance(row.frame.record, Entry)
        ]


def frame_of(row: Row) -> Frame:
    assert isinstance(row, RecordRow)
    return row.frame


def rows_of(flow: Flow, choice: Choice) -> list[Row]:
    return [row for item in flow.items() for row in choice.rows(item)]


@st.composite
def raft_logs(draw: st.DrawFn) -> Segments:
    """Logs that a Raft node may write: what is committed stays, a new term may replace the rest."""
    segments: Segments = [[]]
    last = commit = 0
    term = 1
    for step in draw(st.lists(st.sampled_from(["put", "put", "state", "leader", "cut"]))):
        if step == "put":
            last += 1
            segments[-1].append(("put", last, term))
        elif step == "state":
            commit = draw(st.integers(commit, last))
            segments[-1].append(("state", term, commit))
        elif step == "leader":
            term += 1
            last = draw(st.integers(commit, last)) + 1
            segments[-1].append(("put", last, term))
        else:
            segments.append([("state", term, commit)])
    return segments


def slow_statuses(segments: Segments, applied: int | None) -> list[tuple[int, int, str | None]]:
    """The status of every entry, by looking at all that comes behind it."""
    records = [record for records in segments for record in records]
    commits = [commit for kind, _, commit in records if kind == "state"]
    known = commits[-1:] + ([] if applied is None else [applied])
    found: list[tuple[int, int, str | None]] = []
    for place, (kind, index, term) in enumerate(records):
        if kind != "put":
            continue
        later = [other for what, other, _ in records[place + 1 :] if what == "put"]
        if any(other <= index for other in later):
            status = OVERWRITTEN
        elif not known:
            status = UNKNOWN
        else:
            status = COMMITTED if index <= max(known) else UNCOMMITTED
        found.append((index, term, status))
    return found


@given(raft_logs(), st.none() | st.integers(0, 12))
def test_every_entry_has_the_status_that_all_behind_it_gives(
    segments: Segments, applied: int | None
) -> None:
    told = Told(segments, applied)
    assert told.statuses() == slow_statuses(segments, applied)
    assert told.surveys == 0


def test_a_log_of_nothing_but_new_leaders_is_told_in_a_time_that_follows_its_length() -> None:
    """The first entry stays open, so all is held back while each entry replaces the last."""

    def looks(leaders: int) -> int:
        settling, count = Settling(), 0
        settling.add(*one_run(1, 1))

        class Counted(Fate):
            __slots__ = ()

            def __getattribute__(self, name: str) -> object:
                nonlocal count
                count += name == "last"
                return super().__getattribute__(name)

        for term in range(2, 2 + leaders):
            piece, batch = one_run(2, term)
            piece.fates = [Counted(fate.start, fate.stop, 2, 2, term) for fate in piece.fates]
            assert settling.add(piece, batch)
        pieces = list(settling.rest(None))
        assert [piece.fates[0].status(2) for piece in pieces[1:-1]] == [OVERWRITTEN] * (leaders - 1)
        return count

    assert looks(200) <= 2 * looks(100) + 10


def one_run(index: int, term: int) -> tuple[Piece, Batch]:
    """A piece with one entry, as the scan gives it."""
    run = Run(
        segment="0.wal", first=index, last=index, term=term, start=64 * term, stop=64 * term + 64
    )
    batch = Batch(
        segment="0.wal",
        base=0,
        data=memoryview(b""),
        seed=0,
        stop=run.stop,
        offsets=[run.start],
        runs=[run],
    )
    return piece_of(batch, reached=0, first_check=Check.VERIFIED), batch


def test_the_first_piece_comes_before_the_second_segment_is_opened() -> None:
    first: list[tuple[str, int, int]] = [("put", 1, 1), ("state", 1, 1)]
    told = Told([first, [("state", 1, 1), ("put", 2, 1)]])
    told.disk.fail(FOLDER / told.flow.names[1].text, "not yet", Call.OPEN)
    items = told.flow.items()
    piece = next(items)
    assert isinstance(piece, Piece)
    assert piece.fates[0].status(1) == COMMITTED
    with pytest.raises(AccessError):
        next(items)


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([[("put", 1, 1), ("state", 1, 1), ("put", 1, 2)]], id="committed-overwritten"),
        pytest.param([[("put", 1, 1), ("state", 1, 1)], [("state", 1, 0)]], id="commit-taken-back"),
    ],
)
def test_what_no_raft_log_does_makes_it_look_at_the_whole_member(segments: Segments) -> None:
    told = Told(segments)
    found = told.rows()
    assert told.surveys == 1
    surveyed = list(rows(told.disk, told.layout, told.flow.survey, Selection()))
    assert [frame_of(row) for row in found] == [frame_of(row) for row in surveyed]
    assert found[-1] == surveyed[-1]


def test_a_survey_knows_as_the_flow_does_what_index_a_segment_goes_on_from() -> None:
    """A new leader took 3 back: what heads the next segment stands at 2, and not at 3."""
    first: list[tuple[str, int, int]] = [("put", 1, 1), ("put", 2, 1), ("put", 3, 1), ("put", 2, 2)]
    told = Told([first, [("state", 2, 0), ("put", 3, 2)], [("put", 4, 2)]])
    heads = [item.reached for item in told.flow.items() if isinstance(item, Piece)]
    assert heads == [0, 2, 3]
    seen = told.flow.survey
    for position, segment in enumerate(seen.segments):
        start = (segment.name.text, 0)
        items = surveyed(told.disk, told.layout, seen, start=start)
        found = [item.reached for item in items if isinstance(item, Piece)]
        assert found == heads[position:]


@needs_corpus
@pytest.mark.parametrize("name", names())
def test_a_flow_gives_what_the_survey_gives_for_every_member(name: str) -> None:
    for member in logs_in(name):
        layout = understand(DISK, member_path(name, member))
        assert layout.wal_dir is not None
        survey = survey_of(DISK, layout, depth=ONE_PROCESS)
        choice = Choice(disk=DISK, folder=layout.wal_dir)
        told = rows_of(flow_over(layout, survey), choice)
        assert told == list(rows(DISK, layout, survey, Selection()))


def flow_over(layout: Layout, survey: Survey) -> Flow:
    return Flow(DISK, layout, survey=lambda: survey, applied=lambda: survey.applied)


def test_an_entry_behind_a_mark_says_what_the_log_has_reached() -> None:
    """Snapshots are marked while the log goes on, so a mark stands inside a run of entries."""
    builder = fresh().puts(1, 6)
    builder.add(SNAPSHOT, mark(3, 1)).puts(7, 9)
    first = builder.done(64)
    second = Builder(builder.crc).add(STATE, state(1, 7, 9))
    second.add(SNAPSHOT, mark(8, 1)).puts(10, 11)
    disk = MemoryFileSystem(
        {
            FOLDER / format_name(seq=0, index=0): first,
            FOLDER / format_name(seq=1, index=10): second.done(64),
        }
    )
    layout = understand(disk, FOLDER)
    items = list(flow_of(disk, layout, depth=ONE_PROCESS).items())
    pieces = [item for item in items if isinstance(item, Piece)]
    assert [(piece.reached, piece.last) for piece in pieces] == [(0, 9), (9, 11)]
    assert (pieces[0].first, pieces[0].highest) == (0, 9)
    for index, is_shown in ((9, True), (10, False)):
        bounds = Bounds(start=Position(index=index))
        choice = Choice(disk=disk, folder=FOLDER, bounds=bounds)
        shown = [frame_of(row) for row in choice.rows(pieces[1])]
        assert (shown[0].span.start == 0) == is_shown
        assert not any(isinstance(frame.record, SnapshotMark) for frame in shown)
