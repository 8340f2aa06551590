"""Raft's messages as etcd writes and sends them (upstream: raftpb/raft.proto).

Types are plain ints: a number that these enums lack is a finding, not a failure. Entries and
snapshots that etcd 3.7 wrote lack fields that older versions always write, so absent and zero
are kept apart, and logs of two members are compared by fields with defaults applied.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    ALWAYS,
    BOOL,
    BYTES,
    INT32,
    NESTED,
    UINT64,
    Field,
    UnknownField,
    message,
)


class EntryType(enum.IntEnum):
    """What an entry's data is."""

    NORMAL = 0
    """Whatever the state machine takes; absent for the entry a new leader starts with."""
    CONF_CHANGE = 1
    """ConfChange."""
    CONF_CHANGE_V2 = 2
    """ConfChangeV2; absent data means: leave the joint configuration."""


class ConfChangeType(enum.IntEnum):
    """What a membership change does."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2
    ADD_LEARNER_NODE = 3


class ConfChangeTransition(enum.IntEnum):
    """Whether a change goes through a joint configuration, and how that ends."""

    AUTO = 0
    JOINT_IMPLICIT = 1
    JOINT_EXPLICIT = 2


class MessageType(enum.IntEnum):
    """What a message between members is for (upstream prefix: `Msg`)."""

    HUP = 0
    BEAT = 1
    PROP = 2
    APP = 3
    APP_RESP = 4
    VOTE = 5
    VOTE_RESP = 6
    SNAP = 7
    HEARTBEAT = 8
    HEARTBEAT_RESP = 9
    UNREACHABLE = 10
    SNAP_STATUS = 11
    CHECK_QUORUM = 12
    TRANSFER_LEADER = 13
    TIMEOUT_NOW = 14
    READ_INDEX = 15
    READ_INDEX_RESP = 16
    PRE_VOTE = 17
    PRE_VOTE_RESP = 18
    STORAGE_APPEND = 19
    """Since etcd 3.6, as all that follow."""
    STORAGE_APPEND_RESP = 20
    STORAGE_APPLY = 21
    STORAGE_APPLY_RESP = 22
    FORGET_LEADER = 23


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A log entry. Upstream declares term and index first; on the wire the numbers decide.

    08 <type>   10 <term>   18 <index>   22 <length> <data>
    """

    type: Annotated[int | None, Field(1, INT32, ALWAYS)] = None
    term: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    index: Annotated[int | None, Field(3, UINT64, ALWAYS)] = None
    data: Annotated[bytes | None, Field(4, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class HardState:
    """What a node must not forget; `vote` 0 is nobody, `commit` a log index."""

    term: Annotated[int | None, Field(1, UINT64, ALWAYS)] = None
    vote: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    commit: Annotated[int | None, Field(3, UINT64, ALWAYS)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfState:
    """A membership by node id. Lists are unpacked; before etcd 3.4 there were only the voters."""

    voters: Annotated[tuple[int, ...], Field(1, UINT64)] = ()
    learners: Annotated[tuple[int, ...], Field(2, UINT64)] = ()
    voters_outgoing: Annotated[tuple[int, ...], Field(3, UINT64)] = ()
    learners_next: Annotated[tuple[int, ...], Field(4, UINT64)] = ()
    auto_leave: Annotated[bool | None, Field(5, BOOL, ALWAYS)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMetadata:
    """Where a snapshot stands. The order differs from that of walpb.Snapshot."""

    conf_state: Annotated[ConfState | None, Field(1, NESTED, ALWAYS)] = None
    index: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    term: Annotated[int | None, Field(3, UINT64, ALWAYS)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot of the state machine; etcd's `data` is the JSON of its v2 store."""

    data: Annotated[bytes | None, Field(1, BYTES)] = None
    metadata: Annotated[SnapshotMetadata | None, Field(2, NESTED, ALWAYS)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfChange:
    """A change of one member: the data of a CONF_CHANGE entry; `context` is etcd's JSON of it."""

    id: Annotated[int | None, Field(1, UINT64, ALWAYS, go="ID")] = None
    type: Annotated[int | None, Field(2, INT32, ALWAYS)] = None
    node_id: Annotated[int | None, Field(3, UINT64, ALWAYS, go="NodeID")] = None
    context: Annotated[bytes | None, Field(4, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfChangeSingle:
    """One step of a ConfChangeV2."""

    type: Annotated[int | None, Field(1, INT32, ALWAYS)] = None
    node_id: Annotated[int | None, Field(2, UINT64, ALWAYS, go="NodeID")] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfChangeV2:
    """Several changes at once: the data of a CONF_CHANGE_V2 entry. etcd itself proposes none."""

    transition: Annotated[int | None, Field(1, INT32, ALWAYS)] = None
    changes: Annotated[tuple[ConfChangeSingle, ...], Field(2, NESTED)] = ()
    context: Annotated[bytes | None, Field(3, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What members send each other; never on a disk. `vote` and `responses` since etcd 3.6.

    `from_` is upstream's `from`, which Python keeps for itself.
    """

    type: Annotated[int | None, Field(1, INT32, ALWAYS)] = None
    to: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    from_: Annotated[int | None, Field(3, UINT64, ALWAYS)] = None
    term: Annotated[int | None, Field(4, UINT64, ALWAYS)] = None
    log_term: Annotated[int | None, Field(5, UINT64, ALWAYS)] = None
    index: Annotated[int | None, Field(6, UINT64, ALWAYS)] = None
    entries: Annotated[tuple[Entry, ...], Field(7, NESTED)] = ()
    commit: Annotated[int | None, Field(8, UINT64, ALWAYS)] = None
    snapshot: Annotated[Snapshot | None, Field(9, NESTED)] = None
    reject: Annotated[bool | None, Field(10, BOOL, ALWAYS)] = None
    reject_hint: Annotated[int | None, Field(11, UINT64, ALWAYS)] = None
    context: Annotated[bytes | None, Field(12, BYTES)] = None
    vote: Annotated[int | None, Field(13, UINT64, ALWAYS)] = None
    responses: Annotated[tuple["Message", ...], Field(14, NESTED)] = ()
    unknown: tuple[UnknownField, ...] = ()


ENTRY: Final = Codec(Entry)
HARD_STATE: Final = Codec(HardState)
CONF_STATE: Final = Codec(ConfState)
SNAPSHOT: Final = Codec(Snapshot)
CONF_CHANGE: Final = Codec(ConfChange)
CONF_CHANGE_V2: Final = Codec(ConfChangeV2)
MESSAGE: Final = Codec(Message)
