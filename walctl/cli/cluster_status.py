"""`walctl cluster status`: how a lab's nodes stand."""

from contextlib import suppress
from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.up_down import status, watch
from walctl.fs.base import FileSystem
from walctl.render import cluster_view
from walctl.render.screen import Screen


@click.command("status", short_help="Show how a lab's nodes stand.")
@lab_argument
@click.option("--watch", "is_watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@output("text", "json", "ndjson")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, is_watch: bool) -> None:
    """Show each node of LAB: role, term, leader, commit, applied, lag, log, and faults that are on.

    Works whether the lab is up or not. With --watch and -o ndjson every look is a line.

    \b
    Examples:
      walctl cluster status demo
      walctl cluster status demo --watch
      walctl cluster status demo -o json
    """
    found = opened(disk, lab)
    if is_watch:
        with suppress(KeyboardInterrupt), cluster_view.live(screen) as show:
            watch(disk, found, show)
        screen.flush()
        return
    screen.show(status(disk, found), text=cluster_view.text, document=cluster_view.document)
