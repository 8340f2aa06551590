"""Following a log over its segments, from any beginning, with what becomes of its entries."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inspect.following import (
    DEFAULT_LAST,
    FIRST,
    LAYOUT,
    WAL,
    ZEROS,
    Segment,
    Step,
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
    records,
    statuses,
    writes,
)
from tests.wal.builders import METADATA, STATE, Builder, fresh, metadata, state
from walctl.datadir.layout import Layout, Shape
from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.event import Event, EventKind, event_document
from walctl.inspect.follow import follow
from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN, RecordRow
from walctl.model.finding import Code, Place
from walctl.model.record import Check, Entry, EntryKind
from walctl.payload.base import PayloadError, Request
from walctl.wal.names import format_name

# Segments.


def cut_steps(disk: MemoryFileSystem, old: Segment, new: Segment, size: int) -> Iterator[Step]:
    """What etcd does to begin a new segment, step by step."""
    spare = WAL / "1.tmp"
    head = new.log.frames[2].stop
    yield lambda: disk.truncate(WAL / old.name, len(old.data) - 10)
    yield lambda: disk.write(WAL / old.name, old.data)
    yield lambda: disk.write(spare, bytes(len(new.data) + ZEROS))
    for at in range(0, head, size):
        yield lambda at=at: disk.write_at(spare, at, new.data[at : min(at + size, head)])  # type: ignore[misc]
    yield lambda: disk.rename(spare, WAL / new.name)
    # The end of it stays in the server's buffer until the next cut, or until it is read to the end.
    yield from writes(disk, new.name, head, new.data[head:-10], size)


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_a_log_goes_on_in_the_next_segment(size: int) -> None:
    segments = chain(4)
    first = segments[0]
    disk = disk_with({FIRST: bytes(len(first.data) + ZEROS)})
    steps = itertools.chain(
        writes(disk, FIRST, 0, first.data[:-10], size),
        *(cut_steps(disk, old, new, size) for old, new in itertools.pairwise(segments)),
        writes(disk, segments[-1].name, len(segments[-1].data) - 10, segments[-1].data[-10:], size),
    )
    items = followed(disk, steps)
    assert places(items) == places_of(segments)
    assert not findings(items)
    assert [event.segment for event in events(items, EventKind.SEGMENT)] == [
        each.name for each in segments[1:]
    ]
    assert len(events(items)) == 3


def test_segments_that_came_and_were_filled_between_two_polls_are_all_read() -> None:
    segments = chain(5)
    disk = disk_with({FIRST: segments[0].data[:200] + bytes(ZEROS)})

    def all_at_once() -> None:
        for each in segments:
            disk.write(WAL / each.name, each.data)

    items = followed(disk, [nothing, all_at_once])
    assert places(items) == places_of(segments)
    assert not findings(items)


def test_a_purge_behind_the_reader_is_told() -> None:
    segments = chain(4)
    disk = disk_with({each.name: each.data for each in segments})
    items = followed(disk, [nothing, lambda: disk.remove(WAL / FIRST)])
    (event,) = events(items, EventKind.PURGED)
    assert event.segment == FIRST
    assert places(items) == places_of(segments)


def test_a_segment_that_is_purged_while_it_is_read_is_read_to_its_end() -> None:
    segments = chain(3)
    disk = disk_with({FIRST: segments[0].data[:200] + bytes(ZEROS)})

    def fill_and_purge() -> None:
        for each in segments:
            disk.write(WAL / each.name, each.data)
        disk.remove(WAL / FIRST)

    items = followed(disk, [nothing, fill_and_purge])
    assert places(items) == places_of(segments)
    (event,) = events(items, EventKind.PURGED)
    assert event.segment == FIRST
    assert "read to its end" in event.detail


def test_segments_that_were_purged_before_they_were_read_are_told() -> None:
    segments = chain(5)
    disk = disk_with({FIRST: segments[0].data})

    def far_ahead() -> None:
        disk.remove(WAL / FIRST)
        for each in segments[3:]:
            disk.write(WAL / each.name, each.data)

    items = followed(disk, [far_ahead])
    assert places(items) == places_of([segments[0], *segments[3:]])
    assert not findings(items)
    gone = [event for event in events(items, EventKind.PURGED) if event.segment != FIRST]
    assert len(gone) == 1
    assert "1 to 2" in gone[0].detail


def test_a_log_that_has_no_segment_yet_is_waited_for() -> None:
    log = log_of((1, 3))
    disk = disk_with({})
    steps = [nothing, lambda: disk.write(WAL / "0.tmp", log.done(ZEROS))]
    steps += [lambda: disk.rename(WAL / "0.tmp", WAL / FIRST)]
    assert places(followed(disk, steps)) == frames_of(log)


def test_a_single_segment_is_followed_alone() -> None:
    segments = chain(3)
    disk = disk_with({each.name: each.data for each in segments})
    layout = Layout(
        path=WAL / FIRST, shape=Shape.SEGMENT, wal_dir=WAL, only_segment=segments[1].name
    )
    items = list(follow(disk, layout, wait=lambda: False, last=None))
    assert places(items) == segments[1].frames


def test_a_directory_that_vanishes_ends_with_an_error_that_names_it() -> None:
    disk = disk_with({FIRST: log_of((1, 3)).done(ZEROS)})

    def vanish() -> None:
        disk.remove(WAL / FIRST)
        disk.remove(WAL)

    with pytest.raises(AccessError, match=str(WAL)):
        followed(disk, [nothing, vanish, nothing])


def test_a_layout_without_a_log_gives_nothing() -> None:
    layout = Layout(path=Path("/m/db"), shape=Shape.DATABASE, database=Path("/m/db"))
    assert list(follow(disk_with({}), layout, wait=lambda: True)) == []


# Where it begins.


def test_the_last_records_are_given_first_whatever_their_number() -> None:
    segments = chain(4)
    disk = disk_with({each.name: each.data for each in segments})
    everything = places_of(segments)
    for last in range(len(everything) + 3):
        assert (
            places(followed(disk, [], last=last, quiet=0)) == everything[-last or len(everything) :]
        )
    assert len(places(list(follow(disk, LAYOUT, wait=lambda: False)))) == DEFAULT_LAST


def test_what_is_known_of_a_record_does_not_depend_on_where_it_begins() -> None:
    """Behind a hole no checksum of what was lost is known: the first record is implied only."""
    log = log_of((1, 2)).puts(3, 12)
    data = bytearray(log.done(ZEROS))
    low, high = log.frames[6].start, log.frames[8].stop
    data[low:high] = bytes(high - low)
    disk = disk_with({FIRST: bytes(data)})
    everything = records(followed(disk, [], quiet=9))
    assert Check.IMPLIED in [row.frame.check for row in everything]
    for last in range(1, len(everything)):
        assert records(followed(disk, [], last=last, quiet=9)) == everything[-last:]


def test_it_may_begin_at_any_place_of_any_segment() -> None:
    segments = chain(3)
    disk = disk_with({each.name: each.data for each in segments})
    everything = places_of(segments)
    for position, (segment, offset) in enumerate(everything):
        for before in (0, 1):
            place = Place(segment=segment, offset=max(offset - before, 0))
            assert places(followed(disk, [], start=place, quiet=0)) == everything[position:]


def test_a_place_in_a_segment_that_is_gone_begins_with_the_first_one() -> None:
    segments = chain(3)
    disk = disk_with({each.name: each.data for each in segments[1:]})
    place = Place(segment=FIRST, offset=80)
    assert places(followed(disk, [], start=place, quiet=0)) == places_of(segments[1:])


@pytest.mark.parametrize("victim", range(3))
def test_a_segment_that_is_purged_while_the_beginning_is_looked_for_is_done_without(
    victim: int,
) -> None:
    segments = chain(4)
    left = segments[: victim + 1]
    disk = disk_with({each.name: each.data for each in segments})

    def purge(path: Path, _offset: int, _size: int) -> None:
        while path.name == segments[3].name and left:
            disk.remove(WAL / left.pop(0).name)

    disk.on_read = purge
    items = followed(disk, [], quiet=0)
    assert places(items) == places_of(segments[victim + 1 :])
    assert not findings(items)


def test_the_last_item_says_where_it_ended() -> None:
    log = log_of((1, 3))
    items = followed(disk_with({FIRST: log.done(ZEROS)}), [], quiet=0)
    (ended,) = events(items, EventKind.ENDED)
    assert items[-1] is ended
    assert (ended.segment, ended.offset) == (FIRST, len(log.data))
    (ended,) = events(followed(disk_with({}), [], quiet=0), EventKind.ENDED)
    assert (ended.segment, ended.offset) == (None, None)


def test_an_event_has_a_stable_document() -> None:
    event = Event(kind=EventKind.OVERWRITTEN, segment=FIRST, offset=8, first=2, last=3, term=4)
    assert event_document(event) == {
        "v": 1,
        "kind": "event",
        "event": "overwritten",
        "segment": FIRST,
        "offset": 8,
        "first": 2,
        "last": 3,
        "term": 4,
        "replaced_term": None,
        "detail": "",
    }


# Entries.


def test_an_entry_is_committed_if_what_was_there_by_then_says_so() -> None:
    log = fresh().put(1).add(STATE, state(1, 7, 1)).put(2).put(3)
    disk = disk_with({FIRST: log.done(ZEROS)})
    end = len(log.data)
    more = fresh().put(1).add(STATE, state(1, 7, 1)).put(2).put(3).add(STATE, state(1, 7, 2))
    more.put(4).add(STATE, state(1, 7, 4))
    steps = writes(disk, FIRST, end, more.done()[end:], 4096)
    assert statuses(followed(disk, steps)) == [COMMITTED, UNCOMMITTED, UNCOMMITTED, COMMITTED]
    assert statuses(followed(disk, [])) == [COMMITTED] * 4


def test_without_any_hard_state_nothing_is_claimed_of_an_entry() -> None:
    log = fresh().put(1).put(2)
    assert statuses(followed(disk_with({FIRST: log.done(ZEROS)}), [])) == [UNKNOWN] * 2


def test_what_a_new_leader_overwrites_is_told_in_front_of_its_first_entry() -> None:
    log = fresh().put(1).put(2).put(3, 2).put(4, 2).add(STATE, state(2, 7, 1))
    end = len(log.data)
    more = rebuilt(log, len(log.frames)).put(2, 3).add(STATE, state(3, 8, 2))
    disk = disk_with({FIRST: log.done(ZEROS)})
    items = followed(disk, writes(disk, FIRST, end, more.done()[end:], 4096))
    told = events(items, EventKind.OVERWRITTEN)
    assert [(e.first, e.last, e.replaced_term, e.term) for e in told] == [
        (2, 2, 1, 3),
        (3, 4, 2, 3),
    ]
    assert {(e.segment, e.offset) for e in told} == {(FIRST, end)}
    assert places([items[items.index(told[-1]) + 1]]) == [(FIRST, end)]
    assert statuses(items) == [COMMITTED, *[UNCOMMITTED] * 3, COMMITTED]
    # Of one who comes later: what is overwritten by then is called so.
    assert statuses(followed(disk, [])) == [COMMITTED, *[OVERWRITTEN] * 3, COMMITTED]


def test_an_overwriting_in_the_next_segment_is_told_by_one_who_saw_only_that() -> None:
    first = fresh().puts(1, 6)
    second = Builder(first.crc).add(METADATA, metadata()).add(STATE, state(2, 8, 4))
    second.put(5, 2).put(6, 2)
    name = format_name(seq=1, index=7)
    disk = disk_with({FIRST: first.done(), name: second.done(ZEROS)})
    for last, old_term in ((3, None), (None, 1)):
        (told,) = events(followed(disk, [], last=last), EventKind.OVERWRITTEN)
        assert (told.first, told.last, told.replaced_term, told.term) == (5, 6, old_term, 2)


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 5), st.booleans()), min_size=1, max_size=12
    ),
    st.integers(0, 40),
)
def test_events_and_rows_together_are_the_log_as_its_rules_make_it(
    moves: list[tuple[int, int, bool]], there: int
) -> None:
    """Each move is a leader's: how far back it begins, how many entries, if its term is new."""
    log = fresh()
    truth: dict[int, int] = {}
    term = 1
    for back, count, is_new in moves:
        term += is_new
        first = max(1, max(truth, default=0) + 1 - back)
        for index in range(first, first + count):
            truth = {at: old for at, old in truth.items() if at < index} | {index: term}
            log.put(index, term)
    start = log.frames[min(there, len(log.frames) - 1)].stop
    disk = disk_with({FIRST: log.done()[:start] + bytes(len(log.data) - start + ZEROS)})
    items = followed(disk, writes(disk, FIRST, start, log.done()[start:], 37))
    told: dict[int, int] = {}
    for item in items:
        if isinstance(item, Event) and item.kind is EventKind.OVERWRITTEN:
            assert item.first is not None
            assert item.last is not None
            for index in range(item.first, item.last + 1):
                assert told.pop(index) == item.replaced_term
        elif isinstance(item, RecordRow) and isinstance(item.frame.record, Entry):
            assert item.frame.record.index not in told
            told[item.frame.record.index] = item.frame.record.term
    assert told == truth


class Shouting:
    """A decoder that reads some payloads only."""

    name = "shouting"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        if payload == b"bad":
            raise PayloadError("not loud", offset=1)
        if payload == b"dull":
            return None
        return Request(decoder=self.name, type="shout", body={"text": payload.decode().upper()})


def test_payloads_are_decoded_and_what_does_not_decode_is_told() -> None:
    log = fresh().put(1, 1, b"a").put(2, 1, b"bad").put(3, 1, b"dull").put(4, 1, None)
    items = followed(disk_with({FIRST: log.done(ZEROS)}), [], decoder=Shouting())
    rows = [row for row in records(items) if isinstance(row.frame.record, Entry)]
    assert [row.request and row.request.body for row in rows] == [{"text": "A"}, None, None, None]
    assert [str(row.problem) for row in rows if row.problem] == ["not loud"]
    (found,) = findings(items)
    assert found.finding.code is Code.PAYLOAD_UNDECODABLE
    assert [row.raw for row in records(items)] == [
        log.done()[each.start : each.stop] for each in log.frames
    ]
