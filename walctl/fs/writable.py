"""The writing side of the file-system seam: what the writer engine and a repair may ask of a disk.

Apart from `base`, so that by its type a room that reads cannot write. Nothing here is durable
before it is synced: a file's bytes by `WritableFile.sync`, a name by `sync_dir` on its directory.
A call either happens as a whole or raises `AccessError` with the path and the reason; no other
exception leaves an implementation. `rename` and `exchange` are atomic for whoever looks and for a
crash, and that is what a repair stands on.

A name that is a symbolic link is never followed by a call that changes it: links of somebody else
lead out of the folder that a plan is bound to.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from walctl.fs.base import File, FileSystem

OFFSET_MAX = (1 << 63) - 1
"""The last offset that a system can name; no file reaches it."""


def decides_access(name: str) -> bool:
    """Whether an extended attribute says who may read and write, as the mode does.

    Source: Linux acl(5); a new file gets one from its folder's default list without being asked.
    """
    return name.startswith("system.posix_acl_")


class Lock(enum.StrEnum):
    """Which of the system's locks is meant: the two do not see each other."""

    RECORD = "record"
    """A whole-file open-file-description lock, as etcd takes on its segments."""
    FLOCK = "flock"
    """`flock(2)`, as bbolt takes on a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a file has beside its bytes; `None` where this disk does not keep it.

    `extended` are the extended attributes that may be read and set, sorted by name. `device` and
    `links` (names of the inode) are told and never set.
    """

    mode: int
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    extended: tuple[tuple[str, bytes], ...] = ()
    is_link: bool = False
    is_directory: bool = False
    device: int = 0
    links: int = 1


class WritableFile(File, Protocol):
    """A plain file, open for reading and writing."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Put `data` at `offset`; a gap behind the old end becomes a hole.

        Raises: AccessError, when the disk is full or fails; any part may have been written then.
        """

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes, or lengthen it by a hole."""

    def allocate(self, size: int) -> None:
        """Make the file at least `size` bytes long, its blocks reserved where the system can.

        As etcd does it: `fallocate`, and where that is not supported a truncation.
        """

    def sync(self) -> None:
        """Return once all bytes and the size are on the disk (`fdatasync`)."""

    def lock(self, kind: Lock) -> None:
        """Take an exclusive lock without waiting; it ends when the file is closed.

        Another open file holds it against us even if it is ours: what is asked is "may I", never
        "is it me". Locking once more what this file holds does nothing.

        Raises: AccessError, when somebody else holds it.
        """

    def __enter__(self) -> "WritableFile": ...


@runtime_checkable
class WritableFileSystem(FileSystem, Protocol):
    """A disk that may be written to."""

    def create_file(self, path: Path, *, mode: int = 0o600) -> WritableFile:
        """Make a new, empty file and open it; `mode` is what it gets, whatever the umask.

        Raises: AccessError, when the name is taken, by whatever it may be.
        """

    def open_file(self, path: Path) -> WritableFile:
        """Open an existing plain file for reading and writing; a link is refused.

        Raises: AccessError.
        """

    def rename(self, source: Path, target: Path) -> None:
        """Give `source` the name `target`, atomically; a file that had it is gone.

        A directory may take the name of an empty directory only.

        Raises: AccessError, `SOURCE -> TARGET: reason`, as the other calls with two names do.
        """

    def exchange(self, first: Path, second: Path) -> None:
        """Let two names change what they stand for, in one step (`RENAME_EXCHANGE`).

        Raises: UnsupportedError, when this file system cannot; AccessError.
        """

    def hard_link(self, source: Path, target: Path) -> None:
        """Give the file `source` the second name `target`, which must be new.

        Raises: AccessError, also where the file system has no hard links.
        """

    def remove(self, path: Path) -> None:
        """Take away the name of a file or of a link, never what a link leads to.

        Raises: AccessError.
        """

    def remove_dir(self, path: Path) -> None:
        """Take away an empty directory. Raises: AccessError."""

    def sync_dir(self, path: Path) -> None:
        """Return once the names in the directory `path` are on the disk. Raises: AccessError."""

    def attributes(self, path: Path) -> Attributes:
        """What `path` itself has; a link is not followed. Raises: AccessError."""

    def set_attributes(self, path: Path, attributes: Attributes) -> None:
        """Give a file or directory owner, group, mode, extended attributes and time.

        What it has already is not set again, so that a plain user may keep what is his own. Of the
        extended attributes that it has and should not have only access lists are taken away; the
        others are the system's. What was set is on the disk when this returns. A link is refused.

        Raises: AccessError, when one of them differs and may not be set.
        """

    def free_bytes(self, path: Path) -> int:
        """Bytes that may still be written to the file system that `path` (existing) lies on.

        Raises: AccessError.
        """

    def holders(self, paths: Sequence[Path]) -> list[int]:
        """Ids of other processes that have a file of these folders (or files) open, ascending.

        As far as the system tells a user of our rights; empty where it does not tell.
        """
