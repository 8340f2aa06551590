"""What one member's directory says, gathered once: log, snapshot files, database, names.

A survey judges nothing; it is what verify, doctor, the owner's view and later repair work on. It
opens files for reading only, takes no lock, and notes when the directory moved meanwhile.
"""

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from walctl.backend.check import check_tree
from walctl.backend.pages import PageError
from walctl.backend.schema import Witness, check_trailer, read_witness
from walctl.datadir.chain import (
    DigestTask,
    Mapper,
    Misplaced,
    Segment,
    check_joints,
    in_chain_order,
    one_by_one,
    run_task,
)
from walctl.datadir.layout import Layout
from walctl.datadir.unfinished import unfinished_notes
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Kind, Stat
from walctl.fs.lazy import LazyFile
from walctl.model.log import (
    Gap,
    Log,
    PlacedEntry,
    PlacedMark,
    PlacedMetadata,
    PlacedState,
    Run,
    StateStep,
    Stretch,
    put_together,
    takes_back,
)
from walctl.model.member import Published
from walctl.snap import names as snap_names
from walctl.snap.reader import SnapFile, SnapProblemKind, read_snap
from walctl.wal import names as wal_names
from walctl.wal.forensics import Named, name_all
from walctl.wal.names import SegmentName


@dataclass(kw_only=True)
class Survey:
    """One member as its files have it.

    `segments` are in the order of the checksum chain, which is that of the names unless one is
    `misplaced`. `database` is `None` when there is none, `database_problem` says why it does not
    read. `is_moving`: a server holds the log, or files changed while they were read.
    """

    layout: Layout
    segments: list[Segment] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    wal_names: list[str] = field(default_factory=list)
    wal_missing: bool = False
    log: Log = field(default_factory=Log)
    runs: list[Run] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    last_state: PlacedState | None = None
    steps: list[StateStep] = field(default_factory=list)
    commit_max: int = 0
    marks: list[PlacedMark] = field(default_factory=list)
    metadata: list[PlacedMetadata] = field(default_factory=list)
    conf_changes: list[PlacedEntry] = field(default_factory=list)
    snap_names: list[str] = field(default_factory=list)
    snaps: list[SnapFile] = field(default_factory=list)
    snap_databases: list[int] = field(default_factory=list)
    database: Witness | None = None
    database_exists: bool = False
    database_problem: PageError | None = None
    database_is_empty: bool = False
    tree_defects: list[tuple[str, PageError]] = field(default_factory=list)
    """Buckets of the database that do not read to their end, by name; see `check_tree`."""
    has_good_trailer: bool | None = None
    """Whether the SHA-256 at the end of a saved snapshot fits; `None` for any other database."""
    siblings: list[str] = field(default_factory=list)
    published: tuple[Published, ...] = ()
    """What members said of themselves in the log: empty until somebody has asked it."""
    is_moving: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def commit(self) -> int:
        """The commit index of the last hard state; 0 without one."""
        return self.last_state.state.commit if self.last_state is not None else 0

    @property
    def applied(self) -> int | None:
        """What the database has applied: 0 for one that is new, `None` where it is not known."""
        return applied_by(self.database)

    @cached_property
    def _bridges(self) -> tuple[list[tuple[str, int]], list[int]]:
        """Places of the snapshot markers, and the highest index up to each."""
        placed = sorted(self.marks, key=lambda each: (each.segment, each.offset))
        reach = list(accumulate((each.mark.index for each in placed), max))
        return [(each.segment, each.offset) for each in placed], reach

    def is_bridged(self, gap: Gap) -> bool:
        """Whether a snapshot that was installed before a gap of the log makes it legal."""
        places, reach = self._bridges
        position = bisect_left(places, (gap.after.segment, gap.after.start))
        return position > 0 and reach[position - 1] >= gap.after.first - 1

    @cached_property
    def order(self) -> dict[str, int]:
        """The position of each segment in the log, by name; to be asked once all is gathered."""
        return {segment.name.text: position for position, segment in enumerate(self.segments)}

    @property
    def records(self) -> int:
        """Whole records, those in damaged frames that could be told included."""
        return sum(s.frames for each in self.segments for s in each.digest.stretches)

    @property
    def entries(self) -> int:
        """Entry records, overwritten ones included."""
        return sum(s.entries for each in self.segments for s in each.digest.stretches)

    @property
    def log_bytes(self) -> int:
        """Bytes of the segments up to where their frames end."""
        return sum(segment.digest.end for segment in self.segments)

    @property
    def last_index(self) -> int | None:
        """Last index that the log reaches: by an entry, or by a snapshot that was installed."""
        marked = max((placed.mark.index for placed in self.marks), default=0)
        return max(self.log.last or 0, marked) or None


