"""A lab brought up and down, here or in a process of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final

import aiohttp

from walctl.cluster import running, runtime
from walctl.cluster.control import NotUpError, SupervisorClient
from walctl.cluster.copying.holding import held_of
from walctl.cluster.engine import EngineKind, engine_kind
from walctl.cluster.getting_ready import READY_SECONDS, is_settled, ready
from walctl.cluster.lab import Lab, load
from walctl.cluster.looking import look, look_by
from walctl.cluster.running import supervisor_log, supervisor_of
from walctl.cluster.runtime import Process, is_alive
from walctl.cluster.standing import LabStanding
from walctl.cluster.supervising import heed_signals, supervising
from walctl.cluster.supervisor import Supervisor
from walctl.cluster.supervisor_http import Desk
from walctl.errors import AccessError, ClusterError, UsageError
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem

DOWN_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5
"""How often a live view looks."""
_POLL_SECONDS: Final = 0.05
_LOG_BYTES: Final = 1 << 14

Show = Callable[[LabStanding], None]


def startable(lab: Lab, only: Sequence[str]) -> list[str]:
    """The nodes that are to be started: those named, else all that hold a member of a group.

    Raises: UsageError.
    """
    if only:
        for name in only:
            if lab.node(name).is_removed:
                raise UsageError(f"{name}: was removed from the cluster, and is not started again")
        return list(dict.fromkeys(only))
    return [
        node.name for node in lab.nodes if not node.is_removed and any(lab.hosted_by(node.name))
    ]


# In this process.


def serve(disk: WritableFileSystem, lab: Lab, *, only: Sequence[str]) -> None:
    """Run a lab until somebody ends it. Raises: AccessError."""

    async def run() -> None:
        async with _running(disk, lab, engine_kind(lab), only) as supervisor:
            await supervisor.down_asked.wait()

    asyncio.run(run())


def serve_and_show(disk: WritableFileSystem, lab: Lab, *, only: Sequence[str], show: Show) -> None:
    """The same, and show how it stands about twice a second. Raises: AccessError."""
    kind = engine_kind(lab)

    async def run() -> None:
        async with (
            aiohttp.ClientSession() as session,
            _running(disk, lab, kind, only) as supervisor,
        ):
            asked = asyncio.create_task(supervisor.down_asked.wait())
            while not asked.done():
                seen = await look_by(disk, supervisor.lab, kind, session, supervisor.info())
                settle = [each.name for each in seen.nodes if is_settled(supervisor.lab, each)]
                for name in settle:
                    supervisor.settle(name)
                show(replace(seen, forecasts=held_of(supervisor.lab)))
                await asyncio.wait([asked], timeout=LOOK_SECONDS)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def _running(
    disk: WritableFileSystem, lab: Lab, kind: EngineKind, only: Sequence[str]
) -> AsyncIterator[Supervisor]:
    """A lab with its nodes started and its commands taken."""
    names = startable(lab, only)
    async with supervising(disk, lab, kind) as supervisor:
        heed_signals(supervisor)
        desk = Desk(disk, supervisor)
        for name in names:
            if not supervisor.down_asked.is_set():
                await supervisor.start(name)
        await desk.open()
        try:
            yield supervisor
        finally:
            await supervisor.end_nodes()
            await desk.close()


# In a process of its own.


def up_detached(
    disk: WritableFileSystem, lab: Lab, *, only: Sequence[str], seconds: float = READY_SECONDS
) -> LabStanding:
    """Bring a lab up and leave it so; how it stands once every node knows a leader.

    Where it is up already, the nodes that do not run are started. A copied member that was foretold
    to end may do so, and each forecast is held against what happens. Raises: AccessError;
    ClusterError, when a node is not ready in that time: what runs is left running.
    """
    names = startable(lab, only)
    if supervisor_of(disk, lab) is None:
        running.make_run_folder(disk, lab)
        log = supervisor_log(lab)
        if disk.exists(log):
            disk.remove(log)
        words = [word for name in only for word in ("--only", name)]
        command = runtime.own_command("cluster", "supervise", *words, "--", str(lab.path))
        process = runtime.spawn_detached(command, log=log, mark=running.mark(disk, lab))
        asyncio.run(_answering(disk, lab, process, seconds))
    return asyncio.run(ready(disk, lab, names, seconds))


async def _answering(disk: FileSystem, lab: Lab, process: Process, seconds: float) -> None:
    """Wait until the supervisor takes commands.

    Raises: AccessError, with what it died of; ClusterError, when it takes none in time.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _is_ours(lab, process):
                if not is_alive(process):
                    runtime.reap(process.pid)
                    raise AccessError(_died_of(disk, lab))
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"{lab.path}: its supervisor, process {process.pid}, takes no commands after"
            f" {seconds:g} s; {supervisor_log(lab)} has what it said, walctl cluster down"
            f" {lab.path} ends it"
        ) from error


async def _is_ours(lab: Lab, process: Process) -> bool:
    """Whether this process takes the commands of the lab."""
    try:
        async with SupervisorClient(lab) as control:
            return bool((await control.info())["pid"] == process.pid)
    except NotUpError:
        return False


def _died_of(disk: FileSystem, lab: Lab) -> str:
    """The last thing that a supervisor said."""
    try:
        with disk.open(supervisor_log(lab)) as file:
            size = file.stat().size
            data = file.read_at(max(0, size - _LOG_BYTES), _LOG_BYTES)
    except AccessError:
        data = b""
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    words = lines[-1].removeprefix("walctl: ") if lines else "and said nothing"
    return words if lines else f"{lab.path}: its supervisor ended, {words}"


# Down.


def down(disk: WritableFileSystem, lab: Lab, *, is_hard: bool) -> list[str]:
    """End all that runs of a lab; the names of what was ended, none where nothing ran.

    Raises: ClusterError, AccessError, when something stays.
    """
    found = [each.name for each in running.running(disk, lab)]
    supervisor = supervisor_of(disk, lab)
    if supervisor is not None:
        with contextlib.suppress(ClusterError):  # it is ended in another way below
            asyncio.run(_ask_down(lab, is_hard=is_hard))
            left = DOWN_SECONDS
            while left > 0 and is_alive(supervisor):
                runtime.sleep(_POLL_SECONDS)
                left -= _POLL_SECONDS
        runtime.reap(supervisor.pid)
    running.end(disk, lab, wait=runtime.sleep, is_hard=is_hard)
    return found


async def _ask_down(lab: Lab, *, is_hard: bool) -> None:
    async with SupervisorClient(lab) as control:
        await control.down(is_hard=is_hard)


# Looking and doing, for whoever has no event loop.


def status(disk: FileSystem, lab: Lab) -> LabStanding:
    """How a lab stands now, up or not."""

    async def run() -> LabStanding:
        async with aiohttp.ClientSession() as session:
            return await look(disk, lab, engine_kind(lab), session)

    return asyncio.run(run())


def watch(disk: FileSystem, lab: Lab, show: Show) -> None:
    """Show how it stands about twice a second, until we are interrupted."""

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                now = load(disk, lab.path)
                show(await look(disk, now, engine_kind(now), session))
                await asyncio.sleep(LOOK_SECONDS)

    asyncio.run(run())


def act(lab: Lab, node: str, action: str) -> dict[str, object]:
    """Have the supervisor do something with a node. Raises: ClusterError, UsageError."""

    async def run() -> dict[str, object]:
        async with SupervisorClient(lab) as control:
            return await control.act(node, action)

    return asyncio.run(run())
