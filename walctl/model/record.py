"""What one record of any Raft log is, where it lies, and what can be said of its bytes.

The model holds what etcd needs in a shape that other formats fit. `Record` is a sum type: a
format maps its records onto it and never extends it in silence.
"""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes `[start, stop)` of one file, counted from its start."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes covered."""
        return self.stop - self.start


class Check(enum.StrEnum):
    """What is known of a record's bytes. Nothing that is not `VERIFIED` may be printed as "ok"."""

    VERIFIED = "verified"
    """Its own checksum, continued from a predecessor that is itself known, fits."""
    IMPLIED = "implied"
    """No checksum reaches its bytes, but the chain goes on from the checksum it stores."""
    UNVERIFIABLE = "unverifiable"
    """Nothing vouches for it."""
    FAILED = "failed"
    """Its checksum does not fit its bytes."""
    SKIPPED = "skipped"
    """Not looked at: encrypted, or an unknown codec."""


class Liveness(enum.StrEnum):
    """Whether a record still counts when the log is put together."""

    LIVE = "live"
    SUPERSEDED = "superseded"
    """A later record has the same index: a new leader replaced it (dump: `overwritten`)."""
    COMPACTED = "compacted"
    """At or below the snapshot that the log starts from."""


class EntryKind(enum.StrEnum):
    """What a Raft entry is for; the raw number stays in `Entry.raw_kind`."""

    NORMAL = "normal"
    CONF_CHANGE = "conf-change"
    CONF_CHANGE_V2 = "conf-change-v2"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A Raft log entry; `payload` is what the state machine gets (`None`: absent)."""

    index: int
    term: int
    kind: EntryKind
    raw_kind: int
    payload: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HardState:
    """What a Raft node must remember; `vote` 0 is nobody. `commit` is a log index."""

    term: int
    vote: int
    commit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfState:
    """A membership by node id, as Raft has it."""

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMark:
    """The log's note that a snapshot at (index, term) exists; `conf_state` where it has one."""

    index: int
    term: int
    conf_state: ConfState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Whose log it is. Ids are `None` when `raw` is not the owner's encoding of them."""

    node_id: int | None
    cluster_id: int | None
    raw: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A record that only carries the running checksum (etcd: the CRC record of a segment head)."""

    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A record of a type that the format does not have, or whose payload does not parse."""

    raw_type: int | None
    payload: bytes | None
    reason: str


Record = Entry | HardState | SnapshotMark | Metadata | Checkpoint | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One record with its place: for damage, explain and screens (bulk work uses `Batch`).

    `span` is the whole frame, `payload` the bytes under the checksum (`None`: the record has
    none). `stored` and `computed` are checksums; `computed` is `None` where no predecessor is
    known.
    """

    segment: str
    span: Span
    payload: Span | None
    record: Record
    check: Check
    stored: int | None
    computed: int | None
