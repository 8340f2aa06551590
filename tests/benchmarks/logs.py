"""Logs of a given size and entry length, written byte by byte as etcd does; nothing of walctl's."""

import struct
from pathlib import Path

import crc32c

SEGMENT_BYTES = 64_000_000


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Writer:
    """Frames of one segment; the checksum runs on from segment to segment."""

    def __init__(self) -> None:
        self.crc = 0
        self.out = bytearray()

    def add(self, raw_type: int, data: bytes | None) -> None:
        """One frame; without data it is the checksum record."""
        if data is not None:
            self.crc = crc32c.crc32c(data, self.crc)
        record = b"\x08" + bytes([raw_type]) + b"\x10" + varint(self.crc)
        if data is not None:
            record += b"\x1a" + varint(len(data)) + data
        padding = -len(record) % 8
        top = (0x80 | padding) << 56 if padding else 0
        self.out += struct.pack("<Q", len(record) | top) + record + bytes(padding)


KEYS = 10_000


def put(index: int, size: int) -> bytes:
    """A put of one of `KEYS` keys as etcd logs it, of `size` bytes where that can be."""
    key = b"/registry/pods/default/pod-%05d" % (index * 7919 % KEYS)
    header = b"\x08" + varint(0x8A1B000000000000 + index)
    tail = b"\xa2\x06" + varint(len(header)) + header
    rest = size - len(tail) - len(key) - 2
    value_bytes = rest - 1 - len(varint(rest)) - 1 - len(varint(rest))
    inner = b"\x0a" + varint(len(key)) + key + b"\x12" + varint(value_bytes) + b"v" * value_bytes
    return b"\x22" + varint(len(inner)) + inner + tail


def write_log(
    folder: Path,
    *,
    segments: int,
    entry_bytes: int,
    has_states: bool = False,
    has_puts: bool = False,
) -> int:
    """Fill `folder` with whole segments of entries of `entry_bytes`; the number of entries.

    With `has_states` a hard state follows every entry, as in a cluster of one member. With
    `has_puts` the entries are puts of etcd, else bytes that nobody reads.
    """
    folder.mkdir(parents=True)
    writer = Writer()
    value = (bytes(range(256)) * (entry_bytes // 256 + 1))[:entry_bytes]
    metadata = b"\x08" + varint(0x1234567890ABCDEF) + b"\x10" + varint(0x0FEDCBA987654321)
    index = 0
    for seq in range(segments):
        name = f"{seq:016x}-{index + 1 if seq else 0:016x}.wal"
        writer.out = bytearray()
        writer.add(4, None)
        writer.add(1, metadata)
        if seq == 0:
            writer.add(5, b"\x08\x00\x10\x00")
        while len(writer.out) < SEGMENT_BYTES:
            index += 1
            data = put(index, entry_bytes) if has_puts else value
            head = b"\x08\x00\x10\x02\x18" + varint(index) + b"\x22" + varint(len(data))
            writer.add(2, head + data)
            if has_states:
                writer.add(3, b"\x08\x02\x10\x01\x18" + varint(index))
        if not has_states:
            writer.add(3, b"\x08\x02\x10\x01\x18" + varint(index))
        (folder / name).write_bytes(writer.out)
    return index
