"""The whole log: stable entries in a storage, unstable ones in memory, and three marks over both.

    applied <= applying <= committed <= last_index

`committed` is agreed on and never replaced; `applying` was handed to the state machine; `applied`
came back from it. What is handed out at a time is bounded, in bytes, until it is acknowledged.

Source: Raft paper, sections 5.3 (log matching, conflicts) and 5.4.1 (which log is up to date).
"""

from collections.abc import Sequence

from walctl.errors import WalctlError
from walctl.raft.errors import CompactedError, RaftPanic, StorageError, UnavailableError
from walctl.raft.sizes import encoding_bytes, limited, total_bytes
from walctl.raft.storage import Storage
from walctl.raft.types import Entry, EntryID, Snapshot
from walctl.raft.unstable import Unstable


class Log:
    """See the module. `applying_bytes_max` bounds what is applied at a time."""

    def __init__(self, storage: Storage, *, applying_bytes_max: int) -> None:
        self.storage = storage
        self.unstable = Unstable(storage.last_index() + 1)
        self.committed = self.applying = self.applied = storage.first_index() - 1
        self.applying_bytes_max = applying_bytes_max
        self.applying_bytes = 0
        self.is_applying_paused = False

    def first_index(self) -> int:
        """Index of the first entry, or of where it would be."""
        known = self.unstable.first_index()
        return self.storage.first_index() if known is None else known

    def last_index(self) -> int:
        """Index of the last entry; first_index - 1 for an empty log."""
        known = self.unstable.last_index()
        return self.storage.last_index() if known is None else known

    def term(self, index: int) -> int:
        """Term of an entry, or of the one before the first.

        Raises: CompactedError, UnavailableError.
        """
        known = self.unstable.term(index)
        if known is not None:
            return known
        if index + 1 < self.first_index():
            raise CompactedError
        if index > self.last_index():
            raise UnavailableError
        try:
            return self.storage.term(index)
        except (CompactedError, UnavailableError):
            raise
        except WalctlError as error:
            raise RaftPanic(f"term of entry {index}: {error.message}") from error

    def known_term(self, index: int) -> int | None:
        """Term of an entry, `None` where it is compacted or not there."""
        try:
            return self.term(index)
        except (CompactedError, UnavailableError):
            return None

    def holds(self, entry: EntryID) -> bool:
        """Whether the log has this entry; then it equals every other log that has it, up to it."""
        return self.known_term(entry.index) == entry.term

    def last_id(self) -> EntryID:
        """Term and index of the last entry."""
        index = self.last_index()
        try:
            return EntryID(self.term(index), index)
        except StorageError as error:
            raise RaftPanic(f"no term of the last entry, {index}: {error.message}") from error

    def is_up_to_date(self, other: EntryID) -> bool:
        """Whether a log that ends with `other` has at least what this one has (section 5.4.1)."""
        return other >= self.last_id()

    def slice(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """Entries `[low, high)`, cut to `bytes_max` but never to none.

        Raises: CompactedError, when `low` is not there any more.
        """
        if low > high:
            raise RaftPanic(f"invalid slice {low} > {high}")
        if low < self.first_index():
            raise CompactedError
        if high > self.last_index() + 1:
            raise RaftPanic(f"slice[{low},{high}) out of bound [..,{self.last_index()}]")
        if low == high:
            return []
        offset = self.unstable.offset
        if low >= offset:
            return limited(self.unstable.entries[low - offset : high - offset], bytes_max)
        middle = min(high, offset)
        try:
            stable = self.storage.entries(low, middle, bytes_max)
        except UnavailableError as error:
            raise RaftPanic(f"entries[{low}:{middle}) is unavailable from storage") from error
        except CompactedError:
            raise
        except WalctlError as error:
            raise RaftPanic(f"entries[{low}:{middle}): {error.message}") from error
        if high <= offset or len(stable) < middle - low:
            return stable
        size = total_bytes(stable)
        if size >= bytes_max:
            return stable
        rest = limited(self.unstable.entries[: high - offset], bytes_max - size)
        if len(rest) == 1 and size + encoding_bytes(rest[0]) > bytes_max:
            return stable
        return [*stable, *rest]

    def entries_from(self, index: int, bytes_max: int) -> Sequence[Entry]:
        """Entries from `index` on, cut to `bytes_max`. Raises: CompactedError."""
        if index > self.last_index():
            return []
        return self.slice(index, self.last_index() + 1, bytes_max)

    def append(self, entries: Sequence[Entry]) -> int:
        """Put entries behind the log, or in the place of uncommitted ones; the last index then."""
        if entries:
            if entries[0].index <= self.committed:
                raise RaftPanic(f"append at {entries[0].index}, and {self.committed} is committed")
            self.unstable.truncate_and_append(entries)
        return self.last_index()

    def accept(self, before: EntryID, entries: Sequence[Entry], leader_commit: int) -> int | None:
        """Take what a leader appends behind `before`: the index up to which the logs are equal
        then, or `None` when this log does not hold `before`.

        Entries that are here already are passed over; only a real conflict truncates, so that an
        old or repeated append never takes anything back.
        """
        if not self.holds(before):
            return None
        last = before.index + len(entries)
        conflict = self._first_conflict(entries)
        if conflict is not None:
            if entries[conflict].index <= self.committed:
                raise RaftPanic(
                    f"entry {entries[conflict].index} conflicts with committed entry"
                    f" [committed({self.committed})]"
                )
            self.append(entries[conflict:])
        self.commit_to(min(leader_commit, last))
        return last

    def _first_conflict(self, entries: Sequence[Entry]) -> int | None:
        """Position of the first given entry that this log does not have."""
        for position, entry in enumerate(entries):
            if not self.holds(EntryID(entry.term, entry.index)):
                return position
        return None

    def commit_to(self, index: int) -> None:
        """Everything up to `index` is committed; never goes back."""
        if index <= self.committed:
            return
        if index > self.last_index():
            raise RaftPanic(
                f"tocommit({index}) is out of range [lastIndex({self.last_index()})]."
                " Was the raft log corrupted, truncated, or lost?"
            )
        self.committed = index

    def meeting_point(self, index: int, term: int) -> EntryID:
        """The last place at or below `index` where this log's term is `term` or lower: above it
        the logs cannot agree. The term is 0 where it is not known."""
        while index > 0:
            known = self.known_term(index)
            if known is None:
                return EntryID(0, index)
            if known <= term:
                return EntryID(known, index)
            index -= 1
        return EntryID(0, 0)

    def commit_in_term(self, index: int, term: int) -> bool:
        """Commit up to `index` if its entry is of `term`; whether that was news (section 5.4.2)."""
        if term == 0 or index <= self.committed or not self.holds(EntryID(term, index)):
            return False
        self.commit_to(index)
        return True

    def restore(self, snapshot: Snapshot) -> None:
        """Let a snapshot take the place of the log; what it covers is committed."""
        self.committed = snapshot.index
        self.unstable.restore(snapshot)

    def appliable_to(self, *, allow_unstable: bool) -> int:
        """Highest index that may be applied; without `allow_unstable` it has to be on the disk."""
        return self.committed if allow_unstable else min(self.committed, self.unstable.offset - 1)

    def has_next_committed(self, *, allow_unstable: bool) -> bool:
        """Whether there is something to apply, and room for it."""
        if self.is_applying_paused or self.unstable.snapshot is not None:
            return False
        return self.applying < self.appliable_to(allow_unstable=allow_unstable)

    def next_committed(self, *, allow_unstable: bool) -> Sequence[Entry]:
        """What is to be applied next, within the bound."""
        if not self.has_next_committed(allow_unstable=allow_unstable):
            return []
        room = self.applying_bytes_max - self.applying_bytes
        if room <= 0:
            raise RaftPanic(f"applying {self.applying_bytes} of {self.applying_bytes_max} bytes")
        high = self.appliable_to(allow_unstable=allow_unstable)
        return self.unapplied(self.applying + 1, high + 1, room)

    def unapplied(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """As `slice`, of committed entries that are not applied: nobody may have compacted them."""
        try:
            return self.slice(low, high, bytes_max)
        except CompactedError as error:
            raise RaftPanic(f"entries[{low}:{high}) are not applied and compacted") from error

    def accept_applying(self, index: int, size: int, *, allow_unstable: bool) -> None:
        """Entries up to `index`, of `size` bytes, were handed to the state machine."""
        self.applying = index
        self.applying_bytes += size
        # A batch that the bound has cut means that the bound is reached, whatever the sum says.
        is_cut = index < self.appliable_to(allow_unstable=allow_unstable)
        self.is_applying_paused = self.applying_bytes >= self.applying_bytes_max or is_cut

    def applied_to(self, index: int, size: int) -> None:
        """The state machine has everything up to `index`, `size` bytes more than before."""
        if not self.applied <= index <= self.committed:
            raise RaftPanic(
                f"applied({index}) is out of range [prevApplied({self.applied}),"
                f" committed({self.committed})]"
            )
        self.applied = index
        self.applying = max(self.applying, index)
        self.applying_bytes = max(0, self.applying_bytes - size)
        self.is_applying_paused = self.applying_bytes >= self.applying_bytes_max
