"""All bytes of a file, for those who hash or copy it: a window at a time, and holes unread.

A log's segment is preallocated, a database mostly holes after a copy: what a hole holds is known.
"""

from collections.abc import Iterator

from walctl.errors import AccessError
from walctl.fs.base import File

WINDOW_BYTES = 4 << 20
_ZEROS = bytes(WINDOW_BYTES)


def blocks_of(file: File) -> Iterator[bytes | memoryview]:
    """All bytes of a file from its start, a window at a time; holes come as zeros, unread.

    Raises: AccessError, also when it becomes shorter meanwhile.
    """
    size = file.stat().size
    position = 0
    for start, stop in file.data_ranges(0, size):
        yield from zeros(start - position)
        for offset in range(start, stop, WINDOW_BYTES):
            wanted = min(WINDOW_BYTES, stop - offset)
            data = file.read_at(offset, wanted)
            yield data
            if len(data) < wanted:
                raise AccessError(f"{file.path}: it became shorter while it was read")
        position = stop
    yield from zeros(size - position)


def zeros(count: int) -> Iterator[memoryview]:
    """That many zero bytes, in blocks that share one buffer."""
    for start in range(0, count, WINDOW_BYTES):
        yield memoryview(_ZEROS)[: min(WINDOW_BYTES, count - start)]
