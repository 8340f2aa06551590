"""`walctl cluster supervise`: the process behind a lab that is up; for `up -d` alone."""

from pathlib import Path

import click

from walctl.cli.options import PATH, pass_disk
from walctl.cli.world import real_path, writable
from walctl.cluster.lab import load
from walctl.cluster.up_down import serve
from walctl.fs.base import FileSystem


@click.command("supervise", hidden=True, short_help="Run a lab's nodes until it is told to end.")
@click.argument("lab", type=PATH, metavar="LAB")
@click.option("--only", multiple=True, metavar="NODE", help="Start this node; may be repeated.")
@pass_disk
def command(disk: FileSystem, /, lab: Path, only: tuple[str, ...]) -> None:
    """Run the nodes of LAB until it is told to end: what `walctl cluster up -d` starts.

    \b
    Examples:
      walctl cluster supervise LAB
    """
    serve(writable(disk), load(disk, real_path(lab)), only=only)
