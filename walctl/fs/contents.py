"""What one file of the disk in memory holds, and what was done to it since it was synced.

Bytes are kept by pages, so that a hole costs nothing. The changes are values: `crash` decides
which of them a power cut leaves, and they are then done once more, to what was synced.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PAGE_BYTES = 4096
"""What a hole is made of: a page that was never written takes no memory."""

_ZERO_PAGE = bytes(PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that were put at `offset`; `number` says which operation of the disk that was."""

    number: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """A file that became `size` bytes long; `reserved` pages are its own, written or not."""

    number: int
    size: int
    reserved: int


Change = Written | Resized


@dataclass(slots=True)
class Contents:
    """Size, the pages that were ever written, by page number, and how many were reserved."""

    size: int = 0
    pages: dict[int, bytes] = field(default_factory=dict)
    reserved: int = 0

    def copy(self) -> "Contents":
        """The same, to be changed on its own; the pages are shared, as nobody changes a page."""
        return Contents(self.size, dict(self.pages), self.reserved)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes `[offset, offset + size)`, cut at the end of the file."""
        stop = min(offset + size, self.size)
        pieces: list[bytes] = []
        while offset < stop:
            number, within = divmod(offset, PAGE_BYTES)
            count = min(PAGE_BYTES - within, stop - offset)
            pieces.append(self.pages.get(number, _ZERO_PAGE)[within : within + count])
            offset += count
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; a gap before it becomes a hole."""
        done = 0
        while done < len(data):
            number, within = divmod(offset + done, PAGE_BYTES)
            count = min(PAGE_BYTES - within, len(data) - done)
            old = self.pages.get(number, _ZERO_PAGE)
            page = old[:within] + data[done : done + count] + old[within + count :]
            self.pages[number] = _ZERO_PAGE if page == _ZERO_PAGE else page
            done += count
        if data:
            self.size = max(self.size, offset + len(data))

    def cut(self, size: int) -> None:
        """Make it `size` bytes long; what is cut off reads as zeros if it grows again."""
        final, within = divmod(size, PAGE_BYTES)
        if size < self.size:
            self.pages = {
                number: page for number, page in self.pages.items() if number * PAGE_BYTES < size
            }
            if within and final in self.pages:
                self.pages[final] = self.pages[final][:within] + _ZERO_PAGE[within:]
            self.reserved = min(self.reserved, pages_of(size))
        self.size = size

    def redo(self, change: Change) -> None:
        """Do once more what was done; bytes beyond the size that was kept cannot be seen."""
        match change:
            case Written(offset=offset, data=data):
                self.write(offset, data[: max(0, self.size - offset)])
            case Resized(size=size, reserved=reserved):
                self.cut(size)
                self.reserved = reserved

    def ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Ranges within `[start, stop)` that were written; pages next to each other make one."""
        stop = min(stop, self.size)
        run: tuple[int, int] | None = None
        for number in sorted(self.pages):
            first = max(number * PAGE_BYTES, start)
            end = min((number + 1) * PAGE_BYTES, stop)
            if first >= end:
                continue
            if run is None:
                run = (first, end)
            elif run[1] == first:
                run = (run[0], end)
            else:
                yield run
                run = (first, end)
        if run is not None:
            yield run

    def has_room_at(self, number: int) -> bool:
        """Whether writing to a page takes nothing more of the disk."""
        return number < self.reserved or number in self.pages

    def missing_pages(self, size: int) -> int:
        """Pages that the disk has to give so that `[0, size)` is the file's own."""
        target = Contents(reserved=max(self.reserved, pages_of(size)), pages=self.pages)
        return target.page_count - self.page_count

    @property
    def page_count(self) -> int:
        """Pages that it takes on the disk, written or reserved."""
        if not self.reserved:
            return len(self.pages)
        return self.reserved + sum(number >= self.reserved for number in self.pages)


def pages_of(size: int) -> int:
    """How many pages hold `size` bytes."""
    return -(-size // PAGE_BYTES)
