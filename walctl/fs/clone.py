"""Let a new file share the blocks of another one until one of them is written to (`FICLONE`).

Apart from the seam: a disk that cannot, and every disk in memory, copies. The source is opened for
reading only.

Source: ioctl_ficlone(2).
"""

import contextlib
import fcntl
import os
from pathlib import Path

_FICLONE = 0x40049409
"""As `linux/fs.h` has it."""


def clone(source: Path, target: Path) -> bool:
    """Whether `target`, an empty file that is there, now holds what `source` does, shared.

    Where it does not, `target` is as it was.
    """
    try:
        with contextlib.ExitStack() as stack:
            flags = os.O_CLOEXEC | os.O_NOFOLLOW
            reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, reading)
            writing = os.open(target, os.O_WRONLY | flags)
            stack.callback(os.close, writing)
            fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True
