"""Each rule of the Raft paper (figure 2, sections 5 to 8), as a sentence that the core keeps."""

from collections.abc import Sequence
from typing import Any

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import (
    ELECTION,
    Cluster,
    Node,
    data_of,
    log_of,
    node,
    options,
    storage_with,
)
from walctl.raft.errors import RaftPanic
from walctl.raft.rawnode import RawNode
from walctl.raft.types import Entry, HardState, Message, Role, Snapshot

VOTE, VOTE_RESP = MessageType.VOTE, MessageType.VOTE_RESP
APP, APP_RESP = MessageType.APP, MessageType.APP_RESP
HEARTBEAT = MessageType.HEARTBEAT


def one(number: int = 1, *voters: int, entries: Sequence[Entry] = (), **wishes: Any) -> Node:
    storage = storage_with(*(voters or (1, 2, 3)), entries=entries)
    return node(number, storage, **wishes)


def ask(term: int, source: int = 2, *, index: int = 0, log_term: int = 0) -> Message:
    return Message(VOTE, 1, source, term, log_term, index)


def sent(each: Node, kind: MessageType) -> list[Message]:
    return [message for message in each.work() if message.type is kind]


# Section 5.1: terms.


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CANDIDATE, Role.LEADER])
def test_a_higher_term_makes_a_follower_of_every_role(role: Role) -> None:
    cluster = Cluster.of(3)
    if role is Role.CANDIDATE:
        cluster.isolate(1)
    if role is not Role.FOLLOWER:
        cluster.campaign(1)
    here = cluster[1]
    assert here.plays(role)
    here.step(Message(APP, 1, 2, term=here.term + 1))
    assert (here.role, here.raw.raft.lead) == (Role.FOLLOWER, 2)


def test_a_request_of_a_lower_term_is_not_heard() -> None:
    here = one()
    here.step(Message(HEARTBEAT, 1, 2, term=5))
    here.work()
    here.step(ask(4, source=3, index=9, log_term=9))
    assert sent(here, VOTE_RESP) == []
    assert here.term == 5


def test_an_append_of_a_leader_of_the_past_changes_nothing() -> None:
    here = one()
    here.step(Message(HEARTBEAT, 1, 2, term=5))
    here.work()
    old = Message(APP, 1, 3, term=4, entries=(Entry(4, 1, None, b"old"),), commit=1)
    here.step(old)
    here.work()
    assert (here.storage.last_index(), here.raw.raft.lead) == (0, 2)


# Section 5.2: elections.


def test_a_node_starts_as_follower() -> None:
    assert one().role is Role.FOLLOWER


def test_a_leader_sends_heartbeats_to_all_others_every_interval() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster[1].raw.tick()
    beats = sent(cluster[1], HEARTBEAT)
    assert [(beat.source, beat.target, beat.term) for beat in beats] == [(1, 2, 1), (1, 3, 1)]


def test_a_follower_that_hears_nothing_campaigns_after_its_timeout() -> None:
    here = one(draw=lambda n: 4)
    for _ in range(ELECTION + 3):
        here.raw.tick()
    assert here.plays(Role.FOLLOWER)
    here.raw.tick()
    assert here.plays(Role.CANDIDATE)
    requests = sent(here, VOTE)
    assert [(each.target, each.term) for each in requests] == [(2, 1), (3, 1)]


def test_a_candidate_votes_for_itself_in_a_new_term() -> None:
    here = one()
    here.raw.campaign()
    assert (here.term, here.raw.raft.vote) == (1, 1)


def test_an_own_vote_counts_only_once_it_is_durable() -> None:
    here = one(1, 1)
    here.raw.campaign()
    assert here.plays(Role.CANDIDATE)
    ready = here.raw.ready()
    assert ready.hard_state == HardState(term=1, vote=1)
    assert ready.must_sync
    here.store(ready)
    assert here.plays(Role.CANDIDATE)
    here.raw.advance()
    assert here.plays(Role.LEADER)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_a_candidate_leads_once_a_majority_has_voted_for_it_and_not_before(count: int) -> None:
    voters = tuple(range(1, count + 1))
    here = one(1, *voters)
    here.raw.campaign()
    here.work()
    for got, other in enumerate(voters[1:], start=2):
        is_majority = got > count // 2
        here.step(Message(VOTE_RESP, 1, other, term=1))
        assert (here.plays(Role.LEADER)) == is_majority
        if is_majority:
            return
    assert here.plays(Role.LEADER)


