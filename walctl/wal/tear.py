"""What a write that ended early looks like, by the bytes of one broken frame.

Where the frame lies in the log is not judged here (`forensics`).
"""

import re

from formats.frame import LENGTH_FIELD_BYTES, SECTOR_BYTES, sector_parts, split_length
from formats.limits import RECORD_BYTES_MAX
from formats.varint import varint_stop, whole_varint
from walctl.fs.base import File
from walctl.wal.kernel import Halt
from walctl.wal.scan import Damage

_HEAD_BYTES = 64
"""Enough for a frame's length field and what stands in front of its data."""
_DATA_TAG = b"\x1a"
_RECORD_HEAD = re.compile(rb"\x08[\x01-\x05]\x10")


def is_tear(damage: Damage, file: File) -> bool:
    """Whether a broken frame looks like a write that ended early: cut off, or a zero sector.

    One that asks for more than the file has is cut off only where the file ends with it: etcd makes
    a segment longer before it writes there. Nor is one torn that says two lengths.
    """
    start = damage.start
    if damage.halt is Halt.ZERO:
        return damage.zeros is not None and damage.zeros[1] >= _sector_stop(start)
    head = file.read_at(start, _HEAD_BYTES)
    if _says_two_lengths(head):
        return False
    if damage.halt is Halt.SHORT:
        return True
    length = split_length(int.from_bytes(head[:LENGTH_FIELD_BYTES], "little"))
    tags = head[LENGTH_FIELD_BYTES : LENGTH_FIELD_BYTES + 3]
    plausible = length.is_canonical and (
        not any(tags) or (len(tags) < 3 or (tags[0] == 0x08 and tags[2] == 0x10))
    )
    if not plausible:
        return False
    if damage.halt is Halt.LENGTH:
        return len(file.read_at(damage.stop, SECTOR_BYTES)) < SECTOR_BYTES
    data = file.read_at(start, LENGTH_FIELD_BYTES + min(length.record_bytes, RECORD_BYTES_MAX))
    return has_zero_sector(data, start) or _ends_at_a_border(data, start, file)


def begins_like_a_record(data: bytes) -> bool:
    """Whether the bytes behind a length field are a record's type and the tag of its checksum."""
    return _RECORD_HEAD.match(data) is not None


def has_zero_sector(data: bytes, offset: int) -> bool:
    """Whether a sector, or the part of one that `data` covers, is all zeros.

    `offset` is where `data` stands in its file. Parts shorter than eight bytes are passed over:
    a frame's own last bytes are often zero.
    """
    return any(
        stop - start >= 8 and data.count(0, start, stop) == stop - start
        for start, stop in sector_parts(len(data), offset)
    )


def _ends_at_a_border(data: bytes, offset: int, file: File) -> bool:
    """Whether only what stands in front of the last sector's border was written: the few bytes of
    `data` behind it are zeros, and so is all of that sector behind them."""
    parts = list(sector_parts(len(data), offset))
    if len(parts) < 2:
        return False
    start, stop = parts[-1]
    if data.count(0, start, stop) < stop - start:
        return False
    behind = file.read_at(offset + stop, _sector_stop(offset + start) - (offset + stop))
    return not any(behind)


def _says_two_lengths(head: bytes) -> bool:
    """Whether the length of a record's data, where its head has one, denies its length field."""
    record = head[LENGTH_FIELD_BYTES:]
    if not begins_like_a_record(record):
        return False
    tag = varint_stop(record, 3)
    stop = varint_stop(record, tag + 1)
    if tag < 0 or stop < 0 or record[tag : tag + 1] != _DATA_TAG:
        return False
    data_bytes = whole_varint(record[tag + 1 : stop])
    said = split_length(int.from_bytes(head[:LENGTH_FIELD_BYTES], "little")).record_bytes
    # A length of 0 is no data, and what a sector leaves that did not reach the disk.
    return data_bytes > 0 and stop + data_bytes != said


def _sector_stop(offset: int) -> int:
    """Where the sector ends in which `offset` lies."""
    return (offset // SECTOR_BYTES + 1) * SECTOR_BYTES
