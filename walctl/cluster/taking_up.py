"""The state of a copied member of etcd, taken up by our engine.

etcd keeps its keys in a database beside the log; its snapshots hold only who the members are. Our
engine never writes to that database. It takes the state out of it once, applies what the log has
behind it, and makes snapshots of its own, which hold everything; from then on a start takes those.
"""

from pathlib import Path
from typing import NamedTuple

from formats.errors import FormatError
from walctl.cluster.service import EtcdService
from walctl.datadir.layout import understand
from walctl.datadir.start import marked_snapshots
from walctl.datadir.survey import survey
from walctl.errors import CorruptionError
from walctl.fs.base import FileSystem
from walctl.machine.etcd import Etcd
from walctl.replay.ground import Ground, from_database, from_nothing
from walctl.snap.reader import data_of


class Taken(NamedTuple):
    """A service with the state that a member's files hold; `is_own` when that is in a snapshot of
    ours, which can be given to other members."""

    service: EtcdService
    is_own: bool


def etcd_service(disk: FileSystem, data: Path, *, request_id: int) -> Taken:
    """What the member in the data directory `data` knows; nothing where there is no log yet.

    Raises: AccessError; CorruptionError, when neither snapshot, database nor log tells.
    """
    if not disk.exists(data / "member" / "wal"):
        return Taken(EtcdService(request_id=request_id), is_own=True)
    seen = survey(disk, understand(disk, data))
    snap = next(marked_snapshots(seen), None)
    if snap is not None:
        machine = Etcd()
        try:
            machine.restore(data_of(disk, snap.path) or b"")
        except FormatError:
            pass  # it is etcd's, and tells of members alone
        else:
            return Taken(EtcdService(machine, request_id=request_id), is_own=True)
    found = from_database(disk, seen)
    if not isinstance(found, Ground):
        words, found = found, from_nothing(seen, Etcd, until=seen.log.last or 0)
        if not isinstance(found, Ground):
            raise CorruptionError(f"{data}: its state cannot be had: {words}; {found}")
    assert isinstance(found.machine, Etcd), "it was asked for"
    if snap is not None and found.applied < (snap.index or 0):
        raise CorruptionError(
            f"{data}: its database has applied {found.applied} and the log goes on from the"
            f" snapshot at {snap.index}: what lies between is nowhere"
        )
    return Taken(EtcdService(found.machine, request_id=request_id), is_own=snap is None)