def test_a_candidate_that_a_majority_refuses_follows_again() -> None:
    here = one()
    here.raw.campaign()
    here.work()
    here.step(Message(VOTE_RESP, 1, 2, term=1, reject=True))
    assert here.plays(Role.CANDIDATE)
    here.step(Message(VOTE_RESP, 1, 3, term=1, reject=True))
    assert (here.role, here.term) == (Role.FOLLOWER, 1)


def test_a_node_votes_once_in_a_term_first_come_first_served() -> None:
    here = one()
    here.step(ask(1, source=2))
    here.step(ask(1, source=3))
    here.step(ask(1, source=2))
    answers = [(each.target, each.reject) for each in sent(here, VOTE_RESP)]
    assert answers == [(2, False), (3, True), (2, False)]


def test_a_vote_is_remembered_over_a_restart() -> None:
    here = one()
    here.step(ask(1, source=2))
    here.work()
    again = node(1, here.storage)
    again.step(ask(1, source=3))
    assert [each.reject for each in sent(again, VOTE_RESP)] == [True]


def test_a_candidate_that_hears_the_leader_of_its_term_follows_it() -> None:
    here = one()
    here.raw.campaign()
    here.work()
    here.step(Message(APP, 1, 3, term=1))
    assert (here.role, here.raw.raft.lead) == (Role.FOLLOWER, 3)


def test_a_candidate_whose_election_is_split_campaigns_again_in_a_new_term() -> None:
    here = one()
    here.raw.campaign()
    here.work()
    for _ in range(ELECTION):
        here.raw.tick()
    assert (here.role, here.term) == (Role.CANDIDATE, 2)


def test_timeouts_are_drawn_from_one_to_two_election_intervals() -> None:
    drawn: list[int] = []

    def draw(n: int) -> int:
        drawn.append(n)
        return n - 1

    here = one(draw=draw)
    assert set(drawn) == {ELECTION}
    assert here.raw.raft.election_timeout == 2 * ELECTION - 1


# Section 5.3: replication.


def test_a_leader_appends_what_clients_propose_and_sends_it_to_all() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster[1].raw.propose(b"x")
    appends = sent(cluster[1], APP)
    assert [(each.target, data_of(each.entries)) for each in appends] == [(2, [b"x"]), (3, [b"x"])]
    assert all((each.index, each.log_term) == (1, 1) for each in appends)


