"""What an application that changes a member leaves beside it until it is finished.

A folder that is exchanged, or in which a file gets its place, has its work folder beside it; the
names are known here so that whoever only reads a member can say that one is there.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.errors import AccessError
from walctl.fs.base import FileSystem

WORK_SUFFIX = ".walctl-work"
JOURNAL = "journal"
"""In a work folder: what was begun; locked while somebody is at it."""


def work_of(path: Path) -> Path:
    """The work folder of what is put in place at `path`."""
    return path.parent / f"{path.name}{WORK_SUFFIX}"


def unfinished(disk: FileSystem, directory: Path, folders: Iterable[Path]) -> list[Path]:
    """The work folders that lie beside a member's directory, its folders, and what holds them."""
    units = {directory, directory / "member"}
    for folder in folders:
        units |= {folder, folder.parent}
    return [work for work in map(work_of, sorted(units)) if work.name and disk.exists(work)]


def unfinished_notes(disk: FileSystem, layout: Layout) -> Iterator[str]:
    """What to tell of the work folders beside a member; what may not be looked at is not told."""
    if layout.only_segment is not None:
        return
    folders = [each for each in (layout.wal_dir, layout.snap_dir) if each is not None]
    if not folders:
        return
    try:
        for work in unfinished(disk, layout.path, folders):
            if _is_locked(disk, work / JOURNAL):
                yield f"a repair is under way: {work}"
            else:
                yield (
                    f"an interrupted repair lies here ({work}): walctl repair {layout.path}"
                    " --resume finishes or rolls it back"
                )
    except AccessError:
        return


def _is_locked(disk: FileSystem, path: Path) -> bool:
    if not disk.exists(path):
        return False
    with disk.open(path) as file:
        return file.is_locked()
