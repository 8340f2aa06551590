"""The ways out where a plan costs something, best first (contract P6), each with its commands.

A member that has forgotten entries, a term or a vote must not come back with its old voice: under
the same id it could help to elect two leaders, or lose what a leader counted on. So: entries from
other members; a fresh id; a saved snapshot; and at last a new cluster of this member alone.
"""

from walctl.inspect.advice import aside_commands, repair_command, salvage_command
from walctl.inspect.doctor import SPARE_MEMBERS_MIN, replace_steps, restore_command
from walctl.repair.case import Case
from walctl.repair.plan import Option

HEAL, REJOIN, RESTORE, LAST_SURVIVOR = "heal", "rejoin", "restore", "last-survivor"


def ways_out(case: Case, *, heal: str | None, survivor: str | None) -> tuple[Option, ...]:
    """All four, in order; `heal` and `survivor` say why one cannot be done (`None`: it can)."""
    return (
        _heal(case, heal),
        _rejoin(case),
        _restore(case),
        _last_survivor(case, survivor),
    )


def _heal(case: Case, reason: str | None) -> Option:
    command = f"{repair_command(case.seen.layout)} --from DIRECTORY-OF-ANOTHER-MEMBER"
    if case.is_sole_voter:
        return Option(
            name=HEAL,
            is_possible=False,
            words="there is no other voter that could have the entries; a copy of this one might",
        )
    size = case.membership.size
    if size is None:
        copies = "copies of the other members' directories, where there are any (all of them"
    elif size == 2:
        copies = "a copy of the other member's directory (which"
    else:
        copies = f"copies of the other members' directories (all {size - 1} of them"
    told = f": {reason}" if reason and case.peers else ""
    return Option(
        name=HEAL,
        is_possible=True,
        words=f"fill the log from {copies} can make it free){told}",
        commands=(command,),
    )


def _rejoin(case: Case) -> Option:
    own = case.membership.own_id
    if case.is_sole_voter or own is None:
        words = "there is no other member that it could join again"
        return Option(name=REJOIN, is_possible=False, words=words)
    size = case.membership.size
    if size is not None and size < SPARE_MEMBERS_MIN:
        words = f"a cluster of {size} changes its members only while all {size} are there"
        return Option(name=REJOIN, is_possible=False, words=words)
    if size is None:  # nothing readable names the voters
        healthy = "where there are other members, and more than half of all without this one"
    else:
        healthy = f"if {size // 2 + 1} of the {size - 1} other voters"
    steps = replace_steps(case.membership, own)
    return Option(
        name=REJOIN,
        is_possible=True,
        words=(
            f"{healthy} are healthy: replace this member by a new one under a fresh id, and keep"
            " this directory aside"
        ),
        commands=(
            *(step.command for step in steps if step.command),
            *aside_commands(case.seen.layout),
        ),
    )


def _restore(case: Case) -> Option:
    return Option(
        name=RESTORE,
        is_possible=True,
        words="restore a saved snapshot into a new directory; it holds what was written until then",
        commands=(restore_command(case.seen),),
    )


def _last_survivor(case: Case, reason: str | None) -> Option:
    if reason is not None:
        return Option(
            name=LAST_SURVIVOR,
            is_possible=False,
            words=f"{reason}; what can be read can be rescued into a new directory",
            commands=(salvage_command(case.seen.layout),),
        )
    applied = case.applied
    return Option(
        name=LAST_SURVIVOR,
        is_possible=True,
        words=(
            f"go on alone, in a new cluster, from the database as of entry {applied}; what was"
            " written later and cannot be read is lost for good, and members of the old cluster"
            " can never meet this one again"
        ),
        commands=(f"{repair_command(case.seen.layout)} --apply --accept-loss {accept_word(case)}",),
    )


def accept_word(case: Case) -> str:
    """What `--accept-loss` wants: the id of the cluster whose loss is accepted, in hex."""
    return f"{case.cluster_id or 0:x}"
