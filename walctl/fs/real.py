"""The operating system's disk; the one module that may call it (`libc` is its hand).

Reading takes no lock, maps no file (a mapped file that somebody truncates ends the process) and
leaves access times alone where the system permits that. Writing never follows a link that the last
name of a path is. Every `OSError` becomes an `AccessError` that says `PATH: reason`, with the
offset where a read or a write failed. The path is in the message as it is: making it fit for a
screen is the business of `render`.
"""

import errno
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import AccessError, UnsupportedError
from walctl.fs import libc
from walctl.fs.base import File, Kind, Stat
from walctl.fs.words import DIFFERENT_FILE_SYSTEMS, IS_A_LINK, LOCKED, NO_EXCHANGE, NOT_PLAIN
from walctl.fs.writable import OFFSET_MAX, Attributes, Lock, WritableFile, decides_access

READ_BYTES_MAX = 16 << 20
"""Bytes asked of the system at a time: memory follows what a file holds, not what was asked for."""
WRITE_BYTES_MAX = 16 << 20
"""Bytes given to the system at a time, which takes two gigabytes at most."""

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
# O_NOFOLLOW: a link that takes the name's place after the first look is not followed either.
_CHANGE_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
_NO_ATIME: int = getattr(os, "O_NOATIME", 0)
_SEEK_DATA: int | None = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE: int | None = getattr(os, "SEEK_HOLE", None)

_FLOCK = "hhqqi0q"
"""`struct flock` on 64-bit Linux: type, whence, start, length, process id."""
_WHOLE_FILE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

_PROCESSES = Path("/proc")

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_LEADS_NOWHERE = _MISSING | {errno.ELOOP}


