"""bbolt files made byte by byte, for tests: sound ones, and ones that nobody would write.

Written from the layout alone: nothing of the reader under test is used.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from walctl.fs.memory import MemoryFileSystem

BRANCH, LEAF, META = 1, 2, 4
DB = Path("db")


def fnv1a(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value


def meta(
    page: int,
    *,
    root: int,
    high_water: int,
    txid: int,
    page_bytes: int = 4096,
    said_bytes: int | None = None,
) -> bytes:
    """A whole meta page of `page_bytes`, that says `said_bytes`; its checksum fits."""
    said = page_bytes if said_bytes is None else said_bytes
    body = struct.pack("<IIII", 0xED0CDAED, 2, said, 0)
    body += struct.pack("<QQQQQ", root, 0, (1 << 64) - 1, high_water, txid)
    head = struct.pack("<QHHI", page, META, 0, 0)
    return (head + body + struct.pack("<Q", fnv1a(body))).ljust(page_bytes, b"\0")


def leaf(page: int, items: Sequence[tuple[bytes, bytes, int]], *, page_bytes: int = 4096) -> bytes:
    """A leaf with (key, value, flags) in the order given, and as much overflow as they need."""
    elements, data = b"", b""
    for position, (key, value, flags) in enumerate(items):
        pos = 16 * (len(items) - position) + len(data)
        elements += struct.pack("<IIII", flags, pos, len(key), len(value))
        data += key + value
    return _page(page, LEAF, len(items), elements + data, page_bytes)


def branch(page: int, children: Sequence[tuple[bytes, int]], *, page_bytes: int = 4096) -> bytes:
    elements, data = b"", b""
    for position, (key, child) in enumerate(children):
        pos = 16 * (len(children) - position) + len(data)
        elements += struct.pack("<IIQ", pos, len(key), child)
        data += key
    return _page(page, BRANCH, len(children), elements + data, page_bytes)


def _page(page: int, flags: int, count: int, body: bytes, page_bytes: int) -> bytes:
    overflow = max(0, -(-(16 + len(body)) // page_bytes) - 1)
    image = struct.pack("<QHHI", page, flags, count, overflow) + body
    return image.ljust((overflow + 1) * page_bytes, b"\0")


def plain(items: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes, int]]:
    return [(key, value, 0) for key, value in sorted(items.items())]


def inline(items: Mapping[bytes, bytes]) -> bytes:
    """The value of a bucket that lies inline."""
    body = leaf(0, plain(items), page_bytes=1)
    # page_bytes 1 makes an image without filler; its overflow is no overflow here.
    return struct.pack("<QQ", 0, 0) + body[:12] + bytes(4) + body[16:]


def nested(root: int) -> bytes:
    """The value of a bucket with its own pages."""
    return struct.pack("<QQ", root, 0)


def database(
    *pages: bytes, root: int = 2, txid: int = 8, page_bytes: int = 4096, high_water: int = 0
) -> bytes:
    """Two metas, and `pages` from page 2 on; both metas point to the same root."""
    body = b"".join(pages)
    mark = high_water or 2 + len(body) // page_bytes
    metas = (
        meta(each % 2, root=root, high_water=mark, txid=each, page_bytes=page_bytes)
        for each in sorted((txid, txid - 1), key=lambda each: each % 2)
    )
    return b"".join(metas) + body


def buckets(contents: Mapping[bytes, Mapping[bytes, bytes]], *, txid: int = 8) -> bytes:
    """A database of inline buckets."""
    items = [(name, inline(items), 1) for name, items in sorted(contents.items())]
    return database(leaf(2, items), txid=txid)


def disk(data: bytes) -> MemoryFileSystem:
    return MemoryFileSystem({DB: data})


def flipped(data: bytes, offset: int, mask: int = 0x10) -> bytes:
    return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1 :]
