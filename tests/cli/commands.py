"""walctl run as a process of its own, and in this one; for tests only."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
WALCTL = [sys.executable, "-c", "import sys; from walctl.cli.main import run; sys.exit(run())"]
SECONDS_MAX = 30


class Told(NamedTuple):
    """What a command ended with and what it printed."""

    status: int
    out: str
    err: str


Tell = Callable[..., Told]


def environment(**more: str) -> dict[str, str]:
    """Our environment, with this checkout in front, and `more`."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def ran(*words: str | Path, **more: str) -> Told:
    """Run walctl as a process to its end; `more` are variables of its environment."""
    done = subprocess.run(
        [*WALCTL, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        env=environment(**more),
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)
