"""Raft's messages as bytes, for the streams between nodes; the data of a snapshot goes apart.

The bytes are those of `formats.raftpb.Message`, by upb itself: the declared codec would take ten
times as long, and a node says some thousand messages a second. A test holds one against the other.
"""

from typing import Any

from formats.errors import WireError
from formats.peek import peeker
from formats.raftpb import MESSAGE, MessageType
from walctl.raft.types import ConfState, Entry, Message, Snapshot

_peek = peeker(MESSAGE)
_TYPES = {int(each): each for each in MessageType}
_LISTS = ("voters", "learners", "voters_outgoing", "learners_next")


def message_bytes(message: Message) -> bytes:
    """A message, without the data of its snapshot."""
    wire = MESSAGE.fast_class(
        type=message.type,
        to=message.target,
        from_=message.source,
        term=message.term,
        log_term=message.log_term,
        index=message.index,
        commit=message.commit,
        reject=message.reject,
        reject_hint=message.reject_hint,
    )
    if message.context:
        wire.context = message.context
    for entry in message.entries:
        added = wire.entries.add(type=entry.type or 0, term=entry.term, index=entry.index)
        if entry.data is not None:
            added.data = entry.data
    if message.snapshot is not None:
        _lower(wire.snapshot.metadata, message.snapshot)
    made: bytes = wire.SerializeToString()
    return made


def parse_message(data: bytes) -> Message:
    """A message that another node sent. Raises: WireError."""
    wire = _peek(data)
    if wire is None or wire.type not in _TYPES:
        raise WireError("no message that a node of a lab sends", offset=0)
    return Message(
        _TYPES[wire.type],
        wire.to,
        wire.from_,
        term=wire.term,
        log_term=wire.log_term,
        index=wire.index,
        entries=tuple(map(_entry, wire.entries)) if wire.entries else (),
        commit=wire.commit,
        snapshot=_lifted(wire.snapshot) if wire.HasField("snapshot") else None,
        reject=wire.reject,
        reject_hint=wire.reject_hint,
        context=wire.context,
    )


def _entry(wire: Any) -> Entry:
    return Entry(
        wire.term, wire.index, wire.type or None, wire.data if wire.HasField("data") else None
    )


def _lower(metadata: Any, snapshot: Snapshot) -> None:
    metadata.index, metadata.term = snapshot.index, snapshot.term
    conf = snapshot.conf_state
    for name in _LISTS:
        getattr(metadata.conf_state, name).extend(getattr(conf, name))
    metadata.conf_state.auto_leave = conf.auto_leave


def _lifted(wire: Any) -> Snapshot:
    metadata = wire.metadata
    lists = {name: tuple(getattr(metadata.conf_state, name)) for name in _LISTS}
    return Snapshot(
        index=metadata.index,
        term=metadata.term,
        conf_state=ConfState(auto_leave=metadata.conf_state.auto_leave, **lists),
    )
