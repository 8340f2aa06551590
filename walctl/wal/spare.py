"""The file that the next segment will be: made, locked and preallocated before it is needed.

Its names are `0.tmp` and `1.tmp` by turns, so that a new one can be made while the one before
still has its name. Whoever reads a log passes over both. A clean end takes the spare away; after
a kill it stays, and its name is used again.

One thing differs from etcd: a spare that is found is emptied first. etcd writes over it from its
start, so behind the head of the new segment might stand what is left of an older head.

Source: etcd-data-dir notes 1.1 and 4.4.
"""

from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem


class Spare:
    """The spare of one log's folder; `size` is how long a segment is made beforehand."""

    def __init__(self, disk: WritableFileSystem, folder: Path, *, size: int) -> None:
        self._disk = disk
        self._folder = folder
        self._size = size
        self._made = 0
        self._file: WritableFile | None = None

    def prepare(self) -> None:
        """Make the next one, if that can be done now.

        Where it cannot, the log can still be written to: the error is the next segment's.
        """
        if self._file is None:
            try:
                self._file = self._make()
            except AccessError:
                self._file = None

    def take(self) -> WritableFile:
        """Hand over the spare, locked; it is the caller's from now on, with its name `path`.

        Raises: AccessError.
        """
        file = self._file if self._file is not None else self._make()
        self._file = None
        self._made += 1
        return file

    def close(self, *, is_removed: bool) -> None:
        """Let the spare go, and take its name away when `is_removed`.

        Raises: AccessError.
        """
        file, self._file = self._file, None
        if file is None:
            return
        with file:
            if is_removed:
                self._disk.remove(file.path)

    def _make(self) -> WritableFile:
        path = self._folder / f"{self._made % 2}.tmp"
        file = (
            self._disk.open_file(path) if self._disk.exists(path) else self._disk.create_file(path)
        )
        try:
            # Locked first: it may be the spare of a server that runs.
            file.lock(Lock.RECORD)
            file.truncate(0)
            file.allocate(self._size)
        except AccessError:
            file.close()
            raise
        return file
