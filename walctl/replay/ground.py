"""What a state is built on: nothing, a database, or a snapshot; and which machine a log is for.

    nothing     the log reaches back to entry 1, and nothing that it builds on came from elsewhere
    database    etcd's: it has applied some index, and the log goes on from there
    snapshot    raftexample's: its `.snap` files hold the whole map

Where the log and a database both reach, the two states must be the same: that is a check of the
database, of every member's most precious file, that nothing else makes.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from formats.errors import FormatError
from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.datadir.layout import Shape
from walctl.datadir.start import is_base_lost, marked_snapshots, newest_start
from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.machine.base import Machine
from walctl.machine.etcd import Etcd
from walctl.machine.etcd_rows import Rows
from walctl.machine.kv import Kv, parse_proposal
from walctl.replay.apply import entries_between
from walctl.snap.names import format_db_name
from walctl.snap.reader import data_of

SAMPLE_ENTRIES = 20
"""So many payloads are looked at to tell whose log it is."""


class Kind(enum.StrEnum):
    """Whose entries a log holds."""

    ETCD = "etcd"
    KV = "kv"
    """raftexample's."""
    NONE = "none"
    """Nobody's that is known here."""


class Base(enum.StrEnum):
    """What a state is built on."""

    NOTHING = "nothing"
    DATABASE = "database"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A machine and the index of the last entry that it has; the log's next one goes on."""

    base: Base
    applied: int
    machine: Machine


def kind_of(disk: FileSystem, seen: Survey) -> Kind:
    """Whose log it is: by its layout, its metadata, and what its first entries hold."""
    if seen.layout.shape is Shape.RAFTEXAMPLE:
        return Kind.KV
    if any(placed.metadata.node_id is not None for placed in seen.metadata) or seen.database:
        return Kind.ETCD
    first = seen.log.first or 0
    found = entries_between(disk, seen, first, first + SAMPLE_ENTRIES - 1)
    payloads = [entry.data for entry in found if entry.data and not entry.type]
    return Kind.KV if payloads and all(map(_is_proposal, payloads)) else Kind.NONE


def from_nothing(seen: Survey, make: Callable[[], Machine], *, until: int) -> Ground | str:
    """The state before entry 1; or why the log does not reach back to it."""
    if seen.log.first != 1 and until > 0:
        first = seen.log.first
        return "the log has no entries" if first is None else f"the log begins at entry {first}"
    if is_base_lost(seen, 0):
        return "the log begins from a saved snapshot, whose keys are in the database alone"
    return Ground(base=Base.NOTHING, applied=0, machine=make())


def from_database(disk: FileSystem, seen: Survey) -> Ground | str:
    """The state that the database has; or why there is none.

    Raises: AccessError.
    """
    path = received_database(seen)
    if path is not None:
        return _from_rows(disk, path)
    path = seen.layout.database
    if path is None or not seen.database_exists:
        return "there is no database"
    if seen.database_problem is not None:
        return f"the database does not read: {seen.database_problem}"
    if seen.tree_defects:
        bucket, error = seen.tree_defects[0]
        return f"the database does not read: bucket {bucket}: {error}"
    if seen.database_is_empty:
        return "the database is empty"
    return _from_rows(disk, path)


def received_database(seen: Survey) -> Path | None:
    """The database that a leader sent with the snapshot from which the member would start, where
    its own has not come so far: starting, it puts the one in the other's place."""
    start, folder = newest_start(seen), seen.layout.snap_dir
    if folder is None or start not in seen.snap_databases or start <= (seen.applied or 0):
        return None
    return folder / format_db_name(index=start)


def _from_rows(disk: FileSystem, path: Path) -> Ground | str:
    try:
        machine = Etcd.from_rows(rows_of_database(disk, path))
    except (FormatError, PageError) as error:
        return f"the database does not read: {error}"
    return Ground(base=Base.DATABASE, applied=machine.applied, machine=machine)


def from_snapshot(disk: FileSystem, seen: Survey, *, until: int) -> Ground | str:
    """The state in raftexample's newest marked snapshot at or below `until`; or why there is none.

    Raises: AccessError.
    """
    for snap in marked_snapshots(seen):
        if (snap.index or 0) > until:
            continue
        conf = snap.conf_state
        machine = Kv(members=() if conf is None else (*conf.voters, *conf.learners))
        try:
            machine.restore(data_of(disk, snap.path) or b"")
        except FormatError as error:
            return f"{snap.name} does not read: {error.message}"
        return Ground(base=Base.SNAPSHOT, applied=snap.index or 0, machine=machine)
    return "there is no snapshot that the log marks"


def rows_of_database(disk: FileSystem, path: Path) -> Rows:
    """Every row of a database, by bucket; buckets in buckets are none of etcd's, and left out.

    Raises: PageError; AccessError.
    """
    with disk.open(path) as file:
        root = tree.root(Pages(file))
        return {
            item.key: [(row.key, row.value) for row in root.open(item).items()]
            for item in root.items()
        }


def _is_proposal(payload: bytes) -> bool:
    try:
        parse_proposal(payload)
    except FormatError:
        return False
    return True
