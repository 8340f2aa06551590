"""Which fields rows have at their top, gathered from the documents of rows of every kind.

Nothing is listed by hand: a field that `walctl.inspect.document` begins to print is known here.
"""

from collections.abc import Iterator
from typing import Final

from walctl.inspect.document import row_document
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Code, Finding, Severity
from walctl.model.record import (
    Check,
    Checkpoint,
    Entry,
    EntryKind,
    Frame,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Span,
    Unknown,
)
from walctl.payload.base import PayloadError, Redaction


def _samples() -> Iterator[Row]:
    """Rows that have, all together, every field that a row can have."""
    entry = Entry(index=1, term=1, kind=EntryKind.NORMAL, raw_kind=0, payload=b"x")
    records: list[Record] = [
        entry,
        HardState(term=1, vote=1, commit=1),
        SnapshotMark(index=1, term=1),
        Metadata(node_id=1, cluster_id=1, raw=None),
        Metadata(node_id=None, cluster_id=None, raw=b"x"),
        Checkpoint(value=0),
        Unknown(raw_type=9, payload=b"x", reason=""),
    ]
    for record in records:
        frame = Frame(
            segment="",
            span=Span(0, 8),
            payload=None,
            record=record,
            check=Check.VERIFIED,
            stored=0,
            computed=0,
        )
        yield RecordRow(frame=frame, problem=PayloadError("") if record is entry else None)
    yield FindingRow(finding=Finding(code=Code.BAD_RECORD, severity=Severity.DAMAGE, detail=""))


def _names(*, of_findings: bool) -> frozenset[str]:
    rows = [row for row in _samples() if isinstance(row, FindingRow) is of_findings]
    levels = (Redaction.NONE, Redaction.ALL)
    return frozenset(name for row in rows for level in levels for name in row_document(row, level))


RECORD_FIELDS: Final = _names(of_findings=False)
"""Of records."""

FINDING_FIELDS: Final = _names(of_findings=True)
"""Of damage in its place."""

FIELDS: Final = RECORD_FIELDS | FINDING_FIELDS
"""Every name that an expression may begin a path with."""
