"""A whole lab in one file, fit to be handed on: a tar archive, packed.

    LAB/export.json             what this is: versions, every file with its SHA-256
    LAB/lab.json                as it is, without its token
    LAB/events.jsonl            all that happened
    LAB/NODE.log, NODE.log.1    what a node printed
    LAB/NODE/GROUP/member/...   the data directories, byte for byte

Every command reads a data directory in it as it is (`case.tar.zst/LAB/n1/g1`), and `tar --zstd`
unpacks it. What runs just now (`run/`) and older copies (`kept/`) are left out. A file is read to
the size that it had when the export began, so what is appended meanwhile is not in it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from formats.limits import WINDOW_BYTES
from walctl.cluster.lab import LAB_FILE, Lab, document
from walctl.cluster.node_log import older
from walctl.cluster.running import running
from walctl.errors import AccessError, StoppedError, UsageError
from walctl.fs import tar, zstd
from walctl.fs.above import lies_within
from walctl.fs.base import FileSystem, Kind, Stat
from walctl.fs.packed import ARCHIVE_SUFFIXES, PackedFileSystem
from walctl.fs.writable import WritableFileSystem
from walctl.repair.new_file import Stopped, never, placed, write_new
from walctl.version import VERSION

NOTE_FILE: Final = "export.json"
_FOLDER_MODE: Final = 0o700


@dataclass(slots=True, kw_only=True)
class Item:
    """One name of the archive; `stat` is of its source as the export began, `sha256` of
    what was written of it."""

    name: str
    source: Path
    stat: Stat
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was made; `is_up` are the processes of the lab that ran meanwhile."""

    path: Path
    size: int
    files: int
    plain_bytes: int
    is_up: tuple[str, ...]


