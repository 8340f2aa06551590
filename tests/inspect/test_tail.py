"""A segment that grows: every record once and in order, and no damage that is a write half-way.

The small spaces are exhausted: a log that comes byte by byte, a write whose sectors come in any
order. What a poll costs is counted.
"""

import itertools
import random
from collections.abc import Callable

import pytest

from formats.frame import SECTOR_BYTES
from tests.inspect.following import (
    FIRST,
    LAYOUT,
    WAL,
    ZEROS,
    Step,
    disk_with,
    events,
    findings,
    followed,
    following_segment,
    frames_of,
    indexes,
    log_of,
    nothing,
    places,
    torn,
    writes,
)
from tests.wal.builders import STATE, Builder, fresh, state
from walctl.datadir.survey import survey
from walctl.fs.memory import MemoryFileSystem
from walctl.inspect.follow import follow
from walctl.inspect.row import COMMITTED, UNKNOWN, RecordRow
from walctl.inspect.tail import LIVE_WINDOW_BYTES, PATIENT_POLLS, SETTLED_POLLS
from walctl.model.finding import Code

# A log that grows.


@pytest.mark.parametrize("is_preallocated", [True, False])
def test_a_log_that_comes_byte_by_byte_is_given_record_by_record(is_preallocated: bool) -> None:
    log = log_of((1, 3), (4, 5), (6, 6), size=300)
    data = log.done()
    disk = disk_with({FIRST: bytes(len(data) + ZEROS) if is_preallocated else b""})
    items = followed(disk, writes(disk, FIRST, 0, data, 1))
    assert places(items) == frames_of(log)
    assert not findings(items)
    assert not events(items)


@pytest.mark.parametrize("step_bytes", [3, 8, 100, 511, 512, 4096])
@pytest.mark.parametrize("before", [0, 5])
def test_a_log_that_comes_in_pieces_is_given_once_and_in_order(
    step_bytes: int, before: int
) -> None:
    log = log_of((1, 5)).puts(6, 20, size=700)
    start = log.frames[before].start
    data = log.done()
    disk = disk_with({FIRST: data[:start] + bytes(len(data) - start + ZEROS)})
    items = followed(disk, writes(disk, FIRST, start, data[start:], step_bytes))
    assert places(items) == frames_of(log)
    assert not findings(items)


def test_a_record_is_given_at_the_first_poll_at_which_it_is_whole() -> None:
    log = log_of((1, 1)).puts(2, 4)
    data = log.done()
    start = log.frames[5].start
    disk = disk_with({FIRST: data[:start] + bytes(ZEROS)})
    seen: list[int] = []
    todo = writes(disk, FIRST, start, data[start:], 1)
    written = start

    def wait() -> bool:
        nonlocal written
        step = next(todo, None)
        if step is not None:
            step()
            written += 1
        return step is not None

    for item in follow(disk, LAYOUT, wait=wait, last=0):
        if isinstance(item, RecordRow):
            seen.append(written)
            last = data.rstrip(b"\0")[: item.frame.span.stop]
            # The padding behind it, and zeros at the end of its data, are there already.
            assert len(data[: item.frame.span.stop].rstrip(b"\0")) <= written <= len(last)
    assert len(seen) == len(log.frames) - 5


