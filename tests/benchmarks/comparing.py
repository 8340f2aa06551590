"""What comparing members costs: three logs of one size, beside checking them alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.logs import write_log

MEMBERS = 3
SEGMENTS = 3
ENTRY_BYTES = 1024

Row = Callable[[str, float, str], None]
Run = Callable[..., tuple[float, int]]


def bench_comparing(folder: Path, run: Run, row: Row) -> None:
    """Three members that hold the same, written into `folder`."""
    paths = [folder / f"n{number}" for number in range(1, MEMBERS + 1)]
    write_log(paths[0], segments=SEGMENTS, entry_bytes=ENTRY_BYTES, has_states=True)
    for path in paths[1:]:
        shutil.copytree(paths[0], path)
    words = [str(path) for path in paths]
    checked, _ = run("verify", "-q", "-j", "1", *words)
    row("walctl verify -j 1, all three", checked, "")
    seconds, kib = run("compare", "-q", "-j", "1", *words)
    row(f"walctl compare -j 1, {kib // 1024} MiB", seconds, f"{seconds / checked:.2f} of verify")
