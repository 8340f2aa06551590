"""What files hold, as size and SHA-256: what binds a plan to a directory, and what proves a result.

Holes are not read: what they hold is known.
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from formats.limits import WINDOW_BYTES
from walctl.datadir.layout import Layout
from walctl.errors import AccessError
from walctl.fs.base import File, FileSystem, Kind
from walctl.fs.hashing import blocks_of, zeros
from walctl.fs.lazy import LazyFile
from walctl.repair.pieces import Piece, SourceName, composed
from walctl.repair.plan import SNAP, WAL, Bound, Stamp


def stamp_of(blocks: Iterable[bytes | memoryview]) -> Stamp:
    """Size and hash of what the blocks are together."""
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
    return Stamp(size=size, sha256=digest.hexdigest())


def stamp_file(disk: FileSystem, path: Path) -> Stamp:
    """The stamp of one file. Raises: AccessError."""
    with disk.open(path) as file:
        return stamp_of(blocks_of(file))


def stamp_pieces(
    pieces: tuple[Piece, ...], size: int, opener: Callable[[SourceName], File]
) -> Stamp:
    """The stamp of the file that `pieces` give, filled with zeros up to `size`.

    Raises: AccessError, when a source does not hold what the pieces name.
    """
    digest, count = hashlib.sha256(), 0
    for block in composed(pieces, opener):
        digest.update(block)
        count += len(block)
    assert count <= size, "a step names the size of its file with the pieces in it"
    for zero_block in zeros(size - count):
        digest.update(zero_block)
    return Stamp(size=size, sha256=digest.hexdigest())


def data_end(file: File) -> int:
    """Behind the last byte of a file that is not zero; 0 when there is none."""
    for start, stop in reversed(list(file.data_ranges(0, file.stat().size))):
        for offset in reversed(range(start, stop, WINDOW_BYTES)):
            data = file.read_at(offset, min(WINDOW_BYTES, stop - offset)).rstrip(b"\0")
            if data:
                return offset + len(data)
    return 0


def bind(disk: FileSystem, layout: Layout) -> Bound:
    """The directory of a member with the stamps of all plain files in its two folders.

    Raises: AccessError.
    """
    files: dict[str, Stamp] = {}
    for room, folder in ((WAL, layout.wal_dir), (SNAP, layout.snap_dir)):
        if folder is None or not disk.exists(folder):
            continue
        for name in disk.names(folder):
            if disk.stat(folder / name).kind is Kind.FILE:
                files[f"{room}/{name}"] = stamp_file(disk, folder / name)
    return Bound(
        directory=layout.path,
        wal=_below(layout.path, layout.wal_dir),
        snap=_below(layout.path, layout.snap_dir),
        files=files,
    )


def _below(directory: Path, folder: Path | None) -> Path | None:
    """The folder relative to the directory, where it lies below it."""
    if folder is None or not folder.is_relative_to(directory):
        return folder
    return folder.relative_to(directory)


class Sources:
    """The files that pieces name, opened when they are first asked for; a context manager.

    `bounds` are the directories by the word that a name begins with: empty for the member itself,
    `peer1` and so on for others.
    """

    def __init__(self, disk: FileSystem, bounds: dict[str, Bound]) -> None:
        self._disk = disk
        self._bounds = bounds
        self._open: dict[SourceName, File] = {}
        self._stack = ExitStack()

    def __call__(self, name: SourceName) -> File:
        """The file of that name, open until the context ends."""
        if name not in self._open:
            path = self.path(name)
            self._open[name] = self._stack.enter_context(LazyFile(self._disk, path))
        return self._open[name]

    def path(self, name: SourceName) -> Path:
        """Where the file of that name lies.

        Raises: AccessError, when no directory of that word is known.
        """
        *helper, room, base = name.split("/")
        bound = self._bounds.get("/".join(helper))
        folder = bound.folder(room) if bound is not None and room in (WAL, SNAP) else None
        if folder is None:
            raise AccessError(f"{name}: no such source")
        return folder / base

    def __enter__(self) -> "Sources":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
