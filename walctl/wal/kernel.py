"""The inside of the scan: whole frames of a window into one batch, until something stops it.

This is the hot path, and the one function that a compiled kernel may replace. How it is fast:

* The head of a record is looked at as integers. A frame's length field decides where everything
  lies (`_Shape`, kept per length), if the head is the one that etcd writes: type, a checksum of
  five bytes, data to the end of the record.
* The next entry of a run differs from the one before in the low byte of its index, until that
  wraps. So one comparison of the entry's head with the expected integer replaces its decoding
  (`_Template`), and only what does not compare is read through the definition.
* The checksum runs over views; no payload is copied.

Everything that is not exactly so goes through `_Kernel.general`, where the definition decides. A
test holds the two against each other on every frame of real logs.
"""

import enum
import struct
from dataclasses import dataclass

import crc32c

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import RECORD_BYTES_MAX
from walctl.model.batch import Batch
from walctl.model.log import PlacedEntry, PlacedMark, PlacedMetadata, Run
from walctl.model.record import (
    Checkpoint,
    Entry,
    EntryKind,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Unknown,
)
from walctl.wal.records import lift
from walctl.wal.window import LEAD_BYTES, Window

OLD_RECORD_BYTES_MAX = 10 << 20
"""etcd 3.4 and 3.5.0-3.5.4 refuse records (with padding) of this many bytes, even their own."""

_HEAD = struct.Struct("<QQQQ").unpack_from
_PAIR = struct.Struct("<QQ").unpack_from
_ALL = (1 << 64) - 1

# Bytes 0..7 of a record: 08 TYPE 10, then a checksum varint of exactly five bytes.
_RECORD_MASK = 0xF080_8080_80FF_FFFF
_ENTRY_HEAD = 0x0080_8080_8010_0208
_STATE_HEAD = 0x0080_8080_8010_0308

_SHAPES_MAX = 1 << 14
_NEVER = -(1 << 80)
"""Expected head of an entry when none is expected: no eight bytes compare equal to it."""


class Halt(enum.Enum):
    """Why the kernel stopped at `Cursor.position`."""

    WINDOW = "the window ends"
    END = "the file ends between two frames"
    ZERO = "a length field of zero"
    SHORT = "the file ends inside a length field"
    LENGTH = "a length that reaches beyond the file, or beyond what walctl reads"
    RECORD = "bytes that are no record"
    CRC = "a checksum that does not fit"
    TYPE = "a payload that does not fit its record's type"


