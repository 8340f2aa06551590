"""What lies on the disk in memory: inodes, sparse contents, faults; no path is walked."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from walctl.fs.base import Kind, Stat

PAGE_BYTES = 4096
"""What a hole is made of: a page that was never written takes no memory."""

_ZERO_PAGE = bytes(PAGE_BYTES)


class Call(enum.StrEnum):
    """What can be made to fail at one file or directory."""

    STAT = "stat"
    """Looking at it (`stat`, `exists`)."""
    OPEN = "open"
    """Opening a file."""
    READ = "read"
    """Reading an open file."""
    NAMES = "names"
    """Listing a directory."""
    ENTER = "enter"
    """Passing through a directory, to anything below it."""
    CREATE = "create"
    """Making a new name in a directory."""


@dataclass(slots=True)
class Node:
    """What every inode has. `failures` belongs to the inode, so it follows a rename."""

    inode: int
    mtime_ns: int
    mode: int
    failures: dict[Call, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plain(Node):
    """A file: its size, and the pages that were ever written, by page number.

    `bad` are spans whose reading fails, each with its reason.
    """

    size: int = 0
    pages: dict[int, bytes] = field(default_factory=dict)
    bad: list[tuple[int, int, str]] = field(default_factory=list)

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
        self.size = size

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


@dataclass(slots=True)
class Directory(Node):
    """Names, and what each stands for."""

    children: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True)
class Link(Node):
    """A symbolic link; a relative target counts from the directory it lies in."""

    target: Path = field(default_factory=Path)


@dataclass(slots=True)
class Special(Node):
    """A pipe, a socket, a device."""


def stat_of(node: Node) -> Stat:
    """What `FileSystem.stat` says of an inode."""
    size = node.size if isinstance(node, Plain) else 0
    pages = len(node.pages) if isinstance(node, Plain) else 0
    return Stat(
        kind=_kind_of(node),
        size=size,
        mtime_ns=node.mtime_ns,
        inode=node.inode,
        mode=node.mode,
        allocated_bytes=pages * PAGE_BYTES,
    )


def _kind_of(node: Node) -> Kind:
    match node:
        case Plain():
            return Kind.FILE
        case Directory():
            return Kind.DIRECTORY
        case _:
            return Kind.OTHER
