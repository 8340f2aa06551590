"""Flow control, its bounds, and the order of messages (thesis, 10.2.1; paper, 5.3)."""

import pytest

from formats.raftpb import EntryType, MessageType
from tests.raft.harness import (
    elected,
    leading,
    log_of,
    node,
    progress_of,
    sent,
    storage_with,
    streaming,
)
from walctl.raft.errors import ProposalDroppedError
from walctl.raft.progress import ProgressState
from walctl.raft.sizes import encoding_bytes
from walctl.raft.types import Entry, HardState, Message

APP, APP_RESP = MessageType.APP, MessageType.APP_RESP
HEARTBEAT, HEARTBEAT_RESP = MessageType.HEARTBEAT, MessageType.HEARTBEAT_RESP


def test_the_window_is_bounded_in_bytes_and_one_append_may_overshoot() -> None:
    size = encoding_bytes(Entry(1, 2, None, b"12345678"))
    here = streaming(message_bytes_max=size, inflight_bytes_max=size)
    for _ in range(4):
        here.raw.propose(b"12345678")
    appends = sent(here, APP)
    assert len(appends) == 2, "eight bytes of payload are less than the bound, sixteen more"
    here.step(Message(APP_RESP, 1, 2, 1, index=3))
    assert len([each for each in sent(here, APP) if each.entries]) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_an_append_holds_no_more_than_a_message_may_but_one_entry_at_least(count: int) -> None:
    size = encoding_bytes(Entry(1, 2, None, b"12345678"))
    here = leading(storage_with(1, 2, 3), message_bytes_max=size * count)
    for _ in range(4):
        here.raw.propose(b"12345678")
    here.work()
    here.step(Message(APP_RESP, 1, 2, 1, index=1))
    assert [len(each.entries) for each in sent(here, APP)] == [count] * (4 // count)


def test_a_full_window_lets_one_empty_append_through_for_every_sign_of_life() -> None:
    here = streaming(inflight_count_max=1)
    here.raw.propose(b"x")
    here.raw.propose(b"y")
    assert len(sent(here, APP)) == 1
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1))
    (again,) = sent(here, APP)
    assert (again.index, again.entries) == (2, ())
    here.raw.propose(b"z")
    assert sent(here, APP) == []


def test_a_probe_is_sent_once_and_its_next_index_stays() -> None:
    here = leading(storage_with(1, 2, 3))
    before = progress_of(here).next
    here.raw.propose(b"x")
    assert (sent(here, APP), progress_of(here).next) == ([], before)
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1))
    (probe,) = sent(here, APP)
    assert (len(probe.entries), progress_of(here).next) == (2, before)


def test_a_lost_message_means_probing_from_what_is_known_to_be_there() -> None:
    here = streaming()
    for _ in range(3):
        here.raw.propose(b"x")
    here.work()
    here.raw.report_unreachable(2)
    progress = progress_of(here)
    assert (progress.state, progress.next, progress.inflights.count) == (
        ProgressState.PROBE,
        2,
        0,
    )


def test_a_follower_is_told_of_a_commit_that_an_older_message_did_not_carry() -> None:
    here = streaming()
    here.raw.propose(b"x")
    here.work()
    here.step(Message(APP_RESP, 1, 3, 1, index=2))
    assert [each.commit for each in sent(here, APP)] == [2]
    here.raw.tick()
    assert [each.commit for each in sent(here, HEARTBEAT)] == [1], (
        "no more than it is known to hold"
    )
    here.step(Message(APP_RESP, 1, 2, 1, index=2))
    assert [(each.commit, each.entries) for each in sent(here, APP)] == [(2, ())]


def test_a_commit_is_told_to_all_by_ascending_id_also_to_who_brought_it() -> None:
    here = leading(storage_with(1, 2, 3, 10, 11, learners=(4,)))
    for other in (11, 4, 3, 2):
        here.step(Message(APP_RESP, 1, other, 1, index=1))
    told = [(each.target, each.commit) for each in here.work() if each.type is APP]
    # With node 3 there are three of five; then node 2 learns what the others were told.
    assert told == [(3, 1), (4, 1), (11, 1), (2, 1)]


def test_a_leader_without_itself_is_a_quorum_too() -> None:
    """Thesis, 10.2.1: it writes beside the others, and commits what it has not written yet."""
    here = elected(node(1, storage_with(1, 2, 3), is_async=False))
    here.raw.propose(b"x")
    for other in (2, 3):
        here.step(Message(APP_RESP, 1, other, 1, index=2))
    assert here.commit == 2
    assert here.storage.last_index() == 1


def test_uncommitted_payloads_are_bounded_and_empty_ones_or_a_first_one_always_taken() -> None:
    here = elected(node(1, storage_with(1, 2, 3), uncommitted_bytes_max=4))
    here.raw.propose(b"more than four")
    with pytest.raises(ProposalDroppedError):
        here.raw.propose(b"x")
    here.raw.propose(b"")
    leave = Entry(type=EntryType.CONF_CHANGE_V2)
    here.raw.raft.step(Message(MessageType.PROP, 1, 1, entries=(leave,)))
    here.work()
    here.step(Message(APP_RESP, 1, 2, 1, index=2))
    with pytest.raises(ProposalDroppedError):
        here.raw.propose(b"x")  # committed, and not yet applied
    here.work()
    assert here.raw.raft.uncommitted_bytes == 0
    here.raw.propose(b"x")


def test_what_is_applied_at_a_time_is_bounded_until_it_is_acknowledged() -> None:
    entries = log_of(1, 1, 1, 1)
    storage = storage_with(1, entries=entries, state=HardState(term=1, commit=4))
    here = node(1, storage, is_async=True, ready_bytes_max=2 * encoding_bytes(entries[0]))
    (work,) = here.raw.ready().messages
    assert [entry.index for entry in work.entries] == [1, 2]
    assert not here.raw.has_ready()
    here.step(work.responses[0])
    (work,) = here.raw.ready().messages
    assert [entry.index for entry in work.entries] == [3, 4]