@dataclass(frozen=True, slots=True)
class RealFileSystem:
    """The disk of this machine; holds nothing, so it may be sent to another process."""

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`; a link that leads nowhere or in a circle is itself, `OTHER`."""
        with _naming(path):
            return _stat_of(_stat_followed(path))

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
        with _naming(path):
            return sorted(os.listdir(path))

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        with _naming(path):
            # A first look keeps a device from being opened at all: that alone may set it in motion.
            _demand_plain(os.stat(path))
            return RealFile(path, _open_plain(path, _OPEN_FLAGS))

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`."""
        is_whole = False
        with _naming(path):
            descriptor = os.open(path, _CREATE_FLAGS, _OWNER_FILE)
            try:
                _write_all(descriptor, data)
                is_whole = True
            finally:
                if not is_whole:  # half a file would pass for a whole one; the name is ours
                    with suppress(OSError):
                        os.unlink(path)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        with _naming(path):
            os.mkdir(path, _OWNER_DIRECTORY)

    # Writing.

    def create_file(self, path: Path, *, mode: int = _OWNER_FILE) -> WritableFile:
        """See `WritableFileSystem.create_file`."""
        with _naming(path):
            descriptor = os.open(path, _CHANGE_FLAGS | os.O_CREAT | os.O_EXCL, mode)
            try:
                os.fchmod(descriptor, mode)  # the umask has taken bits away
            except OSError:
                os.close(descriptor)
                os.unlink(path)
                raise
        return RealWritableFile(path, descriptor)

    def open_file(self, path: Path) -> WritableFile:
        """See `WritableFileSystem.open_file`."""
        with _naming(path):
            _demand_plain(os.lstat(path))
            return RealWritableFile(path, _open_plain(path, _CHANGE_FLAGS))

    def rename(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.rename`."""
        with _naming(source, target):
            os.rename(source, target)

    def exchange(self, first: Path, second: Path) -> None:
        """See `WritableFileSystem.exchange`."""
        with _naming(first, second):
            names = os.fsencode(first), os.fsencode(second)
            if any(b"\0" in name for name in names):
                raise ValueError("embedded null byte")
            number = libc.exchange(*names)
            if number == 0:
                return
            # A folder that lies within the other is EINVAL too, and no fault of the file system.
            is_nested = first in second.parents or second in first.parents
            if number in _UNSUPPORTED or (number == errno.EINVAL and not is_nested):
                raise UnsupportedError(f"{first} -> {second}: {NO_EXCHANGE}")
            raise OSError(number, os.strerror(number))

    def hard_link(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.hard_link`."""
        with _naming(source, target):
            _demand_plain(os.lstat(source))
            os.link(source, target, follow_symlinks=False)

    def remove(self, path: Path) -> None:
        """See `WritableFileSystem.remove`."""
        with _naming(path):
            os.unlink(path)

    def remove_dir(self, path: Path) -> None:
        """See `WritableFileSystem.remove_dir`."""
        with _naming(path):
            os.rmdir(path)

    def sync_dir(self, path: Path) -> None:
        """See `WritableFileSystem.sync_dir`."""
        with _naming(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def attributes(self, path: Path) -> Attributes:
        """See `WritableFileSystem.attributes`."""
        with _naming(path):
            found = os.lstat(path)
            return Attributes(
                mode=stat.S_IMODE(found.st_mode),
                uid=found.st_uid,
                gid=found.st_gid,
                mtime_ns=found.st_mtime_ns,
                extended=tuple(sorted(_extended(path).items())),
                is_link=stat.S_ISLNK(found.st_mode),
                is_directory=stat.S_ISDIR(found.st_mode),
                device=found.st_dev,
                links=found.st_nlink,
            )

    def set_attributes(self, path: Path, attributes: Attributes) -> None:
        """See `WritableFileSystem.set_attributes`."""
        with _naming(path):
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode):
                _demand_plain(found)
            # By descriptor: whoever exchanges the name meanwhile does not get our attributes.
            flags = _OPEN_FLAGS | os.O_NOFOLLOW
            descriptor = _opened_quietly(path, flags)
            try:
                if _set_attributes(descriptor, attributes):
                    os.fsync(descriptor)  # `fdatasync` need not write them
            finally:
                os.close(descriptor)

    def free_bytes(self, path: Path) -> int:
        """See `WritableFileSystem.free_bytes`; what the system keeps for root does not count."""
        with _naming(path):
            found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def holders(self, paths: Sequence[Path]) -> list[int]:
        """See `WritableFileSystem.holders`; from `/proc`, so none are known where there is none."""
        names = [os.path.realpath(path) for path in paths]
        inodes = {inode for name in names for inode in _inodes_below(name)}
        found: list[int] = []
        with suppress(OSError):
            for entry in os.listdir(_PROCESSES):
                if entry.isdecimal() and int(entry) != os.getpid() and _holds(entry, names, inodes):
                    found.append(int(entry))
        return sorted(found)


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
        with _naming(self._path):
            return _stat_of(os.fstat(self._descriptor))

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
        # Elsewhere the layout of `struct flock` is another one.
        return sys.platform == "linux" and self._would_wait(fcntl.F_GETLK)

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

    def _would_wait(self, question: int) -> bool:
        """Whether the system names somebody whose lock keeps us from writing."""
        try:
            answer = fcntl.fcntl(self._descriptor, question, _WHOLE_FILE)
        except (OSError, ValueError):  # a closed file has no number
            return False
        kind: int = struct.unpack(_FLOCK, answer)[0]
        return kind != fcntl.F_UNLCK

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


class RealWritableFile(RealFile):
    """A plain file, open for reading and writing; owns its descriptor and its locks."""

    __slots__ = ()

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """See `WritableFile.write_at`."""
        rest = memoryview(data)
        while rest:
            try:
                _demand_offset(offset + len(rest))
                count = os.pwrite(self._descriptor, rest[:WRITE_BYTES_MAX], offset)
            except OSError as error:
                raise _access_error(self._path, error, offset=offset) from error
            rest = rest[count:]
            offset += count

    def truncate(self, size: int) -> None:
        """See `WritableFile.truncate`."""
        with _naming(self._path):
            _demand_offset(size)
            os.ftruncate(self._descriptor, size)

    def allocate(self, size: int) -> None:
        """See `WritableFile.allocate`."""
        with _naming(self._path):
            _demand_offset(size)
            if size == 0:
                return  # the system takes nothing to reserve for a mistake
            number = libc.allocate(self._descriptor, size)
            if number != 0 and number not in _UNSUPPORTED:
                raise OSError(number, os.strerror(number))
            if os.fstat(self._descriptor).st_size < size:
                os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """See `WritableFile.sync`."""
        with _naming(self._path):
            self._demand_open()
            if sys.platform == "linux":
                os.fdatasync(self._descriptor)
            else:
                os.fsync(self._descriptor)

    def lock(self, kind: Lock) -> None:
        """See `WritableFile.lock`; where there are no OFD locks, every lock is a `flock`."""
        try:
            self._demand_open()
            if kind is not Lock.RECORD or not self._has_record_lock():
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EACCES):
                raise AccessError(f"{self._path}: {LOCKED}") from error
            raise _access_error(self._path, error) from error

    def is_locked(self) -> bool:
        """See `File.is_locked`; the lock that this file itself has is not another's."""
        return sys.platform == "linux" and self._would_wait(fcntl.F_OFD_GETLK)

    def __enter__(self) -> WritableFile:
        return self

    def _has_record_lock(self) -> bool:
        """Take the lock of the open file description; false where the system has none."""
        if sys.platform != "linux":
            return False
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        except OSError as error:
            if error.errno == errno.EINVAL:  # Linux before 3.15
                return False
            raise
        return True

    def _demand_open(self) -> None:
        """Raise the system's error where Python would complain of the number instead."""
        if self._descriptor < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def _naming(*paths: Path) -> Iterator[None]:
    """Every `OSError` within becomes an `AccessError` about `paths`, source and target."""
    try:
        yield
    except (OSError, ValueError) as error:
        place = " -> ".join(str(path) for path in paths)
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            raise AccessError(f"{place}: {DIFFERENT_FILE_SYSTEMS}") from error
        raise _access_error(place, error) from error


def _set_attributes(descriptor: int, wanted: Attributes) -> bool:
    """Set what differs; whether anything did.

    In this order, because a change of owner takes mode bits and capabilities away, an access list
    changes the mode, a file without the right to write takes no attributes, and all of them count
    as a change where the system keeps time.
    """
    found = os.fstat(descriptor)
    uid = -1 if wanted.uid in (None, found.st_uid) else wanted.uid
    gid = -1 if wanted.gid in (None, found.st_gid) else wanted.gid
    is_changed = False
    if (uid, gid) != (-1, -1):
        os.fchown(descriptor, -1 if uid is None else uid, -1 if gid is None else gid)
        is_changed = True
    extended = _extended(descriptor)
    for name, value in wanted.extended:
        if extended.pop(name, None) != value:
            os.setxattr(descriptor, name, value)
            is_changed = True
    for name in filter(decides_access, extended):
        os.removexattr(descriptor, name)
        is_changed = True
    found = os.fstat(descriptor)
    if stat.S_IMODE(found.st_mode) != wanted.mode:
        os.fchmod(descriptor, wanted.mode)
        is_changed = True
    if wanted.mtime_ns not in (None, found.st_mtime_ns):
        os.utime(descriptor, ns=(found.st_atime_ns, wanted.mtime_ns or 0))
        is_changed = True
    return is_changed


def _extended(place: Path | int) -> dict[str, bytes]:
    """The extended attributes that may be read; none where the file system keeps none."""
    if not hasattr(os, "listxattr"):
        return {}
    follow = isinstance(place, int)  # a descriptor is no name, and nothing is left to follow
    found: dict[str, bytes] = {}
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in _UNSUPPORTED | {errno.EPERM, errno.EACCES}:
            raise
        return {}
    for name in names:
        with suppress(OSError):
            found[name] = os.getxattr(place, name, follow_symlinks=follow)
    return found


def _inodes_below(name: str) -> Iterator[tuple[int, int]]:
    """Device and inode of `name` and of all that lies below it, as far as we may look."""
    with suppress(OSError, ValueError):
        found = os.stat(name)
        yield found.st_dev, found.st_ino
    for folder, _, files in os.walk(name):
        for file in files:
            with suppress(OSError):
                found = os.lstat(os.path.join(folder, file))
                yield found.st_dev, found.st_ino


def _holds(process: str, names: list[str], inodes: set[tuple[int, int]]) -> bool:
    """Whether a process has one of these files open; no, where we may not look.

    By inode, because a process in a container knows the file by another path; and by path, because
    a file that was removed while it was open is still in the hands of whoever works there.
    """
    folder = _PROCESSES / process / "fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):
            target = os.readlink(folder / descriptor)
            if any(target == name or target.startswith(f"{name}/") for name in names):
                return True
            if target.startswith("/"):
                found = os.stat(folder / descriptor)
                if (found.st_dev, found.st_ino) in inodes:
                    return True
    return False


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` and close; a disk that is full may say so only then."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:WRITE_BYTES_MAX]) :]
    finally:
        os.close(descriptor)


def _open_plain(path: Path, flags: int) -> int:
    """A descriptor of what is still a plain file: the name may have changed hands meanwhile."""
    descriptor = _opened_quietly(path, flags)
    try:
        _demand_plain(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _opened_quietly(path: Path, flags: int) -> int:
    """A descriptor whose use leaves the access time alone, where that is permitted."""
    try:
        return os.open(path, flags | _NO_ATIME)
    except PermissionError as error:
        # Only a file's owner may ask for it; all others get EPERM ("may not read" is EACCES).
        if error.errno != errno.EPERM or not _NO_ATIME:
            raise
    return os.open(path, flags)


def _demand_offset(offset: int) -> None:
    """Raise what the system would say of an offset that is too large to be asked about."""
    if offset > OFFSET_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _demand_plain(found: os.stat_result) -> None:
    """Raise the error that says why this cannot be read as a plain file."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, IS_A_LINK)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, NOT_PLAIN)


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
    path: Path | str, error: OSError | ValueError, *, offset: int | None = None
) -> AccessError:
    """One line of path and reason; a `ValueError` is a name that no disk can hold."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    place = "" if offset is None else f" at byte {offset}"
    return AccessError(f"{path}: {reason}{place}")
