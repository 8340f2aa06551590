"""A disk on which archives are folders and archived segments are segments; for reading only.

    X.tar.zst              a folder with what the archive holds: X.tar.zst/n1/member/wal
    NAME.wal.zst           where there is no NAME.wal beside it, also NAME.wal, as it was

Nothing is unpacked to a disk. Archives of ours are read in place, a mebibyte at a time; those of
somebody else, packed as one long stream, are unpacked once into memory. A name inside an archive
never leads out of it. Whatever is no archive goes straight to the disk below.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NoReturn

from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Kind, Stat

if TYPE_CHECKING:
    from walctl.fs.tar import Member
    from walctl.fs.zstd import Content

ARCHIVE_SUFFIXES = (".tar.zst", ".tzst")
SEGMENT_SUFFIX = ".wal"
PACKED_SUFFIX = ".wal.zst"
ARCHIVES_KEPT = 8
"""Archives whose names are kept for the next question."""

_LOG_OF_A_SERVER = "wal"
_MISSING = "No such file or directory"
_READ_ONLY = "lies in an archive, which is only read"

Parts = tuple[str, ...]
_Key = tuple[Path, int, int, int]


@dataclass(slots=True, kw_only=True)
class _Archive:
    """What one archive holds: its files by path, and the names in each of its folders."""

    content: "Content"
    stat: Stat
    files: dict[Parts, "Member"]
    folders: dict[Parts, set[str]]


@dataclass(slots=True)
class PackedFileSystem:
    """The disk `inner`, seen so. Pickles, so that it may be sent to another process.

    With `is_judged`, packed segments in a folder called `wal` stay what they are: a server does
    not read them, and who says what it would do must not either.
    """

    inner: FileSystem
    is_judged: bool = False
    _archives: dict[_Key, _Archive] = field(default_factory=dict, repr=False, compare=False)
    _twins: dict[_Key, "Content"] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["PackedFileSystem"], tuple[FileSystem, bool]]:
        return PackedFileSystem, (self.inner, self.is_judged)

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`; an archive is a directory."""
        found = self._in_archive(path)
        if found is not None:
            return _stat(path, *found)
        twin = self._twin(path)
        if twin is not None:
            return _unpacked_stat(self.inner.stat(twin), self._content(twin).size)
        return self.inner.stat(path)

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`."""
        found = self._in_archive(path)
        if found is not None:
            archive, parts = found
            return parts in archive.files or parts in archive.folders
        return self._twin(path) is not None or self.inner.exists(path)

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`; a packed segment goes by the name that it had."""
        found = self._in_archive(path)
        if found is not None:
            archive, parts = found
            if parts not in archive.folders:
                _fail(path, "Not a directory" if parts in archive.files else _MISSING)
            return sorted(archive.folders[parts])
        names = self.inner.names(path)
        if self._is_as_it_is(path) or not any(name.endswith(PACKED_SUFFIX) for name in names):
            return names
        return sorted({_unpacked_name(name) for name in names})

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        found = self._in_archive(path)
        if found is None:
            twin = self._twin(path)
            if twin is None:
                return self.inner.open(path)
            content = self._content(twin)
            stat = _unpacked_stat(self.inner.stat(twin), content.size)
            return PackedFile(path, content, stat, start=0)
        archive, parts = found
        member = archive.files.get(parts)
        if member is None:
            _fail(path, "Is a directory" if parts in archive.folders else _MISSING)
        return PackedFile(path, archive.content, _stat(path, archive, parts), start=member.offset)

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`; never in an archive."""
        if self._in_archive(path) is not None:
            _fail(path, _READ_ONLY)
        self.inner.create(path, data)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`; never in an archive."""
        if self._in_archive(path) is not None:
            _fail(path, _READ_ONLY)
        self.inner.make_dir(path)

    def _in_archive(self, path: Path) -> tuple[_Archive, Parts] | None:
        """The archive that a path leads into, and where in it; `None`: into none."""
        for count, part in enumerate(path.parts, start=1):
            if not part.endswith(ARCHIVE_SUFFIXES):
                continue
            file = Path(*path.parts[:count])
            if not self.inner.exists(file) or self.inner.stat(file).kind is not Kind.FILE:
                continue
            parts: list[str] = []
            for each in path.parts[count:]:
                if each != "..":
                    parts.append(each)
                elif parts:
                    parts.pop()
                else:
                    return None  # out of it again
            return self._archive(file), tuple(parts)
        return None

    def _archive(self, path: Path) -> _Archive:
        stat = self.inner.stat(path)
        key = (path, stat.inode, stat.size, stat.mtime_ns)
        found = self._archives.get(key)
        if found is None:
            while len(self._archives) >= ARCHIVES_KEPT:
                self._archives.pop(next(iter(self._archives)))
            found = self._archives[key] = _read_archive(self.inner, path, stat)
        return found

    def _twin(self, path: Path) -> Path | None:
        """The packed segment that stands for `path`, where `path` itself is not there."""
        if not path.name.endswith(SEGMENT_SUFFIX) or self._is_as_it_is(path.parent):
            return None
        twin = path.with_name(f"{path.name}.zst")
        is_packed = not self.inner.exists(path) and self.inner.exists(twin)
        return twin if is_packed else None

    def _is_as_it_is(self, folder: Path) -> bool:
        """Whether packed segments of a folder stay what they are."""
        return self.is_judged and folder.name == _LOG_OF_A_SERVER

    def _content(self, path: Path) -> "Content":
        from walctl.fs import zstd  # slow to import, and archives are rare

        stat = self.inner.stat(path)
        key = (path, stat.inode, stat.size, stat.mtime_ns)
        if key not in self._twins:
            while len(self._twins) >= ARCHIVES_KEPT:
                self._twins.pop(next(iter(self._twins)))
            self._twins[key] = zstd.opened(_Reopening(self.inner, path))
        return self._twins[key]


class PackedFile:
    """A file inside an archive, or a packed segment; see `File`."""

    def __init__(self, path: Path, content: "Content", stat: Stat, *, start: int) -> None:
        self._path = path
        self._content = content
        self._stat = stat
        self._start = start

    @property
    def path(self) -> Path:
        """See `File.path`."""
        return self._path

    def stat(self) -> Stat:
        """See `File.stat`."""
        return self._stat

    def read_at(self, offset: int, size: int) -> bytes:
        """See `File.read_at`."""
        size = min(size, self._stat.size - offset)
        return self._content.read_at(self._start + offset, size) if size > 0 else b""

    def read_into(self, offset: int, target: memoryview) -> int:
        """See `File.read_into`."""
        data = self.read_at(offset, len(target))
        target[: len(data)] = data
        return len(data)

    def data_ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """See `File.data_ranges`; long runs of zeros are holes."""
        stop = min(stop, self._stat.size)
        if start >= stop:
            return
        base = self._start
        pending: tuple[int, int] | None = None
        for low, high in self._content.data_ranges(base + start, base + stop):
            if pending is not None and pending[1] == low:
                pending = (pending[0], high)
                continue
            if pending is not None:
                yield pending[0] - base, pending[1] - base
            pending = (low, high)
        if pending is not None:
            yield pending[0] - base, pending[1] - base

    def is_locked(self) -> bool:
        """See `File.is_locked`: nobody writes to what is packed."""
        return False

    def close(self) -> None:
        """See `File.close`; the archive stays known."""

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Reopening:
    """A file that is opened for each read: who knows many archives holds none of them open.

    Only what `zstd.opened` asks of a file; the frames that it keeps make further reads rare.
    """

    def __init__(self, disk: FileSystem, path: Path) -> None:
        self._disk = disk
        self.path = path

    def stat(self) -> Stat:
        return self._disk.stat(self.path)

    def read_at(self, offset: int, size: int) -> bytes:
        with self._disk.open(self.path) as file:
            return file.read_at(offset, size)


def is_archive(path: PurePath) -> bool:
    """Whether a path is called as an archive is."""
    return path.name.endswith(ARCHIVE_SUFFIXES)


def _read_archive(disk: FileSystem, path: Path, stat: Stat) -> _Archive:
    from walctl.fs import tar, zstd  # slow to import, and archives are rare

    file = _Reopening(disk, path)
    if not zstd.is_packed(file):
        _fail(path, "is called an archive (.tar.zst), but does not begin as zstd does")
    archive = _Archive(
        content=zstd.opened(file), stat=replace(stat, kind=Kind.DIRECTORY), files={}, folders={}
    )
    archive.folders[()] = set()
    for member in tar.members(archive.content, str(path)):
        for count in range(len(member.parts)):
            names = archive.folders.setdefault(member.parts[:count], set())
            names.add(member.parts[count])
        if member.is_directory:
            archive.folders.setdefault(member.parts, set())
        else:
            archive.files[member.parts] = member
    return archive


def _stat(path: Path, archive: _Archive, parts: Parts) -> Stat:
    """One name of an archive; inodes tell its files apart, and from those of the disk."""
    if not parts:
        return archive.stat
    name = "/".join(parts).encode("utf-8", "surrogateescape")
    mark = int.from_bytes(sha256(name).digest()[:8], "big")
    inode = archive.stat.inode << 64 | mark
    member = archive.files.get(parts)
    if member is None:
        if parts not in archive.folders:
            _fail(path, _MISSING)
        return replace(archive.stat, size=0, inode=inode)
    return Stat(
        kind=Kind.FILE,
        size=member.size,
        mtime_ns=member.mtime_ns,
        inode=inode,
        mode=member.mode,
        allocated_bytes=None,
    )


def _unpacked_stat(stat: Stat, size: int) -> Stat:
    return replace(stat, size=size, allocated_bytes=None)


def _unpacked_name(name: str) -> str:
    return name.removesuffix(".zst") if name.endswith(PACKED_SUFFIX) else name


def _fail(path: Path, words: str) -> NoReturn:
    raise AccessError(f"{path}: {words}")
