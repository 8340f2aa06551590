"""Rows of bucket `key` as bytes: what HashKV is made of, so built by hand and by the byte.

    key     8 bytes main, big-endian   5f   8 bytes sub, big-endian   [74: a tombstone]
    value   KeyValue of `formats.mvccpb`; of a tombstone with nothing but its key

A test holds the hand against the definition.
"""

import functools
import struct
from typing import Final

from formats.errors import FormatError, WireError
from formats.mvccpb import KEY_VALUE
from formats.varint import build_varint
from walctl.machine.keyindex import Row

_REVISION: Final = struct.Struct(">QcQ")
_TOMBSTONE: Final = b"t"
_SEPARATOR: Final = b"_"
_I64_MAX: Final = (1 << 63) - 1
_U64_MASK: Final = (1 << 64) - 1

_varint = functools.lru_cache(maxsize=1 << 13)(build_varint)


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
    kv = KEY_VALUE.parse(value)
    name = kv.key or b""
    if is_tombstone:
        return (name, main, sub, 0, 0, b"", 0)
    if not kv.version:
        raise FormatError(f"revision {main} of a key has no version")
    create, version = kv.create_revision or 0, kv.version
    return (name, main, sub, create, version, kv.value or b"", kv.lease or 0)


def _bytes_field(tag: bytes, data: bytes) -> bytes:
    """A field that is left out where it is empty."""
    return tag + _varint(len(data)) + data if data else b""
