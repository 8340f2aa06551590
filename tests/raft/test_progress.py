"""What a leader knows of one node: every rule of its three states, and of its window."""

import pytest

from walctl.raft.describe import progress_text
from walctl.raft.inflights import Inflights
from walctl.raft.progress import Progress, ProgressState

PROBE, REPLICATE, SNAPSHOT = ProgressState.PROBE, ProgressState.REPLICATE, ProgressState.SNAPSHOT


def progress(
    state: ProgressState = PROBE, *, match: int = 3, next_index: int = 6, sent_commit: int = 0
) -> Progress:
    made = Progress(match=match, next_index=next_index, inflights=Inflights(count_max=2))
    made.state = state
    made.sent_commit = sent_commit
    return made


def next_and_commit(of: Progress) -> tuple[int, int]:
    return of.next, of.sent_commit


@pytest.mark.parametrize("state", [PROBE, REPLICATE])
def test_a_probe_begins_behind_what_is_known_to_be_there(state: ProgressState) -> None:
    here = progress(state, next_index=9, sent_commit=7)
    here.inflights.add(8, 1)
    here.is_flow_paused = True
    here.become_probe()
    assert next_and_commit(here) == (4, 3)
    assert (here.inflights.count, here.is_flow_paused) == (0, False)


@pytest.mark.parametrize(("pending", "expected"), [(8, (9, 7)), (2, (4, 3)), (0, (4, 3))])
def test_a_probe_after_a_snapshot_begins_behind_that_where_it_is_newer(
    pending: int, expected: tuple[int, int]
) -> None:
    here = progress(SNAPSHOT, sent_commit=7)
    here.pending_snapshot = pending
    here.become_probe()
    assert next_and_commit(here) == expected
    assert here.pending_snapshot == 0


def test_a_stream_begins_behind_what_is_known_to_be_there_and_keeps_what_was_told() -> None:
    here = progress(next_index=9, sent_commit=7)
    here.is_flow_paused = True
    here.become_replicate()
    assert next_and_commit(here) == (4, 7)
    assert not here.is_paused


def test_a_snapshot_tells_of_the_commit_that_it_has() -> None:
    here = progress(sent_commit=7)
    here.become_snapshot(5)
    assert next_and_commit(here) == (6, 5)
    assert (here.pending_snapshot, here.is_paused, here.is_flow_paused) == (5, True, False)


def test_a_stream_moves_on_with_every_append_until_the_window_is_full() -> None:
    here = progress(REPLICATE)
    here.sent_entries(count=3, payload_bytes=1)
    assert (here.next, here.is_paused) == (9, False)
    here.sent_entries(count=1, payload_bytes=1)
    assert (here.next, here.is_paused) == (10, True)
    here.inflights.free_up_to(8)
    assert here.inflights.count == 1
    here.sent_entries(count=0, payload_bytes=0)
    assert (here.next, here.is_paused, here.inflights.count) == (10, False, 1)


def test_a_probe_waits_after_an_append_that_is_not_empty_and_stays_where_it_is() -> None:
    here = progress()
    here.sent_entries(count=0, payload_bytes=0)
    assert not here.is_paused
    here.sent_entries(count=2, payload_bytes=1)
    assert (here.next, here.is_paused, here.inflights.count) == (6, True, 0)
    here.sent_entries(count=0, payload_bytes=0)
    assert here.is_paused


@pytest.mark.parametrize(
    ("sent_commit", "index", "is_news"),
    [(4, 4, False), (4, 5, True), (4, 9, True), (5, 9, False), (6, 9, False)],
)
def test_a_commit_is_news_to_whom_was_told_less_and_could_have_it(
    sent_commit: int, index: int, is_news: bool
) -> None:
    assert progress(sent_commit=sent_commit).can_bump_commit(index) is is_news


@pytest.mark.parametrize(
    ("index", "is_news", "expected"), [(2, False, 6), (3, False, 6), (4, True, 6), (8, True, 9)]
)
def test_an_acknowledgement_moves_only_forward(index: int, is_news: bool, expected: int) -> None:
    here = progress()
    here.is_flow_paused = True
    assert here.update(index) is is_news
    assert (here.match, here.next) == (max(3, index), expected)
    assert here.is_flow_paused is not is_news


@pytest.mark.parametrize(
    ("rejected", "is_news", "expected"), [(2, False, (9, 7)), (3, False, (9, 7)), (4, True, (4, 3))]
)
def test_a_stream_that_is_refused_goes_back_to_the_match_whatever_the_hint(
    rejected: int, is_news: bool, expected: tuple[int, int]
) -> None:
    here = progress(REPLICATE, next_index=9, sent_commit=7)
    assert here.decrease(rejected, 8) is is_news
    assert next_and_commit(here) == expected


@pytest.mark.parametrize(
    ("rejected", "hint", "is_news", "expected"),
    [
        (7, 5, False, (9, 8)),  # the answer to an older probe
        (9, 5, False, (9, 8)),
        (8, 5, True, (6, 5)),
        (8, 20, True, (8, 7)),  # it always goes back by one
        (8, 0, True, (4, 3)),  # and never behind the match
    ],
)
def test_a_probe_that_is_refused_goes_back_to_the_hint(
    rejected: int, hint: int, is_news: bool, expected: tuple[int, int]
) -> None:
    here = progress(next_index=9, sent_commit=8)
    here.is_flow_paused = True
    assert here.decrease(rejected, hint) is is_news
    assert next_and_commit(here) == expected
    assert here.is_flow_paused is not is_news


def test_a_window_is_full_by_count_or_by_bytes_and_one_may_overshoot() -> None:
    window = Inflights(count_max=3, bytes_max=10)
    seen = []
    for index, size in ((1, 9), (2, 100)):
        window.add(index, size)
        seen.append(window.is_full)
    assert seen == [False, True]
    for index in (1, 2):
        window.free_up_to(index)
        seen.append(window.is_full)
    assert seen[2:] == [True, False]
    for index in (3, 4, 5):
        window.add(index, 0)
        seen.append(window.is_full)
    assert seen[4:] == [False, False, True]
    window.reset()
    assert (window.count, window.is_full) == (0, False)


def test_a_progress_is_told_with_all_that_applies() -> None:
    here = progress(SNAPSHOT)
    here.is_learner = True
    here.pending_snapshot = 5
    assert progress_text(here) == (
        "StateSnapshot match=3 next=6 learner paused pendingSnap=5 inactive"
    )
    other = progress(REPLICATE)
    other.is_active = True
    other.inflights.add(1, 0)
    assert progress_text(other) == "StateReplicate match=3 next=6 inflight=1"
    other.inflights.add(2, 0)
    assert progress_text(other) == "StateReplicate match=3 next=6 inflight=2[full]"
