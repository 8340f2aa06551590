"""`walctl cluster sim`: runs that are planned from seeds, under a simulated clock."""

import shlex
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet, side_by_side
from walctl.cli.sim_job import Job, job_of
from walctl.cli.sim_options import LIST, seed_value, without_option
from walctl.cli.world import writable
from walctl.errors import AccessError, ExitStatus
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.render import crash_states
from walctl.render import simulated as render
from walctl.render.screen import Output, Screen
from walctl.sim.campaign import (
    TRACES_MAX,
    Tally,
    keep_trace,
    reports,
    trace_path,
    twice_each,
)
from walctl.sim.crash_looking import Crash, look_at_crashes
from walctl.sim.mischief import FAULTS, UNBOUNDED
from walctl.sim.replaying import Replayed
from walctl.sim.run import Report
from walctl.sim.safeguards import SAFEGUARDS

T = TypeVar("T")

SEEDS_MAX: Final = 10_000_000
GROUPS_MAX: Final = 100
OF_CRASH_STATES: Final = {"crashed", "output", "quiet", "help"}


def _listed(names: Sequence[str]) -> str:
    """Names as they stand in a help, in lines that a terminal has room for."""
    return fill(
        ", ".join(names),
        width=76,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


HELP = f"""\
Run a whole cluster under a simulated clock, network and disk: the shipped members, with their
real logs and snapshots, in one thread and in virtual time. The seed decides all that clients ask
and all that goes wrong; the same seed is the same run, everywhere.

While faults go on, every promise is checked at every event; then the cluster is healed and has to
come together, what clients saw has to be linearizable, and every directory has to be whole.

A broken promise is told with who saw what, and with the command that does it again. Its run is
done once more and recorded: the trace is .walctl/fail-SEED.jsonl, below the current folder or
--output-dir. There are traces of the first {TRACES_MAX} broken seeds; of others the command.

--without takes one protection of Raft away, to see what it is for: the simulator has to notice. The
members of real clusters cannot be run so.

All faults are drawn that a cluster has to survive, or those of --faults alone. With --unbounded
there are some too that it need not survive: then what is lost must be noticed.

Exits 0 when nothing was broken, 1 when a promise was, or two runs of a seed differ, 4 when a run
tested nothing, for too little was done in it, or could not be played.

\b
Faults:
{_listed(FAULTS)}
  with --unbounded {", ".join(UNBOUNDED)} too

\b
Examples:
  walctl cluster sim --seed 7
  walctl cluster sim --seeds 200 --swarm
  walctl cluster sim --seeds 500 --swarm --without quorum-check
  walctl cluster sim --seeds 20 --digest
  walctl cluster sim --crash-states .walctl/fail-2f.jsonl
  walctl cluster sim --seed 0x2f --faults power,blackout --time 20s --trace run.jsonl
"""


@click.command("sim", help=HELP, short_help="Run a whole cluster under a simulated clock.")
@click.option("--seed", metavar="S", callback=seed_value, help="One run; drawn, if left out.")
@click.option(
    "--seeds", type=click.IntRange(1, SEEDS_MAX), metavar="N", help="So many runs, one a seed."
)
@click.option("--first", metavar="S", callback=seed_value, help="The first of --seeds; 1 if none.")
@side_by_side("How many seeds to run at the same time; results come in the order of seeds.")
@click.option(
    "--time", "time_", default="60s", show_default=True, metavar="TIME", help="How long of faults."
)
@click.option(
    "--rate",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="Requests of clients a second.",
)
@click.option("--nodes", type=click.IntRange(1, 99), default=3, show_default=True)
@click.option("--groups", type=click.IntRange(1, GROUPS_MAX), default=1, show_default=True)
@click.option("--faults", metavar="KIND,…", help="These kinds of faults alone.")
@click.option("--unbounded", is_flag=True, help="Let more go wrong than a cluster survives.")
@click.option("--swarm", is_flag=True, help="Let each seed choose its cluster and its faults.")
@without_option
@click.option("--digest", is_flag=True, help="Print a hash of each run's events: SEED DIGEST.")
@click.option(
    "--check-determinism",
    is_flag=True,
    help="Run each seed twice, and name the first event that differs.",
)
@click.option(
    "--crash-states",
    "crashed",
    type=PATH,
    metavar="TRACE",
    help="Play this trace's run again, and where a node dies, look at every state that a power cut"
    " may leave its disk in.",
)
@click.option("--trace", type=PATH, metavar="FILE", help="Write the trace of the one run here.")
@click.option(
    "--output-dir", type=PATH, metavar="DIR", help="Where traces go, if not into .walctl."
)
@output("text", "json", "ndjson")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    digest: bool,
    check_determinism: bool,
    without: tuple[str, ...],
    crashed: Path | None,
    **options: Any,
) -> None:
    """See `HELP`."""
    if LIST in without:
        text, document = render.list_safeguards, render.safeguards_document
        screen.show(SAFEGUARDS, text=text, document=document)
        return
    if digest and check_determinism:
        raise click.UsageError("--digest and --check-determinism are two things.")
    if crashed is not None:
        _demand_alone(ctx)
        ctx.exit(_crashes(screen, disk, crashed))
    job = job_of(without=without, **options)
    if job.trace is not None and (len(job.seeds) > 1 or digest or check_determinism):
        raise click.UsageError("--trace is of one run: give one --seed.")
    if check_determinism:
        ctx.exit(_checked(screen, writable(disk), job))
    ctx.exit(_ran(screen, disk, job, is_recorded=digest))


