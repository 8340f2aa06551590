"""A new member of a group with 100 MB of state: until it has all of it, while clients write."""

from collections.abc import Callable
from pathlib import Path

Row = Callable[[str, float, str], None]


def bench_growth(folder: Path, row: Row) -> None:
    """Tell it."""
