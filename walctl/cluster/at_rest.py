"""Faults at rest: what is done to the directories of a node that does not run.

    flip       one bit of a file                      zero       a page of it, or a range
    truncate   the last segment ends earlier          drop       a segment is gone
    wipe       a group's directory is gone            keep       it is copied, under a name
    rewind     it is again what was kept

What is not said is drawn, among what was ever written: a bit of what was only preallocated is
nobody's. Nothing outside of the node's own folder and of `LAB/kept/NODE` is touched, and nothing
that a link leads to. Who has a directory open is refused. Each gives what it did, for the event
file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from walctl.cluster.lab import KEPT_FOLDER, NAME, demand_name
from walctl.errors import AccessError, UsageError
from walctl.fs.base import Kind
from walctl.fs.disk_faults import Draw
from walctl.fs.rot import PAGE_BYTES, Rotted, end_early, flip_bit, put_zeros
from walctl.fs.trees import copy_tree, remove_tree
from walctl.fs.writable import WritableFileSystem
from walctl.repair.new_file import PART_PREFIX
from walctl.wal.names import in_order

_WAL: Final = ("member", "wal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: to `file` of `group`, `size` bytes from `offset` on; or to whole `files`.

    `before` and `after` are the first of the bytes there.
    """

    what: str
    group: str | None = None
    file: str | None = None
    offset: int | None = None
    size: int | None = None
    before: bytes = b""
    after: bytes = b""
    files: int | None = None
    name: str | None = None

    def args(self) -> dict[str, Any]:
        """The same for an event's `args`; bytes in hex."""
        fields: dict[str, Any] = {
            "g": self.group,
            "file": self.file,
            "offset": self.offset,
            "size": self.size,
            "before": self.before.hex() or None,
            "after": self.after.hex() or None,
            "files": self.files,
            "name": self.name,
        }
        return {key: value for key, value in fields.items() if value is not None}


