"""`walctl archive`: sealed segments packed, and put back."""

from pathlib import Path

import click

from walctl.cli.options import PATH, form, pass_disk, pass_screen, paths, quiet
from walctl.cli.world import world_of
from walctl.fs.base import FileSystem
from walctl.render import archive as render
from walctl.render.screen import Screen
from walctl.repair.archive import archive, restore


@click.command("archive", short_help="Pack sealed segments, each as one file, and put them back.")
@paths
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    help="Where the archived segments go (PATH.archive if not said), or the restored ones (beside"
    " their archives).",
)
@click.option(
    "--restore",
    "is_restored",
    is_flag=True,
    help="Put segments back: PATH is a .wal.zst file, or a folder of them.",
)
@form("text", "json", "ndjson")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    paths: tuple[Path, ...],
    output: Path | None,
    is_restored: bool,
) -> None:
    """Pack the sealed segments of PATH, each as NAME.wal.zst, and read each back before it is
    reported.

    The last segment of a log is left out, because a server writes to it in place. The originals
    are neither changed nor removed, and no file is written over. Every command that reads takes
    the archived segments as they are; so does `zstd -d`. With --restore a segment comes back with
    its size, holes, time and SHA-256.

    \b
    Examples:
      walctl archive default.etcd --output /backup/wal
      walctl dump /backup/wal
      walctl archive --restore /backup/wal --output /tmp/wal
    """
    act = restore if is_restored else archive
    with world_of(screen, disk) as world:
        outcome = act(world.disk, paths, output=output, is_stopped=world.is_stopped, say=world.say)
    screen.show(outcome, text=render.lines, document=render.document)
