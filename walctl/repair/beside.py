"""What else lies in the folder that holds `wal` and `snap`: it comes along when that is exchanged.

etcd leaves `wal.tmp` and `wal.broken.*` there, people leave notes. It is copied, never shared, and
no part of a backup: nothing of it changes. What cannot be copied faithfully is a reason to refuse.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import AccessError, UnsupportedError
from walctl.fs.base import Kind
from walctl.fs.writable import WritableFileSystem
from walctl.repair.plan import SNAP, WAL

DEPTH_MAX = 8
COUNT_MAX = 10_000
"""Files and folders that come along, and how deep they may lie in one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One file or folder, by its path within the folder that is exchanged."""

    place: Path
    is_folder: bool


def besides(disk: WritableFileSystem, parent: Path) -> list[Beside]:
    """Everything in `parent` but `wal` and `snap`, folders before what is in them.

    Raises: UnsupportedError, naming what is neither file nor folder, lies on another file system
    or too deep, or is too much.
    """
    found: list[Beside] = []
    device = disk.attributes(parent).device
    for each in _below(disk, parent, Path(), device):
        if len(found) == COUNT_MAX:
            raise UnsupportedError(
                f"{parent}: holds more than {COUNT_MAX:,} things beside wal and snap, and it is"
                " exchanged as both change: move them elsewhere first"
            )
        found.append(each)
    return found


def _below(
    disk: WritableFileSystem, parent: Path, folder: Path, device: int, depth: int = 0
) -> Iterator[Beside]:
    for name in disk.names(parent / folder):
        if depth == 0 and name in (WAL, SNAP):
            continue
        place = folder / name
        attributes = disk.attributes(parent / place)
        is_folder = attributes.is_directory
        is_file = not attributes.is_link and disk.stat(parent / place).kind is Kind.FILE
        if not (is_folder or is_file) or attributes.device != device or depth == DEPTH_MAX:
            raise UnsupportedError(
                f"{parent / place}: both wal and snap change, so the folder that holds them is"
                " exchanged, and this cannot come along: move it elsewhere first"
            )
        yield Beside(place=place, is_folder=is_folder)
        if is_folder:
            yield from _below(disk, parent, place, device, depth + 1)


def demand_along(disk: WritableFileSystem, parent: Path, new: Path) -> None:
    """Hold what came along against what it was copied from, by names, sizes and times.

    Raises: AccessError, when somebody wrote to it meanwhile.
    """
    old = besides(disk, parent)
    if old != besides(disk, new):
        raise AccessError(f"{parent}: somebody made or removed something in it meanwhile")
    for each in old:
        if not each.is_folder:
            was, now = disk.stat(parent / each.place), disk.stat(new / each.place)
            if (was.size, was.mtime_ns) != (now.size, now.mtime_ns):
                raise AccessError(f"{parent / each.place}: somebody wrote to it meanwhile")
