"""Entries that a leader keeps for a follower to which a snapshot is on its way.

    log      ── compacted ──┤ snapshot that was sent        wanted ├── last
                            └─ entries behind it stay until the follower has them ─┘

Whoever gets a snapshot needs the entries behind it next. Where very much is written they would be
compacted before it is there, and it would need the next snapshot: for ever. So compaction waits for
a follower that was sent one, as long as that comes nearer.

Pure. Source: etcd `server/etcdserver/server.go`, which compacts nothing while a snapshot is sent.
"""

from collections.abc import Mapping
from typing import Final

from walctl.raft.progress import Progress

HOLD_ELECTIONS: Final = 60
"""Election timeouts in which a follower has to come nearer, or nothing is kept for it any more."""


class HeldBack:
    """What is kept for whom: by follower the index it has, and for how many ticks it has it."""

    def __init__(self, election_ticks: int) -> None:
        self._ticks_max = HOLD_ELECTIONS * election_ticks
        self._held: dict[int, tuple[int, int]] = {}

    def sent(self, node: int, index: int) -> None:
        """A snapshot of `index` goes out to a follower."""
        self._held[node] = index, 0

    def tick(self, committed: int, progress: Mapping[int, Progress]) -> None:
        """One unit of time has passed; who has all that is committed needs nothing more."""
        for node, (index, age) in list(self._held.items()):
            match = progress[node].match if node in progress else committed
            if match >= committed:
                del self._held[node]
            elif match > index:
                self._held[node] = match, 0
            elif age >= self._ticks_max:
                del self._held[node]
            else:
                self._held[node] = index, age + 1

    def floor(self, wanted: int, progress: Mapping[int, Progress]) -> int:
        """Up to where entries may be forgotten, at most to `wanted`.

        `progress` is the leader's of all nodes; who does not lead has none, and holds nothing.
        """
        floor = wanted
        for node, (index, _) in list(self._held.items()):
            match = progress[node].match if node in progress else wanted
            if match >= wanted:
                del self._held[node]
                continue
            if match > index:
                index = match
                self._held[node] = index, 0
            floor = min(floor, index)
        return floor
