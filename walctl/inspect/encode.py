"""Records made again from the rows that dump printed: from JSON back to the bytes of a log.

A row says what a record held, not how it was written. By default it is written as etcd up to 3.6
writes it, so the rows of a whole segment give its bytes again; where a row's checksum or length
tell that its record was other bytes, that is said. Nothing is written into a log here.

A record's checksum runs on from the record before it. Which that is, rows tell by their places:
a row that begins where the one before ended continues it, and so does a checksum record that takes
up the last one's value. Behind a gap (rows were filtered, or damage lay there) a row's own checksum
is taken as it stands. A seed makes one chain of all rows, wherever they are from.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import crc32c

from formats import etcdserverpb, limits, raftpb, walpb
from formats.errors import FormatError
from formats.frame import build_frame
from formats.raftpb import EntryType
from formats.walpb import RecordType
from walctl.errors import UsageError
from walctl.inspect.document import request_document
from walctl.inspect.encode_request import BUILT_DECODERS, Era, build_payload
from walctl.inspect.encode_values import (
    HIDDEN_HINT,
    Tree,
    as_id,
    as_list,
    as_truth,
    bytes_at,
    number_at,
    number_or_none,
    refuse,
    shown,
    tree_at,
)
from walctl.model.record import EntryKind
from walctl.payload.base import PayloadError, Redaction
from walctl.payload.etcd import EtcdDecoder
from walctl.wal.records import TYPE_NAMES

LINE_BYTES_MAX: Final = 8 * limits.RECORD_BYTES_MAX
"""A longer line is no row: bytes are there four times at most, and base64 takes a third more."""

_SEED = re.compile(r"(0x)[0-9a-f]{1,8}|[0-9]{1,10}", re.IGNORECASE | re.ASCII)

_TYPES: Final = {name: number for number, name in TYPE_NAMES.items()}
_ENTRY_TYPES: Final = {
    EntryKind.NORMAL: EntryType.NORMAL,
    EntryKind.CONF_CHANGE: EntryType.CONF_CHANGE,
    EntryKind.CONF_CHANGE_V2: EntryType.CONF_CHANGE_V2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a record is, but for its checksum: `data` is under it, `payload` an entry's own."""

    type: int
    data: bytes | None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A record as bytes.

    `frame` is the whole of it with length field and padding, `record` what lies between. `note`
    says how the bytes differ from those that the row came from, where that can be told.
    """

    line: int
    body: Body
    record: bytes
    frame: bytes
    note: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is no record: damage, or something that happened while a log was followed."""

    line: int
    kind: str


def encode_lines(
    lines: Iterable[bytes], *, seed: int | None = None, era: Era = Era.GOGO
) -> Iterator[Encoded | Skipped]:
    """The records of rows, one JSON object a line; `seed` is the checksum in front of the first.

    Raises: UsageError, with the number of the line.
    """
    chain = Chain(seed)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_row(line)
            kind = row.get("kind", "record")
            if kind == "record":
                yield chain.next(number, row, encode_row(row, era=era))
            else:
                yield Skipped(number, kind if isinstance(kind, str) else shown(kind))
        except UsageError as error:
            raise UsageError(f"line {number}: {error.message}") from None


def parse_seed(text: str) -> int:
    """A checksum as a person types it: decimal, or hex with `0x`. Raises: UsageError."""
    found = _SEED.fullmatch(text)
    value = int(text, 16 if found and found[1] else 10) if found else -1
    if not 0 <= value < 1 << 32:
        raise UsageError(f"{text or 'an empty word'} is no CRC-32C: expected a number or 0x…")
    return value


def parse_row(line: bytes) -> Tree:
    """The object in one line. Raises: UsageError."""
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        hint = "expected a row as dump -o ndjson prints it"
        raise UsageError(f"no JSON: {hint}, one a line") from None
    if not isinstance(found, dict):
        raise UsageError(f"expected a row, found {shown(found)}")
    if found.get("v", 1) != 1:
        raise UsageError(f"a row of version {shown(found['v'])}; this walctl knows 1")
    return found


