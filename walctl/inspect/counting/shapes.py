"""What a frame with a put, or with a hard state, looks like when many have the same lengths.

Parsing three messages for every entry costs more than all else that the figures need. But where
the entries are small there are many, and most of them are puts whose parts are as long as those
of others before. The shape of such a frame is a pattern: every byte that says what follows or how
long it is stands there as it is, every number is any number of that many bytes, and the key and
the value are any bytes.

    <length field> 08 02 10 <crc> 1a <len>                          the record
        [08 00] 10 <term> 18 <index> 22 <len>                       the entry
            22 <len>  0a <len> <key> [12 <len> <value>] [18 <lease>]
            a2 06 <len>  08 <id>                                    the header
    <padding>

    <length field> 08 03 10 <crc> 1a <len> <any>                    a hard state

So what matches cannot be read in another way, and nothing is parsed for it any more. A shape is
made of a frame that has it; what matches no shape goes through the definition.
"""

import re
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from formats.frame import LENGTH_FIELD_BYTES, split_length
from formats.varint import whole_varint

FRAME_BYTES_MAX = 4096
"""Longer frames are not many enough for shapes to be worth their making."""
KEY_BYTES_MAX = 127
"""Of a key in a shape; longer ones are rare."""

_VARINT = rb"([\x80-\xff]{0,9}[\0-\x7f])"
_RECORD = re.compile(rb"\x08([\x02\x03])\x10%s\x1a%s" % (_VARINT, _VARINT))
_ENTRY = re.compile(
    rb"((?:\x08\0)?)\x10%s\x18%s\x22%s\x22%s\x0a([\0-\x7f])" % ((_VARINT,) * 4), re.DOTALL
)
_VALUE = re.compile(rb"\x12%s" % _VARINT)
_LEASE = re.compile(rb"\x18%s" % _VARINT)
_HEADER = re.compile(rb"\xa2\x06([\0-\x7f])\x08%s" % _VARINT)

_ENTRY_TYPE, _STATE_TYPE = b"\x02", b"\x03"


@dataclass(slots=True, kw_only=True, eq=False)
class Shape:
    """A pattern, and the sizes that all frames have which match it.

    The one group is the key; of a put with a lease, all from the key to the lease, which is a
    varint of `lease_bytes`; of a hard state nothing, and then `put_bytes` (of key and value) is
    `None`. `found` holds the groups that are not counted yet.
    """

    pattern: re.Pattern[bytes]
    frame_bytes: int
    padding_bytes: int
    payload_bytes: int = 0
    put_bytes: int | None = None
    key_bytes: int = 0
    lease_bytes: int = 0
    found: list[bytes] = field(default_factory=list)


def shape_of(frame: bytes) -> Shape | None:
    """The shape of a whole frame; `None` for one that has none."""
    length = split_length(int.from_bytes(frame[:LENGTH_FIELD_BYTES], "little"))
    stop = LENGTH_FIELD_BYTES + length.record_bytes
    if not length.is_canonical or len(frame) > FRAME_BYTES_MAX:
        return None
    record = _RECORD.match(frame, LENGTH_FIELD_BYTES)
    if record is None or record.end() + whole_varint(record[3]) != stop:
        return None
    lead = re.escape(frame[:LENGTH_FIELD_BYTES]) + rb"\x08" + re.escape(record[1]) + rb"\x10"
    lead += _any_varint(record[2]) + rb"\x1a" + re.escape(record[3])
    made = partial(Shape, frame_bytes=len(frame), padding_bytes=length.padding_bytes)
    if record[1] == _STATE_TYPE:
        state = rb".{%d}()" % (stop - record.end())
        return made(pattern=re.compile(lead + state, re.DOTALL))
    put = _put_of(frame[:stop], record.end())
    if put is None:
        return None
    return made(
        pattern=re.compile(lead + put.pattern, re.DOTALL),
        payload_bytes=put.payload_bytes,
        put_bytes=put.key_bytes + put.value_bytes,
        key_bytes=put.key_bytes,
        lease_bytes=put.lease_bytes,
    )


class _Put(NamedTuple):
    """The pattern of an entry with a put, and its sizes."""

    pattern: bytes
    payload_bytes: int
    key_bytes: int
    value_bytes: int
    lease_bytes: int


def _put_of(record: bytes, start: int) -> _Put | None:
    """The entry with a put that begins at `start` and ends with the record."""
    entry = _ENTRY.match(record, start)
    if entry is None or entry.end(4) + whole_varint(entry[4]) != len(record):
        return None
    put_stop = entry.end(5) + whole_varint(entry[5])
    key_bytes = entry[6][0]
    at = entry.end() + key_bytes
    lead = re.escape(entry[1]) + rb"\x10" + _any_varint(entry[2]) + rb"\x18" + _any_varint(entry[3])
    lead += re.escape(record[entry.start(4) - 1 : entry.end()])
    value_bytes = lease_bytes = 0
    key = group = rb".{%d}" % key_bytes
    value = _VALUE.match(record, at, put_stop)
    if value is not None:
        value_bytes = whole_varint(value[1])
        at = value.end() + value_bytes
        group += re.escape(value[0]) + rb".{%d}" % value_bytes
    lease = _LEASE.match(record, at, put_stop)
    if lease is not None:
        lease_bytes, at = len(lease[1]), lease.end()
        middle = rb"(%s\x18%s)" % (group, _any_varint(lease[1]))
    else:
        middle = rb"(%s)%s" % (key, group.removeprefix(key))
    header = _HEADER.match(record, at)
    if value_bytes < 0 or at != put_stop or header is None or header.end() != len(record):
        return None
    if header[1][0] != header.end() - header.end(1):
        return None
    tail = re.escape(record[at : header.start(2)]) + _any_varint(header[2])
    return _Put(
        pattern=lead + middle + tail,
        payload_bytes=len(record) - entry.end(4),
        key_bytes=key_bytes,
        value_bytes=value_bytes,
        lease_bytes=lease_bytes,
    )


def _any_varint(varint: bytes) -> bytes:
    """The pattern of every varint of that many bytes that fits 64 bits."""
    if len(varint) == 10:
        return rb"[\x80-\xff]{9}[\0-\x01]"
    return rb"[\x80-\xff]{%d}[\0-\x7f]" % (len(varint) - 1)