def export(
    disk: WritableFileSystem,
    lab: Lab,
    output: Path,
    *,
    is_stopped: Stopped = never,
    say: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Make the archive `output` of a lab; it is read back before it gets its name.

    Raises: UsageError, when the output is no name for an archive, or lies in the lab; AccessError,
    when something does not read, or the name is taken; StoppedError.
    """
    demand_place(disk, lab, output)
    if not output.name.endswith(ARCHIVE_SUFFIXES):
        raise UsageError(f"{output}: an exported lab is called .tar.zst")
    is_up = tuple(each.name for each in running(disk, lab))
    items = list(_items(disk, lab))

    def check(part: Path) -> None:
        say("reading the archive back")
        _demand_whole(disk, part, lab.name, items)

    say(f"writing {output}")
    blocks = _blocks(disk, lab, items, is_up, is_stopped)
    parts = placed(zstd.packed(blocks))
    write_new(disk, output, parts, check=check, is_stopped=is_stopped)
    files = [each for each in items if each.stat.kind is Kind.FILE]
    return Exported(
        path=output,
        size=disk.stat(output).size,
        files=len(files) + 2,
        plain_bytes=sum(each.stat.size for each in files),
        is_up=is_up,
    )


def demand_place(disk: FileSystem, lab: Lab, output: Path) -> None:
    """Nothing is written over, and nothing goes into the lab. Raises: AccessError, UsageError."""
    if disk.exists(output):
        raise AccessError(f"{output}: there is such a file; nothing is ever written over")
    if lies_within(disk, output, lab.path):
        raise UsageError(f"{output}: expected a file outside of {lab.path}, which is only read")


def _items(disk: FileSystem, lab: Lab) -> Iterator[Item]:
    """Everything that goes in as it is, folders before what lies in them."""
    for path in (lab.events_path, *(_logs(lab))):
        if disk.exists(path):
            yield _item(disk, lab, path)
    for node in lab.nodes:
        folder = lab.path / node.name
        if disk.exists(folder):
            yield from _tree(disk, lab, folder)


def _logs(lab: Lab) -> Iterator[Path]:
    for node in lab.nodes:
        path = lab.log_path(node.name)
        yield from (path, older(path))


def _tree(disk: FileSystem, lab: Lab, path: Path) -> Iterator[Item]:
    """A folder with all in it; what is neither file nor folder is left out, and so is what goes
    away meanwhile."""
    try:
        item = _item(disk, lab, path)
    except AccessError:
        return  # a spare segment that became one, a snapshot that was purged: the lab is up
    if item.stat.kind is Kind.FILE:
        yield item
    elif item.stat.kind is Kind.DIRECTORY:
        yield item
        for name in disk.names(path):
            yield from _tree(disk, lab, path / name)


def _item(disk: FileSystem, lab: Lab, path: Path) -> Item:
    name = f"{lab.name}/{path.relative_to(lab.path)}"
    return Item(name=name, source=path, stat=disk.stat(path))


def _blocks(
    disk: FileSystem, lab: Lab, items: list[Item], is_up: tuple[str, ...], is_stopped: Stopped
) -> Iterator[bytes]:
    """The archive, unpacked; the note stands last, since it holds the hashes."""
    yield tar.head_of(f"{lab.name}/", size=0, mtime_ns=0, mode=_FOLDER_MODE, is_directory=True)
    yield from _made(f"{lab.name}/{LAB_FILE}", document(replace(lab, token="")))
    for item in items:
        if is_stopped():
            raise StoppedError("stopped while the lab was written; the archive is not there")
        yield from _content(disk, item)
    yield from _made(f"{lab.name}/{NOTE_FILE}", _note(lab, items, is_up))
    yield tar.END


def _made(name: str, data: bytes) -> Iterator[bytes]:
    yield tar.head_of(name, size=len(data), mtime_ns=0)
    yield data + tar.padding_of(len(data))


def _content(disk: FileSystem, item: Item) -> Iterator[bytes]:
    stat = item.stat
    if stat.kind is Kind.DIRECTORY:
        name = f"{item.name}/"
        yield tar.head_of(
            name, size=0, mtime_ns=stat.mtime_ns, mode=_FOLDER_MODE, is_directory=True
        )
        return
    mode = stat.mode & 0o777
    yield tar.head_of(item.name, size=stat.size, mtime_ns=stat.mtime_ns, mode=mode)
    digest = sha256()
    with disk.open(item.source) as file:
        for offset in range(0, stat.size, WINDOW_BYTES):
            wanted = min(WINDOW_BYTES, stat.size - offset)
            block = bytes(file.read_at(offset, wanted))
            # A segment that was cut since is shorter: zeros, as behind the end of any log.
            block += bytes(wanted - len(block))
            digest.update(block)
            yield block
    item.sha256 = digest.hexdigest()
    yield tar.padding_of(stat.size)


def _note(lab: Lab, items: list[Item], is_up: tuple[str, ...]) -> bytes:
    note = {
        "v": 1,
        "kind": "walctl-lab",
        "walctl": VERSION,
        "lab": lab.name,
        "engine": str(lab.engine),
        "program": lab.program,
        "was_up": list(is_up),
        "files": [
            {"name": each.name, "size": each.stat.size, "sha256": each.sha256}
            for each in items
            if each.stat.kind is Kind.FILE
        ],
    }
    return json.dumps(note, indent=1).encode("ascii") + b"\n"


def _demand_whole(disk: FileSystem, part: Path, name: str, items: list[Item]) -> None:
    """Raise AccessError where the archive does not hold what was written into it."""
    packed = PackedFileSystem(disk)
    for each in items:
        if each.stat.kind is not Kind.FILE:
            continue
        digest = sha256()
        with packed.open(part / each.name) as file:
            for offset in range(0, each.stat.size, WINDOW_BYTES):
                digest.update(file.read_at(offset, min(WINDOW_BYTES, each.stat.size - offset)))
        if digest.hexdigest() != each.sha256:
            raise AccessError(f"{part}: holds other bytes of {each.name} than were written")
