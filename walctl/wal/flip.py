"""One wrong bit: found by what it does to a checksum, or by trying every bit of a frame's head.

A flip in the data of a record changes its checksum by a pattern (the syndrome) that depends only
on the bit's distance from the end, and no two bits within 2^31 share one. A flip in the length
field, the type, the checksum field or a tag is not under the checksum; there each bit is tried,
and one is believed when the whole frame then fits its predecessor's checksum.
"""

from dataclasses import dataclass

import crc32c

from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import FLIP_SEARCH_BYTES_MAX, RECORD_BYTES_MAX
from formats.varint import varint_stop, whole_varint
from walctl.fs.base import File
from walctl.model.record import Checkpoint, Metadata, Unknown
from walctl.wal.kernel import Head
from walctl.wal.records import lift
from walctl.wal.resync import Budget, continues, parse_frame

_POLYNOMIAL = 0x82F63B78
"""CRC-32C, reflected."""
LENGTH_FIELD_NAME = "length field"
TYPE_NAME = "type"
DATA_NAME = "data"
_HEAD_BYTES = LENGTH_FIELD_BYTES + 18
"""The length field, then type (2), checksum (6) and the data's tag and length (up to 10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The one bit that is wrong: `offset` in the file, `bit` 0 (lowest) to 7; `head` is the frame
    with it put back."""

    offset: int
    bit: int
    head: Head
    where: str


