"""Healing from peers, as one of the strategies: what `heal` finds becomes a plan."""

from walctl.repair.case import Case
from walctl.repair.plan import Plan


def heal_from_peers(case: Case) -> Plan | str:
    """The plan that fills the log from other members, or why it cannot be made."""
    return "no other member was given"
