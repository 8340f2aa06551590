"""Writes the event file of a run as it happens; memory is that of one piece.

What is written can be made once more by the same command, so nothing is synced.
"""

from pathlib import Path
from types import TracebackType
from typing import Final

from walctl.errors import AccessError
from walctl.fs.writable import WritableFile, WritableFileSystem

PIECE_BYTES: Final = 1 << 20
BEGINNING: Final = b'{"walctl_trace"'
"""Of a file that may be written over: it is a trace, and can be made once more."""


class TraceOut:
    """One new file, in the place of an older trace of its name; it is there from the first line on.

    Raises: AccessError, where something other than a trace has that name.
    """

    def __init__(self, disk: WritableFileSystem, path: Path) -> None:
        self.path = path
        _demand_trace(disk, path)
        self._disk = disk
        self._file: WritableFile | None = None
        self._size = 0
        self._lines: list[bytes] = []
        self._waiting = 0

    def write(self, line: bytes) -> None:
        """One more line. Raises: AccessError."""
        if self._file is None:
            self._file = self._opened()
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= PIECE_BYTES:
            self._flush()

    def close(self) -> None:
        """All of it is in the file. Raises: AccessError."""
        try:
            self._flush()
        finally:
            if self._file is not None:
                self._file.close()

    def _opened(self) -> WritableFile:
        if self._disk.exists(self.path):
            _demand_trace(self._disk, self.path)
            self._disk.remove(self.path)
        return self._disk.create_file(self.path)

    def _flush(self) -> None:
        data, self._lines, self._waiting = b"".join(self._lines), [], 0
        if data and self._file is not None:
            self._file.write_at(self._size, data)
            self._size += len(data)

    def __enter__(self) -> "TraceOut":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _demand_trace(disk: WritableFileSystem, path: Path) -> None:
    """That `path` is free, empty or a trace: what else has that name is not to be made again."""
    if not disk.exists(path):
        return
    with disk.open(path) as file:
        found = bytes(file.read_at(0, len(BEGINNING)))
    if not BEGINNING.startswith(found):
        raise AccessError(f"{path}: there is such a file, and it is no trace: it is not replaced")
