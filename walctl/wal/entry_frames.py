"""The entries of a run, read again from their frames: the scan has found them whole before.

What is known of a run is what its entries have in common: one term, and indexes without a gap. So
of a frame that etcd wrote only two numbers are looked at, how long it is and where the entry's
data begins; its other bytes are compared with the only form that etcd gives them. A frame of any
other form is read by the definition. A test holds the two against each other on every frame of
real logs.
"""

import functools
import itertools
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from formats import raftpb, walpb
from formats.errors import FormatError, TruncatedError, WireError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import WINDOW_BYTES
from formats.varint import whole_varint
from formats.walpb import RecordType
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.model.log import Run
from walctl.model.record import Entry
from walctl.wal.records import entry_kind, lift_entry

_VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_USUAL = re.compile(
    # Type, checksum, and the length of the data: of a hard state, or of an entry with its kind,
    # term, index, and the length of its own data.
    rb"\x08(?:\x03\x10(?:%(v)s)\x1a(%(v)s)"
    rb"|\x02\x10(?:%(v)s)\x1a(%(v)s)(?:\x08([\x00-\x02]))?\x10(?:%(v)s)\x18(?:%(v)s)"
    rb"(?:\x22(%(v)s))?)" % {b"v": _VARINT}
).match
_TYPE_TAG, _CRC_TAG, _ONE_BYTE_MAX = 0x08, 0x10, 0x7F
_RECORD_BYTES_MIN = 4
"""A type and a checksum, of one byte each with their tags."""
_LENGTH_FIELD = struct.Struct("<Q").unpack_from

T = TypeVar("T")

_size_of = functools.lru_cache(maxsize=1 << 12)(whole_varint)


def entries_of(file: File, run: Run, *, first: int, last: int) -> Iterator[Entry]:
    """The entries `first..last` (both included) of a run, which has them all.

    Raises: AccessError, when the segment is not what it was when it was surveyed.
    """
    return made_of(file, run, first=first, last=last, make=_log_entry)


def made_of(
    file: File, run: Run, *, first: int, last: int, make: Callable[[int, int, int, bytes | None], T]
) -> Iterator[T]:
    """The same, as values that `make` makes of term, index, raw kind and payload: each entry is
    one object then, and not one of the log's first.

    Raises: AccessError, as `entries_of`.
    """
    try:
        for index, entry in enumerate(_entries(file, run, make), run.first):
            if index >= first:
                yield entry
            if index >= last:
                return
        raise TruncatedError(f"entry {last} is gone")
    except FormatError as error:
        raise _changed(file, error) from error


def offsets_of(file: File, run: Run) -> Iterator[int]:
    """Where the frame of each entry of a run stands, ascending: offsets of the file.

    Raises: AccessError, as `entries_of`.
    """
    return (offset for offset, _ in places_of(file, run))


def places_of(file: File, run: Run) -> Iterator[tuple[int, int]]:
    """Where the frame of each entry of a run stands, and how many bytes it has, padding included.

    Raises: AccessError, as `entries_of`.
    """
    index = run.first
    try:
        for offset, window, start, stop in _frames(file, run.start, run.stop):
            if _is_entry(window, start, stop):
                word = _LENGTH_FIELD(window, start - LENGTH_FIELD_BYTES)[0]
                yield offset, _lengths(word)[1]
                index += 1
            if index > run.last:
                return
        raise TruncatedError(f"entry {index} is gone")
    except FormatError as error:
        raise _changed(file, error) from error


def entry_offset(file: File, run: Run, index: int) -> int:
    """Offset of the frame of entry `index`, one of `run`. Raises: AccessError, as `entries_of`."""
    assert run.first <= index <= run.last, "the run holds the entry"
    return next(itertools.islice(offsets_of(file, run), index - run.first, None))


def runs_behind(runs: Iterable[Run], index: int, file_of: Callable[[str], File]) -> Iterator[Run]:
    """What of `runs`, in file order, lies behind `index`; `file_of` gives a segment, open.

    The rest replaces nothing, as etcd reads a log from a snapshot on. Raises: AccessError.
    """
    for run in runs:
        if run.first > index or (run.last > index and run.is_recovered):
            yield run
        elif run.last > index:
            start = entry_offset(file_of(run.segment), run, index + 1)
            yield replace(run, first=index + 1, start=start)