@dataclass(slots=True)
class Cursor:
    """Where a scan of one segment stands; it outlives windows and batches.

    `running` is the checksum after the last whole record (`None`: not known, so that the next
    record's is taken on trust). `last_*` are what the records so far said, for judging the next.
    """

    position: int = 0
    running: int | None = None
    last_index: int = 0
    last_state: HardState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One frame taken apart, before any verdict on it; offsets are of the file."""

    start: int
    stop: int
    raw_type: int | None
    stored: int
    payload: bytes | None
    payload_start: int


def is_odd_length(word: int) -> bool:
    """Whether a length field has bits that etcd never sets, though it reads past them."""
    return not split_length(word).is_canonical


@dataclass(slots=True)
class _Template:
    """What the head of the next entry of a run looks like, as two little-endian integers."""

    layout: tuple[int, int, bool]
    """Bytes of the head up to the index, behind it, and whether a payload follows."""
    expected: tuple[int, int]
    step: int


def _varint_stop(data: bytes, start: int) -> int:
    """Offset behind the varint at `start`; -1 when it does not end within five bytes."""
    for position in range(start, min(start + 5, len(data))):
        if data[position] < 0x80:
            return position + 1
    return -1


def _template(data: bytes) -> _Template | None:
    """The template after the entry `data`, or `None` for a head that is not the usual one."""
    position = 2 if data[:2] == b"\x08\x00" else 0
    if data[position : position + 1] != b"\x10":
        return None
    index_start = _varint_stop(data, position + 1) + 1
    if index_start <= position + 2 or data[index_start - 1 : index_start] != b"\x18":
        return None
    index_stop = _varint_stop(data, index_start)
    if index_stop < 0 or index_start > 7:
        return None
    has_payload = data[index_stop : index_stop + 1] == b"\x22"
    head = int.from_bytes(data[:index_stop], "little") + (1 << 8 * index_start)
    return _Template(
        layout=(index_start, index_stop, has_payload),
        expected=(head & _ALL, head >> 64),
        step=1 << 8 * index_start,
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_Shape = tuple[int, int, int, int, int, int, int, int, int, int]
"""For one length field: mask and value of bytes 8..15 of the record; where the data begins and the
record ends and the frame ends, from the frame's start; how far to shift the eight bytes before the
next frame to see this one's padding; masks and values of the entry's head (see `_Template`)."""


def _shape(word: int, layout: tuple[int, int, bool] | None) -> _Shape | None:
    """How a frame with this length field is laid out if etcd wrote it; `None` if it cannot be."""
    length = split_length(word)
    size = length.record_bytes
    for width in (1, 2, 3):
        data_bytes = size - 9 - width
        encoded = _varint(max(data_bytes, 0))
        if data_bytes > 0 and len(encoded) == width:
            break
    else:
        return None
    if not length.is_canonical or size > RECORD_BYTES_MAX or size >= OLD_RECORD_BYTES_MAX - 7:
        return None
    prefix = b"\x1a" + encoded
    tail_mask = head_mask = tail = 0
    if layout is not None:
        _, index_stop, has_payload = layout
        head_mask = (1 << 8 * index_stop) - 1
        if has_payload:
            inner = next(
                (n for n in (1, 2, 3) if len(_varint(data_bytes - index_stop - 1 - n)) == n), 0
            )
            if not inner or index_stop + 1 + inner > 16 or data_bytes < index_stop + 1 + inner:
                return None
            field = b"\x22" + _varint(data_bytes - index_stop - 1 - inner)
            tail = int.from_bytes(field, "little") << 8 * index_stop
            tail_mask = ((1 << 8 * len(field)) - 1) << 8 * index_stop
        elif data_bytes != index_stop:
            return None
    mask = head_mask | tail_mask
    return (
        (1 << 8 * len(prefix)) - 1,
        int.from_bytes(prefix, "little"),
        LENGTH_FIELD_BYTES + 9 + width,
        LENGTH_FIELD_BYTES + size,
        LENGTH_FIELD_BYTES + size + length.padding_bytes,
        64 - 8 * length.padding_bytes,
        mask & _ALL,
        tail & _ALL,
        mask >> 64,
        tail >> 64,
    )


class Kernel:
    """Reads frames of one segment; one object a scan, `read` once a batch."""

    def __init__(self, segment: str, window: Window, cursor: Cursor) -> None:
        self.segment = segment
        self.window = window
        self.cursor = cursor
        self.head: Head | None = None
        """The frame at which the last `read` halted for its checksum or its type."""
        self.words = ""
        """What the parser said, where the last `read` halted at bytes that are no record."""
        self._shapes: dict[int, _Shape | None] = {}
        self._state_shapes: dict[int, _Shape | None] = {}
        self._template: _Template | None = None
        self._layout: tuple[int, int, bool] | None = None
        self._pad_shift = 64
        self._state_prefix = b"\xff"
        self._state_key = (0, 0)

    def read(self) -> tuple[Batch, Halt]:
        """Whole, checked frames from the cursor on, and why it stopped; moves the cursor."""
        window, cursor = self.window, self.cursor
        batch = Batch(
            segment=self.segment,
            base=window.base,
            data=window.view,
            seed=cursor.running,
            start=cursor.position,
            stop=cursor.position,
        )
        self._pad_shift = 64
        halt = None
        while halt is None:
            if cursor.running is not None:
                self._hot(batch)
            halt = self.general(batch)
        batch.stop = cursor.position
        batch.crc = cursor.running or 0
        return batch, halt

    def _hot(self, batch: Batch) -> None:
        """The frames that look like the ones before them; stops in front of the first other one."""
        window, cursor = self.window, self.cursor
        view, buffer, base = window.view, window.buffer, window.base
        limit = window.stop - base
        shape_of, state_shape_of = self._shapes.get, self._state_shapes.get
        template, pad_shift = self._template, self._pad_shift
        crc_of, unpack, unpack_pair = crc32c.crc32c, _HEAD, _PAIR
        offsets, add_offset = batch.offsets, batch.offsets.append
        state_prefix, prefix_bytes = self._state_prefix, len(self._state_prefix)
        running = cursor.running or 0
        at = cursor.position - base
        low, high, step = (*template.expected, template.step) if template else (_NEVER, 0, 0)
        run = batch.runs[-1] if batch.runs else None
        if run is None or run.last != cursor.last_index:
            low = _NEVER
        entry_count = 0
        entry_stop = 0
        while at + 8 <= limit:
            lead, word, a, b = unpack(buffer, at - 8)
            kind = a & _RECORD_MASK
            shape = shape_of(word) if kind == _ENTRY_HEAD else state_shape_of(word)
            if shape is None or lead >> pad_shift:
                break
            b_mask, b_value, data, end, stop, shift, m0, v0, m1, v1 = shape
            if b & b_mask != b_value or at + stop > limit:
                break
            computed = crc_of(view[at + data : at + end], running)
            if computed != (
                a >> 24 & 0x7F
                | a >> 25 & 0x3F80
                | a >> 26 & 0x1FC000
                | a >> 27 & 0xFE00000
                | a >> 28 & 0xF0000000
            ):
                break
            if kind == _ENTRY_HEAD:
                head, rest = unpack_pair(buffer, at + data)
                if head & m0 != low + v0 or rest & m1 != high + v1:
                    break
                low += step
                entry_count += 1
                entry_stop = at + stop
            elif kind == _STATE_HEAD:
                raw = view[at + data : at + end].tobytes()
                if not raw.startswith(state_prefix):
                    break
                commit = _commit_of(raw, prefix_bytes)
                if commit < 0:
                    break
                batch.state_offsets.append(base + at)
                batch.state_terms.append(self._state_key[0])
                batch.state_votes.append(self._state_key[1])
                batch.state_commits.append(commit)
            else:
                break
            running = computed
            add_offset(at)
            pad_shift = shift
            at += stop
        self._pad_shift = pad_shift
        if not offsets or at == cursor.position - base:
            return
        cursor.position, cursor.running = base + at, running
        if entry_count and run is not None and template is not None:
            template.expected = (low, high)
            run.last += entry_count
            run.stop = base + entry_stop
            batch.entries += entry_count
            cursor.last_index = run.last
        if batch.state_commits and self._state_key[0]:
            cursor.last_state = HardState(
                term=batch.state_terms[-1],
                vote=batch.state_votes[-1],
                commit=batch.state_commits[-1],
            )

    def general(self, batch: Batch) -> Halt | None:
        """One frame by the definition; `None` when it was whole and is in `batch`."""
        window, cursor = self.window, self.cursor
        at = cursor.position
        self.head = None
        self._check_padding(batch)
        if window.size - at < LENGTH_FIELD_BYTES:
            return Halt.END if at >= window.size else Halt.SHORT
        if not window.holds(at, at + LENGTH_FIELD_BYTES):
            return Halt.WINDOW
        word = _PAIR(window.buffer, at - window.base)[0]
        if word == 0:
            return Halt.ZERO
        length = split_length(word)
        stop = at + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        if stop > window.size or length.record_bytes > RECORD_BYTES_MAX:
            return Halt.LENGTH
        if not window.holds(at, stop):
            if self._is_hopeless(at):
                return Halt.RECORD
            if window.base + LEAD_BYTES != at:
                return Halt.WINDOW
            window.load(at, at_least=stop - at)
            if not window.holds(at, stop):
                return Halt.LENGTH
            batch.base, batch.data = window.base, window.view
        return self._record(batch, at, stop, word)

    def _is_hopeless(self, at: int) -> bool:
        """Whether a frame larger than the window does not even begin like a record."""
        head = self.window.bytes_at(at + 8, at + 11)
        return len(head) < 3 or head[0] != 0x08 or head[2] != 0x10

    def _check_padding(self, batch: Batch) -> None:
        """Note padding that is not zero in front of the cursor."""
        at = self.cursor.position - self.window.base
        if _PAIR(self.window.buffer, at - 8)[0] >> self._pad_shift:
            batch.odd_padding.append(self.cursor.position)
        self._pad_shift = 64

    def _record(self, batch: Batch, at: int, stop: int, word: int) -> Halt | None:
        window, cursor = self.window, self.cursor
        length = split_length(word)
        body = at + LENGTH_FIELD_BYTES - window.base
        try:
            record = walpb.RECORD.parse(window.view[body : body + length.record_bytes])
        except FormatError as error:
            self.words = error.message
            return Halt.RECORD
        payload = record.data
        stored = record.crc or 0
        # The data is field 3 and so the last one; only an unknown field may stand behind it.
        payload_start = at + LENGTH_FIELD_BYTES + length.record_bytes - len(payload or b"")
        self.head = Head(
            start=at,
            stop=stop,
            raw_type=record.type,
            stored=stored,
            payload=payload,
            payload_start=payload_start,
        )
        running = cursor.running
        if running is not None and crc32c.crc32c(payload or b"", running) != stored:
            return Halt.CRC
        value = lift(record.type, payload, stored)
        if isinstance(value, Unknown) or self._is_out_of_place(value, payload):
            return Halt.TYPE
        self.accept(batch, value, self.head)
        if not length.is_canonical:
            batch.odd_padding.append(at)
        self._learn(value, payload, word)
        self._pad_shift = 64 - 8 * length.padding_bytes
        return None

    def _is_out_of_place(self, value: Record, payload: bytes | None) -> bool:
        """Whether a payload fits two types, and the log says that the other one is right.

        An entry without data and a hard state have the same shape. A state that forgets its term
        but is, read as an entry, just the next one, is that entry; an entry with the vote of the
        last state as its term is a state.
        """
        last = self.cursor.last_state
        if last is None:
            return False
        match value:
            case HardState(term=term, vote=vote, commit=commit):
                is_next = commit == self.cursor.last_index + 1 and vote >= last.term
                return term == 0 and last.term > 0 and is_next and len(payload or b"") < 12
            case Entry(payload=None, raw_kind=kind, term=term):
                return kind == last.term and term == last.vote and term != 0
            case _:
                return False

    def accept(self, batch: Batch, value: Record, head: Head) -> None:
        """Put one record that is believed into the batch and move the cursor behind it."""
        cursor = self.cursor
        place = head.start
        match value:
            case Entry():
                self._accept_entry(batch, value, head)
            case HardState():
                batch.state_offsets.append(place)
                batch.state_terms.append(value.term)
                batch.state_votes.append(value.vote)
                batch.state_commits.append(value.commit)
                cursor.last_state = value
            case SnapshotMark():
                batch.marks.append(PlacedMark(segment=self.segment, offset=place, mark=value))
                cursor.last_index = max(cursor.last_index, value.index)
            case Metadata():
                batch.metadata.append(
                    PlacedMetadata(segment=self.segment, offset=place, metadata=value)
                )
            case Checkpoint():
                batch.checkpoints.append(place)
        batch.offsets.append(place - self.window.base)
        cursor.running = head.stored
        cursor.position = head.stop
        batch.stop = head.stop
        batch.crc = head.stored

    def _accept_entry(self, batch: Batch, entry: Entry, head: Head) -> None:
        run = batch.runs[-1] if batch.runs else None
        if run is not None and run.last + 1 == entry.index and run.term == entry.term:
            run.last = entry.index
            run.stop = head.stop
        else:
            run = Run(
                segment=self.segment,
                first=entry.index,
                last=entry.index,
                term=entry.term,
                start=head.start,
                stop=head.stop,
                commit_before=max(batch.state_commits, default=0),
            )
            batch.runs.append(run)
        if head.stop - head.start - LENGTH_FIELD_BYTES >= OLD_RECORD_BYTES_MAX:
            batch.oversize.append(
                Run(
                    segment=self.segment,
                    first=entry.index,
                    last=entry.index,
                    term=entry.term,
                    start=head.start,
                    stop=head.stop,
                )
            )
        if entry.kind is not EntryKind.NORMAL:
            batch.conf_changes.append(
                PlacedEntry(segment=self.segment, offset=head.start, entry=entry)
            )
        batch.entries += 1
        self.cursor.last_index = entry.index

    def _learn(self, value: Record, payload: bytes | None, word: int) -> None:
        """Let the hot path know what the next record of this kind will look like."""
        if isinstance(value, HardState) and payload is not None:
            tail = b"\x18" + _varint(value.commit)
            if payload.endswith(tail):
                self._state_prefix = payload[: 1 - len(tail)]
                self._state_key = (value.term, value.vote)
            self._state_shapes.setdefault(word, _shape(word, None))
        elif isinstance(value, Entry) and value.kind is EntryKind.NORMAL:
            template = _template((payload or b"")[:16])
            layout = template.layout if template else None
            if layout != self._layout or len(self._shapes) >= _SHAPES_MAX:
                self._shapes.clear()
            self._template, self._layout = template, layout
            if layout is not None and word not in self._shapes:
                self._shapes[word] = _shape(word, layout)
        elif isinstance(value, Entry):
            # A membership change took the index that the template expects next.
            self._template = None


def _commit_of(raw: bytes, start: int) -> int:
    """The varint that fills `raw` from `start` to its end; -1 when it is not exactly that."""
    value = shift = 0
    stop = len(raw)
    for position in range(start, stop):
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value if position + 1 == stop and shift < 35 else -1
        shift += 7
    return -1
