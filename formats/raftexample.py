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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from formats import jsonpairs
from formats.errors import FormatError, LimitError, TruncatedError, WireError
from formats.jsonpairs import Batch
from formats.limits import SNAP_FILE_BYTES_MAX

REPLACEMENT: Final = "\ufffd"
"""What stands where there was no UTF-8."""

_SIGN = REPLACEMENT.encode()
_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
_NULL = b"null"
_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile('["\\\\<>&\\x00-\\x1f\u2028\u2029\udc80-\udcff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SHOWN_BYTES_MAX = 16
_PLAIN_AGAIN_BYTES = 1 << 16


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
    text, store = _Text(bytes(data)), _Pairs()
    if not text.takes(_NULL):
        text.expect(b"{")
        if not text.takes(b"}"):
            _read_pairs(text, store)
    text.expect_end()
    replaced = (key for key in store.signed if store.is_replaced(key))
    return Store(store.pairs, tuple(sorted(store.duplicates)), tuple(sorted(replaced)))


def build_store(pairs: Mapping[bytes, bytes]) -> bytes:
    """The data of a snapshot of this map; what is no UTF-8 in it does not come back as it was."""
    return b"".join(store_chunks([[(key, pairs[key]) for key in sorted(pairs)]]))


def store_chunks(batches: Iterable[Batch]) -> Iterator[bytes]:
    """The same in pieces of about a MiB, of pairs that ascend through all batches."""
    return jsonpairs.object_chunks(batches, _written)


@dataclass(slots=True)
class _Pairs:
    """What was read so far; `signed` are keys that had U+FFFD in them or in a value."""

    pairs: dict[bytes, bytes] = field(default_factory=dict)
    duplicates: set[bytes] = field(default_factory=set)
    signed: set[bytes] = field(default_factory=set)

    def add(self, key: bytes, value: bytes) -> None:
        """One pair more; the last one of equal keys counts."""
        if key in self.pairs:
            self.duplicates.add(key)
        self.pairs[key] = value
        if self.is_replaced(key):
            self.signed.add(key)

    def is_replaced(self, key: bytes) -> bool:
        """Whether a key or what it has holds U+FFFD."""
        return _SIGN in key or _SIGN in self.pairs[key]


def _read_pairs(text: "_Text", store: _Pairs) -> None:
    """The pairs of an object up to its end."""
    plain_from = 0
    while True:
        if text.position >= plain_from:
            _read_plain(text, store)
            # Where that came to an end it is not tried again for each pair.
            plain_from = text.position + _PLAIN_AGAIN_BYTES
        key = text.string()
        text.expect(b":")
        store.add(key, b"" if text.takes(_NULL) else text.string())
        if text.takes(b"}"):
            return
        text.expect(b",")


def _read_plain(text: "_Text", store: _Pairs) -> None:
    """Pairs that need no step for each, as many as come next; a key begins behind them."""
    while (found := jsonpairs.read(text.data, text.position)) is not None:
        fresh = dict(zip(found.keys, found.values, strict=True))
        if len(fresh) < len(found.keys) or not store.pairs.keys().isdisjoint(fresh.keys()):
            return
        store.pairs.update(fresh)
        text.position = found.position


def _written(batch: Batch) -> bytes:
    """Pairs as members of an object."""
    text = jsonpairs.written(batch)
    if text is None:
        text = ",".join(f"{_quoted(key)}:{_quoted(value)}" for key, value in batch).encode()
    return text


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
