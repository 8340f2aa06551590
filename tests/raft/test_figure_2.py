"""The lines of figure 2 of the Raft paper that concern one node alone, each as a sentence."""

from collections.abc import Sequence
from typing import Any

import pytest

from formats.raftpb import MessageType
from tests.raft.harness import ELECTION, Cluster, Node, data_of, elected, log_of, node, storage_with
from walctl.raft.types import Entry, HardState, Message, Role

APP, APP_RESP = MessageType.APP, MessageType.APP_RESP
VOTE, VOTE_RESP = MessageType.VOTE, MessageType.VOTE_RESP
HEARTBEAT = MessageType.HEARTBEAT


def one(*, entries: Sequence[Entry] = (), state: HardState | None = None, **wishes: Any) -> Node:
    """Node 1 of three."""
    storage = storage_with(1, 2, 3, entries=entries, state=state or HardState())
    return node(1, storage, **wishes)


def append(*terms: int, after: tuple[int, int] = (0, 0), commit: int = 0, term: int = 3) -> Message:
    """Entries of these terms from node 2, behind the entry of `after`: its term, its index."""
    entries = tuple(
        Entry(each, after[1] + count, None, b"new") for count, each in enumerate(terms, start=1)
    )
    return Message(APP, 1, 2, term, after[0], after[1], entries, commit)


def sent(here: Node, kind: MessageType) -> list[Message]:
    return [message for message in here.work() if message.type is kind]


# State.


@pytest.mark.parametrize("promise", ["term", "vote", "entry"])
def test_what_was_promised_is_remembered_over_a_restart(promise: str) -> None:
    here = one()
    match promise:
        case "term":
            here.step(Message(HEARTBEAT, 1, 2, term=7))
        case "vote":
            here.step(Message(VOTE, 1, 3, term=7))
        case _:
            here.step(append(1, 2, term=7))
    before = (here.term, here.raw.raft.vote, here.raw.raft.log.last_id())
    here.work()
    again = node(1, here.storage)
    assert (again.term, again.raw.raft.vote, again.raw.raft.log.last_id()) == before


@pytest.mark.parametrize(
    "message",
    [append(1), Message(VOTE, 1, 2, term=1), Message(MessageType.PRE_VOTE, 1, 2, term=1)],
    ids=["append", "vote", "pre-vote"],
)
def test_an_answer_is_given_only_after_what_it_promises_is_durable(message: Message) -> None:
    here = one(is_async=True)
    here.step(message)
    (work,) = here.raw.ready().messages
    assert work.type is MessageType.STORAGE_APPEND
    assert work.responses[0].target == 2


def test_a_new_node_knows_of_nothing_that_is_committed_or_applied() -> None:
    log = one(entries=log_of(1, 1)).raw.raft.log
    assert (log.committed, log.applied) == (0, 0)


def test_what_is_committed_is_never_taken_back() -> None:
    here = one(entries=log_of(1, 1, 1))
    for commit in (2, 1, 0, 2):
        here.step(Message(HEARTBEAT, 1, 2, term=1, commit=commit))
        here.work()
        assert here.commit == 2
    assert [entry.index for entry in here.applied] == [1, 2]


def test_a_new_leader_takes_it_that_all_hold_what_it_holds_and_knows_that_none_does() -> None:
    here = one(entries=log_of(1, 1, 1), state=HardState(term=1))
    here.raw.campaign()
    here.work()
    here.step(Message(VOTE_RESP, 1, 2, term=2))
    table = here.raw.raft.tracker.progress
    assert [(table[other].match, table[other].next) for other in (2, 3)] == [(0, 4), (0, 4)]


def test_what_a_node_is_known_to_hold_never_goes_back() -> None:
    here = elected(one(entries=log_of(1, 1)))
    progress = here.raw.raft.tracker.progress[2]
    for index in (3, 1, 2, 0):
        here.step(Message(APP_RESP, 1, 2, here.term, index=index))
        assert progress.match == 3
    here.step(Message(APP_RESP, 1, 2, here.term, index=2, reject=True, reject_hint=1))
    assert progress.match == 3


# AppendEntries, receiver.


@pytest.mark.parametrize("wish", ["check_quorum", "pre_vote"])
@pytest.mark.parametrize("kind", [APP, HEARTBEAT])
def test_a_leader_of_the_past_is_told_the_term_where_it_would_not_learn_it_otherwise(
    wish: str, kind: MessageType
) -> None:
    wishes: dict[str, Any] = {wish: True}
    here = one(state=HardState(term=5), **wishes)
    here.step(Message(kind, 1, 2, term=4, index=3, log_term=3, context=b"x"))
    assert here.work() == [Message(APP_RESP, 2, 1, term=5)]
    silent = one(state=HardState(term=5))
    silent.step(Message(kind, 1, 2, term=4))
    assert silent.work() == []


