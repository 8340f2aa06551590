"""The copies: files of a member beside each other, and what the originals were, by their hashes."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from walctl.datadir.layout import Layout
from walctl.errors import AccessError
from walctl.fs.base import FileSystem, Kind
from walctl.fs.hashing import blocks_of
from walctl.fs.writable import WritableFileSystem
from walctl.snap.names import NameKind, classify
from walctl.wal.names import in_order

WAL, SNAP = "wal", "snap"

_READ = (NameKind.DB, NameKind.SNAP, NameKind.SNAP_DB)
_BLOCK_BYTES = 4 << 20

Cloner: TypeAlias = Callable[[Path, Path], bool]
"""As `fs.clone.clone`: whether the second file shares the first one's blocks now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePrint:
    """A file's size, and the SHA-256 of all its bytes."""

    size: int
    sha256: str


def files_of(disk: FileSystem, layout: Layout) -> dict[str, Path]:
    """The plain files of a member, by `wal/NAME` and `snap/NAME`."""
    found = {}
    for part, folder in ((WAL, layout.wal_dir), (SNAP, layout.snap_dir)):
        if folder is None or not disk.exists(folder):
            continue
        for name in disk.names(folder):
            if disk.stat(folder / name).kind is Kind.FILE:
                found[f"{part}/{name}"] = folder / name
    return found


def read_by_etcd(names: Iterable[str]) -> set[str]:
    """Those of these files that a start reads; what is left over beside them does nothing."""
    there = set(names)
    wal = [each.partition("/")[2] for each in there if each.startswith(f"{WAL}/")]
    snap = [each.partition("/")[2] for each in there if each.startswith(f"{SNAP}/")]
    kept = {f"{WAL}/{each.text}" for each in in_order(wal)}
    return kept | {f"{SNAP}/{each}" for each in snap if classify(each) in _READ}


def prints_of(disk: FileSystem, files: dict[str, Path]) -> dict[str, FilePrint]:
    """What each of these files is now. Raises: AccessError."""
    return {name: print_of(disk, path) for name, path in files.items()}


def print_of(disk: FileSystem, path: Path) -> FilePrint:
    """What a file is now. Raises: AccessError."""
    digest, size = hashlib.sha256(), 0
    with disk.open(path) as file:
        for block in blocks_of(file):
            digest.update(block)
            size += len(block)
    return FilePrint(size=size, sha256=digest.hexdigest())


def copy_file(disk: WritableFileSystem, source: Path, target: Path, cloner: Cloner | None) -> bool:
    """Make `target` a copy of `source`, holes kept; whether the two share their blocks.

    Raises: AccessError.
    """
    with disk.create_file(target) as made:
        if cloner is not None and cloner(source, target):
            return True
        with disk.open(source) as file:
            size = file.stat().size
            for start, stop in file.data_ranges(0, size):
                for offset in range(start, stop, _BLOCK_BYTES):
                    wanted = min(_BLOCK_BYTES, stop - offset)
                    data = file.read_at(offset, wanted)
                    if len(data) < wanted:
                        raise AccessError(f"{source}: it became shorter while it was copied")
                    made.write_at(offset, data)
            made.truncate(size)
        made.sync()
    return False


def write_file(
    disk: WritableFileSystem, target: Path, blocks: Iterable[bytes], *, size: int | None = None
) -> None:
    """Make `target` of these blocks, synced, and at least `size` bytes long.

    Raises: AccessError.
    """
    with disk.create_file(target) as made:
        offset = 0
        for block in blocks:
            made.write_at(offset, block)
            offset += len(block)
        if size is not None and size > offset:
            made.truncate(size)
        made.sync()
