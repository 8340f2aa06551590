"""What goes wrong with the bytes of a file that lies on a disk and is not open: done on purpose.

What is not said is drawn, among what was ever written: a bit of what was only preallocated is
nobody's.
"""

from dataclasses import dataclass
from typing import Final

from walctl.errors import UsageError
from walctl.fs.base import File
from walctl.fs.disk_faults import Draw
from walctl.fs.hashing import WINDOW_BYTES
from walctl.fs.writable import WritableFile

PAGE_BYTES: Final = 4096
ZEROED_BYTES_MAX: Final = 1 << 30
_SHOWN_BYTES_MAX = 32
"""As many bytes of what was there are told."""


@dataclass(frozen=True, slots=True)
class Rotted:
    """What was done to `size` bytes from `offset` on; `before`, `after`: the first of them."""

    offset: int
    size: int
    before: bytes = b""
    after: bytes = b""


def flip_bit(
    file: WritableFile, *, draw: Draw, offset: int | None = None, bit: int | None = None
) -> Rotted:
    """Turn one bit around. Raises: UsageError, AccessError."""
    where = place_in(file, offset, draw)
    mask = 1 << (draw(8) if bit is None else bit)
    if mask > 0x80:
        raise UsageError(f"expected a bit from 0 to 7, found {bit}")
    before = file.read_at(where, 1)
    after = bytes([before[0] ^ mask])
    file.write_at(where, after)
    file.sync()
    return Rotted(where, 1, before, after)


def put_zeros(
    file: WritableFile, *, draw: Draw, offset: int | None = None, size: int = PAGE_BYTES
) -> Rotted:
    """Put zeros in the place of `size` bytes; a drawn place is the beginning of a page.

    Raises: UsageError, AccessError.
    """
    if not 0 < size <= ZEROED_BYTES_MAX:
        raise UsageError(f"expected 1 to {ZEROED_BYTES_MAX} bytes, found {size}")
    where = place_in(file, offset, draw)
    if offset is None:
        where -= where % PAGE_BYTES
    stop = min(where + size, file.stat().size)
    before = file.read_at(where, min(stop - where, _SHOWN_BYTES_MAX))
    for start in range(where, stop, WINDOW_BYTES):
        file.write_at(start, bytes(min(WINDOW_BYTES, stop - start)))
    file.sync()
    return Rotted(where, stop - where, before)


def end_early(file: WritableFile, *, draw: Draw, size: int | None = None, drop: int = 0) -> Rotted:
    """End a file at `size` bytes, or `drop` bytes before its written end.

    What is neither said is drawn: up to a page is dropped. Raises: UsageError, AccessError.
    """
    end = written_end(file)
    if size is None:
        size = max(0, end - (drop or 1 + draw(PAGE_BYTES)))
    if not 0 <= size <= file.stat().size:
        raise UsageError(f"{file.path}: expected a size up to {file.stat().size}")
    lost = max(0, end - size)
    before = file.read_at(size, min(lost, _SHOWN_BYTES_MAX))
    file.truncate(size)
    file.sync()
    return Rotted(size, lost, before)


def place_in(file: File, offset: int | None, draw: Draw) -> int:
    """A place in a file that holds a byte. Raises: UsageError."""
    if offset is None:
        end = written_end(file)
        if not end:
            raise UsageError(f"{file.path}: nothing was written to it")
        return draw(end)
    size = file.stat().size
    if not 0 <= offset < size:
        raise UsageError(f"{file.path}: expected an offset below {size}, found {offset}")
    return offset


def written_end(file: File) -> int:
    """Where the zeros begin with which a file ends."""
    for start, stop in reversed(list(file.data_ranges(0, file.stat().size))):
        for first in reversed(range(start, stop, WINDOW_BYTES)):
            data = file.read_at(first, min(WINDOW_BYTES, stop - first)).rstrip(b"\0")
            if data:
                return first + len(data)
    return 0
