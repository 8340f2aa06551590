"""`walctl cluster campaign`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, node_meant, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import operating
from walctl.fs.base import FileSystem
from walctl.render import cluster_operating as render
from walctl.render.screen import Screen


@click.command("campaign", short_help="Let a node try to become leader.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help="The group that is meant; the first, if left out.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Let NODE of LAB try to become leader of a group, and say who leads then.

    Members that hear from a leader vote for nobody, unless the lab was made without pre-votes and
    quorum check: `walctl cluster transfer` hands the lead over.

    \b
    Examples:
      walctl cluster campaign demo n2
      walctl cluster campaign demo follower --group g2
    """
    found = opened(disk, lab)
    name = node_meant(disk, found, node, group=group)
    rows = (operating.campaign(found, name, group),)
    screen.show(rows, text=render.operated_text, document=render.operated_document)
