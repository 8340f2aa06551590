"""A log written anew from some segment on: records left out, put in, or of another owner.

The checksum of every record goes on from the one in front, so whatever changes a record changes
all that follow it, over the heads of later segments to the end. Payloads stay byte for byte as
they are; only checksums, and the length fields that follow from them, are made anew. A segment
keeps its name, its head (the checksum record, the metadata, the hard state that etcd puts there)
and the order of its records.
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
from walctl.repair.newlog import SEGMENT_BYTES, Chain
from walctl.repair.pieces import Copy, Literal, Piece, Rechain, composed, rechained
from walctl.repair.plan import WAL, Step
from walctl.repair.stamps import Sources
from walctl.repair.strategy import write_step

_ALL = (
    int(RecordType.METADATA),
    int(RecordType.ENTRY),
    int(RecordType.STATE),
    int(RecordType.SNAPSHOT),
)
"""Everything but the record that only carries the checksum: that is always written anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEdit:
    """What becomes of one segment: frames that are left out, and records behind its last frame.

    `without` are offsets of frames. Its frames end at `stop`, behind one that stores `crc` (`None`:
    where they do). `append` adds records to a chain.
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

    An edit that only appends to a segment keeps what is in front of it byte for byte.

    Raises: AccessError, when a segment is not what it was when it was surveyed.
    """
    steps: list[Step] = []
    running = 0
    is_changed = edit.is_whole or edit.metadata is not None
    for segment in case.seen.segments:
        change = edit.segments.get(segment.name.text)
        if not is_changed and change is None:
            running = segment.digest.last_crc or 0
            continue
        if not is_changed and change is not None and not change.without:
            pieces, running = _appended(segment, change)
        else:
            is_changed = True
            change = change or SegmentEdit()
            pieces, running = _written(segment, sources, change, edit.metadata, running)
        is_changed = is_changed or running != segment.digest.last_crc
        name = f"{WAL}/{segment.name.text}"
        size = _size_then(segment, pieces, sources)
        step = write_step(case, sources, name, pieces, size, reason=reason, words=words)
        steps.append(step)
    return [each for each in steps if each.before != each.after]


def _appended(segment: Segment, change: SegmentEdit) -> tuple[tuple[Piece, ...], int]:
    """The segment as it is up to where it ends or is cut, and what is appended there."""
    stop = segment.digest.end if change.stop is None else change.stop
    crc = segment.digest.last_crc if change.stop is None else change.crc
    assert crc is not None or change.append is None, "what is cut goes on from a known checksum"
    chain = Chain(crc or 0)
    if change.append is not None:
        change.append(chain)
    copy = Copy(source=f"{WAL}/{segment.name.text}", start=0, stop=stop)
    pieces: tuple[Piece, ...] = (copy, Literal(data=chain.data)) if chain.data else (copy,)
    return pieces, chain.crc


def _written(
    segment: Segment, sources: Sources, change: SegmentEdit, metadata: bytes | None, seed: int
) -> tuple[tuple[Piece, ...], int]:
    """The whole segment with its checksums made anew, going on from `seed`."""
    name = f"{WAL}/{segment.name.text}"
    file = sources(name)
    stop = segment.digest.end if change.stop is None else change.stop
    chain = Chain(seed).checkpoint()
    pieces: list[Piece] = []
    crc = chain.crc
    start: int | None = None
    for frame in frames(file, 0, stop):
        is_own = frame.kind == RecordType.METADATA and metadata is not None
        if frame.kind == RecordType.CRC or frame.start in change.without or is_own:
            if start is not None:
                crc = _close(pieces, chain, file, name, start, frame.start, crc)
                chain, start = Chain(crc), None
            if is_own:
                chain.metadata(metadata)
                crc = chain.crc
        elif start is None:
            start = frame.start
    if start is not None:
        crc = _close(pieces, chain, file, name, start, stop, crc)
        chain = Chain(crc)
    if change.append is not None:
        change.append(chain)
    if chain.data:
        pieces.append(Literal(data=chain.data))
    return tuple(pieces), chain.crc


def _close(
    pieces: list[Piece], chain: Chain, file: File, name: str, start: int, stop: int, crc: int
) -> int:
    """Add what the chain holds and the frames `[start, stop)` to the pieces; the checksum then."""
    if chain.data:
        pieces.append(Literal(data=chain.data))
    piece = Rechain(source=name, start=start, stop=stop, types=_ALL, seed=crc)
    for _, running in rechained(piece, file):
        crc = running
    pieces.append(piece)
    return crc


def _size_then(segment: Segment, pieces: tuple[Piece, ...], sources: Sources) -> int:
    """A segment that was reserved whole stays so; a sealed one ends with its last frame."""
    size = sum(len(block) for block in composed(pieces, sources))
    reserved = segment.digest.size > segment.digest.end and segment.digest.size >= SEGMENT_BYTES
    return max(size, SEGMENT_BYTES) if reserved else size


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHead:
    """Where a frame stands, and what type of record is in it."""

    start: int
    stop: int
    kind: int
    crc: int
    data: bytes | None


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
        yield FrameHead(
            start=offset,
            stop=end,
            kind=record.type or 0,
            crc=record.crc or 0,
            data=record.data,
        )
        offset = end
