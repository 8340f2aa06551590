"""`-o csv`: one line of column names, then one line a row; for spreadsheets and databases.

Columns, in this order; new ones come at the end, and a cell without a value is empty:

    kind          record, or finding
    type          metadata, entry, state, crc, snapshot; of a finding, its code
    segment       file name
    offset        bytes from the start of the segment
    length        bytes of the frame; of a finding, the bytes concerned
    crc           stored checksum, as a number
    check         verified, implied, unverifiable, failed, skipped
    term, index   of entries and snapshot records; the term of hard states
    entry_type    normal, conf-change, conf-change-v2
    size          bytes of an entry's payload
    status        committed, uncommitted, overwritten, unknown
    request_type  put, txn, …; noop, undecoded
    request_id    hexadecimal
    key, key_end  the first range of keys that the request touches; `key_end` is empty for one key
    keys          how many ranges it touches
    value_size    bytes of the value of a put
    lease         hexadecimal
    vote, commit  of hard states; `vote` is hexadecimal
    detail        of a finding its evidence; why a payload cannot be read; of a record that is no
                  entry what else it says; of a request that is no plain put, what it asks for
    value         of a put

Keys and values are their text where that can be printed, else `hex:` and their bytes. Quotes are as
RFC 4180 has them, lines end in a line feed alone.

*Guarded*: whoever writes a key must not make a formula run in the spreadsheet of the person who
looks. A cell that begins like a formula gets a `'` in front, and so does one that begins with `'`,
so that taking one `'` away always gives back what was there. Numbers of ours are never guarded.
"""

import csv
from collections.abc import Iterable, Mapping

from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Finding
from walctl.model.record import Entry, HardState, Metadata, Record, SnapshotMark, Unknown
from walctl.payload.base import Blob, KeyRange, Node, Privacy, Redaction, Request, Text
from walctl.render.request_words import request_words
from walctl.render.screen import Screen
from walctl.render.text import hex_id, printable
from walctl.render.values import bytes_text, hidden, size_of

COLUMNS = (
    "kind",
    "type",
    "segment",
    "offset",
    "length",
    "crc",
    "check",
    "term",
    "index",
    "entry_type",
    "size",
    "status",
    "request_type",
    "request_id",
    "key",
    "key_end",
    "keys",
    "value_size",
    "lease",
    "vote",
    "commit",
    "detail",
    "value",
)

FORMULA_STARTS = frozenset("=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}") | {
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
}
"""First characters of what a spreadsheet may take for a formula."""
GUARD = "'"

Cell = str | int | None
Cells = dict[str, Cell]


def lines(screen: Screen, rows: Iterable[Row], *, redaction: Redaction = Redaction.AUTH) -> None:
    """Every row as soon as it comes, below the column names."""
    write = csv.writer(screen.stdout, lineterminator="\n").writerow
    write(COLUMNS)
    for row in rows:
        cells = _finding(row) if isinstance(row, FindingRow) else _record(row, redaction)
        write([guarded(cells.get(column)) for column in COLUMNS])


def guarded(cell: Cell) -> str | int:
    """A cell that no spreadsheet takes for a formula and no terminal obeys."""
    if cell is None:
        return ""
    if isinstance(cell, int):
        return cell
    text = cell if cell.isprintable() else printable(cell)
    is_formula = text.lstrip(" ")[:1] in FORMULA_STARTS or text.startswith(GUARD)
    return GUARD + text if text and is_formula else text


def _finding(row: FindingRow) -> Cells:
    finding: Finding = row.finding
    place = finding.place
    length = None
    if finding.stop is not None and place.offset is not None:
        length = finding.stop - place.offset
    return {
        "kind": "finding",
        "type": str(finding.code),
        "segment": place.segment,
        "offset": place.offset,
        "length": length,
        "term": place.term,
        "index": place.index,
        "detail": finding.detail,
    }


def _record(row: RecordRow, redaction: Redaction) -> Cells:
    frame = row.frame
    cells: Cells = {
        "kind": "record",
        "type": row.type,
        "segment": frame.segment,
        "offset": frame.span.start,
        "length": frame.span.length,
        "crc": frame.stored,
        "check": str(frame.check),
        "status": row.status,
        "request_type": row.request_type,
    }
    _say(cells, frame.record)
    if row.request is not None:
        _ask(cells, row.request, redaction)
    elif row.problem is not None:
        cells["detail"] = row.problem.message
    return cells


def _say(cells: Cells, record: Record) -> None:
    """What the record itself says."""
    match record:
        case Entry():
            cells["term"], cells["index"] = record.term, record.index
            cells["entry_type"] = str(record.kind)
            cells["size"] = None if record.payload is None else len(record.payload)
        case HardState():
            cells["term"], cells["commit"] = record.term, record.commit
            cells["vote"] = f"{record.vote:x}"
        case SnapshotMark():
            cells["term"], cells["index"] = record.term, record.index
        case Metadata(node_id=int(node), cluster_id=cluster):
            cells["detail"] = f"member {hex_id(node)} cluster {hex_id(cluster)}"
        case Metadata():
            cells["detail"] = "not etcd's"
        case Unknown():
            cells["detail"] = record.reason
        case _:
            pass


def _ask(cells: Cells, request: Request, redaction: Redaction) -> None:
    """What the request in an entry asks for."""
    if request.request_id is not None:
        cells["request_id"] = f"{request.request_id:x}"
    cells["keys"] = len(request.keys)
    if request.keys:
        first: KeyRange = request.keys[0]
        cells["key"] = _key(first.key, redaction)
        cells["key_end"] = None if first.end is None else _key(first.end, redaction)
    node = request.body.get(request.type, request.body.get("v2"))
    if isinstance(node, Mapping):
        _operation(cells, request.type, node, redaction)
    if "value" not in cells:
        cells["detail"] = request_words(request, None, None, redaction, width_max=None)


def _key(key: bytes, redaction: Redaction) -> str:
    return hidden(len(key)) if redaction.hides(Privacy.KEY) else bytes_text(key)


def _operation(cells: Cells, kind: str, node: Mapping[str, Node], redaction: Redaction) -> None:
    """The value and the lease, where an operation has them, under etcd's names."""
    value = node.get("value", node.get("Val"))
    if isinstance(value, Blob | Text):
        size = cells["value_size"] = size_of(value)
        is_hidden = redaction.hides(value.privacy)
        cells["value"] = hidden(size) if is_hidden else bytes_text(value.data)
    lease = node.get("lease", node.get("ID") if kind.startswith("lease_") else None)
    if isinstance(lease, str):
        cells["lease"] = lease
