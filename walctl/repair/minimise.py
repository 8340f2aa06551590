"""The smallest part of a member that still shows what is wrong with it: for a report, for a test.

Files are taken away, then segments from both ends, then records from both ends; after each step
everything is verified again, and a step counts only if the findings are the same, by code and
severity and how many there are. Nothing is written: a candidate is a view over the disk.

Records in front of the damage go without a byte behind them being changed: a segment begins with a
record that says which checksum it continues, and that one is chosen so that the metadata behind it
ends where the kept records begin. A snapshot marker, which nobody wrote, says where the log then
starts; it is told, as contract P10 has it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from formats import walpb
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.walpb import RecordType
from walctl.datadir.chain import Segment
from walctl.datadir.layout import Layout, Shape
from walctl.datadir.survey import Survey
from walctl.errors import UsageError, WalctlError
from walctl.fs.base import FileSystem
from walctl.fs.overlay import Overlay, Part, Pieces
from walctl.inspect.reading import ONE_PROCESS
from walctl.inspect.report import Report
from walctl.inspect.verify import Examination, examine
from walctl.model.batch import Batch
from walctl.model.finding import Severity
from walctl.model.record import Entry, HardState
from walctl.repair.pieces import chained_frame
from walctl.wal import names
from walctl.wal.flip import unrun
from walctl.wal.records import lift
from walctl.wal.scan import Damage, End, scan

STEPS_MAX = 150
"""Times that the member is verified: each costs what verify costs."""
FRAMES_MAX = 2_000_000
"""Frames of a segment that are cut between."""
_ROOM_BYTES = 8192
"""Zeros behind the end that damage may be known by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimised:
    """What is left: a view of it, how it is laid out, and in words what was taken away."""

    disk: Overlay
    layout: Layout
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    disk: Overlay
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Cut:
    """A place between two frames: what stands in front of the second one.

    `seed` is the checksum reached, `index` and `term` are of the last entry.
    """

    offset: int
    seed: int
    index: int
    term: int


@dataclass(slots=True)
class _Search:
    """The best so far, and how often it may still be tried."""

    best: _Candidate
    wanted: Counter[tuple[str, str]]
    examination: Examination
    say: Callable[[str], None]
    left: int = STEPS_MAX
    steps: list[str] = field(default_factory=list)

    def accepts(self, disk: Overlay, layout: Layout | None = None) -> bool:
        """Whether a candidate shows the same; then it is the best."""
        if self.left <= 0:
            return False
        self.left -= 1
        layout = layout or self.best.layout
        try:
            found = examine(disk, layout, depth=ONE_PROCESS)
        except WalctlError:
            return False
        if _signature(found.report) != self.wanted:
            return False
        self.best, self.examination = _Candidate(disk, layout), found
        return True

    @property
    def survey(self) -> Survey:
        """What the best one says."""
        return self.examination.survey

    def told(self, words: str) -> None:
        """Keep what was taken away."""
        self.steps.append(words)
        self.say(words)


def minimised(
    reader: FileSystem, layout: Layout, *, say: Callable[[str], None] = lambda line: None
) -> Minimised:
    """The smallest part of `layout` that shows the same findings.

    Raises: AccessError; UsageError, when there is nothing wrong to show.
    """
    overlay = Overlay(reader)
    examination = examine(overlay, layout)
    wanted = _signature(examination.report)
    if not wanted:
        raise UsageError(f"{layout.path}: nothing is wrong here, so there is nothing to minimise")
    search = _Search(_Candidate(overlay, layout), wanted, examination, say)
    _take_files(search)
    _take_segments(search)
    _take_tail(search)
    _take_head(search)
    return Minimised(disk=search.best.disk, layout=search.best.layout, steps=tuple(search.steps))


def _signature(report: Report) -> Counter[tuple[str, str]]:
    """What has to stay: findings that are more than worth knowing."""
    return Counter(
        (str(each.code), str(each.severity))
        for each in report.findings
        if each.severity is not Severity.INFO
    )


def _take_files(search: _Search) -> None:
    """All but the log, if that shows it; else the files of the member, one after the other."""
    layout = search.best.layout
    wal, snap = layout.wal_dir, layout.snap_dir
    if wal is not None and snap is not None and layout.only_segment is None:
        alone = Layout(path=wal, shape=Shape.SEGMENTS, wal_dir=wal)
        if search.accepts(search.best.disk, alone):
            search.told("snapshots and database: the log alone shows it")
    layout = search.best.layout
    if layout.snap_dir is not None and search.best.disk.exists(layout.snap_dir):
        folder = layout.snap_dir
        found = search.best.disk.names(folder)
        kept = {each.name.text for each in search.survey.segments} if folder == wal else set()
        _take_each(search, [folder / name for name in found if name not in kept])
    if wal is not None and layout.only_segment is None and search.best.disk.exists(wal):
        kept = {each.name.text for each in search.survey.segments}
        odd = [wal / name for name in search.best.disk.names(wal) if name not in kept]
        _take_each(search, odd)


def _take_each(search: _Search, paths: list[Path]) -> None:
    """All of these, or as many as can go one by one."""
    if not paths:
        return
    if search.accepts(search.best.disk.without(*paths)):
        search.told(f"{', '.join(path.name for path in paths[:3])} and such: {len(paths)} files")
        return
    for path in paths if len(paths) > 1 else ():
        if search.accepts(search.best.disk.without(path)):
            search.told(path.name)


def _take_segments(search: _Search) -> None:
    """Segments from the front, then from the end."""
    folder = search.best.layout.wal_dir
    if folder is None or search.best.layout.only_segment is not None:
        return
    for position in (0, -1):
        while len(search.survey.segments) > 1:
            name = search.survey.segments[position].name.text
            if not search.accepts(search.best.disk.without(folder / name)):
                break
            search.told(f"segment {name}")


