"""What lies on the disk in memory: inodes with what is durable of them, faults; no path is walked.

An inode holds what a reader sees. Beside it, `durable` is what was there at the last sync, and
`None` means that nothing has changed since: a disk whose files are all synced costs nothing twice.
"""

import enum
from dataclasses import dataclass, field
from pathlib import Path

from walctl.fs.base import Kind, Stat
from walctl.fs.contents import PAGE_BYTES, Change, Contents, Resized, Written, pages_of
from walctl.fs.writable import Attributes, Lock


class Call(enum.StrEnum):
    """What a program asks of a disk, and what can be made to fail."""

    STAT = "stat"
    """Looking at it (`stat`, `exists`, `attributes`, `free_bytes`)."""
    OPEN = "open"
    """Opening a file, to read or to write."""
    READ = "read"
    """Reading an open file."""
    NAMES = "names"
    """Listing a directory."""
    ENTER = "enter"
    """Passing through a directory, to anything below it; no call of its own."""
    CREATE = "create"
    """Making a new name in a directory, of whatever kind."""
    WRITE = "write"
    """Writing to an open file."""
    TRUNCATE = "truncate"
    """Giving an open file another size."""
    ALLOCATE = "allocate"
    """Reserving blocks for an open file."""
    SYNC = "sync"
    """Making a file's bytes durable."""
    LOCK = "lock"
    """Locking an open file."""
    RENAME = "rename"
    """Moving a name."""
    EXCHANGE = "exchange"
    """Exchanging two names."""
    HARD_LINK = "hard-link"
    """Giving a file a second name."""
    REMOVE = "remove"
    """Taking away the name of a file, a link or an empty directory."""
    SYNC_DIR = "sync-dir"
    """Making a directory's names durable."""
    SET_ATTRIBUTES = "set-attributes"
    """Setting owner, mode, attributes and time."""


READING = frozenset({Call.STAT, Call.OPEN, Call.READ, Call.NAMES, Call.ENTER})
"""Calls that change nothing, so that a program killed before one or before the next is one case."""

NAME_CALLS = (Call.CREATE, Call.RENAME, Call.EXCHANGE, Call.HARD_LINK, Call.REMOVE)
"""Calls that a directory which may not be written to refuses."""


@dataclass(slots=True, eq=False)
class Node:
    """What every inode has. `failures` belongs to the inode, so it follows a rename.

    `links` counts its names. `locks` are held by open files, whoever opened them.
    """

    inode: int
    mtime_ns: int
    mode: int
    failures: dict[Call, str] = field(default_factory=dict)
    uid: int = 0
    gid: int = 0
    extended: dict[str, bytes] = field(default_factory=dict)
    device: int = 0
    links: int = 0
    locks: dict[Lock, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Plain(Node):
    """A file. `bad` are spans whose reading fails, each with its reason."""

    contents: Contents = field(default_factory=Contents)
    bad: list[tuple[int, int, str]] = field(default_factory=list)
    durable: Contents | None = None
    changes: list[Change] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many bytes it has now."""
        return self.contents.size

    def write(self, number: int, offset: int, data: bytes) -> None:
        """Put `data` at `offset`, as the operation `number` of the disk; not durable yet."""
        if offset + len(data) > self.size:
            # The new size is a change of its own: it may survive without the bytes.
            self._change(Resized(number, offset + len(data), self.contents.reserved))
        self._change(Written(number, offset, data))

    def cut(self, number: int, size: int) -> None:
        """Make it `size` bytes long; not durable yet."""
        reserved = min(self.contents.reserved, pages_of(size))
        self._change(Resized(number, size, reserved))

    def reserve(self, number: int, size: int) -> None:
        """Make it at least `size` bytes long, and its own all the pages of those; not durable."""
        reserved = max(self.contents.reserved, pages_of(size))
        self._change(Resized(number, max(size, self.size), reserved))

    def settle(self) -> None:
        """Make durable what it holds."""
        self.durable = None
        self.changes.clear()

    def forget(self) -> None:
        """Hold again what is durable, as if nothing had been done since."""
        if self.durable is not None:
            self.contents = self.durable
        self.settle()

    def _change(self, change: Change) -> None:
        if self.durable is None:
            self.durable = self.contents.copy()
        self.changes.append(change)
        self.contents.redo(change)


@dataclass(slots=True, eq=False)
class Directory(Node):
    """Names, and what each stands for."""

    children: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] | None = None


@dataclass(slots=True, eq=False)
class Link(Node):
    """A symbolic link; a relative target counts from the directory it lies in."""

    target: Path = field(default_factory=Path)


@dataclass(slots=True, eq=False)
class Special(Node):
    """A pipe, a socket, a device."""


def stat_of(node: Node) -> Stat:
    """What `FileSystem.stat` says of an inode."""
    return Stat(
        kind=_kind_of(node),
        size=node.size if isinstance(node, Plain) else 0,
        mtime_ns=node.mtime_ns,
        inode=node.inode,
        mode=node.mode,
        allocated_bytes=pages_taken(node) * PAGE_BYTES,
    )


def attributes_of(node: Node) -> Attributes:
    """What `WritableFileSystem.attributes` says of an inode."""
    return Attributes(
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        mtime_ns=node.mtime_ns,
        extended=tuple(sorted(node.extended.items())),
        is_link=isinstance(node, Link),
        is_directory=isinstance(node, Directory),
        device=node.device,
        links=node.links,
    )


def pages_taken(node: Node) -> int:
    """Pages of the disk that an inode takes; names cost nothing here."""
    return node.contents.page_count if isinstance(node, Plain) else 0


def _kind_of(node: Node) -> Kind:
    match node:
        case Plain():
            return Kind.FILE
        case Directory():
            return Kind.DIRECTORY
        case _:
            return Kind.OTHER
