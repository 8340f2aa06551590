"""`.snap` files as etcd writes them, and a safer way for a repair to write the same bytes.

    08 <crc>   12 <length> <data>      crc is the CRC-32C of data, a raftpb.Snapshot:
                                       0a <length> <v2 store>
                                       12 <length> <conf state, index, term>

etcd writes a file in its place and takes it away again when that fails, so a crash leaves a short
one under the final name; `place_snap` makes it aside, and a crash leaves all of it or none.

Source: etcd-data-dir notes 5.2, 5.3, 7.1 and 7.3.
"""

from dataclasses import dataclass
from pathlib import Path

from formats import raftpb
from formats.limits import SNAP_FILE_BYTES_MAX
from walctl.errors import AccessError, RefusedError
from walctl.fs.writable import WritableFile, WritableFileSystem
from walctl.model.record import ConfState
from walctl.snap.large import joined
from walctl.snap.names import TMP_PREFIX, format_name

MODE = 0o644
"""What etcd gives a snapshot file with the usual umask; it holds no keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a `.snap` file says. `data` is etcd's v2 store (`None`: absent)."""

    index: int
    term: int
    conf_state: ConfState
    data: bytes | None

    @property
    def name(self) -> str:
        """The name of its file."""
        return format_name(term=self.term, index=self.index)


def snap_bytes(snapshot: Snapshot) -> bytes:
    """The bytes of the file.

    Raises: RefusedError, when they would not be read back: a checksum that happens to be 0 is
    none to etcd, and a file that is too long is not read.
    """
    conf = snapshot.conf_state
    metadata = raftpb.SnapshotMetadata(
        conf_state=raftpb.ConfState(
            voters=conf.voters,
            learners=conf.learners,
            voters_outgoing=conf.voters_outgoing,
            learners_next=conf.learners_next,
            auto_leave=conf.auto_leave,
        ),
        index=snapshot.index,
        term=snapshot.term,
    )
    crc, data = joined(snapshot.data, metadata)
    if crc == 0:
        raise RefusedError(f"{snapshot.name}: expected a checksum, found 0, which is none to etcd")
    if len(data) > SNAP_FILE_BYTES_MAX:
        raise RefusedError(
            f"{snapshot.name}: expected no more than {SNAP_FILE_BYTES_MAX} bytes, found {len(data)}"
        )
    return data


def write_snap(disk: WritableFileSystem, folder: Path, snapshot: Snapshot) -> Path:
    """Write the file in its place in `folder` as etcd does, synced; its path.

    One that has the name is written over. Raises: AccessError, and then there is none of that
    name; RefusedError, as `snap_bytes`.
    """
    data = snap_bytes(snapshot)
    path = folder / snapshot.name
    file = disk.open_file(path) if disk.exists(path) else disk.create_file(path, mode=MODE)
    try:
        with file:
            file.truncate(0)
            _fill(file, data)
    except AccessError:
        disk.remove(path)
        raise
    return path


def place_snap(disk: WritableFileSystem, folder: Path, snapshot: Snapshot) -> Path:
    """Write the file aside, and give it its name once it is on the disk; its path.

    At no instant is there a part of a file under that name, and one that had it stays whole until
    then. Aside it has a name that etcd deletes when it starts. Raises: AccessError; RefusedError,
    as `snap_bytes`.
    """
    data = snap_bytes(snapshot)
    aside = folder / f"{TMP_PREFIX}-{snapshot.name}"
    path = folder / snapshot.name
    if disk.exists(aside):
        disk.remove(aside)  # what a crash left of this very call
    with disk.create_file(aside, mode=MODE) as file:
        try:
            _fill(file, data)
            disk.rename(aside, path)
        except AccessError:
            disk.remove(aside)
            raise
    disk.sync_dir(folder)
    return path


def _fill(file: WritableFile, data: bytes) -> None:
    file.write_at(0, data)
    file.sync()
