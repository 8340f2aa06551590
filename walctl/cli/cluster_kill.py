"""`walctl cluster kill`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("kill", short_help="End a node as a power cut does to a process.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """End NODE of LAB with SIGKILL: it is told nothing, and finishes nothing.

    \b
    Examples:
      walctl cluster kill demo leader
    """
    done_with(screen, disk, lab, node, "kill", group=group)
