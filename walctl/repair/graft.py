"""A log written anew with what was missing put in: segments as pieces of the old ones and of peers.

Goes along the old log in chain order. What stands in front of the first change is copied. Behind
it a stretch is still copied as it is where the new chain arrives at the checksum that it goes on
from: then what was put in is, to the byte of every payload, what had been lost. Otherwise its
frames are chained anew, and so is all that follows. Payloads are never touched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import crc32c

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import RECORD_BYTES_MAX, WINDOW_BYTES
from formats.walpb import RecordType
from walctl.datadir.chain import Segment
from walctl.datadir.survey import Survey
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.model.log import Log, Run, Stretch, put_together
from walctl.model.record import (
    Checkpoint,
    Entry,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
)
from walctl.repair.newlog import Chain
from walctl.repair.peers import Peer
from walctl.repair.pieces import Copy, Literal, Piece, Rechain, SourceName, chained_frame, rechained
from walctl.repair.plan import WAL
from walctl.repair.seams import Seam, in_order, is_chain_break
from walctl.repair.stamps import Sources
from walctl.wal import names as wal_names
from walctl.wal.kernel import Head
from walctl.wal.scan import Damage

_ENTRIES = (int(RecordType.ENTRY),)
_ALL_BUT_CRC = tuple(int(kind) for kind in RecordType if kind is not RecordType.CRC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Entries `first..last` of a peer's live log that belong into a seam."""

    peer: Peer
    first: int
    last: int


@dataclass(slots=True, kw_only=True)
class Insert:
    """What goes into one seam: entries, then markers, at the very end of a log a hard state."""

    seam: Seam
    fills: list[Fill] = field(default_factory=list)
    marks: list[SnapshotMark] = field(default_factory=list)
    state: HardState | None = None
    is_exact: bool = False
    """Set by the graft: the old log goes on from the checksum that this arrives at."""


@dataclass(slots=True, kw_only=True)
class Written:
    """One segment as it will be; `is_changed` is false for one that stays as it is."""

    name: str
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    is_changed: bool = False
    is_new: bool = False
    damages: list[Damage] = field(default_factory=list)
    inserts: list[Insert] = field(default_factory=list)

    def add(self, piece: Piece, size: int) -> None:
        """One more piece, which gives `size` bytes."""
        last = self.pieces[-1] if self.pieces else None
        if isinstance(piece, Literal) and isinstance(last, Literal):
            self.pieces[-1] = Literal(data=last.data + piece.data)
        elif size:
            self.pieces.append(piece)
        self.size += size


