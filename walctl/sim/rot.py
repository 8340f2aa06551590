"""Faults at rest: what is done to the files of a simulated node that does not run.

    flip, zero, truncate, drop   as to the directories of a lab (`walctl.fs.rot`)
    latent                       reading any byte of a sector fails from now on, as a bad one does
    stale                        a sector holds what it held earlier: writes that the disk has lost

A log only grows, so what a sector held earlier is what it holds, up to the end of some record, and
zeros. What is not said is drawn.

A log that has lost its end, as if it had never been synced, reads as one that a crash has cut: no
program can tell the two apart, and who loses that has a disk that lies (`Rot.is_lie`). What is
drawn with `is_honest` is never of that kind: it leaves a whole batch behind it at least.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from walctl.cluster.deeds import Damage
from walctl.errors import ClusterError, UsageError
from walctl.fs.base import Kind
from walctl.fs.crash import SECTOR_BYTES
from walctl.fs.disk_faults import Draw
from walctl.fs.memory_file import MemoryWritableFile
from walctl.fs.rot import PAGE_BYTES, Rotted, end_early, flip_bit, place_in, put_zeros, written_end
from walctl.sim.disk_files import SimFileSystem
from walctl.sim.log_bytes import STATE, read_frames
from walctl.wal.names import in_order

VERBS: Final = ("flip", "zero", "truncate", "drop", "latent", "stale")


SNAP: Final = "snap"
"""How the newest snapshot's file is called, whatever its name."""
_LOSING: Final = frozenset({"zero", "truncate", "drop", "stale"})
"""Verbs after which bytes are as if they had never been written."""
_BATCHES_BEHIND: Final = 2
"""A batch ends with a hard state, mostly; with two behind, there is one whole one at least."""


@dataclass(frozen=True, slots=True)
class Rot:
    """What was done to the file at `path`. `is_lie`: it looks as if the end of the log had never
    been synced."""

    path: Path
    done: Rotted
    is_lie: bool


def rot(disk: SimFileSystem, deed: Damage, draw: Draw, *, is_honest: bool = False) -> Rot:
    """Do it. Raises: UsageError, AccessError; ClusterError, where `is_honest` leaves no place."""
    if deed.verb not in VERBS:
        raise UsageError(f"disk {deed.verb}: expected one of {', '.join(VERBS)}")
    if is_honest and deed.verb in _LOSING and deed.file is None and deed.offset is None:
        deed = _honest(disk, deed, draw)
    path = _file(disk, deed, draw)
    if deed.offset is None and not written_end(disk.raw_file(path)):
        raise ClusterError(f"{deed.node}: {path} holds nothing that could rot")
    states = _states(disk, path.parents[1])
    size = disk.stat(path).size
    done = _done(disk, path, deed, draw)
    stop = size if deed.verb in ("truncate", "drop") else done.offset + done.size
    is_losing = deed.verb in _LOSING and path.suffix == ".wal"
    return Rot(path, done, is_lie=is_losing and not _is_followed(states, path, stop))


def _done(disk: SimFileSystem, path: Path, deed: Damage, draw: Draw) -> Rotted:
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
    return done


def _states(disk: SimFileSystem, folder: Path) -> list[tuple[str, int]]:
    """Where hard states end in a group's log, as it is: segment and offset, in their order."""
    found: list[tuple[str, int]] = []
    crc = 0
    for each in in_order(disk.names_in(folder / "wal")):
        file = disk.raw_file(folder / "wal" / each.text)
        read = read_frames(file.read_at(0, written_end(file) + SECTOR_BYTES), crc)
        crc = read.crc
        found += [(each.text, item[-1]) for item in read.items if item[0] == STATE]
        if read.is_bad:
            break
    return found


def _is_followed(states: list[tuple[str, int]], path: Path, stop: int) -> bool:
    """Whether a whole batch stands behind a place; the first hard state that ends there may begin
    in front of it."""
    return sum(each > (path.name, stop) for each in states) > _BATCHES_BEHIND


def _honest(disk: SimFileSystem, deed: Damage, draw: Draw) -> Damage:
    """The same with its file and place drawn, where enough stands behind it."""
    folder = Path("/", deed.group or sorted(disk.folders())[0])
    states = _states(disk, folder)
    step = SECTOR_BYTES if deed.verb == "stale" else PAGE_BYTES
    places: list[tuple[str, int | None]] = []
    for each in in_order(disk.names_in(folder / "wal")):
        path = folder / "wal" / each.text
        size = disk.stat(path).size
        if deed.verb in ("drop", "truncate"):
            starts: list[int | None] = [None] if _is_followed(states, path, size) else []
        else:
            end = written_end(disk.raw_file(path))
            starts = [at for at in range(0, end, step) if _is_followed(states, path, at + step)]
        places += [(each.text, start) for start in starts]
    if not places:
        raise ClusterError(f"{deed.node}: {folder} holds too little for a {deed.verb} in it")
    file, start = places[draw(len(places))]
    return replace(deed, file=file, offset=start)


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
    if deed.file == SNAP:
        snaps = [each for each in disk.names_in(folder / SNAP) if each.endswith(".snap")]
        if not snaps:
            raise ClusterError(f"{deed.node}: {folder / SNAP} holds no snapshot")
        return folder / SNAP / snaps[-1]
    if deed.file is None:
        names = [each.text for each in in_order(disk.names_in(folder / "wal"))]
        if not names:
            raise ClusterError(f"{deed.node}: {folder / 'wal'} holds no segment")
        return folder / "wal" / names[-1 if deed.verb == "truncate" else draw(len(names))]
    parts = Path(deed.file).parts
    if not parts or Path(deed.file).is_absolute() or ".." in parts:
        raise UsageError(f"{deed.file}: expected a segment, or a path within {folder}")
    path = folder / "wal" / deed.file if len(parts) == 1 else folder / deed.file
    if disk.stat(path).kind is not Kind.FILE:
        raise UsageError(f"{path}: expected a plain file")
    return path
