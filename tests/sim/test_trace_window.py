"""Which part of a trace is drawn: around what, how much of it, and what is folded."""

import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.sim.traces import Line, long, story, trace
from walctl.cluster.events import EventKind
from walctl.errors import UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.sim.diagram_state import Look
from walctl.sim.trace_cut import HEARTBEATS, MARKS_MAX, MESSAGES_MAX, Cut, Fold, cut
from walctl.sim.trace_file import Event, Trace
from walctl.sim.trace_window import Lane, Wish, parse_around, survey

PATH = Path("/run.jsonl")


def opened(lines: Iterable[Line]) -> Trace:
    disk = MemoryFileSystem()
    disk.create(PATH, trace(lines))
    return Trace(disk, PATH)


def cut_of(lines: Iterable[Line], **wish: object) -> Cut:
    found = opened(lines)
    asked = Wish(**wish)  # type: ignore[arg-type]
    return cut(found, asked, survey(found, asked))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("violation", "the violation"),
        ("I7", "the violation of I7"),
        ("12.3s", "12.3 s"),
        ("event 812", "event 812"),
        ("event:812", "event 812"),
    ],
)
def test_what_a_picture_is_about_is_said_in_one_word(text: str, words: str) -> None:
    assert str(parse_around(text)) == words


@pytest.mark.parametrize("text", ["", "812", "I", "event", "event x", "12", "yesterday"])
def test_any_other_word_is_refused_with_the_words_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected violation, I7, 12\.3s or 'event 812'"):
        parse_around(text)


def test_a_short_trace_is_drawn_whole() -> None:
    made = cut_of(story())
    assert len(made.items) == len(story())
    assert not made.is_cut_before
    assert not made.is_cut_after
    assert made.lanes == (Lane("n1"), Lane("n2"), Lane("n3"))
    assert made.survey.target is not None
    assert made.survey.target.kind is EventKind.VIOLATION


def test_a_window_begins_with_how_things_stood() -> None:
    around = parse_around("3.2s")
    made = cut_of(story(), around=around, window_us=100_000)
    assert {3_100_000 <= each.time_us <= 3_300_000 for each in made.items} == {True}
    looks = {lane.node: (stand.look, stand.term) for lane, stand in made.stands.items()}
    assert looks == {
        "n1": (Look.LEADER, 1),
        "n2": (Look.FOLLOWER, 1),
        "n3": (Look.CANDIDATE, 2),
    }
    assert [each.event.fields["on"] for each in made.state.faults] == ["isolate", "disk"]
    assert list(made.state.asked) == [("c5", 1)]
    assert made.is_cut_before
    assert made.is_cut_after


def test_a_message_that_is_on_its_way_when_the_window_begins_is_known() -> None:
    made = cut_of(story(), around=parse_around("1.2175s"), window_us=2_000)
    assert list(made.state.flying) == [45, 46]


