"""The sliding window of one follower: appends that were sent and not acknowledged yet."""

from collections import deque


class Inflights:
    """A queue of (last index of an append, bytes of its payloads), bounded by count and bytes.

    `bytes_max` of 0 is no bound. One append may overshoot the bound in bytes: a window that holds
    nothing always takes one.
    """

    __slots__ = ("_bytes", "_queue", "bytes_max", "count_max")

    def __init__(self, *, count_max: int, bytes_max: int = 0) -> None:
        self.count_max = count_max
        self.bytes_max = bytes_max
        self._queue: deque[tuple[int, int]] = deque()
        self._bytes = 0

    @property
    def count(self) -> int:
        """Appends in the window."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be sent."""
        is_heavy = self.bytes_max != 0 and self._bytes >= self.bytes_max
        return len(self._queue) >= self.count_max or is_heavy

    def add(self, index: int, payload_bytes: int) -> None:
        """Note an append whose last entry is `index`. The window must not be full."""
        assert not self.is_full, "nothing is sent through a full window"
        self._queue.append((index, payload_bytes))
        self._bytes += payload_bytes

    def free_up_to(self, index: int) -> None:
        """Forget the appends that end at or below `index`."""
        while self._queue and self._queue[0][0] <= index:
            self._bytes -= self._queue.popleft()[1]

    def reset(self) -> None:
        """Forget all of them."""
        self._queue.clear()
        self._bytes = 0
