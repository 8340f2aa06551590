"""Where the stable part of a log lives: what Raft asks of it, and one that is held in memory.

The newest snapshot and the entries behind it. Element 0 of the entries in memory is a dummy that
carries index and term of the last compacted entry, so that there is always something to match
against: first_index = dummy.index + 1, last_index = dummy.index + entries.
"""

from collections.abc import Sequence
from typing import Protocol

from walctl.raft.errors import (
    CompactedError,
    RaftPanic,
    SnapshotOutOfDateError,
    UnavailableError,
)
from walctl.raft.sizes import limited
from walctl.raft.types import (
    EMPTY_SNAPSHOT,
    EMPTY_STATE,
    ConfState,
    Entry,
    HardState,
    Snapshot,
)


class Storage(Protocol):
    """What the core reads; whoever drives it writes. Nobody changes what it gives.

    A storage that fails in any way but those that are named here has broken what the core relies
    on: the node panics.
    """

    def initial_state(self) -> tuple[HardState, ConfState]:
        """What was remembered, both empty for a new node."""

    def entries(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """Entries `[low, high)`, cut as `sizes.limited` does.

        Raises: CompactedError, UnavailableError.
        """

    def term(self, index: int) -> int:
        """Term of an entry from first_index - 1 to last_index.

        Raises: CompactedError below, UnavailableError above.
        """

    def last_index(self) -> int:
        """Index of the last entry; first_index - 1 for an empty log."""

    def first_index(self) -> int:
        """One past the last compacted index, whether or not such an entry is there."""

    def snapshot(self) -> Snapshot:
        """The newest one.

        Raises: SnapshotTemporarilyUnavailableError.
        """


class StableStorage(Storage, Protocol):
    """A `Storage` with the calls of whoever drives a node: what returned is not forgotten."""

    def save(
        self,
        hard_state: HardState | None,
        entries: Sequence[Entry] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        """Take what a Ready wants remembered: its snapshot first, then entries and hard state.

        The snapshot takes the place of everything but the hard state; consecutive entries take the
        place of all from the first of them on, and what lies below first_index is passed over.

        Raises: SnapshotOutOfDateError, when the snapshot that is there is as new.
        """

    def create_snapshot(
        self, index: int, conf_state: ConfState | None, data: bytes | None
    ) -> Snapshot:
        """Make the snapshot of an entry that is there; `None` keeps the membership as it was.

        Nothing is compacted. Raises: SnapshotOutOfDateError.
        """

    def compact(self, index: int) -> None:
        """Forget the entries up to `index`, of which the last one's term is still known.

        Raises: CompactedError.
        """


def demand_there(storage: Storage, low: int, high: int) -> None:
    """Entries `[low, high)` can be given. Raises: CompactedError, UnavailableError."""
    first, last = storage.first_index(), storage.last_index()
    if low < first:
        raise CompactedError
    if high > last + 1:
        raise RaftPanic(f"entries' hi({high}) is out of bound lastindex({last})")
    if last < first:
        raise UnavailableError


def fitting(storage: Storage, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Those that are to be appended: without what is compacted, and with no gap in front."""
    if not entries:
        return ()
    first, last = storage.first_index(), storage.last_index()
    if entries[-1].index < first:
        return ()
    kept = entries[max(0, first - entries[0].index) :]
    if kept[0].index > last + 1:
        raise RaftPanic(f"missing log entry [last: {last}, append at: {kept[0].index}]")
    return kept


def demand_newer(before: Snapshot, snapshot: Snapshot) -> None:
    """A snapshot of nothing is older than any. Raises: SnapshotOutOfDateError."""
    if before.index and before.index >= snapshot.index:
        raise SnapshotOutOfDateError


def new_snapshot(
    storage: Storage, before: Snapshot, index: int, conf_state: ConfState | None, data: bytes | None
) -> Snapshot:
    """The snapshot of an entry that is there, behind the one `before`.

    Raises: SnapshotOutOfDateError.
    """
    if index <= before.index:
        raise SnapshotOutOfDateError
    base, last = storage.first_index() - 1, storage.last_index()
    if index > last:
        raise RaftPanic(f"snapshot {index} is out of bound lastindex({last})")
    if index < base:
        raise RaftPanic(f"snapshot {index} is of an entry that was compacted up to {base}")
    return Snapshot(
        index=index,
        term=storage.term(index),
        conf_state=before.conf_state if conf_state is None else conf_state,
        data=data,
    )


def demand_compactable(storage: Storage, index: int) -> None:
    """The entry is there. Raises: CompactedError."""
    if index < storage.first_index():
        raise CompactedError
    if index > storage.last_index():
        raise RaftPanic(f"compact {index} is out of bound lastindex({storage.last_index()})")


class MemoryStorage:
    """A `StableStorage` in memory."""

    def __init__(self) -> None:
        self._state = EMPTY_STATE
        self._snapshot = EMPTY_SNAPSHOT
        self._entries: list[Entry] = [Entry()]

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See `Storage.initial_state`."""
        return self._state, self._snapshot.conf_state

    def save(
        self,
        hard_state: HardState | None,
        entries: Sequence[Entry] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        """See `StableStorage.save`."""
        if snapshot is not None:
            self.apply_snapshot(snapshot)
        self.append(entries)
        if hard_state is not None:
            self.set_hard_state(hard_state)

    def set_hard_state(self, state: HardState) -> None:
        """Remember `state`."""
        self._state = state

    def entries(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """See `Storage.entries`."""
        demand_there(self, low, high)
        base = self._entries[0].index
        return limited(self._entries[low - base : high - base], bytes_max)

    def term(self, index: int) -> int:
        """See `Storage.term`."""
        base = self._entries[0].index
        if index < base:
            raise CompactedError
        if index - base >= len(self._entries):
            raise UnavailableError
        return self._entries[index - base].term

    def last_index(self) -> int:
        """See `Storage.last_index`."""
        return self._entries[0].index + len(self._entries) - 1

    def first_index(self) -> int:
        """See `Storage.first_index`."""
        return self._entries[0].index + 1

    def snapshot(self) -> Snapshot:
        """See `Storage.snapshot`."""
        return self._snapshot

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Let `snapshot` take the place of everything; the hard state stays.

        Raises: SnapshotOutOfDateError, when the one that is there is as new.
        """
        demand_newer(self._snapshot, snapshot)
        self._snapshot = snapshot
        self._entries = [Entry(term=snapshot.term, index=snapshot.index)]

    def create_snapshot(
        self, index: int, conf_state: ConfState | None, data: bytes | None
    ) -> Snapshot:
        """See `StableStorage.create_snapshot`."""
        self._snapshot = new_snapshot(self, self._snapshot, index, conf_state, data)
        return self._snapshot

    def compact(self, index: int) -> None:
        """See `StableStorage.compact`."""
        demand_compactable(self, index)
        base = self._entries[0].index
        kept = self._entries[index - base :]
        kept[0] = Entry(term=kept[0].term, index=index)
        self._entries = kept

    def append(self, entries: Sequence[Entry]) -> None:
        """Put consecutive entries into the log; everything from the first of them on is replaced.

        What lies below first_index is passed over.
        """
        kept = fitting(self, entries)
        if kept:
            del self._entries[kept[0].index - self._entries[0].index :]
            self._entries.extend(kept)
