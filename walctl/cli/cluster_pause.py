"""`walctl cluster pause`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("pause", short_help="Let a node stand still.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Let NODE of LAB stand still (SIGSTOP), until `resume`.

    It keeps its connections, and answers nobody: to the others that is a slow node, not a dead one.

    \b
    Examples:
      walctl cluster pause demo leader
    """
    done_with(screen, disk, lab, node, "pause", group=group)
