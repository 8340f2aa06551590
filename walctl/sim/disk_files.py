"""The calls that the programs of one node make of its simulated disk, and what they meet there.

Below is the disk in memory, which forgets what was not synced; here is what disks do to programs
that run: they take their time, refuse, lie, write elsewhere, and lose their power in the middle of
a sequence of calls. As long as nothing of that is set, a call costs two questions more.

Only calls that change the disk are counted (`calls_left`): a program that dies before one that
reads, or before the change behind it, leaves the same.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from walctl.fs.contents import PAGE_BYTES, pages_of
from walctl.fs.crash import Crash
from walctl.fs.disk_faults import DiskFaultKind, Lie
from walctl.fs.faults import Killed
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.memory_file import MemoryWritableFile
from walctl.fs.nodes import Directory, Node, Plain
from walctl.fs.set_faults import SetFaults
from walctl.fs.tree import Tree
from walctl.fs.writable import Attributes, WritableFile


class Watch(Protocol):
    """Who is told of what reaches the disk; files go by their inodes, for names change."""

    def written(self, inode: int, offset: int, data: bytes | memoryview) -> None:
        """These bytes are in the file now, not durable."""

    def resized(self, inode: int, size: int) -> None:
        """The file has this size now, not durable."""

    def synced(self, inode: int) -> None:
        """All that the file holds is durable."""

    def changed(self, inode: int) -> None:
        """The file holds something else, behind the back of the program."""

    def begun(self, disk: "SimFileSystem") -> None:
        """From now on this is the disk, and anything may be on it."""

    def named(self, path: Path) -> None:
        """Names at `path` or below have changed, or have become durable."""


class Ways:
    """How one node's disk behaves: shared by the file systems that it is seen as, one a life.

    `sync_us` draws what a sync takes. `lag_us` is what calls took since the owner took it off.
    `tell(what, path, fields)` is told of writes and syncs, where somebody wants to know.
    """

    def __init__(self, faults: SetFaults, *, sync_us: Callable[[], int]) -> None:
        self.faults = faults
        self.sync_us = sync_us
        self.lag_us = 0
        self.is_rough = False
        """Whether a call may meet anything at all."""
        self.calls_left: int | None = None
        self.is_dead = False
        self.lies: list[Lie] = []
        self.tell: Callable[[str, Path, dict[str, Any]], None] | None = None
        self.watch: Watch | None = None
        self.below: Callable[[int], int] = lambda n: 0
        """Chance for a write that goes elsewhere."""

    def changing(self, path: Path) -> None:
        """A call is about to change the disk. Raises: Killed."""
        if self.is_dead:
            raise Killed(f"{path}: the power was cut")
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left <= 0:
                self.is_dead = True
                raise Killed(f"{path}: the power is cut here")

    def settle(self) -> None:
        """Know again whether anything is set."""
        self.is_rough = self.is_dead or self.calls_left is not None or bool(self.faults.faults())

    def sync(self, path: Path, node: Node, number: int) -> bool:
        """Take the time of a sync; whether it is done. Raises: AccessError, Killed."""
        taken = self.sync_us()
        if not self.is_rough:
            self.lag_us += taken
            return True
        faults = self.faults
        if (slow := faults.hit(DiskFaultKind.SLOW_SYNC, path)) is not None:
            taken += slow.delay_us
        self.lag_us += taken
        if faults.hit(DiskFaultKind.LYING_SYNC, path) is not None:
            self.lies.append(Lie(node, number))
            return False
        return True


class SimFileSystem(MemoryFileSystem):
    """The disk of one node as its programs use it in one life of the node."""

    def __init__(self, ways: Ways) -> None:
        super().__init__()
        self.ways = ways

    def after(self, crash: Crash, *, ways: Ways | None = None) -> "SimFileSystem":
        """What a crash leaves, as another one."""
        left = SimFileSystem(ways or self.ways)
        self._leave(left, crash)
        return left

    # Names.

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`."""
        self._before(path)
        if self.ways.is_rough:
            self.ways.faults.demand_writable(path, call="create", offset=None)
            self.ways.faults.take_room(path, len(data), call="create")
        super().create(path, data)
        self._named(path)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        self._before(path)
        super().make_dir(path)
        self._named(path)

    def create_file(self, path: Path, *, mode: int = 0o600) -> WritableFile:
        """See `WritableFileSystem.create_file`."""
        self._before(path)
        file = super().create_file(path, mode=mode)
        self._named(path)
        return file

    def rename(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.rename`."""
        self._before(source)
        super().rename(source, target)
        self._named(source)
        if target.parts[:2] != source.parts[:2]:
            self._named(target)

    def exchange(self, first: Path, second: Path) -> None:
        """See `WritableFileSystem.exchange`."""
        self._before(first)
        super().exchange(first, second)
        self._named(first)
        if second.parts[:2] != first.parts[:2]:
            self._named(second)

    def hard_link(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.hard_link`."""
        self._before(source)
        super().hard_link(source, target)
        self._named(target)

    def remove(self, path: Path) -> None:
        """See `WritableFileSystem.remove`."""
        self._before(path)
        super().remove(path)
        self._named(path)

    def remove_dir(self, path: Path) -> None:
        """See `WritableFileSystem.remove_dir`."""
        self._before(path)
        super().remove_dir(path)
        self._named(path)

    def set_attributes(self, path: Path, attributes: Attributes) -> None:
        """See `WritableFileSystem.set_attributes`."""
        self._before(path)
        super().set_attributes(path, attributes)

    def sync_dir(self, path: Path) -> None:
        """See `WritableFileSystem.sync_dir`."""
        self._before(path)
        ways = self.ways
        if not ways.sync(path, self._directory(path), self.next_number()):
            return
        super().sync_dir(path)
        self._named(path)

    def free_bytes(self, path: Path) -> int:
        """See `WritableFileSystem.free_bytes`."""
        free = super().free_bytes(path)
        full = self.ways.faults.fault(DiskFaultKind.FULL, path)
        return free if full is None else min(free, full.bytes_left)

    # For the files, and for the owner of the disk.

    def folders(self) -> list[str]:
        """The names of the folders of groups."""
        return [
            name for name, node in self._tree.root.children.items() if isinstance(node, Directory)
        ]

    def files_in(self, folder: Path) -> list[tuple[str, Plain, bool]]:
        """Plain files of a folder by name, and whether the name is durable, with all above it."""
        node, is_known = self._tree.root, True
        for part in folder.parts[1:]:
            child = node.children.get(part)
            if not isinstance(child, Directory):
                return []
            is_known = is_known and _is_durable(node, part, child)
            node = child
        return [
            (name, each, is_known and _is_durable(node, name, each))
            for name, each in sorted(node.children.items())
            if isinstance(each, Plain)
        ]

    def labels(self) -> dict[int, str]:
        """What kind of file each is, by its inode: its folder says so."""
        found: dict[int, str] = {}
        waiting: list[tuple[str, Directory]] = [("", self._tree.root)]
        while waiting:
            label, directory = waiting.pop()
            for name, node in directory.children.items():
                if isinstance(node, Directory):
                    waiting.append((name.removesuffix(".tmp"), node))
                found[node.inode] = label
        return found

    def names_in(self, folder: Path) -> list[str]:
        """Names of the plain files of a folder, sorted; none where there is no such folder."""
        return [name for name, _, _ in self.files_in(folder)]

    def raw_file(self, path: Path) -> MemoryWritableFile:
        """A file as its sectors are, past all that a program meets. Raises: AccessError."""
        return MemoryWritableFile(self, self._tree, path, self._tree.plain(path))

    def drop(self, path: Path) -> None:
        """Take a file away for good, as `raw_file` sees it. Raises: AccessError."""
        super().remove(path)
        super().sync_dir(path.parent)

    def put(self, name: str, other: "SimFileSystem | None", *, folder: str | None = None) -> None:
        """Let the directory `/name` be what `other` holds there (it is given away), or nothing;
        `/folder/name`, where both have the folder."""
        children = self._tree.root.children if folder is None else self._within(folder)
        children.pop(name, None)
        if other is None:
            return
        given = other._tree.root.children if folder is None else other._within(folder)
        if name in given:
            children[name] = given[name]

    def _within(self, folder: str) -> dict[str, Node]:
        """What is in `/folder`, which is there."""
        node = self._tree.root.children[folder]
        assert isinstance(node, Directory), "a group has a directory"
        return node.children

    def astray(self, node: Plain, offset: int) -> tuple[Plain, int]:
        """Where a write to `node` at `offset` lands that goes astray: within what somebody has
        written, of this file or of another one."""
        files = [each for each in self._tree.nodes() if isinstance(each, Plain) and each.size]
        pages = [
            (each, page)
            for each in sorted(files, key=lambda each: each.inode)
            for page in range(min(pages_of(each.size), max(each.contents.pages, default=0) + 2))
            if (each, page) != (node, offset // PAGE_BYTES)
        ]
        own = [place for place in pages if place[0] is node]
        below = self.ways.below
        chosen = own if own and below(2) else pages
        if not chosen:
            return node, offset
        target, page = chosen[below(len(chosen))]
        return target, page * PAGE_BYTES + offset % PAGE_BYTES

    def next_number(self) -> int:
        """A number for an operation; all before have lower ones."""
        return self._tree.next_operation()

    # Below here.

    def _opened(self, path: Path, node: Plain) -> WritableFile:
        return SimFile(self, self._tree, path, node)

    def _before(self, path: Path) -> None:
        if self.ways.is_rough:
            self.ways.changing(path)

    def _named(self, path: Path) -> None:
        if self.ways.watch is not None:
            self.ways.watch.named(path)


class SimFile(MemoryWritableFile):
    """A plain file of a simulated disk, open for reading and writing."""

    def __init__(self, disk: SimFileSystem, tree: Tree, path: Path, node: Plain) -> None:
        super().__init__(disk, tree, path, node)
        self._disk = disk
        self._ways = disk.ways

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """See `WritableFile.write_at`."""
        ways = self._ways
        if ways.is_rough:
            self._write_roughly(offset, bytes(data))
            return
        super().write_at(offset, data)
        if ways.watch is not None:
            ways.watch.written(self._node.inode, offset, data)
        if ways.tell is not None:
            ways.tell("write", self._path, {"at": offset, "bytes": len(data)})

    def truncate(self, size: int) -> None:
        """See `WritableFile.truncate`."""
        ways = self._ways
        if ways.is_rough:
            ways.changing(self._path)
            ways.faults.give_room(self._path, self._node.size - size)
        super().truncate(size)
        if ways.watch is not None:
            ways.watch.resized(self._node.inode, size)

    def allocate(self, size: int) -> None:
        """See `WritableFile.allocate`."""
        ways = self._ways
        if ways.is_rough:
            ways.changing(self._path)
            growth = max(0, size - self._node.size)
            ways.faults.take_room(self._path, growth, call="allocate")
        super().allocate(size)

    def sync(self) -> None:
        """See `WritableFile.sync`."""
        ways, node, lag_us = self._ways, self._node, self._ways.lag_us
        if ways.is_rough:
            ways.changing(self._path)
            if ways.faults.fault(DiskFaultKind.FAIL_SYNC, self._path) is not None:
                node.forget()
                self._changed(node)
                ways.faults.refuse(DiskFaultKind.FAIL_SYNC, self._path, call="sync")
        is_done = ways.sync(self._path, node, self._disk.next_number())
        if is_done:
            super().sync()
            if ways.watch is not None:
                ways.watch.synced(node.inode)
        if ways.tell is not None:
            ways.tell("fsync", self._path, {"us": ways.lag_us - lag_us})

    def _write_roughly(self, offset: int, data: bytes) -> None:
        ways, path = self._ways, self._path
        ways.changing(path)
        ways.faults.demand_writable(path, call="write", offset=offset)
        count = ways.faults.fitting(path, len(data), offset)
        node, at, part = self._node, offset, data[:count]
        if ways.faults.hit(DiskFaultKind.MISDIRECTED, path) is not None:
            node, at = self._disk.astray(node, offset)
        if (node, at) == (self._node, offset):
            super().write_at(offset, part)
            if ways.watch is not None:
                ways.watch.written(node.inode, at, part)
        else:
            self._demand_open()
            node.write(self._disk.next_number(), at, part[: max(0, node.size - at)])
            self._changed(node)
        if ways.tell is not None:
            ways.tell("write", path, {"at": offset, "bytes": count})
        if count < len(data):
            ways.faults.refuse_full(path, call="write", offset=offset + count)

    def _changed(self, node: Plain) -> None:
        if self._ways.watch is not None:
            self._ways.watch.changed(node.inode)


def _is_durable(directory: Directory, name: str, node: Node) -> bool:
    """Whether a name stands for a node also where nothing survives that was not synced."""
    return directory.durable is None or directory.durable.get(name) is node
