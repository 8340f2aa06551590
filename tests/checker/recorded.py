"""Recorded histories with known verdicts: found, never written; and operations written by hand.

They lie outside this repository (`../shared/histories` beside it, or where `WALCTL_HISTORIES`
points; set it empty to go without). Tests that need them carry `needs_histories`.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).resolve().parents[2]


class Recorded(NamedTuple):
    """A file, and what a checker in Go says of it."""

    path: Path
    operations: int
    expected: str


def _find() -> Path | None:
    wish = os.environ.get("WALCTL_HISTORIES")
    folder = REPO.parent / "shared" / "histories" if wish is None else Path(wish)
    if wish == "":
        return None
    if (folder / "manifest.json").is_file():
        return folder.resolve()
    if wish is not None:
        raise pytest.UsageError(f"WALCTL_HISTORIES: {wish}: no manifest.json there")
    return None


HISTORIES = _find()

needs_histories = pytest.mark.skipif(
    HISTORIES is None, reason="histories: not found beside the repository, nor by WALCTL_HISTORIES"
)


def recorded() -> list[Recorded]:
    """All of them; none where there are none."""
    if HISTORIES is None:
        return []
    manifest = json.loads((HISTORIES / "manifest.json").read_text())
    return [
        Recorded(HISTORIES / each["file"], each["operations"], each["expected"])
        for each in manifest["histories"]
    ]
