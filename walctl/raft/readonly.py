"""Linearizable reads: requests that wait until a quorum has confirmed that the leader still leads.

A request is answered with the commit index at its arrival, once a majority has answered a heartbeat
that was sent after it. Heartbeats carry a number, how many requests had come by then, so that one
answer confirms all in front of it.

Source: thesis, section 6.4.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

_CONTEXT_BYTES = 8
R = TypeVar("R")


@dataclass(slots=True)
class Reads(Generic[R]):
    """Requests of type `R` on their way.

    `postponed` are those that came before the leader had committed an entry of its term; they
    outlive a change of roles, all else does not.
    """

    unconfirmed: list[tuple[int, R]] = field(default_factory=list)
    confirmed: int = 0
    acks: dict[int, int] = field(default_factory=dict)
    postponed: list[R] = field(default_factory=list)

    def reset(self) -> None:
        """Forget what only this leader could confirm."""
        self.unconfirmed, self.confirmed, self.acks = [], 0, {}

    def add(self, commit: int, request: R) -> None:
        """A request came when `commit` was committed."""
        self.unconfirmed.append((commit, request))

    @property
    def context(self) -> bytes:
        """What heartbeats carry now; empty when nobody waits."""
        if not self.unconfirmed:
            return b""
        return (self.confirmed + len(self.unconfirmed)).to_bytes(_CONTEXT_BYTES, "little")

    def acknowledge(self, node: int, context: bytes) -> None:
        """A node has answered the heartbeat with this context."""
        number = int.from_bytes(context[:_CONTEXT_BYTES], "little")
        self.acks[node] = max(self.acks.get(node, 0), number)

    def confirm(self, number: int) -> list[tuple[int, R]]:
        """The requests that are confirmed once a quorum has answered the heartbeat `number`."""
        count = min(max(0, number - self.confirmed), len(self.unconfirmed))
        ready, self.unconfirmed = self.unconfirmed[:count], self.unconfirmed[count:]
        self.confirmed += count
        return ready
