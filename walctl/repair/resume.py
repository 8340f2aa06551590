"""After a crash: what was begun is finished if its one step was taken, and rolled back if not.

Nothing is decided here that the disk does not say: the journal names the inodes before and after
the step, and whoever has the name now has been or has not been exchanged.
"""

import enum
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from walctl.datadir.unfinished import JOURNAL, WORK_SUFFIX, unfinished
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.base import Kind
from walctl.repair.backup import (
    BACKUP_NAME,
    MANIFEST,
    RECEIPT,
    read_document,
    read_manifest,
    remove_backup,
)
from walctl.repair.execute import finish, remove_work
from walctl.repair.guard import demand_stamps
from walctl.repair.journal import Entry, State, demand_idle, read_journal, state_of
from walctl.repair.plan import WAL, Bound, Stamp
from walctl.repair.stated import bound_of
from walctl.repair.strict import Part
from walctl.repair.unit import NEW, OLD, TRIAL, Unit, Way, folders_at
from walctl.repair.world import World

_OURS = frozenset({NEW, OLD, TRIAL, JOURNAL})


class Outcome(enum.StrEnum):
    """What became of an interrupted application."""

    NOTHING = "nothing"
    """None was found."""
    FINISHED = "finished"
    """The result is in place."""
    ROLLED_BACK = "rolled-back"
    """The member is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What `resume` found and did; `receipt` is there when the application was finished.

    `kept` is the backup of what was rolled back, where somebody has written to the member since:
    nothing else has what it was before.
    """

    directory: Path
    outcome: Outcome
    receipt: Path | None = None
    kept: Path | None = None
    words: str = ""

    @property
    def exit_status(self) -> ExitStatus:
        """What a command that resumed ends with: somebody has to look at a backup that stayed."""
        return ExitStatus.CLEAN if self.kept is None else ExitStatus.UNFINISHED


def resume(
    world: World, directory: Path, *, wal_dir: Path | None = None, snap_dir: Path | None = None
) -> Resumed:
    """Finish or roll back what a crash left beside a member's directory.

    `wal_dir` and `snap_dir` say where parts of a split layout are.

    Raises: AccessError, when it cannot be told how far it came, or somebody is at it right now;
    UsageError, when what lies there is none of ours.
    """
    folders = folders_at(world.disk, directory, wal_dir=wal_dir, snap_dir=snap_dir)
    works = unfinished(world.disk, directory, folders)
    found = [_resumed(world, directory, work) for work in works]
    if not found:
        return Resumed(
            directory=directory,
            outcome=Outcome.NOTHING,
            words="nothing was interrupted here",
        )
    return min(found, key=lambda each: (each.kept is None, each.outcome is not Outcome.FINISHED))


def _resumed(world: World, directory: Path, work: Path) -> Resumed:
    disk = world.disk
    if disk.attributes(work).is_link or disk.stat(work).kind is not Kind.DIRECTORY:
        raise UsageError(f"{work}: no work folder of walctl's: not a folder")
    foreign = sorted(set(disk.names(work)) - _OURS)
    if foreign:
        raise UsageError(f"{work / foreign[0]}: not of walctl's making: move it elsewhere first")
    unit_path = work.parent / work.name.removesuffix(WORK_SUFFIX)
    with ExitStack() as stack:
        if disk.exists(work / JOURNAL):
            stack.callback(demand_idle(disk, work).close)
        entry = read_journal(disk, work)
        if entry is None:
            return _cleared(world, directory, work, unit_path)
        unit = Unit(way=entry.way, path=unit_path, rooms=entry.rooms)
        _demand_ours(entry)
        if entry.is_done:
            return _finished(world, directory, unit, entry)
        state = state_of(disk, unit, entry.inodes) if entry.inodes else State.OLD
        if state is State.UNKNOWN:
            raise AccessError(
                f"{work}: somebody changed {unit.path} since an application of walctl was"
                f" interrupted, so it cannot be told how far it came; the backup is in"
                f" {entry.backup}; look at both, and then move {work} elsewhere"
            )
        if state is State.NEW:
            return _finished(world, directory, unit, entry)
        return _rolled_back(world, directory, unit, entry)


