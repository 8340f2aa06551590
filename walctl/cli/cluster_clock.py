"""`walctl cluster clock`: the clock of a node goes wrong, and right again."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import fault_words
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command(
    "clock",
    short_help="Let a node's clock go wrong, and right again.",
    context_settings={"ignore_unknown_options": True},
)
@lab_argument
@node_argument
@click.argument("words", nargs=-1, required=True, metavar="rate R | jump +D | off")
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    node: str,
    words: tuple[str, ...],
    group: str | None,
) -> None:
    """Let the clock of NODE in LAB go at another rate, or jump ahead; off sets it right.

    It is the clock that Raft counts by: elections, heartbeats, leases. The time of day is nothing
    to Raft. For engine walctl.

    \b
    Examples:
      walctl cluster clock demo leader rate 50%
      walctl cluster clock demo n2 jump +3s
      walctl cluster clock demo n2 off
    """
    did(screen, disk, lab, fault_words.clock((node, *words)), group=group)
