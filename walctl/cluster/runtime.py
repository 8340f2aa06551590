"""The one place of the cluster that makes what is an argument everywhere else.

Clocks, randomness, the disk, process ids, and names of sockets. A process id says little: it is
given again once its process has ended. So a process is known by its id *and* the moment it began,
and nothing is ever sent to an id alone.
"""

import contextlib
import errno
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from walctl.errors import AccessError, UnsupportedError
from walctl.fs import libc
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import WritableFileSystem

Draw: TypeAlias = random.Random
"""A source of randomness, for those who are handed one."""
SOCKET_PATH_BYTES_MAX: Final = 103 if sys.platform == "darwin" else 107
"""What the name of a Unix socket may have (`sun_path`, without its end)."""
OWN_CODE: Final = "import sys; from walctl.cli.main import run; sys.exit(run())"
"""How walctl is started as a process of its own, installed or not."""
MARK_VARIABLE: Final = "WALCTL_LAB"
"""Says in a process's environment whose it is."""
_PROCESSES: Final = Path("/proc")
_TEXT_BYTES_MAX: Final = 1 << 20
_STATE, _THREADS, _STARTED = 2, 19, 21
"""Fields of `/proc/PID/stat`, counted from 0. Source: Linux proc_pid_stat(5)."""


def now_us() -> int:
    """Microseconds on the clock that nobody sets; the same for every process of this machine."""
    return time.monotonic_ns() // 1000


def wall_ms() -> int:
    """Milliseconds since 1970: people set this clock, but it goes on over a boot."""
    return time.time_ns() // 1_000_000


def draw() -> Draw:
    """A new source of randomness that nobody can foretell."""
    return random.Random(secrets.randbits(128))


def seeded(seed: int) -> Callable[[int], int]:
    """Numbers below the one given, the same for the same seed with every Python.

    Of all that `random` has, its `random()` alone is promised to stay the same.
    """
    source = random.Random(seed)
    return lambda below: int(source.random() * below)


def new_seed() -> int:
    """A seed that nobody can foretell, short enough to be typed again."""
    return secrets.randbits(32)


def token() -> str:
    """A secret for the file of a lab."""
    return secrets.token_hex(16)


def temporary_folder() -> Path:
    """A new folder that is this user's alone, where the system keeps such."""
    return Path(tempfile.mkdtemp(prefix="walctl-"))


def real_disk() -> WritableFileSystem:
    """This machine's disk."""
    return RealFileSystem()


def absolute(path: Path) -> Path:
    """The path without links, as every process may use it."""
    return Path(os.path.realpath(path))


# Processes.


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine, and no other that gets its id: `began` differs then."""

    pid: int
    began: str


def identify(pid: int) -> Process | None:
    """The process that has this id now; `None` where there is none, or it has ended."""
    if pid <= 0:
        return None
    began = _began(pid)
    return None if began is None else Process(pid, began)


def own_process() -> Process:
    """This process."""
    found = identify(os.getpid())
    assert found is not None, "it runs"
    return found


def is_alive(process: Process) -> bool:
    """Whether that very process still runs (or is paused)."""
    return identify(process.pid) == process


def signal_group(process: Process, number: int) -> bool:
    """Send a signal to the group that this process leads; whether it was there.

    Nothing is sent when the id is somebody else's by now.
    """
    if not is_alive(process):
        return False
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
            return True
    return False


def signal_process(process: Process, number: int) -> bool:
    """Send a signal to this process alone; whether it was there."""
    if not is_alive(process):
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, number)
        return True
    return False


def marked(mark: str) -> Iterator[Process]:
    """The processes that were started with this mark, as far as the system shows them."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    for name in os.listdir(_PROCESSES) if os.path.isdir(_PROCESSES) else ():
        if name.isdecimal() and wanted in _text(_PROCESSES / name / "environ").split(b"\0"):
            found = identify(int(name))
            if found is not None:
                yield found


def end_own_process() -> None:
    """End this process as a power cut does: nothing more is done in it."""
    os.kill(os.getpid(), signal.SIGKILL)


