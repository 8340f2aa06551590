"""Whole frames of puts by one pattern each: all that varies cut out at once.

Entries of one writer are much alike: their keys and values have few lengths. Once some frames of
one length field were taken apart step by step, a pattern is made of the lengths that they had; a
frame that it fits is laid out so, whatever it says. One that it does not fit is taken apart again.
"""

import re
from collections.abc import Callable

from formats.frame import split_length
from formats.varint import build_varint

Match = Callable[[bytes, int], re.Match[bytes] | None]
"""Groups: payload, key, value, the varint of the request id."""

CRC_BYTES = 5
"""Bytes that the varint of a checksum mostly takes."""
SHAPES_MAX = 256
"""Patterns that are kept; each takes as long to make as a hundred frames take to read."""
FRAMES_MIN = 16
"""Frames of one length field that are taken apart before a pattern is made of the next one; when
the pattern does not fit four times as many, another takes its place."""


class PutShapes:
    """The patterns so far, by length field."""

    def __init__(self) -> None:
        self.of: dict[int, Match] = {}
        self._seen: dict[int, int] = {}
        self._next: dict[int, int] = {}

    def learn(self, word: int, entry: re.Match[bytes], key: bytes, value: bytes) -> None:
        """One more frame with this length field was taken apart: a put.

        `entry` is what was found up to the payload, its groups being the varints of checksum, data
        length, term, index and payload length.
        """
        if word not in self._seen and len(self._seen) >= SHAPES_MAX:
            return
        seen = self._seen[word] = self._seen.get(word, 0) + 1
        if seen >= self._next.get(word, FRAMES_MIN):
            self._next[word] = 4 * seen
            pattern = _pattern(word, entry, key, value)
            if pattern is not None:
                self.of[word] = pattern


def _pattern(word: int, entry: re.Match[bytes], key: bytes, value: bytes) -> Match | None:
    """The pattern of frames like this one; `None` where something in it is written unusually.

    Of the head only checksum and index vary. Every length is in the pattern, so what it fits is
    exactly as long as the record, and no field can hide anywhere.
    """
    data = entry.string
    payload = data[entry.end() : entry.start() + split_length(word).record_bytes]
    front = b"\x12" + build_varint(len(value))
    inner = b"\x0a" + build_varint(len(key)) + key + front + value
    back = payload[1 + len(build_varint(len(inner))) + len(inner) :]
    id_bytes = len(back) - 4
    usual = b"\x22" + build_varint(len(inner)) + inner + b"\xa2\x06" + bytes([id_bytes + 1, 8])
    has_usual_crc = entry.end(1) - entry.start(1) == CRC_BYTES
    if id_bytes < 1 or not has_usual_crc or not payload.startswith(usual):
        return None
    parts = (
        rb"\x08\x02\x10[\x80-\xff]{4}[\x01-\x0f]",
        re.escape(data[entry.end(1) : entry.start(4)]),
        _varint(entry.end(4) - entry.start(4)),
        re.escape(data[entry.end(4) : entry.end()]),
        b"(" + re.escape(usual[: len(usual) - 4 - len(value) - len(front) - len(key)]),
        rb"(.{%d})" % len(key),
        re.escape(front),
        rb"(.{%d})" % len(value),
        re.escape(usual[-4:]),
        b"(" + _varint(id_bytes) + b"))",
    )
    return re.compile(b"".join(parts), re.DOTALL).match


def _varint(size: int) -> bytes:
    """A varint of so many bytes that is not zero."""
    return rb"[\x80-\xff]{%d}[\x01-\x7f]" % (size - 1)
