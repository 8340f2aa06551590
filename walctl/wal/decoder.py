"""etcd's decoder: which records its passes over a log get to see, and where and why they stop.

This is the loop that is inside ReadAll, Verify, ValidSnapshotEntries and Repair, by version:

    end of a file, or a length field of zero     the next file; behind the last one: EOF
    1 to 7 bytes of a length field               unexpected EOF
    a length beyond the version's limit          an error, or (since 3.5.7) unexpected EOF
    a frame beyond the end of the file           unexpected EOF
    bytes that are no record                     torn: unexpected EOF; else the parser's words
    a checksum that does not fit                 torn: unexpected EOF; else a mismatch
    a CRC record against the running checksum    adopted when that is 0 or equal; else a mismatch

The running checksum starts at 0 and goes on from file to file. "Torn" is asked in the last file
only: one chunk of the frame, cut at sectors, is all zeros. gogo's own "message ends too early" is
the same unexpected EOF, so it counts as one without any test.

What the scan found whole is not decoded again: a `Stretch` is passed on as it is when it begins
where the decoder stands and continues its checksum. Records are read one by one only where the
scan saw damage, or where a version stops at what others read. What the passes make of the records
is not here (`owner`).

Source: etcd-data-dir notes 2.4 to 2.7 and 3.3, checked against etcd 3.4.23, 3.5.1 and 3.6.14.
"""

import enum
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import crc32c

from formats import walpb
from formats.errors import FormatError, TruncatedError
from formats.frame import LENGTH_FIELD_BYTES, sector_parts, split_length
from formats.limits import MESSAGE_BYTES_MAX
from formats.walpb import RecordType
from walctl.fs.base import File
from walctl.model.log import Stretch
from walctl.wal.fold import Digest
from walctl.wal.names import SegmentName
from walctl.wal.shapes import OLD_RECORD_BYTES_MAX

UNEXPECTED_EOF = "unexpected EOF"
"""The words of Go's io.ErrUnexpectedEOF."""


class Version(enum.StrEnum):
    """Releases of etcd that read a log alike; ascending."""

    V3_4 = "3.4"
    V3_5_0 = "3.5.0-3.5.4"
    V3_5_5 = "3.5.5-3.5.6"
    V3_5_7 = "3.5.7+"
    V3_6 = "3.6"

    @property
    def has_fixed_limit(self) -> bool:
        """Whether records of 10 MiB and more are refused, even its own."""
        return self in (Version.V3_4, Version.V3_5_0)

    @property
    def names_places(self) -> bool:
        """Whether errors carry file and offset, or indexes."""
        return self is Version.V3_6


class Ending(enum.Enum):
    """Why the decoder stopped, as its callers tell the reasons apart."""

    EOF = "the log ends"
    UNEXPECTED_EOF = "what etcd takes for an unfinished write"
    ERROR = "anything else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One segment for the owner's eyes, in etcd's order; the file stays its opener's.

    `cut` is where the file would end after a repair; `None`: as long as it was when scanned.
    """

    name: SegmentName
    file: File
    digest: Digest
    cut: int | None = None

    @property
    def size(self) -> int:
        """Bytes that the decoder may read."""
        return self.digest.size if self.cut is None else min(self.cut, self.digest.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """One record that was decoded by itself; its checksum fits, its payload may be anything."""

    source: Source
    start: int
    stop: int
    raw_type: int
    stored: int
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A part that the scan found whole, and that etcd reads record by record to its end."""

    source: Source
    stretch: Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where and why the decoder stopped; `offset` is behind the last good frame of that segment.

    `words` are etcd's own (`EOF` at the end); `crc` is the running checksum. `source` is `None`
    only when there was nothing to read.
    """

    source: Source | None
    offset: int
    ending: Ending
    words: str
    crc: int

    @property
    def segment(self) -> str | None:
        """Name of the segment."""
        return self.source.name.text if self.source is not None else None

    def __str__(self) -> str:
        """As tools on etcd's decoder report it: END SEGMENT OFFSET WORDS."""
        return f"END {self.segment or '-'} {self.offset} {self.words}"


Event = Whole | Loose | Stop


def decode(sources: Sequence[Source], version: Version) -> Iterator[Event]:
    """Yield what etcd's decoder gives for these segments one after the other, at last a `Stop`.

    Never raises for bytes; an `AccessError` of the disk passes through.
    """
    running = 0
    reader = None
    for position, source in enumerate(sources, 1):
        reader = _Reader(source, version, is_last=position == len(sources), running=running)
        stop = yield from reader.read()
        if stop is not None:
            yield stop
            return
        running = reader.running
    yield Stop(
        source=sources[-1] if sources else None,
        offset=reader.offset if reader is not None else 0,
        ending=Ending.EOF,
        words="EOF",
        crc=running,
    )


def is_torn(data: bytes, offset: int) -> bool:
    """Whether one chunk of `data`, cut at multiples of 512 in the file, is nothing but zeros.

    `offset` is that of `data[0]`. Source: etcd `isTornEntry`.
    """
    return any(
        data.count(0, start, stop) == stop - start
        for start, stop in sector_parts(len(data), offset)
    )


