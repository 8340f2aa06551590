"""`walctl cluster events`: all that happened in a lab."""

import time
from contextlib import suppress
from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen
from walctl.cluster.events import EventKind
from walctl.cluster.reading_on import Growing, read_on
from walctl.fs.base import FileSystem
from walctl.render.cluster_lines import show_events
from walctl.render.screen import Screen

FOLLOW_SECONDS = 0.1


@click.command("events", short_help="Print what happened in a lab.")
@lab_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as more happens, until Ctrl-C.")
@click.option(
    "--kind",
    "kinds",
    metavar="K,…",
    help="Events of these kinds alone.",
)
@output("text", "ndjson")
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, follow: bool, kinds: str | None
) -> None:
    """Print what happened in LAB: starts and ends, roles, votes, faults, and what clients did.

    The moment is in seconds since the lab began. Kinds are start, stop, crash, role, term, vote,
    conf, fault, heal, invoke, ok, fail, info, and others: `--kind` takes any of them.

    \b
    Examples:
      walctl cluster events demo
      walctl cluster events demo -f --kind fault,heal,crash
      walctl cluster events demo -o ndjson
    """
    chosen = frozenset(kinds.split(",")) if kinds else frozenset[str]()
    unknown = sorted(chosen - set(EventKind))
    if unknown:
        raise click.BadParameter(
            f"{unknown[0]!r} is no kind; there are {', '.join(EventKind)}.", param_hint="--kind"
        )
    found = opened(disk, lab)
    sources = [("", Growing(disk, found.events_path))]
    if not follow:
        show_events(screen, read_on(sources, wait=None), kinds=chosen)
        return
    with suppress(KeyboardInterrupt):
        lines = read_on(sources, wait=lambda: time.sleep(FOLLOW_SECONDS))
        show_events(screen, lines, kinds=chosen)
