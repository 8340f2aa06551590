"""Which records of a log a person asked for, one after the other, each with its place and status.

The log is gone through twice: the survey tells which entries were overwritten and how far the
commit reached, and only then are records handed out, so that every row can say its status. Rows
come in file order and are not kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from formats import walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from walctl.datadir.chain import Segment
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.errors import UsageError
from walctl.fs.base import File, FileSystem
from walctl.inspect.row import (
    COMMITTED,
    OVERWRITTEN,
    UNCOMMITTED,
    UNKNOWN,
    FindingRow,
    RecordRow,
    Row,
)
from walctl.inspect.start_points import newest_start
from walctl.model.batch import Batch
from walctl.model.log import Run
from walctl.model.record import Check, Entry, Frame, Liveness, SnapshotMark, Span
from walctl.wal.forensics import Named
from walctl.wal.records import lift, name_of
from walctl.wal.scan import Damage, End, scan

DIGITS_MAX = len(str(2**64 - 1))
"""Digits of the largest index."""

TYPES = ("metadata", "entry", "state", "crc", "snapshot")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log: a Raft index, or an offset in a segment."""

    index: int | None = None
    segment: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to show: from `start` to `stop` (both included), at most `limit` rows, of `types`.

    A record that is no entry stands at the index of the entry before it. `None` means no bound.
    """

    start: Position | None = None
    stop: Position | None = None
    limit: int | None = None
    types: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Covers:
    """The indexes `[first, last]` that a row stands for; a record stands for the one it is at."""

    first: int
    last: int


INDEX_MAX = (1 << 64) - 1


def parse_position(text: str, survey: Survey) -> Position:
    """A position as a person writes it: `231`, `snap`, or `SEGMENT:OFFSET`.

    `snap` is the newest snapshot that etcd would start from. Raises: UsageError.
    """
    if text == "snap":
        return Position(index=newest_start(survey))
    if _is_number(text):
        return Position(index=int(text))
    segment, colon, offset = text.rpartition(":")
    names = [each.name.text for each in survey.segments]
    if colon and segment in names and _is_number(offset):
        return Position(segment=segment, offset=int(offset))
    if colon and _is_number(offset):
        raise UsageError(f"no segment is called {segment}; there are: {', '.join(names) or 'none'}")
    raise UsageError(f"{text} is no position: expected an index, snap, or SEGMENT:OFFSET")


def _is_number(text: str) -> bool:
    """Whether `text` is a decimal that could be an index or an offset; Python refuses long ones."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX


def rows(disk: FileSystem, layout: Layout, survey: Survey, wanted: Selection) -> Iterator[Row]:
    """The rows of `wanted`, in file order.

    Raises: AccessError when a segment cannot be read any more.
    """
    if layout.wal_dir is None:
        return
    order = {each.name.text: number for number, each in enumerate(survey.segments)}
    shown = 0
    for row, covers in _all_rows(disk, layout.wal_dir, survey, wanted, order):
        place = _place(row, order)
        if wanted.start is not None and not _reached(wanted.start, place, covers, order):
            continue
        if wanted.stop is not None and _passed(wanted.stop, place, covers, order):
            continue
        if wanted.types and not _is_of(row, wanted.types):
            continue
        if wanted.limit is not None and shown >= wanted.limit:
            return
        shown += 1
        yield row


def _is_of(row: Row, types: frozenset[str]) -> bool:
    """Whether a row is of one of the types; damage is shown in its place whatever was asked for."""
    return isinstance(row, FindingRow) or name_of(row.frame.record) in types


def _place(row: Row, order: dict[str, int]) -> tuple[int, int]:
    if isinstance(row, RecordRow):
        return order[row.frame.segment], row.frame.span.start
    place = row.finding.place
    return order.get(place.segment or "", 0), place.offset or 0


def _reached(
    start: Position, place: tuple[int, int], covers: Covers, order: dict[str, int]
) -> bool:
    if start.index is not None:
        return covers.last >= start.index
    return place >= (order[start.segment or ""], start.offset)


def _passed(stop: Position, place: tuple[int, int], covers: Covers, order: dict[str, int]) -> bool:
    if stop.index is not None:
        return covers.first > stop.index
    return place > (order[stop.segment or ""], stop.offset)


def _all_rows(
    disk: FileSystem, folder: Path, survey: Survey, wanted: Selection, order: dict[str, int]
) -> Iterator[tuple[Row, Covers]]:
    """Every row of the segments that can hold what is wanted, with the indexes it stands for."""
    status = Status(survey)
    named = {(each.damage.segment, each.damage.start): each for each in survey.named}
    at = 0
    for seed, segment in _seeded(survey.segments):
        if not _is_before(segment, wanted.start, order):
            with disk.open(folder / segment.name.text) as file:
                for row, covers in _segment_rows(file, segment, seed, status, named, at):
                    at = covers.last if isinstance(row, RecordRow) else at
                    yield row, covers
        at = max((run.last for each in segment.digest.stretches for run in each.runs), default=at)


def _seeded(segments: list[Segment]) -> Iterator[tuple[int | None, Segment]]:
    """Each segment with the checksum that its first record continues, where that is known."""
    before: Segment | None = None
    for segment in segments:
        if before is not None and segment.seq == before.seq + 1:
            yield before.digest.last_crc, segment
        else:
            yield 0 if segment.name.is_first else None, segment
        before = segment


