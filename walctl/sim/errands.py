"""Coroutines in virtual time: who waits is driven by hand, and goes on when an event says so.

The shipped changes of members and groups are coroutines that wait for calls that were handed to
them. Here such a call stands still at a `Stop`, which the `Errand` that drives the coroutine takes;
an event makes it go on later, with a value or an error. No event loop has a part in it.

An errand may be killed wherever it stands, as a process is: nothing of it runs any more. One that
belongs to a node's process (`is_alive`) is killed by that as soon as it would go on.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from walctl.cluster.talk import LateError
from walctl.errors import WalctlError
from walctl.sim.clockwork import Clockwork, Rank

T = TypeVar("T")
_SECOND_US: Final = 1_000_000


class Stop(Generic[T]):
    """Where an errand stands still. `begin` is called once it does, and is given what makes it go
    on: later, once; what comes after that is not heard."""

    def __init__(self, begin: Callable[["Going[T]"], None]) -> None:
        self.begin = begin

    def __await__(self) -> Generator[Any, Any, T]:
        found: T = yield self
        return found


class Going(Generic[T]):
    """Makes an errand go on from one `Stop`, if it stands there still."""

    def __init__(self, errand: "Errand[Any]") -> None:
        self._errand = errand

    def on(self, value: T) -> None:
        """The call is answered."""
        self._errand.go(self, lambda work: work.send(value))

    def fail(self, error: WalctlError) -> None:
        """The call raises this."""
        self._errand.go(self, lambda work: work.throw(error))

    @property
    def is_open(self) -> bool:
        """Whether it waits for this."""
        return self._errand.stands_at is self


class _TimeUp(BaseException):
    """Breaks off what a block waits for; of no concern to whoever handles errors."""


class Errand(Generic[T]):
    """One coroutine, and how far it is; it is also the `Pace` of what it runs.

    `result` and `error` are what came of it; neither of an errand that was killed.
    """

    def __init__(self, clock: Clockwork, *, is_alive: Callable[[], bool] = lambda: True) -> None:
        self.clock = clock
        self.is_over = False
        self.was_killed = False
        self.result: T | None = None
        self.error: WalctlError | None = None
        self.stands_at: Going[Any] | None = None
        self._is_alive = is_alive
        self._work: Coroutine[Any, Any, T] | None = None
        self._on_end: Callable[[Errand[T]], None] = _nothing

    def begin(
        self, work: Coroutine[Any, Any, T], on_end: "Callable[[Errand[T]], None] | None" = None
    ) -> None:
        """Run it to where it first stands; `on_end` is told when it is over, however it ends."""
        self._work = work
        if on_end is not None:
            self._on_end = on_end
        self._drive(lambda each: each.send(None))

    def kill(self) -> None:
        """It ends here; nobody hears an answer any more."""
        if not self.is_over:
            self.was_killed = True
            self._end()

    def go(self, where: Going[Any], how: Callable[[Coroutine[Any, Any, T]], Any]) -> None:
        """Go on from where it stands; from elsewhere it has gone on already."""
        if self.is_over or self.stands_at is not where:
            return
        if self._is_alive():
            self._drive(how)
        else:
            self.kill()

    # Time, for what it runs.

    def now_us(self) -> int:
        """See `Pace`."""
        return self.clock.now_us

    async def pause(self, seconds: float) -> None:
        """See `Pace`."""
        delay_us = round(seconds * _SECOND_US)
        await Stop[None](
            lambda going: self.clock.after(delay_us, Rank.CLIENT, lambda: going.on(None))
        )

    @asynccontextmanager
    async def within(self, seconds: float, words: str) -> AsyncIterator[None]:
        """See `Pace`."""
        up = _TimeUp()
        is_left = False

        def break_off() -> None:
            if not is_left and not self.is_over and self.stands_at is not None:
                self.go(self.stands_at, lambda work: work.throw(up))

        self.clock.after(round(seconds * _SECOND_US), Rank.CLIENT, break_off)
        try:
            yield
        except _TimeUp as found:
            if found is not up:
                raise
            raise LateError(words) from None
        finally:
            is_left = True

    # How it goes on.

    def _drive(self, how: Callable[[Coroutine[Any, Any, T]], Any]) -> None:
        assert self._work is not None, "it has begun"
        self.stands_at = None
        try:
            stop = how(self._work)
        except StopIteration as end:
            self.result = end.value
            self._end()
        except WalctlError as error:
            self.error = error
            self._end()
        else:
            assert isinstance(stop, Stop), "it waits for nothing else"
            self.stands_at = Going(self)
            stop.begin(self.stands_at)

    def _end(self) -> None:
        self.is_over = True
        self.stands_at = None
        if self._work is not None:
            self._work.close()
        self._on_end(self)


def _nothing(errand: Errand[Any]) -> None:
    """Nobody wants to know."""