@pytest.mark.parametrize(
    ("own", "after", "hint"),
    [
        ((1, 3, 3), (3, 6), (3, 3)),  # it ends before: its last entry may be where they meet
        ((1, 3, 3), (1, 3), (1, 1)),  # entries of terms above the leader's cannot be the leader's
        ((1, 2, 3), (2, 3), (2, 2)),
        ((3, 3), (2, 2), (0, 0)),
    ],
)
def test_a_refusal_says_where_the_logs_may_meet(
    own: tuple[int, ...], after: tuple[int, int], hint: tuple[int, int]
) -> None:
    here = one(entries=log_of(*own))
    here.step(append(after=after))
    (answer,) = sent(here, APP_RESP)
    assert (answer.reject, answer.index) == (True, after[1])
    assert (answer.log_term, answer.reject_hint) == hint


def test_entries_that_are_there_already_are_not_written_again() -> None:
    here = one(entries=log_of(1, 1))
    here.step(append(1, 1, 1))
    ready = here.raw.ready()
    assert [entry.index for entry in ready.entries] == [3]


@pytest.mark.parametrize(
    ("leader_commit", "commit"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (9, 3)]
)
def test_a_follower_commits_up_to_the_leader_s_commit_or_the_last_new_entry(
    leader_commit: int, commit: int
) -> None:
    here = one(entries=log_of(1, 1, 1, 1, 1))
    # Entries 4 and 5 are there, and nobody has said that they are the leader's.
    here.step(append(1, 1, after=(1, 1), commit=leader_commit))
    assert here.commit == commit


def test_an_append_below_the_commit_is_answered_with_the_commit() -> None:
    here = one(entries=log_of(1, 1, 1), state=HardState(term=1, commit=3))
    here.step(append(2, after=(1, 1)))
    (answer,) = sent(here, APP_RESP)
    assert (answer.index, answer.reject) == (3, False)
    assert here.storage.term(2) == 1


# RequestVote, receiver.


def test_a_vote_is_not_given_to_another_where_a_leader_is_known() -> None:
    here = one()
    here.step(Message(HEARTBEAT, 1, 2, term=1))
    here.work()
    assert here.raw.raft.vote == 0
    here.step(Message(VOTE, 1, 3, term=1))
    (answer,) = sent(here, VOTE_RESP)
    assert (answer.reject, here.raw.raft.vote) == (True, 0)


def test_a_granted_vote_is_in_the_term_asked_for_and_a_refused_one_in_the_own() -> None:
    here = one(entries=log_of(1), state=HardState(term=1))
    here.step(Message(MessageType.PRE_VOTE, 1, 2, term=5, log_term=1, index=1))
    here.step(Message(MessageType.PRE_VOTE, 1, 3, term=5))
    answers = sent(here, MessageType.PRE_VOTE_RESP)
    assert [(each.term, each.reject) for each in answers] == [(5, False), (1, True)]


# All servers.


@pytest.mark.parametrize(
    ("message", "lead"),
    [
        (Message(APP, 1, 2, term=9), 2),
        (Message(HEARTBEAT, 1, 2, term=9), 2),
        (Message(MessageType.SNAP, 1, 2, term=9), 2),
        (Message(VOTE, 1, 2, term=9), 0),
        (Message(APP_RESP, 1, 2, term=9), 0),
        (Message(VOTE_RESP, 1, 2, term=9), 0),
        (Message(MessageType.HEARTBEAT_RESP, 1, 2, term=9), 0),
        (Message(MessageType.PRE_VOTE_RESP, 1, 2, term=9, reject=True), 0),
        (Message(MessageType.TIMEOUT_NOW, 1, 2, term=9), 0),
    ],
    ids=lambda value: value.type.name if isinstance(value, Message) else "",
)
def test_a_higher_term_in_any_message_is_taken_over(message: Message, lead: int) -> None:
    here = elected(one(entries=log_of(1)))
    here.step(message)
    # A transfer is a wish to campaign, and so goes on into the next term.
    is_transfer = message.type is MessageType.TIMEOUT_NOW
    assert here.term == (10 if is_transfer else 9)
    assert here.plays(Role.CANDIDATE if is_transfer else Role.FOLLOWER)
    assert here.raw.raft.lead == lead


def test_what_is_committed_is_applied_once_and_in_order() -> None:
    here = one(entries=log_of(1, 1, 1, 1))
    for commit in (1, 1, 4):
        here.step(Message(HEARTBEAT, 1, 2, term=1, commit=commit))
        here.work()
    assert [entry.index for entry in here.applied] == [1, 2, 3, 4]


# Followers.


