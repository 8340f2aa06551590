"""All that was done to a disk and is not durable, and the power cut that takes some of it back.

    a write, a new size      to its file's shadow (`unsynced_file`), before it is done
    a name                   to the list of names (`unsynced_names`), after it is done
    a sync                   forgets what it made durable

What is remembered has a bound. Beyond it the oldest changes count as durable: that is a state which
the disk may be in as well, since nobody keeps it from writing early, but a power cut then shows
less than it could. `is_bound_hit` says so, until everything is synced.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from walctl.fs.contents import Change
from walctl.fs.crash import Crash, NameChange, atoms_of, is_torn, survivors
from walctl.fs.nodes import Plain
from walctl.fs.unsynced_file import UnsyncedFile
from walctl.fs.unsynced_names import Gone, UnsyncedNames
from walctl.fs.writable import WritableFile, WritableFileSystem

_NAMES = "names"
"""What changes of names are counted as."""


@dataclass(frozen=True, slots=True)
class Toll:
    """How many operations a power cut left whole and how many not, by kinds of files."""

    lost: dict[str, int]
    kept: dict[str, int]


class Unsynced:
    """What is not durable of the disk below; `bytes_max` is how much of it is remembered."""

    def __init__(self, disk: WritableFileSystem, *, bytes_max: int) -> None:
        self._disk = disk
        self._bytes_max = bytes_max
        self._files: dict[int, UnsyncedFile] = {}
        self._names = UnsyncedNames(disk)
        self._numbers = count(1)
        self._bytes = 0
        self.is_bound_hit = False

    @property
    def nodes(self) -> list[Plain]:
        """The files with changes that are not durable."""
        return [each.node for each in self._files.values() if each.is_pending]

    @property
    def names(self) -> list[NameChange]:
        """The changes of names that are not durable."""
        return self._names.changes

    @property
    def open_files(self) -> int:
        """How many files are held open here."""
        return len(self._files)

    def opened(self, file: WritableFile) -> UnsyncedFile:
        """The shadow of a file that somebody has opened to write to it; see `closed`."""
        stat = file.stat()
        shadow = self._files.get(stat.inode)
        if shadow is None:
            own = self._disk.open_file(file.path)
            shadow = UnsyncedFile(own, inode=stat.inode, label=_label(file.path), size=stat.size)
            self._files[stat.inode] = shadow
        shadow.openers += 1
        return shadow

    def closed(self, shadow: UnsyncedFile) -> None:
        """Somebody closed what he had opened."""
        shadow.openers -= 1
        self._let_go(shadow)

    def made(self, path: Path, data: bytes) -> None:
        """A file was made in one step."""
        self._names.made(next(self._numbers), path)
        file = self._disk.open_file(path)
        stat = file.stat()
        shadow = UnsyncedFile(file, inode=stat.inode, label=_label(path), size=0)
        self._files[stat.inode] = shadow
        self._change(shadow, lambda: shadow.made(next(self._numbers), data))
        self._let_go(shadow)

    def before_write(self, shadow: UnsyncedFile, offset: int, data: bytes) -> None:
        """`data` is about to be written."""
        self._change(shadow, lambda: shadow.before_write(next(self._numbers), offset, data))

    def before_size(self, shadow: UnsyncedFile, size: int) -> None:
        """A file is about to get this size."""
        self._change(shadow, lambda: shadow.before_size(next(self._numbers), size))

    def settle(self, shadow: UnsyncedFile) -> None:
        """A file was synced."""
        self._change(shadow, shadow.settle)
        if not self._bytes:
            self.is_bound_hit = False

    def lose(self, shadow: UnsyncedFile) -> None:
        """Make a file hold what was synced of it, and nothing else. Raises: AccessError."""
        self._change(shadow, lambda: shadow.put_back(()))

    def named(self, path: Path) -> None:
        """There is a new name."""
        self._names.made(next(self._numbers), path)

    def remove(self, path: Path, remove: Callable[[Path], None]) -> None:
        """Have a name removed. Raises: AccessError."""
        with self._going(path) as gone:
            remove(path)
        self._lost_names(self._names.removed(next(self._numbers), path, gone))

    def rename(self, source: Path, target: Path) -> None:
        """Have a name moved. Raises: AccessError."""
        disk = self._disk
        if disk.exists(target) and _is_one(disk, source, target):
            disk.rename(source, target)
            return
        with self._going(target) as gone:
            disk.rename(source, target)
        self._lost_names(self._names.renamed(next(self._numbers), source, target, gone))

    def exchanged(self, first: Path, second: Path) -> None:
        """Two names stand for each other's."""
        self._names.exchanged(next(self._numbers), first, second)

    def settle_names(self, path: Path) -> None:
        """A directory was synced."""
        self._lost_names(self._names.settle(path))

    def cut(self, crash: Crash) -> Toll:
        """Make the disk below hold what this crash leaves; nothing is open here after it.

        Raises: AccessError, when the disk below refuses; then it holds anything.
        """
        files = {each.node: each for each in self._files.values() if each.is_pending}
        atoms = atoms_of(list(files), self.names, is_torn=is_torn(crash))
        kept = survivors(atoms, crash)
        lost = [atom for at, atom in enumerate(atoms) if at not in kept]
        labels = {
            atom.number: _NAMES if atom.file is None else files[atom.file].label for atom in atoms
        }
        redone: dict[Plain, list[Change]] = {}
        for at in sorted(kept):
            effect, node = atoms[at].effect, atoms[at].file
            if node is not None and not isinstance(effect, NameChange):
                redone.setdefault(node, []).append(effect)
        for node in dict.fromkeys(atom.file for atom in lost if atom.file is not None):
            files[node].put_back(redone.get(node, []))
        self._names.put_back(atom.number for atom in lost if atom.file is None)
        self.close()
        numbers = {atom.number for atom in lost}
        return Toll(
            lost=dict(Counter(label for number, label in labels.items() if number in numbers)),
            kept=dict(Counter(label for number, label in labels.items() if number not in numbers)),
        )

    def close(self) -> None:
        """Forget everything, and close what is open."""
        self._names.close()
        for shadow in self._files.values():
            shadow.file.close()
        self._files.clear()

    @contextmanager
    def _going(self, path: Path) -> Iterator[Gone | None]:
        """What a name stands for, kept if it is then taken away without an error."""
        gone = self._names.going(path)
        with ExitStack() as stack:
            if gone is not None and gone.file is not None:
                stack.callback(gone.file.close)
            yield gone
            stack.pop_all()

    def _change(self, shadow: UnsyncedFile, change: Callable[[], None]) -> None:
        before = shadow.bytes_kept
        change()
        self._bytes += shadow.bytes_kept - before
        while self._bytes > self._bytes_max:
            self.is_bound_hit = True
            oldest = min(
                (each for each in self._files.values() if each.is_pending),
                key=lambda each: each.node.changes[0].number,
            )
            before = oldest.bytes_kept
            oldest.settle_first()
            self._bytes += oldest.bytes_kept - before
            if oldest is not shadow:
                self._let_go(oldest)

    def _lost_names(self, inodes: Iterable[int]) -> None:
        """These files have lost a name for good; nobody asks any more what became of them."""
        for inode in inodes:
            shadow = self._files.get(inode)
            if shadow is not None and shadow.openers == 0:
                self._change(shadow, shadow.settle)
                self._let_go(shadow)

    def _let_go(self, shadow: UnsyncedFile) -> None:
        if shadow.openers == 0 and not shadow.is_pending:
            shadow.file.close()
            self._files.pop(shadow.inode, None)


def _is_one(disk: WritableFileSystem, first: Path, second: Path) -> bool:
    """Whether two names stand for one file already, so that moving one changes nothing."""
    return disk.exists(first) and disk.stat(first).inode == disk.stat(second).inode


def _label(path: Path) -> str:
    """What kind of file it is: its folder says so, also one that is made aside (`wal.tmp`)."""
    return path.parent.name.removesuffix(".tmp")
