"""The world that a repair is handed: this machine's disk, clock and randomness, and its signals.

Ctrl-C, SIGTERM and the end of the terminal do not end a repair where it stands: they are noted,
and the engine rolls back or finishes what is under way, and then ends with status 130. Only
while something may be written; reading is ended by a signal at once, as in every other command.
"""

import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TypeAlias

from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.render.screen import Screen
from walctl.repair.world import TrialReport, World

Trial: TypeAlias = Callable[[Path], TrialReport]

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPING = b"walctl: stopping: what is under way is rolled back or finished first\n"


@contextmanager
def world_of(screen: Screen, disk: FileSystem) -> Iterator[World]:
    """The outside, while the block runs; its signals are noted and not obeyed at once.

    Raises: UnsupportedError, when the disk is one that can only be read.
    """
    _allow_open_files()
    with stop_requests() as is_stopped:
        yield World(
            disk=writable(disk),
            now=time.time,
            sleep=time.sleep,
            token=token,
            is_stopped=is_stopped,
            say=_sayer(screen) if sys.stderr.isatty() else lambda line: None,
        )


def _sayer(screen: Screen) -> Callable[[str], None]:
    """Tells of progress; a terminal that has gone is no reason to stop in the middle."""

    def say(line: str) -> None:
        with suppress(OSError):
            screen.note(line)

    return say


def _allow_open_files() -> None:
    """Let as many files be open as the system allows: a lock is held on every segment."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # macOS names a limit that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def writable(disk: FileSystem) -> WritableFileSystem:
    """The disk as one that may be written to. Raises: UnsupportedError."""
    if not isinstance(disk, WritableFileSystem):
        raise UnsupportedError("what is looked at here can only be read, not changed")
    return disk


def token() -> int:
    """A new random unsigned 64-bit number that is not 0."""
    return secrets.randbits(64) or 1


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """While the block runs, the signals that end a process only make what this gives true.

    A signal that is ignored (`nohup`) stays so.
    """
    asked: list[int] = []
    tell = _teller()
    own = os.getpid()

    def note(number: int, _frame: FrameType | None) -> None:
        if not asked and os.getpid() == own:  # processes that read along get Ctrl-C too
            tell()
        asked.append(number)

    before = {number: signal.getsignal(number) for number in STOPS}
    before = {number: each for number, each in before.items() if each not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, note)
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _teller() -> Callable[[], None]:
    """Tells that we are stopping, from within a signal handler.

    Past the stream, which may be in the middle of a write; but to the descriptor that is its, and
    never to the number 2: where the caller closed that, it may be a file of the member by now.
    """
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):
        return lambda: None

    def tell() -> None:
        with suppress(OSError):  # a terminal that has gone is why we are asked
            os.write(descriptor, STOPPING)

    return tell


def real_path(path: Path) -> Path:
    """`path` as a plan names it: absolute, and without links on the way to it."""
    return Path(os.path.realpath(path))
