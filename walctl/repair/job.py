"""What the engine carries out: a repair and an undo alike come down to a few changes of files.

A `Job` says what the two folders of a member hold now, and what they are to hold; where the bytes
come from is the business of whoever made it. All changes happen at once, so a name that one of
them gives up may be taken by another.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from walctl.errors import StoppedError, UsageError
from walctl.fs.writable import Attributes
from walctl.repair.plan import SNAP, WAL, Bound, Drop, PlanClass, Stamp
from walctl.repair.strict import Part
from walctl.repair.world import World

Blocks: TypeAlias = Iterable[bytes | memoryview]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """The file `name` gets other bytes, or is new.

    `blocks` gives its first bytes, zeros follow up to the size of `stamp`. `attributes` are those
    that it gets; `None`: those of the file that it replaces, or of one like it. `is_allocated`:
    whether all its blocks are to be taken on the disk; `None`: as with the file that it replaces.
    """

    name: str
    stamp: Stamp
    blocks: Callable[[], Blocks]
    bytes_max: int
    """Bytes of `blocks` at most: what has to be free on the disk for them."""
    attributes: Attributes | None = None
    is_allocated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The file `name` gets the name `target` in the same folder."""

    name: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """The file `name` leaves its folder."""

    name: str


Change: TypeAlias = Put | Move | Take


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do to one member.

    `kind` is `repair` or `undo`. `bound` is the member as it must be found, else the job is off
    with the words `stale`. `drops` are the records that the result may lack, `None` where nobody
    asks; `leaves` are codes of findings that it may have. `documents` go into the backup beside
    the files, by name. `undoes` is the receipt that an undo takes back.
    """

    kind: str
    bound: Bound
    changes: tuple[Change, ...]
    stale: str
    plan_class: PlanClass
    strategy: str
    summary: str = ""
    drops: tuple[Drop, ...] | None = None
    leaves: tuple[str, ...] = ()
    documents: Mapping[str, bytes] = field(default_factory=dict)
    undoes: Path | None = None
    tool: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether the result has to verify; an undo brings damage back, and says so."""
        return self.drops is not None

    @property
    def after(self) -> dict[str, Stamp]:
        """What the two folders hold when it is done.

        Raises: UsageError, when the changes contradict each other or the files.
        """
        files = dict(self.bound.files)
        for change in self.changes:
            if not isinstance(change, Put) and files.pop(change.name, None) is None:
                raise UsageError(f"{change.name}: no such file, or changed twice")
        given: set[str] = set()
        for change in self.changes:
            match change:
                case Put(name=name, stamp=stamp):
                    is_free = name not in given
                case Move(name=source, target=name):
                    stamp = self.bound.files[source]
                    is_free = name not in files
                case Take():
                    continue
            if not is_free:
                raise UsageError(f"{name}: the name is taken, or changed twice")
            given.add(name)
            files[name] = stamp
        return files

    @property
    def names(self) -> list[str]:
        """Every name that a change speaks of, sorted."""
        moved = {change.target for change in self.changes if isinstance(change, Move)}
        return sorted(moved | {change.name for change in self.changes})


def room_of(name: str) -> str:
    """`wal` or `snap`, of a name such as `wal/NAME`.

    Raises: UsageError, when it is no name of a file in one of the two folders.
    """
    room, _, base = name.partition("/")
    if room not in (WAL, SNAP):
        Part(name, "file").refuse("wal/NAME or snap/NAME")
    Part(name, "file").file_name(base)
    return room


def base_of(name: str) -> str:
    """The name within its folder."""
    return name.partition("/")[2]


def folders_of(bound: Bound) -> dict[str, Path]:
    """The folders that are there, by room."""
    found = {room: bound.folder(room) for room in (WAL, SNAP)}
    return {room: folder for room, folder in found.items() if folder is not None}


def path_of(bound: Bound, name: str) -> Path:
    """Where a file of the member lies.

    Raises: UsageError, when its folder is not there.
    """
    folder = bound.folder(room_of(name))
    if folder is None:
        raise UsageError(f"{name}: this member has no folder {room_of(name)}")
    return folder / base_of(name)


def paced(world: World, blocks: Blocks) -> Iterator[bytes | memoryview]:
    """The blocks as they come, until somebody wants us to stop.

    Raises: StoppedError.
    """
    for block in blocks:
        demand_going(world)
        yield block


def demand_going(world: World) -> None:
    """Raise StoppedError once somebody wants us to stop; only before anything is in place."""
    if world.is_stopped():
        raise StoppedError("stopped: rolled back, nothing was changed")
