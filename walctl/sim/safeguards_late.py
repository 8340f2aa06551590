"""The protections of what is on its way: snapshots that fail, answers that come late, requests of
which the fate is not known; and of a log that is older than its leader believes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from formats import kvstore
from walctl.cluster.answers import Fate
from walctl.cluster.driver import Driver
from walctl.cluster.holding_back import HeldBack
from walctl.cluster.waiting import Question, Reads, Tell, Told
from walctl.raft.log import Log
from walctl.raft.types import Snapshot
from walctl.replay.storedlog import StoredLog
from walctl.sim.clients import Clients, Request
from walctl.sim.clockwork import Rank
from walctl.sim.safeguard import Safeguard
from walctl.snap.reader import data_of

_AGAIN_US: Final = 1_000_000
_answered: Final[Callable[[Reads, bytes, int], Question | None]] = Reads.answered
_end: Final[Callable[[Clients, Request, Told], None]] = Clients._end
_report_snapshot: Final[Callable[..., None]] = Driver.report_snapshot
_snapshot: Final[Callable[[StoredLog], Snapshot]] = StoredLog.snapshot
# What the overrides lean on is taken here, before any of them is in its place.


def _only_success(driver: Driver, node: int, *, is_done: bool) -> None:
    if is_done:
        _report_snapshot(driver, node, is_done=True)


def _answer_all(reads: Reads, name: bytes, index: int) -> Question | None:
    found = None
    while reads._asked:
        found = _answered(reads, next(iter(reads._asked)), index)
    return found


def _ask_again(clients: Clients, request: Request, told: Told) -> None:
    is_broken = told.fate is Fate.UNKNOWN and told.words != "timed out"
    if not is_broken or request.is_handed_over:
        _end(clients, request, told)
        return
    clients._leaders.pop((request.client, request.group), None)
    clients._world.clock.after(_AGAIN_US, Rank.CLIENT, lambda: clients._try_again(request))


def _commit_anything(log: Log, index: int) -> None:
    log.committed = max(log.committed, index)


def _newest_state(stored: StoredLog) -> Snapshot:
    marked, folder = _snapshot(stored), stored._snap_folder
    if marked.is_empty or folder is None:
        return marked
    # A name begins with the term and the index, in hexadecimal digits of a fixed number.
    newest = max(each for each in stored._disk.names(folder) if each.endswith(".snap"))
    return replace(marked, data=data_of(stored._disk, folder / newest))


def _wait_for_nothing(reads: Reads, index: int, tell: Tell) -> None:
    tell(Told(fate=Fate.OK, index=index))


def _hold_nothing(held: HeldBack, wanted: int, progress: Any) -> int:
    return wanted


def _always_text(batches: Any) -> bool:
    return True


OF_WHAT_IS_LATE: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "failed-snapshots-are-told",
        "a leader that waits for ever for a snapshot that was broken off",
        Driver,
        "report_snapshot",
        _only_success,
        ("L2",),
    ),
    Safeguard(
        "entries-wait-for-snapshots",
        "a follower that gets one snapshot after the other, each of them too old when it comes",
        HeldBack,
        "floor",
        _hold_nothing,
        ("L5",),
    ),
    Safeguard(
        "answers-by-question",
        "a read that is answered by what was asked before it",
        Reads,
        "answered",
        _answer_all,
        ("I15",),
    ),
    Safeguard(
        "reads-wait-for-their-index",
        "a read from a member that lacks what the leader has committed",
        Reads,
        "wait",
        _wait_for_nothing,
        ("I15",),
    ),
    Safeguard(
        "unknown-is-not-asked-again",
        "a write that is done twice, the second time after others",
        Clients,
        "_end",
        _ask_again,
        ("I15",),
    ),
    Safeguard(
        "commits-within-the-log",
        "a member that takes for committed what it has lost",
        Log,
        "commit_to",
        _commit_anything,
        ("I6",),
    ),
    Safeguard(
        "marked-snapshots-alone",
        "a state that is newer than its log, to which entries are applied that it has already",
        StoredLog,
        "snapshot",
        _newest_state,
        ("I13",),
    ),
    Safeguard(
        "snapshots-keep-bytes",
        "values that are no text, and come out of a snapshot as others",
        kvstore,
        "is_text",
        _always_text,
        ("I13",),
    ),
)
