"""`walctl cluster disk`: the disks of a lab's nodes, broken and healed, and files damaged."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster import fault_words
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("disk", short_help="Let a node's disk fail, or damage its files.")
@lab_argument
@node_argument
@click.argument("words", nargs=-1, required=True, metavar="WHAT…")
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
    """Let the disk of NODE in LAB fail, or damage what is on it.

    Of a node that runs (engine walctl):

    \b
      slow-fsync 200ms     every sync takes so much longer
      fail-fsync           a sync fails, and what it had to keep is gone
      eio                  a write fails
      full [64KiB]         there is room for no more than that
      lie                  a sync says that all is well, and does nothing
      off, KIND off        all is well again, or that kind is over
    count=N hits so many calls; group=G the files of one group.

    Of a node that does not run, with whatever is not said being drawn:

    \b
      flip [file=F] [offset=N] [bit=N]            one bit
      zero [file=F] [offset=N] [size=4096]        zeros in the place of bytes
      truncate [N | to=N] [file=F]                N bytes off the end of the log
      drop [file=F]                               a whole segment
    These are for good: keep before, and rewind, take them back.

    \b
    Examples:
      walctl cluster disk demo n2 slow-fsync 200ms
      walctl cluster disk demo n2 off
      walctl cluster kill demo n3; walctl cluster disk demo n3 flip
    """
    did(screen, disk, lab, fault_words.disk((node, *words)), group=group)
