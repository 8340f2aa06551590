"""Healing from peers, as one of the strategies: what `heal` finds becomes a plan.

A healing that is not proven to forget nothing never becomes one: the member would come back with
its old voice. Its reasons are told with the ways out instead.
"""

from walctl.inspect.log_checks import entry_range
from walctl.repair.case import Case
from walctl.repair.certificate import certificate
from walctl.repair.heal import Filled, Healing, heal
from walctl.repair.plan import Plan, PlanClass

STRATEGY = "heal"


def heal_from_peers(case: Case) -> Plan | str:
    """The plan that fills the log from other members, or why it cannot be made."""
    if not case.peers:
        return "no other member was given"
    healing = heal(case.examination, case.bound, case.peers, case.disk, own_id=case.said_id)
    if not isinstance(healing, Healing) or not healing.is_free:
        return "; ".join(healing.reasons)
    filled = ", ".join(range_words(each) for each in healing.filled)
    told = f"{filled}: what" if filled else "no entry is missing: what else"
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.FREE,
        strategy=STRATEGY,
        summary=f"{told} stood there is proven, and nothing is lost",
        steps=healing.steps,
        certificate=certificate(case, kept=max(healing.last, case.applied), words=healing.words),
        peers=healing.peers,
        verify_status=case.report.exit_status,
    )


def range_words(filled: Filled) -> str:
    """`entries 5–9 from peer1`."""
    return f"{entry_range(filled.first, filled.last)} from {filled.peer}"
