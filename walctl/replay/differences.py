"""Two states of etcd, key by key: what the log made against what the database has.

Compared is what clients can tell apart: every version of every key since the compaction, leases
with their time to live, alarms, users, roles and permissions. A compaction takes effect in the
database at once, also where the index that it says it has applied is an older one: what it has
taken away is no difference. Left out is what members write down differently though they agree: how
long a lease has left, passwords (each member of 3.4 hashes them for itself), and the cluster's
members, which 3.5 does not always put into its database.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter

from formats.authpb import ROLE, USER
from walctl.machine import keyindex
from walctl.machine.etcd import Etcd
from walctl.machine.keyindex import Row

KEY_BUCKET = "key"
DIFFERENCES_MAX = 100
"""Differences that are kept; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same: in which bucket, what it is called, and what each side has.

    `mod_revision` is that of a version of a key. Sides are words, empty where one has nothing.
    """

    bucket: str
    key: bytes
    mod_revision: int | None = None
    in_log: str
    in_database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What comparing a log's state with a database's at entry `index` has shown.

    `first_revision` is the lowest one at which a key differs, `first_index` the entry that made it.
    """

    index: int
    count: int
    differences: tuple[Difference, ...] = ()
    first_revision: int | None = None
    first_index: int | None = None

    @property
    def is_equal(self) -> bool:
        """Whether the two are the same."""
        return self.count == 0


def agreement(mine: Etcd, stored: Etcd) -> Agreement:
    """Hold the state of a log against that of a database which has applied the same entries."""
    found = differences(mine, stored)
    kept = tuple(islice(found, DIFFERENCES_MAX))
    count = len(kept) + sum(1 for _ in found)
    revisions = (each.mod_revision for each in kept if each.mod_revision is not None)
    return Agreement(
        index=mine.applied,
        count=count,
        differences=kept,
        first_revision=min(revisions, default=None),
    )


def differences(mine: Etcd, stored: Etcd) -> Iterator[Difference]:
    """Everything that is not the same: keys by their revisions, then the rest by name."""
    compacted = max(mine.store.compacted, stored.store.compacted)
    yield from _of_keys(_rows(mine, compacted), _rows(stored, compacted))
    log, database = named(mine), named(stored)
    for place in sorted({*log, *database}):
        ours, theirs = log.get(place, ""), database.get(place, "")
        if ours != theirs:
            bucket, key = place
            yield Difference(bucket=bucket, key=key, in_log=ours, in_database=theirs)


def _of_keys(mine: list[Row], stored: list[Row]) -> Iterator[Difference]:
    """Two lists of versions, both in the order of their revisions, merged."""
    at = other = 0
    while at < len(mine) or other < len(stored):
        ours = mine[at] if at < len(mine) else None
        theirs = stored[other] if other < len(stored) else None
        if ours == theirs:
            at, other = at + 1, other + 1
            continue
        is_ours = theirs is None or (ours is not None and ours[1:3] <= theirs[1:3])
        is_theirs = ours is None or (theirs is not None and theirs[1:3] <= ours[1:3])
        row = ours if is_ours else theirs
        assert row is not None, "one of the two lists goes on"
        yield Difference(
            bucket=KEY_BUCKET,
            key=row[0],
            mod_revision=row[1],
            in_log=_version(ours) if is_ours else "",
            in_database=_version(theirs) if is_theirs else "",
        )
        at, other = at + is_ours, other + is_theirs


def _rows(machine: Etcd, compacted: int) -> list[Row]:
    """Every version that a compaction up to that revision leaves, in order of revisions."""
    if machine.store.compacted >= compacted:
        return machine.store.rows()
    versions = machine.store.index.values()
    left = (keyindex.compacted(each, compacted, keeps_tombstone=False) for each in versions)
    order = itemgetter(keyindex.MAIN, keyindex.SUB)
    return sorted((row for rows in left for row in rows), key=order)


def _version(row: Row | None) -> str:
    """One version in a few words; the value by its size, as it may be a secret."""
    if row is None:
        return ""
    _, main, sub, create, version, value, lease = row
    if not version:
        return f"deleted at revision {main}.{sub}"
    words = f"version {version} of revision {main}.{sub}, created at {create}, {len(value)} bytes"
    return f"{words}, lease {lease:x}" if lease else words


def named(machine: Etcd) -> dict[tuple[str, bytes], str]:
    """What a state has beside keys, by bucket and name; texts are equal for equal things."""
    state = machine.state
    found: dict[tuple[str, bytes], str] = {}
    for lease_id, seconds in state.leases.told():
        found["lease", b"%x" % lease_id] = f"{seconds['ttl']} s to live"
    for alarm in state.alarms:
        found["alarm", b"%x" % alarm.member_id] = f"alarm {alarm.type}"
    auth = state.auth
    if auth.is_enabled is not None:
        found["auth", b"authEnabled"] = str(auth.is_enabled).lower()
    found["auth", b"authRevision"] = str(auth.revision)
    for name, user in auth.users.items():
        found["authUsers", name.encode()] = USER.build(replace(user, password=None)).hex()
    for name, role in auth.roles.items():
        found["authRoles", name.encode()] = ROLE.build(role).hex()
    return found
