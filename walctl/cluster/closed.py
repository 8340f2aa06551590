"""A place without a network, and a program that runs in it until we say so.

A member of a cluster knows the addresses of the others, and they are real machines. A copy of it
that is started for a trial has the same identity as the real member: let it speak to one of them,
and it votes and acknowledges in its name. So it runs in a network namespace of its own that holds
nothing but a loopback device which is down; it is reached through a socket in the file system.
What `unshare` gave is not believed but looked at.

The program gets no environment (so no proxy, no settings), no input and a session of its own, so
that Ctrl-C reaches us first. It may be a script that starts another program: so the whole process
group is ended, asked first and then killed, whatever happens here; where the system has `setpriv`,
the program itself also when we are killed. What holds its output open is never waited for.
"""

import contextlib
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeAlias

from walctl.errors import AccessError

PROBE_SECONDS = 10.0
END_SECONDS = 0.8
"""How long a program may take to end once it was asked to: it ran on a copy, and loses nothing."""
READ_SECONDS = 0.1
LATE_READS_MAX = 64
"""How much is read of a program that has ended, where something else holds its output open."""
LINES_MAX = 400
LINE_BYTES_MAX = 1 << 14

KillGroup: TypeAlias = Callable[[int, int], None]
"""Sends a signal to a process group, as `os.killpg` does."""

_ISOLATIONS = (
    ("unshare", "--net"),
    ("unshare", "--user", "--map-root-user", "--net"),
)
"""Ways into a network namespace of one's own: as root, and as a plain user."""
_LEASH = ("setpriv", "--pdeathsig", "KILL")
_DEVICES = "/proc/self/net/dev"


@dataclass(frozen=True, slots=True)
class Isolation:
    """The words that are put in front of a command so that it runs without a network."""

    words: tuple[str, ...]


def isolation(*, is_leashed: bool = True) -> Isolation | None:
    """A way to run a program without a network that works here; `None` when there is none.

    One that is leashed dies with us, where the system can do that.
    """
    for words in _ISOLATIONS:
        for leash in (_LEASH, ()) if is_leashed else ((),):
            if _is_closed((*words, *leash)):
                return Isolation((*words, *leash))
    return None


def _is_closed(words: Sequence[str]) -> bool:
    """Whether a program that runs behind these words sees no device but its own loopback."""
    try:
        done = subprocess.run(
            [*words, "cat", _DEVICES],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Two lines of headings, then a line for each device.
    devices = [line.partition(b":")[0].strip() for line in done.stdout.splitlines()[2:]]
    return done.returncode == 0 and set(devices) <= {b"lo"}


class Program:
    """A program that runs while the `with` block does; its last lines are kept.

    Raises: AccessError, when it cannot be started.
    """

    def __init__(
        self, command: Sequence[str | Path], *, folder: Path, kill_group: KillGroup
    ) -> None:
        self._kill_group = kill_group
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={},
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise AccessError(f"{command[0]}: cannot be started: {error.strerror}") from error
        assert self._process.stdout is not None
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._is_over = threading.Event()
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does within so long; this is also how one waits."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._read_out()
        return True

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """The last lines that it printed, oldest first."""
        return list(self._lines)

    def end(self) -> None:
        """Ask all of it to end, and kill what does not; harmless when it has ended."""
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also when the first process has ended: others of its group may be there.
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._read_out()
            if self._process.stdout is not None and not self._reader.is_alive():
                self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _signal(self, number: int) -> None:
        """Send a signal to the whole group, of which nobody may be left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._kill_group(self._process.pid, number)

    def _read_out(self) -> None:
        """Take what it has printed, and wait for no more."""
        self._is_over.set()
        self._reader.join(READ_SECONDS * LATE_READS_MAX)

    def _read(self, pipe: IO[bytes]) -> None:
        """Keep the last lines, so that the program never waits for us.

        The pipe's end is no sign to wait for: a process that was left behind may hold it open.
        """
        rest, late = b"", 0
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while late < LATE_READS_MAX:
                is_over = self._is_over.is_set()
                late += is_over
                if not selector.select(0 if is_over else READ_SECONDS):
                    if is_over:
                        break
                    continue
                data = pipe.read(LINE_BYTES_MAX)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) >= LINE_BYTES_MAX:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._keep(line)
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        self._lines.append(line[:LINE_BYTES_MAX].decode("utf-8", "replace").rstrip())
