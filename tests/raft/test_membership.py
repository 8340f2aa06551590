"""How the membership changes (Raft paper, section 6; thesis, chapter 4): rules as sentences."""

from typing import Any

import pytest

from formats.raftpb import EntryType, MessageType
from tests.raft.harness import ELECTION, Cluster, Node, elected, log_of, node, storage_with
from walctl.raft.errors import PeerNotFoundError, ProposalDroppedError
from walctl.raft.storage import MemoryStorage
from walctl.raft.tracker import Config
from walctl.raft.types import (
    UNLIMITED,
    Change,
    ChangeKind,
    ConfChange,
    ConfState,
    Entry,
    HardState,
    Message,
    Role,
    Snapshot,
    Transition,
)

ADD, REMOVE = ChangeKind.ADD_NODE, ChangeKind.REMOVE_NODE
LEARN, UPDATE = ChangeKind.ADD_LEARNER_NODE, ChangeKind.UPDATE_NODE
IMPLICIT, EXPLICIT = Transition.JOINT_IMPLICIT, Transition.JOINT_EXPLICIT
LEAVE = ConfChange()
APP, APP_RESP = MessageType.APP, MessageType.APP_RESP


def change(
    *changes: tuple[ChangeKind, int], transition: Transition = Transition.AUTO
) -> ConfChange:
    made = tuple(Change(kind=kind, node_id=node_id) for kind, node_id in changes)
    return ConfChange(changes=made, transition=transition)


def config_of(here: Node) -> Config:
    return here.raw.raft.tracker.config


def alone(conf: ConfState, **wishes: Any) -> Node:
    """Node 1 with this membership and an empty log."""
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=conf))
    return node(1, storage, **wishes)


def led(*fresh: int, **wishes: Any) -> Cluster:
    """Three voters, of whom 1 leads, and nodes that nobody has added yet."""
    cluster = Cluster.begun(1, 2, 3, fresh=fresh, **wishes)
    cluster.settle()
    cluster.campaign(1)
    return cluster


def last_entry(here: Node) -> Entry:
    log = here.raw.raft.log
    (entry,) = log.slice(log.last_index(), log.last_index() + 1, UNLIMITED)
    return entry


# When a change holds, and which one may be made.


def test_a_change_holds_once_it_is_applied_and_not_when_it_is_appended() -> None:
    cluster = led()
    here = cluster[1]
    here.raw.propose_conf_change(change((REMOVE, 3)))
    here.work()
    assert config_of(here).voters == {1, 2, 3}
    here.step(Message(APP_RESP, 1, 2, here.term, index=here.raw.raft.log.last_index()))
    assert config_of(here).voters == {1, 2, 3}
    here.work()
    assert config_of(here).voters == {1, 2}


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_change_that_may_not_be_made_now_becomes_an_empty_entry_unless_nobody_checks(
    is_refused: bool,
) -> None:
    here = elected(node(1, storage_with(1, 2), disable_conf_change_validation=not is_refused))
    here.raw.propose_conf_change(LEAVE)
    assert last_entry(here).is_conf_change is not is_refused
    first = elected(node(1, storage_with(1, 2), disable_conf_change_validation=not is_refused))
    first.raw.propose_conf_change(change((ADD, 3)))
    first.raw.propose_conf_change(change((ADD, 4)))
    assert last_entry(first).is_conf_change is not is_refused
    if is_refused:
        assert (last_entry(first).type, last_entry(first).data) == (EntryType.NORMAL, None)


def test_of_several_changes_in_one_proposal_the_first_is_taken() -> None:
    here = elected(node(1, storage_with(1, 2)))
    here.raw.propose_conf_change(change((ADD, 3)))
    (proposed,) = [last_entry(here)]
    other = elected(node(1, storage_with(1, 2)))
    entries = (Entry(data=b"x"), Entry(type=proposed.type, data=proposed.data)) * 2
    other.raw.raft.step(Message(MessageType.PROP, 1, 1, entries=entries))
    found = other.raw.raft.log.slice(2, 6, UNLIMITED)
    assert [entry.is_conf_change for entry in found] == [False, True, False, False]
    assert other.raw.raft.pending_conf_index == 3


def test_a_new_leader_makes_no_change_before_it_has_applied_all_that_older_ones_left() -> None:
    here = elected(node(1, storage_with(1, 2, entries=log_of(1, 1), state=HardState(term=1))))
    assert here.raw.raft.pending_conf_index == 2
    here.raw.propose_conf_change(change((ADD, 3)))
    assert not last_entry(here).is_conf_change
    here.step(Message(APP_RESP, 1, 2, here.term, index=4))
    here.work()
    here.raw.propose_conf_change(change((ADD, 3)))
    assert last_entry(here).is_conf_change


def test_a_change_that_an_application_takes_back_changes_nothing() -> None:
    here = alone(ConfState(voters=(1, 2), learners=(3,)))
    before = config_of(here)
    for taken_back in (change((ADD, 0)), change((UPDATE, 2)), change((REMOVE, 9))):
        here.raw.apply_conf_change(taken_back)
        assert config_of(here) == before


