"""A file that is opened when it is first read: for those who hold many and read few."""

from collections.abc import Iterator
from pathlib import Path

from walctl.fs.base import File, FileSystem, Stat


class LazyFile:
    """A `File` by its path; see there. Leaving the context closes it, if it was ever opened."""

    def __init__(self, disk: FileSystem, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._file: File | None = None

    @property
    def path(self) -> Path:
        """See `File.path`."""
        return self._path

    def _opened(self) -> File:
        if self._file is None:
            self._file = self._disk.open(self._path)
        return self._file

    def stat(self) -> Stat:
        """See `File.stat`."""
        return self._opened().stat()

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`; opening raises the same."""
        return self._opened().read_at(offset, size)

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`; opening raises the same."""
        return self._opened().read_into(offset, target)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`."""
        return self._opened().data_ranges(start, stop)

    def is_locked(self) -> bool:
        """See `File.is_locked`."""
        return self._opened().is_locked()

    def close(self) -> None:
        """See `File.close`."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
