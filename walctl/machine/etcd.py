"""etcd's state machine: entries of its log to keys, leases, alarms, users, members.

What a member does with an entry, in this order:

    the gate      an index that is not above the last one applied changes nothing, but what the
                  entry says of members is put in again: a database of 3.5 may lack it; an index
                  that is not the next one is none that a member could be given
    no data       nothing: a leader's first entry
    type 1        a membership change
    a request     one field of InternalRaftRequest, by the order of `HANDLERS`; or, where the data
                  is none, a request of the v2 interface, of which two say something of members
    otherwise     the member ends itself

Before a request runs, alarms are asked (NOSPACE stops what could grow, CORRUPT nearly all), then
whether the user may. A refused request has no effect and makes no revision, but its index is used.

Where the same entry has had different effects on real members, `Result.hazard` says so: with etcd
up to 3.5 one alarm that comes or goes takes another's effect with it. Not followed: that an alarm
takes permission checks away until the next start; how many learners there may be; v2 keys.

Source: etcd's server/etcdserver/apply.go and apply_auth.go; etcd-data-dir notes 9.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from formats.errors import FormatError, LimitError
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.raftpb import CONF_CHANGE, EntryType
from walctl.machine import parcel
from walctl.machine.auth import Identity
from walctl.machine.base import Entry, Outcome, Result
from walctl.machine.etcd_requests import HANDLERS, OF_MEMBERS, changed, publish
from walctl.machine.etcd_rows import FORM, Form, Row, Rows, rows_of, state_of
from walctl.machine.members import parse_attributes, parse_change, parse_object
from walctl.machine.mvcc import Store
from walctl.machine.shortcut import simple_put
from walctl.machine.state import Options, State

_ATTRIBUTES: Final = re.compile(r"/0/members/([0-9a-fA-F]{1,16})/attributes").fullmatch
_VERSION_PATH: Final = "/0/version"
_NOT_IMPLEMENTED: Final = "not implemented"
_GAP: Final = "unexpected committed entry index"
_UNKNOWN_TYPE: Final = "unknown entry type; must be either EntryNormal or EntryConfChange"
_MAGIC: Final = b"walctl etcd state 1\n"
_PLAIN_PUT: Final = "put"

_APPLIED: Final = Outcome.APPLIED


class Etcd:
    """A member of etcd, as far as its log decides what it holds.

    Begins empty; `from_rows` begins with a database. `state` is for reading.
    """

    def __init__(self, *, options: Options | None = None, state: State | None = None) -> None:
        self.options = options or Options()
        self.state = State.empty(self.options) if state is None else state

    @classmethod
    def from_rows(cls, rows: Rows, *, options: Options | None = None) -> "Etcd":
        """The member that a database tells of: its rows by bucket, those of `key` in order.

        Raises: FormatError, naming bucket and key of what does not read.
        """
        options = options or Options()
        return cls(options=options, state=state_of(rows, options))

    @property
    def store(self) -> Store:
        """The key space."""
        return self.state.store

    @property
    def applied(self) -> int:
        """Index of the last entry that was applied; 0 before the first."""
        return self.state.applied

    def apply(self, entry: Entry) -> Result:
        """Carry out one committed entry; what does not decode, or ends a member, is not used up."""
        index, data, state = entry.index, entry.data, self.state
        if index != state.applied + 1:
            is_known = index <= state.applied
            return self._again(entry) if is_known else Result(Outcome.FATAL, words=_GAP)
        if data and not entry.type and not state.alarms and not state.auth.is_enabled:
            # What most logs consist of; a test holds it to the way below.
            found = simple_put(data)
            if found is not None and (not found.lease or found.lease in state.leases):
                store = state.store
                store.put(*found)
                state.applied, state.term = index, entry.term
                return Result(_APPLIED, _PLAIN_PUT, None, store.commit())
        result = self._carried_out(entry)
        if result.outcome not in (Outcome.UNDECODABLE, Outcome.FATAL):
            state.applied, state.term = index, entry.term
        return result

    def snapshot(self) -> bytes:
        """The rows of a database, packed, with all that a checkpoint said of leases."""
        return parcel.pack(_MAGIC, self.rows(Form(persists_checkpoints=True)))

    def copied(self) -> "Etcd":
        """A member of its own with the same state: others may take its snapshot, in any thread."""
        return Etcd(options=self.options, state=self.state.copied())

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` gave. Raises: FormatError."""
        self.state = state_of(parcel.unpack(_MAGIC, data), self.options)

    def take(self, other: "Etcd") -> None:
        """The state of another, which is not used any more."""
        self.state = other.state

    def rows(self, form: Form = FORM) -> Iterator[Row]:
        """The rows of a database of this member, bucket by bucket, in order.

        A password that the log has as it was typed (3.4) is left out: every member made its own
        hash of it.
        """
        return rows_of(self.state, form)

    def digest(self, *, has_members: bool = True) -> str:
        """SHA-256 of what clients can tell apart, in hex.

        Of all rows but bucket meta (how far the log was applied, and the rest Raft knows), of
        users without their passwords, of leases without what a checkpoint said. Without
        `has_members` also without the cluster's members, which a database of 3.5 may have old.
        """
        left_out = {b"meta"} if has_members else {b"meta", b"members", b"members_removed"}
        total = hashlib.sha256()
        for row in rows_of(self.state, Form(hides_passwords=True)):
            if row.bucket not in left_out:
                total.update(b"%d %d %d " % (len(row.bucket), len(row.key), len(row.value)))
                total.update(b"".join(row))
        total.update(b"%d %d" % (self.store.revision, self.store.compacted))
        return total.hexdigest()

    def _again(self, entry: Entry) -> Result:
        """An entry that the key space has: members are told again, as a starting server does."""
        kind = ""
        if entry.data and entry.type == EntryType.CONF_CHANGE:
            kind = self._conf_change(entry.data).kind
        elif entry.data and not entry.type and simple_put(entry.data) is None:
            request = _parsed(entry.data)
            if isinstance(request, V2Request):
                kind = self._v2(request).kind
            elif isinstance(request, InternalRaftRequest) and _is_of_members(request):
                kind = self._request(request).kind
        return Result(Outcome.SKIPPED, kind)

    def _carried_out(self, entry: Entry) -> Result:
        """What became of an entry."""
        if entry.type == EntryType.CONF_CHANGE:
            return self._conf_change(entry.data or b"")
        if entry.type:
            return Result(Outcome.FATAL, words=_UNKNOWN_TYPE)
        if not entry.data:
            return Result(Outcome.UNCHANGED)
        request = _parsed(entry.data)
        if isinstance(request, str):
            return Result(Outcome.UNDECODABLE, words=request)
        return self._v2(request) if isinstance(request, V2Request) else self._request(request)

    def _request(self, request: InternalRaftRequest) -> Result:
        """The one request that counts."""
        if request.v2 is not None:
            return self._v2(request.v2)
        for name, handler in HANDLERS:
            inner = getattr(request, name)
            if inner is not None:
                result = handler(self.state, inner, Identity.of(request.header))
                return result._replace(kind=name)
        return Result(Outcome.FATAL, words=_NOT_IMPLEMENTED)

    def _conf_change(self, data: bytes) -> Result:
        """A membership change."""
        try:
            change = parse_change(CONF_CHANGE.parse(data))
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, "conf_change", error.message)
        words = self.state.membership.apply(change)
        outcome = Outcome.APPLIED if words is None else Outcome.REFUSED
        return Result(outcome, "conf_change", words)

    def _v2(self, request: V2Request) -> Result:
        """A request of the v2 interface: what members said of themselves before 3.5."""
        kind = f"v2_{(request.method or '').lower()}"
        member = _ATTRIBUTES(request.path or "")
        if request.method != "PUT" or (member is None and request.path != _VERSION_PATH):
            return Result(Outcome.UNCHANGED, kind)
        text = request.val or ""
        if member is None:
            had, self.state.cluster_version = self.state.cluster_version, text
            return changed(had != text)._replace(kind=kind)
        try:
            said = parse_attributes(parse_object(text.encode("utf-8", "surrogateescape")))
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, kind, error.message)
        return publish(self.state, int(member[1], 16), *said)._replace(kind=kind)


def _is_of_members(request: InternalRaftRequest) -> bool:
    """Whether a request says something that a database may lack."""
    asked = (getattr(request, name) is not None for name in OF_MEMBERS)
    return request.v2 is not None or any(asked)


def _parsed(data: bytes) -> InternalRaftRequest | V2Request | str:
    """The message that etcd takes an entry's data for, or why there is none."""
    try:
        return INTERNAL_RAFT_REQUEST.parse(data)
    except LimitError as error:
        return error.message
    except FormatError as error:
        internal = error.message
    try:
        return REQUEST.parse(data)
    except FormatError as error:
        return f"no InternalRaftRequest ({internal}), no v2 Request ({error.message})"
