"""What a node of a hostile world stands on: its storage, and what is left of it after a crash."""

from collections.abc import Callable
from typing import Protocol

from tests.raft.harness import storage_with
from tests.replay.stored import created, new_disk, opened
from walctl.fs.crash import KEPT, LOST, Crash, Sampled
from walctl.fs.faults import KillAt
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.nodes import READING, Call
from walctl.raft.storage import MemoryStorage, StableStorage
from walctl.raft.types import EMPTY_STATE, ConfState, HardState, Snapshot

WRITING = frozenset(Call) - READING


class Ground(Protocol):
    """One node's storage through all its lives."""

    @property
    def storage(self) -> StableStorage:
        """What the node saves to, in its present life."""

    def wrote(self, *, is_synced: bool) -> None:
        """Something was saved, and had to be durable or not."""

    def restart(self) -> None:
        """The node ended as it should, and begins again."""

    def crash(self, number: int) -> None:
        """What was not durable may be gone; `number` chooses how much."""

    def die_soon(self, number: int) -> None:
        """Let a call of the node to come be its last (`faults.Killed`), where there are calls."""

    def live_on(self) -> None:
        """Let it live after all."""


class InMemory:
    """A storage in memory, of which a crash takes nothing but a commit that was written lazily."""

    def __init__(self, voters: tuple[int, ...]) -> None:
        self.storage: MemoryStorage = storage_with(*voters)
        self.synced = EMPTY_STATE

    def wrote(self, *, is_synced: bool) -> None:
        """See `Ground.wrote`."""
        if is_synced:
            self.synced = self.storage.initial_state()[0]

    def restart(self) -> None:
        """See `Ground.restart`."""

    def crash(self, number: int) -> None:
        """See `Ground.crash`."""
        if number % 2:
            state, _ = self.storage.initial_state()
            low = max(self.synced.commit, self.storage.snapshot().index)
            self.storage.set_hard_state(HardState(term=state.term, vote=state.vote, commit=low))

    def die_soon(self, number: int) -> None:
        """See `Ground.die_soon`: memory makes no calls."""

    def live_on(self) -> None:
        """See `Ground.live_on`."""


class OnDisk:
    """The write-ahead log itself on a disk that forgets what was not synced, and tears sectors.

    A log has no place for a membership before its first entry: the first is a snapshot's.
    """

    def __init__(self, voters: tuple[int, ...]) -> None:
        self.disk: MemoryFileSystem = new_disk()
        self.storage = created(self.disk)
        first = Snapshot(index=1, term=1, conf_state=ConfState(voters=voters))
        self.storage.save(HardState(term=1, commit=1), (), first)

    def wrote(self, *, is_synced: bool) -> None:
        """See `Ground.wrote`: the disk knows itself."""

    def restart(self) -> None:
        """See `Ground.restart`."""
        self.disk.on_call = None
        self.storage.close()
        self.storage = opened(self.disk)

    def crash(self, number: int) -> None:
        """See `Ground.crash`."""
        crashes: tuple[Crash, ...] = (LOST, KEPT, Sampled(number))
        self.disk.on_call = None
        self.disk.end_process()
        self.disk = self.disk.crash(crashes[number % 3])
        self.storage = opened(self.disk)

    def die_soon(self, number: int) -> None:
        """See `Ground.die_soon`."""
        self.disk.on_call = KillAt(number % 12, WRITING)

    def live_on(self) -> None:
        """See `Ground.live_on`."""
        self.disk.on_call = None


Grounds = Callable[[tuple[int, ...]], Ground]
"""Makes what a node begins on, given the voters."""
