"""What the next frame of a run looks like, as integers to compare: data for the kernel's hot path.

A `Shape` says, for one length field, where the parts of a frame lie if etcd wrote it. A `Template`
says how the head of the next entry begins. Both follow from the definition, and are only ever
made from a frame that the definition has read.
"""

from dataclasses import dataclass

from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.varint import build_varint, varint_stop
from walctl.model.record import Entry

OLD_RECORD_BYTES_MAX = 10 << 20
"""etcd 3.4 and 3.5.0-3.5.4 refuse records (with padding) of this many bytes, even their own."""

_ALL = (1 << 64) - 1

Layout = tuple[int, int, bool]
"""Of an entry's head: bytes up to the index, bytes up to behind it, and whether data follows."""


@dataclass(slots=True)
class Template:
    """What the head of the next entry of a run looks like, as two little-endian integers."""

    layout: Layout
    expected: tuple[int, int]
    step: int
    left: int
    """Entries for which that holds: then the low byte of the index would wrap."""


def template_after(data: bytes, entry: Entry) -> Template | None:
    """The template after `entry`, or `None` for a head that is not the usual one.

    `data` is how the entry begins. Only the shortest numbers are usual: then no later field can
    say otherwise, as it could where a field is given twice.
    """
    position = 2 if data[:2] == b"\x08\x00" else 0
    usual = b"\x10" + build_varint(entry.term) + b"\x18" + build_varint(entry.index)
    if not data.startswith(usual, position):
        return None
    index_start = varint_stop(data, position + 1) + 1
    if index_start <= position + 2 or data[index_start - 1 : index_start] != b"\x18":
        return None
    index_stop = varint_stop(data, index_start)
    if index_stop < 0 or index_start > 7:
        return None
    has_payload = data[index_stop : index_stop + 1] == b"\x22"
    head = int.from_bytes(data[:index_stop], "little") + (1 << 8 * index_start)
    return Template(
        layout=(index_start, index_stop, has_payload),
        expected=(head & _ALL, head >> 64),
        step=1 << 8 * index_start,
        left=0x7F - (data[index_start] & 0x7F),
    )


Shape = tuple[int, int, int, int, int, int, int, int, int, int]
"""For one length field: mask and value of bytes 8..15 of the record; where the data begins and the
record ends and the frame ends, from the frame's start; how far to shift the eight bytes before the
next frame to see this one's padding; masks and values of the entry's head (see `Template`)."""


def shape_of(word: int, crc_bytes: int, layout: Layout | None) -> Shape | None:
    """How a frame with this length field is laid out if etcd wrote it; `None` if it cannot be.

    `crc_bytes` is the width of the checksum varint, `layout` that of an entry's head.
    """
    length = split_length(word)
    size = length.record_bytes
    if not length.is_canonical or size >= OLD_RECORD_BYTES_MAX - 7:
        return None
    data_bytes = _inner_bytes(size - 4 - crc_bytes)
    if data_bytes is None:
        return None
    prefix = (b"\x1a" if crc_bytes == 5 else b"") + build_varint(data_bytes)
    mask = tail = 0
    if layout is not None:
        _, index_stop, has_payload = layout
        inner = _inner_bytes(data_bytes - index_stop - 1)
        if (has_payload and inner is None) or (not has_payload and data_bytes != index_stop):
            return None
        field = b"\x22" + build_varint(inner) if has_payload and inner is not None else b""
        if index_stop + len(field) > 16:
            return None
        mask = (1 << 8 * (index_stop + len(field))) - 1
        tail = int.from_bytes(field, "little") << 8 * index_stop
    return (
        (1 << 8 * len(prefix)) - 1,
        int.from_bytes(prefix, "little"),
        LENGTH_FIELD_BYTES + size - data_bytes,
        LENGTH_FIELD_BYTES + size,
        LENGTH_FIELD_BYTES + size + length.padding_bytes,
        64 - 8 * length.padding_bytes,
        mask & _ALL,
        tail & _ALL,
        mask >> 64,
        tail >> 64,
    )


def _inner_bytes(size: int) -> int | None:
    """Bytes of data in a field of `size` bytes that begins with the data's length as a varint."""
    for width in (1, 2, 3, 4):
        if size >= width and len(build_varint(size - width)) == width:
            return size - width
    return None