def in_flight(first: Builder, log: Builder) -> tuple[int, list[tuple[int, bytes]]]:
    """Where the last write of `log` begins, and its sectors."""
    start = len(first.data)
    data = log.done()
    edges = [start, *range((start // SECTOR_BYTES + 1) * SECTOR_BYTES, len(data), SECTOR_BYTES)]
    stops = [*edges[1:], len(data)]
    return start, [(low, data[low:high]) for low, high in zip(edges, stops, strict=True)]


def sectors_in_every_order(step_bytes: int, size: int, orders: int) -> None:
    """One Save (an entry and its state), whose sectors come in every order, piece by piece."""
    base = log_of((1, 4))
    log = log_of((1, 4)).put(5, 1, b"v" * size).add(STATE, state(1, 7, 5))
    start, sectors = in_flight(base, log)
    tried = 0
    for order in itertools.permutations(sectors):
        tried += 1
        disk = disk_with({FIRST: log.done()[:start] + bytes(len(log.data) - start + ZEROS)})
        steps = (
            step
            for offset, piece in order
            for step in writes(disk, FIRST, offset, piece, step_bytes)
        )
        items = followed(disk, steps)
        assert places(items) == frames_of(log), order
        assert not findings(items), order
    assert tried == orders


def test_a_write_whose_sectors_come_in_any_order_is_no_damage() -> None:
    sectors_in_every_order(step_bytes=SECTOR_BYTES, size=1500, orders=24)
    sectors_in_every_order(step_bytes=48, size=400, orders=2)


@pytest.mark.slow
def test_a_write_whose_sectors_come_in_any_order_byte_by_byte_is_no_damage() -> None:
    sectors_in_every_order(step_bytes=1, size=1500, orders=24)


@pytest.mark.slow
def test_saves_in_one_write_whose_sectors_come_in_any_order_are_no_damage() -> None:
    base, log = log_of((1, 4)), log_of((1, 4)).puts(5, 8, size=400)
    start, sectors = in_flight(base, log)
    assert len(sectors) == SETTLED_POLLS
    for order in itertools.permutations(sectors):
        disk = disk_with({FIRST: log.done()[:start] + bytes(len(log.data) - start + ZEROS)})
        items = followed(disk, (next(writes(disk, FIRST, *each, SECTOR_BYTES)) for each in order))
        assert places(items) == frames_of(log)
        assert not findings(items)


# What is damage.


def test_a_torn_write_is_told_once_when_nothing_has_come_for_some_polls() -> None:
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    disk = disk_with({FIRST: torn(log, 100)})
    for polls, told in ((SETTLED_POLLS, 0), (SETTLED_POLLS + 3, 1), (10 * SETTLED_POLLS, 1)):
        found = findings(followed(disk, [], quiet=polls))
        assert len(found) == told
    assert found[0].finding.code is Code.TORN_TAIL
    assert found[0].finding.place.offset == log.frames[-1].start
    assert found[0].raw == torn(log, 100)[log.frames[-1].start :][: len(found[0].raw)]


def test_what_was_called_torn_and_becomes_whole_after_all_is_given() -> None:
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    disk = disk_with({FIRST: torn(log, 100)})

    def finish() -> None:
        disk.write(WAL / FIRST, log.done(ZEROS))

    items = followed(disk, [*[nothing] * 9, finish])
    assert places(items) == frames_of(log)
    assert len(findings(items)) == 1
    assert not events(items)


@pytest.mark.parametrize("keep", [4, 12, 100, 600])
def test_a_server_that_cuts_its_torn_tail_and_goes_on_is_followed(keep: int) -> None:
    """etcd cuts behind the last whole record and allocates again: nothing that was given goes."""
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    start = log.frames[-1].start
    disk = disk_with({FIRST: torn(log, keep)})
    after = log_of((1, 3)).put(4, 2, b"w" * 200).add(STATE, state(2, 7, 4))

    def cut() -> None:
        disk.truncate(WAL / FIRST, start)

    def allocate() -> None:
        disk.truncate(WAL / FIRST, start + ZEROS)

    rest = after.done()[start:]
    for patience in (0, 9):
        disk.write(WAL / FIRST, torn(log, keep))
        steps = [*[nothing] * patience, cut, allocate, *writes(disk, FIRST, start, rest, 16)]
        items = followed(disk, steps)
        assert places(items) == frames_of(after)
        assert not events(items)
        assert len(findings(items)) == (1 if patience else 0)


@pytest.mark.parametrize("victim", [4, 6, 9])
def test_damage_is_told_once_as_the_scan_names_it_when_the_log_goes_on_behind(victim: int) -> None:
    log = log_of((1, 2)).puts(3, 20, size=90)
    data = bytearray(log.done(ZEROS))
    data[log.frames[victim].start + 21] ^= 0x40
    behind = log.frames[victim].start + 20
    disk = disk_with({FIRST: bytes(data[:behind]) + bytes(len(data) - behind)})
    items = followed(disk, writes(disk, FIRST, behind, bytes(data[behind:]), 40), quiet=9)
    (found,) = findings(items)
    (named,) = survey(disk, LAYOUT).named
    assert found.finding.code is named.code
    assert found.finding.place == named.finding().place
    assert places(items) == [*frames_of(log)[:victim], *frames_of(log)[victim + 1 :]]
    assert not events(items)


def test_damage_of_a_busy_log_is_told_while_it_is_busy() -> None:
    log = log_of((1, 2)).puts(3, 60)
    data = bytearray(log.done())
    data[log.frames[7].start + 30] ^= 1
    start = log.frames[6].start
    disk = disk_with({FIRST: bytes(data[:start]) + bytes(len(data) - start)})
    pieces = list(writes(disk, FIRST, start, bytes(data[start:]), 64))
    items = followed(disk, pieces[:-3], quiet=0)
    assert len(findings(items)) == 1
    assert indexes(items)[-1] > 50


def test_damage_that_was_there_at_the_start_is_told_without_much_waiting() -> None:
    log = log_of((1, 2)).puts(3, 20)
    data = bytearray(log.done(ZEROS))
    for victim in (6, 12):
        data[log.frames[victim].start + 30] ^= 1
    items = followed(disk_with({FIRST: bytes(data)}), [], quiet=7)
    assert len(findings(items)) == 2
    assert len(places(items)) == len(log.frames) - 2


@pytest.mark.slow
def test_bytes_that_never_become_a_log_are_told_although_the_file_changes() -> None:
    log = log_of((1, 2))
    disk = disk_with({FIRST: log.done(128 * SECTOR_BYTES)})
    noise = random.Random(5).randbytes(PATIENT_POLLS + SECTOR_BYTES + 40)
    # The first sector stands still, so that it is no write half-way.
    disk.write_at(WAL / FIRST, len(log.data), noise[:SECTOR_BYTES])
    steps = writes(disk, FIRST, len(log.data) + SECTOR_BYTES, noise[SECTOR_BYTES:], 1)
    items = followed(disk, steps, quiet=0)
    assert len(findings(items)) == 1
    assert places(items) == frames_of(log)


def test_damage_at_the_end_of_a_sealed_segment_is_told_at_once() -> None:
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    second = following_segment(log, 5)
    disk = disk_with({FIRST: torn(log, 100)[: len(log.data)]})

    def cut() -> None:
        disk.write(WAL / second.name, second.data)

    items = followed(disk, [nothing, cut], quiet=0)
    (found,) = findings(items)
    (named,) = survey(disk, LAYOUT).named
    assert found.finding.code is named.code
    assert found.finding.place.offset == log.frames[-1].start


def test_a_hole_of_zeros_with_a_log_behind_is_told() -> None:
    log = log_of((1, 2)).puts(3, 12)
    data = bytearray(log.done())
    low, high = log.frames[6].start, log.frames[8].stop
    data[low:high] = bytes(high - low)
    disk = disk_with({FIRST: bytes(data[:low]) + bytes(len(data) - low + ZEROS)})
    steps = writes(disk, FIRST, high, bytes(data[high:]), 4096)
    (found,) = findings(followed(disk, steps, quiet=9))
    assert (found.finding.code, found.finding.place.offset) == (Code.ZERO_HOLE, low)


def test_a_wide_hole_that_was_there_at_the_start_is_told() -> None:
    log = log_of((1, 2)).puts(3, 4).put(5, 1, b"v" * 3 * LIVE_WINDOW_BYTES).puts(6, 9)
    data = bytearray(log.done(ZEROS))
    (big,) = [each for each in log.frames if each.stop - each.start > LIVE_WINDOW_BYTES]
    data[big.start : big.stop] = bytes(big.stop - big.start)
    items = followed(disk_with({FIRST: bytes(data)}), [], quiet=9)
    (found,) = findings(items)
    assert (found.finding.code, found.finding.place.offset) == (Code.ZERO_HOLE, big.start)
    assert places(items)[-1] == frames_of(log)[-1]


def test_a_torn_end_that_was_told_is_not_told_again_when_the_segment_is_sealed() -> None:
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    second = following_segment(log, 5)
    disk = disk_with({FIRST: torn(log, 100)[: len(log.data)]})

    def cut() -> None:
        disk.write(WAL / second.name, second.data)

    items = followed(disk, [*[nothing] * 12, cut])
    assert len(findings(items)) == 1
    assert places(items) == frames_of(log)[:-1] + second.frames


def test_a_torn_write_is_not_told_while_anything_is_written_to_the_file() -> None:
    log = log_of((1, 3)).put(4, 1, b"v" * 900)
    disk = disk_with({FIRST: torn(log, 100) + bytes(ZEROS)})
    zeros = writes(disk, FIRST, len(log.data) + ZEROS, bytes(30), 1)
    assert not findings(followed(disk, zeros, quiet=0))


def test_a_big_record_of_which_something_comes_now_and_again_is_not_told() -> None:
    """Later Saves are there already, and the first sectors too; the rest comes every few polls."""
    log = log_of((1, 3)).put(4, 1, random.Random(3).randbytes(2 * LIVE_WINDOW_BYTES)).puts(5, 8)
    big = log.frames[-9]
    late = range(big.start + LIVE_WINDOW_BYTES + SECTOR_BYTES, big.stop - 600, 20 * SECTOR_BYTES)
    data = bytearray(log.done(ZEROS))
    for at in late:
        data[at : at + SECTOR_BYTES] = bytes(SECTOR_BYTES)
    disk = disk_with({FIRST: bytes(data[: big.start]) + bytes(len(data) - big.start)})
    steps: list[Step] = [nothing, lambda: disk.write(WAL / FIRST, bytes(data))]
    for at in late:
        steps += [nothing] * (SETTLED_POLLS - 1)
        steps += writes(disk, FIRST, at, log.done()[at : at + SECTOR_BYTES], SECTOR_BYTES)
    items = followed(disk, steps)
    assert not findings(items)
    assert places(items) == frames_of(log)


def test_of_a_damaged_entry_nothing_is_claimed_unless_its_one_wrong_bit_is_known() -> None:
    log = log_of((1, 2)).puts(3, 9)
    for flips, status in ((1, COMMITTED), (2, UNKNOWN)):
        data = bytearray(log.done(ZEROS))
        for at in range(flips):
            data[log.frames[6].start + 30 + at] ^= 1
        items = followed(disk_with({FIRST: bytes(data)}), [], quiet=9)
        (row,) = [
            each for each in items if isinstance(each, RecordRow) and each.frame.check == "failed"
        ]
        assert row.status == status


def test_old_damage_in_the_last_segment_needs_no_waiting_when_the_first_is_begun_with() -> None:
    first = log_of((1, 3))
    second = following_segment(first, 4, saves=9)
    data = bytearray(second.data + bytes(ZEROS))
    data[second.log.frames[7].start + 30] ^= 1
    disk = disk_with({FIRST: first.done(), second.name: bytes(data)})
    assert len(findings(followed(disk, [], quiet=3))) == 1


# What it costs.


def polled(disk: MemoryFileSystem, steps: list[Step], cost: Callable[[], int]) -> list[int]:
    """What each poll behind a step costs."""
    costs: list[int] = []
    todo = iter(steps)
    before = 0

    def wait() -> bool:
        nonlocal before
        costs.append(cost() - before)
        step = next(todo, None)
        if step is not None:
            step()
        before = cost()
        return step is not None

    for _ in follow(disk, LAYOUT, wait=wait, last=0):
        pass
    return costs[4:]  # the first poll reads what is there, the fourth looks behind it


def test_a_poll_without_news_reads_a_few_bytes_however_long_the_log_is() -> None:
    log = fresh().puts(1, 300, size=400)
    disk = disk_with({FIRST: log.done(ZEROS)})
    assert max(polled(disk, [nothing] * 20, lambda: disk.bytes_read)) <= 64
    assert max(polled(disk, [nothing] * 20, lambda: disk.reads)) <= 2


def test_a_poll_with_news_reads_what_is_new_and_a_window_at_most() -> None:
    log = fresh().puts(1, 400, size=400)
    start = log.frames[300].start
    disk = disk_with({FIRST: log.done()[:start] + bytes(1 << 22)})
    steps = list(writes(disk, FIRST, start, log.done()[start:], 5000))
    assert max(polled(disk, steps, lambda: disk.bytes_read)) <= 3 * (1 << 16)


@pytest.mark.slow
def test_a_big_record_that_comes_in_pieces_is_looked_into_now_and_again_only() -> None:
    log = log_of((1, 3)).put(4, 1, random.Random(1).randbytes(1 << 20))
    start = log.frames[-1].start
    disk = disk_with({FIRST: log.done()[:start] + bytes((1 << 20) + ZEROS)})
    steps = list(writes(disk, FIRST, start, log.done()[start:], 1 << 16))
    costs = polled(disk, steps, lambda: disk.bytes_read)
    assert sum(cost > 3 << 19 for cost in costs) <= len(costs) / SETTLED_POLLS + 1