def _rolled_back(world: World, directory: Path, unit: Unit, entry: Entry) -> Resumed:
    """Take away what was made, but no backup of bytes that the member has no more."""
    disk = world.disk
    if _is_only_copy(world, unit, entry):
        remove_work(disk, unit)
        return Resumed(
            directory=directory,
            outcome=Outcome.ROLLED_BACK,
            kept=entry.backup,
            words="the interrupted application was rolled back, but somebody has written to the"
            " member since; the backup of it as it was before is kept in"
            f" {entry.backup} (zstd -d opens each file)",
        )
    files = dict.fromkeys(entry.files, Stamp(size=0, sha256=""))
    remove_backup(disk, entry.backup, files)
    remove_work(disk, unit)
    return Resumed(
        directory=directory,
        outcome=Outcome.ROLLED_BACK,
        words="the interrupted application was rolled back: the member is as it was",
    )


def _is_only_copy(world: World, unit: Unit, entry: Entry) -> bool:
    """Whether a whole backup holds what the member does not, or cannot be shown to.

    Nobody held the member's locks since the crash, so a server may have been started on it, and
    etcd itself cuts a torn log. Raises: StoppedError.
    """
    disk = world.disk
    if not disk.exists(entry.backup / MANIFEST):
        return False  # written last: without it the backup was never whole
    try:
        read_manifest(disk, entry.backup)
        document = read_document(disk, entry.backup / MANIFEST)
        assert isinstance(document, dict), "a manifest that was read is an object"
        bound = bound_of(Part(document["bound"], "bound"))
    except UsageError:
        return False  # torn by the crash: it was not synced yet
    try:
        demand_stamps(world, _where_it_is(bound, unit), None, "not as in the backup")
    except (AccessError, UsageError):
        return True
    return False


def _where_it_is(bound: Bound, unit: Unit) -> Bound:
    """The member of a backup as it lies now: its directory may have another name since."""
    room = WAL if unit.way is Way.PARENT else unit.rooms[0]
    part = bound.wal if room == WAL else bound.snap
    if part is None or part.is_absolute():
        return bound
    folder = unit.path / room if unit.way is Way.PARENT else unit.path
    return replace(bound, directory=folder.parents[len(part.parts) - 1] if part.parts else folder)


def _cleared(world: World, directory: Path, work: Path, unit_path: Path) -> Resumed:
    """A work folder in which nothing is under way; nothing but a journal may be in it."""
    others = sorted(set(world.disk.names(work)) - {JOURNAL})
    if others:
        raise UsageError(
            f"{work}: has {others[0]} and no journal that says what it is: look at it and move it"
            " elsewhere"
        )
    has_journal = world.disk.exists(work / JOURNAL)
    remove_work(world.disk, Unit(way=Way.FILE, path=unit_path, rooms=()))
    if not has_journal:
        # The folder is made before its journal and goes behind it: which it was, nothing tells.
        return Resumed(
            directory=directory,
            outcome=Outcome.NOTHING,
            words="nothing was half done: an application had left its empty work folder, begun or"
            " done; walctl clean lists what was done",
        )
    return Resumed(
        directory=directory,
        outcome=Outcome.ROLLED_BACK,
        words="an application had hardly begun: the member is as it was",
    )


def _finished(world: World, directory: Path, unit: Unit, entry: Entry) -> Resumed:
    finish(world.disk, unit, entry.backup)
    return Resumed(
        directory=directory,
        outcome=Outcome.FINISHED,
        receipt=entry.backup / RECEIPT,
        words="the interrupted application was finished: the result is in place",
    )


def _demand_ours(entry: Entry) -> None:
    """A journal may lead to a backup of ours and to nothing else: files in it are taken away."""
    backup = entry.backup
    if not BACKUP_NAME.fullmatch(backup.name) or ".." in backup.parts:
        raise UsageError(f"{backup}: the journal names this as a backup, and it is none of ours")
