"""`walctl cluster keep`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.deeds import Directories
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("keep", short_help="Copy what a node has on its disk, to go back to.")
@lab_argument
@node_argument
@click.argument("name", required=False, metavar="[NAME]")
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, node: str, name: str | None, group: str | None
) -> None:
    """Copy what NODE of LAB has on its disk, under a name ("copy", if left out), inside of the lab.

    The node must not run. walctl cluster rewind goes back to the copy.

    \b
    Examples:
      walctl cluster kill demo n3
      walctl cluster keep demo n3 monday
    """
    deed = Directories(verb="keep", node=node, name=name)
    did(screen, disk, lab, deed, group=group)
