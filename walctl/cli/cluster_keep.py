"""`walctl cluster keep`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, rested
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.resting import Deed
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("keep", short_help="Keep a copy of a node's directory, for rewind.")
@lab_argument
@node_argument
@click.option("--name", default="copy", show_default=True, metavar="NAME", help="What to call it.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, name: str) -> None:
    """Copy what NODE of LAB has written, under a name, to go back to by `rewind`.

    NODE has to be down.

    \b
    Examples:
      walctl cluster keep demo n1
    """
    rested(screen, disk, lab, node, Deed("keep", {"name": name}))
