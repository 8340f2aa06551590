"""A log taken up again by whoever will write to it: locked, read to its end, judged, made ready.

All segments from the one that holds the start point on are locked first, then read through the
same scan that every report stands on, and held against what etcd's own ReadAll returns for a log
opened to be written. It is taken up only when both have nothing to say. That is stricter than
etcd, which cuts away in silence whatever stands behind a length field of zero, and does not ask
for the marker that it starts from: here each is a refusal, and a repair is somebody else's plan.

So what is cut away behind the last record is nothing but zeros; then the segment is made as long
as it was, as etcd does. Before, what was read is synced, which etcd leaves to its next sync: a
writer that was killed may have left a segment whose name the next power cut would take away.

Source: etcd-data-dir notes 1.4, 4.7 and 6.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from walctl.errors import AccessError, CorruptionError
from walctl.fs.base import FileSystem
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem
from walctl.model.log import Log, put_together
from walctl.model.record import Entry, HardState, Metadata
from walctl.wal.decoder import Source, Version
from walctl.wal.entry_frames import entries_of, runs_behind
from walctl.wal.fold import Digest, digest
from walctl.wal.names import SegmentName, in_order, is_continuous, start_position
from walctl.wal.owner import read_all
from walctl.wal.scan import Damage

_NEWEST = Version.V3_6
"""The version whose words name places; in a whole log no version reads anything else."""


@dataclass(frozen=True, slots=True)
class Held:
    """A segment that is open and locked, under the name that it has now."""

    name: SegmentName
    file: WritableFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a log held when it was opened, from its start point on.

    `hard_state` is the last one (all zeros: none), `first` and `last` are indexes, `None` without
    entries. The entries are read when they are asked for, from the disk.
    """

    metadata: Metadata
    hard_state: HardState
    first: int | None
    last: int | None
    disk: FileSystem
    folder: Path
    log: Log

    def entries(self, *, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """The entries `first..last` (both included; `None`: to the end), ascending by index.

        What was saved since the log was opened is not among them. One window of a segment is in
        memory at a time. Raises: AccessError, when a segment was purged or changed meanwhile.
        """
        for run in self.log.live:
            low = max(first, run.first)
            high = run.last if last is None else min(last, run.last)
            if low > high:
                continue
            with self.disk.open(self.folder / run.segment) as file:
                yield from entries_of(file, run, first=low, last=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """A log that may be written on: behind `offset` of the last of `held`, continuing `crc`.

    `last_written` is the index of the entry that stands last in the file, `marked` the highest that
    a marker has, `reach` the highest of an entry or a marker.
    """

    held: list[Held]
    contents: Contents
    crc: int
    offset: int
    last_written: int
    marked: int
    reach: int


def reopen(disk: WritableFileSystem, folder: Path, *, index: int, term: int) -> Reopened:
    """Take up the log in `folder` from the snapshot at (index, term) on; (0, 0) is its beginning.

    Raises: AccessError, when a segment is missing or locked by somebody; CorruptionError, when
    there is anything in the way of going on, with segment and offset. Then nothing was changed.
    """
    held: list[Held] = []
    try:
        for name in _chosen(disk, folder, index):
            file = disk.open_file(folder / name.text)
            held.append(Held(name, file))
            file.lock(Lock.RECORD)
        found = _read(disk, folder, held, index=index, term=term)
        _make_durable(disk, folder, held[-1].file)
        _ready_tail(held[-1].file, found.offset)
    except (AccessError, CorruptionError):
        for each in held:
            each.file.close()
        raise
    return found


def _chosen(disk: FileSystem, folder: Path, index: int) -> list[SegmentName]:
    """The segments that are read and written from a start at `index` on."""
    names = in_order(disk.names(folder))
    position = start_position(names, index)
    if position is None:
        raise AccessError(f"{folder}: no segment begins at or before index {index}")
    chosen = names[position:]
    if not is_continuous(chosen):
        raise CorruptionError(f"{folder}: a segment is missing behind {chosen[0].text}")
    return chosen


def _read(disk: FileSystem, folder: Path, held: list[Held], *, index: int, term: int) -> Reopened:
    """Everything that the segments hold.

    Raises: CorruptionError.
    """
    sources: list[Source] = []
    seed: int | None = None
    for each in held:
        seen = digest(each.file, segment=each.name.text, seed=seed)
        _demand_whole(seen)
        sources.append(Source(name=each.name, file=each.file, digest=seen))
        seed = seen.last_crc
    reading = read_all(sources, index=index, term=term, version=_NEWEST, for_write=True)
    place = f"{reading.segment}:{reading.offset}"
    if reading.error is not None:
        raise CorruptionError(f"{place}: {reading.error.words}")
    if not reading.has_match:
        raise CorruptionError(f"{place}: no marker of the snapshot at {index}, term {term}")
    if reading.metadata is None:
        raise CorruptionError(f"{place}: no record says whose log it is")
    assert reading.end_offset is not None, "a log that is read to its end has one"
    assert seed is not None, "a whole segment with a head has a last checksum"
    stretches = [stretch for source in sources for stretch in source.digest.stretches]
    runs = [run for stretch in stretches for run in stretch.runs]
    marks = (placed.mark.index for stretch in stretches for placed in stretch.marks)
    marked = max(marks, default=0)
    written = runs[-1].last if runs else 0
    files = {each.name.text: each.file for each in held}
    return Reopened(
        held=held,
        contents=Contents(
            metadata=reading.metadata,
            hard_state=reading.hard_state,
            first=reading.first,
            last=reading.last,
            disk=disk,
            folder=folder,
            log=put_together(runs_behind(runs, index, files.__getitem__)),
        ),
        crc=seed,
        offset=reading.end_offset,
        last_written=written,
        marked=marked,
        reach=max(written, reading.last or 0, index, marked),
    )


def _demand_whole(seen: Digest) -> None:
    """Raise where the scan met anything but whole frames and zeros behind them."""
    if seen.damages:
        raise CorruptionError(_told(seen.damages[0]))
    if not seen.items:
        raise CorruptionError(f"{seen.segment}:0: expected the head of a segment, found nothing")


def _told(damage: Damage) -> str:
    found = damage.halt.value + (f": {damage.words}" if damage.words else "")
    return f"{damage.segment}:{damage.start}: expected a whole record, found {found}"


def _make_durable(disk: WritableFileSystem, folder: Path, tail: WritableFile) -> None:
    """What a writer that was killed had not synced yet is synced: it was read, so it counts.

    That is the end of the last segment, and the names of that segment and of the folder.
    """
    tail.sync()
    disk.sync_dir(folder)
    disk.sync_dir(folder.parent)


def _ready_tail(file: WritableFile, offset: int) -> None:
    """Cut what was preallocated, and preallocate it again: what is behind the log reads as zeros,
    also where the disk has blocks that were never written."""
    size = file.stat().size
    if size > offset:
        file.truncate(offset)
        file.allocate(size)
