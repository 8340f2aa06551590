"""raftexample's state machine: one map from key to value, and the members by their ids.

An entry holds one pair, as gob, or a request of ours that a pair cannot say (`formats.kvpb`); a
membership change adds or removes a member. A snapshot is the map as JSON, byte for byte as
raftexample writes it. JSON cannot hold bytes that are no UTF-8: a map that has some is written in a
form of ours (`formats.kvstore`), where raftexample writes U+FFFD in their place and then differs
from a member that applied the log. Neither says which entry it is of, nor who the members are: a
snapshot file has that beside it.

A swap that is refused has no effect: what the key has instead is in `pairs` right after it.

Source: raftexample notes 4 and 5.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from formats import kvpb, kvstore
from formats.errors import FormatError
from formats.gob import Pair, parse_pair
from formats.jsonpairs import BATCH_PAIRS_MAX, Batch
from formats.kvpb import KvRequest, Op
from formats.raftexample import store_chunks
from formats.raftpb import CONF_CHANGE, CONF_CHANGE_V2, ConfChangeType, EntryType
from walctl.machine.base import Entry, Outcome, Result
from walctl.machine.keyorder import KeyOrder

PUT: Final = "put"
DELETE: Final = "delete"
SWAP: Final = "cas"
"""The requests, as results name them."""

IS_THERE: Final = "the key is there"
IS_NOT_THERE: Final = "the key is not there"
IS_OTHER: Final = "the key has another value"
"""Why a swap is refused."""

_LEARNERS_TOO: Final = (ConfChangeType.ADD_NODE, ConfChangeType.ADD_LEARNER_NODE)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A map as it was at one moment, for whoever writes it down while the machine goes on."""

    pairs: dict[bytes, bytes]
    order: list[list[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """The snapshot in pieces of about a MiB; no step takes long."""
        items = iter(self.pairs.items())  # in any order: that is faster by far
        is_text = kvstore.is_text(iter(lambda: [*itertools.islice(items, BATCH_PAIRS_MAX)], []))
        yield from (store_chunks if is_text else kvstore.marked_chunks)(self._batches())

    def build(self) -> bytes:
        """The snapshot."""
        return b"".join(self.chunks())

    def digest(self) -> str:
        """SHA-256 of the pairs by their keys, in hex."""
        total = hashlib.sha256()
        for key in itertools.chain.from_iterable(self.order):
            value = self.pairs[key]
            total.update(b"%d %d " % (len(key), len(value)) + key + value)
        return total.hexdigest()

    def _batches(self) -> Iterator[Batch]:
        pairs = self.pairs
        return ([(key, pairs[key]) for key in block] for block in self.order)


class Kv:
    """The map of a member of raftexample. `pairs` and `members` are for reading."""

    def __init__(self, *, members: Iterable[int] = ()) -> None:
        self.pairs: dict[bytes, bytes] = {}
        self.members: set[int] = set(members)
        self._order: KeyOrder | None = None
        """Kept from the first time that somebody asks for it."""

    def apply(self, entry: Entry) -> Result:
        """Carry out one request, or change the members."""
        if entry.type == EntryType.CONF_CHANGE:
            return self._conf_change(entry)
        if entry.type == EntryType.CONF_CHANGE_V2:
            return self._conf_change_v2(entry)
        if entry.type or not entry.data:
            return Result(Outcome.UNCHANGED)
        try:
            request = parse_proposal(entry.data)
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, words=error.message)
        if isinstance(request, KvRequest):
            return self._request(request)
        self._put(request.key, request.value)
        return Result(Outcome.APPLIED, PUT)

    def range(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """The first pairs whose keys begin with `prefix`, ascending; at most `limit`."""
        found = itertools.takewhile(
            lambda key: key.startswith(prefix), self._ordered().from_key(prefix)
        )
        return [(key, self.pairs[key]) for key in itertools.islice(found, limit)]

    def freeze(self) -> Frozen:
        """The map as it is now; another thread may build the snapshot from it."""
        return Frozen(dict(self.pairs), self._ordered().blocks())

    def snapshot(self) -> bytes:
        """The map: as raftexample writes it, or in our form where that would lose bytes."""
        return self.freeze().build()

    def restore(self, data: bytes) -> None:
        """The map of a snapshot in either form; members stay. Raises: FormatError."""
        self.pairs = kvstore.parse_map(data)
        self._order = None

    def take(self, other: "Kv") -> None:
        """The map of another, which is not used any more; members stay."""
        self.pairs, self._order = other.pairs, other._order

    def keep_order(self) -> None:
        """Sort the keys now: from here on ranges and snapshots need not."""
        self._ordered()

    def digest(self) -> str:
        """SHA-256 of the pairs by their keys, in hex."""
        return self.freeze().digest()

    def _request(self, request: KvRequest) -> Result:
        """A delete or a swap."""
        key = request.key or b""
        had = self.pairs.get(key)
        if request.op == Op.DELETE:
            return Result(self._become(key, had, None), DELETE)
        if had != request.expected:
            return Result(Outcome.REFUSED, SWAP, refusal(had, request.expected))
        return Result(self._become(key, had, request.value), SWAP)

    def _become(self, key: bytes, had: bytes | None, value: bytes | None) -> Outcome:
        """A key gets a value, or goes (`None`)."""
        if had == value:
            return Outcome.UNCHANGED
        if value is not None:
            self._put(key, value)
        else:
            del self.pairs[key]
            if self._order is not None:
                self._order.discard(key)
        return Outcome.APPLIED

    def _put(self, key: bytes, value: bytes) -> None:
        if self._order is not None and key not in self.pairs:
            self._order.add(key)
        self.pairs[key] = value

    def _ordered(self) -> KeyOrder:
        if self._order is None:
            self._order = KeyOrder(self.pairs.keys())
        return self._order

    def _conf_change(self, entry: Entry) -> Result:
        """A member comes or goes; the change must name one."""
        try:
            change = CONF_CHANGE.parse(entry.data or b"")
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, "conf_change", error.message)
        before = set(self.members)
        self._change(change.type or 0, change.node_id or 0)
        return Result(self._since(before), "conf_change")

    def _conf_change_v2(self, entry: Entry) -> Result:
        """Several at once: raftexample has none, members of a lab of ours do.

        Who leaves is no member from the beginning of a joint configuration on.
        """
        try:
            change = CONF_CHANGE_V2.parse(entry.data or b"")
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, "conf_change_v2", error.message)
        before = set(self.members)
        for each in change.changes:
            self._change(each.type or 0, each.node_id or 0)
        return Result(self._since(before), "conf_change_v2")

    def _change(self, kind: int, node: int) -> None:
        if node and kind in _LEARNERS_TOO:
            self.members.add(node)
        elif kind == ConfChangeType.REMOVE_NODE:
            self.members.discard(node)

    def _since(self, before: set[int]) -> Outcome:
        return Outcome.UNCHANGED if before == self.members else Outcome.APPLIED


def parse_proposal(data: bytes) -> Pair | KvRequest:
    """What the data of a normal entry asks for: a put as raftexample has it, or a request of ours.

    Raises: FormatError.
    """
    return kvpb.parse_request(data) if kvpb.is_marked(data) else parse_pair(data)


def refusal(had: bytes | None, expected: bytes | None) -> str:
    """Why a key that has `had` is not swapped."""
    if expected is None:
        return IS_THERE
    return IS_NOT_THERE if had is None else IS_OTHER
