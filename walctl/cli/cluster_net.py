"""`walctl cluster net`: links between the nodes of a lab, broken and healed."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.scenario_words import net
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command(
    "net",
    short_help="Break links between nodes, and heal them.",
    context_settings={"ignore_unknown_options": True},
)
@lab_argument
@click.argument("words", nargs=-1, required=True, metavar="VERB…")
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
    words: tuple[str, ...],
    group: str | None,
) -> None:
    """Break links between the nodes of LAB, or heal them, and say what is broken then.

    \b
      cut A B [--one-way] [--reset]     nothing arrives; with --reset connections close
      isolate NODE [--reset]            it hears nobody, and nobody hears it
      split n1,n2/n3                    nothing crosses the stroke
      bridge NODE, ring                 two halves that one node joins; each hears two
      delay A->B 50ms±20ms, loss A->B 5%, dup A->B 1%, reorder A->B 1%,
      slow A->B 10KB/s                  with off in the place of the amount it ends
      heal [A->B | NODE | --all]        all is well again, or these links are

    A link is 'A->B', both its directions 'A<->B' or A B; all stands for every
    node. leader, follower and random are names of nodes too. Faults of one link
    add up; split, bridge and ring take the place of all cuts before.

    \b
    Examples:
      walctl cluster net demo isolate leader
      walctl cluster net demo cut n1 n2 --one-way
      walctl cluster net demo delay 'n1->n2' 50ms±20ms
      walctl cluster net demo heal
    """
    did(screen, disk, lab, net(words), group=group)
