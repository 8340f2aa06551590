"""Starts, restarts, and what is on the disk before anything is said (thesis, 3.8, 10.2.1)."""

import pytest

from formats.raftpb import EntryType, MessageType
from tests.raft.harness import (
    Cluster,
    data_of,
    log_of,
    node,
    storage_with,
    write,
)
from walctl.raft.errors import (
    RaftError,
)
from walctl.raft.rawnode import Peer, RawNode
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import ConfState, Entry, HardState, Message, Snapshot

APP, APP_RESP, SNAP = MessageType.APP, MessageType.APP_RESP, MessageType.SNAP
HEARTBEAT = MessageType.HEARTBEAT
THREE = ConfState(voters=(1, 2, 3))


# A start, and another one.


def test_a_restart_applies_what_is_committed_behind_what_was_applied() -> None:
    for applied, expected in ((0, [1, 2, 3]), (2, [3]), (3, [])):
        storage = storage_with(1, 2, entries=log_of(1, 1, 1), state=HardState(term=1, commit=3))
        here = node(1, storage, applied=applied)
        assert here.work() == []
        assert [entry.index for entry in here.applied] == expected


def test_a_restart_hands_out_nothing_that_is_known_already() -> None:
    storage = storage_with(1, 2, entries=log_of(1), state=HardState(term=4, vote=2))
    raw: RawNode = node(1, storage).raw
    assert not raw.has_ready()
    ready = raw.ready()
    assert (ready.hard_state, ready.soft_state, ready.must_sync) == (None, None, False)


def test_a_new_cluster_begins_with_its_members_as_committed_changes() -> None:
    here = node(1, MemoryStorage())
    here.raw.bootstrap([Peer(id=1, context=b"one"), Peer(id=2)])
    assert sorted(here.raw.raft.tracker.config.voters) == [1, 2]
    ready = here.raw.ready()
    assert (ready.hard_state, ready.must_sync) == (HardState(term=1, commit=2), True)
    told = [(entry.term, entry.index, entry.type) for entry in ready.committed_entries]
    assert told == [(1, 1, EntryType.CONF_CHANGE), (1, 2, EntryType.CONF_CHANGE)]
    assert ready.entries == ready.committed_entries


def test_a_cluster_is_not_begun_without_members_or_over_a_log() -> None:
    with pytest.raises(RaftError, match="must provide at least one peer to Bootstrap"):
        node(1, MemoryStorage()).raw.bootstrap([])
    with pytest.raises(RaftError, match="can't bootstrap a nonempty Storage"):
        node(1, storage_with(1, entries=log_of(1))).raw.bootstrap([Peer(id=1)])


# Asynchronous writes.


def test_an_answer_of_the_disk_from_an_older_term_makes_no_entry_durable() -> None:
    """The entry may have been replaced, and written again with its old term, in between."""
    here = node(1, storage_with(1, 2, 3), is_async=True)
    here.step(Message(APP, 1, 2, 1, entries=(Entry(1, 1, None, b"x"),)))
    (first,) = here.raw.ready().messages
    here.step(Message(HEARTBEAT, 1, 3, 2))
    log = here.raw.raft.log
    here.step(first.responses[-1])
    assert log.unstable.offset == 1
    *_, second = here.raw.ready().messages
    answer = second.responses[-1]
    assert (answer.term, answer.index, answer.log_term) == (2, 1, 1)
    assert (second.entries, second.term) == ((), 2)
    here.step(answer)
    assert log.unstable.offset == 2


def test_a_snapshot_is_on_the_disk_whatever_the_term_of_the_answer() -> None:
    here = node(1, storage_with(1, 2, 3), is_async=True)
    here.step(Message(SNAP, 1, 2, 1, snapshot=Snapshot(index=9, term=1, conf_state=THREE)))
    (work,) = here.raw.ready().messages
    here.step(Message(HEARTBEAT, 1, 3, 2))
    here.step(work.responses[-1])
    assert (here.raw.raft.log.unstable.snapshot, here.raw.raft.log.applied) == (None, 9)


def test_what_is_committed_is_applied_only_once_it_is_durable() -> None:
    here = node(1, storage_with(1, 2, 3), is_async=True)
    here.step(Message(APP, 1, 2, 1, entries=(Entry(1, 1), Entry(1, 2)), commit=2))
    ready = here.raw.ready()
    assert ready.committed_entries == ()
    write(here, ready.messages[-1])
    here.step(ready.messages[-1].responses[-1])
    assert [entry.index for entry in here.raw.ready().committed_entries] == [1, 2]


def test_in_the_ordinary_mode_one_ready_may_hold_the_same_entry_twice() -> None:
    here = node(1, storage_with(1, 2, 3))
    here.step(Message(APP, 1, 2, 1, entries=(Entry(1, 1),), commit=1))
    ready = here.raw.ready()
    assert ready.entries == ready.committed_entries == (Entry(1, 1),)


def test_the_disk_is_told_all_that_may_be_said_once_it_has_written() -> None:
    here = node(1, storage_with(1), is_async=True)
    here.raw.campaign()
    *_, work = here.raw.ready().messages
    kinds = [(each.type, each.source, each.target) for each in work.responses]
    assert kinds == [(MessageType.VOTE_RESP, 1, 1)]
    assert (work.term, work.vote, work.commit) == (1, 1, 0)
    here.step(work.responses[0])
    *_, work = here.raw.ready().messages
    # The own acknowledgement before the answer, so that the term is still found in memory.
    own, answer = [each.type for each in work.responses]
    assert (own, answer) == (APP_RESP, MessageType.STORAGE_APPEND_RESP)
    assert (work.term, work.vote, work.commit) == (0, 0, 0)


def test_a_commit_alone_need_not_be_synced_and_entries_terms_and_votes_must_be() -> None:
    here = node(1, storage_with(1, 2, 3))
    told = []
    for message in (
        Message(HEARTBEAT, 1, 2, 1),
        Message(APP, 1, 2, 1, entries=(Entry(1, 1),)),
        Message(HEARTBEAT, 1, 2, 1, commit=1),
        Message(SNAP, 1, 2, 1, snapshot=Snapshot(index=9, term=1, conf_state=THREE)),
        Message(MessageType.VOTE, 1, 3, 2, log_term=9, index=9),
    ):
        here.step(message)
        ready = here.raw.ready()
        here.store(ready)
        here.raw.advance()
        told.append(ready.must_sync)
    assert told == [True, True, False, False, True]


def test_nothing_of_a_follower_s_log_is_lost_when_all_of_a_cluster_restarts() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.propose(1, b"x")
    again = Cluster(node(each.id, each.storage) for each in cluster.nodes.values())
    again.campaign(2)
    assert {tuple(data_of(each.applied)) for each in again.nodes.values()} == {(b"x",)}
