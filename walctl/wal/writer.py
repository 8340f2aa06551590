"""The log as its writer has it: created, appended to, cut into segments, let go of.

The calls are etcd's, and so are the bytes that they leave, in the same order of writing, syncing
and renaming. What a Save that has returned wrote is on the disk, with one exception that Raft
allows: a hard state that only moves the commit index waits in a buffer for the next sync.

    create           NAME.tmp/: head (checksum 0, metadata, marker at 0), sync; rename to NAME
    save             entries, then the state; sync if there was an entry, a vote or a term
    save_snapshot    a marker; always synced
    cut              within a Save, once the file has segment_bytes: the old segment is cut to its
                     data and synced; the spare gets its head (checksum, metadata, the state last
                     saved by this process), is synced and renamed
    close            sync, and the spare goes

After an error of the disk nobody knows what the file holds, so nothing more is written: every
later call fails, until the log is opened again and read.

Where this is stricter than etcd: a Save that would leave a gap, or a record that no version reads
back, is refused before a byte is written; a folder that is in the way is never removed with what
is in it; directories are synced too where etcd leaves that to the file system; a marker that was
written before the log was opened still counts when a segment gets its name.

Source: etcd-data-dir notes 1.2, 2.2, 2.3, 4.2 to 4.5 and 4.7.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from formats.limits import RECORD_BYTES_MAX
from formats.walpb import RecordType
from walctl.errors import AccessError, RefusedError
from walctl.fs.writable import Lock, WritableFile, WritableFileSystem
from walctl.model.record import Entry, HardState, SnapshotMark
from walctl.wal.encoder import Encoder, mark_bytes, state_bytes
from walctl.wal.names import SegmentName, format_name
from walctl.wal.owner import NO_STATE
from walctl.wal.reopen import Contents, Held, reopen
from walctl.wal.spare import Spare

SEGMENT_BYTES: Final = 64_000_000
"""What a segment is preallocated to, and from which on it is cut."""
PAYLOAD_BYTES_MAX: Final = RECORD_BYTES_MAX - 64
"""The longest payload of an entry that is read back: what is around it takes the rest."""

TMP_SUFFIX = ".tmp"


@dataclass(frozen=True, slots=True)
class Opened:
    """A log that was opened: to be written on, and what it held then."""

    wal: "Wal"
    contents: Contents


class Wal:
    """One log, held by this process alone until it is closed. A context manager."""

    def __init__(
        self,
        disk: WritableFileSystem,
        folder: Path,
        *,
        metadata: bytes | None,
        held: list[Held],
        encoder: Encoder,
        last_written: int,
        marked: int,
        reach: int,
        segment_bytes: int,
    ) -> None:
        """For `create` and `open`, which make one."""
        self.folder = folder
        self._disk = disk
        self._metadata = metadata
        self._held = held
        self._encoder = encoder
        self._last_written = last_written
        self._marked = marked
        self._reach = reach
        self._state = NO_STATE
        self._segment_bytes = segment_bytes
        self._care = _Care(folder, self._placed)
        self._is_closed = False
        self._spare = Spare(disk, folder, size=segment_bytes)
        self._spare.prepare()

    @classmethod
    def create(
        cls,
        disk: WritableFileSystem,
        folder: Path,
        *,
        metadata: bytes | None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Make a new log at `folder`, which is not there yet, or empty; its parent has to be.

        `metadata` is what every segment says of its owner (`None`: a record without data, as
        raftexample has it). What a creation that was broken off left beside it is removed.

        Raises: AccessError.
        """
        if disk.exists(folder) and disk.names(folder):
            raise AccessError(f"{folder}: expected nothing, or an empty folder")
        aside = folder.with_name(folder.name + TMP_SUFFIX)
        if disk.exists(aside):
            for leftover in disk.names(aside):
                disk.remove(aside / leftover)
            disk.remove_dir(aside)
        disk.make_dir(aside)
        name = SegmentName(format_name(seq=0, index=0), 0, 0)
        file = disk.create_file(aside / name.text)
        try:
            encoder = _begun(file, metadata, segment_bytes)
            disk.sync_dir(aside)
            disk.rename(aside, folder)
            disk.sync_dir(folder.parent)
        except AccessError:
            file.close()
            raise
        return cls(
            disk,
            folder,
            metadata=metadata,
            held=[Held(name, file)],
            encoder=encoder,
            last_written=0,
            marked=0,
            reach=0,
            segment_bytes=segment_bytes,
        )

    @classmethod
    def open(
        cls,
        disk: WritableFileSystem,
        folder: Path,
        *,
        index: int,
        term: int,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Opened:
        """Open the log in `folder` at the snapshot at (index, term), to write on behind its end.

        Raises: AccessError, when it is not there or somebody holds it; CorruptionError, with
        segment and offset, when it is not whole. Then nothing was changed.
        """
        found = reopen(disk, folder, index=index, term=term)
        tail = found.held[-1].file
        wal = cls(
            disk,
            folder,
            metadata=found.contents.metadata.raw,
            held=found.held,
            encoder=Encoder(tail, crc=found.crc, offset=found.offset),
            last_written=found.last_written,
            marked=found.marked,
            reach=found.reach,
            segment_bytes=segment_bytes,
        )
        return Opened(wal, found.contents)

    @property
    def segment(self) -> str:
        """Name of the segment that is written to."""
        return self._held[-1].name.text

    @property
    def held_segments(self) -> list[str]:
        """Names of the segments that nobody else may write to or purge, ascending."""
        return [each.name.text for each in self._held]

    def save(self, hard_state: HardState | None, entries: Sequence[Entry] = ()) -> Sequence[int]:
        """Append entries, then a hard state (`None` or all zeros: none); see the table at the top.

        Gives the offsets of the entries' frames and the one behind the last, in what was
        `segment` when it was called; nothing without entries.

        Raises: RefusedError, when an entry does not follow or is too long, and then nothing is
        written; AccessError.
        """
        state = hard_state or NO_STATE
        if state == NO_STATE and not entries:
            return ()
        self._demand_fitting(entries)
        must_sync = self._must_sync(state, entries)
        with self._care:
            offsets = self._encoder.add_entries(entries)
            if entries:
                self._last_written = self._reach = entries[-1].index
            self._add_state(state)
            if self._encoder.written >= self._segment_bytes:
                self._cut()
            elif must_sync:
                self._encoder.sync()
        return offsets if entries else ()

    def _must_sync(self, state: HardState, entries: Sequence[Entry]) -> bool:
        """Whether somebody may be told of it at once: all but a commit that moved."""
        is_new = (state.term, state.vote) != (self._state.term, self._state.vote)
        return bool(entries) or is_new

    def save_snapshot(self, mark: SnapshotMark) -> None:
        """Append the marker of a snapshot whose file is on the disk already; synced.

        Raises: RefusedError, for a marker that etcd would not write: one behind index 0 without a
        conf state, or one at 0 of another term than 0, with which the log could not be opened at
        its beginning; AccessError.
        """
        if mark.index == 0 and mark.term != 0:
            raise RefusedError(
                f"{self.folder}: expected term 0 in the marker of the beginning, found {mark.term}"
            )
        if mark.index > 0 and mark.conf_state is None:
            raise RefusedError(
                f"{self.folder}: expected a conf state in the marker of the snapshot at"
                f" {mark.index}, found none"
            )
        self._write_mark(mark)

    def sync(self) -> None:
        """Return once everything that was saved is on the disk.

        Raises: AccessError.
        """
        with self._care:
            self._encoder.sync()

    def release_to(self, index: int) -> None:
        """Let go of the segments that are not needed from a snapshot at `index` on.

        That is all in front of the last one that begins below `index`. They may be purged then.
        """
        while len(self._held) > 1 and all(each.name.index < index for each in self._held[:2]):
            self._held.pop(0).file.close()

    def close(self) -> None:
        """Sync, let everything go, and take the spare away; closing twice does nothing.

        After an error only what was opened is closed, and the files stay as they are.
        Raises: AccessError.
        """
        if self._is_closed:
            return
        self._is_closed = True
        is_well = self._care.trouble is None
        try:
            self._spare.close(is_removed=is_well)
            if is_well:
                with self._care:
                    self._encoder.sync()
        finally:
            self._care.trouble = self._care.trouble or f"{self.folder}: the log is closed"
            for each in self._held:
                each.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _placed(self, words: str) -> str:
        """An error of the disk, with the segment: the open file may have had another name."""
        place = str(self.folder / self.segment)
        return words if words.startswith(place) else f"{place}: {words}"

    def _write_mark(self, mark: SnapshotMark) -> None:
        """A marker, whatever it has: etcd 3.4 wrote none with a conf state."""
        with self._care:
            self._encoder.add(RecordType.SNAPSHOT, mark_bytes(mark))
            self._marked = max(self._marked, mark.index)
            self._reach = max(self._reach, mark.index)
            self._encoder.sync()

    def _demand_fitting(self, entries: Sequence[Entry]) -> None:
        """Raise at the first entry that the log could not be read with."""
        last = self._reach
        for entry in entries:
            if not 0 < entry.index <= last + 1:
                raise RefusedError(
                    f"{self.folder / self.segment}: expected an entry at {last + 1} or before,"
                    f" found {entry.index}"
                )
            last = entry.index
            payload = entry.payload
            if payload is not None and len(payload) > PAYLOAD_BYTES_MAX:
                raise RefusedError(
                    f"{self.folder / self.segment}: expected no more than {PAYLOAD_BYTES_MAX}"
                    f" bytes in entry {entry.index}, found {len(payload)}"
                )

    def _add_state(self, state: HardState) -> None:
        """A hard state of all zeros is none."""
        if state != NO_STATE:
            self._state = state
            self._encoder.add(RecordType.STATE, state_bytes(state))

    def _cut(self) -> None:
        """End this segment, and go on in the next.

        A crash before the rename leaves the old segment whole and short, one behind it a new one
        with its head alone.
        """
        old = self._encoder
        # Nobody reads the preallocated rest any more. The flush makes the file longer again, by
        # exactly what was gathered.
        old.file.truncate(old.written)
        old.sync()
        # A log is read from the last segment on that begins at or below the index of its start:
        # no marker in front of it may have that index.
        index = max(self._last_written, self._marked) + 1
        seq = self._held[-1].name.seq + 1
        name = SegmentName(format_name(seq=seq, index=index), seq, index)
        file = self._spare.take()
        self._held.append(Held(name, file))
        self._encoder = Encoder(file, crc=old.crc, offset=0)
        _add_head(self._encoder, self._metadata)
        self._add_state(self._state)
        self._encoder.sync()
        self._disk.rename(file.path, self.folder / name.text)
        self._disk.sync_dir(self.folder)
        self._spare.prepare()


class _Care:
    """Around everything that writes: what does not come to its end was the last of it.

    `trouble` says why nothing is written any more. `placed` puts the segment into an error's words.
    A generator in this place would take longer than the two calls (a fortieth of a Raft message).
    """

    def __init__(self, folder: Path, placed: Callable[[str], str]) -> None:
        self.trouble: str | None = None
        self._words = f"{folder}: not written to any more"
        self._interrupted = f"{self._words}: a call was interrupted"
        self._placed = placed

    def __enter__(self) -> None:
        if self.trouble is not None:
            raise AccessError(self.trouble)
        self.trouble = self._interrupted

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.trouble = None
        elif isinstance(error, AccessError):
            self.trouble = f"{self._words}, after: {error.message}"
            raise AccessError(self._placed(error.message)) from error


def _begun(file: WritableFile, metadata: bytes | None, segment_bytes: int) -> Encoder:
    """The first segment of a log, with its head on the disk."""
    file.lock(Lock.RECORD)
    file.allocate(segment_bytes)
    encoder = Encoder(file, crc=0, offset=0)
    _add_head(encoder, metadata)
    encoder.add(RecordType.SNAPSHOT, mark_bytes(SnapshotMark(index=0, term=0)))
    encoder.sync()
    return encoder


def _add_head(encoder: Encoder, metadata: bytes | None) -> None:
    """What every segment begins with."""
    encoder.add(RecordType.CRC, None)
    encoder.add(RecordType.METADATA, metadata)
