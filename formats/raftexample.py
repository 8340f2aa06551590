"""The content of raftexample's snapshots: one JSON object from key to value, as Go writes it.

    {"/k0":"v0","/my-key":"hello"}

No spaces, keys ascending by their bytes. `"` and `\\` are written behind a backslash, newline,
carriage return and tab as `\\n`, `\\r` and `\\t`; other controls, `<`, `>`, `&`, U+2028 and U+2029
as `\\uNNNN`. JSON has no bytes, so a byte that is no UTF-8 is written as `\\ufffd`: the map that
comes back differs from the one that was written, and two keys may have become the same.

Reading takes what Go takes: white space, any escape, `null` for an empty map or value; bytes that
are no UTF-8 and halves of surrogate pairs become U+FFFD; of equal keys the last one counts.

Source: raftexample notes 5, checked against the snapshots of raftexample of etcd 3.5.1.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from formats.errors import FormatError, LimitError, TruncatedError, WireError
from formats.limits import SNAP_FILE_BYTES_MAX

REPLACEMENT: Final = "\ufffd"
"""What stands where there was no UTF-8."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
_NULL = b"null"
_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile('["\\\\<>&\\x00-\\x1f\u2028\u2029\udc80-\udcff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SHOWN_BYTES_MAX = 16


@dataclass(frozen=True, slots=True)
class Store:
    """The map of a snapshot, UTF-8 throughout.

    `duplicates` are keys that are there more than once, ascending; `replaced` are those of which
    key or value holds U+FFFD, so that what had been stored may have been something else.
    """

    pairs: Mapping[bytes, bytes]
    duplicates: tuple[bytes, ...] = ()
    replaced: tuple[bytes, ...] = ()


def parse_store(data: bytes | memoryview) -> Store:
    """The map in a snapshot's data.

    Raises: FormatError, with the offset in `data` of what is not the JSON of such a map.
    """
    if len(data) > SNAP_FILE_BYTES_MAX:
        raise LimitError(f"{len(data)} bytes are more than a snapshot may have")
    text = _Text(bytes(data))
    pairs: dict[bytes, bytes] = {}
    duplicates: set[bytes] = set()
    if not text.takes(_NULL):
        text.expect(b"{")
        if not text.takes(b"}"):
            _read_pairs(text, pairs, duplicates)
    text.expect_end()
    sign = REPLACEMENT.encode()
    replaced = (key for key, value in pairs.items() if sign in key or sign in value)
    return Store(pairs, tuple(sorted(duplicates)), tuple(sorted(replaced)))


def build_store(pairs: Mapping[bytes, bytes]) -> bytes:
    """The data of a snapshot of this map; what is no UTF-8 in it does not come back as it was."""
    body = ",".join(f"{_quoted(key)}:{_quoted(pairs[key])}" for key in sorted(pairs))
    return f"{{{body}}}".encode()


def _read_pairs(text: "_Text", pairs: dict[bytes, bytes], duplicates: set[bytes]) -> None:
    """The pairs of an object up to its end."""
    while True:
        key = text.string()
        text.expect(b":")
        value = b"" if text.takes(_NULL) else text.string()
        if key in pairs:
            duplicates.add(key)
        pairs[key] = value
        if text.takes(b"}"):
            return
        text.expect(b",")


def _quoted(value: bytes) -> str:
    text = value.decode("utf-8", "surrogateescape")
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in _SHORT:
        return _SHORT[char]
    point = ord(char)
    return "\\ufffd" if point >= 0xDC80 else f"\\u{point:04x}"


class _Text:
    """JSON that is read from its start to its end; white space between words is passed over."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self._pass_space()

    def takes(self, word: bytes) -> bool:
        """Whether `word` comes next; it is passed over then."""
        if not self.data.startswith(word, self.position):
            return False
        self.position += len(word)
        self._pass_space()
        return True

    def expect(self, word: bytes) -> None:
        """Pass over `word`."""
        if not self.takes(word):
            raise self._wrong(word.decode())

    def expect_end(self) -> None:
        """Nothing may be left."""
        if self.position < len(self.data):
            raise self._wrong("the end")

    def string(self) -> bytes:
        """The string that comes next, as UTF-8."""
        found = _STRING.match(self.data, self.position)
        if found is None:
            raise self._wrong("a string")
        self.position = found.end()
        self._pass_space()
        # One escape for each byte that is no UTF-8, as Go counts them.
        text = found[1].decode("utf-8", "surrogateescape")
        if "\\" in text:
            # Go first: json would join an escaped byte with an escaped half of a pair.
            text = json.loads(f'"{_LONE.sub(REPLACEMENT, text)}"')
        return _LONE.sub(REPLACEMENT, text).encode()

    def _pass_space(self) -> None:
        found = _SPACE.match(self.data, self.position)
        self.position = self.position if found is None else found.end()

    def _wrong(self, wanted: str) -> FormatError:
        start = self.position
        rest = self.data[start : start + _SHOWN_BYTES_MAX]
        if not rest:
            return TruncatedError(f"ends where {wanted} is expected", offset=start)
        shown = ascii(rest.decode("utf-8", "backslashreplace"))
        return WireError(f"expected {wanted}, found {shown}", offset=start)
