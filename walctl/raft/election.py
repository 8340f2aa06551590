"""Elections: who may campaign, how votes are asked for, given and counted.

    hup ──► campaign(pre) ──► a quorum would vote ──► campaign(election) ──► won: leader
                 └──────────────── lost: follower ◄───────────┘

A pre-vote asks whether an election could be won and changes nothing, so that a node which was cut
off does not disturb a leader when it comes back. A transfer skips it: the leader itself asked.

Source: Raft paper, figure 2 (RequestVote) and sections 5.2, 5.4.1; thesis, section 9.6 (pre-vote).
"""

import enum
from typing import TYPE_CHECKING, Final

from formats.raftpb import MessageType
from walctl.raft import follower, leader
from walctl.raft.errors import ProposalDroppedError
from walctl.raft.quorum import VoteResult
from walctl.raft.types import NOBODY, UNLIMITED, EntryID, Message, Role

if TYPE_CHECKING:
    from walctl.raft.core import Raft

TRANSFER_CONTEXT: Final = b"CampaignTransfer"
"""What a vote request says when the leader itself wants to be succeeded: no lease holds it back."""


class Kind(enum.Enum):
    """Why and how a node campaigns."""

    PRE = "CampaignPreElection"
    ELECTION = "CampaignElection"
    TRANSFER = "CampaignTransfer"


def hup(raft: "Raft", kind: Kind) -> None:
    """Campaign, if that is allowed now."""
    if raft.role is Role.LEADER or not raft.is_promotable or _has_unapplied_change(raft):
        return
    campaign(raft, kind)


def _has_unapplied_change(raft: "Raft") -> bool:
    """Whether a committed change of the membership waits to be applied: then a node does not know
    yet who votes."""
    log = raft.log
    if log.applied >= log.committed:
        return False
    entries = log.unapplied(log.applied + 1, log.committed + 1, UNLIMITED)
    return any(entry.is_conf_change for entry in entries)


def campaign(raft: "Raft", kind: Kind) -> None:
    """Ask every voter, oneself included, for a vote (or whether one could be had)."""
    if kind is Kind.PRE:
        raft.become_pre_candidate()
        request, response = MessageType.PRE_VOTE, MessageType.PRE_VOTE_RESP
        term = raft.term + 1
    else:
        raft.become_candidate()
        request, response = MessageType.VOTE, MessageType.VOTE_RESP
        term = raft.term
    last = raft.log.last_id()
    context = TRANSFER_CONTEXT if kind is Kind.TRANSFER else b""
    for node in sorted(raft.tracker.config.voters):
        if node == raft.id:
            # The own vote too has to be on the disk before it counts.
            raft.send(Message(response, node, term=term))
        else:
            raft.send(
                Message(
                    request,
                    node,
                    term=term,
                    index=last.index,
                    log_term=last.term,
                    context=context,
                )
            )


def answer(raft: "Raft", ask: Message) -> None:
    """Answer a request for a vote, or for a pre-vote; the request's term is not below our own."""
    is_pre_vote = ask.type is MessageType.PRE_VOTE
    response = MessageType.PRE_VOTE_RESP if is_pre_vote else MessageType.VOTE_RESP
    if can_grant(raft, ask) and raft.log.is_up_to_date(EntryID(ask.log_term, ask.index)):
        # A pre-vote is granted in the term that it asks about, which is not our own yet.
        raft.send(Message(response, ask.source, term=ask.term))
        if not is_pre_vote:
            raft.election_elapsed = 0
            raft.vote = ask.source
    else:
        raft.send(Message(response, ask.source, term=raft.term, reject=True))


def can_grant(raft: "Raft", ask: Message) -> bool:
    """Whether the vote of this term is still free for the one who asks, or is his already."""
    is_repeated = raft.vote == ask.source
    is_free = raft.vote == NOBODY and raft.lead == NOBODY
    is_of_future = ask.type is MessageType.PRE_VOTE and ask.term > raft.term
    return is_repeated or is_free or is_of_future


def step(raft: "Raft", message: Message) -> None:
    """A message of this term to a candidate or pre-candidate.

    Raises: ProposalDroppedError.
    """
    is_pre = raft.role is Role.PRE_CANDIDATE
    counted = MessageType.PRE_VOTE_RESP if is_pre else MessageType.VOTE_RESP
    match message.type:
        case MessageType.PROP:
            raise ProposalDroppedError
        case MessageType.APP | MessageType.HEARTBEAT | MessageType.SNAP:
            # Somebody was elected in this term.
            raft.become_follower(message.term, message.source)
            follower.hear_leader(raft, message)
        case kind if kind is counted:
            _count(raft, message)
        case _:
            pass


def _count(raft: "Raft", message: Message) -> None:
    """Count one vote, and act on what the election has come to."""
    raft.tracker.record_vote(message.source, is_granted=not message.reject)
    match raft.tracker.election_result():
        case VoteResult.WON if raft.role is Role.PRE_CANDIDATE:
            campaign(raft, Kind.ELECTION)
        case VoteResult.WON:
            raft.become_leader()
            leader.broadcast_append(raft)
        case VoteResult.LOST:
            raft.become_follower(raft.term, NOBODY)
        case VoteResult.PENDING:
            pass
