"""The state that a log leads to, replayed: what a snapshot's digest is held against (I13).

    checkpoint ──── apply what is agreed ────► digest at an index, which is the next checkpoint

Nothing is replayed before somebody makes a snapshot, or the log is forgotten. A snapshot of a
member that lags is replayed from the checkpoint in front of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from walctl.machine.kv import Kv


class Payload(Protocol):
    """What was agreed on, as far as a machine minds it."""

    @property
    def term(self) -> int:
        """Of the entry."""

    @property
    def payload(self) -> bytes:
        """Its data."""

    @property
    def kind(self) -> int:
        """Its type, as a number of Raft's."""


@dataclass(frozen=True, slots=True)
class _Entry:
    index: int
    term: int
    type: int | None
    data: bytes | None


class Replayed:
    """raftexample's map along the log. `agreed` is by index, and whole above the last `cut`."""

    def __init__(self) -> None:
        self._checkpoints: dict[int, dict[bytes, bytes]] = {0: {}}
        self._digests: dict[int, str] = {}

    def digest(self, index: int, agreed: Mapping[int, Payload]) -> str | None:
        """The digest of the state as of `index`; `None` where the log does not tell."""
        found = self._digests.get(index)
        if found is None:
            machine = self._machine(index, agreed)
            if machine is None:
                return None
            found = self._digests[index] = machine.digest()
        return found

    def cut(self, index: int, agreed: Mapping[int, Payload]) -> None:
        """Entries up to `index` are forgotten after this, and nobody asks for what is below."""
        self._machine(index, agreed)
        kept = max((each for each in self._checkpoints if each <= index), default=0)
        self._checkpoints = {at: each for at, each in self._checkpoints.items() if at >= kept}
        self._digests = {at: each for at, each in self._digests.items() if at >= index}

    def _machine(self, index: int, agreed: Mapping[int, Payload]) -> Kv | None:
        """A machine as of `index`, which becomes a checkpoint."""
        start = max((each for each in self._checkpoints if each <= index), default=None)
        if start is None:
            return None
        machine = Kv()
        machine.pairs = dict(self._checkpoints[start])
        for at in range(start + 1, index + 1):
            entry = agreed.get(at)
            if entry is None:
                return None
            machine.apply(_Entry(at, entry.term, entry.kind or None, entry.payload))
        if start != index:
            self._checkpoints[index] = dict(machine.pairs)
        return machine
