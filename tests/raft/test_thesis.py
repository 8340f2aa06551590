"""Rules of the Raft thesis beyond the paper: pre-vote, lease, transfer, reads, membership."""

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import ELECTION, Cluster, data_of, log_of, node, storage_with
from walctl.raft.errors import RaftPanic
from walctl.raft.options import ReadOnly
from walctl.raft.progress import ProgressState
from walctl.raft.types import Change, ChangeKind, ConfChange, HardState, Message, Role, Transition

ADD, REMOVE, LEARN = ChangeKind.ADD_NODE, ChangeKind.REMOVE_NODE, ChangeKind.ADD_LEARNER_NODE


def change(
    *changes: tuple[ChangeKind, int], transition: Transition = Transition.AUTO
) -> ConfChange:
    made = tuple(Change(kind=kind, node_id=node_id) for kind, node_id in changes)
    return ConfChange(changes=made, transition=transition)


# Pre-vote (9.6).


def test_a_pre_vote_changes_neither_term_nor_vote_of_anybody() -> None:
    cluster = Cluster.of(3, pre_vote=True)
    cluster[1].raw.campaign()
    assert (cluster[1].role, cluster[1].term) == (Role.PRE_CANDIDATE, 0)
    cluster.flying += cluster[1].work()
    cluster.deliver()
    assert [(each.term, each.raw.raft.vote) for each in cluster.nodes.values()] == [(0, 0)] * 3


def test_a_node_that_was_cut_off_does_not_disturb_the_leader_when_it_comes_back() -> None:
    cluster = Cluster.of(3, pre_vote=True, check_quorum=True)
    cluster.campaign(1)
    cluster.isolate(3)
    cluster.tick(3, 5 * ELECTION)
    assert cluster[3].term == 1
    cluster.join()
    cluster.tick(3, ELECTION)
    cluster.tick(1, 2)
    assert cluster.leaders() == [1]
    assert {each.term for each in cluster.nodes.values()} == {1}


def test_without_a_pre_vote_the_one_who_comes_back_raises_the_term_of_all() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(3)
    cluster.tick(3, 5 * ELECTION)
    cluster.join()
    cluster.tick(3, ELECTION)
    assert min(each.term for each in cluster.nodes.values()) > 1


def test_a_won_pre_vote_is_followed_by_a_real_election() -> None:
    cluster = Cluster.of(3, pre_vote=True)
    cluster.campaign(2)
    assert cluster.leaders() == [2]
    assert cluster[2].term == 1


# Check-quorum and lease (6.2, 6.4.1).


def test_a_leader_that_hears_no_quorum_steps_down() -> None:
    cluster = Cluster.of(3, check_quorum=True)
    cluster.campaign(1)
    cluster.isolate(1)
    cluster.tick(1, 2 * ELECTION)
    assert cluster[1].plays(Role.FOLLOWER)


def test_a_leader_that_hears_a_quorum_leads_on() -> None:
    cluster = Cluster.of(3, check_quorum=True)
    cluster.campaign(1)
    cluster.isolate(3)
    cluster.tick(1, 5 * ELECTION)
    assert cluster.leaders() == [1]


def test_who_hears_a_leader_gives_its_vote_to_nobody_else() -> None:
    cluster = Cluster.of(3, check_quorum=True)
    cluster.campaign(1)
    cluster[2].step(Message(MessageType.VOTE, 2, 3, term=5, index=9, log_term=9))
    assert (cluster[2].term, cluster[2].work()) == (1, [])


# Leadership transfer (3.10).


def test_leadership_goes_to_whom_it_is_transferred() -> None:
    cluster = Cluster.of(3, check_quorum=True, pre_vote=True)
    cluster.campaign(1)
    cluster.propose(1, b"x")
    cluster[1].raw.transfer_leader(2)
    cluster.settle()
    assert cluster.leaders() == [2]


def test_a_transferee_that_lags_is_brought_up_to_date_first() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(3)
    for _ in range(5):
        cluster.propose(1)
    cluster.join()
    cluster[1].raw.transfer_leader(3)
    cluster.settle()
    cluster.tick(1)
    assert cluster.leaders() == [3]
    assert cluster[3].storage.last_index() == 7