class Graft:
    """A log in the making; `run` goes through it once."""

    def __init__(
        self, survey: Survey, sources: Sources, metadata: bytes | None, inserts: Sequence[Insert]
    ) -> None:
        self._survey = survey
        self._sources = sources
        self._metadata = metadata
        self._inserts = list(inserts)
        self._running = 0
        self._state: HardState | None = None
        self._runs: list[Run] = []
        self._bridged = 0
        self._bridges: dict[tuple[str, int], int] = {}
        self._has_metadata = False
        self.written: list[Written] = []

    @property
    def log(self) -> Log:
        """The entries of the new log, put together as its owner would."""
        return put_together(replace(run) for run in self._runs)

    def run(self) -> "Graft":
        """Write every segment. Raises: AccessError."""
        segments = self._survey.segments
        for position, segment in enumerate(segments):
            self._new_segments(position)
            self._segment(position, segment)
        return self

    def is_bridged(self, run: Run) -> bool:
        """Whether a snapshot's marker in front of a run reaches the entry before it."""
        return self._bridges[run.segment, run.start] >= run.first - 1

    def _add_run(self, run: Run) -> None:
        self._runs.append(run)
        self._bridges[run.segment, run.start] = self._bridged

    # Segments.

    def _new_segments(self, position: int) -> None:
        """The segments that are gone in front of this one: the first of them takes what is put
        in, the others, of which nothing is known, are heads alone."""
        insert = self._insert(position, 0, is_new=True)
        if insert is None:
            return
        seam = insert.seam
        index = seam.reached + 1 if seam.missing[0] else 0
        for number, seq in enumerate(seam.missing):
            out = Written(
                name=wal_names.format_name(seq=seq, index=index), is_changed=True, is_new=True
            )
            self.written.append(out)
            self._head(out, is_first=seq == 0)
            if number == 0:
                self._put(out, insert, position, -1)
            index = (self._runs[-1].last if self._runs else seam.reached) + 1

    def _segment(self, position: int, segment: Segment) -> None:
        """One segment that is there."""
        out = Written(name=segment.name.text)
        self.written.append(out)
        self._has_metadata = False
        items = segment.digest.items
        if len(self.written) == 1:
            # What the log's first head says: behind segments that were purged it is not 0.
            self._running = segment.digest.head_crc or 0
        if not items or not _begins_whole(items):
            self._head(out, is_first=segment.seq == 0)
            out.is_changed = True
        for at, item in enumerate(items):
            insert = self._insert(position, at)
            if insert is not None:
                self._put(out, insert, position, at)
            if isinstance(item, Damage):
                self._damage(out, item)
            elif not item.is_recovered:
                self._stretch(out, item)
        insert = self._insert(position, len(items))
        if insert is not None:
            self._put(out, insert, position, len(items))
        if not _is_whole_copy(out, segment):
            out.is_changed = True
        is_last = position == len(self._survey.segments) - 1
        if not out.is_changed:
            out.size = segment.digest.size
        elif is_last:
            out.size = max(out.size, segment.digest.size)

    def _insert(self, position: int, item: int, *, is_new: bool = False) -> Insert | None:
        for insert in self._inserts:
            seam = insert.seam
            if (seam.position, seam.item, bool(seam.missing)) == (position, item, is_new):
                return insert
        return None

    # What goes into one.

    def _head(self, out: Written, *, is_first: bool) -> None:
        """The head of a segment, as etcd gives it: checksum, metadata, hard state."""
        chain = Chain(self._running).checkpoint().metadata(self._metadata)
        if is_first:
            chain.mark(SnapshotMark(index=0, term=0))
        elif self._state is not None:
            chain.state(self._state)
        self._has_metadata = True
        self._literal(out, chain)

    def _literal(self, out: Written, chain: Chain) -> None:
        if chain.data:
            out.add(Literal(data=chain.data), len(chain.data))
        self._running = chain.crc

    def _put(self, out: Written, insert: Insert, position: int, at: int) -> None:
        """Put in what a seam lacks.

        Where the old log goes on behind it, entries alone are tried too: do they arrive at its
        checksum, nothing else was lost here.
        """
        pieces, size, running, runs = list(out.pieces), out.size, self._running, len(self._runs)
        bridged = self._bridged
        # What none of them proves to be exact gets the markers: the last attempt is kept.
        attempts = [insert.marks, [], insert.marks] if insert.marks else [[]]
        for marks in attempts:
            out.pieces, out.size = list(pieces), size
            self._running, self._bridged = running, bridged
            del self._runs[runs:]
            for part in _in_order(insert.fills, marks):
                if isinstance(part, Fill):
                    self._fill(out, part)
                else:
                    self._mark(out, part)
            insert.is_exact = self._goes_on(position, at)
            if insert.is_exact:
                insert.marks = marks
                break
        if insert.state is not None:
            self._literal(out, Chain(self._running).state(insert.state))
        out.inserts.append(insert)

    def _goes_on(self, position: int, at: int) -> bool:
        """Whether what stands behind item `at` of a segment continues what was put in there."""
        items = self._survey.segments[position].digest.items
        if at + 1 < len(items):
            behind = items[at + 1]
            if not isinstance(behind, Stretch) or behind.is_recovered:
                return False
            return self._continues(behind)
        following = self._survey.segments[position + 1 : position + 2]
        return bool(following) and _head_value(following[0]) == self._running

    def _mark(self, out: Written, mark: SnapshotMark) -> None:
        self._literal(out, Chain(self._running).mark(mark))
        self._bridged = max(self._bridged, mark.index)

    def _fill(self, out: Written, fill: Fill) -> None:
        """Entries of a peer, their payloads as they are."""
        for run in fill.peer.survey.log.live:
            low, high = max(run.first, fill.first), min(run.last, fill.last)
            if low > high:
                continue
            source = f"{fill.peer.name}/{WAL}/{run.segment}"
            start, stop = _span(self._sources(source), run, low, high)
            self._rechain(out, source, start, stop, _ENTRIES)
            self._add_run(
                Run(segment=source, first=low, last=high, term=run.term, start=start, stop=stop)
            )

    def _rechain(
        self, out: Written, source: SourceName, start: int, stop: int, types: tuple[int, ...]
    ) -> None:
        piece = Rechain(source=source, start=start, stop=stop, types=types, seed=self._running)
        size = 0
        for frame, crc in rechained(piece, self._sources(source)):
            size += len(frame)
            self._running = crc
        out.add(piece, size)

    def _stretch(self, out: Written, stretch: Stretch) -> None:
        """Readable frames of our own: as they are where the chain fits, else chained anew."""
        source, span = f"{WAL}/{stretch.segment}", stretch.span
        self._has_metadata = self._has_metadata or bool(stretch.metadata)
        if self._continues(stretch):
            out.add(Copy(source=source, start=span.start, stop=span.stop), span.length)
            self._running = stretch.crc
        else:
            if span.start == 0 and 0 in stretch.checkpoints:
                self._literal(out, Chain(self._running).checkpoint())
            self._rechain(out, source, span.start, span.stop, _ALL_BUT_CRC)
        for event in in_order(stretch):
            if isinstance(event, Run):
                self._add_run(event)
            else:
                self._bridged = max(self._bridged, event.mark.index)
        if stretch.last_state is not None:
            self._state = stretch.last_state.state

    def _continues(self, stretch: Stretch) -> bool:
        """Whether a stretch goes on from the checksum that the new log has come to."""
        file = self._sources(f"{WAL}/{stretch.segment}")
        record = _record_at(file, stretch.span.start)
        if record.type == RecordType.CRC:
            return record.crc == self._running
        return record.crc == crc32c.crc32c(record.data or b"", self._running)

    def _damage(self, out: Written, damage: Damage) -> None:
        """Damaged bytes give way: to the record that they were, where that is known."""
        out.damages.append(damage)
        head, record = damage.recovered_head, damage.recovered
        if record is not None and head is not None:
            self._recovered(out, damage, head, record)
        elif is_chain_break(damage):
            self._literal(out, Chain(self._running).checkpoint())
        elif not self._has_metadata:
            # It stood in these bytes, and whoever starts to read here has need of it.
            self._literal(out, Chain(self._running).metadata(self._metadata))
            self._has_metadata = True

    def _recovered(self, out: Written, damage: Damage, head: Head, record: Record) -> None:
        kind = _type_of(record)
        if kind is RecordType.CRC:
            self._literal(out, Chain(self._running).checkpoint())
            return
        self._running = crc32c.crc32c(head.payload or b"", self._running)
        frame = chained_frame(kind, head.payload, self._running)
        out.add(Literal(data=frame), len(frame))
        match record:
            case Entry():
                self._add_run(
                    Run(
                        segment=damage.segment,
                        first=record.index,
                        last=record.index,
                        term=record.term,
                        start=damage.start,
                        stop=head.stop,
                    )
                )
            case HardState():
                self._state = record
            case Metadata():
                self._has_metadata = True
            case SnapshotMark():
                self._bridged = max(self._bridged, record.index)
            case _:
                pass


