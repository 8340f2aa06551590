"""`walctl cluster rewind`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.deeds import Directories
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("rewind", short_help="Go back to what a node had on its disk when it was kept.")
@lab_argument
@node_argument
@click.option("--to", "name", metavar="NAME", help="The copy; `copy`, if left out.")
@click.option("--only", metavar="GROUP", help="The directory of this group alone.")
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    node: str,
    name: str | None,
    only: str | None,
    group: str | None,
) -> None:
    """Put a copy that keep made in the place of what NODE of LAB has on its disk.

    The node must not run. What it acknowledged since then it does not hold any more: etcd, started
    so, may end with "tocommit is out of range", and a vote may be given twice.

    \b
    Examples:
      walctl cluster rewind demo n3 --to monday
    """
    deed = Directories(verb="rewind", node=node, name=name, group=only)
    did(screen, disk, lab, deed, group=group)
