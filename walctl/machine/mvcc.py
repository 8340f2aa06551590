"""The key space: every version of every key since the last compaction, and its hash.

Revisions count changing entries from 2 on; an empty store is at 1. All changes of one entry have
one main revision, and a sub revision each, from 0 on. Writing is put and delete, then `commit`:

    main = revision + 1    for every change until commit
    sub  = 0, 1, 2 ...     in the order of the changes
    commit                 revision = main, if anything changed

Between, reads see the changes. Nothing here decides whether a change may be made: rules about
requests are in `etcd`, `txn` and `auth`.

The order of keys is worked out when a range is asked for, not with each put.

Source: etcd-data-dir notes 8.5, 9.4 and 9.6; hashes equal those of etcd 3.4.23 and 3.5.1.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from crc32c import crc32c

from walctl.errors import WalctlError
from walctl.machine import keyindex
from walctl.machine.keyindex import Row
from walctl.machine.keyrow import key_row
from walctl.machine.lease import Lessor

FIRST_REVISION: Final = 1
NEVER: Final = -1
"""The compacted revision of a store that never was, as etcd counts it."""
ENDLESS: Final = b"\0"
"""The end of a range that has none."""

COMPACTED: Final = "mvcc: required revision has been compacted"
FUTURE: Final = "mvcc: required revision is a future revision"

_MAIN: Final = itemgetter(keyindex.MAIN)
_MAIN_SUB: Final = itemgetter(keyindex.MAIN, keyindex.SUB)
_INSERTED_MAX: Final = 8
"""So many new keys are put in their places one by one; more are sorted in."""


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin with `prefix`, as etcd's clients say it."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else ENDLESS


class RevisionError(WalctlError):
    """The key space cannot be seen at this revision; the message is etcd's."""


class KeyVersion(NamedTuple):
    """A key as one change left it; a tombstone has version 0 and nothing else but revisions."""

    key: bytes
    mod_revision: int
    sub_revision: int
    create_revision: int
    version: int
    value: bytes
    lease: int

    @property
    def is_tombstone(self) -> bool:
        """Whether this change deleted the key."""
        return self.version == 0


class Hash(NamedTuple):
    """What etcd's HashKV answers for `revision`; `compacted` is -1 before any compaction."""

    hash: int
    revision: int
    compacted: int