def _in_order(
    fills: Sequence[Fill], marks: Sequence[SnapshotMark]
) -> Iterator[Fill | SnapshotMark]:
    """Each marker behind the entries that it covers, as the owner writes them."""
    left = list(marks)
    for fill in fills:
        while left and left[0].index < fill.first:
            yield left.pop(0)
        yield fill
    yield from left


def _type_of(record: Record) -> RecordType:
    match record:
        case Entry():
            return RecordType.ENTRY
        case HardState():
            return RecordType.STATE
        case SnapshotMark():
            return RecordType.SNAPSHOT
        case Checkpoint():
            return RecordType.CRC
        case _:
            return RecordType.METADATA


def _begins_whole(items: Sequence[Stretch | Damage]) -> bool:
    """Whether a segment begins with a frame that is, or can be told to have been, its head."""
    first = items[0]
    if isinstance(first, Damage):
        return isinstance(first.recovered, Checkpoint) or is_chain_break(first)
    return first.span.start == 0


def _head_value(segment: Segment) -> int | None:
    """The checksum that a segment's head says the one in front ended with, whether it fits or not;
    `None` without a head."""
    first = segment.digest.items[0] if segment.digest.items else None
    if isinstance(first, Damage) and is_chain_break(first) and first.head is not None:
        return first.head.stored
    return segment.digest.head_crc


