"""`walctl apply`: a plan from a file is carried out, on exactly the files that it was made for."""

from pathlib import Path

import click

from walctl.cli.carry_out import Consent, carry_out, consent_options, go_on
from walctl.cli.options import PATH, output, pass_disk, pass_screen, quiet
from walctl.errors import UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.advice import path_word
from walctl.render import repair as render
from walctl.render.screen import Screen
from walctl.repair.document import PLAN_BYTES_MAX, plan_of_text
from walctl.repair.plan import SNAP, WAL, Plan


@click.command("apply", short_help="Carry out a plan that walctl repair wrote.")
@click.argument("file", type=PATH, metavar="FILE")
@consent_options
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
    file: Path,
    accept_loss: str | None,
    backup_to: Path | None,
    trial_start: bool,
    resume: bool,
) -> None:
    """Carry out the plan in FILE, which walctl repair --plan FILE wrote.

    The plan names the directory, and the SHA-256 of every file in it: one that has changed since
    stops everything before a byte is written (exit 4). A backup is made first, the result is built
    beside, checked, and put in place in one step; walctl undo takes the receipt. A plan that may
    lose an acknowledged write is refused (exit 5) without --accept-loss.

    \b
    Examples:
      walctl apply fix.json
      walctl apply fix.json --trial-start
      walctl apply fix.json --backup-to /mnt/spare
    """
    plan = read_plan(disk, file)
    if resume:
        if accept_loss is not None or backup_to is not None or trial_start:
            raise click.UsageError("--resume goes with FILE alone.", ctx)
        bound, wal = plan.bound, plan.bound.folder(WAL)
        go_on(
            ctx,
            screen,
            disk,
            bound.directory,
            wal_dir=None if wal == bound.directory else wal,
            snap_dir=bound.folder(SNAP),
        )
    offer = render.Offer(
        plan=plan,
        path=plan.bound.directory,
        command=f"walctl apply {path_word(file)}",
        exit_status=plan.exit_status,
    )
    consent = Consent(accept_loss=accept_loss, backup_to=backup_to, is_trial=trial_start)
    carry_out(ctx, screen, disk, offer, consent)


def read_plan(disk: FileSystem, path: Path) -> Plan:
    """The plan in a file. Raises: AccessError; UsageError and UnsupportedError, with the path."""
    with disk.open(path) as file:
        text = file.read_at(0, PLAN_BYTES_MAX + 1)
    if len(text) > PLAN_BYTES_MAX:
        raise UnsupportedError(f"{path}: longer than the {PLAN_BYTES_MAX:,} bytes of a plan")
    return plan_of_text(text, name=str(path))
