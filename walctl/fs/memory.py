"""A disk in memory, for tests and for the simulator: sparse, deterministic, able to fail.

It behaves as a POSIX disk does where a reader can tell: links are followed, an open file outlives
its name, holes read as zeros and are reported as holes. Reasons in errors are the system's words,
so that a message from here and one from `real.py` are the same. Times come from a counter that
every change advances; there is no clock here. What a file costs is what was written to it, by
pages; what `truncate` adds is a hole.

The calls that a program has are those of `FileSystem`. The others that make and change the disk
are for whoever owns it (a test, a world); faults are stated as data, by `fail` and `fail_reads`.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import File, Stat
from walctl.fs.nodes import Call, Directory, Link, Node, Plain, Special, stat_of

LINKS_MAX = 40
"""Links followed for one path before it counts as a circle (Linux: 40)."""

TICK_NS = 1_000_000
"""How far one change moves the disk's time."""

# The system's words, as strerror has them.
MISSING = "No such file or directory"
NOT_A_DIRECTORY = "Not a directory"
IS_A_DIRECTORY = "Is a directory"
NOT_EMPTY = "Directory not empty"
NOT_PLAIN = "Not a plain file"
EXISTS = "File exists"
LINK_LOOP = "Too many levels of symbolic links"
PERMISSION_DENIED = "Permission denied"
IO_ERROR = "Input/output error"
CLOSED = "Bad file descriptor"
INVALID = "Invalid argument"


class MemoryFileSystem:
    """A disk in memory; `files` are its first ones, parents are made as needed.

    `on_read(path, offset, size)` is called before every read of an open file, and may change the
    disk: a file then grows, shrinks or loses its name in the middle of being read. `reads` and
    `bytes_read` count what was asked for and given, holes included.
    """

    def __init__(
        self,
        files: Mapping[Path, bytes] | None = None,
        *,
        on_read: Callable[[Path, int, int], None] | None = None,
    ) -> None:
        self.on_read = on_read
        self.reads = 0
        self.bytes_read = 0
        self._changes = 0
        self._inodes = 0
        self._root = self._new_directory()
        for path, data in (files or {}).items():
            self.write(path, data)

    # What a program asks.

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`; a link that leads nowhere or in a circle is itself, `OTHER`."""
        try:
            node = self._find(path)
        except (_NothingThereError, _LinkLoopError):
            # Its own name may still be there: a link is then all there is to look at.
            node = self._find(path, follow_final=False)
            if not isinstance(node, Link):
                raise
        _demand_allowed(path, node, Call.STAT)
        return stat_of(node)

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`; a plain file in the place of a parent means no."""
        try:
            node = self._find(path)
        except _NothingThereError:
            return False
        _demand_allowed(path, node, Call.STAT)
        return True

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        node = self._find(path)
        if not isinstance(node, Directory):
            raise AccessError(f"{path}: {NOT_A_DIRECTORY}")
        _demand_allowed(path, node, Call.NAMES)
        return sorted(node.children)

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        node = self._plain(path)
        _demand_allowed(path, node, Call.OPEN)
        return MemoryFile(self, path, node)

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`."""
        self._demand_new(path)
        node = Plain(self._next_inode(), self._tick(), 0o600)
        node.write(0, data)
        self._place(path, node)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        self._demand_new(path)
        self._place(path, self._new_directory())

    # What the owner of the disk does to it.

    def write(self, path: Path, data: bytes) -> None:
        """Make `path` hold exactly `data`; an existing file keeps its inode."""
        node = self._plain_or_new(path)
        node.cut(0)
        node.write(0, data)
        self._changed(node)

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        """Put `data` at `offset` of a file, which grows as needed; a gap becomes a hole."""
        node = self._plain_or_new(path)
        node.write(offset, data)
        self._changed(node)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to `size` bytes, or lengthen it by a hole."""
        node = self._plain(path)
        node.cut(size)
        self._changed(node)

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents; one that is there already stays as it is."""
        self._directory(path)

    def link(self, path: Path, target: Path) -> None:
        """Make `path` a symbolic link; a relative `target` counts from the link's directory."""
        self._place(path, Link(self._next_inode(), self._tick(), 0o777, target=target))

    def make_special(self, path: Path) -> None:
        """Make `path` something that is neither file, directory nor link."""
        self._place(path, Special(self._next_inode(), self._tick(), 0o600))

    def rename(self, source: Path, target: Path) -> None:
        """Move a name; a file that `target` was loses its name (open ones read on)."""
        node = self._find(source, follow_final=False)
        parent = self._directory(target.parent)
        if isinstance(parent.children.get(target.name), Directory):
            raise AccessError(f"{target}: {EXISTS}")
        old_parent = self._directory(source.parent)
        del old_parent.children[source.name]
        parent.children[target.name] = node
        self._changed(old_parent)
        self._changed(parent)

    def remove(self, path: Path) -> None:
        """Take a name away: a file's, a link's, or an empty directory's."""
        node = self._find(path, follow_final=False)
        if isinstance(node, Directory) and node.children:
            raise AccessError(f"{path}: {NOT_EMPTY}")
        parent = self._directory(path.parent)
        del parent.children[path.name]
        self._changed(parent)

    # Faults.

    def fail(self, path: Path, reason: str, *calls: Call) -> None:
        """Let `calls` (none given: every call) on what is at `path` now fail with `reason`."""
        node = self._find(path)
        node.failures.update(dict.fromkeys(calls or tuple(Call), reason))

    def fail_reads(self, path: Path, start: int, stop: int, reason: str = IO_ERROR) -> None:
        """Let reading any byte of `[start, stop)` fail with `reason`, as a bad sector does."""
        self._plain(path).bad.append((start, stop, reason))

    # Below here: nodes and names.

    def _plain(self, path: Path) -> Plain:
        node = self._find(path)
        if isinstance(node, Directory):
            raise AccessError(f"{path}: {IS_A_DIRECTORY}")
        if not isinstance(node, Plain):
            raise AccessError(f"{path}: {NOT_PLAIN}")
        return node

    def _plain_or_new(self, path: Path) -> Plain:
        try:
            return self._plain(path)
        except _NothingThereError:
            node = Plain(self._next_inode(), self._tick(), 0o600)
            self._place(path, node)
            return node

    def _demand_new(self, path: Path) -> None:
        """Raise what stands in the way of a new name: no directory, or what is there already."""
        parent = self._find(path.parent, asked=path)
        if not isinstance(parent, Directory):
            raise AccessError(f"{path}: {NOT_A_DIRECTORY}")
        _demand_allowed(path, parent, Call.ENTER)
        if path.name in parent.children or not path.name:
            raise AccessError(f"{path}: {EXISTS}")
        _demand_allowed(path, parent, Call.CREATE)

    def _place(self, path: Path, node: Node) -> None:
        parent = self._directory(path.parent)
        if path.name in parent.children:
            raise AccessError(f"{path}: {EXISTS}")
        parent.children[path.name] = node
        self._changed(parent)

    def _directory(self, path: Path) -> Directory:
        """The directory at `path`, made with its parents where nothing is."""
        try:
            node = self._find(path)
        except _NothingThereError:
            node = self._new_directory()
            self._place(path, node)
        if not isinstance(node, Directory):
            raise AccessError(f"{path}: {NOT_A_DIRECTORY}")
        return node

    def _find(self, path: Path, *, follow_final: bool = True, asked: Path | None = None) -> Node:
        """Walk `path` from the root (a relative one too), following links.

        Errors name `asked`, where somebody asked for another path than this.
        """
        asked = path if asked is None else asked
        trail: list[Directory] = [self._root]
        node: Node = self._root
        waiting = list(reversed(_names_of(path)))
        links = 0
        while waiting:
            name = waiting.pop()
            if not isinstance(node, Directory):
                raise _NothingThereError(f"{asked}: {NOT_A_DIRECTORY}")
            _demand_allowed(asked, node, Call.ENTER)
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                node = trail[-1]
                continue
            child = node.children.get(name)
            if child is None:
                raise _NothingThereError(f"{asked}: {MISSING}")
            if isinstance(child, Link) and (waiting or follow_final):
                links += 1
                if links > LINKS_MAX:
                    raise _LinkLoopError(f"{asked}: {LINK_LOOP}")
                if child.target.is_absolute():
                    trail, node = [self._root], self._root
                waiting.extend(reversed(_names_of(child.target)))
                continue
            node = child
            if isinstance(node, Directory):
                trail.append(node)
        return node

    def _new_directory(self) -> Directory:
        return Directory(self._next_inode(), self._tick(), 0o700)

    def _next_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    def _tick(self) -> int:
        self._changes += 1
        return self._changes * TICK_NS

    def _changed(self, node: Node) -> None:
        node.mtime_ns = self._tick()


