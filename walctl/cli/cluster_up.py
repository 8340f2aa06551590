"""`walctl cluster up`: a lab's nodes started, watched in the foreground or left running."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cli.world import writable
from walctl.cluster.copying.inside import is_confined
from walctl.cluster.copying.namespace import closed_command
from walctl.cluster.getting_ready import READY_SECONDS
from walctl.cluster.lab import Lab
from walctl.cluster.runtime import environment, own_command
from walctl.cluster.up_down import serve_and_show, up_detached
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import cluster_view
from walctl.render.screen import Screen


def _go_on_inside(disk: FileSystem, lab: Lab, words: Sequence[str]) -> NoReturn:
    """Become the same command in the lab's closed network. Raises: UnsupportedError."""
    addresses = (lab.origin or {}).get("addresses", [])
    command = closed_command(disk, addresses, own_command(*words))
    os.execvpe(command[0], command, environment(""))


@click.command("up", short_help="Start a lab's nodes, and watch them.")
@lab_argument
@click.option(
    "-d", "--detach", is_flag=True, help="Leave it running, once every node knows a leader."
)
@click.option("--only", metavar="NODE,…", help="Start these nodes alone.")
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(0.1),
    default=READY_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long -d waits for nodes to be ready.",
)
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
    detach: bool,
    only: str | None,
    seconds: float,
) -> None:
    """Start the nodes of LAB and show how they stand, until Ctrl-C ends it all.

    With -d everything runs on in the background: `status --watch` shows the same view, and `down`
    ends it. Where the lab is up already, -d starts the nodes that do not run.

    Of a member that was copied (`from`) a line says whether its first start did what was foretold:
    one that was to end may end, and the others go on without it.

    Exits 0 after Ctrl-C, when all is down, and with -d when all is ready; 1 when a copied member
    did not do what was foretold; 4 when a node cannot be started, or is not ready in time.

    \b
    Examples:
      walctl cluster up demo
      walctl cluster up demo -d
      walctl cluster up demo -d --only n1,n2
    """
    found = opened(disk, lab)
    if not is_confined(disk, found):
        _go_on_inside(disk, found, sys.argv[1:])
    names = tuple(only.split(",")) if only else ()
    if detach:
        try:
            standing = up_detached(writable(disk), found, only=names, seconds=seconds)
        except KeyboardInterrupt:
            screen.note(f"what was started runs on; walctl cluster down {found.path} ends it")
            raise
        screen.show(standing, text=cluster_view.text, document=cluster_view.document)
        if not all(each.is_as_foretold for each in standing.forecasts):
            ctx.exit(ExitStatus.DAMAGE)
        return
    with cluster_view.live(screen) as show:
        serve_and_show(writable(disk), found, only=names, show=show)
    screen.line(f"{found.path}: is down")
