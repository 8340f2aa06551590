"""Files copied and folders taken away as a whole, in bounded memory; links are never followed."""

from pathlib import Path

from walctl.errors import AccessError, UnsupportedError
from walctl.fs.base import File, Kind
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


def copy_tree(disk: WritableFileSystem, source: Path, target: Path) -> int:
    """Make the new folder `target` with all that `source` holds, on the disk; how many files.

    Raises: UnsupportedError, for what is neither a plain file nor a folder; AccessError. What was
    copied before stays.
    """
    disk.make_dir(target)
    count = 0
    for name in disk.names(source):
        path = source / name
        attributes = disk.attributes(path)
        if attributes.is_directory:
            count += copy_tree(disk, path, target / name)
            continue
        if attributes.is_link or disk.stat(path).kind is not Kind.FILE:
            raise UnsupportedError(f"{path}: expected a file or a folder, found something else")
        made = target / name
        with disk.open(path) as file, disk.create_file(made, mode=attributes.mode) as copy:
            copy_sparsely(file, copy)
            copy.sync()
        count += 1
    disk.sync_dir(target)
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
