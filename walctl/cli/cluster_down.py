"""`walctl cluster down`: everything that a lab started is ended."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cli.world import writable
from walctl.cluster.up_down import down
from walctl.fs.base import FileSystem
from walctl.render import cluster_lab as render
from walctl.render.screen import Screen


@click.command("down", short_help="End everything that a lab started.")
@lab_argument
@click.option("--kill", "is_hard", is_flag=True, help="Kill the nodes instead of asking them.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, is_hard: bool) -> None:
    """End every process that LAB started, and no other; its files stay.

    Works as well after the supervisor has died: a process is known by its id and by the moment it
    began, so one that was given the id of a dead node is left alone.

    \b
    Examples:
      walctl cluster down demo
      walctl cluster down demo --kill
    """
    found = opened(disk, lab)
    names = down(writable(disk), found, is_hard=is_hard)
    screen.show(render.Down(found, names), text=render.down_text, document=render.down_document)
