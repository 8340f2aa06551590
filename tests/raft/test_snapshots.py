"""Who is sent a snapshot, and who takes one (Raft paper, section 7)."""

from typing import Any

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import (
    ELECTION,
    Node,
    elected,
    leading,
    log_of,
    node,
    progress_of,
    sent,
    state_of,
    storage_with,
    streaming,
    write,
)
from walctl.raft.errors import SnapshotTemporarilyUnavailableError
from walctl.raft.progress import ProgressState
from walctl.raft.rawnode import SnapshotStatus
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import ConfState, Entry, HardState, Message, Role, Snapshot

APP, APP_RESP, SNAP = MessageType.APP, MessageType.APP_RESP, MessageType.SNAP
HEARTBEAT, HEARTBEAT_RESP = MessageType.HEARTBEAT, MessageType.HEARTBEAT_RESP
THREE = ConfState(voters=(1, 2, 3))


def compacted(*, snapshot: int = 5, first: int = 6, last: int = 8) -> MemoryStorage:
    """A log of term 1 that begins at `first`, with a snapshot that may be newer."""
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=THREE))
    storage.append(log_of(*[1] * last))
    storage.create_snapshot(snapshot, THREE, b"state")
    storage.compact(first - 1)
    storage.set_hard_state(HardState(term=1, commit=last))
    return storage


# Who is sent a snapshot (7).


def lagging(**wishes: Any) -> Node:
    """Node 1, which leads, and gives a snapshot to node 2."""
    here = leading(compacted(snapshot=7), **wishes)
    here.step(Message(APP_RESP, 1, 2, 2, index=8, reject=True, reject_hint=0))
    return here


def test_who_needs_entries_that_are_gone_is_sent_the_snapshot_and_nothing_else() -> None:
    here = lagging()
    (snap,) = sent(here, SNAP)
    assert snap.snapshot is not None
    assert (snap.snapshot.index, snap.index, snap.commit) == (7, 0, 0)
    progress = progress_of(here)
    told = (progress.state, progress.next, progress.pending_snapshot, progress.sent_commit)
    assert told == (ProgressState.SNAPSHOT, 8, 7, 7)
    here.raw.propose(b"x")
    here.step(Message(HEARTBEAT_RESP, 1, 2, 2))
    assert sent(here, APP) == []
    here.raw.tick()
    assert [each.commit for each in sent(here, HEARTBEAT)] == [0]


def test_who_is_not_heard_of_is_sent_no_snapshot() -> None:
    here = elected(node(1, compacted()))
    here.raw.raft.tracker.progress[2].next = 2
    here.raw.raft.tracker.progress[2].is_flow_paused = False
    here.raw.propose(b"x")
    assert sent(here, SNAP) == []
    here.step(Message(HEARTBEAT_RESP, 1, 2, 2))
    assert len(sent(here, SNAP)) == 1


def test_a_snapshot_that_is_not_there_yet_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = compacted()
    here = leading(storage)

    def none() -> Snapshot:
        raise SnapshotTemporarilyUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(storage, "snapshot", none)
        here.step(Message(APP_RESP, 1, 2, 2, index=8, reject=True, reject_hint=0))
        assert (here.work(), state_of(here)) == ([], ProgressState.PROBE)
    here.step(Message(HEARTBEAT_RESP, 1, 2, 2))
    assert len(sent(here, SNAP)) == 1


@pytest.mark.parametrize(
    ("status", "next_index"), [(SnapshotStatus.FINISH, 8), (SnapshotStatus.FAILURE, 1)]
)
def test_after_a_report_of_a_snapshot_a_sign_of_life_is_waited_for(
    status: SnapshotStatus, next_index: int
) -> None:
    here = lagging()
    here.work()
    here.raw.report_snapshot(2, status)
    progress = progress_of(here)
    assert (progress.state, progress.next) == (ProgressState.PROBE, next_index)
    assert progress.pending_snapshot == 0
    here.raw.propose(b"x")
    assert sent(here, APP) == []
    here.step(Message(HEARTBEAT_RESP, 1, 2, 2))
    wanted = APP if status is SnapshotStatus.FINISH else SNAP
    assert len(sent(here, wanted)) == 1


