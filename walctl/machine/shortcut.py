"""The puts that logs are full of, read without a parser; a test holds it to the definition.

    22 <length>                    put: field 4 of InternalRaftRequest
       0a <length> <key>
       [12 <length> <value>]
       [18 <lease>]
    a2 06 <length>                 header: field 100
       08 <request id>

Whatever looks otherwise, by one byte, is read by the definition. So is a header that names a user,
because it matters as whom such a request runs.
"""

import functools
import re
from typing import Final, NamedTuple

from formats.varint import whole_varint

_VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_LENGTH = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
_HEAD: Final = re.compile(rb"\x22(%b)\x0a(%b)" % (_LENGTH, _LENGTH)).match
_VALUE: Final = re.compile(rb"\x12(%b)" % _LENGTH).match
_TAIL: Final = re.compile(rb"(?:\x18(%b))?\xa2\x06([\x00-\x7f])\x08(%b)" % (_VARINT, _VARINT)).match
_TENTH_BYTE_MAX: Final = b"\x01"
"""A varint with more in it does not fit 64 bits."""
_HEADER_BYTES: Final = 4
"""From the tag of the header to the request id in it."""
_I64_MAX: Final = (1 << 63) - 1

_size_of = functools.lru_cache(maxsize=1 << 12)(whole_varint)


class Put(NamedTuple):
    """A put that keeps nothing of what the key had; `lease` is 0 for none."""

    key: bytes
    value: bytes
    lease: int


def simple_put(data: bytes) -> Put | None:
    """The put in an entry's data, when that is all there is and it has the usual form."""
    head = _HEAD(data)
    if head is None:
        return None
    put_size, key_size = head.groups()
    start = head.end()
    stop = head.end(1) + _size_of(put_size)
    at = start + _size_of(key_size)
    key = data[start:at]
    value = b""
    middle = _VALUE(data, at)
    if middle is not None and at < stop:
        start = middle.end()
        at = start + _size_of(middle[1])
        value = data[start:at]
    tail = _TAIL(data, at)
    if tail is None or tail.end() != len(data):
        return None
    lease, header_size, request_id = tail.groups()
    if len(request_id) + 1 != header_size[0] or request_id[9:] > _TENTH_BYTE_MAX:
        return None
    if lease is None:
        return Put(key, value, 0) if at == stop else None
    number = whole_varint(lease)
    if tail.end(1) != stop or number < 0:
        return None
    return Put(key, value, number if number <= _I64_MAX else number - (1 << 64))


def simple_id(data: bytes) -> int:
    """The request id of data that `simple_put` has read."""
    head = _HEAD(data)
    assert head is not None, "it is such a put"
    return whole_varint(data[head.end(1) + _size_of(head[1]) + _HEADER_BYTES :])
