"""`walctl repair`: a plan for a damaged member, and its application when that is asked for."""

from pathlib import Path

import click

from walctl.cli.carry_out import (
    Consent,
    carry_out,
    consent_options,
    go_on,
    maybe_real,
    write_plan,
)
from walctl.cli.options import (
    PATH,
    jobs,
    one_path,
    output,
    pass_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.cli.world import real_path
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.inspect.advice import path_word
from walctl.inspect.reading import Depth
from walctl.render import repair as render
from walctl.render.screen import Screen
from walctl.repair.plan import PlanClass
from walctl.repair.planning import make_plan
from walctl.repair.unit import demand_nothing_pending, folders_at

_ONLY_FREE = "--preen carries out only what loses nothing"


@click.command("repair", short_help="Plan how a damaged member is put right; do it if told.")
@one_path
@split_layout
@click.option(
    "--from",
    "helpers",
    type=PATH,
    metavar="DIR",
    multiple=True,
    help="A copy of another member's directory, to fill what is missing here (repeatable).",
)
@click.option(
    "--plan",
    "plan_file",
    type=PATH,
    metavar="FILE",
    help="Write the plan into a new file, for walctl apply. Like -o json it can hold bytes of the"
    " log, nothing hidden.",
)
@click.option("--apply", "is_apply", is_flag=True, help="Carry the plan out, after a backup.")
@click.option(
    "--preen",
    "is_preen",
    is_flag=True,
    help="Carry the plan out if it loses nothing; else exit 5 (for scripts).",
)
@click.option(
    "--output-dir",
    type=PATH,
    metavar="DIR",
    help="Make the result in this new directory instead, and leave the member as it is.",
)
@consent_options
@jobs
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
    path: Path,
    wal_dir: Path | None,
    snap_dir: Path | None,
    helpers: tuple[Path, ...],
    plan_file: Path | None,
    is_apply: bool,
    is_preen: bool,
    output_dir: Path | None,
    accept_loss: str | None,
    backup_to: Path | None,
    trial_start: bool,
    resume: bool,
    jobs: int,
) -> None:
    """Say how the member at PATH can be put right, what that would drop, and how it is known that
    nobody needs it.

    Changes nothing unless --apply or --preen says so. A plan that loses nothing is carried out
    then: built beside, checked, exchanged in one step, with a backup and a receipt for walctl undo.
    One that may lose an acknowledged write is refused (exit 5) unless --accept-loss repeats the id
    that it names. Without an application it exits 0 when there is nothing to do, else as verify.

    \b
    Examples:
      walctl repair default.etcd
      walctl repair default.etcd --apply
      walctl repair n1 --from n2 --from n3 --plan fix.json
      walctl repair --preen -q /var/lib/etcd && systemctl start etcd
    """
    _demand_sense(ctx)
    parts = {"wal_dir": maybe_real(wal_dir), "snap_dir": maybe_real(snap_dir)}
    if resume:
        go_on(ctx, screen, disk, real_path(path), **parts)
    # What a crash left in the middle is no ground for a plan.
    folders = folders_at(disk, real_path(path), **parts)
    demand_nothing_pending(disk, real_path(path), folders)
    with screen.progress(f"reading {path}") as step:
        plan = make_plan(
            disk,
            real_path(path),
            peers=[real_path(helper) for helper in helpers],
            depth=Depth(jobs=jobs, on_segment=step),
            wal_dir=parts["wal_dir"],
            snap_dir=parts["snap_dir"],
        )
    if plan_file is not None:
        write_plan(disk, plan, plan_file)
    again = _again(path, wal_dir, snap_dir, helpers)
    offer = render.Offer(
        plan=plan,
        path=path,
        command=f"{again} --apply",
        later=f"{again} --plan fix.json",
        exit_status=plan.exit_status,
        plan_file=plan_file,
    )
    if not is_apply and not is_preen and output_dir is None:
        render.show(screen, offer)
        ctx.exit(plan.exit_status)
    if is_preen and plan.plan_class not in (PlanClass.NOTHING, PlanClass.FREE):
        offer = offer.ended(ExitStatus.REFUSED, refused=_ONLY_FREE)
    consent = Consent(
        accept_loss=accept_loss, backup_to=backup_to, is_trial=trial_start, output_dir=output_dir
    )
    carry_out(ctx, screen, disk, offer, consent)


def _demand_sense(ctx: click.Context) -> None:
    """Refuse options that say nothing together, or that a person thinks do something."""
    given = {name for name, value in ctx.params.items() if value}
    writes = given & {"is_apply", "is_preen", "output_dir"}
    if "resume" in given:
        if given - {"resume", "path", "wal_dir", "snap_dir", "jobs"}:
            raise click.UsageError("--resume goes with PATH, --wal-dir and --snap-dir alone.", ctx)
    elif {"is_apply", "is_preen"} <= given:
        raise click.UsageError("--apply and --preen do not go together.", ctx)
    elif "accept_loss" in given and not writes - {"is_preen"}:
        raise click.UsageError("--accept-loss goes with --apply or --output-dir.", ctx)
    for name, option in (("backup_to", "--backup-to"), ("trial_start", "--trial-start")):
        if name in given and (not writes or "output_dir" in given):
            raise click.UsageError(f"{option} goes with --apply or --preen.", ctx)


def _again(
    path: Path, wal_dir: Path | None, snap_dir: Path | None, helpers: tuple[Path, ...]
) -> str:
    """The command to type again, as far as it says what is looked at."""
    words = ["walctl repair", path_word(path)]
    for option, folder in (("--wal-dir", wal_dir), ("--snap-dir", snap_dir)):
        if folder is not None:
            words += [option, path_word(folder)]
    for helper in helpers:
        words += ["--from", path_word(helper)]
    return " ".join(words)
