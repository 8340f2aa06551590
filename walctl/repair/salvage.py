"""salvage: what can be had from a member that nobody else can help, in a directory of its own.

    DIR/report.json      what can be read, what is missing, and what was made of it
    DIR/records.ndjson   every readable record, also behind damage, as `dump -o ndjson` prints them
    DIR/member/          a startable member, where the files allow one (`foundation`, `survivor`)

The member is only read, and nothing is written into it: DIR is new or empty and lies apart.
`member` appears under that name once it is whole, synced, and has been read back and compared
with its source; whatever stops us takes away all that was made. The report comes last.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.errors import (
    AccessError,
    ExitStatus,
    UnsupportedError,
    UsageError,
)
from walctl.fs.base import FileSystem, Kind, Stat
from walctl.fs.writable import WritableFileSystem
from walctl.inspect.membership import membership
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.report import Report
from walctl.inspect.row import OVERWRITTEN
from walctl.inspect.verify import examine
from walctl.payload.base import Decoder
from walctl.repair.coverage import Coverage, Missing, coverage, readable
from walctl.repair.foundation import Foundation, choose
from walctl.repair.survivor import MEMBER, PART, Survivor, survivor_of
from walctl.repair.survivor_base import go_on, write_blocks
from walctl.repair.world import World
from walctl.wal.writer import SEGMENT_BYTES

RECORDS, REPORT = "records.ndjson", "report.json"
ROW_FACTOR = 7
"""Bytes of a log become up to so many as rows of JSON, by measure."""
PARENTS_MAX = 256
PARENT = ".."

Rows = Callable[[Survey], Iterable[bytes]]
"""The records of a surveyed log as lines, in blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What became of it. Without a `survivor`, `refusals` say why there is none."""

    path: Path
    target: Path
    report: Report
    coverage: Coverage
    survivor: Survivor | None
    refusals: tuple[str, ...]
    why_this: tuple[str, ...] = ()
    """Why other foundations did not serve."""
    cluster_size: int | None = None
    """Voters of the old cluster, as far as anything here knows them."""
    has_database: bool = True
    """Whether there is one that says what was applied, which has been committed."""
    old_node_id: int | None = None
    old_cluster_id: int | None = None

    @property
    def lost(self) -> tuple[Missing, ...]:
        """What is missing and not in the survivor, or, without one, not in the database either."""
        if self.survivor is None:
            return self.coverage.lost
        applied = self.survivor.foundation.index
        return tuple(
            each for each in self.coverage.missing if each.last is None or each.last > applied
        )

    @property
    def left_out(self) -> tuple[int, int] | None:
        """Readable entries that count, from the first that the survivor does not have on."""
        if self.survivor is None:
            return None
        behind = [
            each
            for each in self.coverage.readable
            if each.status != OVERWRITTEN and each.last > self.survivor.last
        ]
        if not behind:
            return None
        first = min(max(each.first, self.survivor.last + 1) for each in behind)
        return first, max(each.last for each in behind)

    @property
    def exit_status(self) -> ExitStatus:
        """0 when there is a member that can be started."""
        return ExitStatus.CLEAN if self.survivor is not None else ExitStatus.UNFINISHED


def salvage(
    world: World,
    layout: Layout,
    target: Path,
    *,
    decoder: Decoder,
    rows: Rows,
    report: Callable[[Salvage], bytes],
    skips_holes: bool = False,
    depth: Depth = ONE_PROCESS,
) -> Salvage:
    """Salvage the member at `layout` into `target`; see the module.

    `decoder` tells which keys entries touch; `rows` and `report` make what the two files hold.
    With `skips_holes`, lost entries within the log become empty ones, so that those behind count.

    Raises: UsageError, UnsupportedError; AccessError, also when a server is at work; StoppedError;
    CorruptionError, when what was made does not read back. Then nothing is left in `target`.
    """
    disk = world.disk
    if layout.wal_dir is None:
        raise UnsupportedError(f"{layout.path}: {layout.shape}, which holds no log")
    demand_apart(disk, target, layout)
    examination = examine(disk, layout, depth=_ended_by(world, depth))
    survey = examination.survey
    if survey.is_moving:
        note = survey.notes[-1] if survey.notes else "moving target"
        raise AccessError(f"{layout.path}: {note}; stop the server first, or salvage a copy")
    choice = choose(disk, survey, tuple(readable(survey)), skips_holes=skips_holes)
    best, refusals = choice.best, list(choice.words)
    if not _is_etcds(survey):
        best, refusals = None, ["not a log of one member of etcd: only its records are salvaged"]
    found = coverage(disk, survey, decoder, applied=choice.applied, on_entry=partial(go_on, world))
    _demand_room(disk, target, survey, best)
    old = survey.metadata[0].metadata if survey.metadata else None
    is_done = False
    is_new = not disk.exists(target)
    if is_new:
        disk.make_dir(target)
    try:
        write_blocks(world, target / RECORDS, rows(survey))
        survivor = None if best is None else survivor_of(world, survey, best, target)
        result = Salvage(
            path=layout.path,
            target=target,
            report=examination.report,
            coverage=found,
            survivor=survivor,
            refusals=tuple(refusals) if best is None else (),
            why_this=() if best is None else choice.words,
            cluster_size=membership(survey).size,
            has_database=survey.database is not None,
            old_node_id=None if old is None else old.node_id,
            old_cluster_id=None if old is None else old.cluster_id,
        )
        write_blocks(world, target / REPORT, [report(result)])
        disk.sync_dir(target)
        is_done = True
    finally:
        if not is_done:
            _take_away(disk, target, is_new=is_new)
    return result


def _ended_by(world: World, depth: Depth) -> Depth:
    """The same depth; but reading ends, with StoppedError, once somebody asks us to stop."""

    def on_segment(done: int, total: int) -> None:
        go_on(world)
        depth.on_segment(done, total)

    return replace(depth, on_segment=on_segment)


def demand_apart(disk: FileSystem, target: Path, layout: Layout) -> None:
    """Refuse a target that is not new or empty, or that lies within a member.

    Directories are compared as the disk knows them, because paths may lead through links.
    Raises: UsageError; AccessError.
    """
    within = target
    if disk.exists(target):
        if disk.stat(target).kind is not Kind.DIRECTORY:
            raise UsageError(f"{target}: expected a new or an empty directory, found a file")
        if disk.names(target):
            raise UsageError(f"{target}: expected a new or an empty directory, found it in use")
    else:
        within = target.parent
    parts = [layout.path, layout.wal_dir, layout.snap_dir]
    own = [disk.stat(part) for part in parts if part is not None and disk.exists(part)]
    for _ in range(PARENTS_MAX):
        here = disk.stat(within)
        if any(_is_same(here, part) for part in own):
            raise UsageError(f"{target}: lies within the member that is salvaged")
        # By name: not every directory above may be listed.
        if disk.exists(within / "wal") and disk.exists(within / "snap"):
            raise UsageError(f"{target}: lies within a member, {within}")
        if target != within and disk.exists(within / MEMBER / "wal"):
            raise UsageError(f"{target}: lies within a data directory, {within}")
        above = within / PARENT
        if _is_same(disk.stat(above), here):
            return
        within = above
    raise UsageError(f"{target}: lies too deep")


def _is_same(one: Stat, other: Stat) -> bool:
    """Whether two directories are one; inodes repeat from disk to disk, so times count too."""
    same = one.kind is other.kind is Kind.DIRECTORY
    return same and (one.inode, one.mtime_ns) == (other.inode, other.mtime_ns)


def _is_etcds(survey: Survey) -> bool:
    """Whether all metadata is etcd's, and of one member."""
    found = {placed.metadata for placed in survey.metadata}
    return all(each.node_id is not None for each in found) and len(found) <= 1