class MemoryFile:
    """A plain file of a `MemoryFileSystem`, open for reading; lives on when its name is gone."""

    def __init__(self, disk: MemoryFileSystem, path: Path, node: Plain) -> None:
        self._disk = disk
        self._path = path
        self._node = node
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The path it was opened by."""
        return self._path

    def stat(self) -> Stat:
        """See `File.stat`."""
        self._demand_open()
        return stat_of(self._node)

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        self._demand_open()
        if offset < 0:
            raise AccessError(f"{self._path}: {INVALID} at byte {offset}")
        if self._disk.on_read is not None:
            self._disk.on_read(self._path, offset, size)
        self._demand_readable(offset, size)
        data = self._node.read(offset, size)
        self._disk.reads += 1
        self._disk.bytes_read += len(data)
        return data

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        data = self.read_at(offset, len(target))
        target[: len(data)] = data
        return len(data)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`."""
        self._demand_open()
        yield from self._node.ranges(start, stop)

    def is_locked(self) -> bool:
        """See `File.is_locked`; nobody holds locks on a disk in memory."""
        return False

    def close(self) -> None:
        """See `File.close`."""
        self._is_closed = True

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _demand_open(self) -> None:
        if self._is_closed:
            raise AccessError(f"{self._path}: {CLOSED}")

    def _demand_readable(self, offset: int, size: int) -> None:
        """Raise what stands in the way of reading `[offset, offset + size)`, at its first byte."""
        if Call.READ in self._node.failures:
            reason = self._node.failures[Call.READ]
            raise AccessError(f"{self._path}: {reason} at byte {offset}")
        for start, stop, reason in sorted(self._node.bad):
            if start < offset + size and offset < stop:
                raise AccessError(f"{self._path}: {reason} at byte {max(start, offset)}")


class _NothingThereError(AccessError):
    """The one error that `exists` answers with no instead of raising it."""


class _LinkLoopError(AccessError):
    """Links in a circle: `stat` looks at the first of them instead."""


def _names_of(path: Path) -> list[str]:
    return [part for part in path.parts if part != path.anchor]


def _demand_allowed(path: Path, node: Node, call: Call) -> None:
    if call in node.failures:
        raise AccessError(f"{path}: {node.failures[call]}")
