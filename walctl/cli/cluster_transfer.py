"""`walctl cluster transfer`: the lead handed on."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import (
    group_option,
    lab_argument,
    node_argument,
    node_meant,
    opened,
)
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.member_commands import transfer
from walctl.cluster.up_down import status
from walctl.fs.base import FileSystem
from walctl.render import cluster_view
from walctl.render.screen import Screen


@click.command("transfer", short_help="Hand the lead to another node.")
@lab_argument
@node_argument
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None) -> None:
    """Let NODE of LAB lead its group, and show how all of it stands then.

    \b
    Examples:
      walctl cluster transfer demo n2
      walctl cluster transfer demo follower
    """
    found = opened(disk, lab)
    name = found.node(node_meant(disk, found, node, group=group)).name
    transfer(disk, found, found.group(group).name, name)
    screen.show(status(disk, found), text=cluster_view.text, document=cluster_view.document)
