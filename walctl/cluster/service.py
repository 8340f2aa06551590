"""What clients may ask of a group's machine: requests into payloads, states into answers.

A `Service` is the face of a machine: whoever answers clients asks it for the payload of a write,
proposes that, and applies what was committed through it, to learn what became of the write. Keys
and values are bytes as they are. No disk, no network, no clock: the driver and the simulator run
this alike.

    KvService       raftexample's map, its proposals and those of ours (`formats.kvpb`)
    EtcdService     etcd's key space, requests as etcd 3.5 logs them: for labs from copied members

Large states cost time, and the thread that applies has none: there a snapshot is frozen and taken
over, which takes milliseconds for a million keys; another one may build and read it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from formats.errors import FormatError
from formats.gob import Pair, build_pair
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest, RequestHeader
from formats.kvpb import build_delete, build_swap
from formats.rpcpb import (
    Compare,
    CompareTarget,
    DeleteRangeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from walctl.cluster.answers import Fate
from walctl.machine import txn
from walctl.machine.base import Entry, Outcome, Result
from walctl.machine.etcd import Etcd
from walctl.machine.kv import SWAP, Kv, parse_proposal, refusal
from walctl.machine.mvcc import ENDLESS, prefix_end

_REQUEST_ID_BITS: Final = 48
_DONE: Final = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.SKIPPED)


class Done(NamedTuple):
    """What became of a committed entry: `OK`, or `FAIL` with the reason, and then without effect.

    `found` is what the key of a failed swap has instead (`None`: it is not there).
    """

    fate: Fate
    words: str = ""
    found: bytes | None = None


class Frozen(Protocol):
    """A state as it was at one moment; another thread may build its snapshot."""

    def build(self) -> bytes:
        """The snapshot."""

    def chunks(self) -> Iterator[bytes]:
        """The same in pieces."""

    def digest(self) -> str:
        """A short text that is equal for equal states."""


class Service(Protocol):
    """The face of a machine to clients; see the module. `read` and `range` see what was applied."""

    def put(self, key: bytes, value: bytes) -> bytes:
        """The payload that stores a value."""

    def delete(self, key: bytes) -> bytes:
        """The payload that takes a key away; of one that is not there too, that is no failure."""

    def swap(self, key: bytes, expected: bytes | None, value: bytes | None) -> bytes:
        """The payload that gives a key `value` if it has `expected`; `None`: it is not there."""

    def read(self, key: bytes) -> bytes | None:
        """What a key has; `None`: it is not there."""

    def range(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """The first pairs whose keys begin with `prefix`, ascending; at most `limit`."""

    def apply(self, entry: Entry) -> Done:
        """Carry out one committed entry. Raises nothing, whatever the entry holds."""

    def freeze(self) -> Frozen:
        """The state as it is now."""

    def thaw(self, data: bytes) -> Callable[[], None]:
        """Read a snapshot, in any thread; what comes back makes the machine become that.

        Raises: FormatError.
        """

    def restore(self, data: bytes) -> None:
        """Become what a snapshot says, at once. Raises: FormatError; the state is as it was."""

    def digest(self) -> str:
        """A short text that is equal for equal states."""


class KvService:
    """raftexample's map."""

    def __init__(self, machine: Kv | None = None) -> None:
        self.machine = Kv() if machine is None else machine
        self.machine.keep_order()

    def put(self, key: bytes, value: bytes) -> bytes:
        """See `Service`; raftexample's own pair."""
        return build_pair(Pair(key=key, value=value))

    def delete(self, key: bytes) -> bytes:
        """See `Service`."""
        return build_delete(key)

    def swap(self, key: bytes, expected: bytes | None, value: bytes | None) -> bytes:
        """See `Service`."""
        return build_swap(key, expected, value)

    def read(self, key: bytes) -> bytes | None:
        """See `Service`."""
        return self.machine.pairs.get(key)

    def range(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """See `Service`."""
        return self.machine.range(prefix, limit)

    def apply(self, entry: Entry) -> Done:
        """See `Service`."""
        result = self.machine.apply(entry)
        if result.outcome is Outcome.REFUSED and result.kind == SWAP:
            found = self.machine.pairs.get(parse_proposal(entry.data or b"").key or b"")
            return Done(Fate.FAIL, result.words or "", found)
        return _done(result)

    def freeze(self) -> Frozen:
        """See `Service`."""
        return self.machine.freeze()

    def thaw(self, data: bytes) -> Callable[[], None]:
        """See `Service`."""
        other = Kv()
        other.restore(data)
        other.keep_order()
        return lambda: self.machine.take(other)

    def restore(self, data: bytes) -> None:
        """See `Service`."""
        self.thaw(data)()

    def digest(self) -> str:
        """See `Service`."""
        return self.machine.digest()


def first_request_id(member_id: int, moment_ms: int) -> int:
    """Where a member's request ids begin, as etcd's do: the low 16 bits of its id, then time.

    40 bits of milliseconds and 8 that count, so that a member that starts again uses none twice: as
    long as `moment_ms` goes on over a boot of the machine, as `runtime.wall_ms` does.
    """
    low_bits = (1 << _REQUEST_ID_BITS) - 1
    return (member_id & 0xFFFF) << _REQUEST_ID_BITS | (moment_ms << 8) & low_bits


@dataclass(frozen=True, slots=True)
class _FrozenEtcd:
    """An etcd's state, of its own."""

    machine: Etcd

    def build(self) -> bytes:
        return self.machine.snapshot()

    def chunks(self) -> Iterator[bytes]:
        yield self.machine.snapshot()

    def digest(self) -> str:
        return self.machine.digest()


class EtcdService:
    """etcd's key space. `request_id` is the id of the next request; see `first_request_id`.

    `user` is as whom requests run where the copied members had authentication switched on.
    """

    def __init__(self, machine: Etcd | None = None, *, request_id: int, user: str = "") -> None:
        self.machine = Etcd() if machine is None else machine
        self.request_id = request_id
        self.user = user

    def put(self, key: bytes, value: bytes) -> bytes:
        """See `Service`."""
        return self._payload(InternalRaftRequest(put=_put(key, value)))

    def delete(self, key: bytes) -> bytes:
        """See `Service`."""
        return self._payload(InternalRaftRequest(delete_range=DeleteRangeRequest(key=_set(key))))

    def swap(self, key: bytes, expected: bytes | None, value: bytes | None) -> bytes:
        """See `Service`; where the condition does not hold the key is read, as clients do."""
        if expected is None:
            condition = Compare(target=CompareTarget.CREATE, key=_set(key), create_revision=0)
        else:
            condition = Compare(target=CompareTarget.VALUE, key=_set(key), value=expected)
        if value is None:
            step = RequestOp(request_delete_range=DeleteRangeRequest(key=_set(key)))
        else:
            step = RequestOp(request_put=_put(key, value))
        otherwise = RequestOp(request_range=RangeRequest(key=_set(key)))
        asked = TxnRequest(compare=(condition,), success=(step,), failure=(otherwise,))
        return self._payload(InternalRaftRequest(txn=asked))

    def read(self, key: bytes) -> bytes | None:
        """See `Service`."""
        row = self.machine.store.get(key)
        return None if row is None else row[5]

    def range(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """See `Service`."""
        rows = self.machine.store.current(prefix or ENDLESS, prefix_end(prefix))
        return [(row[0], row[5]) for row in rows[:limit]]

    def apply(self, entry: Entry) -> Done:
        """See `Service`."""
        swap = None if entry.type or not entry.data else _swap_in(entry.data)
        if swap is None:
            return _done(self.machine.apply(entry))
        store, (condition,) = self.machine.store, swap.compare
        has_held, found = txn.is_met(store, condition), self.read(condition.key or b"")
        done = _done(self.machine.apply(entry))
        if done.fate is Fate.OK and not has_held:
            # etcd itself says no more than that it took the other branch.
            return Done(Fate.FAIL, refusal(found, condition.value), found)
        return done

    def freeze(self) -> Frozen:
        """See `Service`."""
        return _FrozenEtcd(self.machine.copied())

    def thaw(self, data: bytes) -> Callable[[], None]:
        """See `Service`."""
        other = Etcd(options=self.machine.options)
        other.restore(data)
        return lambda: self.machine.take(other)

    def restore(self, data: bytes) -> None:
        """See `Service`."""
        self.thaw(data)()

    def digest(self) -> str:
        """See `Service`."""
        return self.machine.digest()

    def _payload(self, request: InternalRaftRequest) -> bytes:
        """The request with a header, as the member that a client asked would log it."""
        header = RequestHeader(id=self.request_id)
        if self.user:
            revision = self.machine.state.auth.revision
            header = replace(header, username=self.user, auth_revision=revision or None)
        self.request_id += 1
        return INTERNAL_RAFT_REQUEST.build(replace(request, header=header))


def _swap_in(data: bytes) -> TxnRequest | None:
    """The transaction that `EtcdService.swap` makes, if that is what an entry holds."""
    if data[:1] != _TXN_TAG:
        return None
    try:
        found = INTERNAL_RAFT_REQUEST.parse(data).txn
    except FormatError:
        return None
    if found is None or len(found.compare) != 1 or len(found.success) != 1:
        return None
    (condition,), others = found.compare, found.failure
    asked = RequestOp(request_range=RangeRequest(key=condition.key))
    return found if others == (asked,) and not condition.range_end else None


_TXN_TAG: Final = b"\x32"


def _put(key: bytes, value: bytes) -> PutRequest:
    return PutRequest(key=_set(key), value=_set(value))


def _set(value: bytes) -> bytes | None:
    """A field that is left out where it is empty."""
    return value or None


def _done(result: Result) -> Done:
    """What became of an entry, to whoever proposed it."""
    if result.outcome in _DONE:
        return Done(Fate.OK)
    return Done(Fate.FAIL, result.words or "")
