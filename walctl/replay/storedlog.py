"""Raft's storage over a log on the disk: offsets in memory, entries read when they are asked for.

Nothing is cached, because a Raft log is written often and hardly ever read: a leader reads it for a
follower that lags behind, a starting node once. Here it is only read; `walstorage` adds the calls
that write, and keeps what it wrote a moment ago. What a damaged log holds behind its first gap is
not there, as for a starting member.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from walctl.datadir.start import marked_snapshots
from walctl.datadir.survey import Survey
from walctl.errors import AccessError, UsageError
from walctl.fs.base import File, FileSystem
from walctl.model.log import Run, put_together
from walctl.raft.errors import CompactedError, UnavailableError
from walctl.raft.sizes import encoding_bytes
from walctl.raft.storage import demand_there
from walctl.raft.types import (
    EMPTY_SNAPSHOT,
    EMPTY_STATE,
    ConfState,
    Entry,
    EntryID,
    HardState,
    Snapshot,
)
from walctl.replay.offsets import Offsets
from walctl.replay.values import raft_conf_state, raft_entry, raft_state
from walctl.snap.names import format_name
from walctl.snap.reader import SnapFile, data_of
from walctl.wal.entry_frames import entries_of, offsets_of, runs_behind


class StoredLog:
    """A `Storage` over the segments in `folder` and the `.snap` files in `snap_folder`.

    A context manager: leaving it closes the segments that were read. What reads the disk raises
    AccessError, also when a file is not what it was; for a node that is the end.
    """

    def __init__(self, disk: FileSystem, folder: Path, snap_folder: Path | None) -> None:
        """An empty one."""
        self._disk = disk
        self._folder = folder
        self._snap_folder = snap_folder
        self._state = EMPTY_STATE
        self._snapshot = EMPTY_SNAPSHOT
        self._offsets = Offsets(EntryID(0, 0))
        self._files: dict[str, File] = {}

    @classmethod
    def of(cls, disk: FileSystem, seen: Survey, *, at: int | None = None) -> "StoredLog":
        """What a member would start with, from the newest snapshot on that it would take.

        `at` is the index of another one that it could take, 0 the log's beginning.
        Raises: UsageError, when there is no log or no such snapshot; AccessError.
        """
        layout = seen.layout
        if layout.wal_dir is None:
            raise UsageError(f"{layout.path}: expected a log, found {layout.shape}")
        storage = cls(disk, layout.wal_dir, layout.snap_dir)
        chosen = [snap for snap in marked_snapshots(seen) if at is None or snap.index == at]
        if at and not chosen:
            known = ", ".join(str(each.index) for each in marked_snapshots(seen)) or "none"
            raise UsageError(f"{layout.path}: no valid snapshot at {at}; there are: {known}")
        storage._begin_at(chosen[0] if chosen else None)
        if seen.last_state is not None:
            storage._state = raft_state(seen.last_state.state)
        try:
            runs = runs_behind(seen.runs, storage._snapshot.index, storage._file)
            storage._take(put_together(runs).live)
        except AccessError:
            storage.close()
            raise
        return storage

    def initial_state(self) -> tuple[HardState, ConfState]:
        """See `Storage.initial_state`."""
        return self._state, self._snapshot.conf_state

    def entries(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """See `Storage.entries`."""
        demand_there(self, low, high)
        found: list[Entry] = []
        size = 0
        for entry in self.read(low, high):
            size += encoding_bytes(entry)
            if size > bytes_max and found:
                break
            found.append(entry)
        return found

    def read(self, low: int, high: int) -> Iterator[Entry]:
        """The entries `[low, high)`, all of them there, one after the other."""
        for run in self._offsets.runs(low, high):
            for entry in entries_of(self._file(run.segment), run, first=run.first, last=run.last):
                yield raft_entry(entry)

    def term(self, index: int) -> int:
        """See `Storage.term`."""
        if index < self._offsets.before.index:
            raise CompactedError
        if index > self.last_index():
            raise UnavailableError
        return self._offsets.term(index)

    def last_index(self) -> int:
        """See `Storage.last_index`."""
        return self._offsets.last

    def first_index(self) -> int:
        """See `Storage.first_index`."""
        return self._offsets.first

    def snapshot(self) -> Snapshot:
        """See `Storage.snapshot`; its data is read from the file."""
        if self._snapshot.is_empty:
            return self._snapshot
        assert self._snap_folder is not None, "a snapshot that is not empty has a file"
        name = format_name(term=self._snapshot.term, index=self._snapshot.index)
        return replace(self._snapshot, data=data_of(self._disk, self._snap_folder / name))

    def close(self) -> None:
        """Close what was opened to be read; what is asked for later is opened again."""
        with ExitStack() as stack:
            for file in self._files.values():
                stack.callback(file.close)
        self._files.clear()

    def __enter__(self) -> "StoredLog":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _begin_at(self, snap: SnapFile | None) -> None:
        """Start from the snapshot of this file, or from the beginning of the log."""
        if snap is None:
            return
        conf = snap.conf_state
        self._snapshot = Snapshot(
            index=snap.index or 0,
            term=snap.term or 0,
            conf_state=ConfState() if conf is None else raft_conf_state(conf),
        )
        self._offsets = Offsets(EntryID(self._snapshot.term, self._snapshot.index))

    def _take(self, runs: Sequence[Run]) -> None:
        """Take the entries of these runs, ascending by index, up to the first gap, or to one whose
        frame is damaged: what was read of that is a guess."""
        for run in runs:
            if run.is_recovered or run.first != self._offsets.last + 1:
                return
            self._offsets.add_run(run, offsets_of(self._file(run.segment), run))

    def _file(self, segment: str) -> File:
        """A segment, open."""
        if segment not in self._files:
            self._files[segment] = self._disk.open(self._folder / segment)
        return self._files[segment]