def test_an_entry_is_committed_once_a_majority_holds_it() -> None:
    cluster = Cluster.of(5)
    cluster.campaign(1)
    cluster.isolate(4, 5)
    cluster.propose(1, b"three hold it")
    assert cluster[1].commit == 2
    cluster.isolate(3)
    cluster.propose(1, b"two hold it")
    assert cluster[1].commit == 2


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7])
def test_half_of_the_nodes_are_no_majority(count: int) -> None:
    cluster = Cluster.of(count)
    cluster.campaign(1)
    commit = cluster[1].commit
    others = list(range(2, count + 1))
    cluster.isolate(*others[(count + 1) // 2 - 1 :])
    cluster.propose(1, b"half hold it, or fewer")
    assert (cluster[1].commit > commit) is (len(others[: (count + 1) // 2 - 1]) + 1 > count // 2)


def test_followers_learn_the_commit_index_and_apply_in_order() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    for data in (b"a", b"b", b"c"):
        cluster.propose(1, data)
    for each in cluster.nodes.values():
        assert data_of(each.applied) == [b"a", b"b", b"c"]
        assert [entry.index for entry in each.applied] == [1, 2, 3, 4]


def test_committing_an_entry_commits_all_before_it_also_of_earlier_leaders() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(1)
    cluster[1].raw.propose(b"lost")
    cluster.work()
    cluster.join()
    cluster.flying.clear()
    cluster.campaign(2)
    assert cluster[2].commit == cluster[2].raw.raft.log.last_index()
    assert b"lost" not in data_of(cluster[1].applied)


@pytest.mark.parametrize(
    ("before", "is_taken"),
    [((0, 0), True), ((1, 1), True), ((2, 2), True), ((1, 2), False), ((3, 3), False)],
)
def test_a_follower_takes_entries_only_behind_one_that_it_has(
    before: tuple[int, int], is_taken: bool
) -> None:
    here = one(1, entries=log_of(1, 2))
    term, index = before
    here.step(Message(APP, 1, 2, term=3, log_term=term, index=index))
    (answer,) = sent(here, APP_RESP)
    assert answer.reject is not is_taken


@pytest.mark.parametrize(
    ("terms", "index", "more", "expected"),
    [
        ((1, 2), 2, (3,), (1, 2, 3)),
        ((1, 2), 1, (3, 4), (1, 3, 4)),
        ((1, 2), 0, (1,), (1, 2)),  # an old append takes nothing back
        ((1, 2), 0, (3,), (3,)),
        ((1, 1, 1), 1, (2,), (1, 2)),
    ],
)
def test_a_conflict_takes_away_the_entry_and_all_behind_it_and_nothing_else_does(
    terms: tuple[int, ...], index: int, more: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    here = one(1, entries=log_of(*terms))
    entries = tuple(
        Entry(term, index + count, None, b"new") for count, term in enumerate(more, start=1)
    )
    log_term = terms[index - 1] if index else 0
    here.step(Message(APP, 1, 2, term=9, log_term=log_term, index=index, entries=entries))
    here.work()
    last = here.storage.last_index()
    found = here.storage.entries(1, last + 1, 1 << 60)
    assert tuple(entry.term for entry in found) == expected


def test_a_leader_never_overwrites_its_own_entries() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.propose(1, b"a")
    raft = cluster[1].raw.raft
    before = list(raft.log.slice(1, raft.log.last_index() + 1, 1 << 60))
    for message in (
        Message(APP, 1, 2, term=raft.term, entries=(Entry(raft.term, 1, None, b"other"),)),
        Message(HEARTBEAT, 1, 2, term=raft.term, commit=1),
    ):
        cluster[1].step(message)
    assert list(raft.log.slice(1, raft.log.last_index() + 1, 1 << 60)) == before


FIGURE_7 = {
    "a": (1, 1, 1, 4, 4, 5, 5, 6, 6),
    "b": (1, 1, 1, 4),
    "c": (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),
    "d": (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),
    "e": (1, 1, 1, 4, 4, 4, 4),
    "f": (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
}


@pytest.mark.parametrize("name", FIGURE_7)
def test_a_leader_brings_every_log_of_figure_7_in_line_with_its_own(name: str) -> None:
    leader_terms = (1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
    ids = (1, 2, 3)
    cluster = Cluster(
        [
            node(1, storage_with(*ids, entries=log_of(*leader_terms), state=HardState(term=7))),
            node(2, storage_with(*ids, entries=log_of(*FIGURE_7[name]), state=HardState(term=7))),
            node(3, storage_with(*ids, entries=log_of(*leader_terms), state=HardState(term=7))),
        ]
    )
    cluster.campaign(1)
    assert cluster.leaders() == [1]
    last = cluster[1].storage.last_index()
    mine = cluster[1].storage.entries(1, last + 1, 1 << 60)
    assert list(cluster[2].storage.entries(1, last + 1, 1 << 60)) == list(mine)
    assert cluster[2].storage.last_index() == last


def test_a_rejected_probe_skips_a_whole_term_at_a_time() -> None:
    ids = (1, 2, 3)
    leader_terms = (1,) + (5,) * 50
    follower_terms = (1,) + (2,) * 80
    cluster = Cluster(
        [
            node(1, storage_with(*ids, entries=log_of(*leader_terms), state=HardState(term=5))),
            node(2, storage_with(*ids, entries=log_of(*follower_terms), state=HardState(term=5))),
            node(3, storage_with(*ids, entries=log_of(*leader_terms), state=HardState(term=5))),
        ]
    )
    cluster.campaign(1)
    assert cluster[2].storage.last_index() == cluster[1].storage.last_index()
    assert cluster[2].readies < 10


# Section 5.4: safety.


@pytest.mark.parametrize(
    ("own", "index", "log_term", "is_granted"),
    [
        ((1,), 1, 1, True),
        ((1,), 2, 1, True),
        ((1, 1), 1, 1, False),
        ((1, 1), 1, 2, True),
        ((2,), 5, 1, False),
        ((1, 2), 1, 1, False),
    ],
)
def test_a_vote_is_given_only_to_a_log_that_is_as_up_to_date(
    own: tuple[int, ...], index: int, log_term: int, is_granted: bool
) -> None:
    here = one(1, entries=log_of(*own))
    here.step(ask(3, index=index, log_term=log_term))
    assert [each.reject for each in sent(here, VOTE_RESP)] == [not is_granted]


def test_an_entry_of_an_older_term_is_not_committed_by_counting() -> None:
    """Figure 8: only an entry of the leader's own term is, and that takes the older ones along."""
    ids = (1, 2, 3)
    cluster = Cluster(
        node(each, storage_with(*ids, entries=log_of(1, 2), state=HardState(term=2)))
        for each in ids
    )
    cluster[1].raw.campaign()
    cluster.flying += cluster[1].work()
    cluster.deliver()
    cluster.work()
    cluster.deliver()
    cluster[1].work()
    assert cluster[1].plays(Role.LEADER)
    here = cluster[1]
    here.step(Message(APP_RESP, 1, 2, term=here.term, index=2))
    assert here.commit == 0
    here.step(Message(APP_RESP, 1, 2, term=here.term, index=3))
    assert here.commit == 3


def test_a_new_leader_appends_an_empty_entry_of_its_term() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    (entry,) = cluster[1].storage.entries(1, 2, 1 << 60)
    assert (entry.term, entry.data) == (1, None)


def test_a_state_beyond_the_log_is_not_started_on() -> None:
    storage = storage_with(1, entries=log_of(1), state=HardState(term=1, commit=2))
    with pytest.raises(RaftPanic, match=r"state.commit 2 is out of range \[0, 1\]"):
        RawNode(options(1, storage), lambda n: 0)


def test_a_commit_beyond_the_log_stops_a_follower() -> None:
    here = one(1, entries=log_of(1))
    with pytest.raises(RaftPanic, match=r"tocommit\(5\) is out of range \[lastIndex\(1\)\]"):
        here.raw.step(Message(HEARTBEAT, 1, 2, term=1, commit=5))


# Section 7: snapshots.


def test_a_node_that_lags_behind_the_log_is_given_a_snapshot_and_goes_on_from_it() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(3)
    for count in range(5):
        cluster.propose(1, b"%d" % count)
    leader = cluster[1]
    conf = leader.raw.raft.tracker.config.conf_state
    leader.storage.create_snapshot(leader.commit, conf, b"state")
    leader.storage.compact(leader.commit)
    cluster.join()
    cluster.tick(1, 3)
    behind = cluster[3]
    assert behind.storage.snapshot().data == b"state"
    cluster.propose(1, b"after")
    assert data_of(behind.applied)[-1] == b"after"


def test_a_snapshot_that_the_log_covers_changes_nothing_but_the_commit() -> None:
    here = one(1, entries=log_of(1, 1, 1))
    conf = here.raw.raft.tracker.config.conf_state
    snapshot = Snapshot(index=2, term=1, conf_state=conf)
    here.step(Message(MessageType.SNAP, 1, 2, term=1, snapshot=snapshot))
    here.work()
    assert here.commit == 2
    assert here.storage.last_index() == 3


# Section 8: clients.


def test_a_follower_passes_proposals_on_and_without_a_leader_drops_them() -> None:
    cluster = Cluster.of(3)
    assert not cluster.propose(2)
    cluster.campaign(1)
    assert cluster.propose(2, b"by way of a follower")
    assert data_of(cluster[3].applied) == [b"by way of a follower"]


def test_a_read_waits_until_a_quorum_has_confirmed_the_leader() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(2, 3)
    cluster[1].raw.read_index(b"ctx")
    cluster.settle()
    assert cluster[1].reads == []
    cluster.join()
    cluster.tick(1)
    assert [(read.index, read.context) for read in cluster[1].reads] == [(1, b"ctx")]


def test_a_read_at_a_follower_is_answered_by_the_leader() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster[2].raw.read_index(b"ctx")
    cluster.settle()
    assert [(read.index, read.context) for read in cluster[2].reads] == [(1, b"ctx")]


def test_the_type_of_an_ordinary_proposal_is_absent() -> None:
    cluster = Cluster.of(1)
    cluster.campaign(1)
    cluster.propose(1, b"x")
    assert cluster[1].applied[-1].type is None
