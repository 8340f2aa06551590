"""Whether there is room for all of it, asked before the first byte is written."""

from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.repair.job import Job, path_of
from walctl.repair.stage import Stage
from walctl.repair.unit import Unit
from walctl.repair.world import World

BACKUP_SHARE = 100
"""A packed file that cannot be packed grows by less than one part in this many."""
FILE_BYTES = 1 << 16
"""For each file of a backup: its inode, its last block, its line in the manifest."""
DOCUMENTS_BYTES = 1 << 20


def demand_space(
    world: World, job: Job, unit: Unit, stage: Stage, root: Path, *, is_trial: bool
) -> None:
    """Raise AccessError, with numbers, where a disk has less room than may be needed.

    `root` is the folder that the backup is going to lie in.
    """
    disk = world.disk
    staged = stage.needed_bytes()
    if is_trial:
        staged += sum(stamp.size for stamp in job.after.values())
    backed = backup_bytes(world, job)
    beside, below = unit.path.parent, standing(disk, root)
    is_one = disk.attributes(beside).device == disk.attributes(below).device
    free = disk.free_bytes(beside)
    advice = "; the backup may go to another disk: --backup-to DIR"
    if is_one and staged + backed > free:
        raise AccessError(
            f"{beside}: the result may take {staged:,} bytes and the backup {backed:,}, and"
            f" {free:,} are free{advice}"
        )
    if staged > free:
        raise AccessError(f"{beside}: the result may take {staged:,} bytes, and {free:,} are free")
    if not is_one and backed > (room := disk.free_bytes(below)):
        raise AccessError(
            f"{root}: the backup may take {backed:,} bytes, and {room:,} are free{advice}"
        )


def backup_bytes(world: World, job: Job) -> int:
    """Bytes of a backup in which nothing can be packed; holes and zeros cost nothing."""
    total = DOCUMENTS_BYTES
    for name, stamp in job.bound.files.items():
        with world.disk.open(path_of(job.bound, name)) as file:
            data = sum(stop - start for start, stop in file.data_ranges(0, stamp.size))
        total += data + data // BACKUP_SHARE + FILE_BYTES
    return total


def standing(disk: FileSystem, path: Path) -> Path:
    """The path itself, or the next folder above it that is there."""
    while not disk.exists(path) and path != path.parent:
        path = path.parent
    return path
