"""Records put one behind the other: heads of segments and the few records that a repair writes.

Bytes are etcd's own for the same values (gogo's rules: what etcd always writes is written). A
chain goes on from the checksum that it is given, and tells where it has come to.
"""

import crc32c

from formats import etcdserverpb
from formats.walpb import RecordType
from walctl.model.record import Entry, HardState, SnapshotMark
from walctl.repair.pieces import chained_frame
from walctl.wal.encoder import entry_bytes, mark_bytes, state_bytes


class Chain:
    """Frames that are appended one behind the other; `data` is all of them, `crc` the checksum."""

    def __init__(self, crc: int = 0) -> None:
        self.crc = crc
        self.data = b""

    def checkpoint(self) -> "Chain":
        """The record that opens a segment: it carries the checksum, and nothing else."""
        self.data += chained_frame(RecordType.CRC, None, self.crc)
        return self

    def metadata(self, raw: bytes | None) -> "Chain":
        """Whose log it is, as the owner's own bytes."""
        return self._add(RecordType.METADATA, raw)

    def mark(self, mark: SnapshotMark) -> "Chain":
        """A snapshot's marker."""
        return self._add(RecordType.SNAPSHOT, mark_bytes(mark))

    def state(self, state: HardState) -> "Chain":
        """A hard state."""
        return self._add(RecordType.STATE, state_bytes(state))

    def entry(self, entry: Entry) -> "Chain":
        """An entry."""
        return self._add(RecordType.ENTRY, entry_bytes(entry))

    def _add(self, kind: RecordType, data: bytes | None) -> "Chain":
        self.crc = crc32c.crc32c(data or b"", self.crc)
        self.data += chained_frame(kind, data, self.crc)
        return self


def build_metadata(*, node_id: int, cluster_id: int) -> bytes:
    """etcd's own metadata."""
    return etcdserverpb.METADATA.build(
        etcdserverpb.Metadata(node_id=node_id, cluster_id=cluster_id)
    )
