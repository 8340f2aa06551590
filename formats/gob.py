"""raftexample's proposal: one gob stream of a struct with two strings, and no more of gob.

    <length> <-ID> <description>          message 1: type ID is a struct with these fields
    <length> <ID>  <fields>               message 2: one value of it

    unsigned     00..7f, or the negated count of bytes (FF: 1 .. F8: 8) and the value, big-endian
    signed       unsigned; bit 0 set: the other bits are the complement
    string       unsigned length, bytes (any)
    struct       for each field that is not empty the distance to the field before (the first
                 counts from -1) and its value; 00 ends it

    description  03 <struct type> 00      field 2 of gob's wireType
    struct type  [01 <common>] [01 <count> <field> ...] 00
    common       [01 <name>] [01 <ID>] 00
    field        [01 <name>] [01 <type, signed>] 00

The ID and so the bytes of message 1 depend on the Go release that built the program, and other
programs have the same struct: fields are found by their names, and nothing is compared with a
constant. Fields besides `Key` and `Val` are passed over when they are of a type that every gob
reader knows from the start.

Source: raftexample notes 4, checked against raftexample of etcd 3.5.1 (ID 65).
"""

import functools
from dataclasses import dataclass
from typing import Final

from formats.errors import FormatError, LimitError, TruncatedError, WireError
from formats.limits import FIELDS_MAX

KEY_FIELD: Final = b"Key"
VALUE_FIELD: Final = b"Val"

DESCRIPTION_BYTES_MAX = 1 << 16
"""A longer description of a type is not read; raftexample's has 33 bytes."""

_INT_BYTES_MAX = 8
_STRUCT_TYPE = 2
"""The field of gob's wireType that describes a struct."""

# Types that need no description, by their signed number.
_BOOL, _INT, _UINT, _FLOAT, _BYTES, _STRING, _COMPLEX = range(1, 8)
_NUMBERS = {_BOOL: 1, _INT: 1, _UINT: 1, _FLOAT: 1, _COMPLEX: 2}
"""How many unsigned numbers a value of the type is."""

_DESCRIPTION: Final = bytes.fromhex(
    "1f 7f 03 01 01 02 6b76 01 ff80 00 01 02 01 03 4b6579 01 0c 00 01 03 56616c 01 0c 00 00 00"
)
_ID: Final = 64
"""What current Go gives to the first type of a program; every reader takes any."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one proposal stores; neither needs to be UTF-8."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class _Layout:
    """A described struct: its type ID, and name and type of each field by position."""

    type_id: int
    fields: tuple[tuple[bytes, int], ...]


def parse_pair(data: bytes | memoryview) -> Pair:
    """The pair in a proposal, which must be one whole gob stream.

    Raises: FormatError, with the offset in `data` of what does not fit.
    """
    found = _short_pair(data) if isinstance(data, bytes) else None
    return parse_stream(bytes(data)) if found is None else found


def parse_stream(data: bytes) -> Pair:
    """The same whatever form it has, piece by piece: `parse_pair` without its shortcut.

    Raises: FormatError.
    """
    stream = _Stream(data)
    message = stream.message("a description of the type")
    layout = _layout_of(message)
    message = stream.message("a value")
    pair = _value(message, layout)
    if not stream.is_at_end:
        raise WireError("bytes follow the value", offset=stream.position)
    return pair


def _short_pair(data: bytes) -> Pair | None:
    """The pair in a proposal as `build_pair` makes it, of no more than 127 bytes in its second
    message and with a key; `None` for any other. What a state machine applies is mostly that:

        <description> <length> ff80 01 <length> <key> 01 <length> <value> 00
    """
    size, start = len(data), len(_DESCRIPTION)
    body = start + 1
    if not start + 8 <= size < body + 0x80 or not data.startswith(_DESCRIPTION):
        return None
    key = body + 4
    key_stop = key + data[key - 1]
    value = key_stop + 2
    if value >= size or data[start] != size - body or data[body : key - 1] != b"\xff\x80\x01":
        return None
    stop = value + data[value - 1]
    if stop != size - 1 or data[key_stop] != 1 or data[stop] != 0:
        return None
    return Pair(data[key:key_stop], data[value:stop])


def build_pair(pair: Pair) -> bytes:
    """A proposal that every reader of raftexample takes; the type has the ID 64."""
    fields = bytearray()
    skipped = 1
    for text in (pair.key, pair.value):
        if text:
            fields += _unsigned(skipped) + _unsigned(len(text)) + text
        skipped = 1 if text else skipped + 1
    body = _unsigned(_ID << 1) + bytes(fields) + b"\0"
    return _DESCRIPTION + _unsigned(len(body)) + body


def _unsigned(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes((0x100 - len(digits),)) + digits


class _Stream:
    """Bytes from `position` to `stop`, read piece by piece; errors point to a piece's start."""

    def __init__(self, data: bytes, start: int = 0, stop: int | None = None) -> None:
        self.data = data
        self.position = start
        self.stop = len(data) if stop is None else stop

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= self.stop

    def unsigned(self) -> int:
        """The unsigned number that comes next."""
        start = self.position
        if start >= self.stop:
            raise TruncatedError("ends where a number is expected", offset=start)
        first = self.data[start]
        if first < 0x80:
            self.position = start + 1
            return first
        count = 0x100 - first
        if count > _INT_BYTES_MAX:
            raise WireError(f"a number of {count} bytes", offset=start)
        self.position = start + 1 + count
        if self.position > self.stop:
            raise TruncatedError("ends inside a number", offset=start)
        return int.from_bytes(self.data[start + 1 : self.position], "big")

    def signed(self) -> int:
        """The signed number that comes next."""
        value = self.unsigned()
        return ~(value >> 1) if value & 1 else value >> 1

    def string(self) -> bytes:
        """The string that comes next."""
        start = self.position
        length = self.unsigned()
        if length > self.stop - self.position:
            raise TruncatedError(f"ends inside a string of {length} bytes", offset=start)
        self.position += length
        return self.data[self.position - length : self.position]

    def message(self, what: str) -> "_Stream":
        """The next message of the stream, which is passed over here."""
        start = self.position
        if self.is_at_end:
            raise TruncatedError(f"ends where {what} is expected", offset=start)
        length = self.unsigned()
        if length > self.stop - self.position:
            raise TruncatedError(f"ends inside {what} of {length} bytes", offset=start)
        inner = _Stream(self.data, self.position, self.position + length)
        self.position = inner.stop
        return inner

    def field(self, before: int, fields: int) -> int | None:
        """The next field of a struct with that many, counted from 0; `None` at the struct's end."""
        start = self.position
        step = self.unsigned()
        if step == 0:
            return None
        if before + step >= fields:
            words = f"field {before + step} of a struct with {fields}"
            raise WireError(words, offset=start)
        return before + step

    def end(self, what: str) -> None:
        """Raise when bytes are left."""
        if not self.is_at_end:
            raise WireError(f"bytes follow {what}", offset=self.position)


