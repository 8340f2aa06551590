"""`--explain`: each byte of a record, the field that it belongs to, and what that says.

    584  1a 27                     data                  39 bytes under the checksum: Entry
    586  08 00                       type                0 = normal
    588  10 02                       term                2
    590  18 05                       index               5
    592  22 1f                       data                31 bytes: InternalRaftRequest
    594  22 10                         put               16 bytes of PutRequest
    596  0a 05 6b 65 79 30 30            key             "key00"

Every byte of a frame belongs to exactly one piece, and the pieces come in the order of the bytes:
a message's own tag and length first, then its fields, further to the right. The definitions of
`formats` say where fields lie. Where bytes fit no definition, what fits is shown, then where it
stops and the words of etcd's own parser.

The payload of an entry is taken apart as the owner's, here etcd's, unless another decoder read it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from formats import etcdserverpb, internalpb, raftpb, walpb
from formats.codec import Codec
from formats.errors import FormatError
from formats.fields import spec_of
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.spans import FieldSpan
from formats.walpb import RecordType
from walctl.inspect.row import RAW_BYTES_MAX, FindingRow, RecordRow, Row
from walctl.model.record import Frame, Metadata, Span
from walctl.payload.base import Redaction
from walctl.render.dump import COLUMNS_MAX_PIPED, finding_line, heading, record_line
from walctl.render.dump_hex import hexed
from walctl.render.frame_bytes import (
    COMPRESSED,
    READS_AS_ETCD,
    hidden_bytes,
    more_words,
    with_own_bytes,
)
from walctl.render.layout_words import checksum_words, field_words, length_words, message_name
from walctl.render.screen import Screen
from walctl.render.text import byte_count, columns, printable
from walctl.render.values import hidden

OFFSET_COLUMNS = 12
BYTES_SHOWN = 8
BYTES_SHOWN_NARROW = 4
WIDE_COLUMNS = 100
NAME_COLUMNS = 20
INDENT = 2
DEPTH_SHOWN_MAX = 12
"""Messages inside one another that are still moved to the right."""

Codecs = Mapping[int, Sequence[Codec[Any]]]
"""By a number of a type, what its bytes may be; the first one that fits is taken."""

RECORD_DATA: Final[Codecs] = {
    RecordType.METADATA: (etcdserverpb.METADATA,),
    RecordType.ENTRY: (raftpb.ENTRY,),
    RecordType.STATE: (raftpb.HARD_STATE,),
    RecordType.SNAPSHOT: (walpb.SNAPSHOT,),
}
ETCD_PAYLOADS: Final[Codecs] = {
    raftpb.EntryType.NORMAL: (internalpb.INTERNAL_RAFT_REQUEST, etcdserverpb.REQUEST),
    raftpb.EntryType.CONF_CHANGE: (raftpb.CONF_CHANGE,),
    raftpb.EntryType.CONF_CHANGE_V2: (raftpb.CONF_CHANGE_V2,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes `span` of a frame, counted from its first byte; `depth` messages lie around them."""

    span: Span
    depth: int
    name: str
    words: str


def lines(
    screen: Screen,
    rows: Iterable[Row],
    *,
    redaction: Redaction = Redaction.AUTH,
    columns_max: int | None = COLUMNS_MAX_PIPED,
    payloads: Codecs = ETCD_PAYLOADS,
) -> None:
    """The text view, with the pieces of each row below its line."""
    segment = None
    for row, raw in with_own_bytes(rows):
        segment = heading(screen, row, segment)
        if isinstance(row, FindingRow):
            finding_line(screen, row.finding)
            start = row.finding.place.offset or 0
        else:
            record_line(screen, row, redaction=redaction, columns_max=columns_max)
            start = row.frame.span.start
        if not raw:
            continue
        concealed = hidden_bytes(row, redaction)
        for piece in pieces(row, concealed, payloads=payloads):
            screen.line(_line(piece, raw, concealed, start, columns_max))
        if more := more_words(row, raw):
            screen.line(f"{'':>{OFFSET_COLUMNS}}  {more}")


