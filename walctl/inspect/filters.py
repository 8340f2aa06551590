"""Which rows of a log are wanted by what they say: types, terms, status, keys, ids, conditions.

A filter is asked twice. `wants_frame` sees a record before its payload was decoded, costs little,
and says no only where decoding could not change the answer; `matches` sees the whole row. Every
option given has to hold; of several words for one option, any. Damage stands in its place whatever
is asked for, unless a condition (`--where`) speaks of findings itself.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from walctl.inspect.document import Document, row_document
from walctl.inspect.row import NOOP, UNDECODED, FindingRow, RecordRow, Row
from walctl.model.record import Check, Entry, Frame, Record, Unknown
from walctl.payload.base import Redaction
from walctl.wal.records import name_of

if TYPE_CHECKING:  # who sets no condition need not wait for its language
    from walctl.inspect.where import Where

UNKNOWN_TYPE: Final = "unknown"
"""As a record's type: one that etcd does not have, or whose payload does not fit."""

_DECODED_FIELDS: Final = frozenset({"request", "data", "text", "redacted"})
"""Fields of a row that depend on what its payload was read as; bytes may have to be hidden."""

_MALFORMED: Final = frozenset({UNDECODED, "v2"})
"""What a payload with the outline of a put is when the put itself does not parse."""


