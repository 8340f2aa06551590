"""A log that goes back while it is followed: cut, restored, or made anew in its place."""

import functools
import itertools

import pytest

from tests.inspect.following import (
    FIRST,
    WAL,
    ZEROS,
    chain,
    disk_with,
    events,
    findings,
    followed,
    frames_of,
    log_of,
    nothing,
    places,
    places_of,
    rebuilt,
    rewriting,
    writes,
)
from tests.wal.builders import ENTRY, METADATA, Builder, fresh, metadata
from walctl.inspect.event import Event, EventKind
from walctl.inspect.marks import MARKS_MAX, Mark, Marks
from walctl.inspect.reached import Reached


def test_a_log_that_is_cut_at_any_record_and_written_anew_is_followed_from_there() -> None:
    log = log_of((1, 2)).puts(3, 9, size=120)
    for at in range(2, len(log.frames)):
        cut = log.frames[at].start
        after = rebuilt(log, at).puts(30, 33, term=2, size=50)
        expected_gone = [each.start for each in log.frames[at:]]
        disk = disk_with({FIRST: log.done(ZEROS)})
        for is_at_once in (True, False):
            disk.write(WAL / FIRST, log.done(ZEROS))
            items = followed(disk, rewriting(disk, cut, after, is_at_once=is_at_once))
            (event,) = events(items, EventKind.REWOUND)
            assert (event.segment, event.offset) == (FIRST, cut)
            position = items.index(event)
            assert places(items[:position]) == frames_of(log)
            assert places(items[position:]) == frames_of(after)[at:]
            assert not findings(items)
            assert expected_gone[0] == event.offset
            assert_says_which_entries_went(event, log, at)


def assert_says_which_entries_went(event: Event, log: Builder, at: int) -> None:
    kept = sum(each.kind == ENTRY for each in log.frames[:at])
    total = sum(each.kind == ENTRY for each in log.frames)
    assert (event.first, event.last) == ((kept + 1, total) if kept < total else (None, None))


def test_a_log_that_is_cut_inside_a_record_goes_back_to_its_beginning() -> None:
    log = log_of((1, 2)).puts(3, 4, size=30)
    for cut in range(log.frames[5].start, len(log.data)):
        at = max(n for n, each in enumerate(log.frames) if each.start <= cut)
        if cut == log.frames[at].start:
            continue
        disk = disk_with({FIRST: log.done(ZEROS)})

        shrink = functools.partial(disk.truncate, WAL / FIRST, cut)
        items = followed(disk, [nothing, shrink], quiet=1)
        (event,) = events(items, EventKind.REWOUND)
        assert event.offset == log.frames[at].start
        assert places(items) == frames_of(log)


def test_a_file_that_is_replaced_by_one_that_begins_alike_is_read_on_behind_that() -> None:
    log = log_of((1, 2)).puts(3, 9)
    for at in range(2, len(log.frames)):
        after = rebuilt(log, at).puts(20, 25, term=3)
        disk = disk_with({FIRST: log.done(ZEROS), "copy": after.done(ZEROS)})
        exchange = functools.partial(disk.rename, WAL / "copy", WAL / FIRST)
        items = followed(disk, [nothing, exchange])
        (event,) = events(items, EventKind.REWOUND)
        assert event.offset == log.frames[at].start
        assert places(items) == frames_of(log) + frames_of(after)[at:]


def test_a_file_that_is_replaced_by_its_copy_is_read_on_in_silence() -> None:
    log = log_of((1, 9))
    more = log_of((1, 9)).puts(10, 12)
    disk = disk_with({FIRST: log.done(ZEROS), "copy": log.done(ZEROS)})
    steps = [nothing, lambda: disk.rename(WAL / "copy", WAL / FIRST)]
    steps += writes(disk, FIRST, len(log.data), more.done()[len(log.data) :], 50)
    items = followed(disk, steps)
    assert places(items) == frames_of(more)
    assert not events(items)


def test_a_log_of_another_member_in_its_place_is_read_from_the_beginning() -> None:
    log = log_of((1, 9))
    other = Builder().add(METADATA, metadata(node=0x99)).puts(1, 3)
    disk = disk_with({FIRST: log.done(ZEROS)})

    def anew() -> None:
        disk.remove(WAL / FIRST)
        disk.write(WAL / FIRST, other.done(ZEROS))

    items = followed(disk, [nothing, anew])
    (event,) = events(items, EventKind.REWOUND)
    assert (event.segment, event.offset) == (FIRST, 0)
    assert places(items) == frames_of(log) + frames_of(other)
    assert not events(items, EventKind.OVERWRITTEN)


