"""`walctl undo`: a repair is taken back, byte for byte."""

from pathlib import Path

import click

from walctl.cli.carry_out import TOOL, backup_to, maybe_real
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.cli.world import real_path, world_of
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.render import receipt as render
from walctl.render.screen import Screen
from walctl.repair.undo import undo


@click.command("undo", short_help="Take a repair back, to the byte.")
@click.argument("receipt", type=PATH, metavar="RECEIPT")
@backup_to
@output("text", "json", "ndjson")
@quiet
@pass_disk
@pass_screen
@click.pass_context
def command(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    /,
    receipt: Path,
    backup_to: Path | None,
) -> None:
    """Give a member back every byte that a repair changed, from the backup that RECEIPT lies in.

    Only while the member is as the repair left it: once a server has written to it, going back
    would lose that, and it is refused (exit 4). RECEIPT may be the backup's folder. A member that
    was moved is found beside its backups. An undo leaves a backup and a receipt too, so it can be
    undone.

    \b
    Examples:
      walctl undo default.etcd.walctl/20261123T172458Z-repair/receipt.json
      walctl clean default.etcd
    """
    with world_of(screen, disk) as world:
        done = undo(world, real_path(receipt), backup_to=maybe_real(backup_to), tool=TOOL)
    render.show(screen, done)
    ctx.exit(ExitStatus.CLEAN)
