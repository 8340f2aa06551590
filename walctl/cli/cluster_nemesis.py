"""`walctl cluster nemesis`: a mix of faults, drawn from a seed."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cli.world import writable
from walctl.cluster.lab import Lab
from walctl.cluster.nemesis import NemesisWish, faults_of, plan
from walctl.cluster.nemesis_run import Struck, unleash
from walctl.cluster.quantities import parse_duration
from walctl.cluster.runtime import new_seed, seeded
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import nemesis as render
from walctl.render.screen import Screen

SEED_MAX = (1 << 63) - 1


@click.command("nemesis", short_help="Break a lab in many ways, drawn from a seed.")
@lab_argument
@click.option(
    "--faults",
    default="all",
    show_default=True,
    metavar="NAME,…",
    help="kill, pause, torn, partition, delay, loss, disk, clock, member; all is without member.",
)
@click.option(
    "--interval", default="5s", show_default=True, metavar="D", help="How often something begins."
)
@click.option("--for", "for_", default="60s", show_default=True, metavar="D", help="How long.")
@click.option(
    "--seed", type=click.IntRange(0, SEED_MAX), metavar="S", help="Drawn and told, if left out."
)
@click.option("--plan", "is_plan", is_flag=True, help="Print what would be done, as a scenario.")
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
    lab: Path,
    faults: str,
    interval: str,
    for_: str,
    seed: int | None,
    is_plan: bool,
) -> None:
    """Break LAB in one way after the other, as drawn from a seed, and make it all well at the end.

    Something begins every --interval, and ends about an interval later. At every moment fewer than
    half of the nodes are killed, paused, torn (they lose their power within a write) or on a disk
    that fails; so no acknowledged write may be lost, and walctl cluster check, after a load beside
    it, has to find none. What loses more than that (wipe, rewind, flipped bits, a lying disk) it
    does not do. The same seed makes the same plan for a lab with the same nodes.

    Ctrl-C ends it early; then, too, all is made well.

    Exits 0 when all is well again, 4 when something could not be made well.

    \b
    Examples:
      walctl cluster nemesis demo --for 60s --seed 7
      walctl cluster nemesis demo --faults kill,partition --interval 2s
      walctl cluster nemesis demo --seed 7 --plan
    """
    found = opened(disk, lab)
    wish = _wish(found, faults, interval, for_)
    chosen = new_seed() if seed is None else seed
    if is_plan:
        steps = plan(wish, seeded(chosen))
        screen.show(
            steps,
            text=render.plan_text,
            document=lambda each: render.plan_document(each, chosen),
        )
        return
    is_text = screen.output == "text"

    def on_begin() -> None:
        if is_text:
            render.head(screen, wish, chosen)

    def on_struck(struck: Struck) -> None:
        if is_text:
            render.struck_line(screen, struck)
            screen.flush()

    with screen.progress("nemesis") as on_time:
        havoc = unleash(
            writable(disk),
            found,
            wish,
            seed=chosen,
            on_begin=on_begin,
            on_struck=on_struck,
            on_time=on_time,
        )
    screen.show(havoc, text=render.end, document=render.document)
    ctx.exit(ExitStatus.UNFINISHED if havoc.left else ExitStatus.CLEAN)


def _wish(lab: Lab, faults: str, interval: str, for_: str) -> NemesisWish:
    """Raises: UsageError."""
    nodes = tuple(each.name for each in lab.nodes if any(lab.hosted_by(each.name)))
    numbers = [int(each.name[1:]) for each in lab.nodes if each.name[1:].isdecimal()]
    return NemesisWish(
        faults=faults_of(faults, lab.engine),
        nodes=nodes,
        interval_us=parse_duration(interval),
        for_us=parse_duration(for_),
        next_number=max(numbers, default=0) + 1,
    )
