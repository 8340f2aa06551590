"""The life of a node's process: from its lab's file to the end of its standard input."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from walctl.cluster import lab as labs
from walctl.cluster.http import Api, serve
from walctl.cluster.node import Instance
from walctl.cluster.node_control import Control
from walctl.cluster.node_disk import NodeDisk
from walctl.cluster.runtime import draw, end_own_process, now_us, sleep, wall_ms
from walctl.errors import ClusterError
from walctl.fs.writable import WritableFileSystem

READ_BYTES = 1 << 12


def live(
    disk: WritableFileSystem,
    path: Path,
    name: str,
    *,
    tell: Callable[[Mapping[str, Any]], None],
    standing_input: IO[str],
) -> None:
    """Be the node `name` of the lab in `path` until `standing_input` ends, or no member is left.

    SIGTERM ends it as well; then, too, all is written and the spare segments go.

    Raises: WalctlError, when it cannot begin, or none of its members could go on.
    """
    asyncio.run(_live(disk, path, name, tell, standing_input))


async def _live(
    disk: WritableFileSystem,
    path: Path,
    name: str,
    tell: Callable[[Mapping[str, Any]], None],
    standing_input: IO[str],
) -> None:
    source = draw()
    lab = labs.load(disk, path)
    faults = NodeDisk(
        disk, lab.path / name, draw=source.randrange, sleep=sleep, tell=tell, die=end_own_process
    )
    node = Instance(
        lab,
        name,
        disk=faults.disk,
        draw=source.randrange,
        clock_us=now_us,
        wall_ms=wall_ms,
        tell=tell,
    )
    api = Api(node, Control(node, disk, faults=faults, tell=tell))
    runner = await serve(api, labs.HOST, node.own.client_port)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    try:
        await node.start()
        # What was changed before anybody could tell us, while we came up.
        node.reload(labs.load(disk, path))
        tasks = [
            asyncio.create_task(node.tick_for_ever()),
            asyncio.create_task(_end_of(standing_input)),
            asyncio.create_task(node.is_over.wait()),
            asyncio.create_task(asked.wait()),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        # The members first: whoever waits for one is told, and no request holds up the end.
        await node.close()
        await runner.cleanup()
        faults.disk.close()
    words = [each.words for each in node.members.values() if each.driver is None and each.words]
    if node.is_over.is_set() and words:
        raise ClusterError(words[0])


async def _end_of(stream: IO[str]) -> None:
    """Wait until whoever started us has gone, or wants us to end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stream)
    while await reader.read(READ_BYTES):
        pass