def _demand_room(
    disk: WritableFileSystem, target: Path, survey: Survey, best: Foundation | None
) -> None:
    """Refuse before anything is written what will not fit."""
    needed = survey.log_bytes * ROW_FACTOR
    if best is not None:
        needed += survey.log_bytes + 2 * SEGMENT_BYTES
        needed += 0 if best.witness is None else best.witness.size
    within = target if disk.exists(target) else target.parent
    free = disk.free_bytes(within)
    if free < needed:
        raise AccessError(
            f"{within}: expected room for some {needed:,} bytes, found {free:,}: name an"
            " --output-dir on another disk"
        )


def _take_away(disk: WritableFileSystem, target: Path, *, is_new: bool) -> None:
    """Remove all that was made: the directory was new or empty, so everything in it is ours."""
    with suppress(AccessError):
        for name in (RECORDS, REPORT):
            if disk.exists(target / name):
                disk.remove(target / name)
        for name in (MEMBER, PART):
            _remove_member(disk, target / name)
        if is_new:
            disk.remove_dir(target)


def _remove_member(disk: WritableFileSystem, folder: Path) -> None:
    """Remove a member of ours: its two folders, the files in them, and what creation left."""
    if not disk.exists(folder):
        return
    for room in disk.names(folder):
        for name in disk.names(folder / room):
            disk.remove(folder / room / name)
        disk.remove_dir(folder / room)
    disk.remove_dir(folder)
