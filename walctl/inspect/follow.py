"""Following a log while a server writes it: its last records, then each one as it comes.

How a segment is read while it grows is told in `tail`; here it is which segment, and what happens
between them:

* The server prepares the next segment under another name and renames it into place when its head
  is synced; the one in front is complete by then. So the directory is listed first, and what is
  then read of the older segment is all there is.
* Segments are purged from the oldest on. One that is open can be read to its end.
* A log may be cut, restored or made anew in its place: what was shown is then taken back by an
  event.

Nothing waits here: `wait` is the clock, and the one who asks decides how often.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from walctl.datadir.layout import Layout
from walctl.errors import AccessError
from walctl.fs.base import FileSystem
from walctl.inspect.event import Event, EventKind
from walctl.inspect.flow import damaged_frame
from walctl.inspect.follow_start import (
    find_start,
    open_segment,
    seed_of,
    settled_in,
    tail_at_head,
)
from walctl.inspect.frames import frames
from walctl.inspect.reached import Outlook
from walctl.inspect.row import RAW_BYTES_MAX, UNKNOWN, FindingRow, RecordRow, Row
from walctl.inspect.select import undecodable
from walctl.inspect.tail import Tail, head_of
from walctl.model.batch import Batch
from walctl.model.finding import Place
from walctl.model.record import Entry, Frame
from walctl.payload.base import Decoder, PayloadError, Request
from walctl.wal import names as wal_names
from walctl.wal.fold import Digest
from walctl.wal.forensics import Named
from walctl.wal.names import SegmentName

LAST_RECORDS = 10
"""Records that are shown of what was there before."""


def follow(
    disk: FileSystem,
    layout: Layout,
    *,
    wait: Callable[[], bool],
    last: int | None = LAST_RECORDS,
    start: Place | None = None,
    decoder: Decoder | None = None,
) -> Iterator[Row | Event]:
    """The `last` records of a log (`None`: all of them), then every record as it is written.

    With `start` (segment and offset) the first ones are those from there on instead. `wait` is
    called whenever nothing new is there; it returns false to end, and the last item is then an
    event that says where. A directory without a segment is waited for too.

    Each record is given once, in the order of the log, unless an event takes it back. An entry's
    status is what was known when it was given: `committed` if a hard state that was there by then
    says so; later commits are seen in the hard states that follow. What a new leader overwrites is
    told by an event in front of the first entry that does so.

    Raises: AccessError when the directory is gone, or a segment may not be read.
    """
    if layout.wal_dir is None:
        return
    follower = _Follower(disk, layout.wal_dir, layout.only_segment, decoder)
    try:
        follower.begin(last, start)
        while True:
            is_quiet = True
            for item in follower.poll():
                is_quiet = False
                yield item
            if is_quiet and not wait():
                yield follower.ended()
                return
    finally:
        follower.close()


class _Follower:
    """Where the following of one log stands."""

    def __init__(
        self, disk: FileSystem, folder: Path, only: str | None, decoder: Decoder | None
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._only = only
        self._decoder = decoder
        self._tail: Tail | None = None
        self._outlook = Outlook()
        self._hidden = self._shown_from = 0
        self._listed: list[SegmentName] = []

    def close(self) -> None:
        """Close what is open."""
        if self._tail is not None:
            self._tail.close()

    def begin(self, last: int | None, place: Place | None) -> None:
        """Find the place to begin at."""
        self._listed = self._names()
        found = find_start(self._disk, self._folder, self._listed, last=last, place=place)
        if found is not None:
            self._tail, self._outlook = found.tail, found.outlook
            self._hidden, self._shown_from = found.hidden, found.offset

    def ended(self) -> Event:
        """The event that is the last item."""
        tail = self._tail
        return Event(
            kind=EventKind.ENDED,
            segment=None if tail is None else tail.segment,
            offset=None if tail is None else tail.offset,
            detail="the log goes on from here",
        )

    def poll(self) -> Iterator[Row | Event]:
        """What is new by now."""
        names = self._names()
        yield from self._purged(names)
        if self._tail is None:
            yield from self._first(names)
        if self._tail is None:
            return
        tail = self._tail
        later = [name for name in names if name.text > tail.segment]
        is_listed = any(name.text == tail.segment for name in names)
        if not is_listed and not later:
            yield from self._anew(names)
            return
        if is_listed:
            self._look_at_name(tail)
        if tail.is_rewound():
            yield self._rewound(tail)
        is_quiet = True
        for batch in tail.batches():
            is_quiet = False
            yield from self._records(tail, batch)
        if later:
            yield from self._next(tail, later)
        elif is_quiet:
            named = tail.wrong()
            if named is not None:
                yield from self._damage(tail, named)

    # Segments.

    def _names(self) -> list[SegmentName]:
        """The segments that there are, in order. Raises: AccessError when the directory is gone."""
        texts = self._disk.names(self._folder)
        if self._only is None:
            return wal_names.in_order(texts)
        only = wal_names.parse(self._only) or SegmentName(self._only, 0, 0)
        return [only] if self._only in texts else []

    def _purged(self, names: list[SegmentName]) -> Iterator[Event]:
        """Segments that went from the front of the log since they were listed."""
        gone = [name for name in self._listed if name not in names]
        self._listed = names
        first = names[0].text if names else ""
        for name in gone:
            if name.text < first:
                yield Event(
                    kind=EventKind.PURGED, segment=name.text, detail=self._how_much(name.text)
                )

    def _how_much(self, text: str) -> str:
        """How much of a segment that was removed had been read."""
        tail = self._tail
        if tail is None or text > tail.segment:
            return "the segment was removed before it was read"
        if text == tail.segment:
            return "the segment was removed; it is still open, and is read to its end"
        return "the segment was removed; the log goes on without it"

    def _first(self, names: list[SegmentName]) -> Iterator[Event]:
        """The first segment of a log that had none."""
        for name in names:
            tail = tail_at_head(self._disk, self._folder, name)
            if tail is not None:
                self._begin_with(tail)
                yield self._switched(name)
                return

    def _begin_with(self, tail: Tail) -> None:
        """Show all of a segment, knowing nothing of what is in it."""
        self._tail = tail
        self._hidden = self._shown_from = 0
        self._outlook = Outlook()

    def _anew(self, names: list[SegmentName]) -> Iterator[Event]:
        """The open segment is gone and none follows it: another log is there, or will be."""
        if not names:
            return
        assert self._tail is not None, "only a log that was followed can be made anew"
        tail = tail_at_head(self._disk, self._folder, names[-1])
        if tail is None:
            return
        self._tail.close()
        self._begin_with(tail)
        yield Event(
            kind=EventKind.REWOUND,
            segment=names[-1].text,
            offset=0,
            detail="the log was made anew: its last segment is read from the beginning",
        )

    def _look_at_name(self, tail: Tail) -> None:
        """Open the file that has the segment's name now, if it is another one."""
        path = self._folder / tail.segment
        try:
            is_other = self._disk.stat(path).inode != tail.inode
        except AccessError:
            if self._disk.exists(path):
                raise
            return
        if is_other:
            name = wal_names.parse(tail.segment) or SegmentName(tail.segment, 0, 0)
            file = open_segment(self._disk, self._folder, name)
            if file is not None:
                tail.replace_file(file, seed=seed_of(name))

    def _rewound(self, tail: Tail) -> Event:
        before = tail.reached.last
        tail.rewind()
        after = tail.reached.last
        self._begin_with(tail)
        return Event(
            kind=EventKind.REWOUND,
            segment=tail.segment,
            offset=tail.offset,
            first=after + 1 if after < before else None,
            last=before if after < before else None,
            detail="the segment was cut or written anew from here on; what is there now follows",
        )

    def _next(self, tail: Tail, later: list[SegmentName]) -> Iterator[Row | Event]:
        """Read the open segment to its end, and go on to the next one."""
        for name in later:
            file = open_segment(self._disk, self._folder, name)
            if file is not None:
                break
        else:
            return  # they went since they were listed
        here = wal_names.parse(tail.segment)
        is_next = here is None or name.seq <= here.seq + 1
        try:
            yield from self._rest(tail, head_of(file, name.text) if is_next else None)
        except AccessError:
            file.close()
            raise
        seed = tail.last_crc if is_next else seed_of(name)
        reached = tail.reached
        tail.close()
        self._tail = Tail(
            file,
            segment=name.text,
            seed=seed,
            reached=reached,
            settled_until=settled_in(name, self._outlook.end),
        )
        self._hidden = self._shown_from = 0
        if not is_next and here is not None:
            yield Event(
                kind=EventKind.PURGED,
                segment=name.text,
                detail=f"segments {here.seq + 1:x} to {name.seq - 1:x} are not there; "
                "they were removed before they were read, or lost",
            )
        yield self._switched(name)

    @staticmethod
    def _switched(name: SegmentName) -> Event:
        return Event(
            kind=EventKind.SEGMENT,
            segment=name.text,
            offset=0,
            detail="the log goes on in this segment",
        )

    def _rest(self, tail: Tail, next_head: Digest | None) -> Iterator[Row | Event]:
        for item in tail.rest(next_head):
            if isinstance(item, Batch):
                yield from self._records(tail, item)
            else:
                yield from self._damage(tail, item)

    # Records.

    def _records(self, tail: Tail, batch: Batch) -> Iterator[Row | Event]:
        """The rows of a batch, each with what it does to those before."""
        outlook = Outlook.of(batch, tail.reached)
        for frame in frames(batch, first_check=tail.first_check):
            start, stop = frame.span.start, frame.span.stop
            raw = bytes(batch.data[start - batch.base : stop - batch.base])
            events = list(_overwritten(tail, frame))
            tail.mark(frame, raw)
            if self._hidden or start < self._shown_from:
                self._hidden = max(self._hidden - 1, 0)
                continue
            yield from events
            yield from self._rows(frame, raw, self._status(frame, outlook))

    def _status(self, frame: Frame, outlook: Outlook) -> str | None:
        """What became of an entry, by what was there at the start or by its own batch."""
        if not isinstance(frame.record, Entry):
            return None
        where = (frame.segment, frame.span.start)
        if where < self._outlook.end:
            outlook = self._outlook
        return outlook.status(frame.record, where)

    def _rows(self, frame: Frame, raw: bytes, status: str | None) -> Iterator[Row]:
        request, problem = self._decoded(frame)
        yield RecordRow(frame=frame, raw=raw, status=status, request=request, problem=problem)
        if problem is not None:
            yield FindingRow(finding=undecodable(frame, problem), raw=raw)

    def _decoded(self, frame: Frame) -> tuple[Request | None, PayloadError | None]:
        entry = frame.record
        if self._decoder is None or not isinstance(entry, Entry) or not entry.payload:
            return None, None
        try:
            return self._decoder.decode(entry.payload, entry.kind), None
        except PayloadError as error:
            return None, error

    def _damage(self, tail: Tail, named: Named) -> Iterator[Row]:
        """The rows of a damage: the finding, and the damaged frame where there is one."""
        damage = named.damage
        if self._hidden or damage.start < self._shown_from:
            return
        size = min(damage.stop - damage.start, RAW_BYTES_MAX)
        yield FindingRow(finding=named.finding(), raw=tail.file.read_at(damage.start, size))
        if damage.head is not None:
            frame = damaged_frame(damage)
            raw = tail.file.read_at(frame.span.start, frame.span.length)
            status = self._status(frame, Outlook(tail.reached.commit))
            if status is not None and damage.recovered is None:
                status = UNKNOWN  # the bytes that say which entry it is may be the wrong ones
            yield RecordRow(frame=frame, raw=raw, status=status)


def _overwritten(tail: Tail, frame: Frame) -> Iterator[Event]:
    """What a record takes the place of, as far as that is remembered."""
    entry = frame.record
    if not isinstance(entry, Entry):
        return
    for run in tail.reached.replaced_by(entry.index):
        yield Event(
            kind=EventKind.OVERWRITTEN,
            segment=frame.segment,
            offset=frame.span.start,
            first=run.first,
            last=run.last,
            term=entry.term,
            replaced_term=run.term,
            detail="a new leader replaces these entries",
        )
