"""What is put in place in one step: a file, one of the two folders, or the folder of both.

    one file changes               it is renamed into its folder, or out of it
    several files of one folder    the folder is exchanged with one that was built beside it
    files of both folders          the folder that holds both is exchanged

Beside the unit lies the work folder, on the same file system, so that one call is enough:

    UNIT.walctl-work/new/       what is built; after an exchange, the old folder
                     old/       a file that was renamed out of its folder
                     trial/     what a real server was started on
                     journal    what was begun, so that a crash can be finished or rolled back
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from walctl.datadir.layout import understand
from walctl.datadir.unfinished import unfinished, work_of
from walctl.errors import AccessError, UnsupportedError, UsageError, WalctlError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.writable import WritableFileSystem
from walctl.repair.beside import besides
from walctl.repair.job import Job, folders_of, room_of
from walctl.repair.plan import SNAP, WAL, Bound

NEW, OLD, TRIAL = "new", "old", "trial"


class Way(enum.StrEnum):
    """How a unit is put in place."""

    FILE = "file"
    """One `rename` of one file."""
    FOLDER = "folder"
    """`wal` or `snap` is exchanged."""
    PARENT = "parent"
    """The folder that holds both is exchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is put in place in one step.

    `path` is the folder that is exchanged, or in which a file is renamed; `rooms` are those of the
    two folders that the unit touches.
    """

    way: Way
    path: Path
    rooms: tuple[str, ...]

    @property
    def work(self) -> Path:
        """The work folder."""
        return work_of(self.path)

    @property
    def new(self) -> Path:
        """Where the result is built."""
        return self.work / NEW

    def staged(self, room: str) -> Path:
        """Where the files of one of its rooms are built."""
        return self.new / room if self.way is Way.PARENT else self.new


def unit_of(disk: WritableFileSystem, job: Job) -> Unit:
    """The smallest unit that holds all that a job changes.

    Raises: UnsupportedError, with the reason, where there is none that one call puts in place.
    """
    bound = job.bound
    folders = folders_of(bound)
    rooms = tuple(sorted({room_of(name) for name in job.names}))
    for room in rooms:
        if room not in folders:
            raise UnsupportedError(f"{bound.directory}: there is no folder {room} to change")
    if folders.get(WAL) == folders.get(SNAP):
        raise UnsupportedError(
            f"{bound.directory}: segments and snapshots lie in one folder: copy them apart first"
        )
    if len(rooms) == 1:
        way = Way.FILE if len(job.changes) == 1 else Way.FOLDER
        unit = Unit(way=way, path=folders[rooms[0]], rooms=rooms)
    else:
        unit = Unit(way=Way.PARENT, path=_parent_of(disk, bound, folders), rooms=rooms)
    _demand_one_device(disk, unit, [folders[room] for room in rooms])
    if unit.way is not Way.FILE:
        for room in rooms:
            _demand_only_files(disk, folders[room])
    return unit


def _parent_of(disk: WritableFileSystem, bound: Bound, folders: dict[str, Path]) -> Path:
    """The folder that holds both, and nothing that cannot come along in an exchange."""
    wal, snap = folders[WAL], folders[SNAP]
    if wal.parent != snap.parent or (wal.name, snap.name) != (WAL, SNAP):
        raise UnsupportedError(
            f"{bound.directory}: the log ({wal}) and the snapshots ({snap}) are not wal and snap of"
            " one folder, and both change: they cannot be put in place in one step"
        )
    besides(disk, wal.parent)
    return wal.parent


def _demand_one_device(disk: WritableFileSystem, unit: Unit, folders: Iterable[Path]) -> None:
    """A name can only be given within one file system."""
    if not unit.path.name:
        raise UnsupportedError(f"{unit.path}: the root of a file system has nothing beside it")
    beside = disk.attributes(unit.path.parent).device
    for folder in (unit.path, *folders):
        if disk.attributes(folder).device != beside:
            raise UnsupportedError(
                f"{folder}: lies on another file system than {unit.path.parent} (a mount point):"
                " the result cannot be put in place in one step"
            )


def _demand_only_files(disk: WritableFileSystem, folder: Path) -> None:
    for name in disk.names(folder):
        if disk.stat(folder / name).kind is not Kind.FILE:
            raise UnsupportedError(
                f"{folder / name}: no plain file, and the folder that it lies in is exchanged:"
                " move it elsewhere first"
            )


def demand_nothing_pending(disk: FileSystem, directory: Path, folders: Iterable[Path]) -> None:
    """Raise AccessError where an application was begun and neither finished nor rolled back."""
    for work in unfinished(disk, directory, folders):
        raise AccessError(
            f"{work}: an interrupted repair lies here: walctl repair {directory} --resume finishes"
            " or rolls it back"
        )


def folders_at(
    disk: FileSystem, directory: Path, *, wal_dir: Path | None = None, snap_dir: Path | None = None
) -> list[Path]:
    """The folders beside which a work folder may lie; none of what is no member any more.

    Raises: UsageError.
    """
    try:
        layout = understand(disk, directory, wal_dir=wal_dir, snap_dir=snap_dir)
    except UsageError:
        raise
    except WalctlError:
        return []  # what is no member any more may still have had a crash
    return [each for each in (layout.wal_dir, layout.snap_dir) if each is not None]
