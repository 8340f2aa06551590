"""The protections of elections beyond safety: what ends a duel, a leader that is of no use, and a
node that disturbs the others; and how a vote is written."""

from collections.abc import Callable
from typing import Final

from formats.raftpb import MessageType
from formats.walpb import RecordType
from walctl.model.record import HardState
from walctl.raft import election
from walctl.raft.core import Raft
from walctl.raft.types import NOBODY, Message, Role
from walctl.sim.safeguard import Safeguard
from walctl.wal.encoder import state_bytes
from walctl.wal.writer import Wal

_hup: Final = election.hup
_reset: Final[Callable[[Raft, int], None]] = Raft._reset
_answer_lower_term: Final[Callable[[Raft, Message], None]] = Raft._answer_lower_term
_tick_leader: Final[Callable[[Raft], None]] = Raft._tick_leader
_add_state: Final[Callable[[Wal, HardState], None]] = Wal._add_state
# What the overrides lean on is taken here, before any of them is in its place.


def _campaign_at_once(raft: Raft, kind: election.Kind) -> None:
    _hup(raft, election.Kind.ELECTION if kind is election.Kind.PRE else kind)


def _nobody_is_heard(raft: Raft) -> bool:
    return False


def _wait_alike(raft: Raft, term: int) -> None:
    _reset(raft, term)
    raft.election_timeout = raft.options.election_ticks


def _ignore_past_pre_votes(raft: Raft, message: Message) -> None:
    if message.type is not MessageType.PRE_VOTE:
        _answer_lower_term(raft, message)


def _hand_over_for_ever(raft: Raft) -> None:
    target = raft.lead_transferee
    _tick_leader(raft)
    if target != NOBODY and raft.role is Role.LEADER:
        raft.lead_transferee = target


def _vote_before_term(wal: Wal, state: HardState) -> None:
    before = wal._state
    if state.term != before.term and state.vote != before.vote:
        vote = HardState(term=before.term, vote=state.vote, commit=before.commit)
        wal._encoder.add(RecordType.STATE, state_bytes(vote))
        wal._encoder.sync()
    _add_state(wal, state)


OF_ELECTIONS: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "pre-votes",
        "a node that was cut off, and deposes the leader when it comes back",
        election,
        "hup",
        _campaign_at_once,
        ("L4",),
    ),
    Safeguard(
        "a-heard-leader-stays",
        "a node that nobody asked, and that deposes one leader after the other",
        Raft,
        "is_in_lease",
        property(_nobody_is_heard),
        ("L4",),
    ),
    Safeguard(
        "random-timeouts",
        "nodes that campaign at the same moment, again and again",
        Raft,
        "_reset",
        _wait_alike,
        ("L1",),
    ),
    Safeguard(
        "past-pre-votes-are-answered",
        "two nodes that refuse each other for ever",
        Raft,
        "_answer_lower_term",
        _ignore_past_pre_votes,
        ("L1",),
    ),
    Safeguard(
        "transfers-end",
        "a leader that waits for a dead successor, and takes no write",
        Raft,
        "_tick_leader",
        _hand_over_for_ever,
        ("L3",),
    ),
    Safeguard(
        "a-vote-with-its-term",
        "a vote that is taken for one of an earlier term after a crash",
        Wal,
        "_add_state",
        _vote_before_term,
        ("I7",),
    ),
)