# Joint configurations (6; thesis, 4.3).


def test_a_joint_configuration_is_left_before_anything_else_is_changed() -> None:
    conf = ConfState(voters=(1, 2), voters_outgoing=(1,))
    here = elected(alone(conf))
    here.raw.propose_conf_change(change((ADD, 3)))
    assert not last_entry(here).is_conf_change
    here.raw.propose_conf_change(LEAVE)
    assert last_entry(here).is_conf_change


@pytest.mark.parametrize(
    ("transition", "leaves_by_itself"),
    [(Transition.AUTO, True), (IMPLICIT, True), (EXPLICIT, False)],
)
def test_a_joint_configuration_is_left_by_itself_unless_that_is_done_by_hand(
    transition: Transition, leaves_by_itself: bool
) -> None:
    cluster = led()
    cluster[1].raw.propose_conf_change(change((ADD, 4), (LEARN, 5), transition=transition))
    cluster.settle()
    assert config_of(cluster[1]).is_joint is not leaves_by_itself
    cluster[1].raw.propose_conf_change(LEAVE)
    cluster.settle()
    assert not config_of(cluster[1]).is_joint


def test_one_change_goes_through_a_joint_configuration_where_that_is_asked_for() -> None:
    here = alone(ConfState(voters=(1, 2)))
    conf = here.raw.apply_conf_change(change((ADD, 3), transition=EXPLICIT))
    assert (conf.voters, conf.voters_outgoing) == ((1, 2, 3), (1, 2))


def test_the_leader_tries_again_to_leave_when_a_transfer_was_in_the_way() -> None:
    here = led()[1]
    here.raw.propose_conf_change(change((ADD, 4), transition=IMPLICIT))
    entered = last_entry(here).index
    here.work()
    here.raw.transfer_leader(2)
    here.step(Message(APP_RESP, 1, 2, here.term, index=entered))
    here.work()
    assert (config_of(here).is_joint, last_entry(here).index) == (True, entered)
    for _ in range(ELECTION):
        here.raw.tick()  # the target does not take over in time
    here.raw.propose(b"x")
    here.work()
    for other in (2, 3):
        here.step(Message(APP_RESP, 1, other, here.term, index=entered + 1))
    here.work()
    leaving = last_entry(here)
    assert (leaving.type, leaving.data) == (EntryType.CONF_CHANGE_V2, None)


def test_a_voter_becomes_a_learner_only_when_the_old_half_is_left() -> None:
    here = alone(ConfState(voters=(1, 2, 3)))
    conf = here.raw.apply_conf_change(change((LEARN, 3), (ADD, 4)))
    assert (conf.learners, conf.learners_next) == ((), (3,))
    progress = here.raw.raft.tracker.progress[3]
    assert not progress.is_learner
    conf = here.raw.apply_conf_change(LEAVE)
    assert (conf.learners, conf.learners_next, conf.voters) == ((3,), (), (1, 2, 4))
    assert here.raw.raft.tracker.progress[3].is_learner


def test_a_node_of_the_old_half_alone_may_lead_and_is_gone_when_it_is_left() -> None:
    here = elected(alone(ConfState(voters=(2, 3), voters_outgoing=(1, 2, 3))))
    assert config_of(here).incoming == {2, 3}
    here.raw.apply_conf_change(LEAVE)
    assert here.raw.raft.own_progress is None


def test_a_restart_finds_the_same_joint_configuration() -> None:
    conf = ConfState(
        voters=(2, 3), voters_outgoing=(1, 2, 4), learners=(5,), learners_next=(4,), auto_leave=True
    )
    config = config_of(alone(conf))
    assert config.conf_state == conf
    assert not alone(conf).raw.raft.tracker.progress[4].is_learner


def test_a_quorum_is_heard_from_only_when_both_halves_are() -> None:
    conf = ConfState(voters=(1, 2, 3), voters_outgoing=(1, 4, 5))
    for heard, leads in (((2, 3), False), ((2, 4), True)):
        here = elected(alone(conf, check_quorum=True))
        for other in heard:
            here.step(Message(MessageType.HEARTBEAT_RESP, 1, other, here.term))
        for _ in range(ELECTION):
            here.raw.tick()
        assert here.plays(Role.LEADER) is leads


# One node at a time (thesis, 4.1), new nodes (4.2.1).


def test_a_new_node_is_fed_as_soon_as_its_being_added_is_applied() -> None:
    here = elected(node(1, storage_with(1)))
    here.raw.apply_conf_change(change((ADD, 2)))
    (first,) = [message for message in here.work() if message.type is APP]
    assert (first.target, first.index) == (2, 0)


def test_a_learner_catches_up_and_becomes_a_voter_without_being_fed_anew() -> None:
    cluster = led(4)
    cluster[1].raw.propose_conf_change(change((LEARN, 4)))
    cluster.settle()
    cluster.tick(1, 3)
    before = cluster[1].raw.raft.tracker.progress[4].match
    assert before == cluster[1].raw.raft.log.last_index()
    cluster[1].raw.propose_conf_change(change((ADD, 4)))
    cluster[1].work()
    assert cluster[1].raw.raft.tracker.progress[4].match == before
    cluster.settle()
    cluster.tick(1, 2)
    assert 4 in config_of(cluster[4]).voters


