"""The records of a log in the order of the file, piece by piece, with the fates of the entries.

While the log is whole, pieces come as soon as what follows has settled their entries, so that the
first comes at once however long the log is. At the first damage, and wherever the log does what no
Raft log does, the whole member is surveyed, and what comes from there on is told by the survey.
Nothing is kept, and no record is made into an object here.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property

from walctl.datadir.chain import Segment
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem
from walctl.inspect.fate import INDEX_MAX, Piece, Settling, index_reached, piece_of
from walctl.inspect.row import RAW_BYTES_MAX, FindingRow, RecordRow
from walctl.inspect.status import Status
from walctl.model.batch import Batch
from walctl.model.record import Check, Entry, Frame, Span
from walctl.wal import names as wal_names
from walctl.wal.forensics import Named
from walctl.wal.names import SegmentName
from walctl.wal.records import lift
from walctl.wal.scan import Damage, End, scan

OFFSET_MAX = (1 << 63) - 1
PIECE_BYTES = 1 << 18
"""Bytes of a log that are looked at together: as JSON they become some six times as many."""


@dataclass(frozen=True, slots=True)
class Covers:
    """The indexes `[first, last]` that a row stands for; a record stands for the one it is at."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Single:
    """One row that is in no piece: damage, or a frame that is damaged."""

    row: RecordRow | FindingRow
    covers: Covers


Item = Piece | Single


