"""A data directory as a starting member takes it: into `MemoryStorage`, and a Raft node on top."""

from dataclasses import dataclass
from typing import Final

from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError
from walctl.fs.base import FileSystem
from walctl.raft.errors import RaftPanic
from walctl.raft.options import Options
from walctl.raft.rawnode import RawNode
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import HardState
from walctl.replay.storedlog import StoredLog

_ELECTION_TICKS: Final = 10
_INFLIGHT_COUNT_MAX: Final = 512
"""As an etcd server has them; a node that is only started uses neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """With what a node started: a snapshot (0: none), the entries behind it, its hard state.

    Without entries `last_index` is `first_index` - 1.
    """

    snapshot_index: int
    first_index: int
    last_index: int
    hard_state: HardState


def load(disk: FileSystem, seen: Survey) -> MemoryStorage:
    """The newest snapshot that a member would take, what the log has behind it, the hard state.

    Everything is in memory then. Of a damaged log it is what stands in front of the damage.

    Raises: UsageError, when there is no log; AccessError.
    """
    storage = MemoryStorage()
    with StoredLog.of(disk, seen) as stored:
        snapshot = stored.snapshot()
        if not snapshot.is_empty:
            storage.apply_snapshot(snapshot)
        storage.append(list(stored.read(stored.first_index(), stored.last_index() + 1)))
        storage.set_hard_state(stored.initial_state()[0])
    return storage


def start(disk: FileSystem, seen: Survey) -> Started:
    """Start a Raft node on what a directory holds, and read every entry that it would have.

    The entries are read where they are, one after the other, so that a long log takes no memory.

    Raises: CorruptionError, with what keeps a node from starting; UsageError; AccessError.
    """
    own = seen.metadata[-1].metadata.node_id if seen.metadata else None
    with StoredLog.of(disk, seen) as stored:
        options = Options(
            id=own or 1,
            heartbeat_ticks=1,
            election_ticks=_ELECTION_TICKS,
            storage=stored,
            inflight_count_max=_INFLIGHT_COUNT_MAX,
        )
        try:
            node = RawNode(options, lambda n: 0)
        except RaftPanic as error:
            raise CorruptionError(
                f"{seen.layout.path}: no Raft node starts on it: {error}"
            ) from error
        stored.snapshot()
        for _ in stored.read(stored.first_index(), stored.last_index() + 1):
            pass
        return Started(
            snapshot_index=stored.first_index() - 1,
            first_index=stored.first_index(),
            last_index=stored.last_index(),
            hard_state=node.status().hard_state,
        )
