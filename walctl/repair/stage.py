"""The result, built beside what it will replace: every file whole, synced, and held to its hash.

Files that do not change get a second name only where nobody writes to them in place: sealed
segments and `.snap` files. The last segment and the database are copied, or a server that writes
to the new ones would write to the old ones too. Owner, mode, extended attributes and holes are as
they were.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.hashing import blocks_of
from walctl.fs.writable import Attributes, WritableFile
from walctl.repair.beside import besides, demand_along
from walctl.repair.job import (
    Blocks,
    Job,
    Move,
    Put,
    base_of,
    demand_going,
    folders_of,
    paced,
    path_of,
    room_of,
)
from walctl.repair.plan import WAL, Stamp
from walctl.repair.stamps import stamp_file, stamp_of
from walctl.repair.unit import TRIAL, Unit, Way
from walctl.repair.world import World
from walctl.snap.names import NameKind, classify
from walctl.wal.names import in_order

HOLE_BYTES = 4096
"""Zeros are left out of a file in blocks of this size, counted from its start."""
_ZEROS = bytes(HOLE_BYTES)
_FILE_MODE = 0o600
"""Of a new file that has none like it, as etcd makes its segments."""


class Stage:
    """Builds the result of a job; `places` says where each file of it lies meanwhile."""

    def __init__(self, world: World, job: Job, unit: Unit) -> None:
        self._world = world
        self._job = job
        self._unit = unit
        self._puts = {each.name: each for each in job.changes if isinstance(each, Put)}
        self._sources = {each.target: each.name for each in job.changes if isinstance(each, Move)}
        self._after = job.after
        self._sealed = _sealed(self._after) & _sealed(job.bound.files)

    @property
    def places(self) -> dict[Path, Path]:
        """Where each file of the result is before it is in place, by the path that it will have."""
        return {path_of(self._job.bound, name): self.place(name) for name in self._after}

    def place(self, name: str) -> Path:
        """Where one file of the result lies."""
        is_exchanged = self._unit.way is not Way.FILE and room_of(name) in self._unit.rooms
        if is_exchanged or name in self._puts:
            return self._unit.staged(room_of(name)) / base_of(name)
        return path_of(self._job.bound, self._source(name))

    def build(self) -> None:
        """Make what is new, sync it, and read it back.

        Raises: AccessError, when the disk refuses or the result is not what was asked for;
        StoppedError.
        """
        disk, unit = self._world.disk, self._unit
        disk.make_dir(unit.new)
        folders = [unit.new]
        if unit.way is Way.PARENT:
            folders = [unit.staged(room) for room in unit.rooms]
            for folder in folders:
                disk.make_dir(folder)
            folders.append(unit.new)
            folders = [*self._bring_along(), *folders]
        for name in self._after:
            if self.place(name).is_relative_to(unit.new):
                self._make(name)
        if unit.way is not Way.FILE:
            for room, folder in folders_of(self._job.bound).items():
                if room in unit.rooms:
                    self._dress(unit.staged(room), folder)
            if unit.way is Way.PARENT:
                self._dress(unit.new, unit.path)
        for folder in (*folders, unit.work):
            disk.sync_dir(folder)
        for name, stamp in self._after.items():
            if self.place(name).is_relative_to(unit.new):
                self._demand(self.place(name), stamp)

    def _bring_along(self) -> list[Path]:
        """Copy what lies beside the two folders; the folders that were made for it, to be synced.

        Deepest first, for a folder's time is set when all that is in it is there.
        """
        disk, unit = self._world.disk, self._unit
        folders: list[Path] = []
        for each in besides(disk, unit.path):
            source, target = unit.path / each.place, unit.new / each.place
            if each.is_folder:
                disk.make_dir(target)
                folders.insert(0, each.place)
                continue
            self._copy(source, target, is_exact=True)
            self._demand(target, stamp_file(disk, source))
        for place in folders:
            disk.set_attributes(unit.new / place, settable(disk.attributes(unit.path / place)))
        return [unit.new / place for place in folders]

    def demand_along(self) -> None:
        """Raise AccessError, when what came along was changed since it was copied."""
        if self._unit.way is Way.PARENT:
            demand_along(self._world.disk, self._unit.path, self._unit.new)

    def needed_bytes(self) -> int:
        """Bytes that `build` may take on the disk, at most."""
        total = 0
        for name, stamp in self._after.items():
            put = self._puts.get(name)
            if put is not None:
                total += stamp.size if self._is_allocated(put) else min(put.bytes_max, stamp.size)
            elif self.place(name).is_relative_to(self._unit.new) and not self._is_linked(name):
                total += taken_bytes(self._world, path_of(self._job.bound, self._source(name)))
        if self._unit.way is Way.PARENT:
            found = besides(self._world.disk, self._unit.path)
            places = [self._unit.path / each.place for each in found if not each.is_folder]
            total += sum(taken_bytes(self._world, place) for place in places)
        return total

    def try_out(self) -> Path:
        """Copy the result to a data directory of its own, for a server to be started on.

        Nothing of it is shared with the result: a server writes to what it is given.
        """
        disk = self._world.disk
        directory = self._unit.work / TRIAL
        member = directory / "member"
        for folder in (directory, member, *(member / r for r in folders_of(self._job.bound))):
            disk.make_dir(folder)
        for name in self._after:
            self._copy(self.place(name), member / room_of(name) / base_of(name), is_exact=False)
        return directory

    def _source(self, name: str) -> str:
        """The file of the member that one of the result is, or is a copy of."""
        return self._sources.get(name, name)

    def _make(self, name: str) -> None:
        demand_going(self._world)
        target, put = self.place(name), self._puts.get(name)
        if put is not None:
            self._write(put, target)
            return
        source = path_of(self._job.bound, self._source(name))
        if self._is_linked(name) and self._linked(source, target):
            return
        self._copy(source, target, is_exact=True)

    def _linked(self, source: Path, target: Path) -> bool:
        """Give a file a second name, and have its bytes on the disk; false: a copy is as good.

        Not every file system has second names, nor may every user give them. Whoever wrote the
        file, or put it there by hand a moment ago, need not have synced it.
        """
        disk = self._world.disk
        try:
            disk.hard_link(source, target)
        except AccessError:
            return False
        try:
            with closing(disk.open_file(target)) as file:
                file.sync()
        except AccessError:
            disk.remove(target)
            return False
        return True

    def _is_linked(self, name: str) -> bool:
        """Whether nobody will ever write in place to a file that does not change."""
        source = self._source(name)
        if room_of(name) == WAL:
            return name == source and base_of(name) in self._sealed
        return classify(base_of(name)) is NameKind.SNAP and name == source

    def _write(self, put: Put, target: Path) -> None:
        model = self._model(put.name)
        attributes = put.attributes
        if attributes is None:
            attributes = self._attributes_like(model)
        with closing(self._world.disk.create_file(target)) as file:
            if self._is_allocated(put):
                file.allocate(put.stamp.size)
            write_sparsely(file, paced(self._world, put.blocks()), put.stamp.size)
            file.sync()
        self._world.disk.set_attributes(target, attributes)

    def _copy(self, source: Path, target: Path, *, is_exact: bool) -> None:
        disk = self._world.disk
        stat = disk.stat(source)
        with disk.open(source) as old, closing(disk.create_file(target)) as file:
            if stat.is_allocated:
                file.allocate(stat.size)
            write_sparsely(file, paced(self._world, blocks_of(old)), stat.size)
            file.sync()
        if is_exact:
            disk.set_attributes(target, settable(disk.attributes(source)))

    def _dress(self, target: Path, model: Path) -> None:
        """Give a folder what the one has that it replaces, but for the time of the change."""
        attributes = self._world.disk.attributes(model)
        self._world.disk.set_attributes(target, replace(settable(attributes), mtime_ns=None))

    def _is_allocated(self, put: Put) -> bool:
        if put.is_allocated is not None:
            return put.is_allocated
        model = self._model(put.name)
        return model is not None and self._world.disk.stat(model).is_allocated

    def _model(self, name: str) -> Path | None:
        """The file that a new one replaces, or else the last one like it."""
        files = self._job.bound.files
        if name in files:
            return path_of(self._job.bound, name)
        suffix = Path(base_of(name)).suffix
        like = [
            each
            for each in sorted(files)
            if room_of(each) == room_of(name) and Path(base_of(each)).suffix == suffix
        ]
        return path_of(self._job.bound, like[-1]) if like else None

    def _attributes_like(self, model: Path | None) -> Attributes:
        """What a written file gets; its time is that of the writing."""
        disk = self._world.disk
        if model is not None:
            return replace(settable(disk.attributes(model)), mtime_ns=None)
        folder = disk.attributes(self._unit.path)
        return Attributes(mode=_FILE_MODE, uid=folder.uid, gid=folder.gid)

    def _demand(self, path: Path, stamp: Stamp) -> None:
        with self._world.disk.open(path) as file:
            found = stamp_of(paced(self._world, blocks_of(file)))
        if found != stamp:
            raise AccessError(
                f"{path}: expected {stamp.size} bytes of SHA-256 {stamp.sha256[:16]}…, found"
                f" {found.size} of {found.sha256[:16]}…: the plan does not give what it says"
            )


def settable(attributes: Attributes) -> Attributes:
    """What may be given to another file."""
    return replace(attributes, is_link=False, is_directory=False, device=0, links=1)


def write_sparsely(file: WritableFile, blocks: Blocks, size: int) -> None:
    """Write `blocks` and zeros behind them up to `size`; runs of zeros are left out.

    Raises: AccessError, also when the blocks are more than `size` bytes.
    """
    offset = 0
    for block in blocks:
        view = memoryview(block)
        if offset + len(view) > size:
            raise AccessError(f"{file.path}: expected {size} bytes, but more come")
        for start, stop in _data_in(view, offset):
            file.write_at(offset + start, view[start:stop])
        offset += len(view)
    if file.stat().size < size:
        file.truncate(size)


def _data_in(view: memoryview, offset: int) -> Iterator[tuple[int, int]]:
    """Ranges of the block that are not zeros, by pages of the file it is written to."""
    start: int | None = None
    position = 0
    while position < len(view):
        stop = min(len(view), position + HOLE_BYTES - (offset + position) % HOLE_BYTES)
        # As bytes: a view is compared one element at a time.
        is_zero = bytes(view[position:stop]) == _ZEROS[: stop - position]
        if not is_zero and start is None:
            start = position
        if is_zero and start is not None:
            yield start, position
            start = None
        position = stop
    if start is not None:
        yield start, len(view)


def taken_bytes(world: World, path: Path) -> int:
    """What a file takes on the disk; its size where that is not known."""
    stat = world.disk.stat(path)
    return stat.size if stat.allocated_bytes is None else min(stat.size, stat.allocated_bytes)


def _sealed(files: Mapping[str, Stamp]) -> set[str]:
    """The segments of a member but the last one."""
    names = [base_of(name) for name in files if room_of(name) == WAL]
    return {name.text for name in in_order(names)[:-1]}
