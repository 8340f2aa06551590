"""Rows of buckets as one piece of bytes: the snapshots of machines that keep their state so.

magic            as the machine says
for each row     1 byte, 4 bytes, 4 bytes: how long bucket, key and value are, big-endian
                 bucket, key, value
"""

import struct
from collections.abc import Iterable
from typing import Final

from crc32c import crc32c

from formats.errors import TruncatedError, WireError
from walctl.machine.etcd_rows import Row

_CRC: Final = struct.Struct(">I")
_SIZES: Final = struct.Struct(">BII")


def pack(magic: bytes, rows: Iterable[Row]) -> bytes:
    """The bytes of `rows`."""
    parts = []
    for row in rows:
        parts.append(_SIZES.pack(len(row.bucket), len(row.key), len(row.value)))
        parts += row
    body = b"".join(parts)
    return magic + _CRC.pack(crc32c(body)) + body


def unpack(magic: bytes, data: bytes) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """The rows in `data`, by bucket.

    Raises: FormatError.
    """
    if not data.startswith(magic):
        raise WireError(f"expected {magic!r} at the beginning")
    at = len(magic) + _CRC.size
    if len(data) < at:
        raise TruncatedError("ends before its checksum", offset=len(magic))
    (expected,), found = _CRC.unpack_from(data, len(magic)), crc32c(memoryview(data)[at:])
    if found != expected:
        raise WireError(f"its checksum says {expected:08x}, its rows give {found:08x}")
    rows: dict[bytes, list[tuple[bytes, bytes]]] = {}
    while at < len(data):
        start = at + _SIZES.size
        if start > len(data):
            raise TruncatedError("ends inside a row", offset=at)
        bucket_bytes, key_bytes, value_bytes = _SIZES.unpack_from(data, at)
        key_at = start + bucket_bytes
        value_at = key_at + key_bytes
        stop = value_at + value_bytes
        if stop > len(data):
            raise TruncatedError("ends inside a row", offset=at)
        bucket = rows.setdefault(data[start:key_at], [])
        bucket.append((data[key_at:value_at], data[value_at:stop]))
        at = stop
    return rows