def test_a_log_that_is_made_anew_with_lower_segments_is_read_from_the_beginning() -> None:
    segments = chain(3)
    other = Builder().add(METADATA, metadata(node=0x99)).puts(1, 3)
    disk = disk_with({each.name: each.data for each in segments})

    def empty() -> None:
        for each in segments:
            disk.remove(WAL / each.name)

    steps = [nothing, empty, nothing, lambda: disk.write(WAL / FIRST, other.done(ZEROS))]
    items = followed(disk, steps)
    (event,) = events(items, EventKind.REWOUND)
    assert (event.segment, event.offset) == (FIRST, 0)
    assert places(items) == places_of(segments) + frames_of(other)


def test_what_was_passed_over_as_damage_and_is_cut_there_by_the_server_is_taken_back() -> None:
    """etcd stops at what it cannot read, cuts the log there and writes on."""
    log = log_of((1, 2)).puts(3, 20)
    data = bytearray(log.done(ZEROS))
    victim = 8
    data[log.frames[victim].start + 30] ^= 1
    cut = log.frames[victim].start
    after = rebuilt(log, victim).puts(7, 9, term=2)
    disk = disk_with({FIRST: bytes(data)})
    items = followed(disk, [*[nothing] * 4, *rewriting(disk, cut, after, is_at_once=True)])
    (event,) = events(items, EventKind.REWOUND)
    assert event.offset == cut
    assert places(items[items.index(event) :]) == frames_of(after)[victim:]


def test_what_is_cut_behind_a_damage_goes_back_to_there_and_the_damage_is_not_told_again() -> None:
    log = log_of((1, 2)).puts(3, 20)
    victim = 8
    data = bytearray(log.done(ZEROS))
    data[log.frames[victim].start + 30] ^= 1
    cut = log.frames[victim].stop
    after = rebuilt(log, victim + 1).puts(7, 9, term=2)
    disk = disk_with({FIRST: bytes(data)})
    items = followed(disk, [*[nothing] * 4, *rewriting(disk, cut, after, is_at_once=True)], quiet=9)
    (event,) = events(items, EventKind.REWOUND)
    assert event.offset == cut
    assert len(findings(items)) == 1


def test_a_cut_in_front_of_what_was_given_goes_back_no_further_than_needed() -> None:
    """Frames in front of the beginning are remembered too, some of them: here those at a damage."""
    log = log_of((1, 2)).puts(3, 20)
    victim = 8
    data = bytearray(log.done(ZEROS))
    data[log.frames[victim].start + 30] ^= 1
    cut = log.frames[victim].start
    after = rebuilt(log, victim).puts(7, 9, term=2)
    disk = disk_with({FIRST: bytes(data)})
    items = followed(disk, rewriting(disk, cut, after, is_at_once=True), last=3)
    (event,) = events(items, EventKind.REWOUND)
    assert event.offset == cut
    assert places(items) == frames_of(log)[-3:] + frames_of(after)[victim:]


@pytest.mark.parametrize("count", [1, MARKS_MAX, 3 * MARKS_MAX + 1, 30 * MARKS_MAX])
def test_marks_are_bounded_exact_near_the_end_and_even_before(count: int) -> None:
    marks = Marks([])
    for number in range(count):
        marks.add(Mark(number, number + 1, b"", None, Reached()))
    kept = []
    while (last := marks.last) is not None:
        kept.append(last.start)
        marks.drop_last()
    assert kept[:MARKS_MAX] == list(range(count - 1, max(count - MARKS_MAX, 0) - 1, -1))
    assert len(kept) <= 2 * MARKS_MAX
    gaps = [later - earlier for later, earlier in itertools.pairwise([*kept, -1])]
    assert max(gaps) <= 1 + 2 * count // MARKS_MAX


@pytest.mark.slow
def test_a_cut_far_back_is_found_within_some_records() -> None:
    log = fresh().puts(1, 3 * MARKS_MAX, size=8)
    disk = disk_with({FIRST: log.done(ZEROS)})
    at = 1000
    after = rebuilt(log, at).puts(9000, 9001, term=2)
    items = followed(disk, rewriting(disk, log.frames[at].start, after, is_at_once=True))
    (event,) = events(items, EventKind.REWOUND)
    assert event.offset is not None
    back = sum(event.offset <= each.start for each in log.frames[:at])
    assert back <= 12
    given_again = places(items[items.index(event) :])
    assert given_again == frames_of(after)[at - back :]
