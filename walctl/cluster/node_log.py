"""The file of what a node printed: it grows to a bound, and then begins anew.

`NODE.log` is the newer part, and `NODE.log.1` the one before it, so at least the last
`LOG_BYTES_MAX` bytes are there, and never more than twice that.
"""

from pathlib import Path
from typing import Final

from walctl.fs.writable import WritableFile, WritableFileSystem

LOG_BYTES_MAX: Final = 16 << 20


def older(path: Path) -> Path:
    """The name of the part before."""
    return path.with_name(f"{path.name}.1")


class NodeLog:
    """Writes lines at the end of a node's log; the file is opened with the first of them."""

    def __init__(self, disk: WritableFileSystem, path: Path, *, bytes_max: int = LOG_BYTES_MAX):
        self._disk = disk
        self._path = path
        self._bytes_max = bytes_max
        self._file: WritableFile | None = None
        self._size = 0

    def write(self, line: bytes) -> None:
        """Append a line. Raises: AccessError."""
        data = line + b"\n"
        if self._file is None:
            self._open()
        elif self._size + len(data) > self._bytes_max:
            self.close()
            self._disk.rename(self._path, older(self._path))
            self._open()
        assert self._file is not None, "it was opened"
        self._file.write_at(self._size, data)
        self._size += len(data)

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> None:
        disk, path = self._disk, self._path
        self._file = disk.open_file(path) if disk.exists(path) else disk.create_file(path)
        self._size = self._file.stat().size
