"""apply: a plan carried out, if it still fits and may be."""

from collections.abc import Iterator
from pathlib import Path

from walctl.errors import RefusedError, UsageError
from walctl.repair.document import plan_text
from walctl.repair.execute import carry_out
from walctl.repair.guard import demand_stamps
from walctl.repair.job import Blocks, Change, Job, Move, Put, Take
from walctl.repair.pieces import Copy, Literal, Piece, Rebuild, Rechain, composed
from walctl.repair.plan import Act, Plan, Step
from walctl.repair.receipt import Receipt
from walctl.repair.stamps import Sources
from walctl.repair.world import World

STALE = "changed since the plan was made"
"""What is said of a file that is not what the plan was made of."""


def apply(
    world: World,
    plan: Plan,
    *,
    accept_loss: str | None = None,
    backup_to: Path | None = None,
    is_trial: bool = False,
    tool: str = "walctl",
) -> Receipt:
    """Carry `plan` out, whole or not at all.

    `accept_loss` is the argument read off a plan that may lose something; `backup_to` the folder
    in which the backup is made. With `is_trial` a real server starts on a copy of the result
    first. `tool` is our name and version, for the receipt.

    Raises: RefusedError, for a loss that nobody accepted, or a result that is not what the plan
    says; AccessError, for a member that is in use or not what the plan was made of, and for a disk
    that refuses; CorruptionError, for a result that does not verify; StoppedError; UsageError.
    """
    demand_consent(plan, accept_loss)
    with Sources(world.disk, {"": plan.bound, **plan.peers}) as sources:
        job = Job(
            kind="repair",
            bound=plan.bound,
            changes=tuple(_change_of(step, plan, sources) for step in plan.steps),
            stale=STALE,
            plan_class=plan.plan_class,
            strategy=plan.strategy,
            summary=plan.summary,
            drops=tuple(drop for step in plan.steps for drop in step.drops),
            leaves=plan.leaves,
            documents={"plan.json": plan_text(plan)},
            tool=tool,
        )
        for name, only in _borrowed(plan).items():
            demand_stamps(world, plan.peers[name], only, STALE)
        return carry_out(world, job, backup_to=backup_to, is_trial=is_trial)


def demand_consent(plan: Plan, accept_loss: str | None) -> None:
    """Raise RefusedError for a plan that is not to be carried out, saying what it would take."""
    place = plan.bound.directory
    if not plan.steps:
        raise RefusedError(f"{place}: the plan has no steps: {plan.summary or 'nothing to do'}")
    if not plan.plan_class.needs_consent:
        return
    if plan.accept is None:
        raise RefusedError(f"{place}: {plan.plan_class}: no consent makes this plan acceptable")
    if accept_loss is None:
        raise RefusedError(
            f"{place}: {plan.plan_class}: acknowledged writes may be lost; whoever accepts that"
            f" says --accept-loss {plan.accept}"
        )
    if accept_loss != plan.accept:
        raise RefusedError(
            f"{place}: {plan.plan_class}: this plan wants --accept-loss {plan.accept}, not"
            f" {accept_loss!r}"
        )


def _change_of(step: Step, plan: Plan, sources: Sources) -> Change:
    """A step as the engine takes it. Raises: UsageError, when it contradicts the plan."""
    if step.before != plan.bound.files.get(step.file):
        raise UsageError(f"{step.file}: the step and the plan differ in what the file holds")
    match step.act:
        case Act.RENAME:
            if step.target is None:
                raise UsageError(f"{step.file}: to be renamed, and no name is given")
            return Move(name=step.file, target=step.target)
        case Act.REMOVE:
            return Take(name=step.file)
        case Act.WRITE:
            if step.after is None or step.after.size != step.size:
                raise UsageError(f"{step.file}: to be written, and its size is not certain")

            def blocks() -> Blocks:
                return composed(step.pieces, sources)

            return Put(
                name=step.file,
                stamp=step.after,
                blocks=blocks,
                bytes_max=sum(_piece_bytes(piece, plan) for piece in step.pieces),
            )


def _piece_bytes(piece: Piece, plan: Plan) -> int:
    """Bytes that a piece gives, at most."""
    match piece:
        case Literal(data=data):
            return len(data)
        case Copy(start=start, stop=stop):
            return stop - start
        case Rechain(start=start, stop=stop):
            # A checksum takes up to four bytes more than the one it replaces, in a frame of 16.
            return (stop - start) * 2
        case Rebuild(source=source):
            stamp = plan.bound.files.get(source)
            return 2 * (stamp.size if stamp is not None else 0) + (1 << 20)


def _borrowed(plan: Plan) -> dict[str, set[str]]:
    """The files of peers that the pieces name, by peer."""
    found: dict[str, set[str]] = {}
    for source in _sources_of(plan):
        *helper, room, base = source.split("/")
        if helper:
            name = "/".join(helper)
            if name not in plan.peers:
                raise UsageError(f"{source}: the plan knows no {name}")
            found.setdefault(name, set()).add(f"{room}/{base}")
    return found


def _sources_of(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        for piece in step.pieces:
            if not isinstance(piece, Literal):
                yield piece.source
