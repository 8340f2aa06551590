"""What a link's fault does to the messages of one stream: a pipe, without sockets.

A pipe is fed messages in pieces and hands on what gets through. Three steps, in this order:

    fate     at a message's first byte: cut, lost, doubled, overtaken by the next, or it passes
    delay    it waits for its time, behind the messages before it, and for its link's bytes a second
    cut      at its first byte again: what comes due while the link is cut is gone too

So a message is handed on whole or not at all, and one that has begun is never stopped by a cut: no
stream has a gap inside a message. Where a stream cannot do without a whole message either (see
`Manner`), one that is lost ends the stream at once, and one that a cut took makes the pipe
`is_spoiled`: the connection stays open and silent until the link is healed, and is closed then.

Order is kept within a stream whatever the jitter: reordering is a fault of its own. While a fault
changes, what waits for its time goes at once. With nothing wrong a piece is handed on as it is.

Memory: what waits is bounded, and so is a message that has to be whole to be doubled or overtaken;
a longer one passes.
"""

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from walctl.cluster.events import EventKind
from walctl.cluster.proxy_frames import Borders
from walctl.cluster.proxy_links import Clock, LinkState, Timer

QUEUE_BYTES_MAX: Final = 4 << 20
"""What waits in one pipe before its source is asked to stop."""
SLOW_QUEUE_BYTES_MAX: Final = 128 << 10
"""The same on a link of few bytes a second."""
HOLD_BYTES_MAX: Final = 1 << 20
"""The longest message that is doubled or overtaken."""
OVERTAKE_SECONDS: Final = 0.05
"""How long a message waits for the one that is to overtake it."""
SLICES_PER_SECOND: Final = 20
"""In how many pieces a slow link carries what it carries in a second."""
_TIMER_SLACK: Final = 0.001
"""A loop's clock is not finer than this."""


class Manner(enum.Enum):
    """What a stream can do without."""

    MESSAGES = enum.auto()
    """Any message: each stands for itself."""
    REQUESTS = enum.auto()
    """Any, but somebody waits for an answer to each."""
    SEQUENCE = enum.auto()
    """None, and none may come twice: etcd's `msgapp`, the pieces of a snapshot."""
    BYTES = enum.auto()
    """Nobody knows; there are no messages to lose singly."""


class _Fate(enum.Enum):
    PASS = enum.auto()
    CUT = enum.auto()
    LOSE = enum.auto()
    DOUBLE = enum.auto()
    OVERTAKE = enum.auto()


