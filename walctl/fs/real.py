"""The operating system's disk; the one module that may call it.

Nothing that exists is changed. Reading takes no lock, maps no file (a mapped file that somebody
truncates ends the process) and leaves access times alone where the system permits that. Every
`OSError` becomes an `AccessError` that says `PATH: reason`, with the offset where a read failed.
The path is in the message as it is: making it fit for a screen is the business of `render`.
"""

import errno
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import File, Kind, Stat

READ_BYTES_MAX = 16 << 20
"""Bytes asked of the system at a time: memory follows what a file holds, not what was asked for."""
WRITE_BYTES_MAX = 16 << 20
"""Bytes given to the system at a time, which takes two gigabytes at most."""

OFFSET_MAX = (1 << 63) - 1
"""The last offset that the system can name; no file reaches it."""

_OWNER_FILE = 0o600
_OWNER_DIRECTORY = 0o700
"""Modes as etcd gives them: a log holds what its clients stored."""

BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the block size of the file system."""

# O_NONBLOCK: opening a pipe that nobody writes to returns at once. O_NOCTTY: a terminal stays what
# it is. Neither means anything to a plain file.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# O_EXCL: a name that is there is an error, and a link in its place is not followed.
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NO_ATIME: int = getattr(os, "O_NOATIME", 0)
_SEEK_DATA: int | None = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE: int | None = getattr(os, "SEEK_HOLE", None)

_FLOCK = "hhqqi0q"
"""`struct flock` on 64-bit Linux: type, whence, start, length, process id."""

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_LEADS_NOWHERE = _MISSING | {errno.ELOOP}


@dataclass(frozen=True, slots=True)
class RealFileSystem:
    """The disk of this machine; holds nothing, so it may be sent to another process."""

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`; a link that leads nowhere or in a circle is itself, `OTHER`."""
        try:
            return _stat_of(_stat_followed(path))
        except (OSError, ValueError) as error:
            raise _access_error(path, error) from error

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`; a plain file in the place of a parent means no."""
        try:
            os.stat(path)
        except OSError as error:
            if error.errno in _MISSING:
                return False
            raise _access_error(path, error) from error
        except ValueError as error:
            raise _access_error(path, error) from error
        return True

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        try:
            return sorted(os.listdir(path))
        except (OSError, ValueError) as error:
            raise _access_error(path, error) from error

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        try:
            # A first look keeps a device from being opened at all: that alone may set it in motion.
            _demand_plain(os.stat(path))
            descriptor = _open_quietly(path)
            try:
                _demand_plain(os.fstat(descriptor))  # the name may have changed hands in between
            except OSError:
                os.close(descriptor)
                raise
        except (OSError, ValueError) as error:
            raise _access_error(path, error) from error
        return RealFile(path, descriptor)

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`."""
        is_whole = False
        try:
            descriptor = os.open(path, _CREATE_FLAGS, _OWNER_FILE)
            try:
                _write_all(descriptor, data)
                is_whole = True
            finally:
                if not is_whole:  # half a file would pass for a whole one; the name is ours
                    with suppress(OSError):
                        os.unlink(path)
        except (OSError, ValueError) as error:
            raise _access_error(path, error) from error

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        try:
            os.mkdir(path, _OWNER_DIRECTORY)
        except (OSError, ValueError) as error:
            raise _access_error(path, error) from error


class RealFile:
    """A plain file, open for reading; owns its descriptor."""

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @property
    def path(self) -> Path:
        """The path it was opened by."""
        return self._path

    def stat(self) -> Stat:
        """See `File.stat`."""
        try:
            return _stat_of(os.fstat(self._descriptor))
        except OSError as error:
            raise _access_error(self._path, error) from error

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        size = min(size, OFFSET_MAX - offset)
        pieces: list[bytes] = []
        position = offset
        while (missing := offset + size - position) > 0:
            try:
                piece = os.pread(self._descriptor, min(missing, READ_BYTES_MAX), position)
            except OSError as error:
                raise _access_error(self._path, error, offset=position) from error
            if not piece:
                break
            pieces.append(piece)
            position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        size = min(len(target), OFFSET_MAX - offset)
        done = 0
        while done < size:
            part = target[done : min(size, done + READ_BYTES_MAX)]
            try:
                count = os.preadv(self._descriptor, [part], offset + done)
            except OSError as error:
                raise _access_error(self._path, error, offset=offset + done) from error
            if count == 0:
                break
            done += count
        return done

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`; a file that changes meanwhile still gives finitely many."""
        stop = min(stop, self.stat().size)
        position = start
        while position < stop:
            found = self._data_from(position, stop)
            if found is None:
                return
            yield found
            position = found[1]

    def is_locked(self) -> bool:
        """See `File.is_locked`; POSIX and open-file-description locks, which etcd takes."""
        if sys.platform != "linux":
            return False  # the layout of `struct flock` is another one there
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            answer = fcntl.fcntl(self._descriptor, fcntl.F_GETLK, question)
        except OSError:
            return False
        kind: int = struct.unpack(_FLOCK, answer)[0]
        return kind != fcntl.F_UNLCK

    def close(self) -> None:
        """See `File.close`."""
        # The number is forgotten first: the system may give it to the next file that is opened.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                os.close(descriptor)
            except OSError as error:
                raise _access_error(self._path, error) from error

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _data_from(self, position: int, stop: int) -> tuple[int, int] | None:
        """The first range with data in `[position, stop)`, never empty; `None`: only holes."""
        if _SEEK_DATA is None or _SEEK_HOLE is None:
            return position, stop
        try:
            start = os.lseek(self._descriptor, position, _SEEK_DATA)
            if start >= stop:
                return None
            end = os.lseek(self._descriptor, start, _SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data behind `position`, or the file was cut there
                return None
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # this file system cannot tell
                return position, stop
            raise _access_error(self._path, error, offset=position) from error
        if start < position or end <= start:
            # Between the two calls somebody made a hole of it; calling it data is always true.
            return position, stop
        return start, min(end, stop)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` and close; a disk that is full may say so only then."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:WRITE_BYTES_MAX]) :]
    finally:
        os.close(descriptor)


def _open_quietly(path: Path) -> int:
    """A descriptor for reading whose use leaves the access time alone, where that is permitted."""
    try:
        return os.open(path, _OPEN_FLAGS | _NO_ATIME)
    except PermissionError as error:
        # Only a file's owner may ask for it; all others get EPERM ("may not read" is EACCES).
        if error.errno != errno.EPERM or not _NO_ATIME:
            raise
    return os.open(path, _OPEN_FLAGS)


def _demand_plain(found: os.stat_result) -> None:
    """Raise the error that says why this cannot be read as a plain file."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Not a plain file")


def _stat_followed(path: Path) -> os.stat_result:
    """What `path` leads to; the link itself when it leads nowhere or in a circle."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno not in _LEADS_NOWHERE:
            raise
        return os.lstat(path)


def _stat_of(found: os.stat_result) -> Stat:
    blocks: int | None = getattr(found, "st_blocks", None)
    return Stat(
        kind=_kind_of(found.st_mode),
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        mode=stat.S_IMODE(found.st_mode),
        allocated_bytes=None if blocks is None else blocks * BLOCK_BYTES,
    )


def _kind_of(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    return Kind.OTHER


def _access_error(
    path: Path, error: OSError | ValueError, *, offset: int | None = None
) -> AccessError:
    """One line of path and reason; a `ValueError` is a name that no disk can hold."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    place = "" if offset is None else f" at byte {offset}"
    return AccessError(f"{path}: {reason}{place}")
