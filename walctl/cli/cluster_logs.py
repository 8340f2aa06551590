"""`walctl cluster logs`: what nodes printed."""

import time
from contextlib import suppress
from pathlib import Path

import click

from walctl.cli.cluster_lab import lab_argument, opened
from walctl.cli.options import pass_disk, pass_screen
from walctl.cluster.node_log import older
from walctl.cluster.reading_on import Growing, read_on
from walctl.fs.base import FileSystem
from walctl.render.cluster_lines import show_logs
from walctl.render.screen import Screen

FOLLOW_SECONDS = 0.1


@click.command("logs", short_help="Print what a lab's nodes printed.")
@lab_argument
@click.argument("node", required=False, metavar="[NODE]")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is printed, until Ctrl-C.")
@pass_disk
@pass_screen
def command(screen: Screen, disk: FileSystem, /, lab: Path, node: str | None, follow: bool) -> None:
    """Print what the nodes of LAB printed, or NODE alone, oldest first.

    Lines of several nodes stand behind the node's name, one node after the other; with -f new ones
    as they come. Of what a node printed at least the last 16 MiB are kept.

    \b
    Examples:
      walctl cluster logs demo n1
      walctl cluster logs demo -f
    """
    found = opened(disk, lab)
    names = [found.node(node).name] if node else [each.name for each in found.nodes]
    sources = [
        (name, Growing(disk, path))
        for name in names
        for path in (older(found.log_path(name)), found.log_path(name))
    ]
    width = 0 if node else max(map(len, names))
    if not follow:
        show_logs(screen, read_on(sources, wait=None), width=width)
        return
    with suppress(KeyboardInterrupt):
        show_logs(screen, read_on(sources, wait=lambda: time.sleep(FOLLOW_SECONDS)), width=width)
