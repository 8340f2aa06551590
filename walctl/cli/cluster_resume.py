"""`walctl cluster resume`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("resume", short_help="Let a paused node go on.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Let NODE of LAB go on, which was paused (SIGCONT).

    \b
    Examples:
      walctl cluster resume demo n2
    """
    done_with(screen, disk, lab, node, "resume", group=group)
