"""Two states of etcd, key by key: what the log made against what the database has.

Compared is what clients can tell apart: every version of every key since the compaction, leases
with their time to live, alarms, users, roles and permissions. A compaction takes effect in the
database at once, also where the index that it says it has applied is an older one: what it has
taken away is no difference. Nor is a lease, an alarm or a user that the log has a little later: 3.4
writes them down at once, and its index with the next change of a key. Left out is what members
write down differently though they agree: how long a lease has left, passwords (each member of 3.4
hashes them for itself), the tombstone that a compaction of its very revision leaves (from 3.4.34
and 3.5.16 on), times to live that a member lengthens, by its election timeout, and the cluster's
members, which 3.5 does not always put into its database.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter

from formats.authpb import ROLE, USER
from walctl.machine import keyindex
from walctl.machine.etcd import Etcd
from walctl.machine.keyindex import Row
from walctl.machine.lease import TTL_SECONDS_MIN

KEY_BUCKET = "key"
TTL_SECONDS_LENGTHENED_MAX = 75
"""One and a half times the longest election timeout that etcd takes: no lease is made longer."""
_U64_MASK = (1 << 64) - 1
_REVISION = itemgetter(keyindex.MAIN, keyindex.SUB)
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

    def and_also(self, found: Iterable[Difference]) -> "Agreement":
        """With more differences, behind the others."""
        kept, count = list(self.differences), self.count
        for each in found:
            count += 1
            if len(kept) < DIFFERENCES_MAX:
                kept.append(each)
        revisions = (each.mod_revision for each in kept if each.mod_revision is not None)
        first = min(revisions, default=None)
        return replace(self, count=count, differences=tuple(kept), first_revision=first)


Things = Mapping[tuple[str, bytes], str]
"""What a state has beside keys, by bucket and name, in words that are equal for equal things."""


def of_keys(mine: Etcd, stored: Etcd) -> Iterator[Difference]:
    """Keys that the state of a log and a database which has applied the same entries do not share,
    by their revisions."""
    compacted = max(mine.store.compacted, stored.store.compacted)
    return _merged(_rows(mine, compacted), _rows(stored, compacted))


def of_others(then: Things, later: Things, stored: Things) -> Iterator[Difference]:
    """What else they do not share, by name: `stored` has it neither as the log had it when both had
    applied the same entries, nor as it has it now."""
    for place in sorted({*then, *stored}):
        ours, theirs = then.get(place, ""), stored.get(place, "")
        if theirs not in (ours, later.get(place, "")):
            bucket, key = place
            yield Difference(bucket=bucket, key=key, in_log=ours, in_database=theirs)


def _merged(mine: list[Row], stored: list[Row]) -> Iterator[Difference]:
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
            in_database=_told_apart(ours, theirs) if is_theirs else "",
        )
        at, other = at + is_ours, other + is_theirs


def _rows(machine: Etcd, compacted: int) -> list[Row]:
    """Every version that a compaction up to that revision leaves, in order of revisions, without
    the tombstone that some leave of that revision itself."""
    if machine.store.compacted >= compacted:
        rows = machine.store.rows()
    else:
        versions = machine.store.index.values()
        left = (keyindex.compacted(each, compacted, keeps_tombstone=False) for each in versions)
        rows = sorted((row for each in left for row in each), key=_REVISION)
    return [row for row in rows if row[1] > compacted or row[4]] if compacted > 0 else rows


def _told_apart(ours: Row | None, theirs: Row | None) -> str:
    """The database's version in words that are not those of the log's."""
    words = _version(theirs)
    if theirs is None or ours is None or ours[1:3] != theirs[1:3]:
        return words
    if ours[0] != theirs[0]:
        return f"another key: {words}"
    return f"{words}, another value" if words == _version(ours) else words


def _version(row: Row | None) -> str:
    """One version in a few words; the value by its size, as it may be a secret."""
    if row is None:
        return ""
    _, main, sub, create, version, value, lease = row
    if not version:
        return f"deleted at revision {main}.{sub}"
    size = "1 byte" if len(value) == 1 else f"{len(value)} bytes"
    words = f"version {version} of revision {main}.{sub}, created at {create}, {size}"
    return f"{words}, lease {lease:x}" if lease else words


def ttl_floor(stored: Etcd) -> int:
    """No lease of a database lives shorter than so many seconds, as far as its member's election
    timeout could be the reason."""
    shortest = min((each.ttl for each in stored.state.leases.leases.values()), default=0)
    return shortest if TTL_SECONDS_MIN < shortest <= TTL_SECONDS_LENGTHENED_MAX else TTL_SECONDS_MIN


def named(machine: Etcd, *, ttl_seconds_min: int = 0) -> Things:
    """What a state has beside keys, leases with no less than that time to live."""
    state = machine.state
    found: dict[tuple[str, bytes], str] = {}
    for lease_id, seconds in state.leases.told():
        seconds_to_live = max(seconds["ttl"], ttl_seconds_min)
        found["lease", b"%x" % (lease_id & _U64_MASK)] = f"{seconds_to_live} s to live"
    for alarm in state.alarms:
        found["alarm", b"%x type %d" % (alarm.member_id, alarm.type)] = "raised"
    auth = state.auth
    if auth.is_enabled is not None:
        found["auth", b"authEnabled"] = str(auth.is_enabled).lower()
    found["auth", b"authRevision"] = str(auth.revision)
    for name, user in auth.users.items():
        found["authUsers", name.encode("utf-8", "surrogateescape")] = USER.build(
            replace(user, password=None)
        ).hex()
    for name, role in auth.roles.items():
        found["authRoles", name.encode("utf-8", "surrogateescape")] = ROLE.build(role).hex()
    return found
