"""Pre-vote, lease and transfer (thesis, 9.6, 6.4.1, 3.10) at one node, each rule as a sentence."""

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import ELECTION, log_of, node, storage_with
from tests.raft.node_one import leading, one, sent
from walctl.raft.errors import ProposalDroppedError
from walctl.raft.options import ReadOnly
from walctl.raft.types import HardState, Message, Role

APP, APP_RESP = MessageType.APP, MessageType.APP_RESP
HEARTBEAT, HEARTBEAT_RESP = MessageType.HEARTBEAT, MessageType.HEARTBEAT_RESP
VOTE, PRE_VOTE, PRE_VOTE_RESP = MessageType.VOTE, MessageType.PRE_VOTE, MessageType.PRE_VOTE_RESP
TIMEOUT_NOW, TRANSFER = MessageType.TIMEOUT_NOW, MessageType.TRANSFER_LEADER
FORCED = b"CampaignTransfer"


# Pre-vote (9.6).


def test_a_pre_vote_asks_about_the_next_term_and_leaves_clock_and_vote_alone() -> None:
    here = one(entries=log_of(1, 2), state=HardState(term=4, vote=3), pre_vote=True)
    here.raw.tick()
    here.raw.campaign()
    requests = sent(here, PRE_VOTE)
    told = [(each.target, each.term, each.index, each.log_term) for each in requests]
    assert told == [(2, 5, 2, 2), (3, 5, 2, 2)]
    assert (here.term, here.raw.raft.vote, here.raw.raft.election_elapsed) == (4, 3, 1)


def test_a_won_pre_vote_is_followed_by_requests_for_votes_in_the_same_term() -> None:
    here = one(pre_vote=True)
    here.raw.campaign()
    here.work()
    here.step(Message(PRE_VOTE_RESP, 1, 2, term=1))
    assert (here.role, here.term) == (Role.CANDIDATE, 1)
    assert [(each.target, each.term) for each in sent(here, VOTE)] == [(2, 1), (3, 1)]


def test_a_single_node_s_votes_count_one_ready_after_the_other() -> None:
    here = node(1, storage_with(1), pre_vote=True)
    here.raw.campaign()
    roles = []
    while here.raw.has_ready():
        ready = here.raw.ready()
        here.store(ready)
        here.raw.advance()
        roles.append(here.role)
    assert roles[:2] == [Role.CANDIDATE, Role.LEADER]


def test_a_lost_pre_vote_makes_a_follower_of_the_own_term() -> None:
    here = one(pre_vote=True, state=HardState(term=4))
    here.raw.campaign()
    here.work()
    for other in (2, 3):
        here.step(Message(PRE_VOTE_RESP, 1, other, term=4, reject=True))
    assert (here.role, here.term) == (Role.FOLLOWER, 4)


def test_an_answer_of_the_other_phase_does_not_count() -> None:
    here = one(pre_vote=True, state=HardState(term=4))
    here.raw.campaign()
    here.work()
    here.step(Message(MessageType.VOTE_RESP, 1, 2, term=4))
    assert here.plays(Role.PRE_CANDIDATE)
    here.step(Message(PRE_VOTE_RESP, 1, 2, term=5))
    here.step(Message(PRE_VOTE_RESP, 1, 3, term=5))
    assert here.plays(Role.CANDIDATE)


def test_a_pre_vote_is_granted_to_several_and_only_to_logs_that_are_as_up_to_date() -> None:
    here = one(entries=log_of(1, 1), state=HardState(term=1))
    for source, index in ((2, 2), (3, 2), (2, 1)):
        here.step(Message(PRE_VOTE, 1, source, 2, log_term=1, index=index))
    answers = sent(here, PRE_VOTE_RESP)
    assert [(each.target, each.reject) for each in answers] == [(2, False), (3, False), (2, True)]
    assert (here.term, here.raw.raft.vote) == (1, 0)


def test_a_pre_vote_of_a_lower_term_is_refused_with_the_own_term() -> None:
    here = one(state=HardState(term=5))
    here.step(Message(PRE_VOTE, 1, 2, term=3, log_term=9, index=9))
    assert here.work() == [Message(PRE_VOTE_RESP, 2, 1, term=5, reject=True)]


# The lease of a leader (6.4.1), and forgetting it.


@pytest.mark.parametrize("kind", [VOTE, PRE_VOTE])
@pytest.mark.parametrize("is_leader", [False, True])
def test_the_lease_ends_an_election_s_time_after_the_leader_s_last_word(
    kind: MessageType, is_leader: bool
) -> None:
    here = leading(check_quorum=True) if is_leader else one(check_quorum=True)
    if not is_leader:
        here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.work()
    request = Message(kind, 1, 3, term=2, log_term=9, index=9)
    here.step(request)
    assert (here.term, here.work()) == (1, [])
    if not is_leader:
        here.raw.raft.election_timeout = 2 * ELECTION - 1
        for _ in range(ELECTION):
            here.raw.tick()
        here.step(request)
        assert [each.target for each in here.work()] == [3]


