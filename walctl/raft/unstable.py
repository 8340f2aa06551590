"""The end of the log that is not known to be on the disk: entries, and a snapshot before them.

`offset` is the index of the first entry here, or of where it would be. What was handed out to be
written is in progress: entries below `offset_in_progress`. It stays here until the writing is
confirmed, by index and term: an entry that was replaced meanwhile is not stable.
"""

from collections.abc import Sequence

from walctl.raft.types import Entry, Snapshot


class Unstable:
    """See the module."""

    def __init__(self, offset: int) -> None:
        self.snapshot: Snapshot | None = None
        self.entries: list[Entry] = []
        self.offset = offset
        self.is_snapshot_in_progress = False
        self.offset_in_progress = offset

    def first_index(self) -> int | None:
        """First index of the log, where a snapshot here says it."""
        return None if self.snapshot is None else self.snapshot.index + 1

    def last_index(self) -> int | None:
        """Last index of the log, where it is known here."""
        if self.entries:
            return self.offset + len(self.entries) - 1
        return None if self.snapshot is None else self.snapshot.index

    def term(self, index: int) -> int | None:
        """Term of an index, where it is known here."""
        if index < self.offset:
            if self.snapshot is not None and self.snapshot.index == index:
                return self.snapshot.term
            return None
        position = index - self.offset
        return self.entries[position].term if position < len(self.entries) else None

    @property
    def has_next_entries(self) -> bool:
        """Whether there is an entry that was not handed out to be written."""
        return self.offset_in_progress < self.offset + len(self.entries)

    def next_entries(self) -> list[Entry]:
        """The entries that were not handed out to be written."""
        return self.entries[self.offset_in_progress - self.offset :]

    def next_snapshot(self) -> Snapshot | None:
        """The snapshot, unless it was handed out to be written."""
        return None if self.is_snapshot_in_progress else self.snapshot

    def accept_in_progress(self) -> None:
        """All that is here was handed out."""
        if self.entries:
            self.offset_in_progress = self.offset + len(self.entries)
        if self.snapshot is not None:
            self.is_snapshot_in_progress = True

    def stable_to(self, *, term: int, index: int) -> None:
        """The entry (term, index) is on the disk, with all before it; passed over where another
        entry has its place by now."""
        if index < self.offset or self.term(index) != term:
            return
        del self.entries[: index + 1 - self.offset]
        self.offset = index + 1
        self.offset_in_progress = max(self.offset_in_progress, self.offset)

    def stable_snapshot_to(self, index: int) -> None:
        """The snapshot of `index` is on the disk."""
        if self.snapshot is not None and self.snapshot.index == index:
            self.snapshot = None
            self.is_snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """Let a snapshot take the place of the whole log."""
        self.offset = self.offset_in_progress = snapshot.index + 1
        self.entries = []
        self.snapshot = snapshot
        self.is_snapshot_in_progress = False

    def truncate_and_append(self, entries: Sequence[Entry]) -> None:
        """Put entries behind those here, or in the place of some of them.

        Lists that were handed out stay as they are: a front that is kept is copied.
        """
        first = entries[0].index
        if first == self.offset + len(self.entries):
            self.entries.extend(entries)
        elif first <= self.offset:
            self.entries = list(entries)
            self.offset = self.offset_in_progress = first
        else:
            self.entries = [*self.entries[: first - self.offset], *entries]
            self.offset_in_progress = min(self.offset_in_progress, first)
