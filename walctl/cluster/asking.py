"""Clients' requests to a lab, for commands: whatever its engine is, one request or a whole load.

A key of engine walctl begins with a slash, as raftexample's do: one that does not gets it.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from walctl.cluster.answers import Client
from walctl.cluster.client import LabClient
from walctl.cluster.client_events import TellingClient
from walctl.cluster.control import NotUpError, SupervisorClient
from walctl.cluster.etcd_client import EtcdClient
from walctl.cluster.lab import Engine, Lab, MachineKind
from walctl.cluster.load import Load, LoadPlan, LoadResult
from walctl.cluster.runtime import draw, now_us, token

T = TypeVar("T")
Deed = Callable[[Client], Awaitable[T]]
Progress = Callable[[LoadResult, float], None]
"""Is told of what came of a load so far, and the seconds that it has run."""

PROGRESS_SECONDS = 0.5
HAND_CHARS = 8
"""How much of a token sets the client of one command apart from all others."""


def key_of(lab: Lab, text: bytes) -> bytes:
    """The key that a person means."""
    is_path = lab.engine is Engine.WALCTL and lab.settings.machine is MachineKind.KV
    return b"/" + text if is_path and not text.startswith(b"/") else text


@asynccontextmanager
async def client_of(lab: Lab, *, seconds: float | None = None) -> AsyncIterator[Client]:
    """A client of the lab's nodes, while the block runs."""
    client: Client
    settings = {} if seconds is None else {"seconds": seconds}
    if lab.engine is Engine.ETCD:
        client = EtcdClient(lab, **settings)
    else:
        client = LabClient(lab, connector=aiohttp.TCPConnector(limit=0), **settings)
    try:
        yield client
    finally:
        await client.close()


def ask(lab: Lab, deed: Deed[T], *, seconds: float | None = None) -> T:
    """What comes of one request."""

    async def once() -> T:
        async with client_of(lab, seconds=seconds) as client:
            return await deed(client)

    return asyncio.run(once())


def load(lab: Lab, plan: LoadPlan, *, on_progress: Progress) -> LoadResult:
    """Run a load, and have what clients saw written into the lab's event file.

    Ctrl-C ends it early: what is under way is waited for, and all of it is written down. Raises:
    NotUpError, when the lab is not up; ClusterError, when its supervisor goes away.
    """
    return asyncio.run(loading(lab, plan, on_progress=on_progress))


def ask_told(lab: Lab, deed: Deed[T], *, seconds: float | None = None) -> T:
    """The same as `ask`, with writes in the event file where the lab is up: a load may read them.

    Raises: ClusterError, when its supervisor is there and does not answer.
    """

    async def once() -> T:
        async with client_of(lab, seconds=seconds) as client, SupervisorClient(lab) as control:
            try:
                origin_us = (await control.info())["origin_us"]
            except NotUpError:
                return await deed(client)
            told = TellingClient(
                client,
                f"hand-{token()[:HAND_CHARS]}",
                now_us=lambda: now_us() - origin_us,
                tell=control.tell,
            )
            return await deed(told)

    return asyncio.run(once())


async def loading(lab: Lab, plan: LoadPlan, *, on_progress: Progress) -> LoadResult:
    """The same within a loop."""
    async with (
        SupervisorClient(lab) as control,
        client_of(lab) as client,
        control.telling() as tell,
    ):
        origin_us = (await control.info())["origin_us"]
        source = draw()
        run = Load(
            plan,
            client,
            draw=source.randrange,
            now_us=lambda: now_us() - origin_us,
            tell=tell,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, run.stop)
        watching = asyncio.create_task(_watch(run, on_progress))
        try:
            return await run.run()
        finally:
            watching.cancel()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def _watch(run: Load, on_progress: Progress) -> None:
    began = now_us()
    while True:
        on_progress(run.result, (now_us() - began) / 1e6)
        await asyncio.sleep(PROGRESS_SECONDS)
