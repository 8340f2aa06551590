"""`walctl cluster restart`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("restart", short_help="End a node, if it runs, and start it.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """End NODE of LAB as its administrator does, if it runs, and start it again.

    \b
    Examples:
      walctl cluster restart demo follower
    """
    done_with(screen, disk, lab, node, "restart", group=group)