@pytest.mark.parametrize(
    ("message", "is_reset"),
    [
        (append(), True),
        (append(after=(9, 9)), True),
        (Message(HEARTBEAT, 1, 2, term=3), True),
        (Message(VOTE, 1, 2, term=3, log_term=3, index=3), True),
        (Message(VOTE, 1, 2, term=3), False),
        (Message(MessageType.PRE_VOTE, 1, 2, term=4, log_term=3, index=3), False),
        (Message(APP, 1, 2, term=2), False),
    ],
    ids=["append", "refused append", "heartbeat", "vote", "refused vote", "pre-vote", "past"],
)
def test_the_clock_of_an_election_begins_anew_with_the_leader_s_word_or_a_vote_given(
    message: Message, is_reset: bool
) -> None:
    here = one(entries=log_of(1), state=HardState(term=3))
    for _ in range(ELECTION - 1):
        here.raw.tick()
    here.step(message)
    here.work()
    here.raw.tick()
    assert here.plays(Role.FOLLOWER if is_reset else Role.CANDIDATE)


# Candidates.


def test_a_candidate_s_clock_begins_anew_and_it_asks_everybody_else() -> None:
    here = one(entries=log_of(1, 2), state=HardState(term=2))
    for _ in range(ELECTION):
        here.raw.tick()
    assert here.raw.raft.election_elapsed == 0
    requests = sent(here, VOTE)
    told = [(each.target, each.term, each.index, each.log_term) for each in requests]
    assert told == [(2, 3, 2, 2), (3, 3, 2, 2)]


def test_the_first_vote_of_a_node_counts_and_no_later_one() -> None:
    here = one()
    here.raw.campaign()
    here.work()
    here.step(Message(VOTE_RESP, 1, 2, term=1, reject=True))
    here.step(Message(VOTE_RESP, 1, 2, term=1))
    assert here.plays(Role.CANDIDATE)


def test_a_vote_of_an_older_election_does_not_count() -> None:
    here = one(state=HardState(term=4))
    here.raw.campaign()
    here.work()
    here.step(Message(VOTE_RESP, 1, 2, term=4))
    assert here.plays(Role.CANDIDATE)


# Leaders.


def test_a_leader_speaks_to_all_others_as_soon_as_it_is_elected() -> None:
    here = one()
    here.raw.campaign()
    here.work()
    here.step(Message(VOTE_RESP, 1, 2, term=1))
    assert [(each.type, each.target) for each in here.work()] == [(APP, 2), (APP, 3)]


def test_what_is_proposed_is_applied_only_once_it_is_committed() -> None:
    here = elected(one())
    here.raw.propose(b"x")
    here.work()
    assert data_of(here.applied) == []
    here.step(Message(APP_RESP, 1, 2, term=1, index=2))
    here.work()
    assert data_of(here.applied) == [b"x"]


def test_a_node_is_sent_all_that_it_lacks_from_the_next_index_on() -> None:
    here = elected(one(entries=log_of(1, 1, 1), state=HardState(term=1)))
    here.step(Message(APP_RESP, 1, 2, 2, reject=True, index=3, reject_hint=1, log_term=1))
    (again,) = sent(here, APP)
    assert (again.target, again.index, again.log_term) == (2, 1, 1)
    assert [entry.index for entry in again.entries] == [2, 3, 4]


def test_an_acknowledgement_moves_what_a_node_holds_and_gets_next() -> None:
    here = elected(one(entries=log_of(1, 1, 1)))
    here.step(Message(APP_RESP, 1, 2, here.term, index=3))
    progress = here.raw.raft.tracker.progress[2]
    assert (progress.match, progress.next) == (3, 5)


def test_a_refusal_of_an_older_append_moves_nothing() -> None:
    here = elected(one(entries=log_of(1, 1, 1)))
    progress = here.raw.raft.tracker.progress[2]
    before = progress.next
    here.step(Message(APP_RESP, 1, 2, here.term, reject=True, index=1, reject_hint=0))
    assert (progress.next, sent(here, APP)) == (before, [])


def test_a_lost_append_is_sent_again_until_it_arrives_also_when_it_is_committed() -> None:
    cluster = Cluster.of(3)
    cluster.campaign(1)
    cluster.isolate(3)
    cluster.propose(1, b"x")
    assert cluster[1].commit == 2
    cluster.join()
    cluster.tick(1)
    assert data_of(cluster[3].applied) == [b"x"]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_request_that_arrives_again_does_no_harm(times: int) -> None:
    here = one(entries=log_of(1))
    answers = []
    for _ in range(times):
        here.step(append(1, 3, after=(1, 1), commit=1))
        answers += sent(here, APP_RESP)
    assert {(each.index, each.reject) for each in answers} == {(3, False)}
    assert len(answers) == times
    assert (here.storage.last_index(), here.commit) == (3, 1)
    assert [entry.index for entry in here.applied] == [1]
