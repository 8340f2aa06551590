"""What a member of a group is given: the world, its place in it, a snapshot to build aside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walctl.cluster.events import EventKind
from walctl.cluster.service import Frozen
from walctl.fs.writable import WritableFileSystem
from walctl.raft.core import Draw
from walctl.raft.types import Message, Snapshot
from walctl.replay.values import log_conf_state
from walctl.snap.writer import Snapshot as SnapContent
from walctl.snap.writer import place_snap


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a member may use of the world.

    `send` takes messages in order and may lose any. `tell` takes what happened, for the event file.
    `now_us` is a clock that no one sets; leases are counted by it.
    """

    disk: WritableFileSystem
    draw: Draw
    now_us: Callable[[], int]
    send: Callable[[Sequence[Message]], None]
    tell: Callable[[EventKind, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a member's files are, and how it behaves; counts are in entries, times in ticks.
    `message_bytes` are the entries of one append, one at least."""

    wal: Path
    snap: Path
    tick_us: int = 100_000
    election_ticks: int = 10
    heartbeat_ticks: int = 1
    pre_vote: bool = True
    check_quorum: bool = True
    snapshot_count: int = 10_000
    catch_up_entries: int = 10_000
    segment_bytes: int = 64_000_000
    message_bytes: int = 1 << 20


@dataclass(slots=True)
class Job:
    """A snapshot on its way: `run` may be called elsewhere, once."""

    disk: WritableFileSystem
    folder: Path
    frozen: Frozen
    snapshot: Snapshot

    def run(self) -> None:
        """Build the bytes, and put the file in place, synced. Raises: AccessError, RefusedError."""
        content = SnapContent(
            index=self.snapshot.index,
            term=self.snapshot.term,
            conf_state=log_conf_state(self.snapshot.conf_state),
            data=self.frozen.build(),
        )
        place_snap(self.disk, self.folder, content)
