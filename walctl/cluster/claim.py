"""What can be claimed of a cluster, as frozen data: it is judged elsewhere.

`words` of a claim are those that stand behind `expect`: read again (`claim_words.claim`), they are
the same claim.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import Final

from walctl.cluster.quoting import in_quotes, line, quoted

_RELATIONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    ">=": ge, "<=": le, "=": eq, "<": lt, ">": gt,
}  # fmt: skip
ABSENT: Final = "absent"


class ClaimKind(enum.StrEnum):
    """What a claim is about."""

    LEADER = "leader"
    """A node leads (`None`: any)."""
    ROLE = "role"
    TERM = "term"
    COMMIT = "commit"
    APPLIED = "applied"
    VALUE = "value"
    """A linearizable read finds this."""
    COMMITTED = "committed"
    """A node has this in its own state."""
    OUTCOME = "outcome"
    """The last request of a client ended so."""
    LINEARIZABLE = "linearizable"
    VIOLATION = "violation"
    VERIFY = "verify"
    """Every directory is clean, or at most harmless."""
    DIGESTS = "digests"
    """The state machines of all that run are equal."""
    EXIT = "exit"
    """A node's process has ended, with these words among its last."""
    UP = "up"
    """A node runs, and answers."""
    REFUSED = "refused"
    """A node did not start because of its files, and said these words."""
    FINDING = "finding"
    """Our verification of a node that does not run reports this code."""
    ELECTIONS = "elections"
    """So many times a node became leader since the beginning."""
    PLAN = "plan"
    """Our plan to repair a node that does not run is of this class."""


COUNTED: Final = frozenset(
    {ClaimKind.TERM, ClaimKind.COMMIT, ClaimKind.APPLIED, ClaimKind.ELECTIONS}
)
"""Claims that compare a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that holds of a cluster, or does not.

    A number is compared by `relation`; `text` is a role, a key, a fate, a verdict, a code or words,
    of a violation the invariants of which one is meant (`I7|I1`; empty: any), `value` what a key
    holds (`None`: it is not there).
    """

    what: ClaimKind
    node: str | None = None
    group: str | None = None
    relation: str = ""
    number: int = 0
    text: str = ""
    value: str | None = None
    is_not: bool = False

    def admits(self, value: int) -> bool:
        """Whether the number that was found stands in `relation` to `number`."""
        return _RELATIONS[self.relation](value, self.number)

    @property
    def words(self) -> str:
        """See the module."""
        name = self.text if self.what is ClaimKind.OUTCOME else str(self.what)
        place = ",".join(filter(None, [self.node, self.group]))
        head = f"{name}({place})" if place else name
        return line(*(["not"] if self.is_not else []), head + self._compared, *self._tail)

    @property
    def _compared(self) -> str:
        if self.what is ClaimKind.ROLE:
            return f"={self.text}"
        return f"{self.relation}{self.number}" if self.what in COUNTED else ""

    def _pair(self, value: str) -> str:
        return f"{quoted(self.text)}={quoted(value)}"

    @property
    def _tail(self) -> list[str]:
        """What stands behind the head."""
        value = self.value
        match self.what:
            case ClaimKind.VALUE:
                return [quoted(self.text), ABSENT] if value is None else [self._pair(value)]
            case ClaimKind.COMMITTED:
                return ["lacks", quoted(self.text)] if value is None else ["has", self._pair(value)]
            case ClaimKind.EXIT | ClaimKind.REFUSED:
                return ["has", in_quotes(self.text)] if self.text else []
            case ClaimKind.ROLE | ClaimKind.OUTCOME:
                return []
        return [self.text] if self.text else []