def applied_by(witness: Witness | None) -> int | None:
    """What a database has applied: 0 when it is new, `None` where that is not known."""
    if witness is None or (witness.consistent_index is None and witness.defects):
        return None
    return witness.consistent_index or 0


def applied_in(disk: FileSystem, layout: Layout) -> int | None:
    """What the database of a member has applied, without a look at anything else.

    Raises: AccessError.
    """
    path = layout.database
    if path is None or not disk.exists(path) or disk.stat(path).size == 0:
        return None
    try:
        return applied_by(read_witness(disk, path))
    except PageError:
        return None


def survey(
    disk: FileSystem, layout: Layout, *, mapper: Mapper = one_by_one, is_quick: bool = False
) -> Survey:
    """Gather what the parts of `layout` say.

    With `is_quick` only the segments are read that a start from the newest snapshot needs.

    Raises: AccessError when a part that is there cannot be read. Damage raises nothing.
    """
    result = Survey(layout=layout)
    _survey_snapshots(disk, result)
    _survey_database(disk, result, is_quick=is_quick)
    _survey_log(disk, result, mapper, is_quick=is_quick)
    if result.is_moving:
        # A marker that was written since has its file by now: the file comes first.
        _survey_snapshots(disk, result)
    if layout.wal_dir is not None and layout.is_member and disk.exists(layout.wal_dir.parent):
        prefix = layout.wal_dir.name + "."
        names = disk.names(layout.wal_dir.parent)
        unfinished = (f"{prefix}tmp", f"{prefix}broken")
        result.siblings = [name for name in names if name.startswith(unfinished)]
    result.notes += unfinished_notes(disk, layout)
    return result


def _survey_log(disk: FileSystem, result: Survey, mapper: Mapper, *, is_quick: bool) -> None:
    folder = result.layout.wal_dir
    if folder is None:
        return
    if not disk.exists(folder):
        result.wal_missing = True
        return
    result.wal_names = disk.names(folder)
    chosen = result.layout.only_segment
    if chosen is None:
        names = wal_names.in_order(result.wal_names)
    else:
        result.wal_names = [chosen]
        names = [wal_names.parse(chosen) or SegmentName(chosen, 0, 0)]
    names = [name for name in names if _is_plain(disk, folder / name.text)]
    if is_quick:
        newest = max((snap.index or 0 for snap in result.snaps if snap.is_usable), default=0)
        position = wal_names.start_position(names, newest) or 0
        if position:
            result.notes.append(f"segments before {names[position].text} were not read")
        names = names[position:]
    before = _stamps(disk, folder, names)
    # The first segment of all begins with checksum 0; any other is known by the one in front.
    tasks = [
        DigestTask(disk=disk, path=folder / name.text, seed=0 if name.is_first else None)
        for name in names
    ]
    digests = list(mapper(run_task, tasks))
    found = [
        Segment(name=name, digest=each, seq=name.seq)
        for name, each in zip(names, digests, strict=True)
        if each is not None
    ]
    result.segments, result.misplaced = in_chain_order(found)
    check_joints(disk, folder, result.segments)
    _note_movement(disk, folder, result, before)
    # Damage is looked at once more, so a segment that has some and was purged meanwhile goes too.
    result.segments = [
        segment
        for segment in result.segments
        if not segment.digest.damages or disk.exists(folder / segment.name.text)
    ]
    _assemble(result)
    with ExitStack() as stack:
        files: dict[str, File] = {
            segment.name.text: stack.enter_context(LazyFile(disk, folder / segment.name.text))
            for segment in result.segments
            if segment.digest.damages
        }
        result.named = name_all([segment.digest for segment in result.segments], files)


def _stat_or_none(disk: FileSystem, path: Path) -> Stat | None:
    """What a listed name is; `None` when it is gone since then, as a purge leaves it."""
    try:
        return disk.stat(path)
    except AccessError:
        if disk.exists(path):
            raise
        return None


def _is_plain(disk: FileSystem, path: Path) -> bool:
    """Whether a name is a file; a segment that vanished meanwhile was purged."""
    stat = _stat_or_none(disk, path)
    return stat is not None and stat.kind is Kind.FILE


