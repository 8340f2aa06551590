"""How far a log has come in a few numbers, held against the plain rules on lists."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.inspect.following import FIRST, WAL, disk_with
from tests.wal.builders import fresh
from walctl.inspect.reached import FALLS_MAX, RUNS_MAX, Outlook, Reached, TermRun
from walctl.inspect.row import COMMITTED, OVERWRITTEN, UNCOMMITTED, UNKNOWN
from walctl.model.batch import Batch
from walctl.model.record import Entry, EntryKind
from walctl.wal.names import parse
from walctl.wal.scan import scan

RUNS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(1, 4)), max_size=20)


def entry(index: int) -> Entry:
    return Entry(index=index, term=1, kind=EntryKind.NORMAL, raw_kind=0, payload=None)


@given(RUNS, st.integers(1, 40))
def test_what_is_replaced_is_what_stands_from_that_index_on(
    runs: list[tuple[int, int, int]], index: int
) -> None:
    reached, truth = Reached(), dict[int, int]()
    for first, count, term in runs:
        reached = reached.with_run(first, first + count - 1, term)
        truth = {at: old for at, old in truth.items() if at < first}
        truth |= dict.fromkeys(range(first, first + count), term)
    replaced = {
        at: run.term for run in reached.replaced_by(index) for at in range(run.first, run.last + 1)
    }
    assert replaced == {at: term for at, term in truth.items() if at >= index}
    assert reached.last == max(truth, default=0)


def test_only_so_many_runs_are_remembered_whatever_a_log_does() -> None:
    reached = Reached()
    for index in range(1, 10 * RUNS_MAX):
        reached = reached.with_run(index, index, index % 2 + 1)
    assert len(reached.runs) == RUNS_MAX
    assert reached.replaced_by(reached.last) == (TermRun(reached.last, reached.last, 2),)


def test_the_name_of_a_segment_says_what_was_in_front_of_it() -> None:
    name = parse("0000000000000003-00000000000000b7.wal")
    assert name is not None
    assert Reached.at(name).replaced_by(180) == (TermRun(180, 182, None),)
    first = parse(FIRST)
    assert first is not None
    assert Reached.at(first) == Reached()


def batch_of(*indexes: int) -> Batch:
    log = fresh()
    for index in indexes:
        log.put(index)
    disk = disk_with({FIRST: log.done()})
    with disk.open(Path(WAL / FIRST)) as file:
        (batch,) = [item for item in scan(file, segment=FIRST) if isinstance(item, Batch)]
    return batch


@given(st.lists(st.integers(1, 12), min_size=1, max_size=25), st.integers(0, 12))
def test_an_entry_is_overwritten_if_a_later_one_has_no_higher_index(
    indexes: list[int], commit: int
) -> None:
    batch = batch_of(*indexes)
    outlook = Outlook(commit=commit)
    outlook.add(batch, Reached())
    offsets = batch.offsets[3:]
    for position, (index, offset) in enumerate(zip(indexes, offsets, strict=True)):
        is_over = any(later <= index for later in indexes[position + 1 :])
        expected = OVERWRITTEN if is_over else COMMITTED if index <= commit else UNCOMMITTED
        assert outlook.status(entry(index), (FIRST, batch.base + offset)) == expected


def test_outlooks_of_segments_join_to_one_and_the_later_commit_counts() -> None:
    early = Outlook(2, [(("a", 8), 1)], end=("a", 100))
    late = Outlook(None, [(("b", 8), 4)], end=("b", 50))
    both = early.before(late)
    assert both.status(entry(5), ("a", 16)) == OVERWRITTEN
    assert both.status(entry(3), ("a", 16)) == UNCOMMITTED
    assert both.status(entry(2), ("a", 16)) == COMMITTED
    assert early.before(Outlook(5, end=("b", 50))).status(entry(3), ("a", 16)) == COMMITTED
    assert both.end == ("b", 50)


def test_of_more_overwritings_than_are_remembered_nothing_wrong_is_claimed() -> None:
    falls = [(("a", 8 * number), number) for number in range(1, 2 * FALLS_MAX + 1)]
    late = Outlook(0, [(("b", 8), 3 * FALLS_MAX)], end=("b", 16))
    joined = Outlook(0, falls, end=("a", 1 << 20)).before(late)
    assert len(joined.falls) <= 2 * FALLS_MAX
    assert joined.status(entry(1), ("a", 0)) == UNKNOWN
    assert joined.status(entry(4 * FALLS_MAX), ("a", 8 * 2 * FALLS_MAX)) == OVERWRITTEN
