"""One link as the proxy has it: its fault, the dice for it, and what it did so far; no sockets.

All streams of a link share this: they share what a slow link carries, and are counted together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from walctl.cluster.events import EventKind
from walctl.cluster.faults import PPM, WELL, Link, LinkFault

TELL_SECONDS: Final = 1.0
"""How often the same kind of loss is told."""


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Do not make it."""


class Clock(Protocol):
    """Time in seconds, as asyncio's loops have it."""

    def time(self) -> float:
        """Now."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call back at a time, from the loop."""


@dataclass(slots=True)
class Counters:
    """What one link did; messages where they are understood, else pieces of whatever passed."""

    messages: int = 0
    bytes: int = 0
    dropped: int = 0
    doubled: int = 0
    delayed: int = 0
    reordered: int = 0


class LinkState:
    """One link: its fault, and what it did so far. Shared by all its streams."""

    def __init__(
        self,
        link: Link,
        *,
        clock: Clock,
        draw: Callable[[int], int],
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        self.link = link
        self.fault = WELL
        self.is_well = True
        self.counters = Counters()
        self.free_at = 0.0
        self._clock = clock
        self._draw = draw
        self._tell = tell
        self._untold: dict[tuple[EventKind, str], int] = {}
        self._timers: dict[tuple[EventKind, str], Timer] = {}

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through."""
        return self.fault.is_cut or self.fault.is_reset

    def put(self, fault: LinkFault) -> None:
        """Put a fault on, in place of the one before."""
        self.fault = fault
        self.is_well = fault.is_none
        self.free_at = 0.0

    def happens(self, ppm: int) -> bool:
        """Whether something of this probability happens now; no draw is made for one of 0."""
        return ppm > 0 and self._draw(PPM) < ppm

    def lag(self) -> float:
        """Seconds by which the next message is late."""
        jitter = self.fault.jitter_us
        shift = self._draw(2 * jitter + 1) - jitter if jitter else 0
        return max(self.fault.delay_us + shift, 0) / 1_000_000

    def carry(self, count: int, now: float) -> float:
        """When the link has carried so many more bytes, behind all that it carries already."""
        rate = self.fault.bytes_per_second or 1
        self.free_at = max(self.free_at, now) + count / rate
        return self.free_at

    def note(self, kind: EventKind, why: str) -> None:
        """Count something that is told: at once, and then at most once a second."""
        if kind is EventKind.DROP:
            self.counters.dropped += 1
        else:
            self.counters.doubled += 1
        key = (kind, why)
        self._untold[key] = self._untold.get(key, 0) + 1
        if key not in self._timers:
            self._tell_of(key)

    def close(self) -> None:
        """Tell what was not told yet."""
        for key, timer in self._timers.items():
            timer.cancel()
            if self._untold.get(key):
                self._send(key)
        self._timers.clear()

    def _tell_of(self, key: tuple[EventKind, str]) -> None:
        self._timers.pop(key, None)
        if self._untold.get(key):
            self._send(key)
            when = self._clock.time() + TELL_SECONDS
            self._timers[key] = self._clock.call_at(when, lambda: self._tell_of(key))

    def _send(self, key: tuple[EventKind, str]) -> None:
        kind, why = key
        self._tell(
            {"k": kind.value, "link": str(self.link), "count": self._untold.pop(key), "why": why}
        )
