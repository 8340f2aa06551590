"""Raft's values as the messages of `formats.raftpb`, and back: what is written and what is sent.

Here alone absent and zero are told apart. What is built has the fields that etcd's Raft sets: an
ordinary proposal has no type, a v1 change no id unless it was given one.
"""

from formats import raftpb
from formats.raftpb import EntryType
from walctl.raft.errors import RaftPanic
from walctl.raft.types import (
    Change,
    ConfChange,
    ConfState,
    Entry,
    HardState,
    Snapshot,
)


def parse_conf_change(entry: Entry) -> ConfChange:
    """The membership change in an entry. What does not parse breaks an invariant."""
    data = entry.data or b""
    try:
        if entry.type == EntryType.CONF_CHANGE:
            one = raftpb.CONF_CHANGE.parse(data)
            change = Change(kind=one.type or 0, node_id=one.node_id or 0)
            return ConfChange(changes=(change,), context=one.context, is_v1=True, id=one.id or 0)
        found = raftpb.CONF_CHANGE_V2.parse(data)
    except ValueError as error:
        raise RaftPanic(f"entry {entry.index}: no membership change: {error}") from error
    return ConfChange(
        changes=tuple(
            Change(kind=each.type or 0, node_id=each.node_id or 0) for each in found.changes
        ),
        transition=found.transition or 0,
        context=found.context,
    )


def conf_change_entry(change: ConfChange) -> Entry:
    """The entry that proposes a membership change."""
    if change.is_v1:
        (one,) = change.changes
        data = raftpb.CONF_CHANGE.build(
            raftpb.ConfChange(
                id=change.id or None, type=one.kind, node_id=one.node_id, context=change.context
            )
        )
        return Entry(type=EntryType.CONF_CHANGE, data=data)
    singles = tuple(
        raftpb.ConfChangeSingle(type=each.kind, node_id=each.node_id) for each in change.changes
    )
    data = raftpb.CONF_CHANGE_V2.build(
        raftpb.ConfChangeV2(transition=change.transition, changes=singles, context=change.context)
    )
    return Entry(type=EntryType.CONF_CHANGE_V2, data=data)


def lift_entry(found: raftpb.Entry) -> Entry:
    """An entry that was read."""
    return Entry(found.term or 0, found.index or 0, found.type, found.data)


def lower_entry(entry: Entry) -> raftpb.Entry:
    """An entry to be written."""
    return raftpb.Entry(type=entry.type, term=entry.term, index=entry.index, data=entry.data)


def lift_hard_state(found: raftpb.HardState) -> HardState:
    """A hard state that was read."""
    return HardState(term=found.term or 0, vote=found.vote or 0, commit=found.commit or 0)


def lower_hard_state(state: HardState) -> raftpb.HardState:
    """A hard state to be written."""
    return raftpb.HardState(term=state.term, vote=state.vote, commit=state.commit)


def lift_conf_state(found: raftpb.ConfState) -> ConfState:
    """A membership that was read."""
    return ConfState(
        voters=found.voters,
        learners=found.learners,
        voters_outgoing=found.voters_outgoing,
        learners_next=found.learners_next,
        auto_leave=bool(found.auto_leave),
    )


def lift_snapshot(found: raftpb.Snapshot) -> Snapshot:
    """A snapshot that was read."""
    metadata = found.metadata or raftpb.SnapshotMetadata()
    conf = metadata.conf_state
    return Snapshot(
        index=metadata.index or 0,
        term=metadata.term or 0,
        conf_state=ConfState() if conf is None else lift_conf_state(conf),
        data=found.data,
    )
