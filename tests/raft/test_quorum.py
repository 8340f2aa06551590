"""Quorum arithmetic against a slow count of every subset."""

from collections.abc import Callable
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walctl.raft.quorum import (
    INFINITE,
    VoteResult,
    committed_index,
    joint_committed_index,
    joint_vote_result,
    vote_result,
)

VOTERS = st.frozensets(st.integers(1, 9), max_size=7)
ACKED = st.dictionaries(st.integers(1, 9), st.integers(0, 20))
VOTES = st.dictionaries(st.integers(1, 9), st.booleans())


def quorums(voters: frozenset[int]) -> list[frozenset[int]]:
    """Every subset that has more than half of the voters."""
    subsets = chain.from_iterable(
        combinations(sorted(voters), size) for size in range(len(voters) + 1)
    )
    return [frozenset(each) for each in subsets if 2 * len(each) > len(voters)]


@given(VOTERS, ACKED)
def test_the_committed_index_is_the_highest_that_some_quorum_holds(
    voters: frozenset[int], acked: dict[int, int]
) -> None:
    found = committed_index(voters, lambda node: acked.get(node, 0))
    slow = max(
        (min(acked.get(node, 0) for node in each) for each in quorums(voters)), default=INFINITE
    )
    assert found == slow


@given(VOTERS, VOTERS, ACKED)
def test_a_joint_quorum_is_one_of_each_half(
    incoming: frozenset[int], outgoing: frozenset[int], acked: dict[int, int]
) -> None:
    def acked_by(node: int) -> int:
        return acked.get(node, 0)

    both = joint_committed_index(incoming, outgoing, acked_by)
    assert both == joint_committed_index(outgoing, incoming, acked_by)
    assert both == min(committed_index(incoming, acked_by), committed_index(outgoing, acked_by))


@given(VOTERS, VOTES)
def test_an_election_is_won_by_a_quorum_and_lost_when_none_is_left_to_win(
    voters: frozenset[int], votes: dict[int, bool]
) -> None:
    granted = {node for node in voters if votes.get(node) is True}
    possible = granted | {node for node in voters if node not in votes}
    if not voters or any(each <= granted for each in quorums(voters)):
        expected = VoteResult.WON
    elif any(each <= possible for each in quorums(voters)):
        expected = VoteResult.PENDING
    else:
        expected = VoteResult.LOST
    assert vote_result(voters, votes) is expected


@given(VOTERS, VOTERS, VOTES)
def test_a_joint_election_is_lost_in_either_half_and_won_only_in_both(
    incoming: frozenset[int], outgoing: frozenset[int], votes: dict[int, bool]
) -> None:
    halves = {vote_result(incoming, votes), vote_result(outgoing, votes)}
    found = joint_vote_result(incoming, outgoing, votes)
    assert (found is VoteResult.WON) is (halves == {VoteResult.WON})
    assert (found is VoteResult.LOST) is (VoteResult.LOST in halves)


@given(VOTERS, VOTERS)
def test_any_two_joint_quorums_meet_in_each_half(
    incoming: frozenset[int], outgoing: frozenset[int]
) -> None:
    for half in (incoming, outgoing):
        for one in quorums(half):
            assert all(one & other for other in quorums(half))


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        test_the_committed_index_is_the_highest_that_some_quorum_holds,
        test_a_joint_quorum_is_one_of_each_half,
        test_an_election_is_won_by_a_quorum_and_lost_when_none_is_left_to_win,
        test_a_joint_election_is_lost_in_either_half_and_won_only_in_both,
        test_any_two_joint_quorums_meet_in_each_half,
    ],
    ids=lambda rule: rule.__name__,
)
def test_each_rule_holds_ten_thousand_times(rule: Callable[[], None]) -> None:
    settings(max_examples=10_000, deadline=None)(rule)()