def reap(pid: int) -> int | None:
    """The exit status of a child that has ended, taken once; `None` while it runs, or not ours."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None


def _began(pid: int) -> str | None:
    """When a process began, in words that no other process with its id has."""
    if not os.path.exists(_PROCESSES / "self" / "stat"):
        return _began_by_ps(pid)
    text = _text(_PROCESSES / str(pid) / "stat")
    # The name stands in parentheses, and may hold any byte, parentheses too.
    fields = [b"", b"", *text[text.rfind(b")") + 1 :].split()]
    if len(fields) <= _STARTED:
        return None
    if fields[_STATE] in (b"Z", b"X") and fields[_THREADS] in (b"0", b"1"):
        return None  # it has ended, and waits to be asked for its status
    # Where its first thread has ended and others have not, it still holds files and ports.
    return f"{_boot()}/{fields[_STARTED].decode('ascii', 'replace')}"


def _boot() -> str:
    """Which run of this machine it is: moments are counted from its start."""
    return _text(_PROCESSES / "sys/kernel/random/boot_id").decode("ascii", "replace").strip()


def _text(path: Path) -> bytes:
    """What the system says in a small file; nothing where it says nothing."""
    try:
        with real_disk().open(path) as file:
            return file.read_at(0, _TEXT_BYTES_MAX)
    except AccessError:
        return b""


def _began_by_ps(pid: int) -> str | None:
    """The same where there is no /proc."""
    try:
        words = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, moment = done.stdout.strip().partition(" ")
    return moment.strip() or None if not state.startswith("Z") else None


def enter_network(pid: int) -> None:
    """Be in the network of another process from now on, and in its user namespace if it has one.

    Raises: AccessError, when it has gone or this system does not let us.
    """
    with contextlib.ExitStack() as stack:
        try:
            found = []
            for kind in ("user", "net"):
                place = _PROCESSES / str(pid) / "ns" / kind
                if os.stat(place).st_ino != os.stat(_PROCESSES / "self" / "ns" / kind).st_ino:
                    found.append(os.open(place, os.O_RDONLY | os.O_CLOEXEC))
                    stack.callback(os.close, found[-1])
        except OSError as error:
            raise AccessError(f"the network of process {pid}: {error.strerror}") from error
        for descriptor in found:
            number = libc.enter_namespace(descriptor)
            if number:
                raise AccessError(f"the network of process {pid}: {os.strerror(number)}")


# Programs of ours.


def own_command(*words: str) -> list[str]:
    """The command that runs walctl with these words."""
    return [sys.executable, "-c", OWN_CODE, *words]


def environment(mark: str) -> dict[str, str]:
    """Our environment for a program of a lab: this walctl first, nothing of etcd's, and `mark`.

    etcd takes any setting from a variable that begins with `ETCD_`, so none is passed on.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    root = str(Path(__file__).parents[2])
    others = [each for each in kept.get("PYTHONPATH", "").split(os.pathsep) if each]
    python_path = os.pathsep.join(dict.fromkeys([root, *others]))
    return {**kept, "PYTHONPATH": python_path, MARK_VARIABLE: mark}


def spawn_detached(command: Sequence[str], *, log: Path, mark: str) -> Process:
    """Start a program with a session of its own and no terminal; it outlives us.

    What it prints goes to the new file `log`. Raises: AccessError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags & ~os.O_CLOEXEC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(
            command[0], list(command), environment(mark), file_actions=actions, setsid=True
        )
    except OSError as error:
        raise AccessError(f"{command[0]}: cannot be started: {error.strerror}") from error
    # A process that ended at once has no moment any more; whoever waits for it sees that.
    return identify(pid) or Process(pid, "")


def write_error_of(error: OSError) -> str:
    """The reason alone, for a message that names the place itself."""
    return error.strerror or str(error)


# Sockets.


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for a Unix socket that the system takes however deep its folder lies.

    It holds while the block runs. Raises: AccessError, UnsupportedError.
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        yield str(path)
        return
    if not os.path.exists(_PROCESSES / "self" / "fd"):
        raise UnsupportedError(
            f"{path}: expected at most {SOCKET_PATH_BYTES_MAX} bytes in the name of a socket:"
            " put the lab into a folder that lies less deep"
        )
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AccessError(f"{path.parent}: {write_error_of(error)}") from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening_socket(path: Path) -> socket.socket:
    """A new Unix socket at `path`; its folder says who may open it. Raises: AccessError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(path) as name:
            made.bind(name)
        made.listen(64)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise AccessError(f"{path}: {write_error_of(error)}") from error
    return made


def port_fault(host: str, port: int) -> str | None:
    """Why nothing can listen at this port now; `None` when it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            return "is in use by another program" if is_taken else write_error_of(error)
    return None


def exit_words(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "ended"
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def sleep(seconds: float) -> None:
    """Wait; for who has no event loop."""
    time.sleep(seconds)
