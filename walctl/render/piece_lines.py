"""Lines of whole pieces, as bytes: what usual frames say is cut out by position, not parsed.

Nearly every record of a log is an entry that puts one key, or a hard state, in the form in which
etcd writes it. Those go to a `Form` as what stands in them; whatever is not exactly so goes there
as a row. The piece was scanned before, so what a frame holds is known to parse; here only its form
is in question. A test holds both ways to be equal for every record of real logs.

How a put lies in its frame, where `…` are varints and what is in brackets may be missing:

    LENGTH  08 02  10 crc  1a …  [08 00]  10 term  18 index  22 …  payload
    payload =  22 …  0a … key  12 … value  [18 lease]  a2 06 …  08 id
"""

import re
import struct
from collections.abc import Iterator
from typing import Protocol

from formats.frame import LENGTH_FIELD_BYTES
from formats.varint import build_varint, whole_varint
from walctl.inspect.fate import Fate, Piece
from walctl.inspect.flow import Covers, Single
from walctl.inspect.frames import frame_at
from walctl.inspect.row import COMMITTED, Row
from walctl.inspect.select import Choice
from walctl.inspect.standing import index_behind, index_of
from walctl.model.record import Entry, Frame
from walctl.render.put_shapes import CRC_BYTES, PutShapes

_VARINT = rb"([\x80-\xff]{0,9}[\x00-\x7f])"
_ENTRY = re.compile(
    rb"\x08\x02\x10%b\x1a%b(?:\x08\x00)?\x10%b\x18%b\x22%b" % ((_VARINT,) * 5)
).match
_STATE = re.compile(rb"\x08\x03\x10%b\x1a%b\x08%b\x10%b\x18%b" % ((_VARINT,) * 5)).match
_PUT = re.compile(rb"\x22%b\x0a%b" % (_VARINT, _VARINT)).match
_VALUE = re.compile(rb"\x12%b" % _VARINT).match
_LEASE = re.compile(rb"\x18%b" % _VARINT).match
_HEADER = re.compile(rb"\xa2\x06([\x02-\x0b])\x08%b" % _VARINT).fullmatch

_WORDS = struct.Struct("<QQ").unpack_from
"""Length field and the first eight bytes of the record; every record has as many."""
_RECORD_BYTES = (1 << 56) - 1
_LEASE_MAX = (1 << 63) - 1
_CACHED_MAX = 1 << 12


PutFields = tuple[bytes, bytes, int, int]
"""Key, value, lease (0: none) and request id of a request that puts one key and says no more."""


class Form(Protocol):
    """Turns rows into text; `None` for what is usual means: show it as a row.

    `put` and `state` are for records of the segment that was begun last, which lie at `offset`
    with `length` bytes, and whose checksum `crc` fits.
    """

    def begin(self, segment: str) -> None:
        """What comes next is of this segment."""

    def put(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        fields: PutFields,
        status: str,
    ) -> bytes | None:
        """The line of a normal entry, whose payload is a put."""

    def request(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        status: str,
    ) -> bytes | None:
        """The line of a normal entry with another payload, which etcd's decoder would read."""

    def state(
        self, offset: int, length: int, crc: int, term: int, vote: int, commit: int
    ) -> bytes | None:
        """The line of a hard state."""

    def row(self, row: Row) -> bytes:
        """The lines of any row."""


