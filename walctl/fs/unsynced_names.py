"""Which names were changed since their directory was last synced, and how to change them back.

Changes are those of `crash`: one atom each, in the order of their directory. Those that are lost
are undone in reverse; what keeps them apart from each other is that whatever a lost one needs comes
before it, and whatever needs it is lost as well.

A file that loses its name is kept open meanwhile, so that it can be given back: as a copy. Its room
on the disk is not free before. Of those there are a few at most: beyond that the oldest changes
count as durable. Links cannot be given back. A directory is known by the path that it was named
by: a name that leads to it by a link is another one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from walctl.fs.base import File, Kind
from walctl.fs.crash import Assign, NameChange
from walctl.fs.nodes import Directory
from walctl.fs.trees import copy_sparsely, remove_tree
from walctl.fs.writable import WritableFileSystem

HELD_MAX = 8
"""Files without a name that are kept at a time."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What a name stood for that it stands for no more; `folder` for a directory, else `file`."""

    mode: int
    inode: int = 0
    file: File | None = None
    folder: Directory | None = None


@dataclass(frozen=True, slots=True)
class _Undo:
    """How a change is taken back: `made` names go, `moved` go back, `gone` come back."""

    made: tuple[Directory, str] | None = None
    moved: tuple[tuple[Directory, str], tuple[Directory, str]] | None = None
    is_exchange: bool = False
    gone: tuple[Directory, str, Gone] | None = None


class UnsyncedNames:
    """The names of one disk, as far as they are not durable."""

    def __init__(self, disk: WritableFileSystem) -> None:
        self.changes: list[NameChange] = []
        self._disk = disk
        self._undo: dict[int, _Undo] = {}
        self._folders: dict[Path, Directory] = {}
        self._places: dict[Directory, Path] = {}

    def made(self, number: int, path: Path) -> None:
        """A new name."""
        place = self._place(path)
        self._add(number, [place], _Undo(made=place))

    def going(self, path: Path) -> Gone | None:
        """What `path` stands for, to be kept before it loses that name; `None`: nothing."""
        if not self._disk.exists(path):
            return None
        attributes = self._disk.attributes(path)
        if attributes.is_directory:
            return Gone(attributes.mode, folder=self._folder(path))
        stat = self._disk.stat(path)
        is_file = not attributes.is_link and stat.kind is Kind.FILE
        file = self._disk.open(path) if is_file else None
        return Gone(attributes.mode, inode=stat.inode, file=file)

    def removed(self, number: int, path: Path, gone: Gone | None) -> list[int]:
        """A name that is there no more. Gives the inodes of files that are gone for good."""
        place = self._place(path)
        if gone is not None and gone.folder is not None:
            self._forget(path)
        self._add(number, [place], _Undo(gone=None if gone is None else (*place, gone)))
        return self._bounded()

    def renamed(self, number: int, source: Path, target: Path, gone: Gone | None) -> list[int]:
        """A name that was moved, to where `gone` was; see `removed`."""
        places = self._place(source), self._place(target)
        if gone is not None and gone.folder is not None:
            self._forget(target)
        self._move(source, target)
        lost = None if gone is None else (*places[1], gone)
        self._add(number, places, _Undo(moved=places, gone=lost))
        return self._bounded()

    def exchanged(self, number: int, first: Path, second: Path) -> None:
        """Two names that stand for what the other stood for."""
        places = self._place(first), self._place(second)
        self._swap(first, second)
        self._add(number, places, _Undo(moved=places, is_exchange=True))

    def settle(self, path: Path) -> list[int]:
        """The names in a directory are durable, with all that has to come before them.

        Gives the inodes of files that are gone for good.
        """
        if not self.changes:
            return []
        touched = {self._folder(path)}
        done: list[NameChange] = []
        for change in reversed(self.changes):
            if change.touches(touched):
                touched |= {each.directory for each in change.assigns}
                done.append(change)
        return self._settled(done)

    def put_back(self, lost: Iterable[int]) -> None:
        """Undo the changes of these numbers; nothing is pending then. Raises: AccessError."""
        for number in sorted(lost, reverse=True):
            self._take_back(self._undo[number])
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._settled(list(self.changes))

    def _add(self, number: int, places: Iterable[tuple[Directory, str]], undo: _Undo) -> None:
        assigns = tuple(Assign(folder, name, None) for folder, name in places)
        self.changes.append(NameChange(number, assigns))
        self._undo[number] = undo

    def _bounded(self) -> list[int]:
        holding = [
            position
            for position, each in enumerate(self.changes)
            if (gone := self._undo[each.number].gone) is not None and gone[2].file is not None
        ]
        if len(holding) <= HELD_MAX:
            return []
        return self._settled(self.changes[: holding[0] + 1])

    def _settled(self, done: list[NameChange]) -> list[int]:
        """Forget these changes; the inodes of files that are gone for good."""
        inodes: list[int] = []
        for change in done:
            gone = self._undo.pop(change.number).gone
            if gone is not None and gone[2].file is not None:
                gone[2].file.close()
                inodes.append(gone[2].inode)
        numbers = {each.number for each in done}
        self.changes = [each for each in self.changes if each.number not in numbers]
        if not self.changes:
            self._folders.clear()
            self._places.clear()
        return inodes

    def _take_back(self, undo: _Undo) -> None:
        if undo.made is not None and (path := self._path(*undo.made)) is not None:
            remove_tree(self._disk, path)
        if undo.moved is not None:
            source, target = (self._path(*each) for each in undo.moved)
            if source is not None and target is not None:
                if undo.is_exchange:
                    self._disk.exchange(source, target)
                    self._swap(source, target)
                else:
                    self._disk.rename(target, source)
                    self._move(target, source)
        if undo.gone is not None and (path := self._path(*undo.gone[:2])) is not None:
            self._give_back(path, undo.gone[2])

    def _give_back(self, path: Path, gone: Gone) -> None:
        if gone.folder is not None:
            self._disk.make_dir(path)
            self._folders[path], self._places[gone.folder] = gone.folder, path
        elif gone.file is not None:
            with self._disk.create_file(path, mode=gone.mode) as file:
                copy_sparsely(gone.file, file)

    def _place(self, path: Path) -> tuple[Directory, str]:
        return self._folder(path.parent), path.name

    def _folder(self, path: Path) -> Directory:
        folder = self._folders.get(path)
        if folder is None:
            folder = self._folders[path] = Directory(0, 0, 0)
            self._places[folder] = path
        return folder

    def _path(self, folder: Directory, name: str) -> Path | None:
        """Where a name is now; `None`: its directory is nowhere."""
        path = self._places.get(folder)
        if path is None or not self._disk.exists(path):
            return None
        return path / name

    def _forget(self, path: Path) -> None:
        folder = self._folders.pop(path, None)
        if folder is not None:
            del self._places[folder]

    def _move(self, source: Path, target: Path) -> None:
        """Directories at or below `source` are at or below `target` now."""
        self._remap({source: target})

    def _swap(self, first: Path, second: Path) -> None:
        self._remap({first: second, second: first})

    def _remap(self, moved: dict[Path, Path]) -> None:
        found: dict[Path, Directory] = {}
        for path, folder in self._folders.items():
            for source, target in moved.items():
                if path.is_relative_to(source):
                    path = target / path.relative_to(source)
                    break
            found[path] = folder
            self._places[folder] = path
        self._folders = found
