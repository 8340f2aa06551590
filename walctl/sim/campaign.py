"""Many seeds: the run of each, what came of all together, and the traces of the broken ones."""

from collections.abc import Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from walctl.errors import AccessError, ExitStatus
from walctl.fs.writable import WritableFileSystem
from walctl.sim.many import Shield, in_order
from walctl.sim.planning import SimWish
from walctl.sim.replaying import Replayed, twice
from walctl.sim.run import Report, record_seed, run_seed
from walctl.sim.trace_out import TraceOut

TRACES_MAX: Final = 10
"""Broken runs of which a trace is written; of more, each says how to make it."""
FOLDER: Final = Path(".walctl")


@dataclass(slots=True)
class Tally:
    """Sums over runs. `broken` counts runs by the promise that each broke first; `errors` are those
    that were not tested, or could not be."""

    runs: int = 0
    errors: int = 0
    time_us: int = 0
    messages: int = 0
    events: int = 0
    elections: int = 0
    operations: int = 0
    succeeded: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    def add(self, report: Report) -> None:
        """One more run."""
        self.runs += 1
        self.time_us += report.time_us
        self.messages += report.messages
        self.events += report.events
        self.elections += report.elections
        self.operations += report.operations
        self.succeeded += report.succeeded
        self.errors += bool(report.error)
        self.lost += report.loss is not None
        if report.violation is not None:
            name = report.violation.id
            self.broken[name] = self.broken.get(name, 0) + 1

    @property
    def broken_runs(self) -> int:
        """How many broke a promise."""
        return sum(self.broken.values())

    @property
    def exit_status(self) -> ExitStatus:
        """1 where one broke a promise; else 4 where one tested nothing; else 0."""
        if self.broken:
            return ExitStatus.DAMAGE
        return ExitStatus.UNFINISHED if self.errors or not self.runs else ExitStatus.CLEAN


def reports(
    wish: SimWish,
    seeds: Sequence[int],
    *,
    without: Sequence[str] = (),
    jobs: int = 1,
    is_recorded: bool = False,
    shield: Shield = nullcontext,
) -> Generator[Report, None, None]:
    """The run of each seed, in their order; with its digest where it `is_recorded`.

    Raises: UsageError, for a wish that cannot be.
    """
    if len(seeds) == 1:
        yield _run(wish, tuple(without), is_recorded, seeds[0])
        return
    function = partial(_run, wish, tuple(without), is_recorded)
    yield from in_order(function, seeds, jobs=jobs, lost=partial(_lost, wish), shield=shield)


def twice_each(
    disk: WritableFileSystem,
    folder: Path,
    wish: SimWish,
    seeds: Sequence[int],
    *,
    without: Sequence[str] = (),
    jobs: int = 1,
    shield: Shield = nullcontext,
) -> Generator[Replayed, None, None]:
    """Each seed's run two times; the trace of the first stays in `folder` where they differ.

    Raises: UsageError, AccessError.
    """
    _demand_folder(disk, folder)

    def played(seed: int) -> Replayed:
        path = folder / f"first-{seed:x}.jsonl"
        return twice(disk, path, replace(wish, seed=seed), without)

    def lost(seed: int, words: str) -> Replayed:
        report = _lost(wish, seed, words)
        return Replayed(report=report, tool="", without=(), difference=None, lines=0)

    if len(seeds) == 1:
        yield played(seeds[0])
        return
    yield from in_order(played, seeds, jobs=jobs, lost=lost, shield=shield)


def keep_trace(
    disk: WritableFileSystem, path: Path, wish: SimWish, without: Sequence[str] = ()
) -> Report:
    """Play a seed once more, and write its trace to `path`, whose folder is made where it is not
    there. Raises: AccessError, UsageError."""
    _demand_folder(disk, path.parent)
    with TraceOut(disk, path) as out:
        return replace(record_seed(wish, out.write, without), trace=str(path))


def trace_path(folder: Path, seed: int) -> Path:
    """Where the trace of a broken run goes."""
    return folder / f"fail-{seed:x}.jsonl"


def _demand_folder(disk: WritableFileSystem, folder: Path) -> None:
    if disk.exists(folder):
        return
    try:
        disk.make_dir(folder)
    except AccessError:
        if not disk.exists(folder):  # else another process has just made it
            raise


def _run(wish: SimWish, without: tuple[str, ...], is_recorded: bool, seed: int) -> Report:
    wish = replace(wish, seed=seed)
    if is_recorded:
        return record_seed(wish, lambda line: None, without)
    return run_seed(wish, without)


def _lost(wish: SimWish, seed: int, words: str) -> Report:
    return Report(name=replace(wish, seed=seed).name, seed=seed, error=words)