@pytest.mark.parametrize(("index", "is_over"), [(4, False), (5, True), (7, True), (8, True)])
def test_a_node_is_fed_again_as_soon_as_the_log_reaches_back_to_what_it_has(
    index: int, is_over: bool
) -> None:
    here = lagging()
    here.work()
    here.step(Message(APP_RESP, 1, 2, 2, index=index))
    assert (state_of(here) is ProgressState.REPLICATE) is is_over
    assert progress_of(here).match == index
    if is_over:
        first, *_ = sent(here, APP)
        assert (first.index, len(first.entries)) == (index, 9 - index)


def test_a_report_about_somebody_who_is_given_no_snapshot_is_none() -> None:
    here = streaming()
    here.raw.report_snapshot(2, SnapshotStatus.FAILURE)
    here.raw.report_snapshot(9, SnapshotStatus.FAILURE)
    assert state_of(here) is ProgressState.REPLICATE


# Who takes one (7).


def offer(here: Node, snapshot: Snapshot) -> list[Message]:
    """Let node 2, the leader, send a snapshot; the answers."""
    here.step(Message(SNAP, here.id, 2, here.term, snapshot=snapshot))
    return here.work()


def test_a_snapshot_takes_the_place_of_log_and_membership_and_not_of_term_and_vote() -> None:
    here = node(1, storage_with(1, 2, entries=log_of(1, 1), state=HardState(term=3, vote=2)))
    conf = ConfState(voters=(2, 3), learners=(1,))
    (answer,) = offer(here, Snapshot(index=9, term=2, conf_state=conf))
    assert (answer.type, answer.index, answer.reject) == (APP_RESP, 9, False)
    raft = here.raw.raft
    assert (raft.log.first_index(), raft.log.last_index(), raft.log.applied) == (10, 9, 9)
    assert (raft.term, raft.vote, raft.is_learner) == (3, 2, True)
    assert sorted(raft.tracker.progress) == [1, 2, 3]
    here.step(Message(APP, 1, 2, 3, log_term=2, index=9, entries=(Entry(3, 10),)))
    assert [each.reject for each in here.work()] == [False], "the logs meet at the snapshot"


@pytest.mark.parametrize("index", [1, 2])
def test_a_snapshot_of_what_is_committed_already_is_not_taken(index: int) -> None:
    here = node(1, storage_with(1, 2, entries=log_of(1, 1), state=HardState(term=1, commit=2)))
    (answer,) = offer(here, Snapshot(index=index, term=1, conf_state=THREE))
    assert (answer.index, here.storage.last_index()) == (2, 2)


def test_a_snapshot_without_oneself_in_its_membership_is_not_taken() -> None:
    here = node(1, storage_with(1, 2))
    (answer,) = offer(here, Snapshot(index=9, term=1, conf_state=ConfState(voters=(2, 3))))
    assert (answer.index, here.storage.last_index()) == (0, 0)
    joint = ConfState(voters=(2, 3), voters_outgoing=(1, 2))
    (answer,) = offer(here, Snapshot(index=9, term=1, conf_state=joint))
    assert answer.index == 9


def test_a_snapshot_of_a_leader_of_the_past_is_not_taken() -> None:
    here = node(1, storage_with(1, 2, state=HardState(term=5)))
    here.step(Message(SNAP, 1, 2, 4, snapshot=Snapshot(index=9, term=1, conf_state=THREE)))
    assert (here.work(), here.storage.last_index()) == ([], 0)


def test_until_a_snapshot_is_on_the_disk_nothing_is_applied_and_nobody_campaigns() -> None:
    here = node(1, storage_with(1, 2, 3), is_async=True)
    here.step(Message(SNAP, 1, 2, 1, snapshot=Snapshot(index=9, term=1, conf_state=THREE)))
    entries = (Entry(1, 10), Entry(1, 11))
    here.step(Message(APP, 1, 2, 1, log_term=1, index=9, entries=entries, commit=11))
    raft = here.raw.raft
    (work,) = [each for each in here.raw.ready().messages if each.responses]
    for _ in range(2 * ELECTION):
        here.raw.tick()
    here.step(Message(MessageType.TIMEOUT_NOW, 1, 2, 1))
    assert (here.role, raft.log.applied, here.raw.ready().committed_entries) == (
        Role.FOLLOWER,
        0,
        (),
    )
    write(here, work)
    here.step(work.responses[-1])
    assert raft.log.applied == 9
    assert [entry.index for entry in here.raw.ready().committed_entries] == [10, 11]
