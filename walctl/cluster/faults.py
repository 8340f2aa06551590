"""What can be done to links, disks, clocks and processes: frozen data, with no deeds in it.

The simulator and the proxies of real processes read the same values; a fault that cannot be
written down as one of these does not exist. Times are whole microseconds, probabilities are
millionths, rates of clocks are percent: no floats, so that the same words mean the same anywhere.
What is done to disks is the disks' own (`walctl.fs.disk_faults`).
"""

from dataclasses import dataclass
from typing import Final

from walctl.fs.disk_faults import CrashMode as CrashMode
from walctl.fs.disk_faults import DiskFault as DiskFault
from walctl.fs.disk_faults import DiskFaultKind as DiskFaultKind

PPM = 1_000_000
"""Millionths in a whole."""
_ROT: Final = frozenset({"flip", "zero", "truncate", "drop", "latent", "stale"})
PASSING: Final = _ROT | frozenset({"kill", "clock-jump", "wipe", "rewind", "keep"})
"""What is done once, and is not on afterwards: it has nothing to take off."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFault:
    """A clock that runs at `rate_percent` of the right speed, and jumped by `jump_us` once."""

    rate_percent: int = 100
    jump_us: int = 0