def _stamps(
    disk: FileSystem, folder: Path, names: Sequence[SegmentName]
) -> dict[str, tuple[int, int]]:
    """Size and time of each segment; without those that are gone since they were listed."""
    stamps = {}
    for name in names:
        stat = _stat_or_none(disk, folder / name.text)
        if stat is not None:
            stamps[name.text] = (stat.size, stat.mtime_ns)
    return stamps


def _note_movement(
    disk: FileSystem, folder: Path, result: Survey, before: dict[str, tuple[int, int]]
) -> None:
    """Say so when a server has the log open, or when files changed under our eyes."""
    names = [segment.name for segment in result.segments]
    locked = [name.text for name in names if _is_locked(disk, folder / name.text)]
    if locked:
        result.is_moving = True
        result.notes.append(f"moving target: a process holds the lock on {locked[-1]}")
    after = _stamps(disk, folder, names)
    changed = [segment.name.text for segment in result.segments if segment.digest.shrunk]
    changed += [name for name, stamp in sorted(before.items()) if after.get(name) != stamp]
    if changed:
        result.is_moving = True
        result.notes.append(f"moving target: {changed[0]} changed while it was read")


def _is_locked(disk: FileSystem, path: Path) -> bool:
    try:
        with disk.open(path) as file:
            return file.is_locked()
    except AccessError:
        return False


def _assemble(result: Survey) -> None:
    """Fold the stretches of all segments into one log."""
    for segment in result.segments:
        for stretch in segment.digest.stretches:
            for run in stretch.runs:
                run.commit_before = max(run.commit_before, result.commit_max)
            result.runs += stretch.runs
            result.marks += stretch.marks
            result.conf_changes += stretch.conf_changes
            _add_metadata(result, stretch)
            result.commit_max = max(result.commit_max, stretch.commit_max)
            _add_states(result, stretch)
    result.log = put_together(result.runs)


def _add_metadata(result: Survey, stretch: Stretch) -> None:
    for placed in stretch.metadata:
        if not result.metadata or result.metadata[-1].metadata != placed.metadata:
            result.metadata.append(placed)


def _add_states(result: Survey, stretch: Stretch) -> None:
    first, before = stretch.first_state, result.last_state
    if first is not None and before is not None and takes_back(before.state, first.state):
        result.steps.append(StateStep(before=before, after=first))
    result.steps += stretch.steps
    result.last_state = stretch.last_state or result.last_state


def _survey_snapshots(disk: FileSystem, result: Survey) -> None:
    layout = result.layout
    if layout.snap_file is not None:
        result.snaps = [read_snap(disk, layout.snap_file)]
        return
    if layout.snap_dir is None or not disk.exists(layout.snap_dir):
        return
    result.snap_names = disk.names(layout.snap_dir)
    chosen = snap_names.candidates(result.snap_names)
    result.snaps = []
    for snap in (read_snap(disk, layout.snap_dir / name) for name in chosen):
        if snap.problem is None or snap.problem.kind is not SnapProblemKind.UNREADABLE:
            result.snaps.append(snap)
        elif disk.exists(snap.path):
            # Not known is not damaged.
            detail = snap.problem.detail
            place = "" if str(snap.path) in detail else f"{snap.path}: "
            raise AccessError(f"{place}{detail}")
        else:
            result.is_moving = True
            result.notes.append(f"moving target: {snap.name} went while the rest was read")
    found = (snap_names.parse_db(name) for name in result.snap_names)
    result.snap_databases = [index for index in found if index is not None]


def _survey_database(disk: FileSystem, result: Survey, *, is_quick: bool) -> None:
    path = result.layout.database
    if path is None or not disk.exists(path):
        return
    result.database_exists = True
    result.database_is_empty = disk.stat(path).size == 0
    try:
        result.database = read_witness(disk, path)
        if result.database.is_saved:
            result.has_good_trailer = check_trailer(disk, path)
        if is_quick:
            result.notes.append("of the database only what it says of the log was read")
        else:
            _survey_tree(disk, result, path)
    except PageError as error:
        result.database_problem = error


def _survey_tree(disk: FileSystem, result: Survey, path: Path) -> None:
    """Read every page that the database uses."""
    defects = check_tree(disk, path)
    if defects is None:
        result.notes.append("moving target: the database changed whenever its pages were read")
    else:
        result.tree_defects = defects
