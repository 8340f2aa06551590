"""`walctl cluster export`: a lab in one file, or its history in another checker's format."""

import sys
from pathlib import Path

import click

from walctl.checker.export import EXPORTS
from walctl.cli.cluster_check import read_history
from walctl.cli.options import PATH, form, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, world_of
from walctl.cluster.exporting import demand_place, export
from walctl.cluster.lab import Lab, load
from walctl.errors import AccessError, UsageError
from walctl.fs.base import FileSystem
from walctl.render import cluster_export as render
from walctl.render.screen import Screen

STANDARD_OUTPUT = "-"


@click.command("export", short_help="Put a lab into one file, or its history into another format.")
@click.argument("lab", type=PATH, metavar="LAB")
@click.option(
    "--output",
    "target",
    type=PATH,
    metavar="FILE",
    help="The new file: NAME.tar.zst, or, with --to, any name or `-`.",
)
@click.option(
    "--to",
    "to",
    type=click.Choice(list(EXPORTS)),
    help="The history alone, as porcupine reads it or in Jepsen's EDN.",
)
@form("text", "json")
@quiet
@pass_disk
@pass_screen
def command(
    screen: Screen,
    disk: FileSystem,
    /,
    lab: Path,
    target: Path | None,
    to: str | None,
) -> None:
    """Put LAB into one new file: data directories, events, what the nodes printed, lab.json without
    its token, and a list of all files with their hashes. It is read back before it gets its name.

    Commands that look read a member in it as it is (case.tar.zst/demo/n1/g1); `tar --zstd -xf`
    unpacks it, to be given to `walctl cluster from`. LAB may be up, but then a log that is being
    written may end early in the file: better `down` first.

    With --to the history of the clients' requests alone is written, to standard output where no
    --output is named.

    \b
    Examples:
      walctl cluster export demo --output case.tar.zst
      walctl cluster export demo --to porcupine > history.edn
    """
    found = load(disk, real_path(lab))
    if to is not None:
        _history(screen, disk, found, to, target)
        return
    if target is None or str(target) == STANDARD_OUTPUT:
        raise UsageError("--output: expected the name of a new file: NAME.tar.zst")
    with world_of(screen, disk) as world:
        made = export(
            world.disk, found, real_path(target), is_stopped=world.is_stopped, say=world.say
        )
    screen.show(made, text=render.text, document=render.document)


def _history(screen: Screen, disk: FileSystem, lab: Lab, to: str, target: Path | None) -> None:
    """Raises: AccessError, UsageError."""
    _, history = read_history(disk, lab.path)
    data = b"".join(EXPORTS[to](history))
    if target is not None and str(target) != STANDARD_OUTPUT:
        demand_place(disk, lab, target)
        disk.create(target, data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise AccessError(f"standard output: {error.strerror or error}") from error
