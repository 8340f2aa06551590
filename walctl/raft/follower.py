"""A follower: it takes what its leader appends, and passes on what is for the leader.

Source: Raft paper, figure 2 (AppendEntries, receiver) and section 7 (InstallSnapshot); thesis,
section 3.10 (leadership transfer).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from formats.raftpb import MessageType
from walctl.raft.errors import ProposalDroppedError
from walctl.raft.options import ReadOnly
from walctl.raft.types import NOBODY, EntryID, Message, ReadState, Role, Snapshot

if TYPE_CHECKING:
    from walctl.raft.core import Raft


def step(raft: "Raft", message: Message) -> None:
    """A message of this term, or one without a term.

    Raises: ProposalDroppedError.
    """
    match message.type:
        case MessageType.APP | MessageType.HEARTBEAT | MessageType.SNAP:
            hear_leader(raft, message)
        case MessageType.PROP:
            if raft.lead == NOBODY or raft.options.disable_proposal_forwarding:
                raise ProposalDroppedError
            raft.send(replace(message, target=raft.lead))
        case MessageType.TRANSFER_LEADER | MessageType.READ_INDEX:
            # One that was forwarded already has a term, and finds no leader here either.
            if raft.lead != NOBODY and message.term == 0:
                raft.send(replace(message, target=raft.lead))
        case MessageType.TIMEOUT_NOW:
            raft.take_over()
        case MessageType.FORGET_LEADER:
            if raft.options.read_only is not ReadOnly.LEASE_BASED:
                raft.lead = NOBODY
        case MessageType.READ_INDEX_RESP:
            if len(message.entries) == 1:
                context = message.entries[0].data or b""
                raft.read_states.append(ReadState(index=message.index, context=context))
        case _:
            pass


def hear_leader(raft: "Raft", message: Message) -> None:
    """An append, heartbeat or snapshot of this term's leader."""
    raft.election_elapsed = 0
    raft.lead = message.source
    match message.type:
        case MessageType.APP:
            _append(raft, message)
        case MessageType.HEARTBEAT:
            raft.log.commit_to(message.commit)
            raft.send(Message(MessageType.HEARTBEAT_RESP, message.source, context=message.context))
        case _:
            _install(raft, message)


def _append(raft: "Raft", message: Message) -> None:
    """Take entries behind the one that both logs have, or say where the logs may meet."""
    if message.index < raft.log.committed:
        # An old append: everything up to the commit is known to be equal.
        raft.send(Message(MessageType.APP_RESP, message.source, index=raft.log.committed))
        return
    before = EntryID(message.log_term, message.index)
    last = raft.log.accept(before, message.entries, message.commit)
    if last is not None:
        answer = Message(MessageType.APP_RESP, message.source, raft.id, raft.term, index=last)
        raft.queue(answer)
        return
    # Entries of terms above the leader's at this place cannot be in its log: skip them all at once.
    hint = raft.log.meeting_point(min(message.index, raft.log.last_index()), message.log_term)
    raft.send(
        Message(
            MessageType.APP_RESP,
            message.source,
            index=message.index,
            reject=True,
            reject_hint=hint.index,
            log_term=hint.term,
        )
    )


def _install(raft: "Raft", message: Message) -> None:
    """Take a snapshot, where it has more than the log."""
    snapshot = message.snapshot
    is_taken = snapshot is not None and restore(raft, snapshot)
    index = raft.log.last_index() if is_taken else raft.log.committed
    raft.send(Message(MessageType.APP_RESP, message.source, index=index))


def restore(raft: "Raft", snapshot: Snapshot) -> bool:
    """Let a snapshot take the place of log and membership; whether it did."""
    if snapshot.index <= raft.log.committed:
        return False
    if raft.role is not Role.FOLLOWER:
        # Only a follower is sent one; a leader that took it would lose what it promised.
        raft.become_follower(raft.term + 1, NOBODY)
        return False
    conf = snapshot.conf_state
    if raft.id not in {*conf.voters, *conf.learners, *conf.voters_outgoing}:
        return False
    if raft.log.holds(EntryID(snapshot.term, snapshot.index)):
        raft.log.commit_to(snapshot.index)
        return False
    raft.log.restore(snapshot)
    raft.restore_config(conf, last_index=snapshot.index)
    return True
