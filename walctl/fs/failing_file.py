"""Open files of the disk that fails on command (`failing`)."""

from collections.abc import Iterator
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs import words
from walctl.fs.base import Stat
from walctl.fs.troubles import Troubles
from walctl.fs.writable import Lock, WritableFile


class FailingFile:
    """A plain file, open for reading and writing; owns `file`."""

    def __init__(self, disk: Troubles, file: WritableFile) -> None:
        self._disk = disk
        self._file = file
        try:
            self._shadow = disk.unsynced.opened(file)
        except AccessError:
            file.close()
            raise
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The path it was opened by."""
        return self._file.path

    def stat(self) -> Stat:
        """See `File.stat`."""
        self._disk.demand_alive(self.path)
        return self._file.stat()

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        self._disk.demand_alive(self.path)
        return self._file.read_at(offset, size)

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        self._disk.demand_alive(self.path)
        return self._file.read_into(offset, target)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`."""
        self._disk.demand_alive(self.path)
        return self._file.data_ranges(start, stop)

    def is_locked(self) -> bool:
        """See `File.is_locked`."""
        return self._file.is_locked()

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """See `WritableFile.write_at`."""
        path, disk = self.path, self._disk
        with disk.guard:
            self._demand_open()
            disk.demand_writable(path, call="write", offset=offset)
            count = disk.fitting(path, len(data), offset)
            part = bytes(data if count == len(data) else data[:count])
            disk.unsynced.before_write(self._shadow, offset, part)
            self._file.write_at(offset, part)
            if count < len(data):
                disk.refuse_full(path, call="write", offset=offset + count)
            disk.note_bound()

    def truncate(self, size: int) -> None:
        """See `WritableFile.truncate`."""
        with self._disk.guard:
            self._demand_open()
            freed = self._shadow.size - size
            self._disk.unsynced.before_size(self._shadow, size)
            self._file.truncate(size)
            self._disk.give_room(self.path, freed)

    def allocate(self, size: int) -> None:
        """See `WritableFile.allocate`."""
        with self._disk.guard:
            self._demand_open()
            growth = max(0, size - self._shadow.size)
            self._disk.take_room(self.path, growth, call="allocate")
            if size:
                self._disk.unsynced.before_size(self._shadow, max(size, self._shadow.size))
            self._file.allocate(size)

    def sync(self) -> None:
        """See `WritableFile.sync`."""
        self._demand_open()
        if not self._disk.before_sync(self.path, self._shadow):
            return
        self._file.sync()
        # Asked again: the power may have been cut while we waited, and then nobody is told.
        with self._disk.alive(self.path):
            self._disk.unsynced.settle(self._shadow)
            self._disk.note_bound()

    def lock(self, kind: Lock) -> None:
        """See `WritableFile.lock`."""
        self._disk.demand_alive(self.path)
        self._file.lock(kind)

    def close(self) -> None:
        """See `File.close`."""
        self._file.close()
        with self._disk.guard:
            if not self._is_closed:
                self._is_closed = True
                self._disk.unsynced.closed(self._shadow)

    def __enter__(self) -> WritableFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _demand_open(self) -> None:
        """Nothing is remembered of what is done to a file that was closed."""
        self._disk.demand_alive(self.path)
        if self._is_closed:
            raise AccessError(f"{self.path}: {words.CLOSED}")
