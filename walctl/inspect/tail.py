"""One segment, read while a server writes it.

A server writes in order, but a reader may see a write half-way: a length field without its record,
some sectors of a record and not the others. None of that is damage yet. The rules here:

* Whole frames whose checksums continue the log are given at once.
* At anything else the reader stands still, and reads the same place again at the next poll.
* It is damage where the bytes stay the same for `SETTLED_POLLS`, while the log goes on behind them
  in a later Save or nothing at all is written to the file. Of what was there when following began,
  and had a later Save behind it by then, one poll more is asked.
* Damage is told once, by the name that the scan gives it. Where the log goes on behind, reading
  goes on there; otherwise the same place is read further on, for it may still become whole.

What was read is not read again. The heads of the last frames are remembered instead (`marks`); when
the last one is not there any more, the log was cut or written anew, and reading goes back to the
last frame that still is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import crc32c

from formats.frame import LENGTH_FIELD_BYTES, SECTOR_BYTES
from formats.limits import WINDOW_BYTES
from walctl.fs.base import File
from walctl.inspect.marks import HEAD_BYTES, Mark, Marks
from walctl.inspect.reached import Reached
from walctl.model.batch import Batch
from walctl.model.log import Run, Stretch
from walctl.model.record import Check, Frame, Span
from walctl.wal.fold import Digest, add, begin, digest
from walctl.wal.forensics import Named, name_all
from walctl.wal.kernel import Cursor, Halt, Kernel
from walctl.wal.scan import Damage, End, GoesOn, scan
from walctl.wal.window import Window, first_nonzero

SETTLED_POLLS = 5
"""Polls without a change of the place after which what is not whole is taken for damage."""
PATIENT_POLLS = 1000 * SETTLED_POLLS
"""Polls without a record after which it is, although the file changes: nothing comes of that."""
LIVE_WINDOW_BYTES = 1 << 16
"""What is read at once: a server's write has some kilobytes, zeros behind it are of no use."""


@dataclass(slots=True)
class _Doubt:
    """Bytes at the cursor that are no whole frame, as they were looked at.

    `since` is the poll at which they were first found so, `began` that at which anything was wrong.
    """

    named: Named
    evidence: tuple[int, int, Halt, int]
    since: int
    began: int


