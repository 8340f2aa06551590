"""Where things stand in a space-time picture: what later is lower, what ends where, and what is
told of what lies outside."""

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.sim.traces import Line, long, story, trace
from walctl.cluster.events import EventKind
from walctl.fs.memory import MemoryFileSystem
from walctl.sim.diagram import GAP, SILENCE_US, lay_out
from walctl.sim.diagram_shapes import Course, Diagram
from walctl.sim.diagram_state import Look, Stand
from walctl.sim.trace_cut import cut
from walctl.sim.trace_file import Trace
from walctl.sim.trace_window import Wish, parse_around, survey


def drawn(
    lines: Iterable[Line],
    around: str | None = None,
    window_us: int | None = None,
    engine: str = "sim",
) -> Diagram:
    disk, path = MemoryFileSystem(), Path("/run.jsonl")
    disk.create(path, trace(lines, engine=engine))
    found = Trace(disk, path)
    wish = Wish(around=parse_around(around) if around else None, window_us=window_us)
    return lay_out(cut(found, wish, survey(found, wish)))


def test_what_is_later_stands_lower_and_a_silence_takes_little_more_room() -> None:
    made = drawn(story())
    for above, below in itertools.pairwise(made.moments):
        assert below.time_us > above.time_us
        assert below.y >= above.y + GAP
    # A second is no hundred times as high as ten milliseconds.
    assert made.height < 1_000
    silent = [each for each in made.moments if each.silence_us >= SILENCE_US]
    assert [each.time_us for each in silent] == [1_203_145, 1_600_000, 2_500_000]


def test_every_message_is_an_arrow_from_its_sending_to_its_end() -> None:
    made = drawn(story())
    courses = Counter(each.course for each in made.arrows)
    assert courses == {
        Course.ARRIVED: 11,
        Course.DROPPED: 3,
        Course.AGAIN: 1,
        Course.LEAVING: 1,
    }
    for each in made.arrows:
        assert each.sent is not None
        assert (each.source, each.target) == (
            int(each.sent.node[1:]) - 1 if each.sent.node else None,
            each.sent.fields["to"] - 1,
        )
        if each.course in (Course.ARRIVED, Course.AGAIN):
            assert each.bottom > each.top
            assert each.ended is not None
            assert each.ended.fields["m"] == each.sent.fields["m"]


def test_a_message_ends_where_its_arrival_is_told() -> None:
    made = drawn(story())
    vote = next(each for each in made.arrows if each.sent and each.sent.fields["m"] == 43)
    mark = next(
        each
        for each in made.marks
        if each.lane == 0 and EventKind.ROLE in {event.kind for event in each.events[:1]}
        if each.events[0].fields["to"] == "leader"
    )
    assert vote.bottom == mark.y


def test_a_message_from_before_the_window_comes_in_and_one_behind_it_goes_out() -> None:
    made = drawn(story(), around="1.2175s", window_us=2_000)
    entering = [each for each in made.arrows if each.course is Course.ENTERING]
    assert sorted(each.sent.fields["m"] for each in entering if each.sent) == [45, 46]
    again = drawn(story(), around="1.2125s", window_us=600)
    assert {each.course for each in again.arrows} == {Course.ARRIVED, Course.LEAVING}


def test_messages_do_not_run_through_the_words_above_them() -> None:
    made = drawn(story())
    ends = [(each.source, each.top) for each in made.arrows]
    ends += [(each.target, each.bottom) for each in made.arrows if each.course is Course.ARRIVED]
    for lane, y in ends:
        assert not [mark for mark in made.marks if mark.lane == lane and 0 < y - mark.y < 13]


def test_lanes_change_where_roles_do_and_a_crash_is_a_gap() -> None:
    made = drawn(story())
    of_n2 = [each for each in made.segments if each.lane == 1]
    assert [each.stand for each in of_n2] == [
        Stand(Look.DOWN),
        Stand(Look.FOLLOWER, 0),
        Stand(Look.FOLLOWER, 1),
        Stand(Look.DOWN),
        Stand(Look.FOLLOWER, 1),
        Stand(Look.FOLLOWER, 2),
    ]
    assert of_n2[0].top == 0
    assert of_n2[-1].bottom == made.height
    for above, below in itertools.pairwise(of_n2):
        assert above.bottom == below.top
    gap = of_n2[3]
    assert gap.bottom - gap.top > 20


def test_a_pause_is_told_of_the_lane_and_ends_with_its_heal() -> None:
    paused = [each for each in drawn(story()).segments if each.stand.is_paused]
    assert [(each.lane, each.stand.look) for each in paused] == [(0, Look.LEADER)]


def test_faults_are_bands_until_they_are_healed() -> None:
    made = drawn(story())
    bands = {str(each.event.fields["on"]): each for each in made.bands}
    assert set(bands) == {"isolate", "disk", "pause"}
    assert {name: each.lane for name, each in bands.items()} == {
        "isolate": None,
        "disk": 2,
        "pause": 0,
    }
    assert not any(each.is_open for each in made.bands)
    assert len({each.column for each in made.bands}) == 3
    heights = {each.time_us: each.y for each in made.moments}
    assert (bands["isolate"].top, bands["isolate"].bottom) == (
        heights[2_500_000],
        heights[3_310_000],
    )


