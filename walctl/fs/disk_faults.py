"""What a disk does to a program that runs, and what it keeps when the power goes: values.

Whoever does it is `failing`; what a power cut may leave at all is said in `crash`.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from walctl.fs.contents import Written
from walctl.fs.crash import (
    KEPT,
    LOST,
    Atom,
    Crash,
    First,
    NameChange,
    Sampled,
    These,
    atoms_of,
)
from walctl.fs.nodes import Node, Plain

Draw: TypeAlias = Callable[[int], int]
"""A number from 0 up to, and without, the one that is given."""

_SEEDS = 1 << 32


class DiskFaultKind(enum.StrEnum):
    """What a disk does to a program that runs."""

    SLOW_SYNC = "slow-fsync"
    """A sync takes `delay_us` more."""
    FAIL_SYNC = "fail-fsync"
    """A sync fails, and what was to be synced is gone: the next one says that all is well."""
    WRITE_ERROR = "eio"
    """A write fails."""
    FULL = "full"
    """There is no room for more than `bytes_left`."""
    LYING_SYNC = "lie"
    """A sync says that all is well, and does nothing: what it had to keep dies with the power."""
    MISDIRECTED = "misdirect"
    """A write lands at another place, and all is said to be well; for the simulator alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFault:
    """A fault of the disk of a running node, until it is taken off.

    `count` is how many calls it hits (`None`: all); `group` the group whose files are meant
    (`None`: all of the node).
    """

    kind: DiskFaultKind
    delay_us: int = 0
    bytes_left: int = 0
    count: int | None = None
    group: str | None = None


class CrashMode(enum.StrEnum):
    """How much a node's disk keeps when the power goes; see `crash`."""

    CLEAN = "clean"
    """All: the process alone dies."""
    LOSE_ALL = "lose-all"
    """What was synced."""
    PREFIX = "prefix"
    """What was synced, and the first of the writes behind that, whole."""
    TORN = "torn"
    """The same, and a part of the next one, up to a sector's border."""
    REORDER = "reorder"
    """What was synced, and any of the sectors written behind that."""
    META_AHEAD = "meta-ahead"
    """What was synced; behind that every new size and name, and no byte: zeros."""
    DIR_LOST = "dir-lost"
    """All bytes; but the last of the names that no sync of a directory covers are as before."""
    LYING = "lying"
    """What was synced, and of what a disk has lied about what the first of those syncs covered."""


@dataclass(frozen=True, slots=True)
class Lie:
    """A sync that was none, of `node`: what had been done to it with a number below `number` was
    said to be durable."""

    node: Node
    number: int


def crash_of(
    mode: CrashMode,
    files: Sequence[Plain],
    names: Sequence[NameChange],
    draw: Draw,
    lies: Sequence[Lie] = (),
) -> Crash:
    """One crash of that mode, for what was not synced of these files and names.

    `prefix` loses one operation at least. `torn` cuts within a write that covers several sectors,
    or has its new size and not all of its bytes; where there is none, it is a `prefix`. `dir-lost`
    loses one change of names at least, where there is one. `lying` believes all but some of
    `lies`, the last ones: one at least.
    """
    match mode:
        case CrashMode.CLEAN:
            return KEPT
        case CrashMode.LOSE_ALL:
            return LOST
        case CrashMode.REORDER:
            return Sampled(draw(_SEEDS))
        case CrashMode.PREFIX:
            return _prefix(files, names, draw)
        case CrashMode.META_AHEAD | CrashMode.DIR_LOST | CrashMode.LYING:
            kept = _kept_by(mode, atoms_of(files, names, is_torn=False), names, draw, lies)
            return These(frozenset(kept), is_torn=False)
    numbers = [atom.number for atom in atoms_of(files, names, is_torn=True)]
    inside = [at for at in range(1, len(numbers)) if numbers[at - 1] == numbers[at]]
    if not inside:
        return _prefix(files, names, draw)
    return These(frozenset(range(inside[draw(len(inside))])))


def _kept_by(
    mode: CrashMode,
    atoms: Sequence[Atom],
    names: Sequence[NameChange],
    draw: Draw,
    lies: Sequence[Lie],
) -> Iterator[int]:
    """Positions of the whole operations that these modes keep."""
    is_drawn = mode is CrashMode.DIR_LOST and names
    known = {change.number for change in names[: draw(len(names))]} if is_drawn else set()
    believed = lies[: draw(len(lies))] if mode is CrashMode.LYING and lies else ()
    for position, atom in enumerate(atoms):
        is_name, is_bytes = atom.file is None, isinstance(atom.effect, Written)
        match mode:
            case CrashMode.META_AHEAD:
                is_kept = not is_bytes
            case CrashMode.DIR_LOST:
                is_kept = not is_name or atom.number in known
            case _:
                is_kept = any(_covers(lie, atom) for lie in believed)
        if is_kept:
            yield position


def _covers(lie: Lie, atom: Atom) -> bool:
    if atom.number >= lie.number:
        return False
    if isinstance(atom.effect, NameChange):
        return any(each.directory is lie.node for each in atom.effect.assigns)
    return atom.file is lie.node


def _prefix(files: Sequence[Plain], names: Sequence[NameChange], draw: Draw) -> Crash:
    count = len({atom.number for atom in atoms_of(files, names, is_torn=False)})
    return First(draw(count)) if count else LOST
