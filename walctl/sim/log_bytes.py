"""What the bytes of a log say, read a second time: frames, records and the three messages in them.

A witness that shared a parser with the log's own reader would be wrong together with it. This one
knows only what it needs, and stops at the first thing that it does not understand:

    frame      8 bytes: length in the lower 56 bits; with the highest bit, bits 56 to 58 are how
               many bytes of padding follow; 0 is the end of what was written
    record     1: type  2: checksum  3: data
    type 2     entry       1: type  2: term  3: index  4: payload
    type 3     hard state  1: term  2: vote  3: commit
    type 4     checksum    the running CRC-32C goes on from here
    type 5     snapshot    1: index  2: term

Source: etcd-data-dir notes 1.2 and 2; etcd `server/wal/decoder.go`, `raftpb/raft.proto`.
"""

from dataclasses import dataclass, field

import crc32c

ENTRY, STATE, CHECKSUM, MARK = 2, 3, 4, 5
_METADATA = 1
_FIELDS = {ENTRY: 4, STATE: 3, MARK: 3}
"""The highest field of each message: a record's type is under no checksum."""
_FIELD = 8
_BYTES = 2
"""The wire type of what has a length; 0 is a number."""
_FOUR_MORE = 0x80808080
_SIZE = (1 << 56) - 1
_PADDED = 1 << 63

Item = tuple[int, int, int, int, int]
"""What a record says: its type, three numbers, and where its frame ends. The numbers are index,
term and digest of an entry; term, vote and commit of a state; index, term and 0 of a snapshot."""


def digest_of(kind: int, payload: bytes | None) -> int:
    """What an entry is known by beside index and term: 32 bits of its type and payload."""
    return crc32c.crc32c(payload or b"", kind)


@dataclass(slots=True)
class View:
    """A log as it reads from its front: entries by index as (term, digest), the last hard state as
    (term, vote, commit), and the last snapshot marker as (index, term)."""

    entries: dict[int, tuple[int, int]] = field(default_factory=dict)
    last: int = 0
    state: tuple[int, int, int] = (0, 0, 0)
    mark: tuple[int, int] = (0, 0)

    def add(self, item: Item) -> None:
        """The next record. An entry takes the place of all from its index on."""
        kind, first, second, third, _ = item
        if kind == ENTRY:
            if first <= self.last:
                for index in range(first, self.last + 1):
                    self.entries.pop(index, None)
            self.entries[first] = second, third
            self.last = first
        elif kind == STATE:
            self.state = first, second, third
        else:
            self.mark = first, second

    def forget_below(self, index: int) -> None:
        """Let go of the entries in front of `index`."""
        for each in [each for each in self.entries if each < index]:
            del self.entries[each]

    def holds(self, index: int, term: int) -> bool:
        """Whether there is this entry, or a snapshot that covers it."""
        found = self.entries.get(index)
        return index <= self.mark[0] if found is None else found[0] == term

    def copy(self) -> "View":
        """The same, to be changed on its own."""
        return View(dict(self.entries), self.last, self.state, self.mark)


@dataclass(slots=True)
class Read:
    """What was read of some bytes: `end` is behind the last whole frame, `crc` the checksum there.

    `is_bad`: what stands at `end` is no frame that was ever written; else it is zeros, or has not
    all arrived.
    """

    items: list[Item]
    end: int
    crc: int
    is_bad: bool


