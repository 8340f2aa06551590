"""A log written anew from some segment on: records left out, put in, or of another owner.

The checksum of every record goes on from the one in front, so whatever changes a record changes
all that follow it, over the heads of later segments to the end. Payloads stay byte for byte as
they are; only checksums, and the length fields that follow from them, are made anew. A segment
keeps its name, its head (the checksum record, the metadata, the hard state that etcd puts there)
and the order of its records. The first segment of all keeps the checksum that it begins with, which
is not 0 where older segments were purged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.walpb import RecordType
from walctl.datadir.chain import Segment
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.repair.case import Case
from walctl.repair.newlog import Chain
from walctl.repair.pieces import Copy, Literal, Piece, Rechain, rechained
from walctl.repair.plan import WAL, Step
from walctl.repair.stamps import Sources
from walctl.repair.strategy import write_step

_CHAINED = (
    int(RecordType.METADATA),
    int(RecordType.ENTRY),
    int(RecordType.STATE),
    int(RecordType.SNAPSHOT),
)
"""Everything but the record that only carries the checksum: that one is written by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEdit:
    """What becomes of one segment: frames that are left out, and records behind its last frame.

    `without` are offsets of frames. With `stop` the log is cut: the frames end there, behind one
    that stores `crc`, and later segments are left to the caller. `append` adds records to a chain.
    """

    without: frozenset[int] = frozenset()
    stop: int | None = None
    crc: int | None = None
    append: Callable[[Chain], Chain] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEdit:
    """What becomes of the log: edits by the segment's name, and other metadata (`None`: as is).

    Segments in front of the first one that is edited stay as they are, unless the metadata change.
    """

    segments: Mapping[str, SegmentEdit] = field(default_factory=dict)
    metadata: bytes | None = None
    is_whole: bool = False
    """Whether every segment is written anew, whatever is edited."""


def rewritten(
    case: Case, sources: Sources, edit: LogEdit, *, reason: str, words: str
) -> list[Step]:
    """The steps that write the log anew from the first changed segment on.

    An edit that only appends to a segment keeps what is in front of it byte for byte; a segment
    that comes out as it was makes no step.

    Raises: AccessError, when a segment is not what it was when it was surveyed.
    """
    steps: list[Step] = []
    segments = case.seen.segments
    running = (segments[0].digest.head_crc if segments else None) or 0
    is_changed = edit.is_whole or edit.metadata is not None
    for segment in segments:
        change = edit.segments.get(segment.name.text, SegmentEdit())
        if not is_changed and change == SegmentEdit():
            running = segment.digest.last_crc or 0
            continue
        name = f"{WAL}/{segment.name.text}"
        if is_changed or change.without:
            is_changed = True
            made = _Rewriting(name, sources(name), running)
            made.run(change, edit.metadata, _stop(segment, change))
        else:
            made = _extended(name, sources(name), segment, change)
        running = made.crc
        is_changed = is_changed or running != segment.digest.last_crc
        # Room that was reserved stays; a sealed segment ends with its last frame.
        digest = segment.digest
        size = max(made.size, digest.size if digest.size > digest.end else 0)
        pieces = tuple(made.pieces)
        step = write_step(case, sources, name, pieces, size, reason=reason, words=words)
        if step.before != step.after:
            steps.append(step)
        if change.stop is not None:
            break
    return steps


def _stop(segment: Segment, change: SegmentEdit) -> int:
    return segment.digest.end if change.stop is None else change.stop


def _extended(name: str, file: File, segment: Segment, change: SegmentEdit) -> "_Rewriting":
    """The segment as it is up to where it ends or is cut, and what is appended there."""
    crc = segment.digest.last_crc if change.stop is None else change.crc
    assert crc is not None, "what is appended goes on from a known checksum"
    made = _Rewriting(name, file, crc)
    made.copy(_stop(segment, change))
    made.append(change)
    return made


class _Rewriting:
    """One segment as it comes out: its pieces so far, their bytes, and the running checksum."""

    def __init__(self, name: str, file: File, crc: int) -> None:
        self.pieces: list[Piece] = []
        self.size = 0
        self._name = name
        self._file = file
        self._chain = Chain(crc)
        self._start: int | None = None

    @property
    def crc(self) -> int:
        """The checksum of the last record."""
        return self._chain.crc

    def run(self, change: SegmentEdit, metadata: bytes | None, stop: int) -> None:
        """The frames `[0, stop)` with what `change` says, and other metadata where given."""
        for frame in frames(self._file, 0, stop):
            if frame.kind == RecordType.CRC:
                self._end_span(frame.start)
                self._chain.checkpoint()
            elif frame.start in change.without:
                self._end_span(frame.start)
            elif frame.kind == RecordType.METADATA and metadata is not None:
                self._end_span(frame.start)
                self._chain.metadata(metadata)
            elif self._start is None:
                self._start = frame.start
        self._end_span(stop)
        self.append(change)

    def copy(self, stop: int) -> None:
        """The bytes up to `stop` as they are; behind them the checksum is that at the start."""
        self.pieces.append(Copy(source=self._name, start=0, stop=stop))
        self.size += stop

    def append(self, change: SegmentEdit) -> None:
        """The records that are put behind, and the end."""
        if change.append is not None:
            change.append(self._chain)
        self._flush()

    def _end_span(self, stop: int) -> None:
        """Add the frames that are kept up to here, if any, behind what was made in front."""
        if self._start is None:
            return
        self._flush()
        piece = Rechain(
            source=self._name, start=self._start, stop=stop, types=_CHAINED, seed=self.crc
        )
        running = self.crc
        for made, after in rechained(piece, self._file):
            self.size += len(made)
            running = after
        self.pieces.append(piece)
        self._chain = Chain(running)
        self._start = None

    def _flush(self) -> None:
        """Add what the chain holds."""
        if self._chain.data:
            self.pieces.append(Literal(data=self._chain.data))
            self.size += len(self._chain.data)
            self._chain = Chain(self.crc)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHead:
    """Where a frame stands, what type of record is in it, and the checksum that it stores."""

    start: int
    stop: int
    kind: int
    crc: int


def frames(file: File, start: int, stop: int) -> Iterator[FrameHead]:
    """Every frame of `[start, stop)`, which holds nothing but whole frames.

    Raises: AccessError, when it does not (any more).
    """
    offset = start
    while offset < stop:
        field_bytes = file.read_at(offset, LENGTH_FIELD_BYTES)
        length = split_length(int.from_bytes(field_bytes, "little"))
        end = offset + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        if len(field_bytes) < LENGTH_FIELD_BYTES or not length.record_bytes or end > stop:
            raise AccessError(f"{file.path}:{offset}: expected a whole frame")
        try:
            record = walpb.RECORD.parse(
                file.read_at(offset + LENGTH_FIELD_BYTES, length.record_bytes)
            )
        except FormatError as error:
            raise AccessError(f"{file.path}:{offset}: {error.message}") from error
        yield FrameHead(start=offset, stop=end, kind=record.type or 0, crc=record.crc or 0)
        offset = end
