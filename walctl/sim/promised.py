"""Which promise a scenario speaks of in its own words.

A claim that all that clients saw has one order is I15, word for word; that a leader is there in
time is L1. Where a scenario expects such a thing and it does not hold, that promise is broken.
"""

from collections.abc import Mapping
from typing import Final

from walctl.cluster.claim import Claim, ClaimKind
from walctl.cluster.deeds import Expect, Run
from walctl.cluster.steps import Step

_IDS: Final[Mapping[ClaimKind, str]] = {
    ClaimKind.LINEARIZABLE: "I15",
    ClaimKind.VERIFY: "I14",
    ClaimKind.UP: "I14",
    ClaimKind.LEADER: "L1",
    ClaimKind.DIGESTS: "L2",
    ClaimKind.OUTCOME: "L3",
    ClaimKind.ELECTIONS: "L4",
}


def promise(step: Step) -> str | None:
    """The invariant that does not hold where this step was broken off; `None`: none by its name.

    A member that was to be up, and is not, could not live with its own files.
    """
    match step.command.deed:
        case Expect(claim=claim) | Run(until=Claim() as claim) if step.done.holds is False:
            return None if claim.is_not or _is_other(claim) else _IDS.get(claim.what)
    return None


def _is_other(claim: Claim) -> bool:
    """That a certain node leads nobody has promised, nor that a request fails."""
    if claim.what is ClaimKind.LEADER:
        return claim.node is not None
    return claim.what is ClaimKind.OUTCOME and claim.text != "ok"
