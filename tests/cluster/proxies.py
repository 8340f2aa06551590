"""A proxy on a loop in a thread of its own, for tests that drive real processes."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from walctl.cluster.faults import Link
from walctl.cluster.lab import Engine
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace
from walctl.cluster.topology import change

T = TypeVar("T")


class ProxyThread:
    """Words in, faults on; `events` is what the proxy told."""

    def __init__(self, engine: Engine, places: list[ProxyPlace]) -> None:
        self.names = [place.name for place in places]
        self.events: list[dict[str, object]] = []
        self._engine = engine
        self._places = places
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        self._await(self._start())

    def stop(self) -> None:
        try:
            self._await(self.proxy.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def say(self, words: str) -> None:
        """Do what the words say."""

        def deed() -> None:
            made = change(words, nodes=self.names, on=self.proxy.faults())
            self.proxy.set_faults(made.faults)

        self.call(deed)

    def learn(self, member_id: int, name: str) -> None:
        self.call(lambda: self.proxy.learn(member_id, name))

    def messages(self) -> dict[Link, int]:
        """How many messages each link has passed on."""
        return self.call(
            lambda: {link: each.messages for link, each in self.proxy.counters().items()}
        )

    def bytes(self, link: Link) -> int:
        """How many bytes a link has passed on."""
        return self.call(lambda: self.proxy.state(link).counters.bytes)

    def call(self, deed: Callable[[], T]) -> T:
        """Run something on the loop."""

        async def run() -> T:
            return deed()

        return self._await(run())

    async def _start(self) -> None:
        draw = random.Random(7)
        self.proxy = Proxy(
            self._engine, draw=lambda n: int(draw.random() * n), tell=self.events.append
        )
        await self.proxy.start(self._places)

    def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


@contextlib.contextmanager
def proxied(engine: Engine, places: list[ProxyPlace]) -> Iterator[ProxyThread]:
    """A proxy that runs while the block does."""
    thread = ProxyThread(engine, places)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
