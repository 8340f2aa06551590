"""Files copied and folders taken away as a whole, in bounded memory; links are never followed."""

from pathlib import Path

from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.fs.hashing import WINDOW_BYTES
from walctl.fs.writable import WritableFile, WritableFileSystem


def remove_tree(disk: WritableFileSystem, path: Path) -> int:
    """Take away a file, a link, or a directory with all that is in it; how many files went.

    What a link leads to stays. Raises: AccessError.
    """
    if not disk.attributes(path).is_directory:
        disk.remove(path)
        return 1
    count = sum(remove_tree(disk, path / name) for name in disk.names(path))
    disk.remove_dir(path)
    return count


def copy_sparsely(source: File, target: WritableFile) -> None:
    """Give a new file all bytes of another, a window at a time; holes stay holes."""
    size = source.stat().size
    for start, stop in source.data_ranges(0, size):
        for offset in range(start, stop, WINDOW_BYTES):
            data = source.read_at(offset, min(WINDOW_BYTES, stop - offset))
            if not data:
                raise AccessError(f"{source.path}: it became shorter while it was read")
            target.write_at(offset, data)
    if target.stat().size < size:
        target.truncate(size)
