"""Who has enough of what: majorities, joint majorities; the arithmetic alone.

A majority is a set of ids. A joint configuration is two of them, of which both must agree; the
second is empty when there is no joint configuration. An empty majority agrees to everything: that
is what makes the second half vanish.

Source: Raft paper, figure 2 (leader rule 4) and section 6 (joint consensus).
"""

import enum
from collections.abc import Callable, Mapping, Set

INFINITE = (1 << 64) - 1
"""The committed index of a majority without members: nothing holds it back."""


class VoteResult(enum.StrEnum):
    """How an election stands."""

    WON = "VoteWon"
    LOST = "VoteLost"
    PENDING = "VotePending"


def committed_index(voters: Set[int], acked: Callable[[int], int]) -> int:
    """Highest index that a majority of `voters` holds; `INFINITE` when there are none.

    `acked` gives the last index that a voter holds, 0 where nothing is known of it.
    """
    if not voters:
        return INFINITE
    ranked = sorted(map(acked, voters))
    return ranked[len(ranked) - (len(ranked) // 2 + 1)]


def joint_committed_index(
    incoming: Set[int], outgoing: Set[int], acked: Callable[[int], int]
) -> int:
    """Highest index that a majority of both halves holds."""
    return min(committed_index(incoming, acked), committed_index(outgoing, acked))


def vote_result(voters: Set[int], votes: Mapping[int, bool]) -> VoteResult:
    """How an election among `voters` stands; who is not in `votes` has not answered."""
    if not voters:
        return VoteResult.WON
    quorum = len(voters) // 2 + 1
    granted = sum(votes.get(voter) is True for voter in voters)
    missing = sum(voter not in votes for voter in voters)
    if granted >= quorum:
        return VoteResult.WON
    return VoteResult.PENDING if granted + missing >= quorum else VoteResult.LOST


def joint_vote_result(
    incoming: Set[int], outgoing: Set[int], votes: Mapping[int, bool]
) -> VoteResult:
    """How an election stands that both halves must win."""
    first, second = vote_result(incoming, votes), vote_result(outgoing, votes)
    if first is second:
        return first
    return VoteResult.LOST if VoteResult.LOST in (first, second) else VoteResult.PENDING