class Flow:
    """One member's log, told from its beginning.

    `survey` is called when the whole log has to be looked at, at most once; `applied` is what the
    database has applied (`None`: not known), asked for at the end of the log.
    """

    def __init__(
        self,
        disk: FileSystem,
        layout: Layout,
        *,
        survey: Callable[[], Survey],
        applied: Callable[[], int | None],
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._ask = survey
        self._applied = applied

    @cached_property
    def survey(self) -> Survey:
        """The whole member; gathered when it is first asked for."""
        return self._ask()

    @cached_property
    def names(self) -> list[SegmentName]:
        """The segments in the order of their names."""
        folder = self._layout.wal_dir
        assert folder is not None, "a member without a log has no flow"
        if self._layout.only_segment is not None:
            only = self._layout.only_segment
            return [wal_names.parse(only) or SegmentName(only, 0, 0)]
        return wal_names.in_order(self._disk.names(folder)) if self._disk.exists(folder) else []

    @cached_property
    def order(self) -> dict[str, int]:
        """The position of each segment in the log, by name."""
        if self._is_surveyed:
            return self.survey.order
        return {name.text: place for place, name in enumerate(self.names)}

    @cached_property
    def is_etcds(self) -> bool:
        """Whether the log says at its beginning that a member of etcd writes it."""
        for name in self.names[:1]:
            for item in self._scan(name.text, None):
                if isinstance(item, Batch):
                    return any(each.metadata.node_id is not None for each in item.metadata)
        return False

    @property
    def _is_surveyed(self) -> bool:
        return "survey" in self.__dict__

    def items(self) -> Iterator[Item]:
        """Every piece, damage and damaged frame, in file order.

        Raises: AccessError when a segment cannot be read.
        """
        if self._is_surveyed:
            yield from surveyed(self._disk, self._layout, self.survey)
            return
        settling = Settling()
        stopped = yield from self._sound(settling)
        if stopped is None:
            yield from settling.rest(self._applied())
        else:
            pending = settling.first_pending
            place = stopped if pending is None else (pending.segment, pending.start)
            yield from surveyed(self._disk, self._layout, self.survey, start=place)

    def _sound(self, settling: Settling) -> Generator[Piece, None, tuple[str, int] | None]:
        """Pieces while nothing is wrong; gives the place where something is, `None` at the end."""
        reached = 0
        before: SegmentName | None = None
        crc: int | None = None
        for name in self.names:
            # Which segment follows the one before is for the survey to say, if names do not tell.
            joint = (name.text, 0) if before is None else (before.text, OFFSET_MAX)
            if before is not None and name.seq != before.seq + 1:
                return joint
            seed = crc if before is not None else (0 if name.is_first else None)
            for item in self._scan(name.text, seed):
                match item:
                    case Batch():
                        piece = piece_of(item, reached=reached, first_check=Check.UNVERIFIABLE)
                        if not settling.add(piece, item):
                            return name.text, piece.start
                        reached, crc = piece.last, item.crc
                        yield from settling.settled()
                    case Damage():
                        return (name.text, item.start) if item.start else joint
                    case End():
                        break
            before = name
        return None

    def _scan(self, name: str, seed: int | None) -> Iterator[Batch | Damage | End]:
        """The scan of a segment; nothing for one that was purged meanwhile."""
        assert self._layout.wal_dir is not None
        path = self._layout.wal_dir / name
        try:
            file = self._disk.open(path)
        except AccessError:
            if self._disk.exists(path):
                raise
            return
        with file:
            yield from scan(file, segment=name, seed=seed, window_bytes=PIECE_BYTES)


def surveyed(
    disk: FileSystem, layout: Layout, survey: Survey, *, start: tuple[str, int] | None = None
) -> Iterator[Item]:
    """The items of a log that was surveyed, from `start` (segment and offset) on."""
    folder = layout.wal_dir
    if folder is None:
        return
    telling = _Telling(survey)
    reached = 0
    is_reached = start is None
    for seed, segment in _seeded(survey.segments):
        first_offset = 0
        if start is not None and not is_reached:
            if segment.name.text == start[0]:
                is_reached, first_offset = True, start[1]
            else:
                reached = _last_index(segment, reached)
                continue
        with disk.open(folder / segment.name.text) as file:
            for item, at in telling.items(file, segment.name.text, seed, reached):
                reached = at
                if _is_from(item, first_offset):
                    yield item


def _last_index(segment: Segment, reached: int) -> int:
    """The index that the log reaches with this segment: by its last entry or marker, not by its
    highest, which a new leader may have taken back."""
    stretches = segment.digest.stretches
    runs = (run for each in stretches for run in each.runs)
    return index_reached(runs, (mark for each in stretches for mark in each.marks), reached)


def _is_from(item: Item, offset: int) -> bool:
    """Whether an item stands at `offset` or behind it; pieces begin where they did before."""
    if isinstance(item, Piece):
        return item.start >= offset
    return _offset(item.row) >= offset


def _offset(row: RecordRow | FindingRow) -> int:
    if isinstance(row, RecordRow):
        return row.frame.span.start
    return row.finding.place.offset or 0


def _seeded(segments: list[Segment]) -> Iterator[tuple[int | None, Segment]]:
    """Each segment with the checksum that its first record continues, where that is known."""
    before: Segment | None = None
    for segment in segments:
        if before is not None and segment.seq == before.seq + 1:
            yield before.digest.last_crc, segment
        else:
            yield 0 if segment.name.is_first else None, segment
        before = segment


class _Telling:
    """Items of single segments, with what the survey knows of them."""

    def __init__(self, survey: Survey) -> None:
        self._status = Status(survey)
        self._named = {(each.damage.segment, each.damage.start): each for each in survey.named}

    def items(
        self, file: File, name: str, seed: int | None, reached: int
    ) -> Iterator[tuple[Item, int]]:
        """The items of a segment, each with the index that the log has reached with it."""
        first_check = Check.UNVERIFIABLE
        for item in scan(file, segment=name, seed=seed, window_bytes=PIECE_BYTES):
            match item:
                case Batch():
                    piece = piece_of(item, reached=reached, first_check=first_check)
                    for fate in piece.fates:
                        self._status.settle(fate, name)
                    reached, first_check = piece.last, Check.UNVERIFIABLE
                    yield piece, reached
                case Damage():
                    named = self._named.get((name, item.start))
                    covers = covered(named, reached)
                    if named is not None:
                        size = min(item.stop - item.start, RAW_BYTES_MAX)
                        raw = b"" if item.head is not None else file.read_at(item.start, size)
                        yield Single(FindingRow(finding=named.finding(), raw=raw), covers), reached
                    if item.head is not None:
                        frame = damaged_frame(item)
                        raw = file.read_at(frame.span.start, frame.span.length)
                        row = RecordRow(frame=frame, raw=raw, status=self._status.of(frame))
                        yield Single(row, covers), reached
                    if named is not None and named.is_mended:
                        reached = covers.last
                    first_check = item.resumed
                case End():
                    return


def covered(named: Named | None, at: int) -> Covers:
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


def damaged_frame(damage: Damage) -> Frame:
    """The frame at a damage that has one."""
    head = damage.head
    assert head is not None, "only a damage with a frame is shown as one"
    size = len(head.payload or b"")
    is_verified = damage.check is Check.VERIFIED
    computed = damage.computed
    if computed is None and is_verified:
        computed = head.stored  # its payload does not fit its type, but its checksum does
    return Frame(
        segment=damage.segment,
        span=Span(head.start, head.stop),
        payload=None
        if head.payload is None
        else Span(head.payload_start, head.payload_start + size),
        record=lift(head.raw_type, head.payload, head.stored),
        check=damage.check,
        stored=head.stored,
        computed=computed,
    )
