"""How records look: a line each for people, an object each for machines."""

from collections.abc import Iterable, Iterator

from walctl.inspect.document import row_document
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Finding
from walctl.model.log import Log
from walctl.model.record import (
    Check,
    Checkpoint,
    Entry,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Unknown,
)
from walctl.render.prose import paragraph
from walctl.render.screen import Output, Screen
from walctl.render.text import byte_count, hex_id, index_range
from walctl.wal.records import name_of

OFFSET_COLUMNS = 10


def show(screen: Screen, rows: Iterable[Row]) -> int:
    """Every row as soon as it comes, in the screen's form; how many there were."""
    counted = _Counted(rows)
    _show(screen, counted)
    return counted.count


def nothing(screen: Screen, log: Log) -> None:
    """A note on stderr that no row was asked for that is there."""
    holds = "no entry" if log.first is None else f"entries {index_range(log.first, log.last)}"
    screen.note(f"walctl: no record there; the log holds {holds}")


class _Counted:
    """Rows, counted while they go by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _show(screen: Screen, rows: Iterable[Row]) -> None:
    if screen.output == Output.NDJSON:
        for row in rows:
            screen.row(row_document(row))
    elif screen.output == Output.JSON:
        screen.show_stream("records", (row_document(row) for row in rows))
    else:
        lines(screen, rows)


def lines(screen: Screen, rows: Iterable[Row]) -> None:
    """Text: a heading for each segment, a line for each record, damage in its place."""
    segment = None
    for row in rows:
        name = row.frame.segment if isinstance(row, RecordRow) else row.finding.place.segment
        if name != segment:
            if segment is not None:
                screen.line()
            screen.line(str(name), style="bold")
            segment = name
        if isinstance(row, FindingRow):
            _finding_line(screen, row.finding)
        else:
            _record_line(screen, row)


def _finding_line(screen: Screen, finding: Finding) -> None:
    offset = str(finding.place.offset if finding.place.offset is not None else "")
    first = f"{offset:>{OFFSET_COLUMNS}}  !! {finding.code}: "
    paragraph(screen, finding.detail, indent=OFFSET_COLUMNS + 5, first=first, style="bold red")


def _record_line(screen: Screen, row: RecordRow) -> None:
    frame = row.frame
    offset = f"{frame.span.start:>{OFFSET_COLUMNS}}"
    style = None
    if frame.check is Check.FAILED:
        style = "bold red"
    elif row.status in ("overwritten", "uncommitted"):
        style = "yellow"
    stored = "--------" if frame.stored is None else f"{frame.stored:08x}"
    parts = [offset, f"{name_of(frame.record):<8}", stored, f"{frame.check:<12}"]
    parts.append(_what(frame.record))
    if row.status is not None:
        parts.append(row.status)
    if frame.check is Check.FAILED and frame.computed is not None:
        parts.append(f"its data gives {frame.computed:08x}")
    screen.line("  ".join(parts).rstrip(), style=style)


def _what(record: Record) -> str:
    match record:
        case Entry(index=index, term=term, kind=kind, payload=payload):
            size = "no data" if payload is None else byte_count(len(payload))
            return f"{index}  term {term}  {kind}  {size}"
        case HardState(term=term, vote=vote, commit=commit):
            return f"term {term}  vote {hex_id(vote)}  commit {commit}"
        case SnapshotMark(index=index, term=term):
            return f"{index}  term {term}"
        case Metadata(node_id=None, raw=raw):
            return f"not etcd's  {byte_count(len(raw or b''))}"
        case Metadata(node_id=node, cluster_id=cluster):
            return f"member {hex_id(node)}  cluster {hex_id(cluster)}"
        case Checkpoint():
            return ""
        case Unknown(reason=reason):
            return reason