def _step(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = [_step(value) for value in range(256)]
_INVERSE = {entry >> 24: position for position, entry in enumerate(_TABLE)}
_SINGLE_BITS = {_TABLE[1 << bit]: bit for bit in range(8)}


def bit_of_syndrome(syndrome: int, data_bytes: int) -> tuple[int, int] | None:
    """Position (byte from the data's start, bit) of the one flip that makes `syndrome`.

    `syndrome` is the stored checksum XOR the one the data gives. `None` when no single bit of
    `data_bytes` bytes does it, or when there is more data than is searched.
    """
    if syndrome == 0 or data_bytes > FLIP_SEARCH_BYTES_MAX:
        return None
    table, inverse, single = _TABLE, _INVERSE, _SINGLE_BITS
    for distance in range(data_bytes):
        if syndrome in single:
            return data_bytes - 1 - distance, single[syndrome]
        # Undo the effect of one byte behind the flip.
        last = inverse[syndrome >> 24]
        syndrome = (syndrome ^ table[last]) << 8 & 0xFFFFFFFF | last
    return None


def unrun(crc: int, data: bytes) -> int:
    """The checksum from which `data` leads to `crc`: CRC-32C run backwards."""
    state = crc ^ 0xFFFFFFFF
    for byte in reversed(data):
        last = _INVERSE[state >> 24]
        state = (state ^ _TABLE[last]) << 8 & 0xFFFFFFFF | last ^ byte
    return state ^ 0xFFFFFFFF


def flip_in_data(head: Head, computed: int) -> Flip | None:
    """The bit in the record's data that explains why `computed` is not what it stores."""
    payload = head.payload or b""
    found = bit_of_syndrome(head.stored ^ computed, len(payload))
    if found is None:
        return None
    position, bit = found
    mended = bytearray(payload)
    mended[position] ^= 1 << bit
    fixed = Head(
        start=head.start,
        stop=head.stop,
        raw_type=head.raw_type,
        stored=head.stored,
        payload=bytes(mended),
        payload_start=head.payload_start,
    )
    return Flip(offset=head.payload_start + position, bit=bit, head=fixed, where=DATA_NAME)


def flip_in_head(
    file: File, offset: int, size: int, seed: int | None, budget: Budget
) -> Flip | None:
    """The one bit of a frame's first bytes that, put back, makes the frame fit `seed`.

    `None` when none does, when several do, when the checksum in front is not known, or when the
    `budget` does not reach.
    """
    if seed is None:
        return None
    found: list[Flip] = []
    first = file.read_at(offset, _HEAD_BYTES)
    for position in range(min(len(first), _HEAD_BYTES)):
        for bit in range(8):
            head = _with_flip(file, offset, size, first, position, bit, budget)
            if head is not None and continues(head, seed):
                where = _part(position, head)
                found.append(Flip(offset=offset + position, bit=bit, head=head, where=where))
    return found[0] if len(found) == 1 else None


def flip_in_type(file: File, offset: int, size: int, seed: int | None) -> Flip | None:
    """The one bit of a record's type or its tag that, put back, makes its payload fit its type.

    Types are not under the checksum: that it fits proves nothing here, so the payload has to.
    Metadata counts only as etcd's own, for anything can be somebody's metadata.
    """
    first = file.read_at(offset, _HEAD_BYTES)
    found: list[Flip] = []
    for position in (LENGTH_FIELD_BYTES, LENGTH_FIELD_BYTES + 1):
        for bit in range(8 if position < len(first) else 0):
            head = _with_flip(file, offset, size, first, position, bit, Budget())
            if head is None or (seed is not None and not continues(head, seed)):
                continue
            value = lift(head.raw_type, head.payload, head.stored)
            is_empty = head.payload is None and not isinstance(value, Checkpoint)
            is_foreign = isinstance(value, Metadata) and value.node_id is None
            if is_empty or is_foreign or isinstance(value, Unknown):
                continue
            found.append(Flip(offset=offset + position, bit=bit, head=head, where=TYPE_NAME))
    return found[0] if len(found) == 1 else None


def _part(position: int, head: Head) -> str:
    """The name of a byte of a frame's head, given the frame as it should be."""
    crc_start = LENGTH_FIELD_BYTES + 3
    crc_stop = crc_start + max(1, -(-head.stored.bit_length() // 7))
    if position < LENGTH_FIELD_BYTES:
        return LENGTH_FIELD_NAME
    if position < LENGTH_FIELD_BYTES + 2:
        return TYPE_NAME
    if crc_start <= position < crc_stop:
        return "checksum field"
    return "data length" if position > crc_stop else "field tag"


def _with_flip(
    file: File, offset: int, size: int, first: bytes, position: int, bit: int, budget: Budget
) -> Head | None:
    """The frame with one bit of its head changed, if it is a frame then."""
    head = bytearray(first)
    head[position] ^= 1 << bit
    length = split_length(int.from_bytes(head[:LENGTH_FIELD_BYTES], "little"))
    stop = offset + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
    if not length.record_bytes or stop > size or length.record_bytes > RECORD_BYTES_MAX:
        return None
    if not length.is_canonical or len(head) < LENGTH_FIELD_BYTES + 3:
        return None  # the file may have got shorter meanwhile
    if head[8] != 0x08 or head[10] != 0x10:
        return None
    if not _says_its_size(bytes(head[LENGTH_FIELD_BYTES:]), length.record_bytes):
        return None
    if not budget.spend(length.record_bytes):
        return None
    rest = file.read_at(offset + len(head), max(0, stop - offset - len(head)))
    body = (bytes(head[LENGTH_FIELD_BYTES:]) + rest)[: stop - offset - LENGTH_FIELD_BYTES]
    return parse_frame(body, offset, length.record_bytes, stop)


def _says_its_size(record: bytes, record_bytes: int) -> bool:
    """Whether the first bytes of a record, read as etcd writes it, make it `record_bytes` long.

    Cheap, and leaves out nearly all wrong lengths before a byte of the data is read.
    """
    crc_stop = varint_stop(record, 3)
    if crc_stop == record_bytes:
        return True
    if record[crc_stop : crc_stop + 1] != b"\x1a":
        return False
    data_start = varint_stop(record, crc_stop + 1)
    said = whole_varint(record[crc_stop + 1 : max(data_start, 0)])
    return said >= 0 and data_start + said == record_bytes


def computed_crc(head: Head, seed: int) -> int:
    """The checksum that the record's data gives after `seed`."""
    return crc32c.crc32c(head.payload or b"", seed)
