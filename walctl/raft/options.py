"""What a node is told when it is made, and which of that makes no sense."""

import enum
from dataclasses import dataclass, replace

from walctl.raft.errors import RaftPanic
from walctl.raft.storage import Storage
from walctl.raft.types import NOBODY, UNLIMITED, WORKERS


class ReadOnly(enum.StrEnum):
    """How a leader makes sure that it still leads before it answers a read."""

    SAFE = "safe"
    """A quorum confirms it."""
    LEASE_BASED = "lease-based"
    """Its lease says so, which trusts the clocks; needs `check_quorum`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings of one node; sizes in bytes, times in ticks, 0 as each says.

    `applied` is the last index that was applied before a restart: the storage's membership must be
    the one as of it. With 0 everything committed is handed out again.
    `message_bytes_max` bounds the entries of one append (0: one entry each). `ready_bytes_max`
    bounds what is handed out to be applied and not acknowledged (0: as the former).
    `uncommitted_bytes_max` bounds the payloads that a leader has not committed (0: no bound).
    """

    id: int
    heartbeat_ticks: int
    election_ticks: int
    storage: Storage | None
    inflight_count_max: int
    applied: int = 0
    is_async: bool = False
    message_bytes_max: int = 0
    ready_bytes_max: int = 0
    uncommitted_bytes_max: int = 0
    inflight_bytes_max: int = 0
    check_quorum: bool = False
    pre_vote: bool = False
    read_only: ReadOnly = ReadOnly.SAFE
    disable_proposal_forwarding: bool = False
    disable_conf_change_validation: bool = False
    step_down_on_removal: bool = False

    def checked(self) -> "Options":
        """The same with defaults filled in. Raises: RaftPanic, with what makes no sense."""
        if self.id == NOBODY:
            raise RaftPanic("cannot use none as id")
        if self.id in WORKERS:
            raise RaftPanic("cannot use local target as id")
        if self.heartbeat_ticks <= 0:
            raise RaftPanic("heartbeat tick must be greater than 0")
        if self.election_ticks <= self.heartbeat_ticks:
            raise RaftPanic("election tick must be greater than heartbeat tick")
        if self.storage is None:
            raise RaftPanic("storage cannot be nil")
        if self.inflight_count_max <= 0:
            raise RaftPanic("max inflight messages must be greater than 0")
        if 0 < self.inflight_bytes_max < self.message_bytes_max:
            raise RaftPanic("max inflight bytes must be >= max message size")
        if self.read_only is ReadOnly.LEASE_BASED and not self.check_quorum:
            raise RaftPanic("CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased")
        return replace(
            self,
            ready_bytes_max=self.ready_bytes_max or self.message_bytes_max,
            uncommitted_bytes_max=self.uncommitted_bytes_max or UNLIMITED,
        )
