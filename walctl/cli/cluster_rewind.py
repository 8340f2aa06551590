"""`walctl cluster rewind`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, rested
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.resting import Deed
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("rewind", short_help="Put an older copy in the place of a node's directory.")
@lab_argument
@node_argument
@click.option(
    "--to", "--name", "name", default="copy", show_default=True, metavar="NAME", help="The copy."
)
@click.option("--group", metavar="NAME", help="Its member of this group alone.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, node: str, name: str, group: str | None
) -> None:
    """Let NODE of LAB have again what `keep` has copied, as a restored backup would.

    NODE has to be down. A member that forgets what it has acknowledged
    may break the cluster: that is what this is for.

    \b
    Examples:
      walctl cluster rewind demo n1
    """
    rested(screen, disk, lab, node, Deed("rewind", {"name": name, "group": group}))
