"""What of a record's data must not be handed on, and what stands in its place: never longer, never
shorter, and read by every parser as the same thing.

A hidden key, value, name or secret is letters of the same length. A payload of which nobody knows
what it holds is hidden as a whole, by a byte that no protobuf message can begin with: what was no
request before is none afterwards. Where a few hidden bytes are free to choose, their places are
told, so that the checksum of the record can be made to fit the room that it has.
"""

import functools
import json
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from formats.errors import FormatError
from formats.fields import Wire, spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from formats.mvccpb import KEY_VALUE, KeyValue
from formats.peek import peeker
from formats.raftpb import ENTRY
from walctl.model.record import EntryKind
from walctl.payload.base import Privacy, Redaction
from walctl.payload.etcd_fields import PRIVACY
from walctl.payload.privacy import hidden_spans
from walctl.wal.records import entry_kind

FILL: Final = b"x"
NO_MESSAGE: Final = b"w"
"""Its wire type, 7, does not exist."""
LETTERS: Final = b"abcdefghijklmnop"
"""What a free byte may be: four bits each."""
FREE_MAX = 6
"""Places that are told: 24 bits are enough to choose from."""

_SHOWN_ZEROS: Final = bytes([0, *NO_MESSAGE * 255])
_PRIVACY: Final = {**PRIVACY, KeyValue: {"key": Privacy.KEY, "value": Privacy.VALUE}}
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PART_OF_STRING: Final = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_INNER_STRING: Final = re.compile(rb'\\"([^"\\]*)\\"(\s*:)?')


_Plan: TypeAlias = dict[int, tuple[type[Any] | None, bool]]
_PLANS: Final[dict[tuple[type[Any], Redaction], _Plan]] = {}


@dataclass(frozen=True, slots=True)
class Hidden:
    """Data in which nothing is left to hide; the bytes at `free` may be any of `LETTERS`."""

    data: bytes
    free: tuple[int, ...] = ()

    def variant(self, number: int) -> bytes:
        """The data with its free bytes chosen, another choice for each number; 0 is `data`."""
        start = self.fixed_bytes
        return self.data if number == 0 else self.data[:start] + self.tail(number)

    @property
    def fixed_bytes(self) -> int:
        """How many bytes in front are the same in every variant."""
        return self.free[0] if self.free else len(self.data)

    def tail(self, number: int) -> bytes:
        """What follows those, in this variant."""
        start = self.fixed_bytes
        changed = bytearray(self.data[start:])
        for place in reversed(self.free if number else ()):
            changed[place - start] = LETTERS[number % len(LETTERS)]
            number //= len(LETTERS)
        return bytes(changed)

    @property
    def variants(self) -> int:
        """How many choices there are."""
        return int(len(LETTERS) ** len(self.free))


def blotted(data: bytes | bytearray | memoryview) -> bytes:
    """Bytes of no known meaning: each that is not zero becomes one that begins nothing."""
    return bytes(data).translate(_SHOWN_ZEROS)


def hidden_entry(data: bytes, redaction: Redaction, *, keeps_zeros: bool = False) -> Hidden:
    """An entry's bytes with what its payload holds hidden.

    With `keeps_zeros` what is zero stays zero and nothing is free: damage is known by its zeros.
    Raises: FormatError, when it is no entry.
    """
    entry = ENTRY.parse(data)
    payload = entry.data
    if not payload or redaction is Redaction.NONE:
        return Hidden(data)
    if not entry.unknown and data.endswith(payload):
        start = len(data) - len(payload)
    else:
        spans = [span for span in ENTRY.spans(data) if span.name == "data"]
        start = spans[-1].value_start
    found = hidden_payload(payload, entry_kind(entry.type or 0), redaction)
    inner = found.data
    if keeps_zeros:
        inner = bytes(new if old else 0 for old, new in zip(payload, inner, strict=True))
    whole = data[:start] + inner + data[start + len(payload) :]
    free = () if keeps_zeros else tuple(start + place for place in found.free)
    return Hidden(whole, free)


