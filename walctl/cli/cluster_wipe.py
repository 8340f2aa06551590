"""`walctl cluster wipe`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.deeds import Directories
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("wipe", short_help="Take away what a node has on its disk.")
@lab_argument
@node_argument
@click.option("--only", metavar="GROUP", help="The directory of this group alone.")
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, node: str, only: str | None, group: str | None
) -> None:
    """Take away what NODE of LAB has on its disk. The node must not run.

    Started again it knows nothing of what it had voted for and acknowledged: Raft does not allow
    that of a member. walctl cluster keep, before, makes a copy to go back to.

    \b
    Examples:
      walctl cluster wipe demo n3
    """
    deed = Directories(verb="wipe", node=node, group=only)
    did(screen, disk, lab, deed, group=group)