def read_frames(data: bytes, crc: int, *, base: int = 0) -> Read:
    """Read whole frames from the beginning of `data`, which stands at `base` of its file."""
    items: list[Item] = []
    position, total, checksum, from_bytes = 0, len(data), crc32c.crc32c, int.from_bytes
    while position + _FIELD <= total:
        word = from_bytes(data[position : position + _FIELD], "little")
        if word == 0:
            break
        start = position + _FIELD
        stop = start + (word & _SIZE)
        end = stop + (word >> 56 & 7 if word & _PADDED else 0)
        if end > total:
            break
        word = from_bytes(data[start + 3 : start + 8], "little")
        if (
            stop - start > 10
            and word & 0x8080808080 == _FOUR_MORE
            and data[start + 8] == 0x1A
            and data[start + 9] == stop - start - 10 < 0x80
            and data[start] == 0x08
            and data[start + 2] == 0x10
        ):
            # A short record whose checksum takes five bytes, as nearly all are.
            kind, body = data[start + 1], data[start + 10 : stop]
            stored = (
                word & 0x7F
                | word >> 1 & 0x3F80
                | word >> 2 & 0x1FC000
                | word >> 3 & 0xFE00000
                | word >> 4 & 0xF0000000
            )
        elif (found := _record(data[start:stop])) is not None:
            kind, stored, body = found
        else:
            return Read(items, position, crc, True)
        if kind == CHECKSUM:
            if crc not in (0, stored):
                return Read(items, position, crc, True)
            crc = stored
        else:
            after = checksum(body, crc)
            numbers = _numbers(kind, body) if kind != _METADATA else ()
            if after != stored or numbers is None:
                return Read(items, position, crc, True)
            crc = after
            if numbers:
                items.append((kind, *numbers, base + end))
        position = end
    return Read(items, position, crc, False)


def _record(record: bytes) -> tuple[int, int, bytes] | None:
    """Type, checksum and data of a record; `None` for anything else."""
    fields = _fields(record)
    if fields is None:
        return None
    kind, crc, data = fields.get(1, 0), fields.get(2, 0), fields.get(3, b"")
    if isinstance(kind, bytes) or isinstance(crc, bytes) or isinstance(data, int):
        return None
    return kind, crc & 0xFFFFFFFF, data


def _numbers(kind: int, body: bytes) -> tuple[int, int, int] | None:
    """The numbers of an item; `None` for what is no such message."""
    if kind == STATE and body[:5:2] == b"\x08\x10\x18" and body[1] < 0x80 and body[3] < 0x80:
        try:
            commit, end = _varint(body, 5)
        except IndexError:
            return None
        return (body[1], body[3], commit) if end == len(body) else None
    if kind == ENTRY and body[:1] == b"\x08" and body[2:3] == b"\x10":
        try:
            term, at = body[3], 4
            if term & 0x80:
                term, at = _varint(body, 3)
            index, here = body[at + 1], at + 2
            if index & 0x80:
                index, here = _varint(body, at + 1)
            if body[at] == 0x18:
                if here == len(body):
                    return index, term, body[1]
                size, start = _varint(body, here + 1)
                if body[here] == 0x22 and start + size == len(body):
                    return index, term, crc32c.crc32c(body[start:], body[1])
        except IndexError:
            return None
    return _any_numbers(kind, _fields(body))


def _any_numbers(kind: int, fields: dict[int, int | bytes] | None) -> tuple[int, int, int] | None:
    """The same of fields in any order, which may be left out."""
    if fields is None or max(fields, default=0) > _FIELDS.get(kind, 0):
        return None
    first, second, third = fields.get(1, 0), fields.get(2, 0), fields.get(3, 0)
    if isinstance(first, bytes) or isinstance(second, bytes):
        return None
    if kind == MARK:
        return first, second, 0
    if isinstance(third, bytes):
        return None
    if kind == STATE:
        return first, second, third
    payload = fields.get(4, b"")
    if kind != ENTRY or isinstance(payload, int):
        return None
    return third, second, digest_of(first, payload)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number at `at`, and where it ends. Raises: IndexError."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> dict[int, int | bytes] | None:
    """The fields of a message by number, the last of each; `None` where it is none."""
    found: dict[int, int | bytes] = {}
    at = 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            value, at = _varint(data, at)
            if tag & 7 == _BYTES:
                if at + value > len(data):
                    return None
                found[tag >> 3] = data[at : at + value]
                at += value
            elif tag & 7 == 0:
                found[tag >> 3] = value
            else:
                return None
    except IndexError:
        return None
    return found
