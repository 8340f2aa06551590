"""A member as it will be: the reading path is pointed at the result before it is in place.

The two folders hold what a mapping says, each file read from where it lies now; all else is the
disk. The locks that we hold on the files ourselves are not told, for they are no server's.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Stat


class View:
    """A `FileSystem` in which the folders `folders` hold exactly the files of `places`.

    `places` says for each path in them where its bytes are.
    """

    def __init__(self, disk: FileSystem, folders: set[Path], places: Mapping[Path, Path]) -> None:
        self._disk = disk
        self._folders = folders
        self._places = places

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`."""
        return self._disk.stat(self._found(path))

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`."""
        if path.parent in self._folders and path not in self._places:
            return False
        return self._disk.exists(self._found(path))

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        if path in self._folders:
            return sorted(each.name for each in self._places if each.parent == path)
        return self._disk.names(path)

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        return _Shown(self._disk.open(self._found(path)), path)

    def create(self, path: Path, data: bytes) -> None:
        """Nothing is made here."""
        raise AccessError(f"{path}: Read-only file system")

    def make_dir(self, path: Path) -> None:
        """Nothing is made here."""
        raise AccessError(f"{path}: Read-only file system")

    def _found(self, path: Path) -> Path:
        if path.parent not in self._folders:
            return path
        if path not in self._places:
            raise AccessError(f"{path}: No such file or directory")
        return self._places[path]


class _Shown:
    """An open file under the path that it will have."""

    def __init__(self, file: File, path: Path) -> None:
        self._file = file
        self._path = path

    @property
    def path(self) -> Path:
        return self._path

    def stat(self) -> Stat:
        return self._file.stat()

    def read_at(self, offset: int, size: int) -> bytes:
        return self._file.read_at(offset, size)

    def read_into(self, offset: int, target: memoryview) -> int:
        return self._file.read_into(offset, target)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        return self._file.data_ranges(start, stop)

    def is_locked(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