def hidden_payload(payload: bytes, kind: EntryKind, redaction: Redaction) -> Hidden:
    """A payload with what a redaction hides hidden."""
    spans = _spans(payload, kind, redaction)
    if spans is None:
        free = range(max(1, len(payload) - FREE_MAX), len(payload))
        return Hidden(NO_MESSAGE * len(payload), tuple(free))
    if not spans:
        return Hidden(payload)
    changed = bytearray(payload)
    free_places: list[int] = []
    for start, stop in spans:
        if kind is EntryKind.NORMAL:
            changed[start:stop] = FILL * (stop - start)
            free_places += range(max(start, stop - FREE_MAX), stop)
        else:
            changed[start:stop] = masked_names(bytes(changed[start:stop]))
            places = range(start, stop)
            free_places += [at for at in places if changed[at] == FILL[0] != payload[at]]
    hidden = Hidden(bytes(changed), tuple(free_places[-FREE_MAX:]))
    if _spans(hidden.data, kind, redaction) == spans:
        return hidden
    # A number that nobody knows was among it: it stays a number of that many bytes.
    for start, stop in spans:
        changed[start:stop] = bytes(byte & 0x80 | 1 for byte in payload[start:stop])
    return Hidden(bytes(changed))


def hidden_key_value(data: bytes, redaction: Redaction) -> bytes:
    """A row of the database's key space, hidden."""
    if redaction is Redaction.NONE:
        return data
    if _peek_key_value()(data) is None:
        return blotted(data)
    spans: list[tuple[int, int]] = []
    _walk(data, 0, len(data), KeyValue, redaction, spans)
    changed = bytearray(data)
    for start, stop in spans:
        changed[start:stop] = FILL * (stop - start)
    return bytes(changed)


def masked_names(text: bytes) -> bytes:
    """JSON with the values of its strings hidden, the names of its fields kept; all of anything
    that is no JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return FILL * len(text)
    out = bytearray(text)
    for found in _STRING.finditer(text):
        behind = text[found.end() : found.end() + 2].lstrip()
        if not behind.startswith(b":"):
            start, stop = found.start() + 1, found.end() - 1
            out[start:stop] = masked_string(text[start:stop])
    return bytes(out)


def masked_inner(text: bytes, fill: bytes = FILL) -> bytes:
    """A JSON string that holds JSON, with the values of the strings in that hidden."""

    def masked(found: re.Match[bytes]) -> bytes:
        is_name = found[2] is not None
        return found[0] if is_name else rb"\"" + fill * len(found[1]) + rb"\""

    return _INNER_STRING.sub(masked, text)


def masked_string(text: bytes, fill: bytes = FILL) -> bytes:
    """The inside of a JSON string, hidden; its escapes stay escapes."""
    if b"\\" not in text:
        return fill * len(text)

    def masked(found: re.Match[bytes]) -> bytes:
        escapes = {1: fill, 2: rb"\n", 6: rb"\u0078"}
        return escapes[len(found[0])]

    return _PART_OF_STRING.sub(masked, text)


def _spans(payload: bytes, kind: EntryKind, redaction: Redaction) -> list[tuple[int, int]] | None:
    """Where the hidden bytes of a payload lie; `None`: everywhere."""
    if kind is EntryKind.NORMAL and _peek_request()(payload) is not None:
        spans: list[tuple[int, int]] = []
        _walk(payload, 0, len(payload), InternalRaftRequest, redaction, spans)
        return spans
    try:
        found = hidden_spans(payload, redaction, kind)
    except FormatError:
        return None
    return None if found is None else [(each.start, each.stop) for each in found]


def _walk(
    data: bytes,
    at: int,
    stop: int,
    cls: type[Any],
    redaction: Redaction,
    out: list[tuple[int, int]],
) -> None:
    """Collect the hidden values of a message that the fast codec has found to be canonical.

    `hidden_spans` says the same, by the definition, in fifty times the time.
    """
    plan = _PLANS.get((cls, redaction))
    if plan is None:
        plan = _PLANS[cls, redaction] = _plan(cls, redaction)
    while at < stop:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == Wire.VARINT:
            _, at = _varint(data, at)
        elif wire == Wire.BYTES:
            size, at = _varint(data, at)
            target, hides = plan.get(tag >> 3, (None, True))
            if target is not None:
                _walk(data, at, at + size, target, redaction, out)
            elif hides and size:
                out.append((at, at + size))
            at += size
        else:
            at += 8 if wire == Wire.FIXED64 else 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _plan(cls: type[Any], redaction: Redaction) -> _Plan:
    """By field number: the message in it, and whether its bytes are hidden."""
    privacies = _PRIVACY.get(cls, {})
    return {
        field.number: (
            field.target,
            redaction.hides(privacies.get(field.name, Privacy.OPEN)),
        )
        for field in spec_of(cls).fields
    }


@functools.cache
def _peek_request() -> Any:
    return peeker(INTERNAL_RAFT_REQUEST)


@functools.cache
def _peek_key_value() -> Any:
    return peeker(KEY_VALUE)
