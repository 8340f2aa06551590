"""`walctl cluster node`: one node's process, as the supervisor starts it; nothing for people."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from walctl.cli.options import PATH, pass_disk
from walctl.cli.world import writable
from walctl.cluster import lab as labs
from walctl.cluster.http import Api, serve
from walctl.cluster.node import Instance
from walctl.cluster.node_control import Control
from walctl.cluster.runtime import draw, now_us
from walctl.fs.base import FileSystem


@click.command("node", short_help="Be one node of a lab.")
@click.argument("lab", type=PATH)
@click.argument("name")
@pass_disk
def command(disk: FileSystem, lab: Path, name: str) -> None:
    """Be one node of a lab, until standard input ends. The supervisor starts this."""
    asyncio.run(_live(disk, lab, name))


async def _live(disk: FileSystem, path: Path, name: str) -> None:
    """Raises: WalctlError, when it cannot begin."""
    surface = writable(disk)
    source = draw()
    node = Instance(
        labs.load(disk, path),
        name,
        disk=surface,
        draw=lambda n: int(source.random() * n),
        clock_us=now_us,
        tell=_tell,
    )
    control = Control(node, surface)
    runner = await serve(Api(node, control), labs.HOST, node.own.client_port)
    try:
        await node.start()
        ticking = asyncio.create_task(node.tick_for_ever())
        input_end = asyncio.create_task(_input_end())
        over = asyncio.create_task(node.is_over.wait())
        await asyncio.wait({ticking, input_end, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ticking, input_end, over):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        await runner.cleanup()
        await node.close()
    words = [each.words for each in node.members.values() if each.driver is None and each.words]
    if node.is_over.is_set() and words:
        raise SystemExit(f"walctl: {words[0]}")


def _tell(event: Mapping[str, Any]) -> None:
    """A line that the supervisor reads; where it has gone, so will we."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
        sys.stdout.flush()


async def _input_end() -> None:
    """Wait for the end of standard input: whoever started us has gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.read(1 << 12):
        pass
