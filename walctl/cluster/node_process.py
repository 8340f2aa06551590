"""One node's process: started, heard, signalled, and seen to its end.

It leads a session and a process group of its own, so that Ctrl-C at our terminal is not its end,
and so that all that it may start ends with it. Its standard input is a pipe that ends when we do:
a node of ours ends then too. What it prints is read line by line and handed on.

Who ended it decides what its end is: after `stop` it is a stop, after `kill` a crash. By itself it
is a crash too, unless it says that all is well (exit status 0), as an etcd that was removed does.
"""

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from walctl.cluster.runtime import Process, exit_words, identify, signal_group
from walctl.cluster.standing import NodeState
from walctl.errors import AccessError

CHUNK_BYTES: Final = 1 << 16
LINE_BYTES_MAX: Final = 1 << 20
"""A longer line is cut in pieces."""
LAST_LINES: Final = 100
"""A panic of Go comes with the stack of who called it."""
STOP_SECONDS: Final = 10.0
"""How long a node may take to end once it was told to; then it is killed."""
_DRAIN_SECONDS: Final = 1.0
"""How long its output is read after its end, where something else still holds it open."""


class NodeProcess:
    """The process of one node, or the place for one.

    `hear` is given each line, without its end; `ended` is called once after each end. `state`,
    `words` and `exit_status` (how it ended) and `process` may be read at any time; `is_killed` says
    whether its last end was `kill`'s.
    """

    def __init__(
        self,
        name: str,
        *,
        hear: Callable[[bytes], None],
        ended: Callable[["NodeProcess"], None],
    ) -> None:
        self.name = name
        self.state = NodeState.STOPPED
        self.words = ""
        self.exit_status: int | None = None
        self.process: Process | None = None
        self.last_lines: deque[bytes] = deque(maxlen=LAST_LINES)
        self._hear = hear
        self._ended = ended
        self._child: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_stop_wanted = False
        self.is_killed = False

    @property
    def is_there(self) -> bool:
        """Whether it has a process now."""
        return self.state in (NodeState.RUNNING, NodeState.PAUSED)

    @property
    def is_own_end(self) -> bool:
        """Whether it ended by itself, not by `stop` or `kill`."""
        return not self.is_there and not self.is_killed and not self._is_stop_wanted

    async def start(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> Process:
        """Start it. Raises: AccessError, when the program cannot be."""
        assert not self.is_there, "it was asked before"
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise AccessError(
                f"{self.name}: {command[0]} cannot be started: {error.strerror}"
            ) from error
        self._child, self._is_stop_wanted, self.is_killed = child, False, False
        self.last_lines.clear()
        self.state, self.words, self.exit_status = NodeState.RUNNING, "", None
        self.process = identify(child.pid) or Process(child.pid, "")
        self._watcher = asyncio.create_task(self._watch(child))
        return self.process

    def kill(self) -> None:
        """End it without a word to it, as a power cut does to a process."""
        self.is_killed = True
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still."""
        self._signal(signal.SIGSTOP)
        self.state = NodeState.PAUSED

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.state = NodeState.RUNNING

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, and kill it when it does not; returns once it has ended."""
        if self._child is None or self._watcher is None:
            return
        self._is_stop_wanted = True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a process that stands still hears of nothing else
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._watcher), seconds)
        except TimeoutError:
            self.kill()
            await self.gone()

    async def gone(self) -> None:
        """Return once it has ended."""
        if self._watcher is not None:
            await asyncio.shield(self._watcher)

    def _signal(self, number: int) -> None:
        if self.process is not None and self._child is not None:
            signal_group(self.process, number)

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """Hear it until it ends, and say how it did."""
        assert child.stdout is not None, "it was asked for"
        reader = asyncio.create_task(self._read(child.stdout))
        status = await child.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader, _DRAIN_SECONDS)
        if child.stdin is not None:
            child.stdin.close()
        is_stop = self._is_stop_wanted or status == 0
        self.state = NodeState.STOPPED if is_stop else NodeState.CRASHED
        self.words, self.exit_status = exit_words(status), status
        self._child = self._watcher = None
        self._ended(self)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        async for line in lines_of(stream):
            self.last_lines.append(line)
            self._hear(line)


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, without their ends; one that is too long comes in pieces."""
    rest = b""
    while data := await stream.read(CHUNK_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line
        if len(rest) >= LINE_BYTES_MAX:
            yield rest
            rest = b""
    if rest:
        yield rest
