"""What a repair is handed of the outside world: a disk to write to, a clock, a way to be stopped.

No clock, randomness or signal is touched in this room; the command line makes a `World`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from walctl.fs.writable import WritableFileSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """How a real server fared on a copy: `words` are for a person, `is_good` for a program."""

    is_good: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The outside.

    `now` is seconds since 1970, `sleep` waits so many seconds, `token` gives a new random unsigned
    64-bit number that is not 0. `is_stopped` is asked between steps and between blocks of bytes:
    once it says yes, what is not yet in place is rolled back. `say` takes one line about progress.
    `trial` starts a real server on the data directory that it is given, in a closed lab, and stops
    it again (`None`: there is none).
    """

    disk: WritableFileSystem
    now: Callable[[], float]
    sleep: Callable[[float], None]
    token: Callable[[], int]
    is_stopped: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda line: None
    trial: Callable[[Path], TrialReport] | None = None