@dataclass(frozen=True, slots=True)
class TermRange:
    """Terms from `first` to `last`, both included; `None`: no end."""

    first: int
    last: int | None

    def covers(self, term: int) -> bool:
        """Whether `term` is one of them."""
        return self.first <= term and (self.last is None or term <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a person asked for; empty is no wish. May be sent to another process.

    `types` are those of records, `request_types` those of entries' requests: a record passes when
    it is of one or the other. `grep` is searched in the payload of an entry, in the whole frame of
    any other record. With `payloads_are_etcds` the caller vouches that payloads are decoded as
    etcd's (or, where they are none, as something that has its keys in its bytes), so that many can
    be told to be unwanted without decoding. `damage_only` is for `around_damage`, which needs the
    rows beside the damage too; nothing here leaves rows out for it.
    """

    types: frozenset[str] = frozenset()
    request_types: frozenset[str] = frozenset()
    terms: tuple[TermRange, ...] = ()
    statuses: frozenset[str] = frozenset()
    keys: tuple[bytes, ...] = ()
    prefixes: tuple[bytes, ...] = ()
    request_ids: frozenset[int] = frozenset()
    grep: re.Pattern[bytes] | None = None
    where: "Where | None" = None
    damage_only: bool = False
    payloads_are_etcds: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether every row passes."""
        return not (self._has_types or self.terms or self.statuses or self._is_of_content)

    @property
    def needs_decoding(self) -> bool:
        """Whether rows have to come with their payloads decoded."""
        if self.where is not None and self.where.fields & _DECODED_FIELDS:
            return True
        return bool(self.keys or self.prefixes or self.request_ids or self.request_types - {NOOP})

    @property
    def _has_types(self) -> bool:
        return bool(self.types or self.request_types)

    @property
    def _is_of_requests(self) -> bool:
        return bool(self.keys or self.prefixes or self.request_ids)

    @property
    def _is_of_content(self) -> bool:
        return self._is_of_requests or self.grep is not None or self.where is not None

    def wants_frame(self, frame: Frame) -> bool:
        """Whether the row of this record could match; `True` when only decoding can tell."""
        record = frame.record
        if self.terms and not self._covers(_term_of(record)):
            return False
        if isinstance(record, Entry):
            return self.wants_payload(record.payload)
        if self.statuses or self._is_of_requests:
            return False  # only entries have any
        return not self._has_types or self._is_of_type(record)

    def wants_payload(self, payload: bytes | None) -> bool:
        """Whether an entry with this payload could match, as far as its bytes tell."""
        if self.grep is not None and not self.grep.search(payload or b""):
            return False
        if self._has_types and "entry" not in self.types and not self._may_be_of_type(payload):
            return False
        if not self._is_of_requests:
            return True
        if not payload:
            return False
        if not self.payloads_are_etcds:
            return True
        return self._may_ask_for(payload)

    def matches(self, row: Row, document: Callable[[], Document]) -> bool:
        """Whether a row is wanted; `document` is called only when a condition needs it."""
        if isinstance(row, FindingRow):
            if self.where is None or not self.where.is_about_findings:
                return True
            return self.where.matches(document())
        if not self.wants_frame(row.frame):
            return False
        record = row.frame.record
        if self.statuses and row.status not in self.statuses:
            return False
        is_of_type = self._is_of_type(record) or row.request_type in self.request_types
        if self._has_types and not is_of_type:
            return False
        if self._is_of_requests and not self._asks_for(row):
            return False
        pattern = None if isinstance(record, Entry) else self.grep
        if pattern is not None and not pattern.search(row.raw):
            return False
        return self.where is None or self.where.matches(document())

    def _covers(self, term: int | None) -> bool:
        return term is not None and any(each.covers(term) for each in self.terms)

    def _is_of_type(self, record: Record) -> bool:
        if isinstance(record, Unknown) and UNKNOWN_TYPE in self.types:
            return True
        return name_of(record) in self.types

    def _asks_for(self, row: RecordRow) -> bool:
        """Whether the row's request has one of the ids and touches one of the keys."""
        request = row.request
        if request is None:
            return False
        if self.request_ids and request.request_id not in self.request_ids:
            return False
        if not (self.keys or self.prefixes):
            return True
        return any(
            any(touched.covers(key) for key in self.keys)
            or any(touched.meets_prefix(prefix) for prefix in self.prefixes)
            for touched in request.keys
        )

    # --- before decoding

    def _may_be_of_type(self, payload: bytes | None) -> bool:
        if not payload:
            return NOOP in self.request_types
        wanted = self.request_types - {NOOP}
        if not self.payloads_are_etcds or "put" in wanted or wanted & _MALFORMED:
            return bool(wanted)
        return bool(wanted) and put_header(payload) is None

    def _may_ask_for(self, payload: bytes) -> bool:
        """Only a put says for certain what it touches and who asked: it has no range.

        A range that covers a key need not contain it.
        """
        header = put_header(payload)
        if header is None:
            return True
        if self.request_ids and not any(has_id(header, each) for each in self.request_ids):
            return False
        searched = (*self.keys, *self.prefixes)
        return not searched or any(each in payload for each in searched)


def _term_of(record: Record) -> int | None:
    """Of entries, hard states and snapshot marks."""
    term: int | None = getattr(record, "term", None)
    return term


PUT_TAG: Final = 0x22
HEADER_TAG: Final = b"\xa2\x06"


def put_header(payload: bytes) -> bytes | None:
    """The request header's bytes behind a put, where the payload is a put and that; else `None`.

        22 <length> <put>   a2 06 <length> <header>

    The header is etcd's own, so its length takes one byte; `b""` where there is none.
    """
    if payload[0] != PUT_TAG:
        return None
    stop, shift, position = 0, 0, 1
    while True:
        if position >= len(payload) or shift > 28:
            return None
        byte = payload[position]
        stop |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            break
    stop += position
    if stop == len(payload):
        return b""
    start = stop + len(HEADER_TAG) + 1
    if payload[stop : start - 1] != HEADER_TAG or start > len(payload):
        return None
    is_whole = payload[start - 1] < 0x80 and start + payload[start - 1] == len(payload)
    return payload[start:] if is_whole else None


def has_id(header: bytes, request_id: int) -> bool:
    """Whether a request header may have this id; certain only of those that etcd writes.

    08 <id>   12 <length> <user>   18 <revision>
    """
    if not header:
        return False
    written = b"\x08" + _varint(request_id)
    if header.startswith(written):
        return True
    # Another id stands there; a second one, or one written longer than need be, is for decoding.
    stop = 1
    while stop < len(header) and header[stop] >= 0x80:
        stop += 1
    is_plain = header[0] == 0x08 and stop < len(header) and (header[stop] != 0 or stop == 1)
    return not is_plain or b"\x08" in header[stop + 1 :]


def _varint(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(7, value.bit_length()), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def chosen(
    rows: Iterable[Row], wanted: Filter, redaction: Redaction = Redaction.AUTH
) -> Iterator[Row]:
    """The rows that match; a condition sees them as `redaction` shows them."""
    for row in rows:
        if wanted.matches(row, partial(row_document, row, redaction)):
            yield row


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that were left out here; `count` is above 0."""

    count: int


def around_damage(rows: Iterable[Row], context: int) -> Iterator[Row | Gap]:
    """Damage, with up to `context` rows before and behind each, each row once.

    Damage is a finding, or a record whose checksum fails. A `Gap` stands wherever rows are left
    out, also in front of the first and behind the last damage; without any damage there is nothing
    at all. At most `context` rows are kept.
    """
    kept: deque[Row] = deque(maxlen=context)
    left_out = following = 0
    was_damaged = False
    for row in rows:
        if is_damage(row):
            if left_out:
                yield Gap(left_out)
            yield from kept
            kept.clear()
            left_out, following, was_damaged = 0, context, True
            yield row
        elif following:
            following -= 1
            yield row
        else:
            left_out += len(kept) == context
            kept.append(row)
    left_out += len(kept)
    if was_damaged and left_out:
        yield Gap(left_out)


def is_damage(row: Row) -> bool:
    """Whether a row is what `--damage-only` looks for."""
    return isinstance(row, FindingRow) or row.frame.check is Check.FAILED


def last(rows: Iterable[Row], count: int) -> Iterator[Row]:
    """The last `count` rows; no more of them are kept."""
    yield from deque(rows, maxlen=count)