def _line(
    piece: Piece, raw: bytes, concealed: tuple[Span, ...], start: int, columns_max: int | None
) -> str:
    is_wide = columns_max is None or columns_max >= WIDE_COLUMNS
    count = BYTES_SHOWN if is_wide else BYTES_SHOWN_NARROW
    first, stop = piece.span.start, piece.span.stop
    shown = Span(first, min(first + count, stop))
    pairs = hexed(raw[shown.start : shown.stop], _within(concealed, shown))
    cells = " ".join(pairs[at : at + 2] for at in range(0, len(pairs), 2))
    cells += "…" if stop > shown.stop else ""
    name = " " * (INDENT * min(piece.depth, DEPTH_SHOWN_MAX)) + piece.name
    place = f"{start + first:>{OFFSET_COLUMNS}}  {cells:<{count * 3}}"
    text = f"{place}  {name:<{NAME_COLUMNS}}  {piece.words}".rstrip()
    is_over = columns_max is not None and columns(text) > columns_max
    return printable(text, width_max=columns_max) if is_over else text


def _within(spans: Iterable[Span], window: Span) -> list[Span]:
    """The parts of `spans` that lie in `window`, counted from its start."""
    cut = (Span(max(span.start, window.start), min(span.stop, window.stop)) for span in spans)
    return [
        Span(span.start - window.start, span.stop - window.start)
        for span in cut
        if span.start < span.stop
    ]


def pieces(
    row: Row, concealed: tuple[Span, ...] = (), *, payloads: Codecs = ETCD_PAYLOADS
) -> list[Piece]:
    """All bytes of a row, piece by piece; of `concealed` ones nothing is said but how many."""
    if isinstance(row, FindingRow):
        raw = row.raw[:RAW_BYTES_MAX]
        if concealed:
            words = hidden(len(raw))
            return [Piece(span=Span(0, len(raw)), depth=0, name="bytes", words=words)]
        return _Taking(raw, concealed, frame=None, payloads=payloads).frame_pieces()
    taking = _Taking(row.raw, concealed, frame=row.frame, payloads=_payloads_of(row, payloads))
    return taking.frame_pieces()


def _payloads_of(row: RecordRow, payloads: Codecs) -> Codecs:
    """What the payload of an entry may be: nothing, where it was read by somebody else's rule."""
    if row.request is None:
        return payloads if row.problem is not None else {}
    is_plain = COMPRESSED not in row.request.body
    return payloads if row.request.decoder in READS_AS_ETCD and is_plain else {}


