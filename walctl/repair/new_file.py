"""A new file that has its name only once it is whole: written aside, synced, read back, named.

Nothing that exists is ever written over. For what is made beside a log (archives, bundles); the
files of a log itself are put in place by `apply`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from formats.limits import WINDOW_BYTES
from walctl.errors import AccessError, StoppedError
from walctl.fs import zstd
from walctl.fs.base import File
from walctl.fs.writable import WritableFileSystem

PART_PREFIX = ".part-"
"""What the name of a file begins with until it was read back; it ends as it will."""

Stopped: TypeAlias = Callable[[], bool]
"""Whether somebody asked to stop."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


def write_new(
    disk: WritableFileSystem,
    path: Path,
    blocks: Iterable[tuple[int, bytes]],
    *,
    size: int | None = None,
    check: Callable[[Path], None] = lambda path: None,
    is_stopped: Stopped = never,
) -> None:
    """Make the new file `path` of blocks at offsets: aside, synced, checked, and then named.

    With `size` the file is lengthened to it by a hole. `check` raises when what was written is
    not what it should be. What cannot be finished is taken away again.

    Raises: AccessError, also when the name is taken; StoppedError.
    """
    _demand_new(disk, path)
    part = path.with_name(PART_PREFIX + path.name)
    is_done = False
    file = disk.create_file(part)
    try:
        with file:
            for offset, block in blocks:
                if is_stopped():
                    raise StoppedError(f"stopped while {path.name} was written; it is not there")
                file.write_at(offset, block)
            if size is not None:
                file.truncate(size)
            file.sync()
        check(part)
        _name(disk, part, path)
        is_done = True
    finally:
        with suppress(AccessError):
            disk.remove(part)
        if is_done:
            disk.sync_dir(path.parent)


def _name(disk: WritableFileSystem, part: Path, path: Path) -> None:
    """Give a file its name. A link never replaces what somebody put there meanwhile; where the
    file system has no links, a rename has to do."""
    try:
        disk.hard_link(part, path)
    except AccessError:
        if disk.exists(path):
            raise
        disk.rename(part, path)


def plain_blocks(source: File | zstd.Content, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file or of packed content, a window at a time."""
    for offset in range(0, size, WINDOW_BYTES):
        yield source.read_at(offset, min(WINDOW_BYTES, size - offset))


def placed(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Blocks that follow each other, with their offsets."""
    offset = 0
    for block in blocks:
        yield offset, block
        offset += len(block)


def digest_of(blocks: Iterable[bytes]) -> str:
    """SHA-256 in hex."""
    digest = sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def new_folder(disk: WritableFileSystem, path: Path) -> Iterator[Path]:
    """A new folder that has its name only once the block has ended well; it gives the one aside.

    The files in it must have been synced. Without a good end they are taken away again.

    Raises: AccessError, also when the name is taken.
    """
    _demand_new(disk, path)
    part = path.with_name(PART_PREFIX + path.name)
    disk.make_dir(part)
    is_done = False
    try:
        yield part
        disk.sync_dir(part)
        _demand_new(disk, path)
        disk.rename(part, path)
        is_done = True
    finally:
        if is_done:
            disk.sync_dir(path.parent)
        else:
            with suppress(AccessError):
                for name in disk.names(part):
                    disk.remove(part / name)
                disk.remove_dir(part)


def _demand_new(disk: WritableFileSystem, path: Path) -> None:
    if disk.exists(path):
        raise AccessError(f"{path}: there is such a file; nothing is ever written over")
