"""Whether a new file would come to lie in a folder that is only read, whatever it is called: links
and `..` lead there too, so folders are told apart by what they are, not by their names."""

from collections.abc import Iterator
from pathlib import Path

from walctl.fs.base import FileSystem

FOLDERS_MAX = 256
"""Folders inside one another that are looked at."""


def inodes_above(disk: FileSystem, folder: Path) -> Iterator[int]:
    """The inodes of a folder and of all that it lies in. Raises: AccessError."""
    before = None
    for _ in range(FOLDERS_MAX):
        inode = disk.stat(folder).inode
        if inode == before:
            return
        yield inode
        before, folder = inode, folder / ".."


def lies_within(disk: FileSystem, path: Path, folder: Path) -> bool:
    """Whether what is made at `path` would lie in `folder` or below it; a folder that is not there
    holds nothing. Raises: AccessError, when the folder of `path` is not there."""
    if not disk.exists(folder):
        return False
    inode = disk.stat(folder).inode
    return any(each == inode for each in inodes_above(disk, path.parent))
