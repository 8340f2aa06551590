"""Calls of Linux that Python does not have, from the C library; two of them for `real.py` alone.

`setns` (Python has it from 3.12 on), `renameat2`, and `fallocate` without the detour of
`posix_fallocate`: that one writes into every block where the file system has no such call, so that
64 MB of holes become 64 MB of zeros. All answer with the system's error number, 0 when it is done;
nothing here knows what a number means.
"""

import ctypes
import errno

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
"""As `linux/fs.h` and `fcntl.h` have them."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def exchange(first: bytes, second: bytes) -> int:
    """Let two names change what they stand for; no byte of them is zero."""
    call = getattr(_LIBC, "renameat2", None)
    if call is None:
        return errno.ENOSYS
    here, flags = ctypes.c_int(_AT_FDCWD), ctypes.c_uint(_RENAME_EXCHANGE)
    return 0 if call(here, first, here, second, flags) == 0 else ctypes.get_errno()


def allocate(descriptor: int, size: int) -> int:
    """Reserve blocks for `[0, size)` of an open file, which becomes at least so long."""
    call = getattr(_LIBC, "fallocate", None)
    if call is None or ctypes.sizeof(ctypes.c_long) != ctypes.sizeof(ctypes.c_int64):
        return errno.ENOSYS  # with 32-bit offsets the call of this name is another one
    numbers = ctypes.c_int(descriptor), ctypes.c_int(0), ctypes.c_long(0), ctypes.c_long(size)
    # A signal that its handler has dealt with is no reason to give up; Python does likewise.
    while call(*numbers) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return number
    return 0


def enter_namespace(descriptor: int) -> int:
    """Let this process be in the namespace that an open file of `/proc/PID/ns` stands for."""
    call = getattr(_LIBC, "setns", None)
    if call is None:
        return errno.ENOSYS
    return 0 if call(ctypes.c_int(descriptor), ctypes.c_int(0)) == 0 else ctypes.get_errno()