def encode_row(row: Tree, *, era: Era = Era.GOGO) -> Body:
    """What the record of a row holds. Raises: UsageError, with the field concerned."""
    if row.get("redacted") is True:
        raise UsageError(f"the row's bytes are hidden; {HIDDEN_HINT}")
    try:
        if "raw_type" in row:
            return Body(type=number_or_none(row, "raw_type") or 0, data=bytes_at(row, "data"))
        kind = row.get("type")
        if not isinstance(kind, str) or kind not in _TYPES:
            refuse("type", f"expected one of {', '.join(_TYPES)}, found {shown(kind)}")
        return _body(_TYPES[kind], row, era)
    except FormatError as error:
        raise UsageError(error.message) from None


def _body(kind: RecordType, row: Tree, era: Era) -> Body:
    match kind:
        case RecordType.ENTRY:
            return _entry(row, era)
        case RecordType.STATE:
            state = raftpb.HardState(
                term=number_at(row, "term"),
                vote=as_id(row.get("vote"), "vote"),
                commit=number_at(row, "commit"),
            )
            return Body(type=kind, data=raftpb.HARD_STATE.build(state))
        case RecordType.SNAPSHOT:
            mark = walpb.Snapshot(
                index=number_at(row, "index"),
                term=number_at(row, "term"),
                conf_state=_conf_state(tree_at(row, "conf_state")),
            )
            return Body(type=kind, data=walpb.SNAPSHOT.build(mark))
        case RecordType.METADATA:
            return Body(type=kind, data=_metadata(row))
        case RecordType.CRC:
            return Body(type=kind, data=None)


def _entry(row: Tree, era: Era) -> Body:
    word = row.get("entry_type", "normal")
    if word not in list(_ENTRY_TYPES):
        refuse("entry_type", f"expected one of {', '.join(_ENTRY_TYPES)}, found {shown(word)}")
    kind = _ENTRY_TYPES[EntryKind(str(word))]
    payload = _payload(row, era, EntryKind(str(word)))
    entry = raftpb.Entry(
        type=None if era is Era.APIV2 and kind is EntryType.NORMAL else kind,
        term=number_at(row, "term"),
        index=number_at(row, "index"),
        data=payload,
    )
    return Body(type=RecordType.ENTRY, data=raftpb.ENTRY.build(entry), payload=payload)


def _payload(row: Tree, era: Era, kind: EntryKind) -> bytes | None:
    """An entry's payload: its bytes where the row has them, else built from the request."""
    data = bytes_at(row, "data")
    request = tree_at(row, "request")
    if data is not None:
        if request is not None and _says_other(request, data, kind):
            refuse("request", "says other than data; leave data out to have it built anew")
        return data
    if request is not None:
        return build_payload(request, era)
    if number_or_none(row, "size"):
        refuse("data", "missing, and there is no request to build it from")
    return None


def _conf_state(found: Tree | None) -> raftpb.ConfState | None:
    if found is None:
        return None

    def ids(name: str) -> tuple[int, ...]:
        place = f"conf_state.{name}"
        listed = as_list(found.get(name, []), place)
        return tuple(as_id(each, place) for each in listed)

    return raftpb.ConfState(
        voters=ids("voters"),
        learners=ids("learners"),
        voters_outgoing=ids("voters_outgoing"),
        learners_next=ids("learners_next"),
        auto_leave=as_truth(found.get("auto_leave", False), "conf_state.auto_leave"),
    )


def _says_other(request: Tree, data: bytes, kind: EntryKind) -> bool:
    """Whether a request of etcd was changed beside the bytes that it was read from."""
    if not data or request.get("decoder") not in BUILT_DECODERS or "compressed" in request:
        return False
    try:
        found = request_document(EtcdDecoder().decode(data, kind), Redaction.NONE)
    except PayloadError:
        return True
    given = _without_objects(request)
    assert isinstance(given, dict)
    return found is not None and {**found, "decoder": ""} != {**given, "decoder": ""}


def _without_objects(node: object) -> object:
    """A tree without what a decoder of Kubernetes put beside the values."""
    if isinstance(node, dict):
        return {name: _without_objects(each) for name, each in node.items() if name != "kubernetes"}
    return [_without_objects(each) for each in node] if isinstance(node, list) else node


