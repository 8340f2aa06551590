"""The file-system seam: what every room above may ask of a disk; no implementation lives here.

Reading, and making what is new beside: `create` and `make_dir` add a name and never touch what
exists, so no call here can change a log. The calls that do come with the writer engine. An
implementation translates every `OSError` into `AccessError` with the path and the reason, and
nothing else leaves it. Paths are `pathlib.Path` values used as names (no method of theirs that
touches a disk is called outside `real.py`); names that are not UTF-8 come as surrogate escapes.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


class Kind(enum.StrEnum):
    """What a name stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"
    """A socket, device, pipe, or a link that leads nowhere or in a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One file as the directory has it; links are followed.

    `allocated_bytes` is what the file takes on the disk (holes excluded), `None` where unknown.
    `inode` identifies the file while it exists: a file renamed keeps it. `mode` is the permission
    bits alone.
    """

    kind: Kind
    size: int
    mtime_ns: int
    inode: int
    mode: int
    allocated_bytes: int | None

    @property
    def is_allocated(self) -> bool:
        """Whether all its bytes are known to be taken on the disk, as a reserved segment's are."""
        return self.allocated_bytes is not None and self.allocated_bytes >= self.size > 0


class File(Protocol):
    """One file, opened for reading. A context manager: leaving it closes the file.

    Reading past the end gives fewer bytes, never an error; a file may grow or shrink meanwhile.
    """

    @property
    def path(self) -> Path:
        """The path it was opened by."""

    def stat(self) -> Stat:
        """Size and times of the open file now, even if its name is gone."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end of the file.

        Raises: AccessError, when the device fails; the message has path and offset.
        """

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` from `offset` on; the number of bytes read, fewer only at the file's end.

        Raises: AccessError, as `read_at`.
        """

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Half-open ranges within `[start, stop)` that may hold anything but zeros, ascending.

        What lies between them are holes and reads as zeros. Where the file system cannot tell,
        the one range `[start, stop)`, cut at the end of the file.
        """

    def is_locked(self) -> bool:
        """Whether another process holds a write lock on it, as a server does on its segments.

        Asked, never taken; false where the system cannot tell.
        """

    def close(self) -> None:
        """Close it; closing twice does nothing."""

    def __enter__(self) -> "File": ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class FileSystem(Protocol):
    """A disk."""

    def stat(self, path: Path) -> Stat:
        """What `path` is, links followed.

        Raises: AccessError when it is missing or may not be looked at.
        """

    def exists(self, path: Path) -> bool:
        """Whether `path` leads to something; a link that leads nowhere does not.

        Raises: AccessError when that cannot be told (no permission on a parent, a link loop).
        """

    def names(self, path: Path) -> list[str]:
        """Names in the directory `path`, sorted by code point (etcd sorts names as strings).

        Raises: AccessError when it is no directory, missing or unreadable.
        """

    def open(self, path: Path) -> File:
        """Open a plain file for reading, with no lock and without changing its access time.

        Raises: AccessError when it is missing, unreadable or no plain file.
        """

    def create(self, path: Path, data: bytes) -> None:
        """Make the new file `path` with exactly `data`, for its owner's eyes only.

        Its directory has to be there. What cannot be written whole is taken away again. Nothing
        is synced: this is for what can be made once more, never for a log.

        Raises: AccessError, when the name is taken, by whatever it may be, or the disk refuses.
        """

    def make_dir(self, path: Path) -> None:
        """Make the new directory `path`, for its owner alone; its parent has to be there.

        Raises: AccessError, as `create`.
        """
