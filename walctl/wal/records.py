"""What a record's payload says: from bytes and a type number to a value of the model.

The type of a record is outside its checksum, so a payload is also held against the other types:
one that fits a type which its record does not name is `Unknown`, with the reason. How frames are
found, and what becomes of a suspicious one, is decided elsewhere.

    type  name      payload
    1     metadata  etcdserverpb.Metadata (any bytes for other owners)
    2     entry     raftpb.Entry
    3     state     raftpb.HardState
    4     crc       none
    5     snapshot  walpb.Snapshot
"""

from typing import Final

from formats import etcdserverpb, raftpb, walpb
from formats.errors import FormatError
from formats.walpb import RecordType
from walctl.model.record import (
    Checkpoint,
    ConfState,
    Entry,
    EntryKind,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Unknown,
)

TYPE_NAMES = {
    RecordType.METADATA: "metadata",
    RecordType.ENTRY: "entry",
    RecordType.STATE: "state",
    RecordType.CRC: "crc",
    RecordType.SNAPSHOT: "snapshot",
}

ENTRY_KINDS: Final = {0: EntryKind.NORMAL, 1: EntryKind.CONF_CHANGE, 2: EntryKind.CONF_CHANGE_V2}
"""What an entry is for, by the number that it has on the wire."""


def type_name(raw_type: int | None) -> str:
    """The word for a type number; `type N` for one that etcd does not have."""
    if raw_type in TYPE_NAMES:
        return TYPE_NAMES[RecordType(raw_type)]
    return f"type {raw_type or 0}"


def name_of(record: Record) -> str:
    """The word for what a value of the model is."""
    match record:
        case Entry():
            return "entry"
        case HardState():
            return "state"
        case SnapshotMark():
            return "snapshot"
        case Metadata():
            return "metadata"
        case Checkpoint():
            return "crc"
        case Unknown(raw_type=raw):
            return type_name(raw)


def lift(raw_type: int | None, payload: bytes | None, crc: int) -> Record:
    """The record of this type with this payload, or `Unknown` with the reason.

    `crc` is what the record stores; only a CRC record's value is made of it. Never raises.
    """
    if raw_type == RecordType.CRC:
        if payload is None:
            return Checkpoint(value=crc)
        return _suspect(raw_type, payload, "a crc record carries no data")
    if raw_type == RecordType.METADATA:
        return _metadata(payload)
    if raw_type not in (RecordType.ENTRY, RecordType.STATE, RecordType.SNAPSHOT):
        return _suspect(raw_type, payload, f"etcd has no record of type {raw_type or 0}")
    if payload is None:
        return _suspect(raw_type, payload, f"a {type_name(raw_type)} record without data")
    try:
        record, is_strict = _lift_typed(RecordType(raw_type), payload)
    except FormatError as error:
        return _suspect(raw_type, payload, error.message)
    if not is_strict and readings(payload, but_not=raw_type):
        return _suspect(raw_type, payload, f"odd as {type_name(raw_type)}")
    return record


def readings(payload: bytes | None, *, but_not: int | None = None) -> dict[RecordType, Record]:
    """Every type that `payload` fits exactly as etcd would have written it.

    Metadata is not among them: its bytes are its owner's business.
    """
    found: dict[RecordType, Record] = {}
    for candidate in (RecordType.ENTRY, RecordType.SNAPSHOT, RecordType.STATE):
        if candidate == but_not or payload is None:
            continue
        try:
            record, is_strict = _lift_typed(candidate, payload)
        except FormatError:
            continue
        if is_strict:
            found[candidate] = record
    return found


def _suspect(raw_type: int | None, payload: bytes | None, why: str) -> Unknown:
    fits = [type_name(kind) for kind in readings(payload, but_not=raw_type)]
    reason = why if not fits else f"{why}; the payload fits: {' or '.join(fits)}"
    return Unknown(raw_type=raw_type, payload=payload, reason=reason)


def _lift_typed(kind: RecordType, payload: bytes) -> tuple[Record, bool]:
    """The value, and whether all that etcd always writes is there and nothing else."""
    if kind == RecordType.ENTRY:
        return lift_entry(raftpb.ENTRY.parse(payload))
    if kind == RecordType.STATE:
        state = raftpb.HARD_STATE.parse(payload)
        fields = (state.term, state.vote, state.commit)
        value = HardState(term=state.term or 0, vote=state.vote or 0, commit=state.commit or 0)
        return value, None not in fields and not state.unknown
    snapshot = walpb.SNAPSHOT.parse(payload)
    mark = SnapshotMark(
        index=snapshot.index or 0,
        term=snapshot.term or 0,
        conf_state=None if snapshot.conf_state is None else lift_conf_state(snapshot.conf_state),
    )
    return mark, None not in (snapshot.index, snapshot.term) and not snapshot.unknown


def lift_entry(entry: raftpb.Entry) -> tuple[Entry, bool]:
    """An entry of the model, and whether it is one that etcd could have written."""
    raw_kind = entry.type or 0
    value = Entry(
        index=entry.index or 0,
        term=entry.term or 0,
        kind=ENTRY_KINDS.get(raw_kind, EntryKind.UNKNOWN),
        raw_kind=raw_kind,
        payload=entry.data,
    )
    is_strict = raw_kind in ENTRY_KINDS and bool(entry.index and entry.term) and not entry.unknown
    return value, is_strict


def lift_conf_state(conf: raftpb.ConfState) -> ConfState:
    """A membership of the model; an absent flag is false."""
    return ConfState(
        voters=conf.voters,
        learners=conf.learners,
        voters_outgoing=conf.voters_outgoing,
        learners_next=conf.learners_next,
        auto_leave=bool(conf.auto_leave),
    )


def _metadata(payload: bytes | None) -> Metadata:
    """Ids where the bytes are etcd's metadata; other owners keep their own bytes there."""
    try:
        parsed = etcdserverpb.METADATA.parse(payload or b"")
    except FormatError:
        return Metadata(node_id=None, cluster_id=None, raw=payload)
    if parsed.unknown or None in (parsed.node_id, parsed.cluster_id):
        return Metadata(node_id=None, cluster_id=None, raw=payload)
    return Metadata(node_id=parsed.node_id, cluster_id=parsed.cluster_id, raw=payload)
