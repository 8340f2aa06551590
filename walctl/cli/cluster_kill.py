"""`walctl cluster kill`: a process ends, or a whole node with its power."""

from pathlib import Path

import click

from walctl.cli.cluster_lab import did, done_with, group_option, lab_argument, node_argument
from walctl.cli.options import output, pass_disk, pass_screen, quiet
from walctl.cluster.deeds import Process
from walctl.cluster.faults import CrashMode
from walctl.fs.base import FileSystem
from walctl.render.screen import Screen


@click.command("kill", short_help="End a node as a power cut does to a process.")
@lab_argument
@node_argument
@click.option(
    "--mode",
    type=click.Choice([str(mode) for mode in CrashMode]),
    default=str(CrashMode.CLEAN),
    show_default=True,
    help="What its disk keeps of what was not synced: all (clean: the process alone dies), nothing,"
    " the first writes, also a part of one (torn), any of them (reorder), sizes and names without"
    " the bytes (meta-ahead), all but the last names (dir-lost), what the disk did not lie about.",
)
@group_option
@output("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen, disk: FileSystem, /, lab: Path, node: str, mode: str, group: str | None
) -> None:
    """End NODE of LAB with SIGKILL: it is told nothing, and finishes nothing.

    With another --mode than clean its power goes too (engine walctl): it dies in the place of its
    next sync, or where it stands when none comes, and its disk keeps what a disk may keep then.

    \b
    Examples:
      walctl cluster kill demo leader
      walctl cluster kill demo n2 --mode torn
    """
    if mode == CrashMode.CLEAN:
        done_with(screen, disk, lab, node, "kill", group=group)
    else:
        did(screen, disk, lab, Process(verb="kill", node=node, mode=CrashMode(mode)), group=group)