class _Reader:
    """The decoder's state within one segment."""

    def __init__(self, source: Source, version: Version, *, is_last: bool, running: int) -> None:
        self.source = source
        self.version = version
        self.is_last = is_last
        self.running = running
        self.offset = 0
        self.whole = {
            stretch.span.start: stretch
            for stretch in source.digest.stretches
            if not stretch.is_recovered and stretch.span.stop <= source.size
        }

    def read(self) -> Generator[Event, None, Stop | None]:
        """Records up to the segment's end (then it returns `None`) or to the end of it all."""
        while True:
            stretch = self.whole.get(self.offset)
            if stretch is not None and self._is_read_on(stretch):
                self.offset, self.running = stretch.span.stop, stretch.crc
                yield Whole(source=self.source, stretch=stretch)
                continue
            found = self._record()
            if not isinstance(found, Loose):
                return found
            self.offset, self.running = found.stop, found.stored
            yield found

    def _is_read_on(self, stretch: Stretch) -> bool:
        """Whether etcd, standing at its start, reads all of it as the scan did."""
        if stretch.oversize and self.version.has_fixed_limit:
            return False
        if stretch.seed == self.running:
            return True
        # Its first record was taken on trust, or from a segment before that etcd has not read.
        running = self.running
        is_first_read = isinstance(self._record(), Loose)
        self.running = running
        return is_first_read

    def _record(self) -> Loose | Stop | None:
        """The next record, its checksum looked at; `None` at the end of this file."""
        found = self._frame()
        if not isinstance(found, tuple):
            return found
        length, body = found
        start = self.offset + LENGTH_FIELD_BYTES
        try:
            record = walpb.RECORD.parse(body[:length])
        except TruncatedError:
            return self._unexpected_eof()
        except FormatError as error:
            is_torn_here = self.is_last and is_torn(body, start)
            return self._unexpected_eof() if is_torn_here else self._error(error.message)
        loose = Loose(
            source=self.source,
            start=self.offset,
            stop=start + len(body),
            raw_type=record.type or 0,
            stored=record.crc or 0,
            data=record.data,
        )
        if loose.raw_type == RecordType.CRC:
            is_adopted = self.running in (0, loose.stored)
            return loose if is_adopted else self._error(self._head_mismatch)
        computed = crc32c.crc32c(loose.data or b"", self.running)
        if computed == loose.stored:
            return loose
        return self._mismatch(loose, body, computed)

    def _frame(self) -> tuple[int, bytes] | Stop | None:
        """Length of the next record, and the bytes of record and padding."""
        source, start = self.source, self.offset + LENGTH_FIELD_BYTES
        left = source.size - self.offset
        field = source.file.read_at(self.offset, min(LENGTH_FIELD_BYTES, left))
        if not any(field) and len(field) in (0, LENGTH_FIELD_BYTES):
            return None
        if len(field) < LENGTH_FIELD_BYTES:
            return self._unexpected_eof()
        length = split_length(int.from_bytes(field, "little"))
        stop = self._beyond_limit(length.record_bytes, length.padding_bytes)
        if stop is not None:
            return stop
        wanted = length.record_bytes + length.padding_bytes
        if wanted > source.size - start:
            return self._unexpected_eof()
        if wanted > MESSAGE_BYTES_MAX:
            return self._error(f"a record of {wanted} bytes is more than walctl reads")
        body = source.file.read_at(start, wanted)
        if len(body) < wanted:
            return self._unexpected_eof()
        return length.record_bytes, body

    def _beyond_limit(self, record_bytes: int, padding_bytes: int) -> Stop | None:
        """What the version does with a length beyond its limit; `None` within."""
        version, size, offset = self.version, self.source.size, self.offset
        words = "max entry size limit exceeded"
        if version.has_fixed_limit:
            is_beyond = record_bytes >= OLD_RECORD_BYTES_MAX - padding_bytes
            return self._error(f"wal: {words}") if is_beyond else None
        limit = size - offset - padding_bytes
        if record_bytes <= limit:
            return None
        figures = (
            f"recBytes: {record_bytes}, fileSize({size}) - offset({offset})"
            f" - padBytes({padding_bytes}) = entryLimit({limit})"
        )
        if version is Version.V3_5_5:
            return self._error(f"wal: {words}, {figures}")
        verb = "reading" if version is Version.V3_6 else "decoding"
        return self._unexpected_eof(f': [wal] {words} when {verb} "{self._name}", {figures}')

    def _mismatch(self, loose: Loose, body: bytes, computed: int) -> Stop:
        """A checksum that does not fit; by then the running one has taken in the bad data."""
        self.running = computed
        place = f": in file '{self._name}' at position: {self.offset}"
        if self.is_last and is_torn(body, loose.start + LENGTH_FIELD_BYTES):
            return self._unexpected_eof(place if self.version.names_places else "")
        words = "walpb: crc mismatch"
        if self.version.names_places:
            words += f": expected: {loose.stored:x} computed: {computed:x}{place}"
        return self._error(words)

    @property
    def _head_mismatch(self) -> str:
        return "walpb: crc mismatch" if self.version.names_places else "wal: crc mismatch"

    @property
    def _name(self) -> str:
        return self.source.name.text

    def _unexpected_eof(self, more: str = "") -> Stop:
        return self._stop(Ending.UNEXPECTED_EOF, UNEXPECTED_EOF + more)

    def _error(self, words: str) -> Stop:
        return self._stop(Ending.ERROR, words)

    def _stop(self, ending: Ending, words: str) -> Stop:
        return Stop(
            source=self.source, offset=self.offset, ending=ending, words=words, crc=self.running
        )
