"""Linearizable reads (thesis, 6.4; Raft paper, section 8), each rule as a sentence."""

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import elected, node, storage_with
from tests.raft.node_one import leading, one, sent
from walctl.raft.options import ReadOnly
from walctl.raft.types import Entry, Message, Role

APP, APP_RESP = MessageType.APP, MessageType.APP_RESP
HEARTBEAT, HEARTBEAT_RESP = MessageType.HEARTBEAT, MessageType.HEARTBEAT_RESP
READ, READ_RESP = MessageType.READ_INDEX, MessageType.READ_INDEX_RESP


def ask(context: bytes, source: int = 0) -> Message:
    return Message(READ, 1, source, entries=(Entry(data=context),))


def test_a_read_is_answered_with_the_commit_at_its_arrival_once_a_quorum_has_answered() -> None:
    here = leading()
    here.raw.read_index(b"ctx")
    beats = sent(here, HEARTBEAT)
    assert [each.target for each in beats] == [2, 3]
    here.raw.propose(b"x")
    here.work()
    here.step(Message(APP_RESP, 1, 2, 1, index=2))
    assert here.commit == 2
    here.step(Message(HEARTBEAT_RESP, 1, 3, 1, context=beats[1].context))
    here.work()
    assert [(each.index, each.context) for each in here.reads] == [(1, b"ctx")]


def test_an_answer_to_an_older_heartbeat_confirms_only_the_reads_before_it() -> None:
    here = leading()
    here.raw.read_index(b"1")
    first = sent(here, HEARTBEAT)[0].context
    here.raw.read_index(b"2")
    here.raw.read_index(b"3")
    last = sent(here, HEARTBEAT)[-1].context
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1))
    here.work()
    assert here.reads == []
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1, context=first))
    here.work()
    assert [each.context for each in here.reads] == [b"1"]
    here.step(Message(HEARTBEAT_RESP, 1, 3, 1, context=last))
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1, context=last))
    here.work()
    assert [each.context for each in here.reads] == [b"1", b"2", b"3"]


def test_a_learner_s_answer_confirms_no_read() -> None:
    here = leading(learners=(4,))
    here.raw.read_index(b"ctx")
    context = sent(here, HEARTBEAT)[0].context
    here.step(Message(HEARTBEAT_RESP, 1, 4, 1, context=context))
    here.work()
    assert here.reads == []


def test_a_read_that_was_passed_on_is_answered_to_whom_it_came_from() -> None:
    here = leading()
    here.step(ask(b"ctx", source=3))
    context = sent(here, HEARTBEAT)[0].context
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1, context=context))
    (answer,) = sent(here, READ_RESP)
    assert (answer.target, answer.index, answer.entries) == (3, 1, (Entry(data=b"ctx"),))
    assert here.reads == []


def test_a_heartbeat_carries_a_read_until_it_is_confirmed_and_then_nothing() -> None:
    here = leading()
    here.raw.read_index(b"ctx")
    context = sent(here, HEARTBEAT)[0].context
    here.raw.tick()
    assert {each.context for each in sent(here, HEARTBEAT)} == {context}
    here.step(Message(HEARTBEAT_RESP, 1, 2, 1, context=context))
    here.raw.tick()
    assert {each.context for each in sent(here, HEARTBEAT)} == {b""}


def test_reads_that_came_too_early_are_asked_for_before_the_first_commit_is_told() -> None:
    here = elected(one())
    here.raw.read_index(b"1")
    here.step(ask(b"2", source=3))
    assert sent(here, HEARTBEAT) == []
    here.step(Message(APP_RESP, 1, 2, 1, index=1))
    kinds = [(each.type, each.target) for each in here.work()]
    assert kinds == [*[(HEARTBEAT, 2), (HEARTBEAT, 3)] * 2, (APP, 2)]


def test_reads_that_came_too_early_outlive_a_change_of_roles() -> None:
    here = elected(one())
    here.raw.read_index(b"ctx")
    here.step(Message(HEARTBEAT, 1, 2, term=2))
    here.work()
    elected(here)
    here.step(Message(APP_RESP, 1, 2, here.term, index=2))
    context = sent(here, HEARTBEAT)[0].context
    here.step(Message(HEARTBEAT_RESP, 1, 2, here.term, context=context))
    here.work()
    assert [each.context for each in here.reads] == [b"ctx"]


def test_reads_that_a_leader_has_not_confirmed_end_with_its_leadership() -> None:
    here = leading()
    here.raw.read_index(b"ctx")
    context = sent(here, HEARTBEAT)[0].context
    here.step(Message(HEARTBEAT, 1, 2, term=2))
    elected(here)
    here.step(Message(HEARTBEAT_RESP, 1, 2, here.term, context=context))
    here.work()
    assert here.reads == []


def test_a_single_voter_answers_a_read_at_once_also_before_it_has_committed() -> None:
    here = node(1, storage_with(1))
    here.raw.campaign()
    while not here.plays(Role.LEADER):
        here.store(here.raw.ready())
        here.raw.advance()
    here.raw.read_index(b"ctx")
    assert [(each.index, each.context) for each in here.raw.ready().read_states] == [(0, b"ctx")]


def test_a_lease_answers_no_read_before_the_first_commit_of_the_term() -> None:
    here = elected(one(check_quorum=True, read_only=ReadOnly.LEASE_BASED))
    here.raw.read_index(b"ctx")
    here.work()
    assert here.reads == []
    here.step(Message(APP_RESP, 1, 2, 1, index=1))
    here.work()
    assert [each.index for each in here.reads] == [1]


def test_a_read_without_a_leader_is_dropped_and_a_follower_passes_it_on() -> None:
    here = one()
    here.raw.read_index(b"ctx")
    assert here.work() == []
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.work()
    here.raw.read_index(b"ctx")
    assert here.work() == [Message(READ, 2, 1, entries=(Entry(data=b"ctx"),))]


@pytest.mark.parametrize("count", [0, 2])
def test_a_read_or_an_answer_that_is_not_about_one_request_is_none(count: int) -> None:
    entries = (Entry(data=b"x"),) * count
    here = leading()
    here.step(Message(READ, 1, 3, entries=entries))
    here.raw.raft.step(Message(READ, 1, entries=entries))
    assert (here.work(), here.reads) == ([], [])
    alone = elected(node(1, storage_with(1)))
    alone.raw.raft.step(Message(READ, 1, entries=entries))
    assert (alone.work(), alone.reads) == ([], [])
    follower = one()
    follower.step(Message(READ_RESP, 1, 2, term=1, index=5, entries=entries))
    follower.work()
    assert follower.reads == []