def test_while_leadership_is_transferred_nothing_is_proposed_and_it_ends_in_time() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(3)
    cluster[1].raw.transfer_leader(3)
    assert not cluster.propose(1)
    cluster.tick(1, ELECTION)
    assert cluster.propose(1)


@pytest.mark.parametrize("target", [1, 4, 9])
def test_leadership_is_not_transferred_to_oneself_a_learner_or_a_stranger(target: int) -> None:
    ids = (1, 2, 3)
    cluster = Cluster(node(each, storage_with(*ids, learners=(4,))) for each in (*ids, 4))
    cluster.campaign(1)
    cluster[1].raw.transfer_leader(target)
    cluster.settle()
    assert cluster.leaders() == [1]
    assert cluster.propose(1)


# Reads (6.4).


def test_a_leader_that_has_not_committed_in_its_term_postpones_reads() -> None:
    ids = (1, 2, 3)
    cluster = Cluster(
        node(each, storage_with(*ids, entries=log_of(1, 1), state=HardState(term=1, commit=2)))
        for each in ids
    )
    cluster.deaf_to.add(MessageType.APP_RESP)
    cluster.campaign(1)
    cluster[1].raw.read_index(b"early")
    cluster.tick(1, 3)
    assert cluster[1].reads == []
    cluster.join()
    cluster.tick(1, 3)
    assert [read.index for read in cluster[1].reads] == [3]


def test_a_lease_answers_reads_without_asking_anybody() -> None:
    cluster = Cluster.of(3, check_quorum=True, read_only=ReadOnly.LEASE_BASED)
    cluster.campaign(1)
    cluster.isolate(2, 3)
    cluster[1].raw.read_index(b"ctx")
    cluster.settle()
    assert [read.context for read in cluster[1].reads] == [b"ctx"]


def test_a_deposed_leader_confirms_no_read() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(1)
    cluster.campaign(2)
    cluster.propose(2, b"newer")
    cluster[1].raw.read_index(b"stale")
    cluster.settle()
    cluster.join()
    cluster.tick(1, 2)
    assert cluster[1].reads == []


# Membership (4).


def test_a_learner_is_fed_and_does_not_count() -> None:
    ids = (1, 2, 3)
    cluster = Cluster(node(each, storage_with(*ids, learners=(4,))) for each in (*ids, 4))
    cluster.campaign(1)
    cluster.propose(1, b"x")
    assert data_of(cluster[4].applied) == [b"x"]
    cluster.isolate(2, 3)
    commit = cluster[1].commit
    cluster.propose(1, b"y")
    assert cluster[1].commit == commit
    cluster.tick(4, 5 * ELECTION)
    assert cluster[4].plays(Role.FOLLOWER)


def test_a_second_change_is_not_made_before_the_first_is_applied() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster[1].raw.propose_conf_change(change((ADD, 4)))
    cluster[1].raw.propose_conf_change(change((ADD, 5)))
    cluster.settle()
    assert cluster[2].raw.raft.tracker.config.voters == {1, 2, 3, 4}
    cluster[1].raw.propose_conf_change(change((ADD, 5)))
    cluster.settle()
    cluster.tick(1, 2)
    assert 5 in cluster[1].raw.raft.tracker.config.voters


def test_a_new_leader_changes_nothing_before_it_knows_what_older_leaders_changed() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.deaf_to.add(MessageType.APP_RESP)
    cluster[1].raw.propose_conf_change(change((ADD, 4)))
    cluster.settle()
    cluster.campaign(2)
    cluster[2].raw.propose_conf_change(change((REMOVE, 3)))
    cluster.join()
    cluster.tick(2, 3)
    assert cluster[2].raw.raft.tracker.config.voters == {1, 2, 3, 4}


def test_a_change_of_several_goes_through_a_joint_configuration_and_out_of_it() -> None:
    cluster = Cluster.begun(1, 2, 3, fresh=(4, 5))
    cluster.settle()
    cluster.campaign(1)
    leader = cluster[1]
    leader.raw.propose_conf_change(change((ADD, 4), (ADD, 5), (REMOVE, 3)))
    cluster.settle()
    cluster.tick(1, 4)
    config = leader.raw.raft.tracker.config
    assert sorted(config.incoming) == [1, 2, 4, 5]
    assert not config.is_joint


