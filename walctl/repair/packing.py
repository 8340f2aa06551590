"""Zstandard for files of ours: backups, archived segments, bundles; streams, never a whole file.

One frame a file, with a checksum of its content, so that `zstd -d` opens it and bit rot is seen.
What comes out is bounded by whoever asks, and so is the memory that getting there takes: a few
bytes can ask for gigabytes.
"""

from collections.abc import Iterable, Iterator

import zstandard

from walctl.fs.base import File
from walctl.fs.zstd import LEVEL, WINDOW_BYTES_MAX, damaged, packed_parts


def packed(blocks: Iterable[bytes | memoryview], *, level: int = LEVEL) -> Iterator[bytes]:
    """The blocks, one behind the other, as one frame; the same blocks give the same bytes."""
    machine = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
    for block in blocks:
        made = machine.compress(block)
        if made:
            yield made
    yield machine.flush()


def unpacked(file: File, *, bytes_max: int) -> Iterator[bytes]:
    """What `file` was before it was packed, in blocks; the file is exactly one frame.

    Raises: AccessError, with the place, when it is no such frame or damaged, when it ends early or
    goes on behind its end, and when more than `bytes_max` come out (they are not handed out).
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    machine = decompressor.decompressobj()
    given = 0
    for offset, part in packed_parts(file):
        if machine.eof:
            raise damaged(file, offset, "bytes behind the end of its zstd frame")
        try:
            plain = machine.decompress(part)
        except zstandard.ZstdError as error:
            raise damaged(file, offset, f"no zstd frame or a damaged one: {error}") from None
        if machine.unused_data:
            end = offset + len(part) - len(machine.unused_data)
            raise damaged(file, end, "bytes behind the end of its zstd frame")
        given += len(plain)
        if given > bytes_max:
            raise damaged(file, offset, f"opens to more than the {bytes_max:,} bytes expected")
        if plain:
            yield plain
    if not machine.eof:
        raise damaged(file, file.stat().size, "ends inside its zstd frame")
