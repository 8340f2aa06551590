"""stats: the figures of a log: what is in it, how much of each, and what there is most of.

The segments are scanned as verify does it, in several processes where that pays, and each is
folded to its figures while it is scanned. A part of a log between two positions needs a second
look, because a position may depend on the whole. Damage is passed over and counted: what it is,
verify tells. Reads, and never writes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import is_
from pathlib import Path

from formats import raftpb, walpb
from formats.errors import FormatError, LimitError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import RECORD_BYTES_MAX
from walctl.datadir.chain import DigestTask, Segment
from walctl.datadir.layout import Layout, understand_all
from walctl.datadir.survey import Survey, survey
from walctl.errors import AccessError, ExitStatus, UnsupportedError, WalctlError
from walctl.fs.base import FileSystem
from walctl.inspect.counting.figures import Big, Figures
from walctl.inspect.counting.fold import Wish
from walctl.inspect.counting.measure import Measured, Part, measure
from walctl.inspect.flow import Covers, Flow, covered
from walctl.inspect.positions import bounds_of
from walctl.inspect.reading import ONE_PROCESS, Depth, mapper_of
from walctl.inspect.status import Status
from walctl.model.log import Run
from walctl.model.record import Entry
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import PayloadError, Request
from walctl.wal.fold import Digest
from walctl.wal.forensics import Named
from walctl.wal.records import lift_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentNumbers:
    """What is kept of the figures of one segment; indexes are of its entries, `None` without."""

    records: int = 0
    entries: int = 0
    bytes: int = 0
    padding_bytes: int = 0
    first_index: int | None = None
    last_index: int | None = None

    @classmethod
    def of(cls, figures: Figures) -> "SegmentNumbers":
        """Those of these figures."""
        return cls(
            records=figures.all_records.count,
            entries=figures.entries.count,
            bytes=figures.all_records.bytes,
            padding_bytes=figures.padding_bytes,
            first_index=figures.first_index or None,
            last_index=figures.last_index or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFigures:
    """One segment: its size as a file, and where its frames end; what lies behind is preallocated,
    or damaged."""

    name: str
    size: int
    end: int
    numbers: SegmentNumbers


@dataclass(frozen=True, slots=True, kw_only=True)
class BigEntry:
    """One of the biggest entries, read once more: what its decoder says of it, or why it cannot."""

    big: Big
    request: Request | None = None
    problem: PayloadError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The figures of one path; with `error`, it could not be read, and nothing else counts.

    `damages` are the damaged places, of `damaged_bytes` together. `start` and `stop` are what was
    asked for, as it was typed.
    """

    path: Path
    understood_as: str = ""
    error: str | None = None
    error_status: ExitStatus = ExitStatus.UNFINISHED
    wish: Wish
    start: str | None = None
    stop: str | None = None
    node_id: int | None = None
    cluster_id: int | None = None
    figures: Figures = field(default_factory=Figures)
    segments: tuple[SegmentFigures, ...] = ()
    biggest: tuple[BigEntry, ...] = ()
    damages: int = 0
    damaged_bytes: int = 0
    is_moving: bool = False