def test_in_a_joint_configuration_both_halves_have_to_agree() -> None:
    cluster = Cluster.begun(1, 2, 3, fresh=(4, 5))
    cluster.settle()
    cluster.campaign(1)
    explicit = change((ADD, 4), (ADD, 5), transition=Transition.JOINT_EXPLICIT)
    cluster[1].raw.propose_conf_change(explicit)
    cluster.settle()
    assert cluster[1].raw.raft.tracker.config.is_joint
    cluster.isolate(2, 3)
    commit = cluster[1].commit
    cluster.propose(1, b"a majority of the new, none of the old")
    assert cluster[1].commit == commit


def test_in_a_joint_configuration_a_candidate_needs_the_votes_of_both_halves() -> None:
    cluster = Cluster.begun(1, 2, 3, fresh=(4, 5))
    cluster.settle()
    cluster.campaign(1)
    explicit = change((ADD, 4), (ADD, 5), transition=Transition.JOINT_EXPLICIT)
    cluster[1].raw.propose_conf_change(explicit)
    cluster.settle()
    cluster.tick(1, 2)
    cluster.isolate(1, 3)
    cluster.campaign(2)
    # Of the new half 2, 4 and 5 vote for it, and that is a majority; of the old one 2 alone.
    assert cluster[2].plays(Role.CANDIDATE)
    cluster.join()
    cluster.campaign(2)
    assert cluster[2].plays(Role.LEADER)


def test_a_leader_that_was_removed_drops_proposals_and_leads_on_unless_told_to_step_down() -> None:
    for steps_down in (False, True):
        cluster = Cluster.of(3, step_down_on_removal=steps_down)
        cluster.campaign(1)
        cluster[1].raw.propose_conf_change(change((REMOVE, 1)))
        cluster.settle()
        assert (cluster[1].plays(Role.FOLLOWER)) is steps_down
        assert not cluster.propose(1)


def test_a_node_with_a_change_to_apply_does_not_campaign() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    here = cluster[2]
    cluster[1].raw.propose_conf_change(change((ADD, 4)))
    cluster.work()
    cluster.deliver()
    cluster.work()
    cluster.deliver()
    cluster[1].work()
    index = cluster[1].raw.raft.log.last_index()
    here.raw.raft.log.commit_to(index)
    here.raw.campaign()
    assert here.plays(Role.FOLLOWER)


def test_the_last_voter_is_not_removed() -> None:
    cluster = Cluster.of(1)
    cluster.campaign(1)
    cluster[1].raw.propose_conf_change(change((REMOVE, 1)))
    with pytest.raises(RaftPanic, match="removed all voters"):
        cluster.settle()


# Flow control (10.2.1).


def test_a_follower_is_probed_until_it_is_known_where_the_logs_meet() -> None:
    cluster = Cluster.of(2)
    cluster.campaign(1)
    progress = cluster[1].raw.raft.tracker.progress[2]
    assert str(progress.state) == ProgressState.REPLICATE.value
    cluster[1].raw.report_unreachable(2)
    assert str(progress.state) == ProgressState.PROBE.value
    cluster.isolate(2)
    cluster[1].raw.propose(b"1")
    first = [m for m in cluster[1].work() if m.type is MessageType.APP]
    cluster[1].raw.propose(b"2")
    second = [m for m in cluster[1].work() if m.type is MessageType.APP]
    assert (len(first), len(second)) == (1, 0)


def test_a_full_window_holds_appends_back_until_one_is_acknowledged() -> None:
    cluster = Cluster.of(2, inflight_count_max=3)
    cluster.campaign(1)
    cluster.isolate(2)
    leader = cluster[1]
    for count in range(6):
        leader.raw.propose(b"%d" % count)
    sent = [m for m in leader.work() if m.type is MessageType.APP]
    assert len(sent) == 3
    cluster.join()
    cluster.flying += sent
    cluster.settle()
    assert data_of(cluster[2].applied) == [b"%d" % count for count in range(6)]


def test_a_leader_takes_no_more_than_it_may_have_uncommitted() -> None:
    cluster = Cluster.of(3, uncommitted_bytes_max=10)
    cluster.campaign(1)
    cluster.isolate(1)
    assert cluster.propose(1, b"12345")
    assert cluster.propose(1, b"12345")
    assert not cluster.propose(1, b"1")
    cluster.join()
    cluster.tick(1, 2)
    assert cluster.propose(1, b"1")
