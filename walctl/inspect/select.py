"""Which rows of a log a person asked for, one after the other, each with its place and status.

Items of the log (pieces, damage) come from the flow; here they become rows, and those that were
not asked for are left out. A `Choice` does that for one item, and may be sent to another process.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.document import row_document
from walctl.inspect.fate import Fate, Piece
from walctl.inspect.filters import Filter
from walctl.inspect.flow import Covers, Item, surveyed
from walctl.inspect.frames import frames_of
from walctl.inspect.positions import Bounds, Position
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.inspect.standing import index_behind, index_of
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import Entry, Frame
from walctl.payload.base import Decoder, PayloadError, Redaction, Request
from walctl.payload.privacy import is_hidden

TYPES = ("metadata", "entry", "state", "crc", "snapshot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to show: from `start` to `stop` (both included), at most `limit` rows, of `types`.

    A record that is no entry stands at the index of the entry before it. `None` means no bound.
    """

    start: Position | None = None
    stop: Position | None = None
    limit: int | None = None
    types: frozenset[str] = field(default_factory=frozenset)


def rows(disk: FileSystem, layout: Layout, survey: Survey, wanted: Selection) -> Iterator[Row]:
    """The rows of `wanted`, in file order.

    Raises: AccessError when a segment cannot be read any more.
    """
    if layout.wal_dir is None:
        return
    bounds = Bounds(start=wanted.start, stop=wanted.stop, order=survey.order)
    choice = Choice(
        disk=disk, folder=layout.wal_dir, bounds=bounds, filter=Filter(types=wanted.types)
    )
    shown = 0
    for item in surveyed(disk, layout, survey):
        for row in choice.rows(item):
            if wanted.limit is not None and shown >= wanted.limit:
                return
            shown += 1
            yield row


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The rows of single items that were asked for; picklable where the disk is."""

    disk: FileSystem
    folder: Path
    bounds: Bounds = field(default_factory=Bounds)
    filter: Filter = field(default_factory=Filter)
    decoder: Decoder | None = None
    redaction: Redaction = Redaction.AUTH
    """What a condition may not see either, and what no form shows."""

    def rows(self, item: Item) -> Iterator[Row]:
        """The rows of one item, in file order.

        Raises: AccessError when the segment cannot be read any more.
        """
        if isinstance(item, Piece):
            if not self.bounds.misses(item):
                yield from self._piece_rows(item)
            return
        row = item.row
        if isinstance(row, FindingRow):
            place, start = row.finding.place, row.finding.place.offset or 0
            stop = row.finding.stop or start
            is_within = self.bounds.has(place.segment or "", start, stop, item.covers)
            if is_within and self.wants(row):
                yield row
            return
        span = row.frame.span
        if self.bounds.has(row.frame.segment, span.start, span.stop, item.covers):
            yield from self.shown(row.frame, row.raw, row.status)

    def bytes_of(self, piece: Piece) -> bytes:
        """All bytes of a piece, as they are now. Raises: AccessError."""
        with self.disk.open(self.folder / piece.segment) as file:
            return file.read_at(piece.start, piece.stop - piece.start)

    def _piece_rows(self, piece: Piece) -> Iterator[Row]:
        is_enclosed = self.bounds.encloses(piece)
        fates = Fates(piece.fates)
        data = self.bytes_of(piece)
        reached = piece.reached
        for frame in frames_of(piece, data):
            start, stop, index = frame.span.start, frame.span.stop, index_of(frame.record, reached)
            reached = index_behind(frame.record, reached)
            covers = Covers(index, index)
            if is_enclosed or self.bounds.has(piece.segment, start, stop, covers):
                raw = data[start - piece.start : stop - piece.start]
                yield from self.shown(frame, raw, fates.status(frame))

    def shown(self, frame: Frame, raw: bytes, status: str | None) -> Iterator[Row]:
        """The row of a record, decoded, if it was asked for; what does not decode is damage."""
        if not self.filter.wants_frame(frame):
            return
        request, problem = self._decoded(frame)
        if self._finds_hidden(frame, request):
            return
        row = RecordRow(frame=frame, raw=raw, status=status, request=request, problem=problem)
        if not self.wants(row):
            return
        yield row
        if problem is not None:
            yield FindingRow(finding=undecodable(frame, problem))

    def wants(self, row: Row) -> bool:
        """Whether the filter lets a whole row through; what is hidden, no condition sees."""
        return self.filter.matches(row, lambda: row_document(row, self.redaction))

    def _finds_hidden(self, frame: Frame, request: Request | None) -> bool:
        """Whether a pattern was found in what is hidden: then it would tell it letter by letter."""
        entry = frame.record
        if self.filter.grep is None or not isinstance(entry, Entry):
            return False
        return is_hidden(entry.payload, request, self.redaction)

    def _decoded(self, frame: Frame) -> tuple[Request | None, PayloadError | None]:
        entry = frame.record
        if self.decoder is None or not isinstance(entry, Entry) or not entry.payload:
            return None, None
        try:
            return self.decoder.decode(entry.payload, entry.kind), None
        except PayloadError as error:
            return None, error


class Fates:
    """The status of the entries of a piece, asked for in file order."""

    def __init__(self, fates: Iterable[Fate]) -> None:
        self._fates = deque(fates)

    def status(self, frame: Frame) -> str | None:
        """The status of an entry; `None` for other records."""
        if not isinstance(frame.record, Entry):
            return None
        while self._fates[0].stop <= frame.span.start:
            self._fates.popleft()
        return self._fates[0].status(frame.record.index)


def undecodable(frame: Frame, problem: PayloadError) -> Finding:
    """The finding for an entry whose payload its decoder cannot read."""
    assert isinstance(frame.record, Entry), "only entries have payloads"
    entry = frame.record
    at = "" if problem.offset is None else f" at byte {problem.offset} of it"
    size = len(entry.payload or b"")
    return Finding(
        code=Code.PAYLOAD_UNDECODABLE,
        severity=Severity.DAMAGE,
        place=Place(
            segment=frame.segment,
            offset=frame.span.start,
            index=entry.index,
            term=entry.term,
        ),
        detail=f"the payload of entry {entry.index} ({size:,} bytes) does not decode"
        f"{at}: {problem.message}",
        stop=frame.span.stop,
    )