def stats(
    disk: FileSystem,
    path: Path,
    *,
    wish: Wish,
    start: str | None = None,
    stop: str | None = None,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    depth: Depth = ONE_PROCESS,
) -> list[Stats]:
    """Count what `path` holds, or what lies between two positions; one report for each log there.

    What keeps a log from being read becomes `Stats.error`.
    """
    try:
        layouts = understand_all(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    except WalctlError as error:
        return [_failed(path, wish, error)]
    return [_one(disk, layout, wish, start, stop, depth) for layout in layouts]


def _failed(path: Path, wish: Wish, error: WalctlError) -> Stats:
    return Stats(path=path, error=error.message, error_status=error.exit_status, wish=wish)


def _one(
    disk: FileSystem, layout: Layout, wish: Wish, start: str | None, stop: str | None, depth: Depth
) -> Stats:
    """The figures of one log."""
    try:
        if layout.wal_dir is None:
            raise UnsupportedError(f"{layout.path}: {layout.shape}, which holds no log")
        # What the database says of the log is no figure; the snapshots decide positions only.
        layout = replace(layout, database=None)
        if isinstance(wish.decoder, AutoDecoder):
            wish = replace(wish, decoder=AutoDecoder(strict=_flow(disk, layout).is_etcds))
        if start is None and stop is None:
            return _whole(disk, replace(layout, snap_dir=None), wish, depth)
        return _part(disk, layout, wish, start, stop, depth)
    except WalctlError as error:
        return _failed(layout.path, wish, error)


def _flow(disk: FileSystem, layout: Layout, seen: Survey | None = None) -> Flow:
    """The log as positions are found in it."""
    return Flow(
        disk,
        layout,
        survey=lambda: survey(disk, layout) if seen is None else seen,
        applied=lambda: None,
    )


class _Gathered:
    """The figures of segments, merged as they are done: of those of single segments only a few
    numbers are kept, since a tally of each would fill the memory."""

    def __init__(self, wish: Wish) -> None:
        self.figures = Figures()
        self.numbers: dict[str, SegmentNumbers] = {}
        self._top = wish.top
        self._taken: list[Digest] = []

    def take(self, digest: Digest | None) -> Digest | None:
        """Add the next segment, in the order of the log; gives it back without its figures."""
        if isinstance(digest, Measured):
            self._taken.append(digest)
            self.numbers[digest.segment] = SegmentNumbers.of(digest.figures)
            self.figures.merge(digest.figures, top=self._top)
            digest.figures = Figures()
        return digest

    def is_of(self, seen: Survey) -> bool:
        """Whether these are the figures of the segments that a survey came to believe in."""
        found = [segment.digest for segment in seen.segments]
        return len(found) == len(self._taken) and all(map(is_, found, self._taken))


def _whole(disk: FileSystem, layout: Layout, wish: Wish, depth: Depth) -> Stats:
    """The figures of the whole log, by one look at each segment."""
    gathered = _Gathered(wish)

    def mapper(_: object, tasks: Sequence[DigestTask]) -> Iterable[Digest | None]:
        return map(gathered.take, mapper_of(depth)(partial(measure, wish, None), tasks))

    seen = survey(disk, layout, mapper=mapper)
    if not gathered.is_of(seen):
        # A segment was misplaced, purged, or scanned again with another checksum in front of it.
        gathered = _gathered(disk, seen, wish, None, depth)
    written = [run for run in seen.runs if not run.is_recovered]
    live = [run for run in seen.log.live if not run.is_recovered]
    gathered.figures.overwritten = _entries(written) - _entries(live)
    return _told(disk, seen, wish, gathered, seen.named)


def _gathered(
    disk: FileSystem, seen: Survey, wish: Wish, part: Part | None, depth: Depth
) -> _Gathered:
    """The figures of the segments of a survey, as they were scanned for it."""
    gathered = _Gathered(wish)
    tasks = [_task(disk, seen.layout, segment) for segment in seen.segments]
    for measured in mapper_of(depth)(partial(measure, wish, part), tasks):
        gathered.take(measured)
    return gathered


def _task(disk: FileSystem, layout: Layout, segment: Segment) -> DigestTask:
    """What scans a segment as it was scanned."""
    assert layout.wal_dir is not None
    seed = segment.digest.items[0].seed if segment.digest.items else None
    return DigestTask(disk=disk, path=layout.wal_dir / segment.name.text, seed=seed)


def _part(
    disk: FileSystem, layout: Layout, wish: Wish, start: str | None, stop: str | None, depth: Depth
) -> Stats:
    """The figures of the records between two positions, by a second look."""
    seen = survey(disk, layout, mapper=mapper_of(depth))
    flow = _flow(disk, layout, seen)
    assert flow.survey is seen, "positions are of the log that was surveyed"
    bounds = bounds_of(flow, start, stop)
    part = Part(bounds=bounds, status=Status(seen), reached=dict(_reached(seen)))
    gathered = _gathered(disk, seen, wish, part, depth)
    named = [
        each
        for each in seen.named
        if bounds.has(
            each.damage.segment, each.damage.start, each.damage.stop, _covered(seen, each)
        )
    ]
    return replace(_told(disk, seen, wish, gathered, named), start=start, stop=stop)


def _reached(seen: Survey) -> Iterator[tuple[str, int]]:
    """The index that the log has reached in front of each segment."""
    reached = 0
    for segment in seen.segments:
        yield segment.name.text, reached
        runs = [run for stretch in segment.digest.stretches for run in stretch.runs]
        reached = runs[-1].last if runs else reached


def _covered(seen: Survey, named: Named) -> Covers:
    """The indexes that a damage stands for."""
    before = named.before
    return covered(named, before.last if before is not None else 0)


def _entries(runs: Iterable[Run]) -> int:
    return sum(run.last - run.first + 1 for run in runs)


def _told(
    disk: FileSystem,
    seen: Survey,
    wish: Wish,
    gathered: _Gathered,
    named: Sequence[Named],
) -> Stats:
    metadata = seen.metadata[0].metadata if seen.metadata else None
    figures = gathered.figures
    return Stats(
        path=seen.layout.path,
        understood_as=str(seen.layout.shape),
        wish=wish,
        node_id=metadata.node_id if metadata is not None else None,
        cluster_id=metadata.cluster_id if metadata is not None else None,
        figures=figures,
        segments=tuple(_segment(segment, gathered) for segment in seen.segments),
        biggest=tuple(_read_again(disk, seen.layout, wish, big) for big in figures.biggest),
        damages=len(named),
        damaged_bytes=sum(each.damage.stop - each.damage.start for each in named),
        is_moving=seen.is_moving,
    )


def _segment(segment: Segment, gathered: _Gathered) -> SegmentFigures:
    name = segment.name.text
    return SegmentFigures(
        name=name,
        size=segment.digest.size,
        end=segment.digest.end,
        numbers=gathered.numbers.get(name, SegmentNumbers()),
    )


def _read_again(disk: FileSystem, layout: Layout, wish: Wish, big: Big) -> BigEntry:
    """A big entry with what it asks for: only its place was kept."""
    assert layout.wal_dir is not None
    try:
        entry = _entry(disk, layout.wal_dir / big.segment, big.offset)
        request = None if not entry.payload else wish.decoder.decode(entry.payload, entry.kind)
    except PayloadError as error:
        return BigEntry(big=big, problem=error)
    except (AccessError, FormatError):
        return BigEntry(big=big)  # a server has overwritten or purged it meanwhile
    return BigEntry(big=big, request=request)


def _entry(disk: FileSystem, path: Path, offset: int) -> Entry:
    """The entry in the frame at an offset. Raises: AccessError, FormatError."""
    with disk.open(path) as file:
        field = file.read_at(offset, LENGTH_FIELD_BYTES)
        length = split_length(int.from_bytes(field, "little")).record_bytes
        if length > RECORD_BYTES_MAX:
            raise LimitError(f"a record of {length} bytes is more than walctl reads")
        record = walpb.RECORD.parse(file.read_at(offset + LENGTH_FIELD_BYTES, length))
    return lift_entry(raftpb.ENTRY.parse(record.data or b""))[0]
