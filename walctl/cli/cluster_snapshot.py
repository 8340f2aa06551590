"""`walctl cluster snapshot`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, node_meant, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import operating
from walctl.fs.base import FileSystem
from walctl.render import cluster_operating as render
from walctl.render.screen import Screen


@click.command("snapshot", short_help="Let a node make a snapshot.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help="The group; all that NODE has, if left out.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Let NODE of LAB make a snapshot of its state machine now, and wait until it counts.

    \b
    Examples:
      walctl cluster snapshot demo leader
      walctl cluster snapshot demo n2 --group g2
    """
    found = opened(disk, lab)
    name = node_meant(disk, found, node, group=group)
    rows = operating.snapshot(found, name, group)
    screen.show(rows, text=render.operated_text, document=render.operated_document)
