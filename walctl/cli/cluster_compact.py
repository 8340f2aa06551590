"""`walctl cluster compact`."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, node_argument, node_meant, opened
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import operating
from walctl.fs.base import FileSystem
from walctl.render import cluster_operating as render
from walctl.render.screen import Screen


@click.command("compact", short_help="Let a node forget old entries.")
@lab_argument
@node_argument
@click.option("--group", metavar="NAME", help="The group; all that NODE has, if left out.")
@click.option("--index", type=click.IntRange(min=0), help="Up to this one, and no further.")
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, node: str, group: str | None, index: int | None
) -> None:
    """Let NODE of LAB forget entries of its log that its newest snapshot has.

    A follower that needs one of them gets the snapshot instead. With engine etcd, revisions of keys
    are forgotten instead, up to the newest or to that of --index, in the whole cluster.

    \b
    Examples:
      walctl cluster compact demo leader
      walctl cluster compact demo n2 --index 5000
    """
    found = opened(disk, lab)
    name = node_meant(disk, found, node, group=group)
    rows = operating.compact(found, name, group, index=index)
    screen.show(rows, text=render.operated_text, document=render.operated_document)
