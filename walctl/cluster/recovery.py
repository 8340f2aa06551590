"""A member's log taken up as a node starts: a torn end is cut off first, as etcd does at its start.

A power cut leaves behind the last sync a part of a write, and a log that ends so is refused by
whoever opens it to write. etcd repairs it: it copies the last segment to `NAME.broken`, cuts the
segment behind its last whole record, and starts. Here the same is done, byte for byte, but only
where both agree:

    etcd       would stop at that very place, and cut there
    we         see there the rest of a write that was never synced, and no other damage

Anything else may have been acknowledged, and is refused with what was found: that is `walctl
repair`'s, with a plan. Nothing is changed then. What stands behind zeros that end the log etcd
takes away as it opens it, without a copy, and the segment stays as long as it was; here it is
copied too.

Source: etcd-data-dir notes 1.4 and 6.7; etcd `server/wal/repair.go` 3.5.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from walctl.datadir.layout import Layout, Shape
from walctl.datadir.start import marked_snapshots
from walctl.datadir.survey import Survey, survey
from walctl.errors import CorruptionError
from walctl.fs.lazy import LazyFile
from walctl.fs.trees import copy_sparsely
from walctl.fs.writable import Lock, WritableFileSystem
from walctl.model.finding import Code
from walctl.replay.walstorage import WalStorage
from walctl.wal.decoder import Source, Version
from walctl.wal.forensics import Named
from walctl.wal.owner import read_all, repair, written_bytes
from walctl.wal.writer import SEGMENT_BYTES

BROKEN_SUFFIX: Final = ".broken"
VERSION: Final = Version.V3_5_7
"""Whose words count. It cuts wherever 3.5.1 does, and reads records as long as ours may be."""

_NEVER_SYNCED = frozenset({Code.TORN_TAIL, Code.TRAILING_GARBAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What was done to the last segment: it ends at `offset`, and was copied to `backup` before.

    `dropped_bytes` are those behind it that had been written.
    """

    segment: str
    offset: int
    dropped_bytes: int
    backup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A log that may be written on; `cut` is what had to be cut off, if anything. A context
    manager, which closes the storage."""

    storage: WalStorage
    cut: Cut | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.storage.close()


def reopen(
    disk: WritableFileSystem,
    folder: Path,
    snap_folder: Path,
    *,
    segment_bytes: int = SEGMENT_BYTES,
) -> Recovered:
    """Open the log in `folder` as `WalStorage.open` does, its torn end cut off where it has one.

    Raises: AccessError, when it is missing or somebody holds it; CorruptionError, naming the place
    and what was found there, for any other damage.
    """
    cut: Cut | None = None
    try:
        storage = WalStorage.open(disk, folder, snap_folder, segment_bytes=segment_bytes)
    except CorruptionError as error:
        cut = cut_torn_end(disk, folder, snap_folder, error=error)
        storage = WalStorage.open(disk, folder, snap_folder, segment_bytes=segment_bytes)
    return Recovered(storage=storage, cut=cut)


def cut_torn_end(
    disk: WritableFileSystem, folder: Path, snap_folder: Path, *, error: CorruptionError
) -> Cut:
    """Cut off the end of a log that was refused with `error`.

    Raises: AccessError, when somebody holds it; CorruptionError, when its end is not torn.
    """
    layout = Layout(path=folder, shape=Shape.SEGMENTS, wal_dir=folder, snap_dir=snap_folder)
    seen = survey(disk, layout)
    if not seen.named:
        raise error
    # The first counts: what stands behind a torn write, whole or not, is of the same write.
    named = seen.named[0]
    damage = named.damage
    place = f"{folder / damage.segment}:{damage.start}"
    is_torn = named.code in _NEVER_SYNCED
    is_repair, where = _place_of_cut(disk, folder, seen)
    if not is_torn or where != (damage.segment, damage.start):
        raise CorruptionError(
            f"{place}: expected a log that is whole or torn at its end, found {named.code}:"
            f" {named.detail} walctl repair says what can be done"
        )
    return _cut(disk, folder, seen, named, is_shortened=is_repair)


def _place_of_cut(
    disk: WritableFileSystem, folder: Path, seen: Survey
) -> tuple[bool, tuple[str | None, int | None]]:
    """Where etcd would end the last segment: in a repair (true), or as it opens the log."""
    snap = next(marked_snapshots(seen), None)
    index, term = (0, 0) if snap is None else (snap.index or 0, snap.term or 0)
    with ExitStack() as stack:
        sources = _sources(disk, folder, seen)
        for source in sources:
            stack.enter_context(source.file)
        outcome = repair(sources, VERSION)
        if outcome.cut_to is not None:
            return True, (outcome.segment, outcome.cut_to)
        reading = read_all(sources, index=index, term=term, version=VERSION, for_write=True)
        return False, (reading.segment, reading.end_offset)


def _sources(disk: WritableFileSystem, folder: Path, seen: Survey) -> list[Source]:
    """The segments for etcd's eyes, in its order; each is opened when it is asked for a byte."""
    return [
        Source(name=each.name, file=LazyFile(disk, folder / each.name.text), digest=each.digest)
        for each in sorted(seen.segments, key=lambda each: each.name.text)
    ]


def _cut(
    disk: WritableFileSystem, folder: Path, seen: Survey, named: Named, *, is_shortened: bool
) -> Cut:
    """Copy the segment, and end it where the damage begins."""
    damage = named.damage
    path = folder / damage.segment
    backup = path.with_name(path.name + BROKEN_SUFFIX)
    end = written_bytes(_sources(disk, folder, seen)[-1])
    with disk.open_file(path) as file:
        file.lock(Lock.RECORD)
        if disk.exists(backup):
            disk.remove(backup)  # etcd writes over an older one as well
        with disk.create_file(backup) as copy:
            copy_sparsely(file, copy)
            copy.sync()
        disk.sync_dir(folder)
        size = file.stat().size
        file.truncate(damage.start)
        if not is_shortened:
            file.allocate(size)
        file.sync()
    return Cut(
        segment=damage.segment,
        offset=damage.start,
        dropped_bytes=max(0, end - damage.start),
        backup=backup.name,
    )