def _is_before(segment: Segment, start: Position | None, order: dict[str, int]) -> bool:
    """Whether a whole segment lies in front of where the rows begin, and need not be read."""
    if start is None or segment.digest.damages:
        return False
    if start.index is None:
        return order[segment.name.text] < order[start.segment or ""]
    stretches = segment.digest.stretches
    last = max((run.last for each in stretches for run in each.runs), default=0)
    marks = max((mark.mark.index for each in stretches for mark in each.marks), default=0)
    return 0 < max(last, marks) < start.index


def _segment_rows(
    file: File,
    segment: Segment,
    seed: int | None,
    status: "Status",
    named: dict[tuple[str, int], Named],
    at: int,
) -> Iterator[tuple[Row, Covers]]:
    """The rows of one segment; `at` is the index that the log has reached in front of it."""
    name = segment.name.text
    first_check = Check.UNVERIFIABLE
    for item in scan(file, segment=name, seed=seed):
        match item:
            case Batch():
                for frame in frames(item, first_check=first_check):
                    at = _index_of(frame, at)
                    yield RecordRow(frame=frame, status=status.of(frame)), Covers(at, at)
                first_check = Check.UNVERIFIABLE
            case Damage():
                found = named.get((name, item.start))
                covers = _covered(found, at)
                if found is not None:
                    yield FindingRow(finding=found.finding()), covers
                if item.head is not None:
                    frame = _damaged_frame(item)
                    yield RecordRow(frame=frame, status=status.of(frame)), covers
                if found is not None and found.is_mended:
                    at = covers.last
                first_check = item.resumed
            case End():
                return


def _index_of(frame: Frame, at: int) -> int:
    """The index that the log stands at with this record."""
    return frame.record.index if isinstance(frame.record, Entry | SnapshotMark) else at


def _covered(named: Named | None, at: int) -> Covers:
    """The indexes that a damage stands for: those lost in it, or the record that it was."""
    if named is None:
        return Covers(at, at)
    if isinstance(named.damage.recovered, Entry):
        index = named.damage.recovered.index
        return Covers(index, index)
    if named.lost is None:
        return Covers(at, at)
    first, last = named.lost
    return Covers(first, INDEX_MAX if last is None else last)


def frames(batch: Batch, *, first_check: Check = Check.UNVERIFIABLE) -> Iterator[Frame]:
    """The records of a batch as objects, while it is current.

    `first_check` is what is known of the first frame where the batch has no seed for it; a record
    that begins the very first segment with checksum 0 needs none.
    """
    running = batch.seed
    data = batch.data
    for offset in batch.offsets:
        word = int.from_bytes(data[offset : offset + LENGTH_FIELD_BYTES], "little")
        length = split_length(word)
        body = offset + LENGTH_FIELD_BYTES
        record = walpb.RECORD.parse(data[body : body + length.record_bytes])
        stored = record.crc or 0
        start = batch.base + offset
        stop = start + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
        payload = record.data
        payload_stop = start + LENGTH_FIELD_BYTES + length.record_bytes
        known = running is not None or (start == 0 and stored == 0)
        yield Frame(
            segment=batch.segment,
            span=Span(start, stop),
            payload=None if payload is None else Span(payload_stop - len(payload), payload_stop),
            record=lift(record.type, payload, stored),
            check=Check.VERIFIED if known else first_check,
            stored=stored,
            computed=stored if known else None,
        )
        running = stored


def _damaged_frame(damage: Damage) -> Frame:
    head = damage.head
    assert head is not None, "only a damage with a frame is shown as one"
    size = len(head.payload or b"")
    return Frame(
        segment=damage.segment,
        span=Span(head.start, head.stop),
        payload=None
        if head.payload is None
        else Span(head.payload_start, head.payload_start + size),
        record=lift(head.raw_type, head.payload, head.stored),
        check=damage.check,
        stored=head.stored,
        computed=damage.computed if damage.computed is not None else _verified(damage),
    )


def _verified(damage: Damage) -> int | None:
    """A frame whose payload does not fit its type, but its checksum does."""
    return damage.head.stored if damage.check is Check.VERIFIED and damage.head else None


class Status:
    """What became of an entry: committed, not yet, or overwritten by a later one."""

    def __init__(self, survey: Survey) -> None:
        self._log = survey.log
        known = [survey.commit] if survey.last_state is not None else []
        known += [survey.applied] if survey.applied is not None else []
        self._commit = max(known, default=None)

    def of(self, frame: Frame) -> str | None:
        """The status of an entry; `None` for other records, `unknown` without any commit."""
        entry = frame.record
        if not isinstance(entry, Entry):
            return None
        liveness = self.liveness(frame, entry.index)
        if liveness is Liveness.SUPERSEDED:
            return OVERWRITTEN
        if liveness is None or self._commit is None:
            return UNKNOWN
        return COMMITTED if entry.index <= self._commit else UNCOMMITTED

    def liveness(self, frame: Frame, index: int) -> Liveness | None:
        """Whether the entry still counts; `None` when the log does not have it at all."""
        run = self._log.run_of(index)
        if run is None:
            return None
        return Liveness.LIVE if self._holds(run, frame) else Liveness.SUPERSEDED

    @staticmethod
    def _holds(run: Run, frame: Frame) -> bool:
        return run.segment == frame.segment and run.start <= frame.span.start < run.stop
