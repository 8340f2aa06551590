"""raftexample's state machine: one map from key to value, and the members by their ids.

An entry holds one pair, as gob; a membership change adds or removes a member. A snapshot is the
map as JSON, which cannot hold bytes that are no UTF-8: what comes back from one has U+FFFD in
their place, and differs from what a member holds that applied the log (raftexample's own defect).
Where that has happened `digest` differs too. Neither the snapshot nor the JSON says which entry it
is of, nor who the members are: a snapshot file has that beside it.

Source: raftexample notes 4 and 5.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from formats.errors import FormatError
from formats.gob import parse_pair
from formats.raftexample import build_store, parse_store
from formats.raftpb import CONF_CHANGE, ConfChangeType, EntryType
from walctl.machine.base import Entry, Outcome, Result

_LEARNERS_TOO: Final = (ConfChangeType.ADD_NODE, ConfChangeType.ADD_LEARNER_NODE)


class Kv:
    """The map of a member of raftexample. `pairs` and `members` are for reading."""

    def __init__(self, *, members: Iterable[int] = ()) -> None:
        self.pairs: dict[bytes, bytes] = {}
        self.members: set[int] = set(members)

    def apply(self, entry: Entry) -> Result:
        """Put one pair, or change the members."""
        if entry.type == EntryType.CONF_CHANGE:
            return self._conf_change(entry)
        if entry.type or not entry.data:
            # raftexample looks at two types, and passes over what else there may be.
            return Result(Outcome.UNCHANGED)
        try:
            pair = parse_pair(entry.data)
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, words=error.message)
        self.pairs[pair.key] = pair.value
        return Result(Outcome.APPLIED, "put")

    def snapshot(self) -> bytes:
        """The map as JSON, byte for byte as raftexample writes it."""
        return build_store(self.pairs)

    def restore(self, data: bytes) -> None:
        """The map of a snapshot; members stay. Raises: FormatError."""
        self.pairs = dict(parse_store(data).pairs)

    def digest(self) -> str:
        """SHA-256 of the pairs by their keys, in hex."""
        total = hashlib.sha256()
        for key, value in sorted(self.pairs.items()):
            total.update(b"%d %d " % (len(key), len(value)) + key + value)
        return total.hexdigest()

    def _conf_change(self, entry: Entry) -> Result:
        """A member comes or goes; the change must name one."""
        try:
            change = CONF_CHANGE.parse(entry.data or b"")
        except FormatError as error:
            return Result(Outcome.UNDECODABLE, "conf_change", error.message)
        kind, node = change.type or 0, change.node_id or 0
        before = set(self.members)
        if node and kind in _LEARNERS_TOO:
            self.members.add(node)
        elif kind == ConfChangeType.REMOVE_NODE:
            self.members.discard(node)
        outcome = Outcome.UNCHANGED if before == self.members else Outcome.APPLIED
        return Result(outcome, "conf_change")
