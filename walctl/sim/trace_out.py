"""Writes the event file of a run as it happens; memory is that of one piece.

What is written can be made once more by the same command, so nothing is synced.
"""

from pathlib import Path
from types import TracebackType
from typing import Final

from walctl.fs.writable import WritableFileSystem

PIECE_BYTES: Final = 1 << 20


class TraceOut:
    """One new file, in the place of an older one of its name. Raises: AccessError."""

    def __init__(self, disk: WritableFileSystem, path: Path) -> None:
        self.path = path
        if disk.exists(path):
            disk.remove(path)
        self._file = disk.create_file(path)
        self._size = 0
        self._lines: list[bytes] = []
        self._waiting = 0

    def write(self, line: bytes) -> None:
        """One more line. Raises: AccessError."""
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= PIECE_BYTES:
            self._flush()

    def close(self) -> None:
        """All of it is in the file. Raises: AccessError."""
        try:
            self._flush()
        finally:
            self._file.close()

    def _flush(self) -> None:
        data, self._lines, self._waiting = b"".join(self._lines), [], 0
        if data:
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
