"""Damaged members to repair, and what is left of them; for tests only."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from fixtures.unpack import unpack
from tests.cli.commands import Told

HOUR_SECONDS = 3600
FREE, COSTLY, HARMLESS, CLEAN = "flipped-bit-in-length", "empty-segment", "snap-crc", "three-puts"
_CASES = {CLEAN: "etcd-3.5-three-puts"}


def member(case: str, target: Path) -> Path:
    """A fixture at `target`, written to an hour ago: a repair waits for what was just written."""
    unpack(_CASES.get(case, case), target)
    return aged(target)


def aged(target: Path) -> Path:
    """`target` with all that is in it, an hour old."""
    then = time.time() - HOUR_SECONDS
    for path in sorted(target.rglob("*")):
        os.utime(path, (then, then))
    return target


def held(folder: Path) -> dict[str, str]:
    """Every file below `folder` by its name there, as a hash of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def documented(told: Told) -> Any:
    """The one JSON document that a command printed."""
    return json.loads(told.out)


def flat(text: str) -> str:
    """What a screen says, however its lines are broken."""
    return " ".join(text.split())
