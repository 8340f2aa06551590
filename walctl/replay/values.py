"""Between the log's values and Raft's: the same facts, for two rooms that do not know each other.

An entry of a log always says its type; one that Raft was given may leave it out, which means the
same. So what was written and read back differs from what was in memory in that, and nothing else.
"""

from walctl.model import record
from walctl.raft import types
from walctl.wal.records import entry_kind


def raft_entry(entry: record.Entry) -> types.Entry:
    """An entry of the log as Raft has it."""
    return types.Entry(entry.term, entry.index, entry.raw_kind, entry.payload)


def log_entry(entry: types.Entry) -> record.Entry:
    """An entry of Raft as the log has it; an absent type is that of a normal entry."""
    raw_kind = entry.type or 0
    return record.Entry(
        index=entry.index,
        term=entry.term,
        kind=entry_kind(raw_kind),
        raw_kind=raw_kind,
        payload=entry.data,
    )


def raft_state(state: record.HardState) -> types.HardState:
    """A hard state of the log as Raft has it."""
    return types.HardState(term=state.term, vote=state.vote, commit=state.commit)


def log_state(state: types.HardState) -> record.HardState:
    """A hard state of Raft as the log has it."""
    return record.HardState(term=state.term, vote=state.vote, commit=state.commit)


def raft_conf_state(conf: record.ConfState) -> types.ConfState:
    """A membership of a marker or a snapshot file as Raft has it."""
    return types.ConfState(
        voters=conf.voters,
        learners=conf.learners,
        voters_outgoing=conf.voters_outgoing,
        learners_next=conf.learners_next,
        auto_leave=conf.auto_leave,
    )


def log_conf_state(conf: types.ConfState) -> record.ConfState:
    """A membership of Raft as markers and snapshot files have it."""
    return record.ConfState(
        voters=conf.voters,
        learners=conf.learners,
        voters_outgoing=conf.voters_outgoing,
        learners_next=conf.learners_next,
        auto_leave=conf.auto_leave,
    )
