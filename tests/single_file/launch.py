"""What runs first in the single file: looks whether it fits, unpacks it once, starts walctl.

Native modules cannot be loaded out of an archive, so everything is unpacked when a file is first
run, and found there afterwards. This happens on hosts that are in trouble: the home may be
missing, read-only or full, so there are other places; a power cut may have left an unpacked file
empty, so after each start of the machine all are compared with the archive once. Whatever stops
it is one line and exit status 4. No folder is used that somebody else could write to, since its
code would run as the user, who is often root.

This is copied into the archive as it stands, and may import nothing but the standard library,
most of it only when needed: every start of walctl waits for this.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NoReturn

UNFINISHED = 4
INTERRUPTED = 130
"""Exit statuses as walctl has them."""

FOLDER_VARIABLE = "WALCTL_UNPACK_DIR"
SITE = "site/"
"""What the archive's members that are unpacked are called below."""

ARCHIVE = os.path.dirname(__file__)
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SHARED = ("/dev/shm", os.environ.get("TMPDIR") or "/tmp")
"""Where anybody may write; the first is in memory, so it is there when all disks are full."""


class UnusableError(Exception):
    """A place where this file cannot be unpacked."""


def main(name: str, suffix: str, glibc: tuple[int, int]) -> NoReturn:
    """Start walctl; `name` is that of this very build, the others are what its modules need."""
    complaint = unfit(suffix, glibc)
    if complaint:
        fail(complaint)
    try:
        folder = unpacked(name)
        sys.path[0] = folder
        from walctl.cli.main import run
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ImportError, OSError) as error:
        fail(f"{folder}: {error}; remove that folder, and the next start unpacks it again")
    sys.exit(run())


def fail(message: str) -> NoReturn:
    """End with one line."""
    with suppress(OSError, AttributeError):  # a closed stderr; the status has to do
        sys.stderr.write(f"walctl: {ascii(message)[1:-1]}\n")
    sys.exit(UNFINISHED)


def unfit(suffix: str, glibc: tuple[int, int]) -> str | None:
    """Why the native modules would not load here: another system, or one with an older libc."""
    if suffix not in EXTENSION_SUFFIXES:
        return f"this file is made for {suffix[1:-3]}, and this Python is {EXTENSION_SUFFIXES[0]}"
    here = _glibc()
    if here is not None and here < glibc:
        return f"this file needs glibc {glibc[0]}.{glibc[1]}, and this is {here[0]}.{here[1]}"
    return None


def _glibc() -> tuple[int, int] | None:
    try:
        words = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        major, minor = words[1].split(".")[:2]
        return int(major), int(minor)
    except (ValueError, OSError, AttributeError, IndexError):
        return None  # another libc; whether the modules load will be seen


def unpacked(name: str) -> str:
    """The folder with this build's modules, unpacked now if it is not there."""
    problems = []
    try:
        for anchor, place in places():
            try:
                _prepare(anchor, place)
                return _found(place, name)
            except (OSError, UnusableError) as error:
                problems.append(f"{place}: {getattr(error, 'strerror', None) or error}")
    except OSError as error:
        problems.append(f"the folder that this runs in: {error.strerror}")
    fail(
        f"found no place to unpack to ({'; '.join(problems)}); set {FOLDER_VARIABLE} to a folder "
        "of your own that can be written"
    )


def places() -> Iterator[tuple[str, str]]:
    """Where to unpack, best first, each behind the folder that has to be there already."""
    wish = os.environ.get(FOLDER_VARIABLE)
    if wish:
        yield os.path.dirname(os.path.abspath(wish)), os.path.abspath(wish)
        return
    cache = os.environ.get("XDG_CACHE_HOME")
    home = os.path.expanduser("~")
    anchor = cache or home
    # sudo may leave HOME as it was: nothing of root's belongs into the home of somebody else.
    with suppress(OSError):
        if os.path.isabs(anchor) and os.stat(anchor).st_uid == os.geteuid():
            yield anchor, os.path.join(cache or os.path.join(home, ".cache"), "walctl")
    for shared in SHARED:
        yield shared, os.path.join(shared, f"walctl-{os.geteuid()}")


def _prepare(anchor: str, place: str) -> None:
    """Make the place, and make sure that code from there may run, and is ours.

    Raises: OSError, UnusableError.
    """
    if not os.path.isdir(anchor):
        raise UnusableError(f"there is no {anchor}")
    os.makedirs(place, mode=0o700, exist_ok=True)
    if not _is_private(os.lstat(place)):
        raise UnusableError("somebody else may write there")
    for above in _above(os.path.realpath(place)):
        if not _is_guarded(os.stat(above)):
            raise UnusableError(f"somebody else may write to {above}")
    if os.statvfs(place).f_flag & os.ST_NOEXEC:
        raise UnusableError("no program may run from there (noexec)")


def _is_private(seen: os.stat_result) -> bool:
    """Whether this is a folder of ours, and no link, in which nobody else may write."""
    is_ours = seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
    return stat.S_ISDIR(seen.st_mode) and is_ours


def _above(path: str) -> Iterator[str]:
    """All folders that a path goes through, but for itself."""
    while path != (path := os.path.dirname(path)):
        yield path


def _is_guarded(seen: os.stat_result) -> bool:
    """Whether nobody else may exchange what lies in a folder: who owns all of the tree may anyway,
    and where all may write, a sticky bit keeps what they did not make."""
    is_open = seen.st_mode & 0o022 and not seen.st_mode & stat.S_ISVTX
    # Root has another number in a namespace of its own, so it is asked who that is.
    return seen.st_uid in (os.geteuid(), os.stat("/").st_uid) and not is_open


def _found(place: str, name: str) -> str:
    """The unpacked folder in `place`. Raises: OSError, UnusableError."""
    folder = os.path.join(place, name)
    stamp = os.path.join(place, f"{name}.boot")
    boot = _read(BOOT_ID)
    is_there = os.path.isdir(folder)
    if is_there and boot and _read(stamp) == boot:
        return folder
    if not (is_there and _is_whole(folder)):
        _unpack(place, folder)
    with suppress(OSError), open(stamp, "w") as file:
        file.write(boot)
    return folder


def _read(path: str) -> str:
    """A small text file; empty when there is none."""
    try:
        with open(path) as file:
            return file.read(100)
    except OSError:
        return ""


def _is_whole(folder: str) -> bool:
    """Whether every file is what the archive has; a power cut may have kept it from the disk."""
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            for info in archive.infolist():
                if not info.filename.startswith(SITE):
                    continue
                with open(os.path.join(folder, info.filename.removeprefix(SITE)), "rb") as file:
                    if zlib.crc32(file.read()) != info.CRC:
                        return False
    except (OSError, zipfile.BadZipFile):
        return False
    return True


def _unpack(place: str, folder: str) -> None:
    """Unpack aside, and rename when all is there: others may be starting at the same time.

    Raises: OSError, UnusableError.
    """
    import shutil
    import tempfile
    import zipfile
    import zlib

    aside = tempfile.mkdtemp(prefix=".new-", dir=place)
    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            wanted = [each for each in archive.namelist() if each.startswith(SITE)]
            archive.extractall(aside, wanted)
        if os.path.isdir(folder) and not _is_whole(folder):
            os.rename(folder, os.path.join(aside, "broken"))
        try:
            os.rename(os.path.join(aside, SITE), folder)
        except OSError:
            if not _is_whole(folder):
                raise
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnusableError(f"{ARCHIVE} is damaged: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
