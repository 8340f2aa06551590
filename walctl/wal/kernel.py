"""The inside of the scan: whole frames of a window into one batch, until something stops it.

This is the hot path, and the one function that a compiled kernel may replace. How it is fast:

* The head of a record is looked at as integers. A frame's length field decides where everything
  lies (`Shape`, kept per length), if the head is the one that etcd writes: type, a checksum of
  five bytes, data to the end of the record.
* The next entry of a run differs from the one before in the low byte of its index, until that
  wraps. So one comparison of the entry's head with the expected integer replaces its decoding
  (`Template`), and only what does not compare is read through the definition.
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
from formats.frame import LENGTH_FIELD_BYTES, join_length, padding_bytes, split_length
from formats.limits import RECORD_BYTES_MAX
from formats.varint import build_varint, whole_varint
from walctl.model.batch import Batch
from walctl.model.log import PlacedEntry, PlacedMark, PlacedMetadata, Run, add_state
from walctl.model.record import (
    Checkpoint,
    Entry,
    EntryKind,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Span,
    Unknown,
)
from walctl.wal.records import lift, readings
from walctl.wal.shapes import (
    OLD_RECORD_BYTES_MAX,
    Layout,
    Shape,
    Template,
    shape_of,
    template_after,
)
from walctl.wal.window import LEAD_BYTES, Window

_HEAD = struct.Struct("<QQQQ").unpack_from
_PAIR = struct.Struct("<QQ").unpack_from

# Bytes 0..7 of a record: 08 TYPE 10, then a checksum varint of exactly five bytes (15 of 16 are),
# or one of exactly four and the tag of the data.
_FIVE_MASK = 0xF080_8080_80FF_FFFF
_FIVE_ENTRY = 0x0080_8080_8010_0208
_FIVE_STATE = 0x0080_8080_8010_0308
_FOUR_MASK = 0xFF80_8080_80FF_FFFF
_FOUR_ENTRY = 0x1A00_8080_8010_0208
_FOUR_STATE = 0x1A00_8080_8010_0308

_SHAPES_MAX = 1 << 14
_NEVER = -(1 << 80)
"""Expected head of an entry when none is expected: no eight bytes compare equal to it."""
_ENTRIES = frozenset((_FIVE_ENTRY, _FOUR_ENTRY))
_STATES = frozenset((_FIVE_STATE, _FOUR_STATE))


class Halt(enum.Enum):
    """Why the kernel stopped at `Cursor.position`."""

    WINDOW = "the window ends"
    END = "the file ends between two frames"
    ZERO = "a length field of zero"
    SHORT = "the file ends inside a length field"
    LENGTH = "a length that reaches beyond the file"
    MISFIT = "a length field, or the padding it counts, that does not fit its record"
    TOO_LONG = "a record longer than walctl reads"
    RECORD = "bytes that are no record"
    CRC = "a checksum that does not fit"
    TYPE = "a payload that does not fit its record's type"
    GIVEN_UP = "more damage than is told apart, or a search that would cost too much"


@dataclass(slots=True)
class Cursor:
    """Where a scan of one segment stands; it outlives windows and batches.

    `running` is the checksum after the last whole record (`None`: not known, so that the next
    record's is taken on trust). `last_*` are what the records so far said, for judging the next:
    index and term of the last entry (an index of 0: not known) and the last hard state.
    """

    position: int = 0
    running: int | None = None
    last_index: int = 0
    last_term: int = 0
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


def _is_doubtful(word: int) -> bool:
    """Whether a length field is for no record, or one bit of what it says of padding is wrong.

    How much there is follows from the record's length. etcd believes the field, and reads on
    where no frame begins, unless its repair cut the log there and it went on writing. Logs of old
    releases without any padding differ in two bits.
    """
    record_bytes = split_length(word).record_bytes
    wrong = (word ^ join_length(record_bytes)) >> 56 & 0x87
    is_other = split_length(word).padding_bytes != padding_bytes(record_bytes)
    return record_bytes == 0 or (wrong.bit_count() == 1 and is_other)


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
        self._entry_shapes: dict[int, Shape | None] = {}
        self._entry_shapes_four: dict[int, Shape | None] = {}
        self._state_shapes: dict[int, Shape | None] = {}
        self._state_shapes_four: dict[int, Shape | None] = {}
        self._template: Template | None = None
        self._layout: Layout | None = None
        self._pad_shift = 64
        self._state_prefix = b"\xff"
        self._commit_max = 0

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
        self._commit_max = 0
        halt = None
        while halt is None:
            if cursor.running is not None:
                self._hot(batch)
            halt = self.general(batch)
        batch.stop = cursor.position
        batch.crc = cursor.running or 0
        return batch, halt

    def _hot(self, batch: Batch) -> None:
        """Frames that go on with the batch's last run of entries or of hard states; no others."""
        cursor, base = self.cursor, self.window.base
        run, states = batch.runs[-1:], batch.states[-1:]
        template = self._template if run and run[0].last == cursor.last_index else None
        low, high, step = (*template.expected, template.step) if template else (_NEVER, 0, 0)
        left = template.left if template else 0
        prefix = self._state_prefix if states else b"\xff"
        commit = states[0].commit_last if states else 0
        entries = states_read = entry_stop = state_at = 0

        view, buffer, limit = self.window.view, self.window.buffer, self.window.stop - base
        entry_shape, entry_shape_four = self._entry_shapes.get, self._entry_shapes_four.get
        state_shape, state_shape_four = self._state_shapes.get, self._state_shapes_four.get
        crc_of, unpack, unpack_pair = crc32c.crc32c, _HEAD, _PAIR
        add_offset, begins_with = batch.offsets.append, buffer.startswith
        running, at, pad_shift = cursor.running or 0, cursor.position - base, self._pad_shift
        while at + 8 <= limit:
            lead, word, a, b = unpack(buffer, at - 8)
            stored = a >> 24 & 0x7F | a >> 25 & 0x3F80 | a >> 26 & 0x1FC000 | a >> 27 & 0xFE00000
            kind = a & _FIVE_MASK
            if kind == _FIVE_ENTRY:
                shape = entry_shape(word)
                stored |= a >> 28 & 0xF0000000
            elif kind == _FIVE_STATE:
                shape = state_shape(word)
                stored |= a >> 28 & 0xF0000000
            else:
                kind = a & _FOUR_MASK
                shape = entry_shape_four(word) if kind == _FOUR_ENTRY else state_shape_four(word)
            if shape is None or lead >> pad_shift:
                break
            b_mask, b_value, data, end, stop, shift, m0, v0, m1, v1 = shape
            if b & b_mask != b_value or at + stop > limit:
                break
            computed = crc_of(view[at + data : at + end], running)
            if computed != stored:
                break
            if kind in _ENTRIES:
                head, rest = unpack_pair(buffer, at + data)
                if head & m0 != low + v0 or rest & m1 != high + v1 or entries == left:
                    break
                low += step
                entries += 1
                entry_stop = at + stop
            else:
                if kind not in _STATES or not begins_with(prefix, at + data):
                    break
                found = whole_varint(buffer[at + data + len(prefix) : at + end])
                if found < commit:
                    break
                commit = found
                states_read += 1
                state_at = at
            running = computed
            add_offset(at)
            pad_shift = shift
            at += stop
        self._pad_shift = pad_shift
        cursor.position, cursor.running = base + at, running
        if entries and template is not None:
            template.expected = (low, high)
            template.left = left - entries
            run[0].extend(count=entries, stop=base + entry_stop)
            batch.entries += entries
            cursor.last_index = run[0].last
        if states_read:
            states[0].extend(count=states_read, offset=base + state_at, commit=commit)
            cursor.last_state = states[0].last_state
            self._commit_max = max(self._commit_max, commit)

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
        if stop > window.size:
            return Halt.LENGTH
        if length.record_bytes > RECORD_BYTES_MAX:
            return Halt.TOO_LONG if self._is_record_head(at) else Halt.RECORD
        if cursor.running is not None and _is_doubtful(word) and not self._is_record_head(stop):
            return Halt.MISFIT
        if not window.holds(at, stop):
            if not self._is_record_head(at):
                return Halt.RECORD
            if window.base + LEAD_BYTES != at:
                return Halt.WINDOW
            window.load(at, at_least=stop - at)
            if not window.holds(at, stop):
                return Halt.LENGTH
            batch.base, batch.data = window.base, window.view
        return self._record(batch, at, stop, word)

    def _is_record_head(self, at: int) -> bool:
        """Whether a record as etcd begins it stands behind the length field at `at`."""
        head = self.window.bytes_at(at + LENGTH_FIELD_BYTES, at + LENGTH_FIELD_BYTES + 3)
        return len(head) == 3 and head[0] == 0x08 and head[2] == 0x10

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
        if record.unknown and running is not None and not length.is_canonical:
            return Halt.MISFIT  # it took the bytes of the next frame for fields of its own
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
        but is, read as an entry, just the next one, is that entry. An entry with the vote of the
        last state as its term is a state, and so is one that would overwrite what is committed
        up to, with a kind that is no less than the term; but just the next entry is one: ids may
        be as small as terms, and no state commits what is not there. Metadata that is not etcd's
        and fits another type behind the head of a segment is of that type.
        """
        cursor, last = self.cursor, self.cursor.last_state
        if isinstance(value, Metadata) and value.node_id is None:
            return (cursor.last_index > 0 or last is not None) and bool(readings(value.raw))
        if last is None:
            return False
        match value:
            case HardState(term=term, vote=vote, commit=commit):
                is_next = commit == self.cursor.last_index + 1 and vote >= last.term
                return term == 0 and last.term > 0 and is_next and len(payload or b"") < 12
            case Entry(payload=None, raw_kind=kind, term=term, index=index):
                if 0 < cursor.last_index == index - 1:
                    return False
                is_same = kind == last.term and term == last.vote and term != 0
                is_commit = kind >= last.term > 0 and last.commit <= index <= cursor.last_index
                return is_same or is_commit
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
                add_state(batch.states, self.segment, place, value)
                cursor.last_state = value
                self._commit_max = max(self._commit_max, value.commit)
            case SnapshotMark():
                batch.marks.append(PlacedMark(segment=self.segment, offset=place, mark=value))
                cursor.last_index = max(cursor.last_index, value.index)
            case Metadata():
                batch.metadata.append(
                    PlacedMetadata(segment=self.segment, offset=place, metadata=value)
                )
            case Checkpoint():
                batch.checkpoints.append(place)
        if not batch.offsets:
            batch.first_crc = head.stored
        batch.offsets.append(place - self.window.base)
        cursor.running = head.stored
        cursor.position = head.stop
        batch.stop = head.stop
        batch.crc = head.stored

    def _accept_entry(self, batch: Batch, entry: Entry, head: Head) -> None:
        run = batch.runs[-1] if batch.runs else None
        span = Span(head.start, head.stop)
        if run is not None and run.last + 1 == entry.index and run.term == entry.term:
            run.last = entry.index
            run.stop = head.stop
        else:
            run = Run.of_one(self.segment, entry, span)
            run.commit_before = self._commit_max
            batch.runs.append(run)
            self.cursor.last_term = entry.term
        if head.stop - head.start - LENGTH_FIELD_BYTES >= OLD_RECORD_BYTES_MAX:
            batch.oversize.append(Run.of_one(self.segment, entry, span))
        if entry.kind is not EntryKind.NORMAL:
            batch.conf_changes.append(
                PlacedEntry(segment=self.segment, offset=head.start, entry=entry)
            )
        batch.entries += 1
        self.cursor.last_index = entry.index

    def _learn(self, value: Record, payload: bytes | None, word: int) -> None:
        """Let the hot path know what the next record of this kind will look like."""
        if isinstance(value, HardState) and payload is not None:
            term, vote = build_varint(value.term), build_varint(value.vote)
            prefix = b"\x08" + term + b"\x10" + vote + b"\x18"
            is_usual = payload == prefix + build_varint(value.commit)
            self._state_prefix = prefix if is_usual else b"\xff"
            is_room = len(self._state_shapes) < _SHAPES_MAX
            if is_usual and is_room and word not in self._state_shapes:
                self._state_shapes[word] = shape_of(word, 5, None)
                self._state_shapes_four[word] = shape_of(word, 4, None)
        elif isinstance(value, Entry) and value.kind is EntryKind.NORMAL:
            template = template_after((payload or b"")[:16], value)
            layout = template.layout if template else None
            if layout != self._layout or len(self._entry_shapes) >= _SHAPES_MAX:
                self._entry_shapes.clear()
                self._entry_shapes_four.clear()
            self._template, self._layout = template, layout
            if layout is not None and word not in self._entry_shapes:
                self._entry_shapes[word] = shape_of(word, 5, layout)
                self._entry_shapes_four[word] = shape_of(word, 4, layout)
        elif isinstance(value, Entry):
            # A membership change took the index that the template expects next.
            self._template = None
