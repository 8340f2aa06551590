"""Sealed segments packed, each as one file, and put back as they were.

    NAME.wal   ->   NAME.wal.zst     frames of 1 MiB with a table (`fs.zstd`), in front of them a
                                     note: name, size, SHA-256, time, mode and where data lies

Only sealed segments are packed: etcd syncs one before it begins the next, and never writes to it
again; the last one of a folder it writes in place. Originals are neither changed nor removed. A
file gets its name when it was read back and is known to hold what it should, so whatever has a name
here can be trusted; and nothing that exists is ever written over.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from formats.limits import WINDOW_BYTES
from walctl.datadir.layout import Layout, understand
from walctl.errors import AccessError, StoppedError, UnsupportedError, UsageError
from walctl.fs import zstd
from walctl.fs.base import File, FileSystem, Kind, Stat
from walctl.fs.hashing import blocks_of
from walctl.fs.packed import PACKED_SUFFIX
from walctl.fs.writable import Attributes, WritableFileSystem
from walctl.repair.new_file import Stopped, digest_of, never, placed, plain_blocks, write_new
from walctl.repair.stamps import stamp_file, stamp_of
from walctl.wal import names

ARCHIVE_SUFFIX = ".archive"
"""What is added to a path's name for the folder of its archive, unless another one is named."""
RANGES_MAX = 1000
"""Ranges of data that a note names; a segment has one, and where it is torn a few."""
ZERO_BYTES = 4096
"""Zeros of this length, where nothing says where holes were, become one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One segment and its archive: `path` is where the new file is; `was_there`: already before.

    `source` is what it was made from. `sha256` is of the segment's bytes, in hex.
    """

    source: Path
    path: Path
    size: int
    packed_bytes: int
    sha256: str
    was_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A segment that was not packed, and why."""

    source: Path
    why: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was done, in order."""

    is_restored: bool = False
    done: list[Packed] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def archive(
    disk: WritableFileSystem,
    paths: Sequence[Path],
    *,
    output: Path | None = None,
    is_stopped: Stopped = never,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Pack every sealed segment of `paths`, into `output` or a folder beside each.

    Raises: AccessError, when something does not read or write, or a name is taken by something
    else; UnsupportedError, for a path without segments; UsageError; StoppedError.
    """
    outcome = Outcome()
    for path in paths:
        layout = understand(disk, path)
        if layout.wal_dir is None:
            raise UnsupportedError(f"{path}: {layout.shape}: there is no segment to archive")
        folder = _target(path, output, is_one=len(paths) == 1)
        sealed = _sealed(disk, layout, outcome)
        if sealed:
            _demand_folder(disk, folder, layout)
        for name in sealed:
            if is_stopped():
                raise StoppedError(f"stopped before {name}: what was archived is whole")
            say(f"packing {name}")
            outcome.done.append(_pack(disk, layout.wal_dir / name, folder, is_stopped))
    return outcome


def restore(
    disk: WritableFileSystem,
    paths: Sequence[Path],
    *,
    output: Path | None = None,
    is_stopped: Stopped = never,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Put packed segments back: `paths` are `.wal.zst` files or folders of them.

    Raises: as `archive`.
    """
    outcome = Outcome(is_restored=True)
    for source in _packed_files(disk, paths):
        if is_stopped():
            raise StoppedError(f"stopped before {source.name}: what was restored is whole")
        say(f"unpacking {source.name}")
        folder = output if output is not None else source.parent
        if not disk.exists(folder):
            disk.make_dir(folder)
        outcome.done.append(_unpack(disk, source, folder, is_stopped))
    return outcome


def _target(path: Path, output: Path | None, *, is_one: bool) -> Path:
    if output is None:
        return path.with_name(path.name + ARCHIVE_SUFFIX)
    return output if is_one else output / path.name


def _sealed(disk: FileSystem, layout: Layout, outcome: Outcome) -> list[str]:
    """The segments of a log that are never written to again, in order."""
    assert layout.wal_dir is not None, "asked before"
    found = names.in_order(disk.names(layout.wal_dir))
    last = found[-1].text if found else None
    if layout.only_segment is not None:
        if last is None or layout.only_segment not in [each.text for each in found[:-1]]:
            raise UnsupportedError(
                f"{layout.path}: no segment follows it in its folder, so it may be the one that the"
                " server writes to: only sealed segments are archived"
            )
        return [layout.only_segment]
    if last is not None:
        why = "the last one: a server writes to it in place"
        outcome.kept.append(Kept(source=layout.wal_dir / last, why=why))
    return [each.text for each in found[:-1]]


def _demand_folder(disk: WritableFileSystem, folder: Path, layout: Layout) -> None:
    """Make the folder where it is not there; it may be none of the member's own.

    Raises: AccessError; UsageError.
    """
    if not disk.exists(folder.parent):
        disk.make_dir(folder.parent)
    if not disk.exists(folder):
        disk.make_dir(folder)
    own = [each for each in (layout.wal_dir, layout.snap_dir) if each is not None]
    if any(disk.exists(each) and disk.stat(each).inode == disk.stat(folder).inode for each in own):
        raise UsageError(f"{folder}: is a folder of the member itself; name another --output")


def _pack(disk: WritableFileSystem, source: Path, folder: Path, is_stopped: Stopped) -> Packed:
    target = folder / f"{source.name}.zst"
    with disk.open(source) as file:
        before = file.stat()
        digest = stamp_of(blocks_of(file)).sha256
        done = Packed(source=source, path=target, size=before.size, packed_bytes=0, sha256=digest)
        if disk.exists(target):
            _check(disk, target, done)
            size = disk.stat(target).size
            return replace(done, packed_bytes=size, was_there=True)
        note = _note(source.name, before, digest, file)
        parts = zstd.packed(plain_blocks(file, before.size), note=note)
        write_new(
            disk,
            target,
            placed(parts),
            check=lambda part: _check(disk, part, done),
            is_stopped=is_stopped,
        )
        after = file.stat()
    if (after.size, after.mtime_ns) != (before.size, before.mtime_ns):
        raise AccessError(f"{source}: changed while it was archived: it is not sealed")
    return replace(done, packed_bytes=disk.stat(target).size)


def _note(name: str, stat: Stat, digest: str, file: File) -> bytes:
    """What is said of the segment in front of its packed bytes."""
    ranges = []
    for data_range in file.data_ranges(0, stat.size):
        ranges.append(list(data_range))
        if len(ranges) > RANGES_MAX:
            ranges = [[0, stat.size]]
            break
    note = {
        "v": 1,
        "kind": "segment",
        "name": name,
        "size": stat.size,
        "sha256": digest,
        "mtime_ns": stat.mtime_ns,
        "mode": stat.mode,
        "data": ranges,
    }
    return json.dumps(note, separators=(",", ":")).encode("ascii")


def _check(disk: FileSystem, path: Path, wanted: Packed) -> None:
    """Read an archive back. Raises: AccessError, when it does not hold the segment."""
    with disk.open(path) as file:
        content = zstd.opened(file)
        digest = digest_of(plain_blocks(content, content.size))
        if (content.size, digest) != (wanted.size, wanted.sha256):
            raise AccessError(
                f"{path}: holds {content.size:,} bytes with SHA-256 {digest}, expected"
                f" {wanted.size:,} with {wanted.sha256}: not an archive of {wanted.source}"
            )


def _packed_files(disk: FileSystem, paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if disk.stat(path).kind is not Kind.DIRECTORY:
            if not path.name.endswith(PACKED_SUFFIX):
                raise UsageError(f"{path}: only NAME{PACKED_SUFFIX} files can be restored")
            yield path
            continue
        found = [name for name in disk.names(path) if name.endswith(PACKED_SUFFIX)]
        if not found:
            raise UnsupportedError(f"{path}: holds no *{PACKED_SUFFIX}")
        yield from (path / name for name in found)


def _unpack(disk: WritableFileSystem, source: Path, folder: Path, is_stopped: Stopped) -> Packed:
    with disk.open(source) as file:
        note = _read_note(source, zstd.note_of(file))
        content = zstd.opened(file)
        digest = digest_of(plain_blocks(content, content.size))
        wanted = (note.get("size", content.size), note.get("sha256", digest))
        if (content.size, digest) != wanted:
            raise AccessError(
                f"{source}: holds {content.size:,} bytes with SHA-256 {digest}; it says itself that"
                f" they are {wanted[0]} with {wanted[1]}"
            )
        target = folder / str(note.get("name", source.name.removesuffix(".zst")))
        done = Packed(
            source=source,
            path=target,
            size=content.size,
            packed_bytes=file.stat().size,
            sha256=digest,
        )
        if disk.exists(target):
            _check_plain(disk, target, done)
            return replace(done, was_there=True)
        write_new(
            disk,
            target,
            _data(content, note),
            size=content.size,
            check=lambda part: _check_plain(disk, part, done),
            is_stopped=is_stopped,
        )
    if "mode" in note:
        attributes = Attributes(mode=note["mode"], mtime_ns=note["mtime_ns"])
        disk.set_attributes(target, attributes)
    return done


def _read_note(path: Path, data: bytes) -> dict[str, Any]:
    """The note of an archive of ours; empty where it is somebody else's.

    Raises: AccessError, when it is none that we write.
    """
    if not data:
        return {}
    try:
        note = json.loads(data)
        name, ranges = note["name"], note["data"]
        is_good = (
            names.parse(name) is not None
            and all(type(note[each]) is int and note[each] >= 0 for each in ("size", "mtime_ns"))
            and 0 <= note["mode"] <= 0o777
            and isinstance(note["sha256"], str)
            and all(0 <= start < stop <= note["size"] for start, stop in ranges)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        is_good = False
    if not is_good:
        raise AccessError(f"{path}:8: the note in front of its frames is none of ours")
    return dict(note)


def _check_plain(disk: FileSystem, path: Path, wanted: Packed) -> None:
    found = stamp_file(disk, path)
    if (found.size, found.sha256) != (wanted.size, wanted.sha256):
        raise AccessError(
            f"{path}: {found.size:,} bytes with SHA-256 {found.sha256}, expected {wanted.size:,}"
            f" with {wanted.sha256}: not what {wanted.source} holds"
        )


def _data(content: zstd.Content, note: dict[str, Any]) -> Iterator[tuple[int, bytes]]:
    """What is not a hole, with its offset."""
    ranges = note.get("data")
    for start, stop in ranges if ranges is not None else [(0, content.size)]:
        for offset in range(start, stop, WINDOW_BYTES):
            block = content.read_at(offset, min(WINDOW_BYTES, stop - offset))
            yield from [(offset, block)] if ranges is not None else _not_zero(offset, block)


def _not_zero(offset: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(block), ZERO_BYTES):
        piece = block[start : start + ZERO_BYTES]
        if piece.count(0) != len(piece):
            yield offset + start, piece
