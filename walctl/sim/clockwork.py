"""Virtual time: one queue of what is to happen, in whole microseconds; nothing here waits.

Events at one time happen in the order of their class, and within a class in the order in which they
were planned; so there is never a tie that a machine could decide in its own way.
"""

import enum
import heapq
from collections.abc import Callable
from typing import Final, TypeAlias

from walctl.errors import WalctlError

Deed: TypeAlias = Callable[[], None]
AT_ONCE_MAX: Final = 1_000_000
"""More events at one moment are a loop, in which time stands still."""


class Rank(enum.IntEnum):
    """The classes of events, in the order in which they happen at one time."""

    CRASH = 0
    """Faults, and their ends."""
    TICK = 1
    DISK = 2
    NETWORK = 3
    CLIENT = 4
    WATCH = 5
    """Whoever looks on."""


class Clockwork:
    """`now_us` is the virtual time."""

    def __init__(self) -> None:
        self.now_us = 0
        self.events = 0
        self._queue: list[tuple[int, int, int, Deed]] = []
        self._planned = 0
        self._events_before = 0
        """How many had happened when this moment began."""

    def at(self, time_us: int, rank: int, deed: Deed) -> None:
        """Plan a deed; one that is late already happens now."""
        self._planned += 1
        heapq.heappush(self._queue, (max(time_us, self.now_us), rank, self._planned, deed))

    def after(self, delay_us: int, rank: int, deed: Deed) -> None:
        """The same, so long from now."""
        self._planned += 1
        heapq.heappush(self._queue, (self.now_us + delay_us, rank, self._planned, deed))

    @property
    def next_us(self) -> int:
        """When something happens next; `NEVER` where nothing is planned."""
        return self._queue[0][0] if self._queue else NEVER

    def step(self) -> None:
        """Let the next event happen, of which there is one.

        Raises: WalctlError, where time stands still.
        """
        time_us, _, _, deed = heapq.heappop(self._queue)
        if time_us != self.now_us:
            self.now_us, self._events_before = time_us, self.events
        elif self.events - self._events_before >= AT_ONCE_MAX:
            raise WalctlError(f"time stands still at {time_us} us: {AT_ONCE_MAX:,} events at once")
        self.events += 1
        deed()

    def run_to(self, time_us: int) -> None:
        """Let everything happen that is planned up to and at this time; it is that time then."""
        queue = self._queue
        while queue and queue[0][0] <= time_us:
            self.step()
        self.now_us = max(self.now_us, time_us)


NEVER: Final = 1 << 62
"""Later than anything."""
