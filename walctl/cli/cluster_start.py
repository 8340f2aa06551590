"""`walctl cluster start`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("start", short_help="Start a node.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Start NODE of LAB, which does not run. Its directory is as it was left.

    \b
    Examples:
      walctl cluster start demo n2
    """
    done_with(screen, disk, lab, node, "start", group=group)
