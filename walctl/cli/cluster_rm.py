"""`walctl cluster rm`: a lab that is down is removed."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cli.world import writable
from walctl.cluster.running import demand_down
from walctl.cluster.taking_away import removal, remove
from walctl.fs.base import FileSystem
from walctl.render import cluster_lab as render
from walctl.render.screen import Screen


@click.command("rm", short_help="Remove a lab that is down, with all its files.")
@lab_argument
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path) -> None:
    """Remove LAB, a lab that is down, with its members' directories and its events.

    Only what a lab makes is removed: where anything else lies in the folder, or a link, nothing
    is, and it is named.

    \b
    Examples:
      walctl cluster rm demo
    """
    found = opened(disk, lab)
    demand_down(disk, found)
    plan = removal(writable(disk), found)
    remove(writable(disk), plan)
    screen.show(render.Gone(found, plan), text=render.gone_text, document=render.gone_document)
