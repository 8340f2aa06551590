"""What became of a client's request, and what a client may ask: the same for every engine.

Three fates, and a checker relies on the difference:

    ok       it was done, and this is the answer
    fail     it was certainly not done: refused before it was proposed, or a condition did not hold
    unknown  nobody can tell: a timeout, a connection that broke, a leader that changed
"""

import enum
from dataclasses import dataclass
from typing import Protocol


class Fate(enum.StrEnum):
    """See the module."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Read(enum.StrEnum):
    """How a read makes sure of what it gives."""

    INDEX = "index"
    """A quorum confirms that the leader leads: linearizable."""
    LEASE = "lease"
    """The leader's lease says so: linearizable while clocks run alike."""
    LOCAL = "local"
    """Whatever the node has: may be old."""


class Wait(enum.StrEnum):
    """When a write is answered."""

    COMMIT = "commit"
    """Once it is committed and applied."""
    PROPOSE = "propose"
    """Once it was handed to Raft, as raftexample does: it may never happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one request.

    `index` is the log's index (etcd: the revision) that the answer is of, `None` where none was
    told. `value` is what a read found, `None` for a key that is not there. `node` is the name of
    the node that answered; `words` say why it is not ok.
    """

    fate: Fate
    index: int | None = None
    value: bytes | None = None
    node: str = ""
    words: str = ""


class Client(Protocol):
    """Asks a cluster; `via` names the node to ask, `None` lets the client find the leader.

    Nothing is raised for what a cluster does or fails to do: that is an `Answer`.
    """

    async def put(
        self, key: bytes, value: bytes, *, group: str, via: str | None = None, wait: Wait
    ) -> Answer:
        """Store a value."""

    async def get(self, key: bytes, *, group: str, via: str | None = None, read: Read) -> Answer:
        """Read a value."""

    async def delete(self, key: bytes, *, group: str, via: str | None = None) -> Answer:
        """Take a key away; of one that is not there too, that is ok."""

    async def swap(
        self,
        key: bytes,
        expected: bytes | None,
        value: bytes,
        *,
        group: str,
        via: str | None = None,
    ) -> Answer:
        """Store `value` if the key holds `expected` (`None`: is not there), else `fail`."""

    async def range(
        self, prefix: bytes, *, group: str, via: str | None = None, read: Read
    ) -> tuple[Answer, dict[bytes, bytes]]:
        """Every key that begins with `prefix`, ascending, with its value."""

    async def close(self) -> None:
        """Let connections go."""
