"""`walctl cluster scenarios`: the scenarios that come with walctl, told and played."""

from contextlib import ExitStack, closing

import click

from walctl.cli.interrupts import held_interrupts
from walctl.cli.options import output, pass_disk, pass_screen, quiet, side_by_side
from walctl.cluster.scenario import Scenario
from walctl.cluster.shipped import read_shipped, shipped
from walctl.errors import ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.render import scenarios as render
from walctl.render.screen import Output, Screen
from walctl.sim.trials import Tried, trials, tried


@click.command("scenarios", short_help="List the scenarios that come with walctl, and play them.")
@click.option("--show", metavar="NAME", help="Tell the story of this one, with its commands.")
@click.option("--tag", metavar="T", help="Those alone that have this tag.")
@click.option(
    "--run",
    "is_run",
    is_flag=True,
    help="Play each in the simulator, as it is and without each protection that it names.",
)
@side_by_side("How many to play at the same time.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    show: str | None,
    tag: str | None,
    is_run: bool,
    jobs: int,
) -> None:
    """List the scenarios that come with walctl: what has gone wrong with Raft somewhere, each as a
    file that `walctl cluster run` plays.

    A scenario says what is right. Where there is a protection of Raft whose absence would let it go
    wrong, it says so too, with the promise that is broken then. --run puts both to the test: as it
    is every scenario has to hold, and without that protection it has to break that promise.

    Exits 0, with --run 1 when one is not as it should be, 2 for a name or a tag that there is not.

    \b
    Examples:
      walctl cluster scenarios --tag elections
      walctl cluster scenarios --show split-brain
      walctl cluster scenarios --run
    """
    if show is not None and (is_run or tag is not None):
        raise click.UsageError("--show tells of one scenario: give it alone.")
    if show is not None:
        found = read_shipped(disk, show)
        screen.show(found, text=render.story, document=render.story_document)
        return
    chosen = _chosen([read_shipped(disk, name) for name in shipped(disk)], tag)
    if is_run:
        ctx.exit(_run(screen, chosen, jobs))
    screen.show(chosen, text=render.table, document=render.table_document)


def _chosen(scenarios: list[Scenario], tag: str | None) -> list[Scenario]:
    """Raises: UsageError."""
    if tag is None:
        return scenarios
    found = [each for each in scenarios if tag in each.story.tags]
    if not found:
        tags = sorted({tag for each in scenarios for tag in each.story.tags})
        raise UsageError(f"no scenario has the tag {tag!r}; there are {', '.join(tags)}")
    return found


def _run(screen: Screen, scenarios: list[Scenario], jobs: int) -> int:
    """Play all, and tell of each as it comes."""
    wanted = trials(scenarios)
    done: list[Tried] = []
    is_text = screen.output == Output.TEXT
    with ExitStack() as stack:
        step = stack.enter_context(screen.progress("scenarios"))
        found = stack.enter_context(closing(tried(wanted, jobs=jobs, shield=held_interrupts)))
        try:
            for each in found:
                done.append(each)
                if is_text:
                    with screen.above_progress():
                        render.tried_line(screen, each)
                    screen.flush()
                step(len(done), len(wanted))
        except KeyboardInterrupt:
            screen.error(f"interrupted after {len(done)} of {len(wanted)} runs")
            return ExitStatus.INTERRUPTED
    if is_text:
        render.tried_end(screen, done)
    else:
        screen.show_json(render.tried_document(done))
    return ExitStatus.CLEAN if all(each.is_right for each in done) else ExitStatus.DAMAGE
