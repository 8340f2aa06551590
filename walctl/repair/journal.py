"""What was begun, on the disk before it is done: so that a crash can be told from a result.

A journal is lines of JSON, each synced before what it announces:

    begun   which unit, how, and where the backup is made; before anything else is written
    about   names and the inodes that they stand for, before and after; before the one step
    done    the step is on the disk

Whether the step was taken is asked of the disk: an inode keeps its number when it is renamed. A
line that is not whole was not synced, so what it announces was not begun.
"""

import enum
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from walctl.datadir.unfinished import JOURNAL
from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem
from walctl.repair.stated import FILES_MAX, NUMBER_MAX, own_name
from walctl.repair.strict import Part, parsed
from walctl.repair.unit import Unit, Way

JOURNAL_BYTES_MAX = 64 << 20
_KIND = "walctl-journal"
UNIT_ITSELF = "."
"""The name in a journal that stands for the folder that is exchanged."""


class State(enum.StrEnum):
    """How far an application came."""

    OLD = "old"
    """Nothing is in place."""
    NEW = "new"
    """The step was taken."""
    UNKNOWN = "unknown"
    """Neither: somebody else was here since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a journal says.

    `backup` is the folder of the backup, with `files`, by names as in a plan. `inodes` are, by
    name within the unit, the inode before the step and after it; `None`: no such name. Empty as
    long as the step was not announced.
    """

    way: Way
    rooms: tuple[str, ...]
    directory: Path
    backup: Path
    files: tuple[str, ...]
    inodes: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    is_done: bool = False


class Journal:
    """The journal of an application that is under way; its lock says that somebody is at it."""

    def __init__(self, disk: WritableFileSystem, unit: Unit) -> None:
        self._disk = disk
        self._unit = unit
        self._file: WritableFile | None = None
        self._size = 0

    def begin(self, entry: Entry) -> None:
        """Write the first line, and sync it with the names that lead to it."""
        work = self._unit.work
        self._file = self._disk.create_file(work / JOURNAL)
        self._file.lock(Lock.RECORD)
        self._append(
            {
                "v": 1,
                "kind": _KIND,
                "phase": "begun",
                "way": str(entry.way),
                "rooms": list(entry.rooms),
                "directory": str(entry.directory),
                "backup": str(entry.backup),
                "files": list(entry.files),
            }
        )
        self._disk.sync_dir(work)
        self._disk.sync_dir(work.parent)

    def announce(self, inodes: Mapping[str, tuple[int | None, int | None]]) -> None:
        """Say what the one step will change."""
        pairs = {name: list(pair) for name, pair in inodes.items()}
        self._append({"phase": "about", "inodes": pairs})

    def conclude(self) -> None:
        """Say that the step is on the disk."""
        self._append({"phase": "done"})

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()

    def _append(self, line: Mapping[str, object]) -> None:
        assert self._file is not None, "a journal is begun before it is added to"
        data = json.dumps(line, allow_nan=False).encode("ascii") + b"\n"
        self._file.write_at(self._size, data)
        self._file.sync()
        self._size += len(data)


def read_journal(disk: FileSystem, work: Path) -> Entry | None:
    """What the journal in a work folder says; `None`: not one whole line, so nothing was begun.

    Raises: UsageError, when it is none of ours; AccessError.
    """
    path = work / JOURNAL
    if not disk.exists(path):
        return None
    with disk.open(path) as file:
        data = file.read_at(0, JOURNAL_BYTES_MAX + 1)
    if len(data) > JOURNAL_BYTES_MAX:
        raise UsageError(f"{path}: more than {JOURNAL_BYTES_MAX:,} bytes: no journal of ours")
    lines = _whole_lines(data)
    if not lines:
        return None
    try:
        return _entry_of(lines)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def state_of(
    disk: FileSystem, unit: Unit, inodes: Mapping[str, tuple[int | None, int | None]]
) -> State:
    """Whether the step that a journal announced was taken."""
    found = {name: inode_at(disk, place_in(unit, name)) for name in inodes}
    if all(found[name] == after for name, (_, after) in inodes.items()):
        return State.NEW
    if all(found[name] == before for name, (before, _) in inodes.items()):
        return State.OLD
    return State.UNKNOWN


def place_in(unit: Unit, name: str) -> Path:
    """What a name in a journal stands for."""
    return unit.path if name == UNIT_ITSELF else unit.path / name


def inode_at(disk: FileSystem, path: Path) -> int | None:
    """The inode that a path leads to; `None`: there is none."""
    if not disk.exists(path):
        return None
    return disk.stat(path).inode


def _whole_lines(data: bytes) -> list[object]:
    """The lines from the first on that are whole; what a crash left of one is no line."""
    lines: list[object] = []
    for line in data.split(b"\n")[:-1]:
        with suppress(UsageError):
            lines.append(parsed(line))
            continue
        break
    return lines


def _entry_of(lines: list[object]) -> Entry:
    head = Part(lines[0]).members(
        "v", "kind", "phase", "way", "rooms", "directory", "backup", "files"
    )
    head["v"].integer(1, 1)
    for name, wanted in (("kind", _KIND), ("phase", "begun")):
        if head[name].text() != wanted:
            head[name].refuse(wanted)
    inodes: dict[str, tuple[int | None, int | None]] = {}
    is_done = False
    for line in lines[1:]:
        phase = Part(line.get("phase") if isinstance(line, dict) else line, "phase").text()
        if phase == "about":
            inodes = _inodes_of(Part(line, "line").members("phase", "inodes")["inodes"])
        elif phase == "done":
            is_done = True
        else:
            Part(phase, "phase").refuse("about or done")
    return Entry(
        way=head["way"].one_of(Way),
        rooms=tuple(each.text() for each in head["rooms"].items(2)),
        directory=Path(head["directory"].text()),
        backup=Path(head["backup"].text()),
        files=tuple(own_name(each) for each in head["files"].items(FILES_MAX)),
        inodes=inodes,
        is_done=is_done,
    )


def _inodes_of(part: Part) -> dict[str, tuple[int | None, int | None]]:
    found: dict[str, tuple[int | None, int | None]] = {}
    for name, pair in part.entries(FILES_MAX).items():
        if name != UNIT_ITSELF:
            pair.file_name(name)
        items = pair.items(2)
        if len(items) != 2:
            pair.refuse("an inode before and one after")
        found[name] = (items[0].maybe(_inode), items[1].maybe(_inode))
    return found


def _inode(part: Part) -> int:
    return part.integer(0, NUMBER_MAX)


def demand_idle(disk: WritableFileSystem, work: Path) -> WritableFile:
    """The journal of a work folder, locked: so nobody else is at it.

    Raises: AccessError, when somebody is.
    """
    file = disk.open_file(work / JOURNAL)
    try:
        file.lock(Lock.RECORD)
    except AccessError:
        file.close()
        raise AccessError(f"{work}: another walctl is at it right now") from None
    return file