def _changed(file: File, error: FormatError) -> AccessError:
    return AccessError(f"{file.path}: changed while it was read: {error.message}")


def _is_entry(window: bytes, start: int, stop: int) -> bool:
    """Whether a record is an entry; one in another form than etcd's is read by the definition."""
    tag, kind, next_tag = window[start : start + 3]
    if tag == _TYPE_TAG and kind <= _ONE_BYTE_MAX and next_tag == _CRC_TAG:
        return kind == RecordType.ENTRY
    return walpb.RECORD.parse(window[start:stop]).type == RecordType.ENTRY


def _log_entry(term: int, index: int, raw_kind: int, payload: bytes | None) -> Entry:
    kind = entry_kind(raw_kind)
    return Entry(index=index, term=term, kind=kind, raw_kind=raw_kind, payload=payload)


def _entries(file: File, run: Run, make: Callable[[int, int, int, bytes | None], T]) -> Iterator[T]:
    """Every entry between the offsets of a run."""
    index, term = run.first, run.term
    for _, window, start, stop in _frames(file, run.start, run.stop):
        entry = _entry(window, start, stop, term, index, make)
        if entry is not None:
            yield entry
            index += 1


def _frames(file: File, start: int, stop: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Every frame in `[start, stop)` of a file: its offset, a window of the file, and where in that
    its record begins and ends. One window is in memory at a time.

    Raises: TruncatedError.
    """
    wanted = WINDOW_BYTES
    while start < stop:
        wanted = min(wanted, stop - start)
        window = file.read_at(start, wanted)
        found, at, frame_bytes = len(window), 0, 0
        while at + LENGTH_FIELD_BYTES <= found:
            record_bytes, frame_bytes = _lengths(_LENGTH_FIELD(window, at)[0])
            if at + frame_bytes > found or record_bytes < _RECORD_BYTES_MIN:
                break
            body = at + LENGTH_FIELD_BYTES
            yield start + at, window, body, body + record_bytes
            at += frame_bytes
        # A frame longer than a window is read by itself.
        if at == 0 and (found < wanted or not found < frame_bytes <= stop - start):
            raise TruncatedError(f"no whole frame stands at {start}")
        start += at
        wanted = max(WINDOW_BYTES, frame_bytes)


@functools.lru_cache(maxsize=1 << 12)
def _lengths(word: int) -> tuple[int, int]:
    """Bytes of the record and of the whole frame behind this length field."""
    length = split_length(word)
    return length.record_bytes, (LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes)


def _entry(
    window: bytes,
    start: int,
    stop: int,
    term: int,
    index: int,
    make: Callable[[int, int, int, bytes | None], T],
) -> T | None:
    """The entry in the record `[start, stop)` of a window; `None` where that is no entry."""
    found = _USUAL(window, start, stop)
    if found is not None:
        state, data, kind, inner = found.groups()
        end = found.end()
        if state is not None:
            if _size_of(state) == stop - end:
                return None
        elif _size_of(data) == stop - found.end(2):
            payload_bytes = 0 if inner is None else _size_of(inner)
            if payload_bytes == stop - end:
                payload = None if inner is None else window[end:stop]
                return make(term, index, 0 if kind is None else kind[0], payload)
    entry = _by_definition(window[start:stop], term, index)
    return None if entry is None else make(term, index, entry.raw_kind, entry.payload)


def _by_definition(data: bytes, term: int, index: int) -> Entry | None:
    """The same by the codecs, whatever form the record has."""
    record = walpb.RECORD.parse(data)
    if record.type != RecordType.ENTRY:
        return None
    entry, _ = lift_entry(raftpb.ENTRY.parse(record.data or b""))
    if (entry.term, entry.index) != (term, index):
        found = f"entry {entry.index} of term {entry.term}"
        raise WireError(f"{found} stands where {index} of term {term} was")
    return entry
