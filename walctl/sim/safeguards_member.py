"""The protections of a member around its core: what is synced when, who is told what, and what a
member does with files that are not as they should be."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from walctl.cluster import recovery
from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.service import KvService
from walctl.cluster.waiting import Proposals, Told
from walctl.errors import AccessError, CorruptionError
from walctl.fs.writable import WritableFile
from walctl.machine.kv import Kv
from walctl.model.record import HardState
from walctl.raft.types import Entry, Message
from walctl.sim.disk_files import SimFileSystem
from walctl.sim.safeguard import Safeguard
from walctl.snap import writer as snap_writer
from walctl.wal.encoder import Encoder
from walctl.wal.owner import NO_STATE
from walctl.wal.writer import Wal


def _for_entries(wal: Wal, state: HardState, entries: Sequence[object]) -> bool:
    return bool(entries)


def _for_states(wal: Wal, state: HardState, entries: Sequence[object]) -> bool:
    # Of a Save with entries alone there is no state, and so nothing new in it.
    return state != NO_STATE and (state.term, state.vote) != (wal._state.term, wal._state.vote)


def _sync_names_never(disk: SimFileSystem, path: Path) -> None:
    """What is not synced is not durable, and nobody is told."""


def _sync_twice(encoder: Encoder) -> None:
    encoder.flush()
    try:
        encoder.file.sync()
    except AccessError:
        encoder.file.sync()


def _fill_unsynced(file: WritableFile, data: bytes) -> None:
    file.write_at(0, data)


def _work_in_a_hurry(driver: Driver) -> None:
    driver._put_forward()
    while driver.node.has_ready():
        ready = driver.node.ready()
        driver._send(ready.messages)
        driver.storage.save(ready.hard_state, ready.entries, ready.snapshot)
        driver._tell_of(ready)
        driver._apply(ready)
        driver.node.advance()
    driver._reads.applied(driver.applied)


def _tell_at_once(driver: Driver, queued: Sequence[tuple[Entry, Any]], first: int) -> None:
    for index, (_, tell) in enumerate(queued, start=first):
        tell(Told(fate=Fate.OK, index=index))


def _tell_whoever(proposals: Proposals, index: int, term: int, told: Told) -> None:
    found = proposals._waiting.pop(index, None)
    if found is not None:
        found[1](told)


def _always_leased(driver: Driver) -> bool:
    return True


def _send_anything(driver: Driver, messages: Sequence[Message]) -> None:
    if messages:
        driver._world.send(messages)


def _add_to_state(service: KvService, data: bytes) -> Callable[[], None]:
    other = Kv()
    other.restore(data)

    def take() -> None:
        merged = {**service.machine.pairs, **other.pairs}
        service.machine.pairs = merged
        service.machine._order = None

    return take


def _refuse_torn(*args: object, error: CorruptionError) -> None:
    raise error


OF_MEMBERS: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "votes-are-synced",
        "a vote that was sent and is forgotten when the power goes",
        Wal,
        "_must_sync",
        _for_entries,
        ("I7", "I8"),
    ),
    Safeguard(
        "entries-are-synced",
        "an entry that was acknowledged and is forgotten when the power goes",
        Wal,
        "_must_sync",
        _for_states,
        ("I8",),
    ),
    Safeguard(
        "directories-are-synced",
        "a segment or snapshot whose name is forgotten when the power goes",
        SimFileSystem,
        "sync_dir",
        _sync_names_never,
        ("I8",),
    ),
    Safeguard(
        "saving-before-sending",
        "a promise that was sent, and never written",
        Driver,
        "work",
        _work_in_a_hurry,
        ("I8",),
    ),
    Safeguard(
        "a-failed-sync-is-the-end",
        "a second sync that says that all is well when the bytes are gone",
        Encoder,
        "sync",
        _sync_twice,
        ("I8",),
    ),
    Safeguard(
        "snapshot-files-are-synced",
        "a marker of a snapshot whose file is empty when the power comes back",
        snap_writer,
        "_fill",
        _fill_unsynced,
        ("I8", "I14"),
    ),
    Safeguard(
        "acknowledged-when-committed",
        "a write that a client was told of, and that its leader alone had",
        Driver,
        "_await",
        _tell_at_once,
        ("I8", "I9"),
    ),
    Safeguard(
        "answers-by-term",
        "a client that is told that its write is done, when another entry took its place",
        Proposals,
        "applied",
        _tell_whoever,
        ("I9", "I15"),
    ),
    Safeguard(
        "leases-end",
        "a stale read from a leader that was replaced",
        Driver,
        "_has_lease",
        property(_always_leased),
        ("I15",),
    ),
    Safeguard(
        "snapshots-replace-state",
        "keys that were deleted, and are back on who caught up by a snapshot",
        KvService,
        "thaw",
        _add_to_state,
        ("I13", "I5"),
    ),
    Safeguard(
        "torn-ends-are-cut",
        "a member that does not start after its power went within a write",
        recovery,
        "cut_torn_end",
        _refuse_torn,
        ("I14",),
    ),
    Safeguard(
        "members-know-their-snapshot",
        "a new member that ignores a snapshot which it is no member in, for ever",
        Driver,
        "_send",
        _send_anything,
        ("L2", "L5"),
    ),
)