def _take_tail(search: _Search) -> None:
    """What stands behind the damage in the last segment: its zeros, then its records."""
    folder = search.best.layout.wal_dir
    if folder is None or not search.survey.segments:
        return
    path = folder / search.survey.segments[-1].name.text
    cuts, end, size = _cuts(search.best.disk, path)
    for stop in (end, end + LENGTH_FIELD_BYTES, end + _ROOM_BYTES):
        if stop < size and search.accepts(_shorter(search.best.disk, path, stop)):
            search.told(f"{size - stop:,} zero bytes at the end of {path.name}")
            break
    offsets = [cut.offset for cut in cuts]
    low, high = 0, len(offsets)
    before = search.best.disk
    while low < high:  # the first frames without which nothing is missing are not known: halve
        middle = (low + high) // 2
        if search.accepts(_shorter(before, path, offsets[middle])):
            high = middle
        else:
            low = middle + 1
    if search.best.disk is not before:
        search.told(f"{len(offsets) - high:,} records at the end of {path.name}")


def _shorter(disk: Overlay, path: Path, size: int) -> Overlay:
    pieces: list[bytes | Part] = []
    left = size
    for piece in disk.pieces(path):
        length = piece.stop - piece.start if isinstance(piece, Part) else len(piece)
        taken = min(length, left)
        if isinstance(piece, Part):
            pieces.append(replace(piece, stop=piece.start + taken))
        else:
            pieces.append(piece[:taken])
        left -= taken
    return disk.having(path, tuple(pieces))


def _take_head(search: _Search) -> None:
    """Records in front of the damage, in the first segment of a log that stands alone."""
    layout, segments = search.best.layout, search.survey.segments
    folder = layout.wal_dir
    if folder is None or layout.shape is not Shape.SEGMENTS or not segments:
        return
    if layout.snap_dir is not None or not segments[0].digest.has_head:
        return
    placed = search.survey.metadata
    metadata = placed[0].metadata.raw if placed else None
    path = folder / segments[0].name.text
    cuts, _, _ = _cuts(search.best.disk, path)
    first = segments[0].digest.damages[:1]
    stop = first[0].start if first else segments[0].digest.end
    usable = [cut for cut in cuts if cut.index and cut.offset <= stop]
    before = search.best.disk
    low, high = 0, len(usable)
    taken = 0
    while low < high:
        middle = (low + high) // 2
        if search.accepts(_headless(before, folder, segments, usable[middle], metadata)):
            low, taken = middle + 1, middle + 1
        else:
            high = middle
    if taken:
        cut = usable[taken - 1]
        search.told(
            f"entries up to {cut.index} in front; a head and a snapshot marker at {cut.index} (term"
            f" {cut.term}), which nobody wrote, stand in their place"
        )


def _headless(
    disk: Overlay, folder: Path, segments: list[Segment], cut: _Cut, metadata: bytes | None
) -> Overlay:
    """The log from `cut` on; names count on by one, because the first of all begins with 0."""
    mark = walpb.SNAPSHOT.build(walpb.Snapshot(index=cut.index, term=cut.term))
    data = metadata or b""
    behind_metadata = unrun(cut.seed, mark)
    seed = unrun(behind_metadata, data)
    head = (
        chained_frame(RecordType.CRC, None, seed)
        + chained_frame(RecordType.METADATA, metadata, behind_metadata)
        + chained_frame(RecordType.SNAPSHOT, mark, cut.seed)
    )
    shift = 1 if segments[0].name.seq == 0 else 0
    result = disk
    for position, segment in enumerate(segments):
        source = folder / segment.name.text
        pieces = disk.pieces(source)
        if position == 0:
            pieces = (head, *_from(pieces, cut.offset))
        index = cut.index + 1 if position == 0 else segment.name.index
        name = names.format_name(seq=segment.name.seq + shift, index=index)
        result = result.without(source).having(folder / name, pieces)
    return result


def _from(pieces: Pieces, start: int) -> Pieces:
    """What of these stands from byte `start` on."""
    out: list[bytes | Part] = []
    for piece in pieces:
        length = piece.stop - piece.start if isinstance(piece, Part) else len(piece)
        skipped = min(start, length)
        start -= skipped
        if isinstance(piece, Part):
            out.append(replace(piece, start=piece.start + skipped))
        else:
            out.append(piece[skipped:])
    return tuple(out)


def _cuts(disk: FileSystem, path: Path) -> tuple[list[_Cut], int, int]:
    """Places between whole frames of a segment, where the last byte that counts is, its size."""
    cuts: list[_Cut] = []
    end = size = index = term = 0
    with disk.open(path) as file:
        for item in scan(file, segment=path.name):
            match item:
                case Batch():
                    for at in item.offsets:
                        word = int.from_bytes(item.data[at : at + LENGTH_FIELD_BYTES], "little")
                        length = split_length(word)
                        body = at + LENGTH_FIELD_BYTES
                        record = walpb.RECORD.parse(item.data[body : body + length.record_bytes])
                        value = lift(record.type, record.data, record.crc or 0)
                        if isinstance(value, Entry):
                            index, term = value.index, value.term
                        if isinstance(value, Entry | HardState) and len(cuts) < FRAMES_MAX:
                            stop = body + length.record_bytes + length.padding_bytes
                            cut = _Cut(item.base + stop, record.crc or 0, index, term)
                            cuts.append(cut)
                    end = item.stop
                case Damage():
                    end = item.stop
                case End():
                    size = item.size
    return cuts, end, size
