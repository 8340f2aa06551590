"""A leader: it appends what is proposed, feeds every node, and commits what a quorum holds.

Source: Raft paper, figure 2 (leaders) and sections 5.3, 5.4.2, 7; thesis, sections 3.10 (transfer),
4 (membership), 6.4 (reads), 10.2 (pipelining).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from formats.raftpb import EntryType, MessageType
from walctl.errors import WalctlError
from walctl.raft.errors import (
    CompactedError,
    ProposalDroppedError,
    RaftPanic,
    SnapshotTemporarilyUnavailableError,
)
from walctl.raft.options import ReadOnly
from walctl.raft.progress import Progress, ProgressState
from walctl.raft.quorum import joint_committed_index
from walctl.raft.sizes import payload_bytes
from walctl.raft.types import NOBODY, ConfChange, Entry, EntryID, Message, ReadState
from walctl.raft.wire import parse_conf_change

if TYPE_CHECKING:
    from walctl.raft.core import Raft


def step(raft: "Raft", message: Message) -> None:
    """A message of this term, or one without a term.

    Raises: ProposalDroppedError.
    """
    match message.type:
        case MessageType.BEAT:
            broadcast_heartbeat(raft)
        case MessageType.CHECK_QUORUM:
            _check_quorum(raft)
        case MessageType.PROP:
            _propose(raft, message.entries)
        case MessageType.READ_INDEX if len(message.entries) == 1:
            _read_index(raft, message)
        case _:
            progress = raft.tracker.progress.get(message.source)
            if progress is not None:
                _hear(raft, message, progress)


def _hear(raft: "Raft", message: Message, progress: Progress) -> None:
    """What a node says, or what is said of it."""
    match message.type:
        case MessageType.APP_RESP:
            _append_answered(raft, message, progress)
        case MessageType.HEARTBEAT_RESP:
            _heartbeat_answered(raft, message, progress)
        case MessageType.SNAP_STATUS:
            _snapshot_reported(message, progress)
        case MessageType.UNREACHABLE:
            # What is on its way may be lost: find out anew where the logs meet.
            if progress.state is ProgressState.REPLICATE:
                progress.become_probe()
        case MessageType.TRANSFER_LEADER:
            _transfer(raft, message.source, progress)
        case _:
            pass


# Proposals.


def _propose(raft: "Raft", entries: Sequence[Entry]) -> None:
    """Raises: ProposalDroppedError."""
    if not entries:
        raise RaftPanic(f"{raft.id:x} stepped empty MsgProp")
    if raft.own_progress is None or raft.lead_transferee != NOBODY:
        raise ProposalDroppedError
    checked = [_checked_change(raft, entry, at) for at, entry in enumerate(entries)]
    if not append_entries(raft, checked):
        raise ProposalDroppedError
    broadcast_append(raft)


def _checked_change(raft: "Raft", entry: Entry, position: int) -> Entry:
    """The entry, or an empty one in its place: a change that may not be made now is refused so."""
    if not entry.is_conf_change:
        return entry
    change = parse_conf_change(entry)
    if not raft.options.disable_conf_change_validation and _is_refused(raft, change):
        return Entry(type=EntryType.NORMAL)
    raft.pending_conf_index = raft.log.last_index() + position + 1
    return entry


def _is_refused(raft: "Raft", change: ConfChange) -> bool:
    """One change at a time, and a joint configuration must be left before the next one."""
    is_pending = raft.pending_conf_index > raft.log.applied
    is_leaving = not change.changes
    return is_pending or raft.tracker.config.is_joint != is_leaving


def append_entries(raft: "Raft", entries: Sequence[Entry]) -> bool:
    """Put entries of this term behind the log; false when too much is uncommitted already.

    The leader's own match moves when its acknowledgement comes back: once they are on its disk.
    """
    last = raft.log.last_index()
    numbered = [
        Entry(raft.term, last + count, entry.type, entry.data)
        for count, entry in enumerate(entries, start=1)
    ]
    size = payload_bytes(numbered)
    total = raft.uncommitted_bytes + size
    if raft.uncommitted_bytes > 0 and size > 0 and total > raft.options.uncommitted_bytes_max:
        return False
    raft.uncommitted_bytes = total
    index = raft.log.append(numbered)
    raft.queue(Message(MessageType.APP_RESP, raft.id, raft.id, raft.term, index=index))
    return True


# Feeding.


def broadcast_append(raft: "Raft") -> None:
    """Append to every node, also nothing: the commit index goes along."""
    for node, progress in raft.tracker.in_order():
        if node != raft.id:
            send_append(raft, node, progress, empty_ok=True)


def send_append(raft: "Raft", node: int, progress: Progress, *, empty_ok: bool) -> bool:
    """Send a node what it lacks next, or a snapshot where the log does not reach back so far;
    whether anything was sent."""
    if progress.is_paused:
        return False
    before = progress.next - 1
    term = raft.log.known_term(before)
    if term is None:
        return _send_snapshot(raft, node, progress)
    entries: Sequence[Entry] = ()
    is_compacted = False
    if progress.state is not ProgressState.REPLICATE or not progress.inflights.is_full:
        try:
            entries = raft.log.entries_from(progress.next, raft.options.message_bytes_max)
        except CompactedError:
            is_compacted = True
    if not entries and not empty_ok:
        return False
    if is_compacted:
        return _send_snapshot(raft, node, progress)
    # Appends and their answers are most of all messages: they are made once, and whole.
    raft.queue(
        Message(
            MessageType.APP,
            node,
            raft.id,
            raft.term,
            index=before,
            log_term=term,
            entries=tuple(entries),
            commit=raft.log.committed,
        )
    )
    progress.sent_entries(count=len(entries), payload_bytes=payload_bytes(entries))
    progress.sent_commit = raft.log.committed
    return True


def _send_snapshot(raft: "Raft", node: int, progress: Progress) -> bool:
    """Send the newest snapshot to a node that was heard from lately."""
    if not progress.is_active:
        return False
    try:
        snapshot = raft.log.unstable.snapshot or raft.log.storage.snapshot()
    except SnapshotTemporarilyUnavailableError:
        return False
    except WalctlError as error:
        raise RaftPanic(error.message) from error
    if snapshot.is_empty:
        raise RaftPanic("need non-empty snapshot")
    progress.become_snapshot(snapshot.index)
    raft.send(Message(MessageType.SNAP, node, snapshot=snapshot))
    return True


def broadcast_heartbeat(raft: "Raft") -> None:
    """Tell every node that there is a leader, and what it may take for committed."""
    context = raft.reads.context
    for node, progress in raft.tracker.in_order():
        if node != raft.id:
            # Never beyond what the node is known to hold: its log may differ behind that.
            commit = min(progress.match, raft.log.committed)
            raft.send(Message(MessageType.HEARTBEAT, node, commit=commit, context=context))
            progress.sent_commit = commit


# Answers.


def _append_answered(raft: "Raft", message: Message, progress: Progress) -> None:
    progress.is_active = True
    if message.reject:
        _append_rejected(raft, message, progress)
        return
    is_probe = progress.state is ProgressState.PROBE
    if not progress.update(message.index) and not (progress.match == message.index and is_probe):
        return
    _leave_state(raft, message, progress)
    if maybe_commit(raft):
        release_reads(raft)
        broadcast_append(raft)
    elif message.source != raft.id and progress.can_bump_commit(raft.log.committed):
        send_append(raft, message.source, progress, empty_ok=True)
    if message.source != raft.id:
        while send_append(raft, message.source, progress, empty_ok=False):
            pass
    is_transferee = message.source == raft.lead_transferee
    if is_transferee and progress.match == raft.log.last_index():
        raft.send(Message(MessageType.TIMEOUT_NOW, message.source))


def _append_rejected(raft: "Raft", message: Message, progress: Progress) -> None:
    """Go back to where the logs may meet, and try there."""
    hint = message.reject_hint
    if message.log_term > 0:
        # Our entries of terms above the one that the node has at its hint cannot be in its log.
        hint = raft.log.meeting_point(hint, message.log_term).index
    if progress.decrease(message.index, hint):
        if progress.state is ProgressState.REPLICATE:
            progress.become_probe()
        send_append(raft, message.source, progress, empty_ok=True)


def _leave_state(raft: "Raft", message: Message, progress: Progress) -> None:
    """An acknowledged append says where the logs meet, so that entries may stream."""
    match progress.state:
        case ProgressState.PROBE:
            progress.become_replicate()
        case ProgressState.SNAPSHOT:
            # Whatever it was sent: once our log reaches back to what it has, it is fed from there.
            if progress.match + 1 >= raft.log.first_index():
                progress.become_probe()
                progress.become_replicate()
        case ProgressState.REPLICATE:
            progress.inflights.free_up_to(message.index)


def maybe_commit(raft: "Raft") -> bool:
    """Commit what a quorum holds, if its last entry is of this term (section 5.4.2, figure 8)."""
    return raft.log.commit_in_term(raft.tracker.committed_index(), raft.term)


def _heartbeat_answered(raft: "Raft", message: Message, progress: Progress) -> None:
    progress.is_active = True
    progress.is_flow_paused = False
    if progress.match < raft.log.last_index() or progress.state is ProgressState.PROBE:
        send_append(raft, message.source, progress, empty_ok=True)
    if raft.options.read_only is ReadOnly.SAFE and message.context:
        raft.reads.acknowledge(message.source, message.context)
        config = raft.tracker.config
        number = joint_committed_index(
            config.incoming, config.outgoing, lambda node: raft.reads.acks.get(node, 0)
        )
        for commit, request in raft.reads.confirm(number):
            _answer_read(raft, request, commit)


def _snapshot_reported(message: Message, progress: Progress) -> None:
    """A snapshot arrived or did not; either way the next append waits for a sign of life."""
    if progress.state is not ProgressState.SNAPSHOT:
        return
    if message.reject:
        progress.pending_snapshot = 0
    progress.become_probe()
    progress.is_flow_paused = True


def _check_quorum(raft: "Raft") -> None:
    """Step down when no quorum was heard from since the last check."""
    if not raft.tracker.is_quorum_active():
        raft.become_follower(raft.term, NOBODY)
    for node, progress in raft.tracker.progress.items():
        if node != raft.id:
            progress.is_active = False


# Leadership and membership.


def _transfer(raft: "Raft", target: int, progress: Progress) -> None:
    """Let `target` take over, once its log is as long as ours."""
    if progress.is_learner:
        return
    if raft.lead_transferee != NOBODY:
        if raft.lead_transferee == target:
            return
        raft.lead_transferee = NOBODY
    if target == raft.id:
        return
    raft.election_elapsed = 0
    raft.lead_transferee = target
    if progress.match == raft.log.last_index():
        raft.send(Message(MessageType.TIMEOUT_NOW, target))
    else:
        send_append(raft, target, progress, empty_ok=True)


def config_switched(raft: "Raft") -> None:
    """A smaller quorum may hold more; new nodes are fed at once."""
    if maybe_commit(raft):
        broadcast_append(raft)
    else:
        for node, progress in raft.tracker.in_order():
            if node != raft.id:
                send_append(raft, node, progress, empty_ok=False)
    if raft.lead_transferee not in raft.tracker.config.voters:
        raft.lead_transferee = NOBODY


# Reads.


def _read_index(raft: "Raft", request: Message) -> None:
    """The commit index answers a read, once it is known that it is the newest one there is."""
    config = raft.tracker.config
    if len(config.incoming) == 1 and not config.is_joint:
        _answer_read(raft, request, raft.log.committed)
    elif not has_committed_in_term(raft):
        # What earlier leaders committed may be more than is known here (thesis, 6.4, step 1).
        raft.reads.postponed.append(request)
    else:
        _process_read(raft, request)


def has_committed_in_term(raft: "Raft") -> bool:
    """Whether an entry of this term is committed, so that the commit index is the cluster's."""
    return raft.log.holds(EntryID(raft.term, raft.log.committed))


def _process_read(raft: "Raft", request: Message) -> None:
    """Answer out of the lease, or have a quorum confirm that this node leads still."""
    if raft.options.read_only is ReadOnly.LEASE_BASED:
        _answer_read(raft, request, raft.log.committed)
        return
    raft.reads.add(raft.log.committed, request)
    raft.reads.acknowledge(raft.id, raft.reads.context)
    broadcast_heartbeat(raft)


def release_reads(raft: "Raft") -> None:
    """The first commit of a term lets the reads go that waited for it."""
    if raft.reads.postponed and has_committed_in_term(raft):
        waiting, raft.reads.postponed = raft.reads.postponed, []
        for request in waiting:
            _process_read(raft, request)


def _answer_read(raft: "Raft", request: Message, index: int) -> None:
    """Tell whoever asked that he may read once `index` is applied."""
    if request.source in (NOBODY, raft.id):
        context = request.entries[0].data or b""
        raft.read_states.append(ReadState(index=index, context=context))
    else:
        raft.send(
            Message(
                MessageType.READ_INDEX_RESP,
                request.source,
                index=index,
                entries=request.entries,
            )
        )
