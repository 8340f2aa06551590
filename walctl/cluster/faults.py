"""What can be done to links, disks, clocks and processes: frozen data, with no deeds in it.

The simulator and the proxies of real processes read the same values; a fault that cannot be
written down as one of these does not exist. Times are whole microseconds, probabilities are
millionths, rates of clocks are percent: no floats, so that the same words mean the same anywhere.
"""

import enum
from dataclasses import dataclass

PPM = 1_000_000
"""Millionths in a whole."""


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One direction between two nodes, by their names."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}->{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault:
    """What is wrong with a link. The default is nothing.

    `is_cut`: nothing arrives, and nobody is told; with `is_reset` connections are closed instead.
    `delay_us` is the mean and `jitter_us` the most that a message is earlier or later. A message is
    lost, doubled or overtaken by the next with the given probability. `bytes_per_second` is what
    the link carries; `None` is no bound.
    """

    is_cut: bool = False
    is_reset: bool = False
    delay_us: int = 0
    jitter_us: int = 0
    loss_ppm: int = 0
    duplicate_ppm: int = 0
    reorder_ppm: int = 0
    bytes_per_second: int | None = None

    @property
    def is_none(self) -> bool:
        """Whether the link is well."""
        return self == WELL

    @property
    def is_by_message(self) -> bool:
        """Whether it is about single messages, so that the stream has to be understood."""
        return bool(self.loss_ppm or self.duplicate_ppm or self.reorder_ppm)


WELL = LinkFault()


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
    """How much a node's disk keeps when the power goes; see `walctl.fs.crash`."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFault:
    """A clock that runs at `rate_percent` of the right speed, and jumped by `jump_us` once."""

    rate_percent: int = 100
    jump_us: int = 0