@pytest.mark.parametrize(("word", "time_us"), [("I7", 3_320_000), ("event 40", 1_601_000)])
def test_a_window_is_around_a_violation_or_an_event(word: str, time_us: int) -> None:
    made = cut_of(story(), around=parse_around(word), window_us=10)
    assert {each.time_us for each in made.items} == {time_us}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"around": parse_around("I3")}, "expected the violation of I3, found of I7"),
        ({"around": parse_around("9s")}, "expected 9 s, found an end at 3.320000 s"),
        ({"around": parse_around("event 9999")}, "expected event 9,999, found 85 events"),
        ({"nodes": ("n1", "n9")}, r"expected nodes of /run.jsonl \(n1, n2, n3\), found 'n9'"),
    ],
)
def test_a_wish_that_nothing_fulfils_is_refused(wish: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cut_of(story(), **wish)


def test_a_window_without_anything_to_be_around_is_refused() -> None:
    with pytest.raises(UsageError, match="--window: expected --around as well"):
        cut_of(story()[:-1], window_us=5)


def test_of_some_nodes_only_what_is_between_them_is_drawn() -> None:
    made = cut_of(story(), nodes=("n1", "n2"))
    assert made.lanes == (Lane("n1"), Lane("n2"))
    events = [each for each in made.items if isinstance(each, Event)]
    assert {each.node for each in events} == {"n1", "n2", None}
    assert {each.fields["to"] for each in events if each.kind is EventKind.SEND} == {1, 2}


def test_a_trace_of_several_groups_has_a_lane_for_each_member() -> None:
    lines: list[Line] = [
        {"t": 0, "n": "n10", "k": "start"},
        {"t": 1, "n": "n10", "g": "g2", "k": "role", "to": "leader", "term": 3},
        {"t": 1, "n": "n10", "g": "g1", "k": "role", "to": "follower", "term": 2},
        {"t": 2, "n": "n9", "g": "g1", "k": "role", "to": "leader", "term": 2},
    ]
    made = cut_of(lines)
    assert [str(each) for each in made.lanes] == ["n9/g1", "n10/g1", "n10/g2"]
    assert [str(each) for each in cut_of(lines, group="g2").lanes] == ["n10/g2"]
    with pytest.raises(UsageError, match="--group: expected one of g1, g2, found 'g3'"):
        cut_of(lines, group="g3")


def test_more_nodes_than_a_picture_has_room_for_are_refused() -> None:
    lines = ({"t": 0, "n": f"n{node}", "k": "start"} for node in range(1, 100))
    with pytest.raises(UsageError, match=r"/run\.jsonl:66: expected at most 64 nodes"):
        cut_of(lines)


def test_heartbeats_are_folded_only_where_there_are_too_many_messages() -> None:
    few = cut_of(long(2_000))
    assert few.folded == 0
    assert not any(isinstance(each, Fold) for each in few.items)
    many = cut_of(long(7_000))
    folds = [each for each in many.items if isinstance(each, Fold)]
    assert many.folded == sum(each.count for each in folds) > 1_000
    assert not many.is_cut_before  # folding was enough
    names = {each.fields.get("y") for each in many.items if isinstance(each, Event)}
    assert not names & HEARTBEATS


def test_every_heartbeat_is_either_folded_or_drawn_and_none_is_lost() -> None:
    lines = list(long(7_000))
    beats = [each for each in lines if each.get("y") in HEARTBEATS]
    numbers = {each["m"] for each in beats}
    lost = sum(each["k"] == "drop" and each["m"] in numbers for each in lines)
    made = cut_of(lines)
    assert made.folded == len(beats)
    assert sum(each.dropped for each in made.items if isinstance(each, Fold)) == lost > 10


def test_a_fold_does_not_reach_over_what_changes_the_cluster() -> None:
    lines = list(long(9_000, heartbeat_share=1.0))
    middle = len(lines) // 2
    lines.insert(middle, {**lines[middle], "n": "n2", "k": "crash"})
    crash = lines[middle]["t"]
    made = cut_of(lines)
    folds = [each for each in made.items if isinstance(each, Fold)]
    assert len(folds) == 4  # each of two pairs before the crash, and behind it
    assert not [each for each in folds if each.time_us < crash and each.last_us > crash + 1_000]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["beginning", "middle", "end"])
def test_of_a_long_trace_what_is_nearest_to_the_event_is_drawn(place: str) -> None:
    lines = list(long(16_000, heartbeat_share=0.2))
    number = {"beginning": 20, "middle": 8_000, "end": len(lines) - 1}[place]
    around = parse_around(f"event {number}")
    made = cut_of(lines, around=around, window_us=3_600_000_000)
    numbers = [each.number for each in made.items if isinstance(each, Event)]
    assert numbers[0] <= number <= numbers[-1]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) or made.folded
    assert MESSAGES_MAX * 0.7 < made.messages <= MESSAGES_MAX
    assert made.is_cut_before is (place != "beginning")
    assert made.is_cut_after is (place != "end")


@pytest.mark.slow
def test_without_a_violation_the_beginning_is_drawn() -> None:
    lines = list(long(16_000, heartbeat_share=0.2))[:-1]
    made = cut_of(lines)
    assert not made.is_cut_before
    assert made.is_cut_after
    assert made.messages == MESSAGES_MAX


def test_other_events_than_messages_are_bounded_too() -> None:
    lines: list[Line] = [{"t": time, "n": "n1", "k": "fsync"} for time in range(3 * MARKS_MAX)]
    made = cut_of(lines)
    assert len(made.items) == MARKS_MAX


@pytest.mark.slow
def test_memory_is_that_of_what_is_drawn_and_not_that_of_the_trace() -> None:
    def peak(events: int) -> int:
        found = opened(long(events, heartbeat_share=0.2))
        tracemalloc.start()
        try:
            cut(found, Wish(), survey(found, Wish()))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Both files are longer than the window of reading, and both pictures are full.
    assert peak(90_000) < peak(30_000) * 1.05
