"""The bytes of a row for those who look at bytes: which part of a frame each is, which are hidden.

Positions here count from the row's first byte, where `Frame` counts from the start of the file.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from formats import raftpb, walpb
from formats.codec import Codec
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.inspect.row import RAW_BYTES_MAX, FindingRow, RecordRow, Row
from walctl.model.record import Check, Entry, HardState, Record, SnapshotMark, Span, Unknown
from walctl.payload.base import Redaction
from walctl.payload.privacy import hidden_spans
from walctl.render.text import byte_count

READS_AS_ETCD: Final = frozenset({"etcd", "k8s", "raft"})
"""Decoders that read what the codecs of `formats` declare for etcd's log."""
COMPRESSED: Final = "compressed"
"""In the tree of a request whose payload had to be opened first."""


_DATA: Final[Mapping[type[Record], Codec[Any]]] = {
    Entry: raftpb.ENTRY,
    HardState: raftpb.HARD_STATE,
    SnapshotMark: walpb.SNAPSHOT,
}
"""What the data of a record is that was lifted as one of these."""


class Part(enum.Enum):
    """What a byte of a frame belongs to."""

    LENGTH = "length field"
    HEAD = "record head"
    PAYLOAD = "payload"
    """The bytes under the checksum."""
    PADDING = "padding"
    DAMAGE = "damage"
    """Bytes that belong to no frame, or nobody knows to which."""


def parts(row: Row) -> tuple[tuple[Part, Span], ...]:
    """The parts of a row's bytes, from the first to the last, none of them empty."""
    size = len(row.raw)
    if isinstance(row, FindingRow):
        return _filled([(Part.DAMAGE, Span(0, size))])
    start = row.frame.span.start
    record_bytes = split_length(int.from_bytes(row.raw[:LENGTH_FIELD_BYTES], "little")).record_bytes
    stop = min(LENGTH_FIELD_BYTES + record_bytes, size)
    payload = row.frame.payload
    head_stop = stop if payload is None else min(payload.start - start, stop)
    return _filled(
        [
            (Part.LENGTH, Span(0, min(LENGTH_FIELD_BYTES, size))),
            (Part.HEAD, Span(LENGTH_FIELD_BYTES, head_stop)),
            (Part.PAYLOAD, Span(head_stop, stop)),
            (Part.PADDING, Span(stop, size)),
        ]
    )


def _filled(found: list[tuple[Part, Span]]) -> tuple[tuple[Part, Span], ...]:
    return tuple((part, span) for part, span in found if span.start < span.stop)


def hidden_bytes(row: Row, redaction: Redaction) -> tuple[Span, ...]:
    """The bytes of a row that may not be shown, ascending and apart.

    Of damage nobody knows what it holds, so it is hidden as a whole.
    """
    if redaction is Redaction.NONE:
        return ()
    if isinstance(row, FindingRow):
        is_all = row.hides_bytes(redaction)
        return (Span(0, min(len(row.raw), RAW_BYTES_MAX)),) if is_all else ()
    if row.hides_payload(redaction) or _may_hold_more(row):
        return tuple(_hidden_of_record(row, redaction))
    return ()


def _may_hold_more(row: RecordRow) -> bool:
    """Whether a damaged frame has bytes that its record does not speak of."""
    if row.frame.check is not Check.FAILED:
        return False
    record, payload = row.frame.record, row.frame.payload
    if isinstance(record, Entry | Unknown) and row.request is None:
        return True
    codec = _DATA.get(type(record))
    if payload is None or codec is None:
        return False
    start = row.frame.span.start
    fields = codec.spans(row.raw[payload.start - start : payload.stop - start])
    return any(field.name is None for field in fields)


def _hidden_of_record(row: RecordRow, redaction: Redaction) -> Iterator[Span]:
    """What of a record's data is hidden: of an entry of etcd its private fields, else all.

    The fields are looked up, since a frame from elsewhere may have them in any order, twice, or
    among others that nobody knows: of those, all is hidden.
    """
    record, raw = row.frame.record, row.raw
    length = split_length(int.from_bytes(raw[:LENGTH_FIELD_BYTES], "little"))
    stop = LENGTH_FIELD_BYTES + length.record_bytes
    for data in _data_of(walpb.RECORD, raw, LENGTH_FIELD_BYTES, stop):
        if not isinstance(record, Entry):
            yield data
            continue
        fields = _private_fields(row, record, redaction)
        for inner in _data_of(raftpb.ENTRY, raw, data.start, data.stop):
            if raw[inner.start : inner.stop] == record.payload:
                yield from (_moved(each, inner.start) for each in fields)
            else:
                yield inner


def _private_fields(row: RecordRow, entry: Entry, redaction: Redaction) -> tuple[Span, ...]:
    """The private bytes of a payload that holds some; all of it where they cannot be told."""
    payload = entry.payload or b""
    everything = (Span(0, len(payload)),)
    request = row.request
    if request is None or request.decoder not in READS_AS_ETCD or COMPRESSED in request.body:
        return everything
    # Something is private, so where no field is found to be, the two do not speak of the same.
    return hidden_spans(payload, redaction, entry.kind) or everything


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.stop + by)


def _data_of(codec: Codec[Any], raw: bytes, start: int, stop: int) -> Iterator[Span]:
    """Where `data` and unknown fields lie in a message at `[start, stop)`; all, if it is none."""
    try:
        fields = codec.spans(raw[start:stop])
    except FormatError:
        yield Span(start, min(stop, len(raw)))
        return
    for field in fields:
        if field.name in ("data", None) and field.value_start < field.value_stop:
            yield Span(start + field.value_start, start + field.value_stop)


def with_own_bytes(rows: Iterable[Row]) -> Iterator[tuple[Row, bytes]]:
    """Each row with the bytes to show below it.

    Damage and the record that it is about come one after the other, and have the same bytes: they
    are shown once, at the record. What damage is told of may be long, and is cut.
    """
    before: Row | None = None
    waiting: FindingRow | None = None
    for row in rows:
        if waiting is not None:
            yield waiting, b"" if _is_about(waiting, row) else waiting.raw[:RAW_BYTES_MAX]
            waiting = None
        if isinstance(row, RecordRow):
            before = row
            yield row, row.raw
        elif before is not None and _is_about(row, before):
            yield row, b""
        else:
            waiting = row
    if waiting is not None:
        yield waiting, waiting.raw[:RAW_BYTES_MAX]


def _is_about(damage: FindingRow, row: Row) -> bool:
    """Whether a record begins where damage does."""
    if isinstance(row, FindingRow):
        return False
    place = damage.finding.place
    return (place.segment, place.offset) == (row.frame.segment, row.frame.span.start)


def more_words(row: Row, raw: bytes) -> str:
    """A note on the bytes of damage that are not among `raw`; empty where there are none."""
    if isinstance(row, RecordRow) or not raw:
        return ""
    stop, start = row.finding.stop, row.finding.place.offset
    if stop is None or start is None or stop - start <= len(raw):
        return ""
    return f"and {byte_count(stop - start - len(raw))} more"