def _metadata(row: Tree) -> bytes | None:
    if row.get("node_id") is None:
        return bytes_at(row, "data")
    ids = etcdserverpb.Metadata(
        node_id=as_id(row["node_id"], "node_id"),
        cluster_id=as_id(row.get("cluster_id"), "cluster_id"),
    )
    return etcdserverpb.METADATA.build(ids)


@dataclass(frozen=True, slots=True)
class _Link:
    """The last record: our checksum, the row's own, and where the row said that it ended."""

    ours: int
    theirs: int | None = None
    segment: object = None
    stop: int | None = None


class Chain:
    """Checksums from record to record; with a seed they run through all rows."""

    def __init__(self, seed: int | None = None) -> None:
        self._is_seeded = seed is not None
        self._is_first = True
        self._last = None if seed is None else _Link(seed)

    def next(self, line: int, row: Tree, body: Body) -> Encoded:
        """The record behind those before it. Raises: UsageError."""
        own = number_or_none(row, "crc")
        if own is None and body.type == RecordType.CRC:
            own = number_or_none(row, "value")
        last = self._last
        continues = last is not None and _continues(last, row, body, own)
        if last is not None and (continues or self._is_seeded):
            crc = _running(last.ours, body)
        elif own is not None:
            crc = own
        else:
            raise UsageError("no checksum to go on from: give --seed, or rows with their crc")
        # The rows' own chain is followed beside ours, so that a record that differs is told from
        # those behind it, which differ for its sake alone.
        expected = crc if self._is_first and self._is_seeded else None
        if continues and last is not None and last.theirs is not None:
            expected = _running(last.theirs, body)
        record = _record(body, crc)
        frame = build_frame(record)
        note = _note(row, own, expected, len(frame))
        self._last = _Link(crc, own, row.get("segment"), _stop(row))
        self._is_first = False
        return Encoded(line=line, body=body, record=record, frame=frame, note=note)


def _continues(last: _Link, row: Tree, body: Body, own: int | None) -> bool:
    """Whether a row's record was written right behind the last one."""
    if body.type == RecordType.CRC and own is not None and own == last.theirs:
        return True
    is_same = row.get("segment") == last.segment
    return is_same and last.stop is not None and row.get("offset") == last.stop


def _stop(row: Tree) -> int | None:
    offset, length = number_or_none(row, "offset"), number_or_none(row, "length")
    return None if offset is None or length is None else offset + length


def _running(crc: int, body: Body) -> int:
    """The checksum with this record, of which a checksum record takes no part."""
    return crc if body.type == RecordType.CRC else crc32c.crc32c(body.data or b"", crc)


def _record(body: Body, crc: int) -> bytes:
    if len(body.data or b"") > limits.RECORD_BYTES_MAX:
        raise UsageError(f"more than {limits.RECORD_BYTES_MAX} bytes are no record")
    try:
        return walpb.RECORD.build(walpb.Record(type=body.type, crc=crc, data=body.data))
    except FormatError as error:
        raise UsageError(error.message) from None


def _note(row: Tree, own: int | None, expected: int | None, frame_bytes: int) -> str | None:
    """How the bytes are not those that the row came from."""
    if own is not None and expected is not None and own != expected:
        return f"crc is {expected:08x}, the row says {own:08x}: the record held other bytes"
    length = number_or_none(row, "length")
    if length is not None and length != frame_bytes:
        return f"{frame_bytes} bytes, the row says {length}: the record was written in another way"
    return None


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream that comes in pieces of any size, without their newlines.

    Raises: UsageError, when a line is longer than a row can be.
    """
    kept: list[bytes] = []
    kept_bytes = 0
    number = 1
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        kept.append(first)
        kept_bytes += len(first)
        if kept_bytes > LINE_BYTES_MAX:
            raise UsageError(f"line {number}: more than {LINE_BYTES_MAX} bytes are no row")
        if more:
            yield b"".join(kept)
            yield from more[:-1]
            kept, kept_bytes = [more[-1]], len(more[-1])
            number += len(more)
    if kept_bytes:
        yield b"".join(kept)