def _layout_of(message: _Stream) -> _Layout:
    """The struct that message 1 describes.

    Every entry of a log begins with the same bytes, so what they mean is kept; a handful of
    programs may have written one log, not more.
    """
    size = message.stop - message.position
    if size > DESCRIPTION_BYTES_MAX:
        words = f"{size} bytes are more than a description of a type may have"
        raise LimitError(words, offset=message.position)
    try:
        return _described(message.data[message.position : message.stop])
    except FormatError as error:
        error.offset += message.position
        raise


@functools.lru_cache(maxsize=16)
def _described(data: bytes) -> _Layout:
    """The struct that the content of message 1 describes; offsets count from its start."""
    stream = _Stream(data)
    type_id = -stream.signed()
    if type_id <= 0:
        raise WireError("a value of a type that is not described", offset=0)
    start = stream.position
    if stream.field(-1, _STRUCT_TYPE + 1) != _STRUCT_TYPE:
        raise WireError("a type that is no struct", offset=start)
    fields = _struct_type(stream)
    stream.field(_STRUCT_TYPE, _STRUCT_TYPE + 1)
    stream.end("the description of the type")
    for name in (KEY_FIELD, VALUE_FIELD):
        if (name, _STRING) not in fields:
            raise WireError(f"a struct without a string called {name.decode()}", offset=start)
    return _Layout(type_id, fields)


def _struct_type(stream: _Stream) -> tuple[tuple[bytes, int], ...]:
    """The fields of a struct type; its own name and ID say nothing that is needed."""
    fields: tuple[tuple[bytes, int], ...] = ()
    at = stream.field(-1, 2)
    if at == 0:
        _name_and_type(stream)
        at = stream.field(0, 2)
    if at == 1:
        start = stream.position
        count = stream.unsigned()
        if count > FIELDS_MAX:
            raise LimitError(f"a struct with {count} fields", offset=start)
        fields = tuple(_name_and_type(stream) for _ in range(count))
        stream.field(1, 2)
    return fields


def _name_and_type(stream: _Stream) -> tuple[bytes, int]:
    """A name and a signed number: what a field is, and what all types have in common."""
    name, number = b"", 0
    at = stream.field(-1, 2)
    if at == 0:
        name = stream.string()
        at = stream.field(0, 2)
    if at == 1:
        number = stream.signed()
        stream.field(1, 2)
    return name, number


def _value(message: _Stream, layout: _Layout) -> Pair:
    """The value that message 2 holds."""
    start = message.position
    type_id = message.signed()
    if type_id != layout.type_id:
        words = f"a value of type {type_id}, where type {layout.type_id} was described"
        raise WireError(words, offset=start)
    found = {KEY_FIELD: b"", VALUE_FIELD: b""}
    count = len(layout.fields)
    at = message.field(-1, count)
    while at is not None:
        name, kind = layout.fields[at]
        if kind == _STRING and name in found:
            found[name] = message.string()
        else:
            _pass_over(message, name, kind)
        at = message.field(at, count)
    message.end("the value")
    return Pair(key=found[KEY_FIELD], value=found[VALUE_FIELD])


def _pass_over(message: _Stream, name: bytes, kind: int) -> None:
    """Leave out a field that is not asked for."""
    if kind in (_BYTES, _STRING):
        message.string()
        return
    numbers = _NUMBERS.get(kind)
    if numbers is None:
        text = name[:32].decode("utf-8", "backslashreplace")
        raise WireError(f"field {text} is of type {kind}", offset=message.position)
    for _ in range(numbers):
        message.unsigned()
