"""Every protection that has a name, and the override that takes it away.

A cluster without one of them breaks a promise sooner or later, and a suite or a simulator that does
not notice is not worth much: tests apply each as a mutant, and the simulator shows what it costs.
An override changes a single rule, in the one place where the rule lives; it holds for the whole
process while its context is open, and is undone when that ends. Nothing outside this room knows of
them: no process of a lab can be started without one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from walctl.errors import UsageError
from walctl.sim.safeguard import Safeguard
from walctl.sim.safeguards_disks import OF_DISKS
from walctl.sim.safeguards_elections import OF_ELECTIONS
from walctl.sim.safeguards_late import OF_WHAT_IS_LATE
from walctl.sim.safeguards_member import OF_MEMBERS
from walctl.sim.safeguards_operators import OF_OPERATORS
from walctl.sim.safeguards_raft import OF_RAFT

SAFEGUARDS: Final[tuple[Safeguard, ...]] = (
    *OF_RAFT,
    *OF_ELECTIONS,
    *OF_MEMBERS,
    *OF_DISKS,
    *OF_WHAT_IS_LATE,
    *OF_OPERATORS,
)
"""All of them."""
BY_NAME: Final[Mapping[str, Safeguard]] = {each.name: each for each in SAFEGUARDS}


def named(names: Sequence[str]) -> tuple[Safeguard, ...]:
    """The safeguards of these names, each once.

    Raises: UsageError; also for two that change the same rule: only one of them would be gone.
    """
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"expected a safeguard ({', '.join(BY_NAME)}), found {name!r}")
    found = tuple(BY_NAME[name] for name in dict.fromkeys(names))
    rules: dict[tuple[int, str], str] = {}
    for each in found:
        other = rules.setdefault((id(each.owner), each.attribute), each.name)
        if other != each.name:
            raise UsageError(f"{other} and {each.name} are of one rule: leave out one of them")
    return found
