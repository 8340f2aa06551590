"""A shortcut for the bytes of `.snap` files with much data: joined and taken apart by hand.

The definitions (`formats.snappb`, `formats.raftpb`) copy all of it several times on the way, which
holds a running member up for half a second for each 100 MB. Here the small parts go through them,
and the data is copied once. Both ways give the same, which a property test says; what does not lie
as etcd writes it is left to the definitions.
"""

from typing import Final

import crc32c

from formats import raftpb, snappb
from formats.errors import FormatError
from formats.limits import VARINT_BYTES_MAX
from formats.varint import build_varint, varint_stop, whole_varint

ENVELOPE_CRC: Final = 0x08
ENVELOPE_DATA: Final = 0x12
CONTENT_DATA: Final = 0x0A


def joined(data: bytes | None, metadata: raftpb.SnapshotMetadata) -> tuple[int, bytes]:
    """The checksum of a file's content, and the whole file."""
    head = b"" if data is None else bytes([CONTENT_DATA]) + build_varint(len(data))
    tail = raftpb.SNAPSHOT.build(raftpb.Snapshot(metadata=metadata))
    parts = (head, data or b"", tail)
    crc = 0
    for part in parts:
        crc = crc32c.crc32c(part, crc)
    envelope = snappb.SNAPSHOT.build(snappb.Snapshot(crc=crc))
    size = build_varint(sum(map(len, parts)))
    return crc, b"".join((envelope, bytes([ENVELOPE_DATA]), size, *parts))


def data_in(found: bytes) -> bytes | None:
    """The data in a file that lies as etcd writes it and whose checksum fits, else `None`."""
    with memoryview(found) as view:
        crc, at = _number(view, 0, ENVELOPE_CRC)
        size, at = _number(view, at, ENVELOPE_DATA)
        if crc <= 0 or size <= 0 or at + size != len(view):
            return None
        with view[at:] as content:
            size, at = _number(content, 0, CONTENT_DATA)
            if size < 0 or at + size > len(content) or crc32c.crc32c(content) != crc:
                return None
            try:
                rest = raftpb.SNAPSHOT.parse(bytes(content[at + size :]))
            except FormatError:
                return None
            return bytes(content[at : at + size]) if rest.data is None else None


def _number(view: memoryview, start: int, tag: int) -> tuple[int, int]:
    """The varint behind a tag, and where it ends; -1 where there is no such field."""
    head = bytes(view[start : start + 1 + VARINT_BYTES_MAX])
    stop = varint_stop(head, 1) if start >= 0 and head[:1] == bytes([tag]) else -1
    return (whole_varint(head[1:stop]), start + stop) if stop > 0 else (-1, -1)