def _is_whole_copy(out: Written, segment: Segment) -> bool:
    """Whether what was written is the old file's own records, one behind the other."""
    position = 0
    for piece in out.pieces:
        if not isinstance(piece, Copy) or piece.start != position:
            return False
        position = piece.stop
    return position == segment.digest.end


def _record_at(file: File, offset: int) -> walpb.Record:
    """The record of the frame at `offset`.

    Raises: AccessError, when none stands there.
    """
    field_bytes = file.read_at(offset, LENGTH_FIELD_BYTES)
    length = split_length(int.from_bytes(field_bytes, "little"))
    if length.record_bytes > RECORD_BYTES_MAX:
        raise AccessError(f"{file.path}:{offset}: no whole frame: changed meanwhile")
    try:
        return walpb.RECORD.parse(file.read_at(offset + LENGTH_FIELD_BYTES, length.record_bytes))
    except FormatError as error:
        raise AccessError(f"{file.path}:{offset}: {error.message}: changed meanwhile") from error


def _span(file: File, run: Run, first: int, last: int) -> tuple[int, int]:
    """Where the frame of entry `first` begins and that of entry `last` ends.

    All entries between the offsets of a run are its own, with indexes that go up by one.
    Raises: AccessError, when they are not there.
    """
    index, begin = run.first, None
    for start, stop, kind in _frames(file, run.start, run.stop):
        if kind != RecordType.ENTRY:
            continue
        if index == first:
            begin = start
        if index == last and begin is not None:
            return begin, stop
        index += 1
    raise AccessError(f"{file.path}: entry {last} is not where it was: changed meanwhile")


def _frames(file: File, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Offsets of the whole frames of `[start, stop)` with the type of each, a window at a time."""
    while start < stop:
        window = file.read_at(start, min(WINDOW_BYTES, stop - start))
        at = 0
        while at + LENGTH_FIELD_BYTES + 2 <= len(window):
            length = split_length(int.from_bytes(window[at : at + LENGTH_FIELD_BYTES], "little"))
            size = LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
            # A record begins with its type; etcd writes no other form, but one may be read.
            tag, kind = window[at + LENGTH_FIELD_BYTES], window[at + LENGTH_FIELD_BYTES + 1]
            if tag != 0x08 or kind > 0x7F:
                kind = _record_at(file, start + at).type or 0
            if not length.record_bytes or start + at + size > stop:
                raise AccessError(f"{file.path}:{start + at}: no whole frame: changed meanwhile")
            yield start + at, start + at + size, kind
            at += size
        if at == 0:
            raise AccessError(f"{file.path}:{start}: no whole frame: changed meanwhile")
        start += at
