"""Rows of bucket `key` as bytes: what HashKV is made of, so built by hand and by the byte.

    key     8 bytes main, big-endian   5f   8 bytes sub, big-endian   [74: a tombstone]
    value   KeyValue of `formats.mvccpb`; of a tombstone with nothing but its key

A test holds the hand against the definition.
"""

import functools
import re
import struct
from typing import Final

from formats.errors import FormatError, WireError
from formats.mvccpb import KEY_VALUE
from formats.varint import build_varint, whole_varint
from walctl.machine.keyindex import Row

_REVISION: Final = struct.Struct(">QcQ")
_TOMBSTONE: Final = b"t"
_SEPARATOR: Final = b"_"
_I64_MAX: Final = (1 << 63) - 1
_U64_MASK: Final = (1 << 64) - 1

# Seven bytes of a varint hold every number that is not negative and in use; what has more is read
# by the definition.
_USUAL_VARINT = rb"[\x80-\xff]{0,6}[\x00-\x7f]"
_HEAD: Final = re.compile(rb"\x0a(%b)" % _USUAL_VARINT).match
_NUMBERS: Final = re.compile(
    rb"\x10(%(v)b)\x18%(v)b\x20(%(v)b)(?:\x2a(%(v)b))?" % {b"v": _USUAL_VARINT}
).match
_TAIL: Final = re.compile(rb"\x30([\x80-\xff]{0,8}[\x00-\x7f])\Z").match

_number = functools.lru_cache(maxsize=1 << 13)(whole_varint)
_LOW_BITS: Final = 14
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_CONTINUED: Final = 1 << _LOW_BITS
"""Set above two bytes' worth of bits, it makes a varint of three: the first two go on."""
_small = functools.lru_cache(maxsize=1 << _LOW_BITS)(build_varint)


def key_row(row: Row) -> tuple[bytes, bytes]:
    """Key and value of a version's row."""
    key, main, sub, create, version, value, lease = row
    if not version:
        return _REVISION.pack(main, _SEPARATOR, sub) + _TOMBSTONE, _bytes_field(b"\x0a", key)
    parts = [
        _bytes_field(b"\x0a", key),
        b"\x10",
        _varint(create),
        b"\x18",
        _varint(main),
        b"\x20",
        _varint(version),
        _bytes_field(b"\x2a", value),
    ]
    if lease:
        parts += (b"\x30", _varint(lease & _U64_MASK))
    return _REVISION.pack(main, _SEPARATOR, sub), b"".join(parts)


def parse_key_row(key: bytes, value: bytes) -> Row:
    """The version that a row of bucket `key` holds.

    Raises: FormatError, for bytes over which etcd would stop.
    """
    is_tombstone = len(key) == _REVISION.size + 1 and key.endswith(_TOMBSTONE)
    if len(key) != _REVISION.size and not is_tombstone:
        raise WireError(f"expected a revision of {_REVISION.size} bytes, found {len(key)}")
    main, separator, sub = _REVISION.unpack_from(key)
    if separator != _SEPARATOR or main > _I64_MAX or sub > _I64_MAX:
        raise WireError(f"expected a revision, found {key.hex()}")
    if is_tombstone:
        return (KEY_VALUE.parse(value).key or b"", main, sub, 0, 0, b"", 0)
    found = _usual(value, main, sub)
    return _by_definition(value, main, sub) if found is None else found


def _by_definition(value: bytes, main: int, sub: int) -> Row:
    """The version in a KeyValue, whatever form it has."""
    kv = KEY_VALUE.parse(value)
    if not kv.version:
        raise FormatError(f"revision {main} of a key has no version")
    create, lease = kv.create_revision or 0, kv.lease or 0
    return (kv.key or b"", main, sub, create, kv.version, kv.value or b"", lease)


def _usual(data: bytes, main: int, sub: int) -> Row | None:
    """The version in a KeyValue that looks as nearly all do; `None` where it does not."""
    head = _HEAD(data)
    if head is None:
        return None
    start = head.end()
    stop = start + _number(head[1])
    numbers = _NUMBERS(data, stop)
    if numbers is None:
        return None
    key, value, lease = data[start:stop], b"", 0
    create, version, size = numbers.groups()
    stop = numbers.end()
    if size is not None:
        start, stop = stop, stop + _number(size)
        value = data[start:stop]
    if stop != len(data):
        tail = _TAIL(data, stop)
        if tail is None:
            return None
        lease = _number(tail[1])
    numbered = _number(version)
    return (key, main, sub, _number(create), numbered, value, lease) if numbered else None


@functools.lru_cache(maxsize=1 << _LOW_BITS)
def _first_two(low: int) -> bytes:
    """The first two bytes of a varint of more than two."""
    return build_varint(low | _CONTINUED)[:2]


def _varint(value: int) -> bytes:
    """A varint, put together from halves: revisions are all different, their halves are not."""
    if value <= _LOW_MASK:
        return _small(value)
    return _first_two(value & _LOW_MASK) + _varint(value >> _LOW_BITS)


def _bytes_field(tag: bytes, data: bytes) -> bytes:
    """A field that is left out where it is empty."""
    return tag + _varint(len(data)) + data if data else b""
