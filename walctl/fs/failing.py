"""A disk that does on command what disks do, while a program runs on it: it refuses, it is slow, it
lies, and it loses its power.

It stands in front of another disk: the real one in a node's process, the one in memory in tests.
What is set is a `DiskFault`, and every fault can be taken off. Beside the words of its kind:

    slow-fsync   of files and of directories; `sleep` is called with seconds
    fail-fsync   of files: the file holds again what was synced of it, bytes and size
    eio          nothing of the write is done
    full         bytes count as they are written, wherever, and as a file is made longer by an
                 allocation; what is cut off a file is room again; of the write that does not fit
                 the part that does is done
    lie          of files and of directories; the next sync that is none makes all of it durable

Power is cut by writing to the disk below: it then holds what a power cut could have left, by the
rules of `crash`, and every later call is one of a dead program (`Killed`). Only what went through
here since the last sync is ever taken back: what was done by others, or before, is durable.

A `group` is the folder of that name in `root`.
"""

from collections.abc import Sequence
from pathlib import Path

from walctl.fs.base import File, Stat
from walctl.fs.disk_faults import DiskFaultKind
from walctl.fs.failing_file import FailingFile
from walctl.fs.troubles import Troubles
from walctl.fs.writable import Attributes, WritableFile


class FailingFileSystem(Troubles):
    """`disk`, as it is seen by the program of one node, whose files lie below `root`.

    `on_event` is told of every refusal (`fserr`), of a power cut (`crash`), and when more than
    `pending_bytes_max` are not synced (`note`). `on_dead` is called once the power is cut: it may
    end the process, and need not return. For several threads at a time `guard` has to be a lock
    that one of them may take twice; none of them holds it while it syncs or sleeps.
    """

    # Reading.

    def stat(self, path: Path) -> Stat:
        """See `FileSystem.stat`."""
        self.demand_alive(path)
        return self._disk.stat(path)

    def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`."""
        self.demand_alive(path)
        return self._disk.exists(path)

    def names(self, path: Path) -> list[str]:
        """See `FileSystem.names`."""
        self.demand_alive(path)
        return self._disk.names(path)

    def open(self, path: Path) -> File:
        """See `FileSystem.open`."""
        self.demand_alive(path)
        return self._disk.open(path)

    def attributes(self, path: Path) -> Attributes:
        """See `WritableFileSystem.attributes`."""
        self.demand_alive(path)
        return self._disk.attributes(path)

    def free_bytes(self, path: Path) -> int:
        """See `WritableFileSystem.free_bytes`."""
        self.demand_alive(path)
        full = self.fault(DiskFaultKind.FULL, path)
        free = self._disk.free_bytes(path)
        return free if full is None else min(free, full.bytes_left)

    def holders(self, paths: Sequence[Path]) -> list[int]:
        """See `WritableFileSystem.holders`."""
        self.demand_alive(self._root)
        return self._disk.holders(paths)

    # Writing.

    def create(self, path: Path, data: bytes) -> None:
        """See `FileSystem.create`."""
        with self.alive(path):
            self.demand_writable(path, call="create", offset=None)
            self.take_room(path, len(data), call="create")
            self._disk.create(path, data)
            self.unsynced.made(path, data)

    def make_dir(self, path: Path) -> None:
        """See `FileSystem.make_dir`."""
        with self.alive(path):
            self._disk.make_dir(path)
            self.unsynced.named(path)

    def create_file(self, path: Path, *, mode: int = 0o600) -> WritableFile:
        """See `WritableFileSystem.create_file`."""
        with self.alive(path):
            file = self._disk.create_file(path, mode=mode)
            self.unsynced.named(path)
            return FailingFile(self, file)

    def open_file(self, path: Path) -> WritableFile:
        """See `WritableFileSystem.open_file`."""
        with self.alive(path):
            return FailingFile(self, self._disk.open_file(path))

    def rename(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.rename`."""
        with self.alive(source):
            self.unsynced.rename(source, target)

    def exchange(self, first: Path, second: Path) -> None:
        """See `WritableFileSystem.exchange`."""
        with self.alive(first):
            self._disk.exchange(first, second)
            self.unsynced.exchanged(first, second)

    def hard_link(self, source: Path, target: Path) -> None:
        """See `WritableFileSystem.hard_link`."""
        with self.alive(source):
            self._disk.hard_link(source, target)
            self.unsynced.named(target)

    def remove(self, path: Path) -> None:
        """See `WritableFileSystem.remove`."""
        with self.alive(path):
            self.unsynced.remove(path, self._disk.remove)

    def remove_dir(self, path: Path) -> None:
        """See `WritableFileSystem.remove_dir`."""
        with self.alive(path):
            self.unsynced.remove(path, self._disk.remove_dir)

    def sync_dir(self, path: Path) -> None:
        """See `WritableFileSystem.sync_dir`."""
        self.demand_alive(path)
        if self.slowed_or_lied(path):
            return
        self._disk.sync_dir(path)
        with self.alive(path):
            self.unsynced.settle_names(path)

    def set_attributes(self, path: Path, attributes: Attributes) -> None:
        """See `WritableFileSystem.set_attributes`."""
        with self.alive(path):
            self._disk.set_attributes(path, attributes)
