"""Reads what is to be shrunk: the trace of a run that failed, or a scenario."""

from pathlib import Path

from walctl.cluster import shipped
from walctl.cluster.scenario import Scenario
from walctl.fs.base import FileSystem
from walctl.sim.replaying import scenario_of
from walctl.sim.trace_file import Trace


def read_failing(disk: FileSystem, word: str, path: Path) -> tuple[Scenario, tuple[str, ...]]:
    """The scenario of a trace with the safeguards that were missing in it; or that of a file, or of
    the name `word` among those that come with walctl, with none.

    A trace is read to its end: one that makes no sense somewhere is not what it says it is.
    Raises: UsageError, `NAME:LINE: expected …, found …`; AccessError.
    """
    if not _is_trace(disk, path):
        return shipped.read(disk, word, path), ()
    trace = Trace(disk, path)
    found = scenario_of(trace)
    for _ in trace.events():
        pass
    return found


def _is_trace(disk: FileSystem, path: Path) -> bool:
    """Whether it begins as JSON does, which no scenario can."""
    if not disk.exists(path):
        return False
    with disk.open(path) as file:
        return bytes(file.read_at(0, 1)) == b"{"
