"""A log of runs against a log of single entries, kept by the slow and obvious rule."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.model.log import (
    Log,
    PlacedMark,
    PlacedState,
    Run,
    StateRun,
    Stretch,
    add_state,
    put_together,
    takes_back,
)
from walctl.model.record import HardState, SnapshotMark, Span

SEGMENT = "0000000000000000-0000000000000000.wal"


def run(first: int, last: int, term: int, *, start: int = 0, commit_before: int = 0) -> Run:
    return Run(
        segment=SEGMENT,
        first=first,
        last=last,
        term=term,
        start=start,
        stop=start + last - first + 1,
        commit_before=commit_before,
    )


RUNS = st.lists(
    st.builds(
        lambda first, size, term: run(first, first + size, term),
        st.integers(1, 12),
        st.integers(0, 6),
        st.integers(1, 4),
    ),
    max_size=10,
)


def entry_by_entry(runs: list[Run]) -> list[tuple[int, int]]:
    """Index and term of what is left when each entry takes away all from its index on."""
    kept: list[tuple[int, int]] = []
    for each in runs:
        for index in range(each.first, each.last + 1):
            kept = [entry for entry in kept if entry[0] < index]
            kept.append((index, each.term))
    return kept


def entries_of(log: Log) -> list[tuple[int, int]]:
    return [(index, run.term) for run in log.live for index in range(run.first, run.last + 1)]


@given(RUNS)
def test_runs_put_together_leave_the_entries_that_single_ones_would(runs: list[Run]) -> None:
    log = put_together(runs)
    kept = entry_by_entry(runs)
    assert entries_of(log) == kept
    assert log.first == (kept[0][0] if kept else None)
    assert log.last == (kept[-1][0] if kept else None)
    terms = dict(kept)
    assert [log.term_of(index) for index in range(20)] == [terms.get(i) for i in range(20)]


@given(RUNS)
def test_gaps_are_the_indexes_between_the_first_and_the_last_that_no_entry_has(
    runs: list[Run],
) -> None:
    log = put_together(runs)
    present = {index for index, _ in entry_by_entry(runs)}
    missing = set(range(min(present, default=0), max(present, default=0))) - present
    found = [set(range(gap.first, gap.last + 1)) for gap in log.gaps()]
    assert set().union(*found) == missing
    assert all(found)
    assert sum(map(len, found)) == len(missing)
    for gap in log.gaps():
        assert gap.before.last + 1 == gap.first
        assert gap.after.first - 1 == gap.last


@given(RUNS, st.integers(0, 14))
def test_what_is_contiguous_ends_before_the_first_missing_index(
    runs: list[Run], index: int
) -> None:
    log = put_together(runs)
    present = {each for each, _ in entry_by_entry(runs)}
    reached = index
    while reached + 1 in present:
        reached += 1
    assert log.contiguous_from(index) == reached


@given(RUNS)
def test_terms_fall_exactly_where_a_later_entry_has_a_lower_one(runs: list[Run]) -> None:
    log = put_together(runs)
    kept = entry_by_entry(runs)
    falls = [right[0] for left, right in itertools.pairwise(kept) if right[1] < left[1]]
    assert [after.first for _, after in log.term_falls()] == falls


@given(RUNS)
def test_every_replaced_entry_is_in_exactly_one_overwrite_by_the_run_that_came(
    runs: list[Run],
) -> None:
    replaced = []
    kept: list[tuple[int, int]] = []
    for each in runs:
        replaced += [entry for entry in kept if entry[0] >= each.first]
        kept = [entry for entry in kept if entry[0] < each.first]
        kept += [(index, each.term) for index in range(each.first, each.last + 1)]
    log = put_together(runs)
    assert {over.run.first for over in log.overwrites} <= {each.first for each in runs}
    for over in log.overwrites:
        assert over.replaced_last >= over.run.first
        assert (over.replaced_last, over.replaced_term) in replaced
    assert bool(log.overwrites) == bool(replaced)


def test_an_overwrite_knows_what_had_been_committed_before_it() -> None:
    (over,) = put_together([run(1, 9, 1), run(4, 5, 2, commit_before=3)]).overwrites
    assert (over.run.first, over.replaced_last, over.replaced_term) == (4, 9, 1)
    assert over.commit_before == 3


def test_a_shortened_run_leaves_the_one_that_was_given_as_it_is() -> None:
    old = run(1, 9, 1)
    log = put_together([old, run(4, 5, 2)])
    assert (old.first, old.last) == (1, 9)
    assert [(each.first, each.last) for each in log.live] == [(1, 3), (4, 5)]


def test_an_empty_log_has_no_indexes() -> None:
    log = put_together([])
    assert (log.first, log.last, log.term_of(1)) == (None, None, None)
    assert not list(log.gaps())
    assert log.contiguous_from(7) == 7


# Hard states.

STATES = st.builds(
    lambda term, vote, commit: HardState(term=term, vote=vote, commit=commit),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 5),
)


@given(st.lists(STATES, max_size=12))
def test_runs_of_states_hold_as_many_and_break_where_something_is_not_kept(
    states: list[HardState],
) -> None:
    runs: list[StateRun] = []
    for offset, state in enumerate(states):
        add_state(runs, SEGMENT, offset, state)
    assert sum(each.count for each in runs) == len(states)
    at = 0
    for each in runs:
        mine = states[at : at + each.count]
        assert (each.first_offset, each.last_offset) == (at, at + each.count - 1)
        assert (each.first_state, each.last_state) == (mine[0], mine[-1])
        assert {(state.term, state.vote) for state in mine} == {(each.term, each.vote)}
        commits = [state.commit for state in mine]
        assert commits == sorted(commits)
        at += each.count
        if at < len(states):
            assert not each.accepts(states[at])


@given(st.lists(STATES, min_size=2, max_size=8))
def test_only_between_runs_can_a_state_take_something_back(states: list[HardState]) -> None:
    runs: list[StateRun] = []
    for offset, state in enumerate(states):
        add_state(runs, SEGMENT, offset, state)
    single = sum(takes_back(*pair) for pair in itertools.pairwise(states))
    folded = sum(
        takes_back(before.last_state, after.first_state)
        for before, after in itertools.pairwise(runs)
    )
    assert single == folded


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        ((2, 1, 5), (2, 1, 5), False),
        ((2, 1, 5), (2, 1, 6), False),
        ((2, 1, 5), (3, 0, 5), False),
        ((2, 1, 5), (3, 2, 5), False),
        ((2, 0, 5), (2, 2, 5), False),
        ((2, 1, 5), (2, 1, 4), True),
        ((2, 1, 5), (1, 1, 6), True),
        ((2, 1, 5), (2, 2, 5), True),
        ((2, 1, 5), (2, 0, 5), True),
    ],
)
def test_a_state_takes_back_a_term_a_vote_or_a_commit(
    before: tuple[int, int, int], after: tuple[int, int, int], taken: bool
) -> None:
    states = [
        HardState(term=term, vote=vote, commit=commit) for term, vote, commit in (before, after)
    ]
    assert takes_back(*states) is taken


# Stretches.


def stretch(**parts: object) -> Stretch:
    made = Stretch(segment=SEGMENT, span=Span(0, 100), seed=0, first_crc=0, crc=0, frames=3)
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def placed(offset: int) -> PlacedState:
    return PlacedState(segment=SEGMENT, offset=offset, state=HardState(term=1, vote=0, commit=0))


def test_a_later_save_is_an_entry_or_a_marker_behind_a_state() -> None:
    before, behind = run(1, 2, 1, start=10), run(3, 4, 1, start=60)
    state = {"first_state": placed(50), "last_state": placed(50), "states_count": 1}
    mark = PlacedMark(segment=SEGMENT, offset=60, mark=SnapshotMark(index=1, term=1))
    assert not stretch(runs=[before]).holds_later_batch()
    assert not stretch(runs=[before], **state).holds_later_batch()
    assert stretch(runs=[before, behind], **state).holds_later_batch()
    assert stretch(runs=[before], **{**state, "states_count": 2}).holds_later_batch()
    assert stretch(runs=[before], marks=[mark]).holds_later_batch()


def test_saves_are_counted_by_their_states_and_what_stands_behind_the_last() -> None:
    before, behind = run(1, 2, 1, start=10), run(3, 4, 1, start=60)
    state = {"first_state": placed(50), "last_state": placed(50), "states_count": 1}
    assert stretch(frames=0).save_batches == 0
    assert stretch(runs=[before]).save_batches == 1
    assert stretch(runs=[before], **state).save_batches == 1
    assert stretch(runs=[before, behind], **state).save_batches == 2
