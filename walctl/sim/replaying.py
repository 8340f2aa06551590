"""A run once more: the scenario of a trace, played again, and every event held against the trace.

A run is a function of its scenario and of the protections that are missing; both are in the header
of a trace. Memory is that of a line of each: the trace is read as the run goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from walctl.cluster.events import line_of
from walctl.cluster.scenario import Scenario, parse
from walctl.errors import ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.sim.planning import SimWish, plan
from walctl.sim.run import (
    ENGINE,
    TEXT,
    WITHOUT,
    OnStep,
    Report,
    Sink,
    record,
    report_of,
    stopped_at,
)
from walctl.sim.safeguards import named
from walctl.sim.trace_file import Trace
from walctl.sim.trace_out import TraceOut
from walctl.version import VERSION

SHOWN_CHARS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first line that is not the same: its number in the file, from 1 on, as it was and as it
    is now (`None`: there is none)."""

    line: int
    before: str | None
    now: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A trace that was played again. `tool` wrote it; `without` were missing. `stopped` says where
    it ended early, and why; `status` is what playing it came to."""

    report: Report
    tool: str
    without: tuple[str, ...]
    difference: Difference | None
    lines: int
    stopped: str = ""
    status: ExitStatus = ExitStatus.CLEAN

    @property
    def is_other_tool(self) -> bool:
        """Whether another version of walctl wrote the trace."""
        return self.tool != VERSION

    @property
    def exit_status(self) -> ExitStatus:
        """1 where an event differs, else what came of the run; too little traffic is no fault of a
        trace that is the same."""
        return self.status if self.difference is None else ExitStatus.DAMAGE


class Comparison:
    """Takes the lines of a run, one by one, and holds each against the next of `before`."""

    def __init__(self, before: Iterator[bytes]) -> None:
        self.difference: Difference | None = None
        self.lines = 0
        self._before = before

    def take(self, line: bytes) -> None:
        """The next line; of the first, the header, nothing is compared. Raises: what `before`
        does."""
        self.lines += 1
        if self.difference is None and self.lines > 1:
            expected = next(self._before, None)
            if expected != line:
                self.difference = _difference(self.lines, expected, line)

    def end(self) -> None:
        """No line will come any more."""
        if self.difference is None:
            expected = next(self._before, None)
            if expected is not None:
                self.difference = _difference(self.lines + 1, expected, None)


def scenario_of(trace: Trace) -> tuple[Scenario, tuple[str, ...]]:
    """What a trace is of: the scenario, and the protections that were missing.

    Raises: UsageError, where that cannot be told: `PATH:1: expected …, found …`.
    """
    header, place = trace.header, f"{trace.path}:1"
    if header.engine != ENGINE:
        raise UsageError(
            f"{place}: expected a trace of the simulator (engine {ENGINE}), found engine"
            f" {header.engine}: what real processes did cannot be done again"
        )
    text, without = header.options.get(TEXT), header.options.get(WITHOUT, [])
    if not isinstance(text, str):
        raise UsageError(f"{place}: expected the scenario as options.{TEXT}, found none")
    if not isinstance(without, list) or not all(isinstance(each, str) for each in without):
        raise UsageError(f"{place}: expected names as options.{WITHOUT}, found something else")
    for name in header.options:
        if name not in (TEXT, WITHOUT):
            # What is not understood may be what made the run what it was.
            raise UsageError(f"{place}: expected options {TEXT} and {WITHOUT}, found {name!r}")
    try:
        named(without)
        return parse(text, name=header.scenario or trace.path.stem), tuple(without)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}") from error


def replay(
    disk: FileSystem, path: Path, *, sink: Sink | None = None, on_step: OnStep = lambda step: None
) -> Replayed:
    """Play a trace's scenario again; `sink` takes the new lines.

    Raises: AccessError; UsageError, for a trace that makes no sense, with its line.
    """
    trace = Trace(disk, path)
    scenario, without = scenario_of(trace)
    comparison = Comparison(line_of(each.fields) for each in trace.events())

    def take(line: bytes) -> None:
        comparison.take(line)
        if sink is not None:
            sink(line)

    outcome, digest = record(scenario, take, without=without, on_step=on_step)
    comparison.end()
    return Replayed(
        report=report_of(outcome, digest=digest),
        tool=trace.header.tool,
        without=without,
        difference=comparison.difference,
        lines=comparison.lines,
        stopped=stopped_at(outcome),
        status=outcome.exit_status,
    )


def twice(
    disk: WritableFileSystem, path: Path, wish: SimWish, without: Sequence[str] = ()
) -> Replayed:
    """Play a seed's run two times, the first recorded at `path`, which stays where they differ.

    Raises: UsageError, AccessError.
    """
    with TraceOut(disk, path) as out:
        record(plan(wish), out.write, without=without)
    found = replay(disk, path)
    if found.difference is None:
        disk.remove(path)
    return found


def _difference(line: int, before: bytes | None, now: bytes | None) -> Difference:
    return Difference(line=line, before=_shown(before), now=_shown(now))


def _shown(line: bytes | None) -> str | None:
    if line is None:
        return None
    text = line.decode("utf-8", "replace").rstrip("\n")
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