def _demand_alone(ctx: click.Context) -> None:
    """A trace has all that its run was made of: an option that would change it is refused."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        is_typed = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_typed and name not in OF_CRASH_STATES:
            raise click.UsageError(
                f"--crash-states plays its TRACE: leave {parameter.opts[-1]} out."
            )


def _ran(screen: Screen, disk: FileSystem, job: Job, *, is_recorded: bool) -> int:
    """Run all seeds, and show what came of each and of all."""
    if job.trace is not None:
        path = job.trace
        found = (keep_trace(writable(disk), path, wish, job.without) for wish in (job.wish,))
    else:
        found = reports(
            job.wish,
            job.seeds,
            without=job.without,
            jobs=job.jobs,
            is_recorded=is_recorded,
            shield=held_interrupts,
        )
    told = _Told(screen, disk, job, is_digest=is_recorded)
    is_whole = _each(screen, job, found, told.take)
    told.end()
    if not is_whole:
        screen.error(f"interrupted after {told.tally.runs:,} of {len(job.seeds):,} seeds")
        return ExitStatus.INTERRUPTED
    return told.tally.exit_status


def _each(
    screen: Screen, job: Job, found: Generator[T, None, None], take: Callable[[T], None]
) -> bool:
    """Take what comes, with a progress bar; whether all came before Ctrl-C.

    The bar, which has a thread of its own, begins when processes have been forked.
    """
    total = len(job.seeds)
    with ExitStack() as stack:
        step = stack.enter_context(screen.progress("seeds"))
        stack.enter_context(closing(found))
        try:
            for done, each in enumerate(found, start=1):
                take(each)
                step(done, total)
        except KeyboardInterrupt:
            return False
    return True


class _Told:
    """Tells of runs as they come, and of all at the end."""

    def __init__(self, screen: Screen, disk: FileSystem, job: Job, *, is_digest: bool) -> None:
        self.tally = Tally()
        self._screen = screen
        self._disk = disk
        self._job = job
        self._is_digest = is_digest
        self._rows: list[object] = []
        self._began = time.monotonic()

    def take(self, report: Report) -> None:
        """One more run."""
        self.tally.add(report)
        broken = self._broken(report) if report.violation is not None else None
        shown = report if broken is None else broken.report
        screen = self._screen
        if screen.output != Output.TEXT:
            row = {**render.report_document(shown), "again": self._job.again(report.seed)}
            if screen.output == Output.NDJSON:
                screen.row({"v": 1, "kind": "seed", **row})
                screen.flush()
            else:
                self._rows.append(row)
            return
        is_alone = len(self._job.seeds) == 1
        if shown.exit_status or shown.loss or self._is_digest or is_alone:
            with screen.above_progress():
                self._lines(shown, broken)
            screen.flush()

    def _lines(self, report: Report, broken: render.Broken | None) -> None:
        screen = self._screen
        if self._is_digest:
            render.digest(screen, report)
            if broken is not None:
                screen.note(f"seed {report.seed:#x}: {render.violation_line(report)}")
        elif broken is not None:
            render.violated(screen, broken)
        elif report.error:
            render.untested(screen, report)
        else:
            render.one(screen, report)

    def end(self) -> None:
        """What all came to."""
        tally, planned = self.tally, len(self._job.seeds)
        elapsed = time.monotonic() - self._began
        document = render.summary_document(tally, planned=planned, elapsed=elapsed)
        match self._screen.output:
            case Output.JSON:
                self._screen.show_json({"v": 1, "summary": document, "runs": self._rows})
            case Output.NDJSON:
                self._screen.row({"v": 1, "kind": "summary", **document})
            case _ if planned > 1 and not self._is_digest:
                render.summary(self._screen, tally, planned=planned, elapsed=elapsed)

    def _broken(self, report: Report) -> render.Broken:
        """With its trace, where there is room for one more."""
        job = self._job
        again = job.again(report.seed)
        has_room = self.tally.broken_runs <= TRACES_MAX
        if report.trace or self._is_digest or not has_room:
            return render.Broken(report=report, again=again, small=_small(report.trace))
        path = trace_path(job.folder, report.seed)
        wish = replace(job.wish, seed=report.seed)
        try:
            again_report = keep_trace(writable(self._disk), path, wish, job.without)
        except AccessError as error:
            return render.Broken(report=report, again=again, problem=error.message)
        if again_report.violation != report.violation:
            problem = "recorded, it went another way: see --check-determinism"
            return render.Broken(report=report, again=again, problem=problem)
        return render.Broken(report=again_report, again=again, small=_small(again_report.trace))


def _small(trace: str) -> str:
    return shlex.join(["walctl", "cluster", "shrink", trace]) if trace else ""


def _crashes(screen: Screen, disk: FileSystem, path: Path) -> int:
    """Look at all states at each death of a node."""
    found: list[Crash] = []

    def on_crash(crash: Crash) -> None:
        found.append(crash)
        if screen.output == Output.TEXT:
            crash_states.crash_line(screen, crash)
            screen.flush()

    look_at_crashes(disk, path, on_crash)
    if screen.output == Output.TEXT:
        crash_states.crashes_end(screen, found)
    else:
        screen.show(found, text=crash_states.crashes_end, document=crash_states.crashes_document)
    if any(each.bad for each in found):
        return ExitStatus.DAMAGE
    if not found:
        screen.error(f"{path}: no node dies in this run")
    return ExitStatus.CLEAN if found else ExitStatus.UNFINISHED


def _checked(screen: Screen, disk: WritableFileSystem, job: Job) -> int:
    """Run each seed twice."""
    statuses: list[int] = []
    rows: list[object] = []

    def take(found: Replayed) -> None:
        differs, is_lost = found.difference is not None, not found.lines
        statuses.append(
            ExitStatus.DAMAGE if differs else ExitStatus.UNFINISHED if is_lost else ExitStatus.CLEAN
        )
        if screen.output == Output.TEXT:
            path = job.folder / f"first-{found.report.seed:x}.jsonl"
            with screen.above_progress():
                render.determined(screen, found, str(path))
            screen.flush()
        elif screen.output == Output.NDJSON:
            screen.row(render.replayed_document(found))
        else:
            rows.append(render.replayed_document(found))

    found = twice_each(
        disk,
        job.folder,
        job.wish,
        job.seeds,
        without=job.without,
        jobs=job.jobs,
        shield=held_interrupts,
    )
    is_whole = _each(screen, job, found, take)
    if screen.output == Output.JSON:
        screen.show_json({"v": 1, "runs": rows})
    if not is_whole:
        screen.error(f"interrupted after {len(statuses):,} of {len(job.seeds):,} seeds")
        return ExitStatus.INTERRUPTED
    if ExitStatus.DAMAGE in statuses:
        return ExitStatus.DAMAGE
    return max(statuses, default=ExitStatus.UNFINISHED)