class PieceLines:
    """The lines of single items of a log, in one form.

    `has_puts`: the choice's decoder reads a put as etcd does and adds nothing to it, unless the
    value begins with one of `special`.
    """

    def __init__(
        self, choice: Choice, form: Form, *, has_puts: bool, special: tuple[bytes, ...] = ()
    ) -> None:
        self._choice = choice
        self._form = form
        self._has_puts = has_puts and choice.filter.is_empty
        self._is_picky = not choice.filter.is_empty
        self._special = special
        self._shapes = PutShapes()
        self._sizes: dict[int, bytes] = {}
        self._numbers: dict[bytes, int] = {}

    def __call__(self, item: Piece | Single) -> bytes:
        """The lines of all rows of an item that were asked for.

        Raises: AccessError when the segment cannot be read any more.
        """
        return b"".join(self.parts(item))

    def parts(self, item: Piece | Single) -> Iterator[bytes]:
        """The same lines, one by one."""
        if isinstance(item, Single):
            return map(self._form.row, self._choice.rows(item))
        if self._choice.bounds.misses(item):
            return iter(())
        return self._lines(item, self._choice.bytes_of(item))

    def _lines(self, piece: Piece, data: bytes) -> Iterator[bytes]:
        """Frame by frame; fate, index and checksum run on from one to the next."""
        form, wants_payload, shapes = self._form, self._choice.filter.wants_payload, self._shapes.of
        special = self._special
        form.begin(piece.segment)
        is_plain = self._has_puts and self._choice.bounds.encloses(piece)
        base, seed, at, reached = piece.start, piece.seed, 0, piece.reached
        run = _Run(piece.fates)
        while at < len(data):
            word, head = _WORDS(data, at)
            start, body = base + at, at + LENGTH_FIELD_BYTES
            stop = body + (word & _RECORD_BYTES)
            length = stop - at + (word >> 56 & 7 if word >> 63 else 0)
            line = fields = None
            has_payload = False
            shape = shapes.get(word) if is_plain and seed is not None else None
            known = None if shape is None else shape(data, body)
            if known is not None:
                payload, key, value, group = known.groups()
                fields, crc = (key, value, 0, self._id(group)), _wide_crc(head)
                if special and value.startswith(special):
                    fields, has_payload = None, True
            elif seed is not None and (found := _ENTRY(data, body)) is not None:
                payload, crc = data[found.end() : stop], _crc(found[1], head)
                if found[5] != self._size(len(payload)):
                    pass
                elif self._is_picky and not wants_payload(payload):
                    line = b""
                elif is_plain:
                    fields = self._put(payload)
                    has_payload = fields is None
                    if fields is not None and not fields[2]:
                        self._shapes.learn(word, found, fields[0], fields[1])
            elif is_plain and seed is not None:
                state = self._state(data, at, stop)
                if state is not None:
                    crc = _crc(state[0], head)
                    line = form.state(start, length, crc, *state[1:])
            if fields is not None or has_payload or line == b"":
                if start >= run.stop:
                    run.move(start)
                run.index = reached = run.index + 1
            if fields is not None or has_payload:
                index = run.index
                status = COMMITTED if index <= run.committed else run.fate.status(index)
                place = (start, length, crc, run.term, index, payload)
                if fields is None:
                    line = form.request(*place, status)
                else:
                    line = form.put(*place, fields, status)
            if line is None:
                frame = frame_at(piece, data, at, seed)
                line, reached = self._row(frame, data[at : at + length], run, reached)
                crc = frame.stored or 0
            seed = crc
            at += length
            if line:
                yield line

    def _row(self, frame: Frame, raw: bytes, run: "_Run", reached: int) -> tuple[bytes, int]:
        """The lines of a record by its row, and the index that the log has reached with it."""
        record, start, stop, status = frame.record, frame.span.start, frame.span.stop, None
        index, reached = index_of(record, reached), index_behind(record, reached)
        if isinstance(record, Entry):
            if start >= run.stop:
                run.move(start)
            run.index = record.index
            status = run.fate.status(record.index)
        if not self._choice.bounds.has(frame.segment, start, stop, Covers(index, index)):
            return b"", reached
        rows = self._choice.shown(frame, raw, status)
        return b"".join(map(self._form.row, rows)), reached

    def _put(self, payload: bytes) -> PutFields | None:
        """What a payload says that is a put with no more than key, value and lease."""
        put = _PUT(payload)
        if put is None:
            return None
        size = len(payload)
        key_start = put.end()
        key_stop = key_start + _small(put[2])
        if not key_start < key_stop <= size:
            return None
        value_head = _VALUE(payload, key_stop)
        if value_head is None:
            return None
        value_start = value_head.end()
        stop = value_stop = value_start + _small(value_head[1])
        if not value_start < stop <= size:
            return None
        lease_field = _LEASE(payload, stop)
        lease = 0
        if lease_field is not None:
            lease = whole_varint(lease_field[1])
            stop = lease_field.end()
            if not 0 < lease <= _LEASE_MAX:
                return None
        header = _HEADER(payload, stop)
        is_whole = put.end(1) + _small(put[1]) == stop
        if header is None or not is_whole or header[1][0] != size - stop - 3:
            return None
        key = payload[key_start:key_stop]
        request_id = self._id(header[2])
        value = payload[value_start:value_stop]
        if request_id <= 0 or (self._special and value.startswith(self._special)):
            return None
        return key, value, lease, request_id

    def _state(self, data: bytes, at: int, stop: int) -> tuple[bytes, int, int, int] | None:
        """The checksum's bytes, term, vote and commit of a frame that is a hard state."""
        found = _STATE(data, at + LENGTH_FIELD_BYTES)
        if found is None or found.end() != stop or found[2] != self._size(stop - found.end(2)):
            return None
        term, vote, commit = map(self._number, found.groups()[2:])
        return None if min(term, vote, commit) < 0 else (found[1], term, vote, commit)

    def _size(self, size: int) -> bytes:
        """The varint of a length."""
        found = self._sizes.get(size)
        if found is None:
            if len(self._sizes) >= _CACHED_MAX:
                self._sizes.clear()
            found = self._sizes[size] = build_varint(size)
        return found

    def _number(self, group: bytes) -> int:
        """The value of a varint that often comes again."""
        found = self._numbers.get(group)
        if found is None:
            if len(self._numbers) >= _CACHED_MAX:
                self._numbers.clear()
            found = self._numbers[group] = whole_varint(group)
        return found

    def _id(self, group: bytes) -> int:
        """The value of a varint of which only the lowest fourteen bits often change."""
        if len(group) < 4:
            return whole_varint(group)
        high = self._number(group[2:])
        if not 0 <= high < 1 << 50:
            return -1
        return high << 14 | (group[1] & 0x7F) << 7 | group[0] & 0x7F


class _Run:
    """The run of entries that the frames have come to: its fate, and the index of the last one."""

    def __init__(self, fates: list[Fate]) -> None:
        self._fates = iter(fates)
        self.fate = Fate(0, 0, 0, 0, 0)
        self.stop = self.index = self.committed = self.term = 0

    def move(self, offset: int) -> None:
        """Go on to the run that the entry at `offset` belongs to."""
        self.fate = next(each for each in self._fates if each.stop > offset)
        self.stop, self.term = self.fate.stop, self.fate.term
        self.index = self.fate.first - 1
        self.committed = min(self.fate.committed, self.fate.kept)


def _crc(group: bytes, head: int) -> int:
    """The checksum that `group` is; `head` are the first eight bytes of its record."""
    return _wide_crc(head) if len(group) >= CRC_BYTES else whole_varint(group)


def _wide_crc(head: int) -> int:
    """The checksum in the first eight bytes of a record where it takes five of them, or more.

    Only 32 bits count, whatever else a varint holds.
    """
    low = head >> 24 & 0x7F | head >> 25 & 0x3F80 | head >> 26 & 0x1FC000 | head >> 27 & 0xFE00000
    return low | head >> 28 & 0xF0000000


def _small(group: bytes) -> int:
    """The value of a varint that mostly is one byte."""
    return group[0] if len(group) == 1 else whole_varint(group)
