"""A disk in memory, for tests and for the simulator: sparse, deterministic, able to fail.

It behaves as a POSIX disk does where a program can tell: links are followed, an open file outlives
its name, holes read as zeros and are reported as holes, locks of two open files conflict. Reasons
in errors are the system's words, so that a message from here and one from `real.py` are the same.
Times come from a counter that every change advances; there is no clock here. What a file costs is
what was written to it, by pages; what `truncate` adds is a hole.

The calls that a program has are those of `WritableFileSystem`; what they do is durable only when
it is synced, and `crash` gives the disk as a power cut leaves it (see `crash.py` for the rules).
The other calls are for whoever owns the disk (a test, a world): what they change is durable at
once, with all that the file or directory held. Faults are stated as data: `fail` and `fail_reads`
for places, `fail_call` for the calls to come, `capacity_bytes` for a disk that fills up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from walctl.errors import AccessError, UnsupportedError
from walctl.fs import words
from walctl.fs.aftermath import aftermath, files_of, outcomes
from walctl.fs.base import File, Stat
from walctl.fs.contents import PAGE_BYTES
from walctl.fs.crash import LOST, Assign, Crash, NameChange, These, bounded
from walctl.fs.faults import Traffic
from walctl.fs.memory_file import MemoryFile, MemoryWritableFile
from walctl.fs.nodes import (
    Call,
    Directory,
    Link,
    Node,
    Plain,
    Special,
    attributes_of,
    stat_of,
)
from walctl.fs.tree import LinkLoopError, NothingThereError, Tree, demand_allowed
from walctl.fs.writable import Attributes, WritableFile, decides_access

_ENDLESS_BYTES = 1 << 50
"""What a disk without a bound calls its free space."""


class MemoryFileSystem(Traffic):
    """A disk in memory; `files` are its first ones, parents are made as needed.

    `on_read` and `on_call` may change the disk: a file then grows, shrinks or loses its name in
    the middle of being read. `can_exchange` is false for a file system without `exchange`.
    `elsewhere` says which processes have what open, for `holders`.
    """

    def __init__(
        self,
        files: Mapping[Path, bytes] | None = None,
        *,
        on_read: Callable[[Path, int, int], None] | None = None,
        capacity_bytes: int | None = None,
    ) -> None:
        super().__init__(on_read)
        self.can_exchange = True
        self.elsewhere: dict[Path, list[int]] = {}
        self._tree = Tree()
        for path, data in (files or {}).items():
            self.write(path, data)
        self.capacity_bytes = capacity_bytes

    @property
    def capacity_bytes(self) -> int | None:
        """What the disk holds at most, by pages; `None`: as much as is asked."""
        return self._tree.capacity_bytes

    @capacity_bytes.setter
    def capacity_bytes(self, size: int | None) -> None:
        """A disk that holds more already has no room at all."""
        self._tree.capacity_bytes = size

    # What a program asks.

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`; a link that leads nowhere or in a circle is itself, `OTHER`."""
        self.before(Call.STAT, path)
        try:
            node = self._tree.find(path)
        except (NothingThereError, LinkLoopError):
            # Its own name may still be there: a link is then all there is to look at.
            node = self._tree.find(path, follow_final=False)
            if not isinstance(node, Link):
                raise
        demand_allowed(path, node, Call.STAT)
        return stat_of(node)

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`; a plain file in the place of a parent means no."""
        self.before(Call.STAT, path)
        try:
            node = self._tree.find(path)
        except NothingThereError:
            return False
        demand_allowed(path, node, Call.STAT)
        return True

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        self.before(Call.NAMES, path)
        node = self._directory(path)
        demand_allowed(path, node, Call.NAMES)
        return sorted(node.children)

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        self.before(Call.OPEN, path)
        node = self._tree.plain(path)
        demand_allowed(path, node, Call.OPEN)
        return MemoryFile(self, self._tree, path, node)

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`; a program may be killed between the name and the bytes."""
        self.before(Call.CREATE, path)
        parent = self._tree.demand_new(path)
        node = self._tree.new_plain(parent)
        self._tree.change(Assign(parent, path.name, node))
        if not data:
            return
        try:
            self.before(Call.WRITE, path)
            if self._tree.fitting(node.contents, 0, len(data)) < len(data):
                raise AccessError(f"{path}: {words.NO_SPACE}")
        except AccessError:
            self._tree.change(Assign(parent, path.name, None))
            raise
        node.write(self._tree.next_operation(), 0, data)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        self.before(Call.CREATE, path)
        parent = self._tree.demand_new(path)
        self._tree.change(Assign(parent, path.name, self._tree.new_directory(parent.device)))

    # What a program that writes asks.

    def create_file(self, path: Path, *, mode: int = 0o600) -> WritableFile:
        """See `WritableFileSystem.create_file`."""
        self.before(Call.CREATE, path)
        parent = self._tree.demand_new(path)
        node = self._tree.new_plain(parent, mode)
        self._tree.change(Assign(parent, path.name, node))
        return self._opened(path, node)

    def open_file(self, path: Path) -> WritableFile:
        """See `WritableFileSystem.open_file`."""
        self.before(Call.OPEN, path)
        node = self._tree.plain(path, follow_final=False)
        demand_allowed(path, node, Call.OPEN)
        return self._opened(path, node)

    def rename(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.rename`."""
        asked = f"{source} -> {target}"
        self.before(Call.RENAME, source, asked=asked)
        old, node = self._tree.named(source, asked=asked)
        new = self._tree.parent(target, asked=asked)
        _demand_one_device(asked, old, node, new)
        for each in (old, new, node):
            demand_allowed(asked, each, Call.RENAME)
        there = new.children.get(target.name)
        if there is node:
            return
        if target.name in ("", ".."):
            raise AccessError(f"{asked}: {words.BUSY}")
        if self._tree.holds(node, new):
            raise AccessError(f"{asked}: {words.INVALID}")
        is_above = there is not None and self._tree.holds(there, old)
        _demand_replaceable(asked, node, there, is_above=is_above)
        self._tree.change(Assign(old, source.name, None), Assign(new, target.name, node))

    def exchange(self, first: Path, second: Path) -> None:
        """See `WritableFileSystem.exchange`."""
        asked = f"{first} -> {second}"
        self.before(Call.EXCHANGE, first, asked=asked)
        parents, nodes = zip(
            *(self._tree.named(path, asked=asked) for path in (first, second)), strict=True
        )
        if nodes[0] is nodes[1]:
            return
        _demand_one_device(asked, parents[0], nodes[0], parents[1])
        _demand_one_device(asked, parents[1], nodes[1], parents[0])
        if not self.can_exchange:
            raise UnsupportedError(f"{asked}: {words.NO_EXCHANGE}")
        for each in (*parents, *nodes):
            demand_allowed(asked, each, Call.EXCHANGE)
        if any(self._tree.holds(nodes[one], nodes[1 - one]) for one in (0, 1)):
            raise AccessError(f"{asked}: {words.INVALID}")
        self._tree.change(
            Assign(parents[0], first.name, nodes[1]), Assign(parents[1], second.name, nodes[0])
        )

    def hard_link(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.hard_link`."""
        asked = f"{source} -> {target}"
        self.before(Call.HARD_LINK, source, asked=asked)
        node = self._tree.plain(source, follow_final=False, asked=asked)
        parent = self._tree.demand_new(target, asked=asked)
        _demand_one_device(asked, node, node, parent)
        for each in (node, parent):
            demand_allowed(asked, each, Call.HARD_LINK)
        self._tree.change(Assign(parent, target.name, node))

    def remove(self, path: Path) -> None:
        """See `WritableFileSystem.remove`."""
        self.before(Call.REMOVE, path)
        parent, node = self._tree.named(path, asked=path)
        if isinstance(node, Directory):
            raise AccessError(f"{path}: {words.IS_A_DIRECTORY}")
        self._take_away(path, parent, node)

    def remove_dir(self, path: Path) -> None:
        """See `WritableFileSystem.remove_dir`."""
        self.before(Call.REMOVE, path)
        parent, node = self._tree.named(path, asked=path)
        if not isinstance(node, Directory):
            raise AccessError(f"{path}: {words.NOT_A_DIRECTORY}")
        if node.children:
            raise AccessError(f"{path}: {words.NOT_EMPTY}")
        self._take_away(path, parent, node)

    def sync_dir(self, path: Path) -> None:
        """See `WritableFileSystem.sync_dir`."""
        self.before(Call.SYNC_DIR, path)
        node = self._directory(path)
        demand_allowed(path, node, Call.SYNC_DIR)
        self._tree.settle(node)

    def attributes(self, path: Path) -> Attributes:
        """See `WritableFileSystem.attributes`."""
        self.before(Call.STAT, path)
        node = self._tree.find(path, follow_final=False)
        demand_allowed(path, node, Call.STAT)
        return attributes_of(node)

    def set_attributes(self, path: Path, attributes: Attributes) -> None:
        """See `WritableFileSystem.set_attributes`."""
        self.before(Call.SET_ATTRIBUTES, path)
        node = self._tree.find(path, follow_final=False)
        if not isinstance(node, Directory):
            node = self._tree.plain(path, follow_final=False)
        demand_allowed(path, node, Call.SET_ATTRIBUTES)
        node.uid = node.uid if attributes.uid is None else attributes.uid
        node.gid = node.gid if attributes.gid is None else attributes.gid
        kept = {name: node.extended[name] for name in node.extended if not decides_access(name)}
        node.extended = kept | dict(attributes.extended)
        node.mode = attributes.mode
        node.mtime_ns = node.mtime_ns if attributes.mtime_ns is None else attributes.mtime_ns

    def free_bytes(self, path: Path) -> int:
        """See `WritableFileSystem.free_bytes`."""
        self.before(Call.STAT, path)
        self._tree.find(path)
        pages = self._tree.free_pages()
        return _ENDLESS_BYTES if pages is None else pages * PAGE_BYTES

    def holders(self, paths: Sequence[Path]) -> list[int]:
        """See `WritableFileSystem.holders`; those that the disk's owner says there are."""
        found = {
            process
            for held, processes in self.elsewhere.items()
            for process in processes
            if any(held.is_relative_to(path) for path in paths)
        }
        return sorted(found)

    # What the owner of the disk does to it.

    def write(self, path: Path, data: bytes) -> None:
        """Make `path` hold exactly `data`; an existing file keeps its inode."""
        node = self._plain_or_new(path)
        node.contents.cut(0)
        node.contents.write(0, data)
        self._settled(node)

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        """Put `data` at `offset` of a file, which grows as needed; a gap becomes a hole."""
        node = self._plain_or_new(path)
        node.contents.write(offset, data)
        self._settled(node)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to `size` bytes, or lengthen it by a hole."""
        node = self._tree.plain(path)
        node.contents.cut(size)
        self._settled(node)

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents; one that is there already stays as it is."""
        self._tree.directory_made(path)

    def mount(self, path: Path) -> None:
        """Make the new directory `path`, with its parents, another file system."""
        self._tree.place(path, self._tree.new_directory(self._tree.new_device()))

    def link(self, path: Path, target: Path) -> None:
        """Make `path` a symbolic link; a relative `target` counts from the link's directory."""
        inode, time = self._tree.next_inode(), self._tree.tick()
        self._tree.place(path, Link(inode, time, 0o777, target=target))

    def make_special(self, path: Path) -> None:
        """Make `path` something that is neither file, directory nor link."""
        self._tree.place(path, Special(self._tree.next_inode(), self._tree.tick(), 0o600))

    def end_process(self) -> None:
        """Close every open file, as the system does when a program ends; no byte is lost by it."""
        self.process += 1
        for node in self._tree.nodes():
            node.locks.clear()

    def everything(self) -> dict[Path, bytes | Path | None]:
        """All there is, by path: bytes of files, targets of links, `None` for anything else.

        Holes come as zeros: this is for a disk whose files are small.
        """
        found: dict[Path, bytes | Path | None] = {}
        waiting: list[tuple[Path, Directory]] = [(Path("/"), self._tree.root)]
        while waiting:
            folder, directory = waiting.pop()
            for name, node in directory.children.items():
                found[folder / name] = _held(node)
                if isinstance(node, Directory):
                    waiting.append((folder / name, node))
        return dict(sorted(found.items()))

    # Faults.

    def fail(self, path: Path, reason: str, *calls: Call) -> None:
        """Let `calls` (none given: every call) on what is at `path` now fail with `reason`.

        A change of names fails at the directories that it is in, too.
        """
        node = self._tree.find(path)
        node.failures.update(dict.fromkeys(calls or tuple(Call), reason))

    def fail_reads(self, path: Path, start: int, stop: int, reason: str = words.IO_ERROR) -> None:
        """Let reading any byte of `[start, stop)` fail with `reason`, as a bad sector does."""
        self._tree.plain(path).bad.append((start, stop, reason))

    def crash(self, crash: Crash = LOST) -> "MemoryFileSystem":
        """The disk after a power cut, as another one, on which nothing is open; this one stays.

        Failing places come along, faults of calls to come and callbacks do not.
        """
        disk = MemoryFileSystem()
        self._leave(disk, crash)
        return disk

    def unsynced(self) -> tuple[list[Plain], list[NameChange]]:
        """The files and the changes of names that a power cut is about, for `crash.atoms_of`."""
        changes = self._tree.changes
        files = [each for each in files_of(self._tree.root, changes) if each.changes]
        return files, list(changes)

    def outcomes(self, *, count_max: int, torn: bool = True) -> Iterator[These]:
        """Every crash that leaves another disk, `Lost` first; writes tear by sectors or not at all.

        Raises: UsageError, behind the last one, when there are more than `count_max`.
        """
        found = outcomes(self._tree.root, self._tree.changes, torn=torn)
        return bounded(found, count_max)

    # Below here: nodes.

    def _leave(self, disk: "MemoryFileSystem", crash: Crash) -> None:
        """Make `disk`, on which there is nothing, what a power cut leaves of this one."""
        disk.can_exchange = self.can_exchange
        disk._tree.adopt(aftermath(self._tree.root, self._tree.changes, crash), self._tree)

    def _opened(self, path: Path, node: Plain) -> WritableFile:
        """A file to write to, open."""
        return MemoryWritableFile(self, self._tree, path, node)

    def _directory(self, path: Path) -> Directory:
        node = self._tree.find(path)
        if not isinstance(node, Directory):
            raise AccessError(f"{path}: {words.NOT_A_DIRECTORY}")
        return node

    def _plain_or_new(self, path: Path) -> Plain:
        try:
            return self._tree.plain(path)
        except NothingThereError:
            node = self._tree.new_plain(self._tree.root)
            self._tree.place(path, node)
            return node

    def _settled(self, node: Plain) -> None:
        node.settle()
        node.mtime_ns = self._tree.tick()

    def _take_away(self, path: Path, parent: Directory, node: Node) -> None:
        for each in (parent, node):
            demand_allowed(path, each, Call.REMOVE)
        if node.device != parent.device:
            raise AccessError(f"{path}: {words.BUSY}")
        self._tree.change(Assign(parent, path.name, None))


def _demand_one_device(asked: str, old: Node, node: Node, new: Directory) -> None:
    """Raise the reason if `node`, out of `old`, cannot get a name in `new`."""
    if old.device != new.device:
        raise AccessError(f"{asked}: {words.DIFFERENT_FILE_SYSTEMS}")
    if node.device != old.device:  # the root of another file system
        raise AccessError(f"{asked}: {words.BUSY}")


def _demand_replaceable(asked: str, node: Node, there: Node | None, *, is_above: bool) -> None:
    """Raise the reason if `node` cannot take the place of what is there."""
    if isinstance(node, Directory) and there is not None and not isinstance(there, Directory):
        raise AccessError(f"{asked}: {words.NOT_A_DIRECTORY}")
    if isinstance(there, Directory):
        if isinstance(node, Directory) and not there.children:
            return
        is_empty_for = isinstance(node, Directory) or is_above
        reason = words.NOT_EMPTY if is_empty_for else words.IS_A_DIRECTORY
        raise AccessError(f"{asked}: {reason}")


def _held(node: Node) -> bytes | Path | None:
    match node:
        case Plain():
            return node.contents.read(0, node.size)
        case Link():
            return node.target
        case _:
            return None
