"""A clock that is set by hand, for what waits for a loop's time."""

import heapq
from collections.abc import Callable


class HandTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0
        self._calls: list[tuple[float, int, HandTimer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> HandTimer:
        timer = HandTimer(callback)
        heapq.heappush(self._calls, (when, len(self._calls), timer))
        return timer

    def go(self, seconds: float) -> None:
        until = self.now + seconds
        while self._calls and self._calls[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._calls)
            if not timer.is_cancelled:
                timer.callback()
        self.now = until
