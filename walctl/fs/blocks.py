"""Streams of bytes in blocks of another size; no file is touched here."""

from collections.abc import Iterable, Iterator

BLOCK_BYTES = 1 << 20
"""A call for each line or page would cost more than the line."""


def gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of `BLOCK_BYTES` or a little more; the last as it comes."""
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= BLOCK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
