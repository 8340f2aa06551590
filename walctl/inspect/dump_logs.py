"""What etcd's reader hands back of one member's log: what etcd-dump-logs prints, and no more.

That is another view than that of the rest of dump: it begins behind the newest snapshot that etcd
would take, holds of every index the last entry that was written, and ends where etcd's decoder
stops. Which entries these are follows from the runs of the survey; the entries themselves are read
again one after the other, and none is kept.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from formats import raftpb
from formats.walpb import RecordType
from walctl.datadir.layout import Layout
from walctl.datadir.survey import Survey
from walctl.errors import CorruptionError, UnsupportedError
from walctl.fs.base import FileSystem
from walctl.fs.lazy import LazyFile
from walctl.model.log import Run, put_together
from walctl.model.record import Entry, HardState, Metadata, Span
from walctl.snap.reader import SnapFile
from walctl.wal.decoder import Loose, Source, Version, Whole, decode
from walctl.wal.entry_frames import entries_of
from walctl.wal.names import start_position
from walctl.wal.owner import NOT_MATCHED, Failure, Reading, read_all, valid_snapshots
from walctl.wal.records import lift_entry

VERSION = Version.V3_5_7
"""Whose reading it is; the releases of 3.5 before it refuse entries of 10 MiB that they wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """One member's log as etcd reads it.

    `start_index` is the index that was asked for, and `None` when the log is read from `snapshot`
    (`None`: from its beginning) on. `last_index` is that of the last entry, `None` without any.
    `left_out` are the first and the last index of entries that stand behind where etcd's decoder
    stops without an error. `entries` can be gone through once.
    """

    start_index: int | None
    snapshot: SnapFile | None
    metadata: Metadata | None
    hard_state: HardState
    last_index: int | None
    left_out: tuple[int, int] | None
    entries: Iterator[Entry]


def dump_logs(
    disk: FileSystem, layout: Layout, survey: Survey, *, start_index: int | None = None
) -> Dump:
    """Read the log behind the newest snapshot, or the entries above `start_index`.

    Raises: CorruptionError when etcd would not hand back anything; AccessError, also while the
    entries are gone through, when a segment cannot be read any more; UnsupportedError without a
    log.
    """
    folder = layout.wal_dir
    if folder is None:
        raise UnsupportedError(f"{layout.path}: {layout.shape}, which holds no log")
    sources = [
        Source(name=each.name, file=LazyFile(disk, folder / each.name.text), digest=each.digest)
        for each in sorted(survey.segments, key=lambda each: each.name.text)
    ]
    with ExitStack() as stack:
        for source in sources:
            stack.enter_context(source.file)
        snapshot = None if start_index is not None else _newest_snapshot(layout, survey, sources)
        index, term = _start(survey, snapshot, start_index)
        reading = read_all(sources, index=index, term=term, version=VERSION, for_write=False)
        is_found = start_index is not None and reading.error == Failure(words=NOT_MATCHED)
        if reading.error is not None and not is_found:
            raise _unreadable(layout, reading.error)
        runs = _runs(sources, index)
    reached, there = reading.last or index, survey.log.last or 0
    return Dump(
        start_index=start_index,
        snapshot=snapshot,
        metadata=reading.metadata,
        hard_state=reading.hard_state,
        last_index=reading.last,
        left_out=(reached + 1, there) if there > reached else None,
        entries=_entries(disk, layout, _live(runs, index, reading)),
    )


def _newest_snapshot(layout: Layout, survey: Survey, sources: Sequence[Source]) -> SnapFile | None:
    """The newest file that reads well and that the log knows."""
    valid = valid_snapshots(sources, VERSION)
    if valid.error is not None:
        raise _unreadable(layout, valid.error)
    known = {(mark.index, mark.term) for mark in valid.marks}
    usable = (snap for snap in survey.snaps if snap.is_usable)
    return next((snap for snap in usable if (snap.index or 0, snap.term or 0) in known), None)


def _start(survey: Survey, snapshot: SnapFile | None, index: int | None) -> tuple[int, int]:
    """Index and term that the log is opened at.

    etcd refuses to read on from the marker of a snapshot whose term it was not told, and nobody
    who asks for an index means that.
    """
    if index is None:
        return (0, 0) if snapshot is None else (snapshot.index or 0, snapshot.term or 0)
    terms = (placed.mark.term for placed in survey.marks if placed.mark.index == index)
    return index, next(terms, 0)


def _unreadable(layout: Layout, failure: Failure) -> CorruptionError:
    place = layout.path if failure.segment is None else f"{failure.segment}:{failure.offset}"
    told = f"{place}: etcd gives up on the log here: {failure.words}"
    return CorruptionError(f"{told} (the other outputs of dump show what is there)")


def _runs(sources: Sequence[Source], index: int) -> list[Run]:
    """The entries that etcd's decoder comes to, in file order."""
    position = start_position([source.name for source in sources], index)
    assert position is not None, "the log was opened at this index"
    runs: list[Run] = []
    for event in decode(sources[position:], VERSION):
        if isinstance(event, Whole):
            runs += event.stretch.runs
        elif isinstance(event, Loose) and event.raw_type == RecordType.ENTRY:
            entry, _ = lift_entry(raftpb.ENTRY.parse(event.data or b""))
            runs.append(Run.of_one(event.source.name.text, entry, Span(event.start, event.stop)))
    return runs


def _live(runs: Sequence[Run], index: int, reading: Reading) -> list[tuple[Run, int, int]]:
    """Each run with the first and the last of its entries that are above `index` and count."""
    log = put_together(run for run in runs if run.last > index)
    live = [(run, max(run.first, index + 1), run.last) for run in log.live]
    assert sum(last - first + 1 for _, first, last in live) == reading.entries
    return live


def _entries(
    disk: FileSystem, layout: Layout, live: Sequence[tuple[Run, int, int]]
) -> Iterator[Entry]:
    """The entries of these runs, read again."""
    assert layout.wal_dir is not None
    # Live runs are in file order, so one file at a time is open.
    for segment, runs in itertools.groupby(live, key=lambda each: each[0].segment):
        with LazyFile(disk, layout.wal_dir / segment) as file:
            for run, first, last in runs:
                yield from entries_of(file, run, first=first, last=last)
