"""Ctrl-C, where Python alone does not do it right."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Ctrl-C waits until the block ends; a process that was started in it never hears of one.

    Ctrl-C goes to every process at the terminal. One that is just being forked would print a
    traceback, and in the one that forks it would be lost: Python runs hooks around a fork, and
    what is raised in them is told and forgotten.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
