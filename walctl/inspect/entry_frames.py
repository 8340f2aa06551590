"""The entries of a run, read again from their frames: the scan has found them whole before.

What the survey knows of a run is what its entries have in common: one term, and indexes without a
gap. So of a frame that etcd wrote only two numbers are looked at, how long it is and where the
entry's data begins; its other bytes are compared with the only form that etcd gives them. A frame
of any other form is read by the definition. A test holds the two against each other on every
frame of real logs.
"""

import functools
import re
import struct
from collections.abc import Iterator

from formats import raftpb, walpb
from formats.errors import FormatError, TruncatedError, WireError
from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.limits import WINDOW_BYTES
from formats.varint import whole_varint
from formats.walpb import RecordType
from walctl.errors import AccessError
from walctl.fs.base import File
from walctl.model.log import Run
from walctl.model.record import Entry, EntryKind
from walctl.wal.records import lift_entry

_VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_USUAL = re.compile(
    # Type, checksum, and the length of the data: of a hard state, or of an entry with its kind,
    # term, index, and the length of its own data.
    rb"\x08(?:\x03\x10(?:%(v)s)\x1a(%(v)s)"
    rb"|\x02\x10(?:%(v)s)\x1a(%(v)s)(?:\x08([\x00-\x02]))?\x10(?:%(v)s)\x18(?:%(v)s)"
    rb"(?:\x22(%(v)s))?)" % {b"v": _VARINT}
).match
_KINDS = (EntryKind.NORMAL, EntryKind.CONF_CHANGE, EntryKind.CONF_CHANGE_V2)
_LENGTH_FIELD = struct.Struct("<Q").unpack_from

_size_of = functools.lru_cache(maxsize=1 << 12)(whole_varint)


def entries_of(file: File, run: Run, *, first: int, last: int) -> Iterator[Entry]:
    """The entries `first..last` (both included) of a run, which has them all.

    Raises: AccessError, when the segment is not what it was when it was surveyed.
    """
    try:
        for entry in _entries(file, run):
            if entry.index >= first:
                yield entry
            if entry.index >= last:
                return
        raise TruncatedError(f"entry {last} is gone")
    except FormatError as error:
        raise AccessError(f"{file.path}: changed while it was read: {error.message}") from error


def _entries(file: File, run: Run) -> Iterator[Entry]:
    """Every entry between the offsets of a run, a window at a time."""
    start, index, wanted = run.start, run.first, WINDOW_BYTES
    while start < run.stop:
        wanted = min(wanted, run.stop - start)
        window = file.read_at(start, wanted)
        stop, at, frame_bytes = len(window), 0, 0
        while at + LENGTH_FIELD_BYTES <= stop:
            record_bytes, frame_bytes = _lengths(_LENGTH_FIELD(window, at)[0])
            if at + frame_bytes > stop:
                break
            body = at + LENGTH_FIELD_BYTES
            entry = _entry(window, body, body + record_bytes, run.term, index)
            if entry is not None:
                yield entry
                index += 1
            at += frame_bytes
        # A frame longer than a window is read by itself.
        if at == 0 and (stop < wanted or not stop < frame_bytes <= run.stop - start):
            raise TruncatedError(f"no whole frame stands at {start}")
        start += at
        wanted = max(WINDOW_BYTES, frame_bytes)


@functools.lru_cache(maxsize=1 << 12)
def _lengths(word: int) -> tuple[int, int]:
    """Bytes of the record and of the whole frame behind this length field."""
    length = split_length(word)
    return length.record_bytes, (LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes)


def _entry(window: bytes, start: int, stop: int, term: int, index: int) -> Entry | None:
    """The entry in the record `[start, stop)` of a window; `None` where that is no entry."""
    found = _USUAL(window, start, stop)
    if found is None:
        return _by_definition(window[start:stop], term, index)
    state, data, kind, inner = found.groups()
    end = found.end()
    if state is not None:
        is_usual = _size_of(state) == stop - end
        return None if is_usual else _by_definition(window[start:stop], term, index)
    payload_bytes = 0 if inner is None else _size_of(inner)
    if _size_of(data) != stop - found.end(2) or payload_bytes != stop - end:
        return _by_definition(window[start:stop], term, index)
    raw_kind = 0 if kind is None else kind[0]
    return Entry(
        index=index,
        term=term,
        kind=_KINDS[raw_kind],
        raw_kind=raw_kind,
        payload=None if inner is None else window[end:stop],
    )


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
