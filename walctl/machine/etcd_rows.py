"""A member's state as the rows of a database, and back; no pages, no file.

    bucket            key                        value
    key               revision [74]              KeyValue                          (`keyrow`)
    lease             lease id, 8 bytes          Lease
    alarm             AlarmMember                nothing
    auth              authEnabled, authRevision  1 byte; 8 bytes
    authUsers         user name                  User
    authRoles         role name                  Role
    cluster           clusterVersion, downgrade  text; JSON
    members           id in hex                  JSON
    members_removed   id in hex                  removed
    meta              consistent_index, term     8 bytes each
                      confState                  JSON
                      scheduledCompactRev, finishedCompactRev       revisions

Numbers are big-endian. A compaction that was begun is ended when rows are loaded, as a server
does when it starts.

Source: etcd-data-dir notes 8.2-8.4; rows of etcd 3.4.23 and 3.5.1.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeVar

from formats import gojson
from formats.authpb import ROLE, USER
from formats.errors import FormatError, WireError
from formats.leasepb import LEASE, Lease
from formats.memberjson import member_json
from formats.raftpb import ConfState
from formats.rpcpb import ALARM_MEMBER, AlarmMember
from walctl.machine.keyrow import key_row, parse_key_row
from walctl.machine.members import Membership, parse_member, parse_object
from walctl.machine.mvcc import FIRST_REVISION, NEVER
from walctl.machine.state import Alarm, Downgrade, Options, State

Rows = Mapping[bytes, Iterable[tuple[bytes, bytes]]]
"""Keys and values by the name of their bucket; buckets that are absent are empty."""

_U64: Final = struct.Struct(">Q")
_REVISION: Final = struct.Struct(">QcQ")
_U64_MASK: Final = (1 << 64) - 1
_REMOVED: Final = b"removed"


T = TypeVar("T")
D = TypeVar("D")


class Row(NamedTuple):
    """One row of a database."""

    bucket: bytes
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What members of different versions write down differently.

    `persists_checkpoints`: what a leader noted of leases goes into their rows (etcd from 3.6 on,
    and 3.5 where it was asked for it). `writes_term`: bucket meta has term and confState (from
    3.5 on). `hides_passwords` leaves them out.
    """

    persists_checkpoints: bool = False
    writes_term: bool = True
    hides_passwords: bool = False


FORM: Final = Form()
"""As etcd 3.5 does."""


def rows_of(state: State, form: Form = FORM) -> Iterator[Row]:
    """Every row that says something of `state`, by bucket and key in the order of a database."""
    for alarm in sorted(
        ALARM_MEMBER.build(AlarmMember(member_id=each.member_id or None, alarm=each.type or None))
        for each in state.alarms
    ):
        yield Row(b"alarm", alarm, b"")
    auth = state.auth
    if auth.is_enabled is not None:
        yield Row(b"auth", b"authEnabled", b"\1" if auth.is_enabled else b"\0")
    yield Row(b"auth", b"authRevision", _U64.pack(auth.revision))
    roles = ((each.name or b"", ROLE.build(each)) for each in auth.roles.values())
    yield from (Row(b"authRoles", *each) for each in sorted(roles))
    told = auth.users.values()
    seen = (replace(each, password=None) for each in told) if form.hides_passwords else told
    users = ((each.name or b"", USER.build(each)) for each in seen)
    yield from (Row(b"authUsers", *each) for each in sorted(users))
    if state.cluster_version is not None:
        yield Row(
            b"cluster", b"clusterVersion", state.cluster_version.encode("utf-8", "surrogateescape")
        )
    if state.downgrade is not None:
        yield Row(b"cluster", b"downgrade", _downgrade_json(state.downgrade))
    yield from (Row(b"key", *key_row(each)) for each in state.store.rows())
    for lease_id, seconds in state.leases.told():
        left = seconds["remaining_ttl"] if form.persists_checkpoints else 0
        lease = Lease(id=lease_id or None, ttl=seconds["ttl"] or None, remaining_ttl=left or None)
        yield Row(b"lease", _U64.pack(lease_id & _U64_MASK), LEASE.build(lease))
    membership = state.membership
    members = ((b"%x" % node, member_json(each)) for node, each in membership.members.items())
    yield from (Row(b"members", *each) for each in sorted(members))
    yield from (Row(b"members_removed", b"%x" % each, _REMOVED) for each in _gone(membership))
    yield from _meta(state, form)


def _gone(membership: Membership) -> list[int]:
    return sorted(membership.removed, key=lambda each: b"%x" % each)


def _meta(state: State, form: Form) -> Iterator[Row]:
    """The rows of bucket `meta`."""
    found = {b"consistent_index": _U64.pack(state.applied)}
    if state.term and form.writes_term:
        found[b"term"] = _U64.pack(state.term)
    membership = state.membership
    if form.writes_term and (membership.voters or membership.learners):
        found[b"confState"] = _conf_state_json(membership)
    if state.store.compacted != NEVER:
        revision = _REVISION.pack(state.store.compacted, b"_", 0)
        found |= {b"scheduledCompactRev": revision, b"finishedCompactRev": revision}
    if state.storage_version is not None:
        found[b"storageVersion"] = state.storage_version
    yield from (Row(b"meta", *each) for each in sorted(found.items()))


def _conf_state_json(membership: Membership) -> bytes:
    """Raft's two lists; a joint configuration never stands in etcd's database."""
    told = ConfState(
        voters=tuple(sorted(membership.voters)), learners=tuple(sorted(membership.learners))
    )
    lists = {"voters": told.voters, "learners": told.learners}
    found: dict[str, object] = {name: list(ids) for name, ids in lists.items() if ids}
    return gojson.build({**found, "auto_leave": False})


