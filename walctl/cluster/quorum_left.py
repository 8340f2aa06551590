"""What a removal leaves of a majority: counted before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from walctl.cluster.lab import Lab
from walctl.cluster.membership import MemberRow
from walctl.cluster.standing import LabStanding, NodeStanding
from walctl.errors import RefusedError

_ENDED: Final = ("failed", "removed")
"""Roles of members that have ended, on a node that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumLeft:
    """The voters that a removal leaves, and those of them that run."""

    voters: tuple[str, ...]
    up: tuple[str, ...]

    @property
    def needed(self) -> int:
        """A majority of the voters."""
        return len(self.voters) // 2 + 1

    @property
    def spare(self) -> int:
        """How many may fail until nothing is committed any more; below 0: nothing is."""
        return len(self.up) - self.needed

    @property
    def down(self) -> tuple[str, ...]:
        """Those that do not run, or give no answer."""
        return tuple(each for each in self.voters if each not in self.up)


def quorum_left(rows: Sequence[MemberRow], standing: LabStanding, node: str) -> QuorumLeft:
    """What taking `node` out of these members leaves, as they stand now."""
    group = rows[0].group if rows else ""
    up = {each.name for each in standing.nodes if each.is_up and _takes_part(each, group)}
    voters = [row.node for row in rows if not row.is_learner and row.node != node]
    return QuorumLeft(voters=tuple(voters), up=tuple(each for each in voters if each in up))


def _takes_part(node: NodeStanding, group: str) -> bool:
    """Whether the node's member of this group is one that votes and appends."""
    return any(each.group == group and each.role not in _ENDED for each in node.groups)


def demand_quorum(lab: Lab, group: str, node: str, left: QuorumLeft) -> None:
    """Raises: RefusedError, when what is left could commit nothing."""
    if left.voters and left.spare < 0:
        verb = "is" if len(left.up) == 1 else "are"
        raise RefusedError(
            f"{node}: not removed from {group}: of the {len(left.voters)} voters that are left,"
            f" {left.needed} have to be up, and {len(left.up)} {verb}; start"
            f" {' or '.join(left.down)} first (walctl cluster start {lab.path} {left.down[0]})"
        )