class Store:
    """Keys, their versions and the leases that they are attached to.

    `revision` and `compacted` are the current and the compacted revision. What is between a
    change and `commit` belongs to the caller: it must end with `commit`.
    """

    def __init__(self, leases: Lessor, *, keeps_tombstone: bool = False) -> None:
        self.revision = FIRST_REVISION
        self.compacted = NEVER
        self.leases = leases
        self.index: dict[bytes, list[Row]] = {}
        self._keeps_tombstone = keeps_tombstone
        self._changes = 0
        self._recent: list[Row] = []
        """Rows that the next compaction has to look at, in order of revisions."""
        self._sorted: list[bytes] = []
        self._fresh: list[bytes] = []
        """Keys that are not in `_sorted` yet."""
        self._has_gone_keys = False
        """Whether `_sorted` names keys that are not there any more."""

    # Writing.

    def put(self, key: bytes, value: bytes, lease: int) -> None:
        """A new version of `key`; the lease must be there, or 0."""
        main = self.revision + 1
        rows = self.index.get(key)
        if rows is None:
            row = (key, main, self._changes, main, 1, value, lease)
            self.index[key] = [row]
            self._fresh.append(key)
        else:
            last = rows[-1]
            version = last[4]
            # The key of the first version is the one that all others share.
            row = (
                last[0],
                main,
                self._changes,
                last[3] if version else main,
                version + 1,
                value,
                lease,
            )
            rows.append(row)
        self._recent.append(row)
        self._changes += 1
        if lease or key in self.leases.attached:
            self.leases.attach(row[0], lease)

    def delete(self, key: bytes) -> bool:
        """A tombstone for `key`; whether the key was there."""
        rows = self.index.get(key)
        if rows is None or not rows[-1][4]:
            return False
        row = (rows[-1][0], self.revision + 1, self._changes, 0, 0, b"", 0)
        rows.append(row)
        self._recent.append(row)
        self._changes += 1
        self.leases.detach(key)
        return True

    def delete_range(self, key: bytes, end: bytes = b"") -> int:
        """Tombstones for the living keys of a range, ascending; how many."""
        if not end:
            return int(self.delete(key))
        return sum(self.delete(each) for each in self._keys(key, end))

    def commit(self) -> int | None:
        """End an entry: the revision that it made, `None` where it changed nothing."""
        if not self._changes:
            return None
        self._changes = 0
        self.revision += 1
        return self.revision

    def compact(self, revision: int) -> None:
        """Drop history up to `revision`, which is above `compacted` and not above `revision`."""
        stop = bisect_right(self._recent, revision, key=_MAIN)
        touched = dict.fromkeys(row[0] for row in self._recent[:stop])
        recent = self._recent[stop:]
        left = []
        for key in touched:
            rows = keyindex.compacted(
                self.index[key], revision, keeps_tombstone=self._keeps_tombstone
            )
            if not rows:
                del self.index[key]
                self._has_gone_keys = True
                continue
            self.index[key] = rows
            if not rows[0][4]:
                left.append(rows[0])
        self._recent = left + recent
        self.compacted = revision

    def load(self, rows: Sequence[Row], *, revision: int, compacted: int) -> None:
        """Become what a database holds: its rows in their order, the revisions it stands at."""
        self.index = {}
        for row in rows:
            self.index.setdefault(row[0], []).append(row)
        self._recent = list(rows)
        self._sorted, self._fresh, self._has_gone_keys = [], list(self.index), False
        self.revision, self.compacted = revision, compacted
        for key, versions in self.index.items():
            last = versions[-1]
            if last[4] and last[6]:
                self.leases.attach(key, last[6])

    def copied(self) -> "Store":
        """The same key space of its own, between two entries; versions are shared."""
        assert not self._changes, "an entry was committed"
        other = Store(self.leases.copied(), keeps_tombstone=self._keeps_tombstone)
        other.revision, other.compacted = self.revision, self.compacted
        other.index = {key: rows.copy() for key, rows in self.index.items()}
        other._recent = self._recent.copy()
        other._fresh = list(other.index)
        return other

    # Reading.

    def get(self, key: bytes) -> Row | None:
        """The newest version of `key`, changes before `commit` included; `None` without one."""
        rows = self.index.get(key)
        if rows is None:
            return None
        return rows[-1] if rows[-1][4] else None

    def current(self, key: bytes, end: bytes = b"") -> list[Row]:
        """The newest versions of the living keys of a range, ascending by key."""
        if not end:
            row = self.get(key)
            return [] if row is None else [row]
        found = (self.index[each][-1] for each in self._keys(key, end))
        return [row for row in found if row[4]]

    def range(self, key: bytes, end: bytes = b"", *, revision: int = 0) -> list[KeyVersion]:
        """The living keys of `[key, end)` as they were at `revision` (0: now), ascending.

        An empty `end` means the one key, `ENDLESS` all from `key` on.

        Raises: RevisionError.
        """
        at = self._checked(revision)
        keys = self._keys(key, end) if end else [key] if key in self.index else []
        found = (keyindex.newest_at(self.index[each], at) for each in keys)
        return [KeyVersion(*row) for row in found if row is not None]

    def history(self, key: bytes) -> tuple[tuple[KeyVersion, ...], ...]:
        """Every version of `key` that compaction has left, by generation, oldest first."""
        lives = keyindex.generations(self.index.get(key, ()))
        return tuple(tuple(KeyVersion(*row) for row in life) for life in lives)

    def changes(self, *, first: int, last: int) -> Iterator[KeyVersion]:
        """Every change that revisions `first..last` (both included) made, in their order.

        Raises: RevisionError, when history does not reach so far back.
        """
        if first <= self.compacted:
            raise RevisionError(COMPACTED)
        start = bisect_left(self._recent, first, key=_MAIN)
        stop = bisect_right(self._recent, last, key=_MAIN)
        return (KeyVersion(*row) for row in self._recent[start:stop])

    def rows(self) -> list[Row]:
        """Every version of every key, in order of revisions: the rows of a database."""
        return sorted((row for rows in self.index.values() for row in rows), key=_MAIN_SUB)

    def hash(self, revision: int = 0) -> Hash:
        """The hash that etcd's HashKV gives of the key space at `revision` (0: now).

        Raises: RevisionError.
        """
        at = self._checked(revision)
        newest = (keyindex.newest_at(rows, at) for rows in self.index.values())
        kept = {_MAIN_SUB(row) for row in newest if row is not None}
        total = crc32c(b"key")
        for row in self.rows():
            main = row[1]
            if main > at:
                break
            if main <= self.compacted:
                if kept and (main, row[2]) not in kept:
                    continue
                if main == self.compacted and not row[4]:
                    continue
            key, value = key_row(row)
            total = crc32c(value, crc32c(key, total))
        return Hash(total, at, self.compacted)

    def _checked(self, revision: int) -> int:
        """The revision that is meant. Raises: RevisionError."""
        at = revision or self.revision
        if at > self.revision:
            raise RevisionError(FUTURE)
        if at < self.compacted:
            raise RevisionError(COMPACTED)
        return at

    def _keys(self, key: bytes, end: bytes) -> list[bytes]:
        """The keys of a range that have an end, ascending, deleted ones included."""
        ordered = self._ordered()
        start = bisect_left(ordered, key)
        return ordered[start:] if end == ENDLESS else ordered[start : bisect_left(ordered, end)]

    def _ordered(self) -> list[bytes]:
        """Every key that has versions, ascending."""
        if self._has_gone_keys:
            fresh = set(self._fresh)
            there = (each for each in self._sorted if each in self.index and each not in fresh)
            self._sorted = list(there)
            # A key that came, went and came again is among the fresh ones twice.
            self._fresh = [each for each in fresh if each in self.index]
            self._has_gone_keys = False
        if len(self._fresh) <= _INSERTED_MAX:
            for key in self._fresh:
                insort(self._sorted, key)
        else:
            self._sorted += self._fresh
            self._sorted.sort()
        self._fresh = []
        return self._sorted