class AtRest:
    """The directories of one node of the lab at `lab`, which must not run.

    `draw` decides whatever is not said, so that the same is drawn again from the same.
    """

    def __init__(self, disk: WritableFileSystem, lab: Path, node: str, *, draw: Draw) -> None:
        self._disk = disk
        self._node = lab / demand_name(node, what="node")
        self._kept = lab / KEPT_FOLDER / node
        self._draw = draw

    def groups(self) -> list[str]:
        """The groups of which the node has a directory."""
        if not self._disk.exists(self._node):
            return []
        self._demand_own(self._node)
        return [each for each in self._disk.names(self._node) if NAME.fullmatch(each)]

    def flip(
        self,
        group: str,
        *,
        file: str | None = None,
        offset: int | None = None,
        bit: int | None = None,
    ) -> Done:
        """Turn one bit around. `file` is a segment's name, or a path within the directory.

        Raises: UsageError, AccessError.
        """
        path = self._file(group, file)
        with self._disk.open_file(path) as opened:
            done = flip_bit(opened, draw=self._draw, offset=offset, bit=bit)
        return self._done("flip", group, path, done)

    def zero(
        self,
        group: str,
        *,
        file: str | None = None,
        offset: int | None = None,
        size: int = PAGE_BYTES,
    ) -> Done:
        """Put zeros in the place of `size` bytes; a drawn place is the beginning of a page.

        Raises: UsageError, AccessError.
        """
        path = self._file(group, file)
        with self._disk.open_file(path) as opened:
            done = put_zeros(opened, draw=self._draw, offset=offset, size=size)
        return self._done("zero", group, path, done)

    def truncate(
        self, group: str, *, file: str | None = None, size: int | None = None, drop: int = 0
    ) -> Done:
        """End a file (the last segment) at `size` bytes, or `drop` bytes before its written end.

        What is neither said is drawn: up to a page is dropped. Raises: UsageError, AccessError.
        """
        path = self._file(group, file, is_last=True)
        with self._disk.open_file(path) as opened:
            done = end_early(opened, draw=self._draw, size=size, drop=drop)
        return self._done("truncate", group, path, done)

    def drop(self, group: str, *, file: str | None = None) -> Done:
        """Remove one segment (drawn), or another file. Raises: UsageError, AccessError."""
        path = self._file(group, file)
        size = self._disk.stat(path).size
        self._disk.remove(path)
        self._disk.sync_dir(path.parent)
        return Done(what="drop", group=group, file=self._place(group, path), size=size)

    def wipe(self, group: str | None = None) -> Done:
        """Remove the directory of a group, or (`None`) of all. Raises: UsageError, AccessError."""
        count = sum(remove_tree(self._disk, path) for path in self._directories(group))
        if self._disk.exists(self._node):
            self._disk.sync_dir(self._node)
        return Done(what="wipe", group=group, files=count)

    def kept(self) -> list[str]:
        """The names of the copies that there are, sorted."""
        if not self._disk.exists(self._kept):
            return []
        return [each for each in self._disk.names(self._kept) if NAME.fullmatch(each)]

    def keep(self, name: str) -> Done:
        """Copy the directories of all groups. Raises: UsageError, when there is such a copy."""
        demand_name(name, what="copy")
        if name in self.kept():
            raise UsageError(f"{self._kept / name}: there is such a copy; choose another name")
        paths = self._directories(None)
        for folder in (self._kept.parent, self._kept):
            if not self._disk.exists(folder):
                self._disk.make_dir(folder)
                self._disk.sync_dir(folder.parent)
            self._demand_own(folder)
        part = self._part(name)
        self._disk.make_dir(part)
        count = sum(copy_tree(self._disk, path, part / path.name) for path in paths)
        self._disk.sync_dir(part)
        self._disk.rename(part, self._kept / name)
        self._disk.sync_dir(self._kept)
        return Done(what="keep", name=name, files=count)

    def rewind(self, name: str, group: str | None = None) -> Done:
        """Put a copy in the place of what is there, of one group or of all that it holds.

        Groups that the node has got since then are gone as well, if all are meant.
        Raises: UsageError, when there is no such copy.
        """
        if name not in self.kept():
            names = ", ".join(self.kept()) or "none"
            raise UsageError(f"{self._node}: no copy {name!r} was kept; there are {names}")
        source = self._kept / name
        self._demand_own(source)
        groups = self._disk.names(source) if group is None else [group]
        if group is not None and group not in self._disk.names(source):
            raise UsageError(f"{source}: holds no group {group!r}")
        # Copied first: a disk that is full then leaves the node as it was.
        part = self._part(name)
        self._disk.make_dir(part)
        count = sum(copy_tree(self._disk, source / each, part / each) for each in groups)
        if group is None or group in self.groups():
            self.wipe(group)
        if not self._disk.exists(self._node):
            self._disk.make_dir(self._node)
            self._disk.sync_dir(self._node.parent)
        for each in groups:
            self._disk.rename(part / each, self._node / each)
        self._disk.remove_dir(part)
        for folder in (self._node, self._kept):
            self._disk.sync_dir(folder)
        return Done(what="rewind", group=group, name=name, files=count)

    # Below here: where things are, and whether they may be touched.

    def _directories(self, group: str | None) -> list[Path]:
        """The directories of a group or of all, which nobody has open."""
        there = self.groups()
        if group is not None and group not in there:
            raise UsageError(f"{self._node}: no directory of a group {group!r}")
        paths = [self._node / each for each in (there if group is None else [group])]
        for path in paths:
            self._demand_own(path)
        self._demand_free(paths)
        return paths

    def _file(self, group: str, file: str | None, *, is_last: bool = False) -> Path:
        """A file of a group: a segment's name, a path in it, or (`None`) a segment drawn."""
        (directory,) = self._directories(group)
        wal = directory.joinpath(*_WAL)
        if file is None:
            self._demand_own(wal)
            names = [each.text for each in in_order(self._disk.names(wal))]
            if not names:
                raise UsageError(f"{wal}: holds no segment")
            return wal / names[-1 if is_last else self._draw(len(names))]
        parts = Path(file).parts
        if not parts or Path(file).is_absolute() or ".." in parts:
            raise UsageError(f"{file}: expected a segment, or a path within {directory}")
        path = wal / file if len(parts) == 1 else directory / file
        for each in _way(directory, path):
            self._demand_own(each)
        if self._disk.stat(path).kind is not Kind.FILE:
            raise UsageError(f"{path}: expected a plain file")
        return path

    def _done(self, what: str, group: str, path: Path, done: Rotted) -> Done:
        place = self._place(group, path)
        return Done(
            what=what,
            group=group,
            file=place,
            offset=done.offset,
            size=done.size,
            before=done.before,
            after=done.after,
        )

    def _place(self, group: str, path: Path) -> str:
        return str(path.relative_to(self._node / group))

    def _part(self, name: str) -> Path:
        """A name for what is not whole yet; what an earlier one left under it is taken away."""
        part = self._kept / f"{PART_PREFIX}{name}"
        if self._disk.exists(part):
            remove_tree(self._disk, part)
        return part

    def _demand_own(self, path: Path) -> None:
        """Raise AccessError for a link, whatever it leads to."""
        if self._disk.attributes(path).is_link:
            raise AccessError(f"{path}: is a link: what it leads to is not the lab's")

    def _demand_free(self, paths: list[Path]) -> None:
        """Raise AccessError, when a process has something there open."""
        found = self._disk.holders(paths)
        if found:
            raise AccessError(
                f"{self._node}: process {found[0]} has files of it open: stop the node first"
            )


def _way(folder: Path, path: Path) -> Iterator[Path]:
    """Every folder on the way from `folder` to `path`, and `path`."""
    for part in path.relative_to(folder).parts:
        folder /= part
        yield folder
