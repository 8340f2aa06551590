"""`walctl cluster shrink`: a failing run made small enough to be read."""

import shlex
import time
from pathlib import Path

import click

from walctl.cli.options import PATH, form, pass_disk, pass_screen, quiet
from walctl.cli.sim_options import without_option
from walctl.cli.sim_source import read_failing
from walctl.cli.world import real_path
from walctl.errors import AccessError, ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.render import shrink as render
from walctl.render.screen import Screen
from walctl.sim.safeguards import named
from walctl.sim.shrink import End, Progress, Shrunk, shrink
from walctl.sim.trial import Limits
from walctl.sim.watching import Watching


@click.command("shrink", short_help="Make a failing simulated run small.")
@click.argument("source", metavar="TRACE|SCENARIO")
@click.option(
    "--output", "target", type=PATH, metavar="OUT.scn", help="Write the scenario into a new file."
)
@click.option(
    "--max-runs",
    type=click.IntRange(min=2),
    default=2_000,
    show_default=True,
    metavar="N",
    help="Try at most so many runs.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Try for about so long.",
)
@without_option
@form("text", "json")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    source: str,
    target: Path | None,
    max_runs: int,
    max_seconds: float,
    without: tuple[str, ...],
) -> None:
    """Make a run that breaks a promise small: whatever can be left out of it is, as long as the
    same promise breaks. TRACE is the event file of a failing run, as cluster sim leaves it;
    SCENARIO a file, or the name of one that comes with walctl.

    What somebody decided is left out, never the seed: faults, requests of clients, what became of
    single messages; then nodes, clients and keys; then times become round, crashes simple and
    options usual. Every step plays the whole run again.

    The result is a scenario that ends with expect violation, which cluster run plays. Without
    --output it is printed.

    A trace says which protections were missing; for a scenario, --without does.

    Ctrl-C ends it with the smallest that was found until then.

    Exits 0 with a scenario, 2 for a file that makes no sense, 4 when nothing is broken in it.

    \b
    Examples:
      walctl cluster shrink .walctl/fail-2f.jsonl --output double-vote.scn
      walctl cluster shrink mine.scn --without own-term-commits --max-seconds 10
    """
    path = real_path(Path(source))
    scenario, missing = read_failing(disk, source, path)
    if missing and without and tuple(without) != missing:
        raise UsageError(f"{source}: its run was without {', '.join(missing)}: leave --without out")
    names = missing or without
    place = None if target is None else real_path(target)
    if place is not None and disk.exists(place):
        raise AccessError(f"{target}: there is such a file; nothing is ever written over")
    with screen.progress("runs") as step:

        def on_progress(progress: Progress) -> None:
            step(progress.runs, max_runs)

        found = shrink(
            scenario,
            seconds=time.monotonic,
            watch=Watching,
            without=named(names),
            limits=Limits(runs_max=max_runs, seconds_max=max_seconds),
            on_progress=on_progress,
        )
    if place is not None:
        try:
            disk.create(place, found.scenario.text.encode())
        except AccessError:  # minutes of work: it goes where there is room
            screen.show(_shown(found, names, None), text=render.show, document=render.document)
            raise
    screen.show(_shown(found, names, target), text=render.show, document=render.document)
    if found.end is End.INTERRUPTED:
        screen.error("interrupted: this is the smallest until now")
        ctx.exit(ExitStatus.INTERRUPTED)


def _shown(found: Shrunk, names: tuple[str, ...], target: Path | None) -> render.Smaller:
    again = None
    if target is not None:
        missing = [word for name in names for word in ("--without", name)]
        again = shlex.join(["walctl", "cluster", "run", str(target), *missing])
    return render.Smaller(
        shrunk=found,
        without=names,
        path=None if target is None else str(target),
        again=again,
    )
