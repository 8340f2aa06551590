"""What doctor says of a state: revision, keys and hash, and whether log and database agree on it.

The state is rebuilt as `walctl replay` does it, in memory; so only where that takes a moment. A
database or a log that is too large for a screen is `walctl replay`'s.
"""

from dataclasses import dataclass

from walctl.datadir.survey import Survey
from walctl.errors import AccessError, CorruptionError, UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.state import Replayed, Wish, replayed
from walctl.inspect.state_document import key_count
from walctl.machine.etcd import Etcd
from walctl.machine.mvcc import Hash
from walctl.model.finding import Code, Finding

DATABASE_BYTES_MAX = 64 << 20
"""A larger database is not loaded for a screen."""
ENTRIES_MAX = 100_000
"""Nor is a longer log replayed for one."""
LOG_BYTES_MAX = 256 << 20
"""Nor one that is larger, however few its entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownState:
    """The state as of entry `applied`; `is_agreed` is `None` where only one way led to it.

    `stopped` says what applying ended at, before its time; verify judges that. `reason` says why
    there is no state, and then all else is empty.
    """

    applied: int = 0
    keys: int = 0
    leases: int = 0
    hash: Hash | None = None
    is_agreed: bool | None = None
    agreed_at: int = 0
    findings: tuple[Finding, ...] = ()
    stopped: str = ""
    reason: str = ""


def known_state(disk: FileSystem, seen: Survey) -> KnownState | None:
    """The state of one member; `None` for what is none of etcd's, or moves."""
    layout = seen.layout
    if not layout.is_member or seen.is_moving or layout.wal_dir is None:
        return None
    if not seen.database_exists and seen.log.first != 1:
        return None
    too_large = _too_large(disk, seen)
    if too_large:
        return KnownState(reason=too_large)
    try:
        found = replayed(disk, seen, Wish())
    except UnsupportedError as error:
        return KnownState(reason=f"not rebuilt: {error.message}")
    except (AccessError, CorruptionError):
        return None  # what keeps it from being read was said by verify
    return _told(found)


def _too_large(disk: FileSystem, seen: Survey) -> str:
    """Why the state is not rebuilt for a screen; empty where it is."""
    database = seen.layout.database
    size = 0
    if database is not None and seen.database_exists:
        size = disk.stat(database).size
    if size > DATABASE_BYTES_MAX:
        return f"not rebuilt: the database has {size:,} bytes (walctl replay does it)"
    if seen.log_bytes > LOG_BYTES_MAX:
        return f"not rebuilt: the log has {seen.log_bytes:,} bytes (walctl replay does it)"
    if seen.entries > ENTRIES_MAX:
        return f"not rebuilt: the log has {seen.entries:,} entries (walctl replay does it)"
    return ""


def _told(found: Replayed) -> KnownState | None:
    machine, applied = found.machine, found.applied
    if not isinstance(machine, Etcd) or applied is None:
        return None
    agreement = found.agreement
    return KnownState(
        applied=applied.last,
        keys=key_count(machine) or 0,
        leases=len(machine.state.leases.leases),
        hash=machine.store.hash(),
        is_agreed=None if agreement is None else agreement.is_equal,
        agreed_at=0 if agreement is None else agreement.index,
        findings=tuple(each for each in found.findings if each.code is Code.DB_DIFFERS),
        stopped="" if applied.stop is None else f"{applied.stop.index}: {applied.stop.words}",
    )
