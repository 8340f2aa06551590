"""Two disks with one face, so that one suite holds both to the same behaviour."""

import os
from abc import ABC, abstractmethod
from pathlib import Path

from walctl.fs.base import FileSystem
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.fs.writable import WritableFileSystem


class Disk(ABC):
    """A disk whose owner may change it while `reader` reads it. Everything lies below `root`.

    `writer` is the same disk, as a program sees it that may write.
    """

    reader: FileSystem
    writer: WritableFileSystem
    root: Path

    @abstractmethod
    def write(self, path: Path, data: bytes) -> None: ...

    @abstractmethod
    def write_at(self, path: Path, offset: int, data: bytes) -> None: ...

    @abstractmethod
    def truncate(self, path: Path, size: int) -> None: ...

    @abstractmethod
    def make_directory(self, path: Path) -> None: ...

    @abstractmethod
    def link(self, path: Path, target: Path) -> None: ...

    @abstractmethod
    def make_special(self, path: Path) -> None: ...

    @abstractmethod
    def rename(self, source: Path, target: Path) -> None: ...

    @abstractmethod
    def remove(self, path: Path) -> None: ...


class RealDisk(Disk):
    """A folder of the machine's own disk."""

    def __init__(self, root: Path) -> None:
        self.reader = self.writer = RealFileSystem()
        self.root = root

    def write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        with path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), data, offset)
            os.fsync(file.fileno())

    def truncate(self, path: Path, size: int) -> None:
        os.truncate(path, size)

    def make_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def link(self, path: Path, target: Path) -> None:
        path.symlink_to(target)

    def make_special(self, path: Path) -> None:
        os.mkfifo(path)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink()


class MemoryDisk(Disk):
    """A disk in memory, whose own calls already have this face."""

    def __init__(self) -> None:
        self.memory = MemoryFileSystem()
        self.reader = self.writer = self.memory
        self.root = Path("/disk")
        self.memory.make_directory(self.root)

    def write(self, path: Path, data: bytes) -> None:
        self.memory.write(path, data)

    def write_at(self, path: Path, offset: int, data: bytes) -> None:
        self.memory.write_at(path, offset, data)

    def truncate(self, path: Path, size: int) -> None:
        self.memory.truncate(path, size)

    def make_directory(self, path: Path) -> None:
        self.memory.make_directory(path)

    def link(self, path: Path, target: Path) -> None:
        self.memory.link(path, target)

    def make_special(self, path: Path) -> None:
        self.memory.make_special(path)

    def rename(self, source: Path, target: Path) -> None:
        self.memory.rename(source, target)

    def remove(self, path: Path) -> None:
        self.memory.remove(path)