class _Piece(NamedTuple):
    due: float
    data: bytes
    begins: bool
    ends: bool


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a pipe tells its owner.

    `on_pass`: a message begins to be handed on. `on_loss`: one was lost by chance that its stream
    cannot just go on without. `on_full` and `on_room`: its source is to stop, and may go on.
    `on_idle`: nothing waits any more.
    """

    on_pass: Callable[[], None] = _nothing
    on_loss: Callable[[], None] = _nothing
    on_full: Callable[[], None] = _nothing
    on_room: Callable[[], None] = _nothing
    on_idle: Callable[[], None] = _nothing


class Pipe:
    """The messages of one stream on one link; see the module."""

    def __init__(
        self,
        state: LinkState,
        sink: Callable[[bytes], None],
        *,
        clock: Clock,
        hooks: Hooks,
        manner: Manner,
    ) -> None:
        self.state = state
        self.is_spoiled = False
        self._sink = sink
        self._clock = clock
        self._hooks = hooks
        self._manner = manner
        # Of the message that comes in: its fate, what is held of it, whether it has not ended.
        self._fate = _Fate.PASS
        self._held = bytearray()
        self._is_open = False
        self._lag = 0.0
        # What waits; and whether a cut took the message that goes out.
        self._overtaken: list[bytes] = []
        self._queue: deque[_Piece] = deque()
        self._queue_bytes = 0
        self._is_full = False
        self._is_taken = False
        self._timer: Timer | None = None
        self._overtake_timer: Timer | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits in it."""
        return not self._queue and not self._overtaken

    @property
    def is_clear(self) -> bool:
        """Whether bytes may be handed on as they come, without a look at the messages."""
        is_plain = self._fate is _Fate.PASS and not self._is_taken and not self.is_spoiled
        return self.state.is_well and is_plain and self.is_idle

    def feed(self, data: bytes, borders: Borders) -> None:
        """Take the next bytes of a stream. Raises: FormatError, where they are no such stream."""
        begins = not borders.is_inside
        ends = borders.ends(data)
        if self.is_clear:
            self._is_open, self._lag = borders.is_inside, 0.0
            self._count(data, len(ends))
            self._sink(data)
            return
        at = 0
        for end in ends:
            self.push(data[at:end], begins=begins, ends=True)
            at, begins = end, True
        if at < len(data):
            self.push(data[at:], begins=begins, ends=False)

    def push(self, data: bytes, *, begins: bool, ends: bool) -> None:
        """Take a piece of a message."""
        if begins:
            self._fate = self._decide()
        self._is_open = not ends
        match self._fate:
            case _Fate.PASS:
                self._wait(data, begins=begins, ends=ends)
            case _Fate.DOUBLE | _Fate.OVERTAKE:
                self._hold(data, ends=ends)
            case _Fate.CUT | _Fate.LOSE:
                pass
        if ends:
            self._end()

    def refresh(self) -> None:
        """The link's fault has changed: what waits goes now, and is cut if that is the fault."""
        self._release_overtaken()
        self._emit(until=None)

    def close(self) -> None:
        """Forget all that waits."""
        for timer in (self._timer, self._overtake_timer):
            if timer:
                timer.cancel()
        self._timer = self._overtake_timer = None
        self._queue.clear()
        self._overtaken.clear()

    def _decide(self) -> _Fate:
        """What becomes of a message, at its first byte."""
        state, fault = self.state, self.state.fault
        if state.is_cut or self.is_spoiled:
            self._cut()
            return _Fate.CUT
        if self._manner is Manner.BYTES or not fault.is_by_message:
            return _Fate.PASS
        if state.happens(fault.loss_ppm):
            state.note(EventKind.DROP, "loss")
            return _Fate.LOSE
        if self._manner is Manner.SEQUENCE:
            return _Fate.PASS
        if state.happens(fault.duplicate_ppm):
            return _Fate.DOUBLE
        return _Fate.OVERTAKE if state.happens(fault.reorder_ppm) else _Fate.PASS

    def _cut(self) -> None:
        """A cut takes a message."""
        self.state.note(EventKind.DROP, "cut")
        self.is_spoiled = self._manner is not Manner.MESSAGES

    def _hold(self, data: bytes, *, ends: bool) -> None:
        """Keep a message until it is whole; one that is too long passes after all."""
        self._held += data
        if not ends and len(self._held) > HOLD_BYTES_MAX:
            self._fate = _Fate.PASS
            self._wait(self._take_held(), begins=True, ends=False)

    def _take_held(self) -> bytes:
        whole = bytes(self._held)
        self._held.clear()
        return whole

    def _end(self) -> None:
        """A message has ended: what was held of it goes its way, and what it overtook follows."""
        fate, self._fate = self._fate, _Fate.PASS
        match fate:
            case _Fate.DOUBLE:
                self.state.note(EventKind.DUP, "dup")
                whole = self._take_held()
                self._wait(whole, begins=True, ends=True)
                self._wait(whole, begins=True, ends=True)
            case _Fate.OVERTAKE:
                self._overtaken.append(self._take_held())
                self._await_overtaking()
                return
            case _Fate.LOSE:
                if self._manner is not Manner.MESSAGES:
                    self._hooks.on_loss()
                return
            case _Fate.CUT:
                return
            case _Fate.PASS:
                pass
        self._release_overtaken()

    def _await_overtaking(self) -> None:
        """Wait for the next message, but not for ever: there may be none."""
        self.state.counters.reordered += 1
        if self._overtake_timer is None:
            when = self._clock.time() + OVERTAKE_SECONDS
            self._overtake_timer = self._clock.call_at(when, self._release_overtaken)

    def _release_overtaken(self) -> None:
        if self._is_open and self._fate is _Fate.PASS:
            return  # in the middle of a message; its end calls again
        if self._overtake_timer:
            self._overtake_timer.cancel()
            self._overtake_timer = None
        messages, self._overtaken = self._overtaken, []
        for each in messages:
            self._wait(each, begins=True, ends=True)
        if messages and self.is_idle:
            self._hooks.on_idle()

    def _wait(self, data: bytes, *, begins: bool, ends: bool) -> None:
        """Put a piece behind those that wait for their time, or hand it on when there is none."""
        state, fault = self.state, self.state.fault
        if begins:
            self._lag = state.lag()
            state.counters.delayed += self._lag > 0
        rate = fault.bytes_per_second
        if rate is None and not self._lag and not self._queue:
            self._go(data, begins=begins, ends=ends)
            return
        now = self._clock.time()
        step = max(rate // SLICES_PER_SECOND, 1) if rate else len(data)
        for at in range(0, len(data), step):
            part = data[at : at + step]
            due = (state.carry(len(part), now) if rate else now) + self._lag
            due = max(due, self._queue[-1].due) if self._queue else due
            is_last = at + step >= len(data)
            self._queue.append(_Piece(due, part, begins and at == 0, ends and is_last))
        self._queue_bytes += len(data)
        bound = SLOW_QUEUE_BYTES_MAX if rate else QUEUE_BYTES_MAX
        if self._queue_bytes > bound and not self._is_full:
            self._is_full = True
            self._hooks.on_full()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and self._queue:
            self._timer = self._clock.call_at(self._queue[0].due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._emit(until=self._clock.time())

    def _emit(self, *, until: float | None) -> None:
        """Hand on what is due; all that waits, without a time."""
        if not self._queue:
            return
        while self._queue and (until is None or self._queue[0].due <= until + _TIMER_SLACK):
            piece = self._queue.popleft()
            self._queue_bytes -= len(piece.data)
            self._go(piece.data, begins=piece.begins, ends=piece.ends)
        if self._timer and not self._queue:
            self._timer.cancel()
            self._timer = None
        self._set_timer()
        if self._is_full and self._queue_bytes <= SLOW_QUEUE_BYTES_MAX // 2:
            self._is_full = False
            self._hooks.on_room()
        if self.is_idle:
            self._hooks.on_idle()

    def _go(self, data: bytes, *, begins: bool, ends: bool) -> None:
        """Hand on a piece, unless the link is cut where its message begins."""
        if begins:
            self._is_taken = self.state.is_cut or self.is_spoiled
            if self._is_taken:
                self._cut()
            else:
                self._hooks.on_pass()
        if not self._is_taken:
            self._count(data, int(ends))
            self._sink(data)
        if ends:
            self._is_taken = False

    def _count(self, data: bytes, messages: int) -> None:
        counters = self.state.counters
        counters.messages += messages
        counters.bytes += len(data)
