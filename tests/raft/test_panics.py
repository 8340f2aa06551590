"""What breaks an invariant stops the node: it panics, and nothing of the core takes that up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from formats.raftpb import EntryType, MessageType
from tests.raft.harness import Cluster, elected, log_of, node, options, storage_with
from walctl.errors import AccessError
from walctl.raft.errors import ProposalDroppedError, RaftPanic, StorageError
from walctl.raft.log import Log
from walctl.raft.options import ReadOnly
from walctl.raft.rawnode import RawNode
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import (
    APPEND_THREAD,
    APPLY_THREAD,
    NOBODY,
    UNLIMITED,
    Change,
    ChangeKind,
    ConfChange,
    ConfState,
    Entry,
    EntryID,
    HardState,
    Message,
    Snapshot,
)

APP, APP_RESP, SNAP = MessageType.APP, MessageType.APP_RESP, MessageType.SNAP


class BrokenStorage(MemoryStorage):
    """A storage of which one call fails once it is told so."""

    broken = ""
    error: Exception = AccessError("the disk is gone")

    def _may_fail(self, call: str) -> None:
        if self.broken == call:
            raise self.error

    def initial_state(self) -> tuple[HardState, ConfState]:
        self._may_fail("initial_state")
        return super().initial_state()

    def entries(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        self._may_fail("entries")
        return super().entries(low, high, bytes_max)

    def term(self, index: int) -> int:
        self._may_fail("term")
        return super().term(index)

    def snapshot(self) -> Snapshot:
        self._may_fail("snapshot")
        return super().snapshot()


def broken_storage(*voters: int) -> BrokenStorage:
    """One that has five entries and still works."""
    storage = BrokenStorage()
    storage.apply_snapshot(Snapshot(index=2, term=1, conf_state=ConfState(voters=voters)))
    storage.append(log_of(1, 1, 1, 1, 1))
    storage.set_hard_state(HardState(term=1, commit=5))
    return storage


# Options.


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"id": NOBODY, "heartbeat_ticks": 0}, "cannot use none as id"),
        ({"id": APPEND_THREAD, "heartbeat_ticks": 0}, "cannot use local target as id"),
        ({"id": APPLY_THREAD}, "cannot use local target as id"),
        ({"heartbeat_ticks": 0, "election_ticks": 0}, "heartbeat tick must be greater than 0"),
        (
            {"heartbeat_ticks": 2, "election_ticks": 2, "storage": None},
            "election tick must be greater than heartbeat tick",
        ),
        ({"storage": None, "inflight_count_max": 0}, "storage cannot be nil"),
        (
            {"inflight_count_max": 0, "inflight_bytes_max": 1},
            "max inflight messages must be greater than 0",
        ),
        (
            {
                "message_bytes_max": 9,
                "inflight_bytes_max": 8,
                "read_only": ReadOnly.LEASE_BASED,
            },
            "max inflight bytes must be >= max message size",
        ),
        (
            {"read_only": ReadOnly.LEASE_BASED},
            "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased",
        ),
    ],
)
def test_of_options_that_make_no_sense_the_first_is_told(
    wishes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RaftPanic, match=f"^{reason}$"):
        RawNode(replace(options(1, storage_with(1)), **wishes), lambda n: 0)


# What is started on.


@pytest.mark.parametrize(
    "conf",
    [
        ConfState(voters=(1, 1)),
        ConfState(voters=(1, 2), learners=(2,)),
        ConfState(voters=(1,), auto_leave=True),
        ConfState(learners=(1,)),
    ],
)
def test_a_membership_that_cannot_be_is_not_started_on(conf: ConfState) -> None:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=conf))
    with pytest.raises(RaftPanic):
        RawNode(options(1, storage), lambda n: 0)


def test_a_snapshot_of_a_membership_that_cannot_be_is_not_taken() -> None:
    here = node(1, storage_with(1, 2))
    conf = ConfState(voters=(1, 2), learners=(2,))
    with pytest.raises(RaftPanic):
        here.step(Message(SNAP, 1, 2, 1, snapshot=Snapshot(index=5, term=1, conf_state=conf)))


@pytest.mark.parametrize("commit", [1, 8])
def test_a_commit_outside_of_the_log_is_not_started_on(commit: int) -> None:
    storage = broken_storage(1)
    storage.set_hard_state(HardState(term=1, commit=commit))
    with pytest.raises(RaftPanic, match=rf"state.commit {commit} is out of range \[2, 5\]"):
        RawNode(options(1, storage), lambda n: 0)


@pytest.mark.parametrize("applied", [1, 6])
def test_an_applied_index_below_the_log_or_above_the_commit_is_not_started_on(
    applied: int,
) -> None:
    with pytest.raises(RaftPanic, match=rf"applied\({applied}\) is out of range"):
        RawNode(options(1, broken_storage(1), applied=applied), lambda n: 0)


# The storage.


FAILURES = [AccessError("the disk is gone"), StorageError("the disk is gone")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_storage_that_cannot_say_where_to_start_stops_the_node(error: Exception) -> None:
    storage = broken_storage(1)
    storage.broken, storage.error = "initial_state", error
    with pytest.raises(RaftPanic, match="the disk is gone"):
        RawNode(options(1, storage), lambda n: 0)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("broken", ["entries", "term"])
def test_a_log_that_cannot_be_read_stops_the_node(error: Exception, broken: str) -> None:
    storage = broken_storage(1, 2, 3)
    here = elected(node(1, storage))
    storage.broken, storage.error = broken, error
    with pytest.raises(RaftPanic, match="the disk is gone"):
        here.step(Message(APP_RESP, 1, 2, here.term, reject=True, index=5, reject_hint=3))


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_snapshot_that_cannot_be_read_stops_the_node(error: Exception) -> None:
    storage = broken_storage(1, 2, 3)
    here = elected(node(1, storage))
    storage.broken, storage.error = "snapshot", error
    with pytest.raises(RaftPanic, match="the disk is gone"):
        here.step(Message(APP_RESP, 1, 2, here.term, reject=True, index=5, reject_hint=1))


def test_entries_that_the_storage_should_have_and_has_not_stop_the_node() -> None:
    log = Log(storage_with(1, entries=log_of(1, 1)), applying_bytes_max=UNLIMITED)
    storage = log.storage
    assert isinstance(storage, MemoryStorage)
    storage.compact(2)
    with pytest.raises(RaftPanic):
        log.unapplied(1, 3, UNLIMITED)


def test_a_leader_without_a_snapshot_to_send_stops() -> None:
    storage = storage_with(1, 2, 3, entries=log_of(1, 1), state=HardState(term=1, commit=2))
    here = elected(node(1, storage))
    storage.compact(2)
    with pytest.raises(RaftPanic, match="need non-empty snapshot"):
        here.step(Message(APP_RESP, 1, 2, here.term, reject=True, index=2, reject_hint=0))


def test_a_snapshot_is_not_made_of_an_entry_that_was_compacted() -> None:
    storage = MemoryStorage()
    storage.append(log_of(1, 1, 2))
    storage.compact(2)
    with pytest.raises(RaftPanic):
        storage.create_snapshot(1, None, None)
    assert storage.create_snapshot(2, None, None).term == 1


# The log.


def log(*terms: int, committed: int) -> Log:
    made = Log(storage_with(1, entries=log_of(*terms)), applying_bytes_max=UNLIMITED)
    made.commit_to(committed)
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        lambda log: log.append([Entry(2, 2)]),
        lambda log: log.accept(EntryID(1, 1), [Entry(2, 2)], 0),
        lambda log: log.commit_to(4),
        lambda log: log.applied_to(3, 0),
        lambda log: log.slice(3, 2, UNLIMITED),
        lambda log: log.slice(2, 5, UNLIMITED),
    ],
    ids=["append", "conflict", "commit", "applied", "backwards", "beyond"],
)
def test_what_is_committed_stays_and_what_is_not_there_is_not_read(
    wrong: Callable[[Log], object],
) -> None:
    here = log(1, 1, 1, committed=2)
    with pytest.raises(RaftPanic):
        wrong(here)
    assert (here.committed, here.last_index()) == (2, 3)


def test_what_was_applied_is_not_taken_back() -> None:
    here = log(1, 1, 1, committed=2)
    here.applied_to(2, 0)
    with pytest.raises(RaftPanic, match=r"applied\(1\) is out of range"):
        here.applied_to(1, 0)


# Messages and roles.


@pytest.mark.parametrize(
    "message",
    [
        Message(MessageType.VOTE, 2),
        Message(MessageType.VOTE_RESP, 2),
        Message(MessageType.PRE_VOTE, 2),
        Message(MessageType.PRE_VOTE_RESP, 2),
        Message(APP, 2, term=1),
        Message(MessageType.PROP, 2, term=1),
        Message(MessageType.READ_INDEX, 2, term=1),
        Message(MessageType.HEARTBEAT, 1),
    ],
    ids=lambda message: message.type.name,
)
def test_a_message_with_a_wrong_term_or_to_oneself_is_not_sent(message: Message) -> None:
    with pytest.raises(RaftPanic):
        node(1, storage_with(1, 2)).raw.raft.send(message)


def test_a_leader_does_not_campaign_and_a_follower_does_not_just_lead() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    leader, follower = cluster[1].raw.raft, cluster[2].raw.raft
    for wrong in (leader.become_candidate, leader.become_pre_candidate, follower.become_leader):
        with pytest.raises(RaftPanic, match="invalid transition"):
            wrong()


def test_a_proposal_of_nothing_or_of_a_change_that_does_not_parse_is_not_taken() -> None:
    cluster = Cluster.of(1)
    cluster.campaign(1)
    rubbish = Entry(type=EntryType.CONF_CHANGE, data=b"\xff")
    for entries in ((), (rubbish,)):
        with pytest.raises(RaftPanic):
            cluster[1].raw.step(Message(MessageType.PROP, 1, 1, entries=entries))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ConfChange(), "can't leave a non-joint config"),
        (ConfChange(changes=(Change(kind=9, node_id=4),)), "unexpected conf type 9"),
        (
            ConfChange(changes=(Change(kind=ChangeKind.ADD_NODE, node_id=4),), transition=7),
            "unknown transition: 7",
        ),
        (
            ConfChange(changes=(Change(kind=ChangeKind.REMOVE_NODE, node_id=1),)),
            "removed all voters",
        ),
    ],
)
def test_a_committed_change_that_cannot_be_made_stops_the_node(
    change: ConfChange, reason: str
) -> None:
    here = node(1, storage_with(1))
    before = here.raw.raft.tracker.config
    with pytest.raises(RaftPanic, match=reason):
        here.raw.apply_conf_change(change)
    assert here.raw.raft.tracker.config == before


# The order of calls.


def test_a_ready_has_to_be_done_before_the_next_one_is_taken() -> None:
    here = node(1, storage_with(1))
    here.raw.campaign()
    here.raw.ready()
    here.raw.tick()
    with pytest.raises(RaftPanic, match="two accepted Ready structs"):
        here.raw.ready()


def test_there_is_no_advance_where_writes_are_asynchronous() -> None:
    here = node(1, storage_with(1), is_async=True)
    here.raw.campaign()
    here.raw.ready()
    with pytest.raises(RaftPanic, match="Advance must not be called"):
        here.raw.advance()


def test_without_a_bound_on_what_is_applied_at_a_time_nothing_can_be() -> None:
    storage = storage_with(1, entries=log_of(1), state=HardState(term=1, commit=1))
    here = node(1, storage, message_bytes_max=0, ready_bytes_max=0)
    with pytest.raises(RaftPanic):
        here.raw.ready()


def test_a_panic_is_no_error_that_is_handled() -> None:
    assert not issubclass(RaftPanic, Exception)
    assert issubclass(ProposalDroppedError, Exception)
