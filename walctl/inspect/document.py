"""The stable JSON of a row and of a finding, as plain values; see walctl(7). Nothing is written
here, and nothing that a redaction hides leaves here.

    {"v":1,"kind":"record","type":…,"segment":…,"offset":…,"length":…,"crc":…,"crc_computed":…,
     "check":…, …}
    {"v":1,"kind":"finding","code":…, …}
"""

import base64
from collections.abc import Iterator, Mapping

from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Finding
from walctl.model.record import (
    Checkpoint,
    ConfState,
    Entry,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Unknown,
)
from walctl.payload.base import Blob, Node, Redaction, Request, Text
from walctl.wal.records import name_of

Document = dict[str, object]
_PLAIN = (str, int, float, type(None))


def row_document(row: Row, redaction: Redaction = Redaction.AUTH) -> Document:
    """One row for JSON."""
    if isinstance(row, FindingRow):
        return {"v": 1, "kind": "finding", **finding_document(row.finding)}
    frame = row.frame
    common: Document = {
        "v": 1,
        "kind": "record",
        "type": name_of(frame.record),
        "segment": frame.segment,
        "offset": frame.span.start,
        "length": frame.span.length,
        "crc": frame.stored,
        "crc_computed": frame.computed,
        "check": str(frame.check),
    }
    return common | dict(_fields(frame.record, row, redaction))


def _fields(record: Record, row: RecordRow, redaction: Redaction) -> Iterator[tuple[str, object]]:
    match record:
        case Entry():
            yield "term", record.term
            yield "index", record.index
            yield "entry_type", str(record.kind)
            yield "size", None if record.payload is None else len(record.payload)
            yield from _payload(row, redaction)
            yield "status", row.status
            yield "request", request_document(row.request, redaction)
        case HardState():
            yield "term", record.term
            yield "vote", f"{record.vote:x}"
            yield "commit", record.commit
        case SnapshotMark():
            yield "index", record.index
            yield "term", record.term
            yield "conf_state", conf_state_document(record.conf_state)
        case Metadata():
            yield "node_id", _hex_or_none(record.node_id)
            yield "cluster_id", _hex_or_none(record.cluster_id)
            if record.node_id is None:
                yield from _payload(row, redaction)
        case Checkpoint():
            yield "value", record.value
        case Unknown():
            yield "raw_type", record.raw_type
            yield "reason", record.reason
            yield from _payload(row, redaction)


def _payload(row: RecordRow, redaction: Redaction) -> Iterator[tuple[str, object]]:
    if row.hides_payload(redaction):
        yield "data", None
        yield "redacted", True
    else:
        yield from bytes_fields(row.payload)


def bytes_fields(data: bytes | None) -> Iterator[tuple[str, object]]:
    """base64 under `data`, and beside it `text` when that is printable UTF-8."""
    if data is None:
        yield "data", None
        return
    yield "data", base64.b64encode(data).decode("ascii")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if text.isprintable():
        yield "text", text


def request_document(
    request: Request | None, redaction: Redaction = Redaction.AUTH
) -> Document | None:
    """A decoded payload for JSON: who read it, what it is, its id in hex, and its tree."""
    if request is None:
        return None
    return {
        "decoder": request.decoder,
        "type": request.type,
        "id": _hex_or_none(request.request_id),
        **{name: node_document(node, redaction) for name, node in request.body.items()},
    }


def node_document(node: Node, redaction: Redaction) -> object:
    """A piece of a request for JSON; what is hidden says only how long it is."""
    if isinstance(node, _PLAIN):  # asked of every node: what is cheap to tell apart comes first
        return node
    if isinstance(node, dict):
        return {name: node_document(each, redaction) for name, each in node.items()}
    match node:
        case Blob(data=data, privacy=privacy):
            if redaction.hides(privacy):
                return {"redacted": True, "size": len(data)}
            return dict(bytes_fields(data))
        case Text(text=text, privacy=privacy):
            if redaction.hides(privacy):
                return {"redacted": True, "size": len(node.data)}
            if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                return dict(bytes_fields(node.data))
            return text
        case Mapping():
            return {name: node_document(each, redaction) for name, each in node.items()}
        case _:
            return [node_document(each, redaction) for each in node]


def finding_document(finding: Finding) -> Document:
    """One finding for JSON."""
    place = finding.place
    return {
        "code": str(finding.code),
        "severity": str(finding.severity),
        "segment": place.segment,
        "offset": place.offset,
        "stop": finding.stop,
        "index": place.index,
        "term": place.term,
        "detail": finding.detail,
        "consequence": finding.consequence,
        "next": finding.next,
    }


def conf_state_document(conf: ConfState | None) -> Document | None:
    """A membership by ids for JSON; ids are hex strings."""
    if conf is None:
        return None
    return {
        "voters": [f"{each:x}" for each in conf.voters],
        "learners": [f"{each:x}" for each in conf.learners],
        "voters_outgoing": [f"{each:x}" for each in conf.voters_outgoing],
        "learners_next": [f"{each:x}" for each in conf.learners_next],
        "auto_leave": conf.auto_leave,
    }


def _hex_or_none(value: int | None) -> str | None:
    return None if value is None else f"{value:x}"
