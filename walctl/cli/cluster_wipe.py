"""`walctl cluster wipe`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, rested
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.resting import Deed
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("wipe", short_help="Remove a node's directory.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help="Its member of this group alone.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Remove what NODE of LAB has written, of one group or of all, as if its disk were new.

    NODE has to be down. An etcd that comes back empty under its old name is
    refused by etcd itself: remove the member, and add another.

    \b
    Examples:
      walctl cluster wipe demo n1
    """
    rested(screen, disk, lab, node, Deed("wipe", {"group": group}))
