"""The figures of a log counted again, slowly: row by row, every message by its codec. For tests.

Nothing of the fast way takes part: no batch, no shape, no tally, no figure of its.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formats.errors import FormatError
from formats.etcdserverpb import REQUEST
from formats.internalpb import INTERNAL_RAFT_REQUEST
from tests.inspect.answers import DISK
from walctl.datadir.layout import Layout, understand
from walctl.datadir.survey import Survey
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import OVERWRITTEN, FindingRow, RecordRow
from walctl.inspect.select import Selection, rows
from walctl.model.record import Entry, EntryKind, HardState
from walctl.payload.base import Decoder, PayloadError

Put = tuple[bytes, int, int]
"""Key, bytes of key and value, lease."""


@dataclass
class Recount:
    """What the rows of a log add up to; bytes are of frames, of puts those of keys and values."""

    records: Counter[str] = field(default_factory=Counter)
    record_bytes: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    request_bytes: Counter[str] = field(default_factory=Counter)
    terms: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Size of the payload and index of every entry, in file order."""
    puts: list[Put] = field(default_factory=list)
    deletes: list[tuple[bytes, bytes]] = field(default_factory=list)
    leases: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    overwritten: int = 0
    undecodable: int = 0
    events: list[tuple[str, int, int, int]] = field(default_factory=list)
    """`state` with offset, term and vote, or `entry` with offset, term and whether it is empty."""


def recounted(path: Path, decoder: Decoder, wanted: Selection | None = None) -> Recount:
    """Count the rows of a member's log, or those of a selection."""
    layout = understand(DISK, path)
    survey = survey_of(DISK, layout, depth=ONE_PROCESS)
    out = Recount()
    for row in whole_rows(layout, survey, wanted or Selection()):
        frame = row.frame
        out.records[row.type] += 1
        out.record_bytes[row.type] += frame.span.length
        if isinstance(frame.record, HardState):
            state = frame.record
            _add_event(out, "state", frame.span.start, state.term, state.vote)
        if isinstance(frame.record, Entry):
            _add_entry(out, row, frame.record, decoder)
    return out


def whole_rows(layout: Layout, survey: Survey, wanted: Selection) -> Iterator[RecordRow]:
    """The records that are whole: a damaged one comes right behind its finding."""
    place: object = None
    for row in rows(DISK, layout, survey, wanted):
        if isinstance(row, FindingRow):
            place = (row.finding.place.segment, row.finding.place.offset)
        elif (row.frame.segment, row.frame.span.start) != place:
            yield row


def _add_event(out: Recount, kind: str, offset: int, term: int, more: int) -> None:
    before = [each for each in out.events if each[0] == kind]
    key = (term, more) if kind == "state" else (term,)
    if not before or before[-1][2 : 2 + len(key)] != key:
        out.events.append((kind, offset, term, more))


def _add_entry(out: Recount, row: RecordRow, entry: Entry, decoder: Decoder) -> None:
    payload = entry.payload or b""
    out.overwritten += row.status == OVERWRITTEN
    out.terms[entry.term].append(entry.index)
    out.sizes.append((len(payload), entry.index))
    _add_event(out, "entry", row.frame.span.start, entry.term, int(not payload))
    name, puts, deletes = "noop", len(out.puts), len(out.deletes)
    if payload:
        try:
            request = decoder.decode(payload, entry.kind)
        except PayloadError:
            out.undecodable += 1
            request = None
        name = "undecoded" if request is None else request.type
        if entry.kind is EntryKind.NORMAL and request is not None:
            if request.decoder == "raftexample":
                (pair,) = request.keys
                value: Any = request.body["put"]
                out.puts.append((pair.key, len(pair.key) + len(value["value"].data), 0))
            else:
                _add_etcd(out, payload)
    out.requests[name] += 1
    out.request_bytes[name] += row.frame.span.length
    is_change = (len(out.puts), len(out.deletes)) != (puts, deletes)
    out.writes += is_change and not name.startswith("v2")


def _add_etcd(out: Recount, payload: bytes) -> None:
    try:
        request = INTERNAL_RAFT_REQUEST.parse(payload)
    except FormatError:
        old = REQUEST.parse(payload)
        path = (old.path or "").encode("utf-8", "surrogateescape")
        if old.method in ("PUT", "POST"):
            out.puts.append((path, len(payload), 0))
        elif old.method == "DELETE":
            out.deletes.append((path, b""))
        return
    _add_op(out, request.put, request.delete_range, request.txn)
    out.leases["granted"] += request.lease_grant is not None
    out.leases["revoked"] += request.lease_revoke is not None
    if request.lease_checkpoint is not None:
        out.leases["checkpoints"] += len(request.lease_checkpoint.checkpoints)


def _add_op(out: Recount, put: Any, delete: Any, txn: Any) -> None:
    if put is not None:
        key = put.key or b""
        out.puts.append((key, len(key) + len(put.value or b""), put.lease or 0))
    if delete is not None:
        out.deletes.append((delete.key or b"", delete.range_end or b""))
    if txn is not None:
        for op in (*txn.success, *txn.failure):
            _add_op(out, op.request_put, op.request_delete_range, op.request_txn)
