"""Raft's storage that is the write-ahead log itself: what is saved is on the disk when a call
returns, and all but the latest entries are read back from there.

A Ready is saved in the order that leaves the node whole wherever it ends:

    snapshot file    under its name at once, or not at all
    its marker       believed by a starting node only once a hard state commits up to it
    entries, state   one Save of the log

so a node that stops in between starts as if the Ready had never been, or with all of it. A commit
index alone may be lost (Raft allows it), nothing else that was saved.

Two things that etcd takes up again when it starts stay forgotten here, for a node that starts again
is to be the node that ended:

* Entries that a snapshot of a leader has replaced, and that still stand in the segments. They are
  told by the log in front of the marker: had it held the snapshot's last entry, the leader's
  snapshot would not have been installed.
* Entries that were overwritten from an index on that is not behind the snapshot: etcd does not look
  at an entry that the snapshot covers, and so not at what it replaced either.

Source: etcd `server/etcdserver/raft.go` and `storage.go` 3.5, for the order; etcd-data-dir notes
4.5 and 6.5.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from walctl.datadir.layout import Layout, Shape
from walctl.datadir.start import marked_snapshots
from walctl.datadir.survey import Survey, survey
from walctl.errors import AccessError, RefusedError, WalctlError
from walctl.fs.writable import WritableFileSystem
from walctl.model.log import put_together
from walctl.model.record import SnapshotMark
from walctl.raft.sizes import limited
from walctl.raft.storage import (
    demand_compactable,
    demand_newer,
    demand_there,
    fitting,
    new_snapshot,
)
from walctl.raft.types import ConfState, Entry, EntryID, HardState, Snapshot
from walctl.replay.latest import Latest
from walctl.replay.offsets import Offsets
from walctl.replay.storedlog import StoredLog
from walctl.replay.values import log_conf_state, log_entry, log_state, raft_state
from walctl.snap.reader import SnapFile
from walctl.snap.writer import Snapshot as SnapContent
from walctl.snap.writer import place_snap
from walctl.wal.entry_frames import runs_behind
from walctl.wal.owner import NO_STATE
from walctl.wal.reopen import Contents
from walctl.wal.writer import SEGMENT_BYTES, Wal


class WalStorage(StoredLog):
    """A `StableStorage` over a log that is held by this process alone until it is closed.

    What writes raises AccessError; nothing is written after that, until the log is opened again.
    """

    def __init__(self, disk: WritableFileSystem, folder: Path, snap_folder: Path, wal: Wal) -> None:
        """For `create` and `open`, which make one."""
        super().__init__(disk, folder, snap_folder)
        self._writable = disk
        self._snaps = snap_folder
        self._wal = wal
        self._latest = Latest()

    @classmethod
    def create(
        cls,
        disk: WritableFileSystem,
        folder: Path,
        snap_folder: Path,
        *,
        metadata: bytes | None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Make a new log at `folder` as `Wal.create` does; `snap_folder` is made if need be.

        Raises: AccessError.
        """
        if not disk.exists(snap_folder):
            disk.make_dir(snap_folder)
            disk.sync_dir(snap_folder.parent)
        wal = Wal.create(disk, folder, metadata=metadata, segment_bytes=segment_bytes)
        return cls(disk, folder, snap_folder, wal)

    @classmethod
    def open(
        cls,
        disk: WritableFileSystem,
        folder: Path,
        snap_folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Take up a log from the newest snapshot that is marked in it, or from its beginning.

        Raises: AccessError, when it is missing or somebody holds it; CorruptionError, when it is
        not whole. Then nothing was changed.
        """
        layout = Layout(path=folder, shape=Shape.SEGMENTS, wal_dir=folder, snap_dir=snap_folder)
        seen = survey(disk, layout)
        snap = next(marked_snapshots(seen), None)
        start = EntryID(0, 0) if snap is None else EntryID(snap.term or 0, snap.index or 0)
        opened = Wal.open(
            disk, folder, index=start.index, term=start.term, segment_bytes=segment_bytes
        )
        storage = cls(disk, folder, snap_folder, opened.wal)
        try:
            storage._take_up(seen, snap, opened.contents)
        except WalctlError:
            storage.close()
            raise
        return storage

    def _take_up(self, seen: Survey, snap: SnapFile | None, contents: Contents) -> None:
        """Begin with what was surveyed, now that nobody else writes. Raises: AccessError."""
        state = seen.last_state.state if seen.last_state is not None else NO_STATE
        if contents.hard_state != state:
            raise AccessError(f"{self._folder}: changed while it was opened")
        self._begin_at(snap)
        self._state = raft_state(contents.hard_state)
        before = self._offsets.before
        place = _installed_at(seen, before)
        live = (run for run in seen.log.live if (run.segment, run.start) >= place)
        self._take(list(runs_behind(live, before.index, self._file)))

    def save(
        self,
        hard_state: HardState | None,
        entries: Sequence[Entry] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        """See `StableStorage.save`. Raises also: RefusedError, for an entry that is too long."""
        if snapshot is not None:
            self.apply_snapshot(snapshot)
        kept = fitting(self, entries)
        segment = self._wal.segment
        state = None if hard_state is None else log_state(hard_state)
        offsets = self._wal.save(state, [log_entry(entry) for entry in kept])
        if kept:
            self._offsets.put(segment, kept, offsets)
            self._latest.put(kept)
        if hard_state is not None:
            self._state = hard_state
        if snapshot is not None:
            # A commit alone waits for the next sync; here it is what the marker is believed by.
            self._wal.sync()
            self._release(snapshot.index)

    def entries(self, low: int, high: int, bytes_max: int) -> Sequence[Entry]:
        """See `Storage.entries`."""
        demand_there(self, low, high)
        found = self._latest.between(low, high)
        return super().entries(low, high, bytes_max) if found is None else limited(found, bytes_max)

    def sync(self) -> None:
        """Make durable what was saved, a commit alone included. Raises: AccessError."""
        self._wal.sync()

    def set_hard_state(self, state: HardState) -> None:
        """Remember `state`."""
        self.save(state)

    def append(self, entries: Sequence[Entry]) -> None:
        """Put consecutive entries into the log, as `save` does."""
        self.save(None, entries)

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Let `snapshot` take the place of everything; the hard state stays.

        Raises: SnapshotOutOfDateError, when the one that is there is as new; RefusedError, for one
        of nothing: a membership before the first entry has no place in a log.
        """
        demand_newer(self._snapshot, snapshot)
        if snapshot.is_empty:
            raise RefusedError(f"{self._folder}: expected a snapshot of some entry, found none")
        self._write_snapshot(snapshot)
        self._offsets = Offsets(EntryID(snapshot.term, snapshot.index))
        self._latest.clear()

    def create_snapshot(
        self, index: int, conf_state: ConfState | None, data: bytes | None
    ) -> Snapshot:
        """See `StableStorage.create_snapshot`; it is on the disk when this returns."""
        made = new_snapshot(self, self._snapshot, index, conf_state, data)
        self._write_snapshot(made)
        return made

    def mark_snapshot(self, snapshot: Snapshot) -> None:
        """Let a snapshot of an entry that is there count, whose file was put in place already.

        Raises: SnapshotOutOfDateError.
        """
        self._mark(new_snapshot(self, self._snapshot, snapshot.index, snapshot.conf_state, None))

    def compact(self, index: int) -> None:
        """See `StableStorage.compact`. Segments that nothing needs any more may be purged then;
        a node that starts again begins behind its newest snapshot."""
        demand_compactable(self, index)
        self._offsets.forget_to(index)
        self._release(min(index, self._snapshot.index))

    @property
    def segment_count(self) -> int:
        """Segments that are held: the others may be purged."""
        return len(self._wal.held_segments)

    def close(self) -> None:
        """Sync, and let everything go; closing twice does nothing."""
        super().close()
        self._wal.close()

    def __enter__(self) -> Self:
        return self

    def _write_snapshot(self, snapshot: Snapshot) -> None:
        """The file, then the marker. The data stays on the disk."""
        conf = log_conf_state(snapshot.conf_state)
        index, term = snapshot.index, snapshot.term
        content = SnapContent(index=index, term=term, conf_state=conf, data=snapshot.data)
        place_snap(self._writable, self._snaps, content)
        self._mark(snapshot)

    def _mark(self, snapshot: Snapshot) -> None:
        """The marker, with which the snapshot counts."""
        conf = log_conf_state(snapshot.conf_state)
        mark = SnapshotMark(index=snapshot.index, term=snapshot.term, conf_state=conf)
        self._wal.save_snapshot(mark)
        self._snapshot = replace(snapshot, data=None)

    def _release(self, index: int) -> None:
        """Let go of the segments in front of `index`, unless a node that starts again would not
        begin at the snapshot yet."""
        if self._state.commit < self._snapshot.index:
            return
        self._wal.release_to(index)
        held = set(self._wal.held_segments)
        for segment in [each for each in self._files if each not in held]:
            self._files.pop(segment).close()


def _installed_at(seen: Survey, start: EntryID) -> tuple[str, int]:
    """Where the marker of the start stands if a leader sent that snapshot, else the very front."""
    places = [
        (placed.segment, placed.offset)
        for placed in seen.marks
        if (placed.mark.term, placed.mark.index) == (start.term, start.index)
    ]
    if start.index == 0 or not places:
        return "", 0
    in_front = put_together(run for run in seen.runs if (run.segment, run.start) < places[-1])
    return ("", 0) if in_front.term_of(start.index) == start.term else places[-1]