def test_a_learner_does_not_campaign_whatever_it_is_told_and_still_votes() -> None:
    here = node(4, storage_with(1, 2, 3, learners=(4,)))
    for _ in range(3 * ELECTION):
        here.raw.tick()
    here.raw.campaign()
    here.step(Message(MessageType.TIMEOUT_NOW, 4, 1, term=1))
    assert here.plays(Role.FOLLOWER)
    here.step(Message(MessageType.VOTE, 4, 2, term=2))
    (answer,) = here.work()
    assert (answer.type, answer.reject) == (MessageType.VOTE_RESP, False)


def test_a_learner_s_vote_and_sign_of_life_do_not_count() -> None:
    here = node(1, storage_with(1, 2, learners=(4, 5)), check_quorum=True)
    here.raw.campaign()
    here.work()
    for learner in (4, 5):
        here.step(Message(MessageType.VOTE_RESP, 1, learner, term=1))
    assert here.plays(Role.CANDIDATE)
    here.step(Message(MessageType.VOTE_RESP, 1, 2, term=1))
    assert here.plays(Role.LEADER)
    for _ in range(ELECTION):
        for learner in (4, 5):
            here.step(Message(MessageType.HEARTBEAT_RESP, 1, learner, term=1))
        here.raw.tick()
    assert here.plays(Role.FOLLOWER)


def test_a_candidate_asks_the_voters_of_both_halves_and_no_learner() -> None:
    conf = ConfState(voters=(1, 2), voters_outgoing=(1, 5), learners=(3,), learners_next=(5,))
    here = alone(conf)
    here.raw.campaign()
    assert [each.target for each in here.work()] == [2, 5]


def test_a_smaller_quorum_commits_at_once_what_it_holds() -> None:
    here = elected(node(1, storage_with(1, 2, 3, 4)))
    here.raw.propose(b"x")
    here.work()
    here.step(Message(APP_RESP, 1, 2, 1, index=2))
    assert here.commit == 0
    here.raw.apply_conf_change(change((REMOVE, 4)))
    assert here.commit == 2
    told = [(each.target, each.commit) for each in here.work() if each.type is APP]
    assert told == [(2, 2)], "node 3 is probed and waits for an answer"


# Removed nodes (thesis, 4.2.2 and 4.2.3).


def test_a_leader_that_is_removed_does_not_count_itself_while_it_leads_on() -> None:
    here = elected(node(1, storage_with(1, 2, 3)))
    for other in (2, 3):
        here.step(Message(APP_RESP, 1, other, 1, index=1))
    here.work()
    here.raw.propose(b"x")
    here.work()
    here.raw.apply_conf_change(change((REMOVE, 1)))
    with pytest.raises(ProposalDroppedError):
        here.raw.propose(b"y")
    here.step(Message(APP_RESP, 1, 2, 1, index=2))
    assert here.commit == 1, "itself and one of two others are no majority of these"
    here.step(Message(APP_RESP, 1, 3, 1, index=2))
    assert here.commit == 2
    here.work()
    here.raw.tick()
    beats = [each.target for each in here.work() if each.type is MessageType.HEARTBEAT]
    assert beats == [2, 3]


@pytest.mark.parametrize("kind", [REMOVE, LEARN])
def test_a_leader_that_is_no_voter_any_more_steps_down_where_it_is_told_to(
    kind: ChangeKind,
) -> None:
    here = elected(node(1, storage_with(1, 2, 3), step_down_on_removal=True))
    here.raw.apply_conf_change(change((kind, 1)))
    assert (here.role, here.term, here.raw.raft.lead) == (Role.FOLLOWER, 1, 0)
    here.raw.campaign()
    assert here.plays(Role.FOLLOWER)


def test_a_removed_node_is_not_heard_by_the_leader_and_gets_no_votes_while_there_is_one() -> None:
    cluster = led(check_quorum=True)
    cluster[1].raw.propose_conf_change(change((REMOVE, 3)))
    cluster.settle()
    with pytest.raises(PeerNotFoundError):
        cluster[1].raw.step(Message(APP_RESP, 1, 3, cluster[1].term, index=99))
    ask = Message(MessageType.VOTE, 0, 3, term=99, index=99, log_term=98)
    for number in (1, 2):
        cluster[number].step(ask)
        assert (cluster[number].term, cluster[number].work()) == (1 + 1, [])


def test_a_transfer_ends_when_its_target_is_no_voter_any_more() -> None:
    for kind, is_over in ((REMOVE, True), (LEARN, True), (UPDATE, False)):
        here = elected(node(1, storage_with(1, 2, 3)))
        here.raw.transfer_leader(3)
        here.raw.apply_conf_change(change((kind, 3)))
        assert (here.raw.raft.lead_transferee == 0) is is_over