def _downgrade_json(downgrade: Downgrade) -> bytes:
    return gojson.build(
        {"target-version": downgrade.target_version, "enabled": downgrade.is_enabled}
    )


def state_of(rows: Rows, options: Options) -> State:
    """The state that a database's rows tell of.

    Rows of `key` must come in the order of the database. Raises: FormatError, naming bucket and
    key of what does not read.
    """
    state = State.empty(options)
    meta = dict(rows.get(b"meta", ()))
    number = _reader(b"meta", meta)
    state.applied = number(b"consistent_index", _u64, 0)
    state.term = number(b"term", _u64, 0)
    state.storage_version = meta.get(b"storageVersion")
    _load_leases(state, rows)
    _load_keys(
        state,
        rows,
        scheduled=number(b"scheduledCompactRev", _main, NEVER),
        finished=number(b"finishedCompactRev", _main, NEVER),
    )
    for key, _ in rows.get(b"alarm", ()):
        alarm = _read(b"alarm", key, ALARM_MEMBER.parse, key)
        state.alarms.add(Alarm(alarm.member_id or 0, alarm.alarm or 0))
    _load_auth(state, rows)
    _load_membership(state, rows)
    if b"confState" in meta:
        lists = _read(b"meta", b"confState", parse_object, meta[b"confState"])
        state.membership.voters = _ids(lists.get("voters"))
        state.membership.learners = _ids(lists.get("learners"))
    return state


def _load_keys(state: State, rows: Rows, *, scheduled: int, finished: int) -> None:
    """Keys and their versions; a compaction that was not finished is."""
    found = [_read(b"key", key, _key_row, (key, value)) for key, value in rows.get(b"key", ())]
    newest = found[-1][1] if found else 0
    revision = max(newest, scheduled, finished, FIRST_REVISION)
    state.store.load(found, revision=revision, compacted=finished)
    if scheduled > finished:
        state.store.compact(scheduled)


def _load_leases(state: State, rows: Rows) -> None:
    for key, value in rows.get(b"lease", ()):
        lease = _read(b"lease", key, LEASE.parse, value)
        state.leases.put_back(
            lease.id or 0, ttl=lease.ttl or 0, remaining_ttl=lease.remaining_ttl or 0
        )


def _load_auth(state: State, rows: Rows) -> None:
    auth, found = state.auth, dict(rows.get(b"auth", ()))
    if b"authEnabled" in found:
        auth.is_enabled = found[b"authEnabled"] == b"\1"
    auth.revision = _reader(b"auth", found)(b"authRevision", _u64, auth.revision)
    for key, value in rows.get(b"authUsers", ()):
        auth.users[_text(key)] = _read(b"authUsers", key, USER.parse, value)
    for key, value in rows.get(b"authRoles", ()):
        auth.roles[_text(key)] = _read(b"authRoles", key, ROLE.parse, value)


def _load_membership(state: State, rows: Rows) -> None:
    """Members; Raft's lists as far as the members say, where the database has none."""
    membership, cluster = state.membership, dict(rows.get(b"cluster", ()))
    for key, value in rows.get(b"members", ()):
        member = _read(b"members", key, lambda data: parse_member(parse_object(data)), value)
        membership.members[member.id] = member
        (membership.learners if member.is_learner else membership.voters).add(member.id)
    for key, _ in rows.get(b"members_removed", ()):
        membership.removed.add(_read(b"members_removed", key, _hex, key))
    if b"clusterVersion" in cluster:
        state.cluster_version = _text(cluster[b"clusterVersion"])
    if b"downgrade" in cluster:
        found = _read(b"cluster", b"downgrade", parse_object, cluster[b"downgrade"])
        state.downgrade = Downgrade(
            str(found.get("target-version") or ""), found.get("enabled") is True
        )


def _read(bucket: bytes, key: bytes, parse: Callable[[D], T], data: D) -> T:
    """`parse(data)`, with the row's place in what it raises."""
    try:
        return parse(data)
    except FormatError as error:
        place = f"{bucket.decode()} {key.hex()}"
        raise type(error)(f"{place}: {error.message}", offset=error.offset) from None


def _reader(
    bucket: bytes, found: Mapping[bytes, bytes]
) -> Callable[[bytes, Callable[[bytes], int], int], int]:
    """Reads numbers of a bucket by their keys."""

    def number(key: bytes, parse: Callable[[bytes], int], default: int) -> int:
        return _read(bucket, key, parse, found[key]) if key in found else default

    return number


def _key_row(row: tuple[bytes, bytes]) -> tuple[bytes, int, int, int, int, bytes, int]:
    return parse_key_row(*row)


def _u64(data: bytes) -> int:
    if len(data) != _U64.size:
        raise WireError(f"expected {_U64.size} bytes, found {len(data)}")
    return int.from_bytes(data, "big")


def _main(data: bytes) -> int:
    """The main revision of one that stands alone."""
    if len(data) != _REVISION.size:
        raise WireError(f"expected a revision of {_REVISION.size} bytes, found {len(data)}")
    return int.from_bytes(data[:8], "big", signed=True)


def _hex(data: bytes) -> int:
    try:
        return int(data, 16)
    except ValueError:
        raise WireError("expected an id in hex digits") from None


def _ids(found: object) -> set[int]:
    return {each for each in found if isinstance(each, int)} if isinstance(found, list) else set()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
