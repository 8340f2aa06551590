"""A supervisor made and ended: the lock, what an earlier one left, the ports, the event file."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

from walctl.cluster import running, runtime
from walctl.cluster.chronicle import Chronicle
from walctl.cluster.copying.inside import is_confined
from walctl.cluster.engine import EngineKind
from walctl.cluster.lab import Lab
from walctl.cluster.ports import demand_ports, ports_of
from walctl.cluster.proxy import Proxy
from walctl.cluster.proxy_session import ProxyPlace
from walctl.cluster.supervisor import Supervisor
from walctl.errors import UnsupportedError
from walctl.fs.writable import WritableFileSystem


@contextlib.asynccontextmanager
async def supervising(
    disk: WritableFileSystem, lab: Lab, kind: EngineKind
) -> AsyncIterator[Supervisor]:
    """Run a lab while the block does, with none of its nodes started yet.

    Processes that an earlier supervisor left are ended first. Raises: AccessError, when the lab is
    up already, or one of its ports is taken; UnsupportedError, when its members know addresses of
    real ones and could reach them from here.
    """
    if not is_confined(disk, lab):
        raise UnsupportedError(
            f"{lab.path}: expected a closed network, found one with a way out: its members are"
            f" copies that know real ones; start it with walctl cluster up {lab.path}"
        )
    running.make_run_folder(disk, lab)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running.taken_lock(disk, lab))
        running.end(disk, lab, wait=runtime.sleep, is_hard=False)
        for node in lab.nodes:
            if not node.is_removed:
                demand_ports(node, ports_of(node))
        chronicle = Chronicle(disk, lab, now_us=runtime.now_us)
        stack.callback(chronicle.close)
        proxy = Proxy(lab.engine, draw=runtime.draw().randrange, tell=chronicle.write)
        supervisor = Supervisor(disk, lab, kind, chronicle=chronicle, proxy=proxy)
        try:
            await proxy.start(ProxyPlace.of(node) for node in lab.nodes if not node.is_removed)
            running.note_process(disk, lab, running.SUPERVISOR, runtime.own_process())
            yield supervisor
        finally:
            await supervisor.end_nodes()
            await proxy.close()
            running.forget_process(disk, lab, running.SUPERVISOR)


def heed_signals(supervisor: Supervisor) -> None:
    """Let Ctrl-C, SIGTERM and the end of the terminal end the lab, and a second one in haste."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: supervisor.ask_down(is_hard=False))