@pytest.mark.parametrize(
    ("engine", "ended"), [("sim", {"power-cut"}), ("walctl", {"power-cut", "disk"})]
)
def test_what_is_within_a_process_ends_with_it(engine: str, ended: set[str]) -> None:
    lines: list[Line] = [
        {"t": 0, "n": "n1", "k": "start"},
        {"t": 1, "n": "n1", "k": "fault", "on": "power-cut", "args": {"mode": "torn"}},
        {"t": 2, "n": "n1", "k": "fault", "on": "disk", "args": {"kind": "lie"}},
        {"t": 3, "n": "n1", "k": "crash", "mode": "torn"},
    ]
    made = drawn(lines, engine=engine)
    assert {each.event.fields["on"] for each in made.bands if not each.is_open} == ended


def fault(time: int, links: list[str], on: str = "cut", kind: str = "fault") -> Line:
    return {"t": time, "k": kind, "on": on, "args": {"links": links}}


def test_a_fault_of_links_ends_when_all_of_them_are_well() -> None:
    start: Line = {"t": 0, "n": "n1", "k": "start"}
    both = ["n1->n2", "n2->n1"]
    lines = [start, fault(1, both), fault(2, both[:1], "heal", "heal")]
    assert [each.is_open for each in drawn(lines).bands] == [True]
    lines.append(fault(3, both[1:], "heal", "heal"))
    assert [each.is_open for each in drawn(lines).bands] == [False]


def test_what_is_on_at_the_same_time_has_columns_of_its_own_and_they_are_used_again() -> None:
    start: Line = {"t": 0, "n": "n1", "k": "start"}
    lines = [
        start,
        fault(1, ["a->b"]),
        fault(2, ["b->c"]),
        fault(3, ["a->b"], "heal", "heal"),
        fault(4, ["c->a"]),
    ]
    found = {each.event.time_us: each.column for each in drawn(lines).bands}
    assert found == {1: 0, 2: 1, 4: 0}


def test_a_passing_fault_is_a_mark_and_no_band() -> None:
    made = drawn(
        [{"t": 0, "n": "n1", "k": "start"}, {"t": 9, "n": "n1", "k": "fault", "on": "flip"}]
    )
    assert made.bands == []
    assert [event.kind for each in made.marks for event in each.events] == [
        EventKind.START,
        EventKind.FAULT,
    ]


def test_requests_are_bars_from_their_call_to_their_end() -> None:
    made = drawn(story())
    assert made.clients == ("c4", "c5")
    ends = [(each.client, None if each.ended is None else each.ended.kind) for each in made.bars]
    assert ends == [(0, EventKind.OK), (1, EventKind.INFO), (0, None)]
    assert all(each.bottom > each.top for each in made.bars)


def test_a_request_from_before_the_window_begins_at_its_edge() -> None:
    made = drawn(story(), around="3.312s", window_us=100)
    assert made.clients == ("c5",)
    assert [(each.client, each.top) for each in made.bars] == [(0, 0.0)]


def test_more_clients_than_there_is_room_for_are_counted() -> None:
    lines = [{"t": each, "c": each, "k": "invoke", "op": 1, "f": "get"} for each in range(45)]
    made = drawn(lines)
    assert (len(made.clients), made.clients_left, len(made.bars)) == (40, 5, 40)


def test_the_violation_names_its_lanes() -> None:
    (wrong,) = [each for each in drawn(story()).instants if each.is_violation]
    assert wrong.lanes == (1, 2)


def test_words_of_one_lane_never_stand_in_one_another() -> None:
    made = drawn(long(2_000))
    for lane in range(3):
        heights = [each.y for each in made.marks if each.lane == lane]
        assert all(below - above >= 12 for above, below in itertools.pairwise(heights))


def test_a_lost_message_of_a_lab_is_a_stub_with_its_count() -> None:
    lines: list[Line] = [
        {"t": 0, "n": "n1", "k": "start", "pid": 1},
        {"t": 0, "n": "n2", "k": "start", "pid": 2},
        {"t": 5, "k": "drop", "link": "n1->n2", "count": 12, "why": "loss"},
    ]
    (arrow,) = drawn(lines).arrows
    assert (arrow.source, arrow.target, arrow.course) == (0, 1, Course.DROPPED)


@pytest.mark.parametrize("position", range(0, len(story()), 7))
def test_a_picture_may_begin_and_end_anywhere(position: int) -> None:
    lines = story()
    for count in (1, 5, 40):
        made = drawn(lines[position : position + count])
        assert made.height > 0
        places = [each.top for each in made.arrows] + [each.y for each in made.marks]
        assert all(0 <= y <= made.height for y in places)
    assert drawn([]).moments == []
