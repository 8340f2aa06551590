"""Time as an event loop has it, for what waits by `talk.Pace`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from walctl.cluster import runtime
from walctl.cluster.talk import LateError


class LoopPace:
    """See `Pace`."""

    def now_us(self) -> int:
        """See `Pace`."""
        return runtime.now_us()

    async def pause(self, seconds: float) -> None:
        """See `Pace`."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def within(self, seconds: float, words: str) -> AsyncIterator[None]:
        """See `Pace`."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise LateError(words) from error
