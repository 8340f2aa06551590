"""What a disk does to a program that runs, and what it keeps when the power goes: values.

Whoever does it is `failing`; what a power cut may leave at all is said in `crash`.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from walctl.fs.crash import KEPT, LOST, Crash, First, NameChange, Sampled, These, atoms_of
from walctl.fs.nodes import Plain

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
    """A write lands somewhere else, in another file. In the simulator alone."""


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


def crash_of(
    mode: CrashMode, files: Sequence[Plain], names: Sequence[NameChange], draw: Draw
) -> Crash:
    """One crash of that mode, for what was not synced of these files and names.

    `prefix` loses one operation at least. `torn` cuts within a write that covers several sectors,
    or has its new size and not all of its bytes; where there is none, it is a `prefix`.
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
    numbers = [atom.number for atom in atoms_of(files, names, is_torn=True)]
    inside = [at for at in range(1, len(numbers)) if numbers[at - 1] == numbers[at]]
    if not inside:
        return _prefix(files, names, draw)
    return These(frozenset(range(inside[draw(len(inside))])))


def _prefix(files: Sequence[Plain], names: Sequence[NameChange], draw: Draw) -> Crash:
    count = len({atom.number for atom in atoms_of(files, names, is_torn=False)})
    return First(draw(count)) if count else LOST
