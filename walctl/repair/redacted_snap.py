"""A `.snap` file without what its v2 store holds for users: members, index and checksum stay true.

    08 <crc>   12 <length> <content>       content: 0a <length> <v2 store>  12 ...

The store is JSON. What lies below /0 is etcd's own (members, version) and stays, but for names and
addresses where those are hidden too; every other text in it, keys and history included, becomes
letters of the same length. A checksum that fitted fits again; one that did not does not.
"""

import json
import re
from typing import Final

import crc32c

from formats import snappb
from formats.errors import FormatError
from formats.limits import SNAP_STORE_BYTES_MAX
from formats.varint import build_varint, varint_stop, whole_varint
from walctl.payload.base import Redaction
from walctl.repair.hiding import FILL, LETTERS, blotted, masked_inner, masked_string

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)
_WORD: Final = re.compile(rb"[A-Za-z0-9]")
_OWN: Final = (b"Root", b"Children", b"0")
_TOP: Final = ((b"Root",), (b"Root", b"Children", b"1"), (b"Root", b"Children", b"2"))
"""Nodes that say nothing of themselves; only what lies in the last two does."""
_ROOMS: Final = frozenset({b"0", b"1", b"2"})
"""Names right below the root that are etcd's, whatever lies in them."""
_HEAD_BYTES = 16
_TWIST: Final = 0x2D5A3C17
"""By how much a checksum is off that was off: the real difference would tell of lost bytes."""


def redacted_snap(data: bytes, redaction: Redaction) -> bytes:
    """The bytes of a `.snap` file, whatever its state, with nothing of its users in it."""
    if redaction is Redaction.NONE or not data:
        return data
    try:
        envelope = snappb.SNAPSHOT.parse(data)
        spans = {span.name: span for span in snappb.SNAPSHOT.spans(data)}
        crc, content = spans["crc"], spans["data"]
    except (FormatError, KeyError):
        return data[:_HEAD_BYTES] + blotted(data[_HEAD_BYTES:])
    old = envelope.data or b""
    width = crc.value_stop - crc.value_start
    if not envelope.crc:  # etcd takes that for no checksum at all
        new = _content(old, redaction, FILL)
        return data[: content.value_start] + new + data[content.value_stop :]
    twist = 0 if envelope.crc == crc32c.crc32c(old) else _TWIST
    new, stored = old, envelope.crc
    for letter in (*FILL, *LETTERS):  # until the checksum fits into the room that it had
        new = _content(old, redaction, bytes([letter]))
        stored = crc32c.crc32c(new) ^ twist
        if len(build_varint(stored)) <= width:
            break
    return (
        data[: crc.value_start]
        + wide_varint(stored, width)
        + data[crc.value_stop : content.value_start]
        + new
        + data[content.value_stop :]
    )


def wide_varint(value: int, width: int) -> bytes:
    """A varint of `width` bytes, or of as many as it needs; every protobuf parser takes it."""
    shortest = build_varint(value)
    missing = width - len(shortest)
    if missing <= 0:
        return shortest
    return shortest[:-1] + bytes([shortest[-1] | 0x80]) + b"\x80" * (missing - 1) + b"\0"


def _content(content: bytes, redaction: Redaction, fill: bytes) -> bytes:
    """The snapshot with its store hidden."""
    if content[:1] != b"\x0a":
        return content if len(content) < 2 * _HEAD_BYTES else _blotted_behind(content)
    start = varint_stop(content, 1)
    size = whole_varint(content[1 : max(start, 1)])
    if start < 0 or size < 0:
        return _blotted_behind(content)
    stop = min(start + size, len(content))
    return content[:start] + hidden_store(content[start:stop], redaction, fill) + content[stop:]


def _blotted_behind(content: bytes) -> bytes:
    return content[:_HEAD_BYTES] + blotted(content[_HEAD_BYTES:])


def hidden_store(text: bytes, redaction: Redaction, fill: bytes = FILL) -> bytes:
    """The JSON of a store, or of any other state machine, without what users put there."""
    try:
        known = json.loads(text) if len(text) <= SNAP_STORE_BYTES_MAX else {}
    except (ValueError, RecursionError):
        return _WORD.sub(b"x", blotted(text) if b"{" not in text[:2] else text)
    is_store = isinstance(known, dict) and isinstance(known.get("Root"), dict)
    return _masked(text, redaction, fill, is_store=is_store)


def _masked(text: bytes, redaction: Redaction, fill: bytes, *, is_store: bool) -> bytes:
    """Every string hidden that is not etcd's own; follows the path of keys that leads to each."""
    out = bytearray(text)
    path: list[bytes] = []
    waiting: bytes | None = None
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in b"{[":
            path.append(waiting or b"")
            waiting = None
        elif token in b"}]":
            path = path[:-1]
        elif token in b",:":
            continue
        else:
            inner = token[1:-1]
            start, stop = found.start() + 1, found.end() - 1
            if text[stop + 1 : stop + 2] == b":" or text[stop + 1 :].lstrip()[:1] == b":":
                waiting = inner
                if not is_store or _is_users_name((*path[1:], inner)):
                    out[start:stop] = masked_string(inner, fill)
            else:
                below = tuple(path[1:])
                if not is_store or (below[:3] != _OWN and below not in _TOP):
                    out[start:stop] = masked_string(inner, fill)
                elif redaction is Redaction.ALL:
                    out[start:stop] = masked_inner(inner, fill)
                waiting = None
    return bytes(out)


def _is_users_name(path: tuple[bytes, ...]) -> bool:
    """Whether the last of these keys is a name that a user gave: a child of a node not etcd's."""
    if len(path) < 2 or path[-2] != b"Children" or path[:3] == _OWN:
        return False
    return not (len(path) == 3 and path[-1] in _ROOMS)
