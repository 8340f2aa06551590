"""Faults at rest: what is done to the files of a simulated node that does not run.

    flip, zero, truncate, drop   as to the directories of a lab (`walctl.fs.rot`)
    latent                       reading any byte of a sector fails from now on, as a bad one does
    stale                        a sector holds what it held earlier: writes that the disk has lost

A log only grows, so what a sector held earlier is what it holds, up to the end of some record, and
zeros. What is not said is drawn.
"""

from pathlib import Path
from typing import Final

from walctl.cluster.deeds import Damage
from walctl.errors import UsageError
from walctl.fs.base import Kind
from walctl.fs.crash import SECTOR_BYTES
from walctl.fs.disk_faults import Draw
from walctl.fs.memory_file import MemoryWritableFile
from walctl.fs.rot import PAGE_BYTES, Rotted, end_early, flip_bit, place_in, put_zeros, written_end
from walctl.sim.disk_files import SimFileSystem
from walctl.sim.log_bytes import read_frames
from walctl.wal.names import in_order

VERBS: Final = ("flip", "zero", "truncate", "drop", "latent", "stale")


def rot(disk: SimFileSystem, deed: Damage, draw: Draw) -> tuple[Path, Rotted]:
    """Do it; the file it was done to, and what was done. Raises: UsageError, AccessError."""
    if deed.verb not in VERBS:
        raise UsageError(f"disk {deed.verb}: expected one of {', '.join(VERBS)}")
    path = _file(disk, deed, draw)
    file = disk.raw_file(path)
    match deed.verb:
        case "flip":
            done = flip_bit(file, draw=draw, offset=deed.offset, bit=deed.bit)
        case "zero":
            size = PAGE_BYTES if deed.size is None else deed.size
            done = put_zeros(file, draw=draw, offset=deed.offset, size=size)
        case "truncate":
            done = end_early(file, draw=draw, size=deed.size, drop=deed.count or 0)
        case "drop":
            done = Rotted(0, file.stat().size)
            disk.drop(path)
        case "latent":
            done = _latent(disk, file, deed, draw)
        case _:
            done = _stale(file, deed, draw)
    return path, done


def _latent(disk: SimFileSystem, file: MemoryWritableFile, deed: Damage, draw: Draw) -> Rotted:
    size = SECTOR_BYTES if deed.size is None else deed.size
    where = place_in(file, deed.offset, draw)
    if deed.offset is None:
        where -= where % SECTOR_BYTES
    disk.fail_reads(file.path, where, where + size)
    return Rotted(where, size)


def _stale(file: MemoryWritableFile, deed: Damage, draw: Draw) -> Rotted:
    where = place_in(file, deed.offset, draw)
    first = where - where % SECTOR_BYTES
    stop = min(first + SECTOR_BYTES, file.stat().size)
    ends = [first]
    if file.path.suffix == ".wal":
        items = read_frames(file.read_at(0, written_end(file) + SECTOR_BYTES), 0).items
        ends += [item[-1] for item in items if first < item[-1] < stop]
    start = ends[draw(len(ends))]
    before = file.read_at(start, stop - start)
    file.write_at(start, bytes(stop - start))
    file.sync()
    return Rotted(start, stop - start, before)


def _file(disk: SimFileSystem, deed: Damage, draw: Draw) -> Path:
    """The file that is meant: a segment's name, a path in the group's folder, or one drawn."""
    groups = disk.folders()
    if not groups or deed.group not in (None, *groups):
        raise UsageError(f"{deed.node}: no directory of a group {deed.group or ''!r}")
    group = deed.group or sorted(groups)[draw(len(groups)) if len(groups) > 1 else 0]
    folder = Path("/", group)
    if deed.file is None:
        names = [each.text for each in in_order(disk.names_in(folder / "wal"))]
        if not names:
            raise UsageError(f"{folder / 'wal'}: holds no segment")
        return folder / "wal" / names[-1 if deed.verb == "truncate" else draw(len(names))]
    parts = Path(deed.file).parts
    if not parts or Path(deed.file).is_absolute() or ".." in parts:
        raise UsageError(f"{deed.file}: expected a segment, or a path within {folder}")
    path = folder / "wal" / deed.file if len(parts) == 1 else folder / deed.file
    if disk.stat(path).kind is not Kind.FILE:
        raise UsageError(f"{path}: expected a plain file")
    return path
