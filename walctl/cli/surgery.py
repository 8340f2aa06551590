"""`walctl surgery`: one low-level edit of a log as a plan, and its application when asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from walctl.cli.carry_out import Consent, carry_out, consent_options, go_on, maybe_real
from walctl.cli.options import (
    PATH,
    jobs,
    output,
    pass_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.cli.world import real_path
from walctl.datadir.layout import understand
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.inspect.advice import quoted_word
from walctl.inspect.reading import Depth
from walctl.render import repair as render
from walctl.render.screen import Screen
from walctl.repair import surgery
from walctl.repair.case import Case
from walctl.repair.document import plan_text
from walctl.repair.plan import Plan
from walctl.repair.planning import case_of

_BASE_HEX, _BASE_TEN = 16, 10
_NUMBER_MAX = (1 << 64) - 1


def _one(edit: Callable[[Case, int], Plan]) -> Callable[[Case, Sequence[str]], Plan]:
    """An edit that wants exactly one index or term."""

    def parsed(case: Case, values: Sequence[str]) -> Plan:
        if len(values) != 1:
            raise click.UsageError("expected exactly one number behind PATH.")
        return edit(case, _number(values[0], _BASE_TEN))

    return parsed


def _cluster(case: Case, values: Sequence[str]) -> Plan:
    if len(values) > 1:
        raise click.UsageError("expected one cluster id behind PATH, or none for a new one.")
    chosen = _number(values[0], _BASE_HEX) if values else None
    return surgery.new_cluster_id(case, chosen)


def _members(case: Case, values: Sequence[str]) -> Plan:
    return surgery.rewrite_membership(case, [_number(each, _BASE_HEX) for each in values])


def _over(case: Case, values: Sequence[str]) -> Plan:
    places = []
    for value in values:
        segment, colon, offset = value.rpartition(":")
        if not colon or not segment:
            raise click.UsageError(f"expected SEGMENT:OFFSET, found {value!r}.")
        places.append((segment, _number(offset, _BASE_TEN)))
    return surgery.rechain(case, places)


VERBS: dict[str, Callable[[Case, Sequence[str]], Plan]] = {
    "set-commit": _one(surgery.set_commit),
    "bump-term": _one(surgery.bump_term),
    "cut-after": _one(surgery.cut_after),
    "drop-before": _one(surgery.drop_before),
    "add-marker": _one(surgery.add_marker),
    "drop-marker": _one(surgery.drop_marker),
    "new-cluster-id": _cluster,
    "rewrite-membership": _members,
    "rechain": _over,
}
"""Every verb, and how what stands behind PATH is read."""


@click.command("surgery", short_help="Plan one low-level edit of a log; do it if told.")
@click.argument("verb", type=click.Choice(list(VERBS)), metavar="VERB")
@click.argument("path", type=PATH, metavar="PATH")
@click.argument("values", nargs=-1, metavar="[VALUE...]")
@split_layout
@click.option(
    "--plan",
    "plan_file",
    type=PATH,
    metavar="FILE",
    help="Write the plan into a new file, for walctl apply.",
)
@click.option("--apply", "is_apply", is_flag=True, help="Carry the plan out, after a backup.")
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
    verb: str,
    path: Path,
    values: tuple[str, ...],
    wal_dir: Path | None,
    snap_dir: Path | None,
    plan_file: Path | None,
    is_apply: bool,
    accept_loss: str | None,
    backup_to: Path | None,
    trial_start: bool,
    resume: bool,
    jobs: int,
) -> None:
    """One low-level edit of the log at PATH, as a plan under the same rules as walctl repair.

    For one who knows what he does: look at what walctl repair says first. Terms and votes never go
    down, payloads stay as they are, and a result that does not verify is not put in place.

    \b
    VERB and VALUE:
      set-commit INDEX          entries up to INDEX count as committed
      bump-term TERM            a higher term, without a vote in it
      cut-after INDEX           the log ends behind entry INDEX
      drop-before SNAPSHOT      segments that a start from SNAPSHOT does not read go
      add-marker INDEX          the log marks the .snap file of entry INDEX
      drop-marker INDEX         the log does not mark that snapshot any more
      new-cluster-id [ID]       another cluster id (hex) in every segment
      rewrite-membership [ID…]  a forced new cluster of these members (hex; none: this one)
      rechain [SEGMENT:OFFSET…] every checksum anew, also over the damage that is named

    \b
    Examples:
      walctl surgery set-commit default.etcd 477
      walctl surgery rewrite-membership n1 --plan alone.json
      walctl surgery drop-before default.etcd 404 --apply
    """
    if resume:
        go_on(
            ctx,
            screen,
            disk,
            real_path(path),
            wal_dir=maybe_real(wal_dir),
            snap_dir=maybe_real(snap_dir),
        )
    if not is_apply and (accept_loss is not None or backup_to is not None or trial_start):
        raise click.UsageError("--accept-loss, --backup-to, --trial-start go with --apply.", ctx)
    where = (maybe_real(wal_dir), maybe_real(snap_dir))
    with screen.progress(f"reading {path}") as step:
        plan = _planned(disk, verb, path, where, values, Depth(jobs=jobs, on_segment=step))
    if plan_file is not None:
        disk.create(plan_file, plan_text(plan))
    again = " ".join(["walctl surgery", verb, *(quoted_word(w) for w in (str(path), *values))])
    offer = render.Offer(
        plan=plan,
        path=path,
        command=f"{again} --apply",
        later=f"{again} --plan edit.json",
        exit_status=ExitStatus.CLEAN,
        plan_file=plan_file,
    )
    if not is_apply:
        render.show(screen, offer)
        ctx.exit(ExitStatus.CLEAN)
    consent = Consent(accept_loss=accept_loss, backup_to=backup_to, is_trial=trial_start)
    carry_out(ctx, screen, disk, offer, consent)


def _planned(
    disk: FileSystem,
    verb: str,
    path: Path,
    where: tuple[Path | None, Path | None],
    values: Sequence[str],
    depth: Depth,
) -> Plan:
    """The edit's plan. Raises: as `make_plan`; UsageError, for an edit that makes no sense."""
    layout = understand(disk, real_path(path), wal_dir=where[0], snap_dir=where[1])
    return VERBS[verb](case_of(disk, layout, depth=depth), values)


def _number(text: str, base: int) -> int:
    """A number that fits the log's fields. Raises: UsageError."""
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not text.isascii() or not text.isalnum() or not 0 <= value <= _NUMBER_MAX:
        kind = "an id in hex digits" if base == _BASE_HEX else "a whole number"
        raise click.UsageError(f"expected {kind}, found {text!r}.")
    return value