class Tail:
    """One open segment; owns `file`.

    Whoever takes its batches calls `mark` for each frame before the next batch is asked for.
    `marks` are frames in front of `cursor`; up to `settled_until` a log was there before.
    """

    def __init__(
        self,
        file: File,
        *,
        segment: str,
        seed: int | None,
        reached: Reached,
        marks: list[Mark] | None = None,
        cursor: Cursor | None = None,
        settled_until: int = 0,
    ) -> None:
        self.file = file
        self.segment = segment
        self.inode = file.stat().inode
        self.reached = reached
        self.first_check = Check.UNVERIFIABLE
        self._seed = seed
        self._begins = reached
        self._marks = Marks(marks or [])
        self._poll = 0
        self._cursor = cursor or Cursor(running=seed)
        self._last_crc: int | None = None
        self._settled_until = settled_until
        self._start_reading()

    @property
    def offset(self) -> int:
        """Where the next record is expected."""
        return self._cursor.position

    @property
    def last_crc(self) -> int | None:
        """The checksum that the next segment has to begin with, once `rest` was read."""
        return self._last_crc

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _start_reading(self) -> None:
        """Begin at the cursor, knowing nothing of what is there."""
        self._window = Window(self.file, size=0, window_bytes=LIVE_WINDOW_BYTES)
        self._kernel = Kernel(self.segment, self._window, self._cursor)
        self._halt = Halt.WINDOW
        self._doubt: _Doubt | None = None
        self._told: int | None = None
        self._stamp: tuple[int, int] | None = None
        self._looked_at: tuple[int, int] | None = None
        self._probe: tuple[int, bytes] | None = None
        self._is_first_look = True
        self._changed = self._still_polls = 0

    # What is there.

    def batches(self) -> Iterator[Batch]:
        """Whole frames behind the cursor, as far as they are there now."""
        cursor, window = self._cursor, self._window
        length_field = self.file.read_at(cursor.position, LENGTH_FIELD_BYTES)
        if not any(length_field):
            self._halt = Halt.ZERO if length_field else Halt.END
            return
        window.size = self.file.stat().size
        window.load(cursor.position)
        while True:
            batch, self._halt = self._kernel.read()
            if batch.offsets:
                self._doubt = self._told = None
                yield batch
                self.first_check = Check.UNVERIFIABLE
            if self._halt is not Halt.WINDOW:
                return
            window.load(cursor.position)

    def mark(self, frame: Frame, raw: bytes) -> None:
        """Remember a frame of the current batch, whose bytes are `raw`."""
        self.reached = self.reached.with_record(frame.record)
        span = frame.span
        self._marks.add(Mark(span.start, span.stop, raw[:HEAD_BYTES], frame.stored, self.reached))

    # What went back.

    def is_rewound(self) -> bool:
        """Whether the last frame that was read is no longer there."""
        last = self._marks.last
        return last is not None and not self._holds(last)

    def _holds(self, mark: Mark) -> bool:
        if mark.stop > self.file.stat().size:
            return False
        return self.file.read_at(mark.start, len(mark.head)) == mark.head

    def rewind(self) -> None:
        """Go back to the last frame that is still there; without one, to the file's beginning."""
        # The first record of a log is the same in all of them, so it vouches for nothing.
        while (last := self._marks.last) is not None:
            if last.start > 0 and self._holds(last):
                break
            self._marks.drop_last()
        if last is not None:
            self.reached = last.reached
            self._cursor = last.cursor()
        else:
            self.reached = self._begins
            self._cursor = Cursor(running=self._seed)
        self.first_check = Check.UNVERIFIABLE
        self._settled_until = 0
        self._start_reading()

    def replace_file(self, file: File, *, seed: int | None) -> None:
        """Read on in another file that has the name now; `seed` is for its first record."""
        self.file.close()
        self.file = file
        self.inode = file.stat().inode
        self._seed = seed
        self._start_reading()

    # What is wrong.

    def wrong(self) -> Named | None:
        """The damage at the cursor, once it is certain; to be asked after a poll without records.

        The cursor is then behind it, if the log goes on there.
        """
        self._poll += 1
        if self._halt is Halt.END:
            self._doubt = None
            return None
        if not self._consider():
            return None
        doubt = self._doubt
        if doubt is None or not self._is_certain(doubt):
            return None
        is_told, self._told = self._told == self.offset, self.offset
        if doubt.named.damage.goes_on is not GoesOn.NOT:
            self._pass(doubt.named)
        return None if is_told else doubt.named

    def _consider(self) -> bool:
        """Look into what is not whole: once, where nothing is written; else now and again.

        False where the file has changed since it was last looked into.
        """
        stat = self.file.stat()
        stamp = (stat.size, stat.mtime_ns)
        if stamp == self._looked_at:
            return True
        if not self._is_still():
            self._doubt = None
            self._still_polls = 0
            return False
        self._still_polls += 1
        if stamp != self._stamp:
            self._stamp, self._changed = stamp, self._poll
            if self._still_polls % SETTLED_POLLS:
                return False
        self._looked_at = stamp
        self._doubt = self._look(self._doubt)
        return True

    def _is_certain(self, doubt: _Doubt) -> bool:
        if self._poll - doubt.began >= PATIENT_POLLS:
            return True
        if doubt.named.behind.later_batch:
            is_old = doubt.named.damage.stop < self._settled_until
            return self._poll - doubt.since >= (1 if is_old else SETTLED_POLLS)
        return self._poll - self._changed >= SETTLED_POLLS

    def _is_still(self) -> bool:
        """Whether the place is as it was at the last poll; a write half-way is not looked into."""
        head = self._kernel.head
        stop = self.offset + SECTOR_BYTES
        if head is not None and head.start == self.offset:
            stop = max(stop, min(head.stop, self.offset + LIVE_WINDOW_BYTES))
        probe = (self.offset, self.file.read_at(self.offset, stop - self.offset))
        is_same, self._probe = probe == self._probe, probe
        return is_same

    def _look(self, before: _Doubt | None) -> _Doubt | None:
        """What is at the cursor now, if it is neither records nor the clean end."""
        offset = self.offset
        if self._halt is Halt.ZERO and not self._is_first_look:
            # Of a server's next write something lies near; the rest of the file is not searched.
            size = self.file.stat().size
            if first_nonzero(self.file, offset, min(size, offset + LIVE_WINDOW_BYTES)) is None:
                return None
        self._is_first_look = False
        found = self._named(None)
        if not found or found[0].damage.start != offset:
            return None
        damage = found[0].damage
        crc = _crc_of(self.file, damage.start, damage.stop)
        evidence = (damage.start, damage.stop, damage.halt, crc)
        if before is None:
            return _Doubt(found[0], evidence, self._poll, self._poll)
        since = before.since if before.evidence == evidence else self._poll
        return _Doubt(found[0], evidence, since, before.began)

    def _named(self, next_head: Digest | None) -> list[Named]:
        """Every damage from the cursor to the end; `next_head` is of the segment behind this."""
        rest = digest(self.file, segment=self.segment, cursor=replace(self._cursor))
        if not rest.damages:
            return []
        if self.reached.runs:
            rest.items.insert(0, self._front())
        digests = [rest] if next_head is None else [rest, next_head]
        return name_all(digests, {self.segment: self.file})

    def _front(self) -> Stretch:
        """What lies in front of the cursor, as far as a damage needs to know its neighbour."""
        reached, offset = self.reached, self.offset
        run = Run(
            segment=self.segment,
            first=reached.runs[-1].first,
            last=reached.last,
            term=reached.term,
            start=0,
            stop=offset,
        )
        crc = self._cursor.running or 0
        front = Stretch(
            segment=self.segment, span=Span(0, offset), seed=None, first_crc=crc, crc=crc
        )
        front.runs.append(run)
        return front

    def _pass(self, named: Named) -> None:
        """Move behind a damage, to where the log goes on."""
        cursor = replace(self._cursor)
        for item in scan(self.file, segment=self.segment, cursor=cursor):
            if not isinstance(item, Damage) or item.start != named.damage.start:
                return  # it became whole just now: the next poll reads it
            break
        self.passed(named.damage, cursor)
        self._cursor = cursor
        self._start_reading()

    def passed(self, damage: Damage, cursor: Cursor) -> None:
        """Remember a damage that was passed over; `cursor` is where the log goes on."""
        self.first_check = damage.resumed
        if damage.recovered is not None:
            self.reached = self.reached.with_record(damage.recovered)
        head = self.file.read_at(damage.start, HEAD_BYTES)
        stop = cursor.position
        self._marks.add(Mark(damage.start, stop, head, cursor.running, self.reached))

    # What is complete.

    def rest(self, next_head: Digest | None) -> Iterator[Batch | Named]:
        """All that is left of a segment that is written to its end, damage in its place.

        `next_head` is of the segment that goes on, as far as it was looked at.
        """
        named = {each.damage.start: each for each in self._named(next_head)}
        self._last_crc = self._cursor.running
        for item in scan(self.file, segment=self.segment, cursor=self._cursor):
            match item:
                case Batch():
                    self._last_crc = item.crc
                    yield item
                    self.first_check = Check.UNVERIFIABLE
                case Damage():
                    # As a survey does: where the end was lost, the next head is taken on trust.
                    self._last_crc = Digest(segment=self.segment, items=[item]).last_crc
                    told = self._told
                    self.passed(item, self._cursor)
                    found = named.get(item.start)
                    if found is not None and item.start != told:
                        yield found
                case End():
                    return


def head_of(file: File, segment: str) -> Digest:
    """The first records of a segment: as much as one needs to know how it begins."""
    head = Digest(segment=segment)
    for item in scan(file, segment=segment, window_bytes=LIVE_WINDOW_BYTES):
        if isinstance(item, Batch):
            stretch = begin(item)
            add(stretch, item)
            head.items.append(stretch)
        break
    return head


def _crc_of(file: File, start: int, stop: int) -> int:
    crc = 0
    while start < stop:
        piece = file.read_at(start, min(WINDOW_BYTES, stop - start))
        if not piece:
            break
        crc = crc32c.crc32c(piece, crc)
        start += len(piece)
    return crc