class _Taking:
    """One frame being taken apart; pieces are added in the order of the bytes."""

    def __init__(
        self, raw: bytes, concealed: tuple[Span, ...], *, frame: Frame | None, payloads: Codecs
    ) -> None:
        self._raw = raw
        self._concealed = concealed
        self._frame = frame
        self._payloads = payloads
        self._pieces: list[Piece] = []

    def frame_pieces(self) -> list[Piece]:
        """Length field, record, padding, and whatever lies behind them."""
        size = len(self._raw)
        if size < LENGTH_FIELD_BYTES:
            self._add(0, size, "length", "cut short: a length field has 8 bytes")
            return self._pieces
        word = int.from_bytes(self._raw[:LENGTH_FIELD_BYTES], "little")
        length = split_length(word)
        rest = size - LENGTH_FIELD_BYTES
        words = length_words(
            length.record_bytes,
            length.padding_bytes,
            is_canonical=length.is_canonical,
            rest=rest,
        )
        self._add(0, LENGTH_FIELD_BYTES, "length", words)
        stop = min(LENGTH_FIELD_BYTES + length.record_bytes, size)
        self._message(walpb.RECORD, LENGTH_FIELD_BYTES, stop, 0)
        padding_stop = min(stop + length.padding_bytes, size)
        is_zero = not any(self._raw[stop:padding_stop])
        what = "zeros" if is_zero else "not zero, but nobody looks at it"
        self._add(stop, padding_stop, "padding", f"{what}, up to a multiple of 8")
        self._add(padding_stop, size, "rest", f"{byte_count(size - padding_stop)} of no record")
        return self._pieces

    def _add(self, start: int, stop: int, name: str, words: str, depth: int = 0) -> None:
        if start < stop:
            span = Span(start, stop)
            self._pieces.append(Piece(span=span, depth=depth, name=name, words=words))

    def _message(self, codec: Codec[Any], start: int, stop: int, depth: int) -> None:
        """The fields of a message at `[start, stop)`, and where they stop if they do before."""
        found, error, parsed = _fitting(codec, self._raw[start:stop])
        self._fields(codec.cls, found, start, depth)
        if error is not None:
            name = message_name(codec.cls)
            words = f"no {name} from here on: {error.message} (byte {error.offset} of it)"
            self._add(start + parsed, stop, "stops", words, depth)

    def _fields(self, cls: type[Any], found: Sequence[FieldSpan], base: int, depth: int) -> None:
        specs = {field.number: field for field in spec_of(cls).fields}
        types = [span.value for span in found if span.name == "type"]
        number = types[-1] if types and isinstance(types[-1], int) else 0
        for span in found:
            start, value_start = base + span.tag_start, base + span.value_start
            stop = base + span.value_stop
            field = specs.get(span.number)
            name = f"unknown field {span.number}" if field is None else field.proto
            if span.nested or (field is not None and field.target is not None):
                assert field is not None
                assert field.target is not None
                self._add(start, value_start, name, field_words(cls, field, span), depth)
                self._fields(field.target, span.nested, base, depth + 1)
            elif self._is_data(cls, span) and not self._is_all_concealed(value_start, stop):
                self._data(cls, number, Span(start, stop), value_start, depth)
            elif self._is_concealed(start, stop):
                self._add(start, stop, name, hidden(stop - value_start), depth)
            elif cls is walpb.Record and span.name == "crc":
                is_checkpoint = number == RecordType.CRC
                assert isinstance(span.value, int)
                words = checksum_words(span.value, self._frame, is_checkpoint=is_checkpoint)
                self._add(start, stop, name, words, depth)
            else:
                self._add(start, stop, name, field_words(cls, field, span), depth)

    def _data(self, cls: type[Any], number: int, span: Span, value_start: int, depth: int) -> None:
        """The data of a record or of an entry: a message of its own, where it is known which."""
        size = byte_count(span.stop - value_start)
        covered = " under the checksum" if cls is walpb.Record else ""
        codec = self._codec_of(cls, number, self._raw[value_start : span.stop])
        if codec is None:
            self._add(span.start, span.stop, "data", size + covered, depth)
            return
        words = f"{size}{covered}: {message_name(codec.cls)}"
        self._add(span.start, value_start, "data", words, depth)
        self._message(codec, value_start, span.stop, depth + 1)

    def _codec_of(self, cls: type[Any], number: int, data: bytes) -> Codec[Any] | None:
        """What the data is: of several, the first that fits, else the first."""
        if cls is walpb.Record:
            is_foreign = (
                self._frame is not None
                and isinstance(self._frame.record, Metadata)
                and self._frame.record.node_id is None
            )
            candidates = () if is_foreign else RECORD_DATA.get(number, ())
        else:
            candidates = self._payloads.get(number, ())
        fitting = (codec for codec in candidates if _fitting(codec, data)[1] is None)
        return next(fitting, candidates[0] if candidates else None)

    @staticmethod
    def _is_data(cls: type[Any], span: FieldSpan) -> bool:
        """Whether a field is what a record or an entry carries for somebody else."""
        return span.name == "data" and cls in (walpb.Record, raftpb.Entry)

    def _is_all_concealed(self, start: int, stop: int) -> bool:
        """Whether nothing may be said of what lies in these bytes."""
        return any(span.start <= start < stop <= span.stop for span in self._concealed)

    def _is_concealed(self, start: int, stop: int) -> bool:
        return any(span.start < stop and start < span.stop for span in self._concealed)


def _fitting(
    codec: Codec[Any], data: bytes
) -> tuple[tuple[FieldSpan, ...], FormatError | None, int]:
    """The fields in front of the first one that does not fit, why it does not, and where it begins.

    An error points to the innermost field. What lies before that is cut off there and parsed anew,
    which fails once for each message around it, a bounded number of times.
    """
    wrong: FormatError | None = None
    stop = len(data)
    while True:
        try:
            return codec.spans(data[:stop]), wrong, stop
        except FormatError as error:
            wrong = wrong or error
            if error.offset >= stop:
                return (), wrong, 0
            stop = error.offset
