"""Open files of the disk in memory; they live on when their name is gone."""

from collections.abc import Iterator
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs import words
from walctl.fs.base import File, Stat
from walctl.fs.faults import Traffic
from walctl.fs.nodes import Call, Plain, stat_of
from walctl.fs.tree import Tree
from walctl.fs.writable import OFFSET_MAX, Lock, WritableFile


class MemoryFile:
    """A plain file of a disk in memory, open for reading."""

    def __init__(self, traffic: Traffic, tree: Tree, path: Path, node: Plain) -> None:
        self._traffic = traffic
        self._tree = tree
        self._path = path
        self._node = node
        self._process: int | None = traffic.process

    @property
    def path(self) -> Path:
        """The path it was opened by."""
        return self._path

    def stat(self) -> Stat:
        """See `File.stat`."""
        self._demand_open()
        self._traffic.before(Call.STAT, self._path)
        return stat_of(self._node)

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        self._demand_open()
        self._traffic.before(Call.READ, self._path, offset=offset)
        if offset < 0:
            raise AccessError(f"{self._path}: {words.INVALID} at byte {offset}")
        if self._traffic.on_read is not None:
            self._traffic.on_read(self._path, offset, size)
        self._demand_allowed(Call.READ, offset)
        self._demand_readable(offset, size)
        data = self._node.contents.read(offset, size)
        self._traffic.reads += 1
        self._traffic.bytes_read += len(data)
        return data

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        data = self.read_at(offset, len(target))
        target[: len(data)] = data
        return len(data)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`."""
        self._demand_open()
        yield from self._node.contents.ranges(start, stop)

    def is_locked(self) -> bool:
        """See `File.is_locked`; by another open file, as they stand for other processes here."""
        return self._node.locks.get(Lock.RECORD, self) is not self

    def close(self) -> None:
        """See `File.close`."""
        self._process = None
        for kind, holder in list(self._node.locks.items()):
            if holder is self:
                del self._node.locks[kind]

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _demand_open(self) -> None:
        """Raise the reason if it was closed, by its owner or by the end of his process."""
        if self._process != self._traffic.process:
            raise AccessError(f"{self._path}: {words.CLOSED}")

    def _demand_allowed(self, call: Call, offset: int) -> None:
        if call in self._node.failures:
            reason = self._node.failures[call]
            raise AccessError(f"{self._path}: {reason} at byte {offset}")

    def _demand_readable(self, offset: int, size: int) -> None:
        """Raise what stands in the way of reading `[offset, offset + size)`, at its first byte."""
        for start, stop, reason in sorted(self._node.bad):
            if start < offset + size and offset < stop:
                raise AccessError(f"{self._path}: {reason} at byte {max(start, offset)}")


class MemoryWritableFile(MemoryFile):
    """A plain file of a disk in memory, open for reading and writing."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """See `WritableFile.write_at`; on a full disk the pages that still fit are written."""
        self._demand_open()
        self._traffic.before(Call.WRITE, self._path, offset=offset)
        self._demand_allowed(Call.WRITE, offset)
        whole = bytes(data)
        if not whole:
            return
        if offset < 0 or offset + len(whole) > OFFSET_MAX:
            reason = words.INVALID if offset < 0 else words.TOO_LARGE
            raise AccessError(f"{self._path}: {reason} at byte {offset}")
        count = self._tree.fitting(self._node.contents, offset, len(whole))
        if count:
            self._node.write(self._tree.next_operation(), offset, whole[:count])
            self._node.mtime_ns = self._tree.tick()
        if count < len(whole):
            raise AccessError(f"{self._path}: {words.NO_SPACE} at byte {offset + count}")

    def truncate(self, size: int) -> None:
        """See `WritableFile.truncate`."""
        self._begin(Call.TRUNCATE)
        self._demand_size(size)
        self._node.cut(self._tree.next_operation(), size)
        self._node.mtime_ns = self._tree.tick()

    def allocate(self, size: int) -> None:
        """See `WritableFile.allocate`; pages that are reserved are there to be written."""
        self._begin(Call.ALLOCATE)
        self._demand_size(size)
        free = self._tree.free_pages()
        if free is not None and self._node.contents.missing_pages(size) > free:
            raise AccessError(f"{self._path}: {words.NO_SPACE}")
        if size:
            self._node.reserve(self._tree.next_operation(), size)
            self._node.mtime_ns = self._tree.tick()

    def sync(self) -> None:
        """See `WritableFile.sync`."""
        self._begin(Call.SYNC)
        self._node.settle()

    def lock(self, kind: Lock) -> None:
        """See `WritableFile.lock`."""
        self._begin(Call.LOCK)
        if self._node.locks.setdefault(kind, self) is not self:
            raise AccessError(f"{self._path}: {words.LOCKED}")

    def __enter__(self) -> WritableFile:
        return self

    def _begin(self, call: Call) -> None:
        self._demand_open()
        self._traffic.before(call, self._path)
        if call in self._node.failures:
            raise AccessError(f"{self._path}: {self._node.failures[call]}")

    def _demand_size(self, size: int) -> None:
        if size < 0 or size > OFFSET_MAX:
            reason = words.INVALID if size < 0 else words.TOO_LARGE
            raise AccessError(f"{self._path}: {reason}")
