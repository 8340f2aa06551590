"""`walctl surgery`: one low-level edit of a log as a plan, and its application when asked for."""

from collections.abc import Callable
from dataclasses import dataclass
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
    output,
    pass_disk,
    pass_screen,
    quiet,
    split_layout,
)
from walctl.cli.world import real_path
from walctl.errors import ExitStatus
from walctl.fs.base import FileSystem
from walctl.inspect.advice import quoted_word
from walctl.inspect.reading import Depth
from walctl.render import repair as render
from walctl.render.screen import Screen
from walctl.repair import cutting, surgery
from walctl.repair.case import Case
from walctl.repair.operable import case_to_edit
from walctl.repair.plan import Plan

_BASE_HEX, _BASE_TEN = 16, 10
_NUMBER_MAX = (1 << 64) - 1
_SHOWN_CHARS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person typed behind VERB and PATH."""

    values: tuple[str, ...]
    cluster_id: str | None = None


Edit = Callable[[Case], Plan]


def _one(edit: Callable[[Case, int], Plan]) -> Callable[[Wish], Edit]:
    """An edit that wants exactly one index or term."""

    def parsed(wish: Wish) -> Edit:
        if len(wish.values) != 1:
            raise click.UsageError("expected exactly one number behind PATH.")
        number = _number(wish.values[0], _BASE_TEN)
        return lambda case: edit(case, number)

    return parsed


def _cluster(wish: Wish) -> Edit:
    if len(wish.values) > 1:
        raise click.UsageError("expected one cluster id behind PATH, or none for a new one.")
    chosen = _number(wish.values[0], _BASE_HEX) if wish.values else None
    return lambda case: surgery.new_cluster_id(case, chosen)


def _members(wish: Wish) -> Edit:
    keep = [_number(each, _BASE_HEX) for each in wish.values]
    chosen = None if wish.cluster_id is None else _number(wish.cluster_id, _BASE_HEX)
    return lambda case: surgery.rewrite_membership(case, keep, cluster_id=chosen)


def _over(wish: Wish) -> Edit:
    places = []
    for value in wish.values:
        segment, colon, offset = value.rpartition(":")
        if not colon or not segment:
            raise click.UsageError(f"expected SEGMENT:OFFSET, found {_shown(value)}.")
        places.append((segment, _number(offset, _BASE_TEN)))
    return lambda case: surgery.rechain(case, places)


VERBS: dict[str, Callable[[Wish], Edit]] = {
    "set-commit": _one(surgery.set_commit),
    "bump-term": _one(surgery.bump_term),
    "cut-after": _one(cutting.cut_after),
    "drop-before": _one(cutting.drop_before),
    "add-marker": _one(surgery.add_marker),
    "drop-marker": _one(surgery.drop_marker),
    "new-cluster-id": _cluster,
    "rewrite-membership": _members,
    "rechain": _over,
}
"""Every verb, and how what stands behind PATH is read, before anything is looked at."""
_OF_MEMBERSHIP = "rewrite-membership"


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
@click.option(
    "--cluster-id",
    metavar="ID",
    help="With rewrite-membership: the new cluster's id (hex), to give to each of its members.",
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
    cluster_id: str | None,
    is_apply: bool,
    accept_loss: str | None,
    backup_to: Path | None,
    trial_start: bool,
    resume: bool,
    jobs: int,
) -> None:
    """One low-level edit of the log at PATH, as a plan: shown, and carried out with --apply.

    Ask walctl repair first: it finds by itself what is safest. The rules are the same here: a
    backup, a result that is verified before it is put in place, a receipt for walctl undo, and
    --accept-loss where acknowledged writes may be lost. Payloads stay as they are, terms never go
    down, and an edit after which no server could start is refused.

    \b
    VERB and VALUE:
      set-commit INDEX          entries up to INDEX count as committed, others not
      bump-term TERM            the term becomes TERM, without a vote in it
      cut-after INDEX           the log ends behind entry INDEX
      drop-before INDEX         segments that a start from snapshot INDEX does not
                                read go away
      add-marker INDEX          the log names the .snap file of entry INDEX, so that
                                a start may use it
      drop-marker INDEX         the log names that snapshot no more, so that a start
                                does not use it
      new-cluster-id [CLUSTER]  another cluster id (hex; none: a new one)
      rewrite-membership [MEMBER…]
                                a new cluster of these members alone (hex; none: of
                                this one), with the keys of this one's database
      rechain [SEGMENT:OFFSET…] every checksum made anew, also over the damaged
                                records that are named

    \b
    Examples:
      walctl surgery set-commit default.etcd 477
      walctl surgery drop-before default.etcd 404 --apply
      walctl surgery rewrite-membership n1 --plan alone.json
    """
    _demand_sense(ctx)
    where = (maybe_real(wal_dir), maybe_real(snap_dir))
    if resume:
        go_on(ctx, screen, disk, real_path(path), wal_dir=where[0], snap_dir=where[1])
    edit = VERBS[verb](Wish(values=values, cluster_id=cluster_id))
    with screen.progress(f"reading {path}") as step:
        depth = Depth(jobs=jobs, on_segment=step)
        plan = edit(case_to_edit(disk, real_path(path), *where, depth=depth))
    if plan_file is not None:
        write_plan(disk, plan, plan_file)
    offer = _offer(ctx, plan)
    if not is_apply:
        render.show(screen, offer)
        ctx.exit(ExitStatus.CLEAN)
    consent = Consent(accept_loss=accept_loss, backup_to=backup_to, is_trial=trial_start)
    carry_out(ctx, screen, disk, offer, consent)


def _demand_sense(ctx: click.Context) -> None:
    """Refuse options that say nothing together, or that a person thinks do something."""
    given = ctx.params
    applied = ("accept_loss", "backup_to", "trial_start")
    if given["resume"]:
        others = ("values", "cluster_id", "plan_file", "is_apply", *applied)
        if any(given[name] for name in others):
            raise click.UsageError(
                "--resume goes with VERB, PATH, --wal-dir and --snap-dir alone.", ctx
            )
    elif not given["is_apply"]:
        for name in applied:
            if given[name]:
                raise click.UsageError(f"--{name.replace('_', '-')} goes with --apply.", ctx)
    if given["cluster_id"] is not None and given["verb"] != _OF_MEMBERSHIP:
        raise click.UsageError(f"--cluster-id goes with {_OF_MEMBERSHIP}.", ctx)


def _offer(ctx: click.Context, plan: Plan) -> render.Offer:
    """The plan as it is put to a person, with the command to type again: what it looks at, and
    what for."""
    given = ctx.params
    path = str(given["path"])
    words = ["walctl", "surgery", given["verb"], f"./{path}" if path.startswith("-") else path]
    words += given["values"]
    for option, name in (
        ("--cluster-id", "cluster_id"),
        ("--wal-dir", "wal_dir"),
        ("--snap-dir", "snap_dir"),
    ):
        if given[name] is not None:
            words += [option, str(given[name])]
    again = " ".join(map(quoted_word, words))
    return render.Offer(
        plan=plan,
        path=given["path"],
        command=f"{again} --apply",
        later=f"{again} --plan edit.json",
        exit_status=ExitStatus.CLEAN,
        plan_file=given["plan_file"],
    )


def _number(text: str, base: int) -> int:
    """A number that fits the log's fields. Raises: UsageError."""
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not text.isascii() or not text.isalnum() or not 0 <= value <= _NUMBER_MAX:
        kind = "an id in hex digits" if base == _BASE_HEX else "a whole number"
        raise click.UsageError(f"expected {kind}, found {_shown(text)}.")
    return value


def _shown(text: str) -> str:
    """A word of the command line for a refusal of one line."""
    return repr(text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…")