def test_no_lease_holds_back_whom_the_leader_has_chosen() -> None:
    here = one(check_quorum=True, pre_vote=True)
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.work()
    here.step(Message(VOTE, 1, 3, term=2, context=FORCED + b"!"))
    assert here.work() == []
    here.step(Message(VOTE, 1, 3, term=2, context=FORCED))
    (answer,) = here.work()
    assert (answer.type, answer.reject) == (MessageType.VOTE_RESP, False)


def test_who_forgets_its_leader_listens_to_others_and_keeps_term_vote_and_clock() -> None:
    here = one(check_quorum=True)
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.raw.tick()
    here.raw.forget_leader()
    raft = here.raw.raft
    assert (raft.lead, raft.term, raft.vote, raft.election_elapsed) == (0, 1, 0, 1)
    here.step(Message(PRE_VOTE, 1, 3, term=2))
    assert [each.reject for each in sent(here, PRE_VOTE_RESP)] == [False]
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    assert raft.lead == 2


def test_no_leader_is_forgotten_where_its_lease_answers_reads_or_by_itself() -> None:
    here = one(check_quorum=True, read_only=ReadOnly.LEASE_BASED)
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.raw.forget_leader()
    assert here.raw.raft.lead == 2
    leader = leading()
    leader.raw.forget_leader()
    assert (leader.role, leader.raw.raft.lead) == (Role.LEADER, 1)


def test_everybody_is_asked_for_a_sign_of_life_again_after_each_check() -> None:
    here = leading(check_quorum=True)
    for count in (1, 2):
        for _ in range(ELECTION):
            here.raw.tick()
        assert here.plays(Role.LEADER if count == 1 else Role.FOLLOWER)
    assert here.term == 1


# Transfer (3.10).


def test_a_target_that_has_everything_is_told_at_once() -> None:
    here = leading()
    here.raw.transfer_leader(2)
    assert here.work() == [Message(TIMEOUT_NOW, 2, 1, term=1)]


def test_a_target_that_lags_is_told_as_soon_as_it_has_everything() -> None:
    here = leading()
    here.raw.propose(b"x")
    here.work()
    here.raw.transfer_leader(3)
    assert sent(here, TIMEOUT_NOW) == []
    here.step(Message(APP_RESP, 1, 3, 1, index=1))
    assert sent(here, TIMEOUT_NOW) == []
    here.step(Message(APP_RESP, 1, 3, 1, index=2))
    assert [each.target for each in sent(here, TIMEOUT_NOW)] == [3]


def test_whom_the_leader_has_chosen_campaigns_without_a_pre_vote_and_says_so() -> None:
    here = one(pre_vote=True, check_quorum=True)
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.step(Message(TIMEOUT_NOW, 1, 2, term=1))
    requests = sent(here, VOTE)
    assert [(each.target, each.term) for each in requests] == [(2, 2), (3, 2)]
    assert {each.context for each in requests} == {FORCED}


def test_while_leadership_is_transferred_the_leader_takes_no_proposal() -> None:
    here = leading()
    here.raw.transfer_leader(3)
    with pytest.raises(ProposalDroppedError):
        here.raw.propose(b"x")


def test_a_transfer_takes_the_place_of_one_to_another_and_not_of_the_same() -> None:
    here = leading()
    raft = here.raw.raft
    here.raw.transfer_leader(3)
    here.work()
    here.raw.tick()
    here.raw.transfer_leader(3)
    assert raft.election_elapsed == 1, "its time does not begin anew"
    here.raw.transfer_leader(2)
    assert (raft.lead_transferee, raft.election_elapsed) == (2, 0)


@pytest.mark.parametrize(("target", "is_pending"), [(1, False), (4, True), (9, True)])
def test_a_transfer_that_cannot_be_ends_the_one_before_only_where_it_is_to_a_voter(
    target: int, is_pending: bool
) -> None:
    here = leading(learners=(4,))
    here.raw.transfer_leader(3)
    here.raw.transfer_leader(target)
    assert (here.raw.raft.lead_transferee == 3) is is_pending


def test_a_follower_passes_a_wish_for_a_transfer_on_and_a_candidate_does_not() -> None:
    here = one()
    here.raw.transfer_leader(3)
    assert here.work() == []
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.work()
    here.raw.transfer_leader(3)
    assert here.work() == [Message(TRANSFER, 2, 3, term=1)]
    here.step(Message(TRANSFER, 1, 3, term=1))
    assert here.work() == [], "one that was passed on is not passed on again"
    here.raw.campaign()
    here.work()
    here.raw.transfer_leader(3)
    assert here.work() == []
