"""Raft scripts as files: read whole, and put back in one step."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from walctl.cluster.script_text import ScriptError
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.repair.new_file import PART_PREFIX
from walctl.repair.stage import settable

SCRIPT_BYTES_MAX = 1 << 24


def load(disk: FileSystem, path: Path) -> str:
    """The text of a script. Raises: AccessError; ScriptError."""
    with disk.open(path) as file:
        return decoded(file.read_at(0, SCRIPT_BYTES_MAX + 1))


def decoded(data: bytes) -> str:
    """Bytes as a script's text. Raises: ScriptError, with the line that is none."""
    if len(data) > SCRIPT_BYTES_MAX:
        raise ScriptError(f"a script has at most {SCRIPT_BYTES_MAX} bytes", line=1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScriptError("here is a byte that is no UTF-8", line=line) from error


def save(disk: WritableFileSystem, path: Path, text: str) -> None:
    """Put `text` in place of a script, or leave that as it is: there is nothing in between.

    The file keeps whose it is and who may read it. `path` is no link. Raises: AccessError.
    """
    part = path.with_name(PART_PREFIX + path.name)
    file = disk.create_file(part)
    try:
        with file:
            file.write_at(0, text.encode())
            file.sync()
        attributes = replace(settable(disk.attributes(path)), mtime_ns=None)
        disk.set_attributes(part, attributes)
        disk.rename(part, path)
    finally:
        with suppress(AccessError):
            disk.remove(part)  # it is there only if something failed
    disk.sync_dir(path.parent)
