"""The frame around a record in a segment: length field, record, padding; and the sizes of both.

    offset  bytes  what
    0       8      length field, little-endian
    8       R      record (`formats.walpb.Record`)
    8+R     P      padding, zeros: the next frame starts at a multiple of 8

The length field, as an unsigned number:

    bits 0-55    R
    bits 56-58   P, if bit 63 is set; otherwise ignored, and P is 0
    bits 59-62   ignored by etcd; zero as it writes them
    bit  63      set when there is padding

All eight bytes zero: no more records in this segment, whatever follows. `LENGTH_FIELD` is the
definition; `split_length` and `join_length` are its shortcuts for bulk work.
"""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from formats.errors import LimitError, TruncatedError

if TYPE_CHECKING:
    import construct

    Definition: TypeAlias = construct.Construct[Any, Any]

LENGTH_FIELD_BYTES: Final = 8
"""A length field; also what frames are aligned to."""
SECTOR_BYTES: Final = 512
"""What etcd takes a disk to write whole or not at all, when it looks for torn writes."""

_RECORD_BYTES_MASK = (1 << 56) - 1


class Length(NamedTuple):
    """What a length field says.

    `is_canonical`: etcd would have written exactly this field for a record of that size.
    """

    record_bytes: int
    padding_bytes: int
    is_canonical: bool


def padding_bytes(record_bytes: int) -> int:
    """Zeros that follow a record of that size, in [0, 7]."""
    return -record_bytes % LENGTH_FIELD_BYTES


def split_length(word: int) -> Length:
    """Read a length field, given as an unsigned 64-bit number (little-endian on the disk)."""
    record_bytes = word & _RECORD_BYTES_MASK
    padding = word >> 56 & 7 if word >> 63 else 0
    return Length(record_bytes, padding, word == join_length(record_bytes))


def join_length(record_bytes: int) -> int:
    """The length field that etcd writes for a record of that size, as an unsigned number."""
    padding = padding_bytes(record_bytes)
    return record_bytes | ((0x80 | padding) << 56 if padding else 0)


def build_frame(record: bytes) -> bytes:
    """The frame of a serialized record, as etcd writes it."""
    field = join_length(len(record)).to_bytes(LENGTH_FIELD_BYTES, "little")
    return field + record + bytes(padding_bytes(len(record)))


class LengthField:
    """The definition of the length field, as a codec; construct is imported on first use."""

    def parse(self, data: bytes | memoryview) -> Length:
        """Read the length field at the start of `data`.

        Raises: TruncatedError, when there are fewer than eight bytes.
        """
        if len(data) < LENGTH_FIELD_BYTES:
            raise TruncatedError("unexpected EOF")
        field = bytes(data[:LENGTH_FIELD_BYTES])
        found = self._definition.parse(field)
        padding = found.padding.count if found.padding.present else 0
        length = Length(found.record_bytes, padding, is_canonical=False)
        is_written_so = padding == padding_bytes(length.record_bytes)
        return length._replace(is_canonical=is_written_so and self.build(length) == field)

    def build(self, length: Length) -> bytes:
        """Write the field as etcd does for these sizes.

        Raises: LimitError, when the field has no room for them.
        """
        if not (0 <= length.record_bytes <= _RECORD_BYTES_MASK and 0 <= length.padding_bytes <= 7):
            raise LimitError(f"no length field can say {length}")
        padding = {
            "present": length.padding_bytes > 0,
            "reserved": 0,
            "count": length.padding_bytes,
        }
        return self._definition.build({"record_bytes": length.record_bytes, "padding": padding})

    def sizeof(self) -> int:
        """Bytes of the field, by the definition."""
        return self._definition.sizeof()

    @functools.cached_property
    def _definition(self) -> "Definition":
        from construct import BitsInteger, BitStruct, BytesInteger, Flag, Struct

        padding = BitStruct("present" / Flag, "reserved" / BitsInteger(4), "count" / BitsInteger(3))
        definition = Struct("record_bytes" / BytesInteger(7, swapped=True), "padding" / padding)
        assert definition.sizeof() == LENGTH_FIELD_BYTES
        return definition


LENGTH_FIELD: Final = LengthField()


def sector_parts(size: int, offset: int) -> Iterator[tuple[int, int]]:
    """The parts `[start, stop)` of `size` bytes that lie in one sector of their file each.

    `offset` is where the bytes begin in the file; the first and the last part may be short.
    """
    start = 0
    while start < size:
        stop = min(start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES, size)
        yield start, stop
        start = stop
