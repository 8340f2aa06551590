"""What a watcher knows of one member: its log file, what of it is durable, and what it said last.

The log is a term for each index: by log matching (I3), which is checked at every write, index and
term stand for the entry and for all that is before it.

    base ── first ───────────────── last          `terms` has what lies behind `base`
                  └ unsynced_from …               what was written since the last sync

An entry that was replaced counts as lost at once, though its bytes may still come back after a
crash: nobody may rest anything on it. A snapshot counts from the sync on that made both its marker
and a commit index up to it durable, as a starting node believes it only then.
"""

from typing import Final

Config = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Voters, outgoing voters (none: not joint) and learners, by Raft id, each ascending."""

NO_CONFIG: Final[Config] = ((), (), ())
NEVER: Final = 1 << 62
"""No index is that high."""


class Member:
    """One site: a process with directories of its own. Two may go by the same Raft id.

    `term` … `last` are what it said last (`stood`); `file_…` what its log file says, `durable_…`
    what of that survives any honest crash; `promised_…` what once was durable, in whatever life.
    `configs` are all that were in force since it stood last, the newest at the end.
    """

    __slots__ = (
        "accepted_index",
        "accepted_term",
        "applied",
        "base",
        "base_term",
        "commit",
        "configs",
        "durable_commit",
        "durable_snapshot",
        "durable_snapshot_term",
        "durable_term",
        "durable_vote",
        "file_commit",
        "file_term",
        "file_vote",
        "forgiven",
        "id",
        "is_suspect",
        "is_up",
        "last",
        "lead_term",
        "log_last",
        "name",
        "promised_commit",
        "promised_last",
        "promised_term",
        "promised_vote",
        "snapshot",
        "snapshot_term",
        "taken_back",
        "term",
        "terms",
        "unsynced_from",
        "vote",
    )

    def __init__(self, name: str, raft_id: int) -> None:
        self.name = name
        self.id = raft_id
        self.is_up = self.is_suspect = False
        self.term = self.vote = self.commit = self.last = self.applied = 0
        self.file_term = self.file_vote = self.file_commit = 0
        self.durable_term = self.durable_vote = self.durable_commit = 0
        self.promised_term = self.promised_vote = self.promised_commit = self.promised_last = 0
        self.forgiven: tuple[int, int, int, int] | None = None
        """What it had promised when its files were damaged, and has not run since: term, vote,
        commit and last."""
        self.terms: dict[int, int] = {}
        self.base = self.base_term = self.log_last = 0
        self.unsynced_from = NEVER
        self.snapshot = self.snapshot_term = 0
        self.durable_snapshot = self.durable_snapshot_term = 0
        self.lead_term = 0
        self.accepted_term = self.accepted_index = 0
        self.taken_back = 0
        """The lowest index that was replaced since the last sync; 0: none."""
        self.configs: list[Config] = [NO_CONFIG]

    def has(self, index: int, term: int) -> bool:
        """Whether its log as written has this entry, or a snapshot that covers it."""
        if index > self.base:
            return self.terms.get(index) == term
        return index < self.base or self.base_term == term

    @property
    def durable_last(self) -> int:
        """Up to where its log survives any honest crash."""
        unsynced = self.unsynced_from
        in_log = min(self.log_last, unsynced - 1)
        return max(in_log if in_log > self.base else 0, self.durable_base)

    @property
    def durable_base(self) -> int:
        """The index up to which a durable snapshot covers everything."""
        snapshot = self.durable_snapshot
        return snapshot if self.durable_commit >= snapshot else 0

    def holds(self, index: int, term: int) -> bool:
        """Whether this entry is durable here, or a snapshot is that covers it."""
        covered = self.durable_snapshot
        if index <= covered and self.durable_commit >= covered:
            return index < covered or self.durable_snapshot_term == term
        if index >= self.unsynced_from:
            return False
        if index > self.base:
            return self.terms.get(index) == term
        return index < self.base or self.base_term == term

    def before(self, index: int) -> int | None:
        """The term of the entry in front of `index`; `None`: not known."""
        term = self.terms.get(index - 1)
        if term is None and index - 1 == self.base:
            return self.base_term
        return term

    def cut_from(self, index: int) -> None:
        """Forget everything from `index` on, which is behind `base`."""
        for each in range(index, self.log_last + 1):
            self.terms.pop(each, None)
        self.log_last = index - 1

    def begin_behind(self, index: int, term: int) -> None:
        """Let a snapshot take the place of the whole log."""
        self.terms.clear()
        self.base, self.base_term, self.log_last = index, term, index

    def forget_to(self, index: int) -> None:
        """Compact the log up to an index of it."""
        index = min(index, self.log_last)
        if index <= self.base:
            return
        term = self.terms[index]
        for each in range(self.base + 1, index + 1):
            del self.terms[each]
        self.base, self.base_term = index, term

    def sync(self) -> None:
        """All that was written is durable."""
        self.unsynced_from = NEVER
        self.durable_term = self.promised_term = self.file_term
        self.durable_vote = self.promised_vote = self.file_vote
        self.durable_commit = self.promised_commit = self.file_commit
        self.durable_snapshot, self.durable_snapshot_term = self.snapshot, self.snapshot_term

    def sync_part(
        self, unsynced_from: int | None, state: tuple[int, int, int], snapshot: tuple[int, int]
    ) -> None:
        """Entries in front of `unsynced_from` (`None`: all) are durable, and this state and marker
        are."""
        self.unsynced_from = NEVER if unsynced_from is None else unsynced_from
        self.durable_term, self.durable_vote, self.durable_commit = state
        self.promised_term, self.promised_vote, self.promised_commit = state
        self.durable_snapshot, self.durable_snapshot_term = snapshot
