"""How records look: a line each for people, an object each for machines."""

from collections.abc import Iterable

from walctl.inspect.dumping import Order
from walctl.inspect.filter_words import TypeWord
from walctl.inspect.filters import Filter
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Finding
from walctl.model.log import Log
from walctl.model.record import (
    Check,
    Entry,
    HardState,
    Metadata,
    Record,
    SnapshotMark,
    Unknown,
)
from walctl.payload.base import Redaction
from walctl.render.prose import paragraph
from walctl.render.request_words import request_words
from walctl.render.screen import Screen
from walctl.render.text import byte_count, columns, hex_id, index_range, printable
from walctl.wal.records import name_of

OFFSET_COLUMNS = 10
COLUMNS_MAX_PIPED = 1000
"""Where no terminal sets a width: a line that tools and people can still take."""
COLUMNS_WIDE = 120
"""Columns from which on a terminal is wide."""
WORDS_COLUMNS_MIN = 16
"""Columns that the words of a request get in however narrow a terminal."""
GAP = "  "


def types(screen: Screen, words: Iterable[TypeWord]) -> None:
    """What `-r` takes: records first, then requests."""
    for word in words:
        screen.line(f"{word.kind:<9}{word.name:<30}{word.what}".rstrip())


def nothing(screen: Screen, log: Log, order: Order, wanted: Filter) -> None:
    """A note on stderr that no row was asked for that is there, and what there is."""
    holds = "no entry" if log.first is None else f"entries {index_range(log.first, log.last)}"
    if order.limit == 0 or order.tail == 0:
        return
    if order.context is not None:
        screen.note(f"walctl: no damage there; the log holds {holds}")
    elif wanted.is_empty:
        screen.note(f"walctl: no record there; the log holds {holds}")
    else:
        screen.note(f"walctl: no record there that matches; the log holds {holds}")


def lines(
    screen: Screen,
    rows: Iterable[Row],
    *,
    redaction: Redaction = Redaction.AUTH,
    columns_max: int | None = COLUMNS_MAX_PIPED,
) -> None:
    """Text: a heading for each segment, a line for each record, damage in its place.

    `columns_max` bounds a record's line: the terminal's width; `None` shows every value whole.
    """
    segment = None
    for row in rows:
        segment = heading(screen, row, segment)
        if isinstance(row, FindingRow):
            finding_line(screen, row.finding)
        else:
            record_line(screen, row, redaction=redaction, columns_max=columns_max)


def heading(screen: Screen, row: Row, before: str | None) -> str | None:
    """The segment of `row`, told in a line of its own where it is not `before`."""
    name = row.frame.segment if isinstance(row, RecordRow) else row.finding.place.segment
    if name != before:
        if before is not None:
            screen.line()
        screen.line(str(name), style="bold")
    return name


def finding_line(screen: Screen, finding: Finding) -> None:
    """Damage in its place: its offset, its code and the evidence, wrapped."""
    offset = str(finding.place.offset if finding.place.offset is not None else "")
    first = f"{offset:>{OFFSET_COLUMNS}}  !! {finding.code}: "
    paragraph(screen, finding.detail, indent=OFFSET_COLUMNS + 5, first=first, style="bold red")


def record_line(
    screen: Screen,
    row: RecordRow,
    *,
    redaction: Redaction = Redaction.AUTH,
    columns_max: int | None = COLUMNS_MAX_PIPED,
) -> None:
    """One record: place, type, checksum, what it is, and what became of it."""
    frame = row.frame
    style = None
    if frame.check is Check.FAILED:
        style = "bold red"
    elif row.status in ("overwritten", "uncommitted"):
        style = "yellow"
    screen.line(_record_text(row, redaction, columns_max), style=style)


def has_room_for_all(columns_max: int | None) -> bool:
    """Whether a line of so many columns has room for a checksum that fits, and for a size.

    Where it has not, what a person looks for goes first: what is asked for, and what became of it.
    """
    return columns_max is None or columns_max >= COLUMNS_WIDE


def _record_text(row: RecordRow, redaction: Redaction, columns_max: int | None) -> str:
    """The line of a record; the words of a request get the room that the rest leaves them."""
    frame, has_room = row.frame, has_room_for_all(columns_max)
    stored = "--------" if frame.stored is None else f"{frame.stored:08x}"
    front = [f"{frame.span.start:>{OFFSET_COLUMNS}}", f"{name_of(frame.record):<8}"]
    if has_room:
        front += [stored, f"{frame.check:<12}"]
    elif frame.check is not Check.VERIFIED:
        front += [str(frame.check)]
    back = [] if row.status is None else [row.status]
    if frame.check is Check.FAILED and frame.computed is not None:
        back.append(f"its data gives {frame.computed:08x}")
    if isinstance(frame.record, Entry):
        front += _position(row, frame.record)
        payload = frame.record.payload
        if has_room or payload is None:
            back.insert(0, "no data" if payload is None else byte_count(len(payload)))
        taken = len(GAP.join([*front, *back])) + len(GAP)
        room = None if columns_max is None else max(columns_max - taken, WORDS_COLUMNS_MIN)
        words = request_words(
            row.request,
            row.problem,
            payload,
            redaction,
            width_max=room,
            hides_payload=row.request is None and row.hides_payload(redaction),
        )
    else:
        words = _what(frame.record)
    text = GAP.join([*front, *([words] if words else ()), *back]).rstrip()
    is_wide = columns_max is not None and columns(text) > columns_max
    return printable(text, width_max=columns_max) if is_wide else text


def _position(row: RecordRow, entry: Entry) -> list[str]:
    """Where an entry stands, and its kind where no request says more."""
    place = [str(entry.index), f"term {entry.term}"]
    return place if row.request is not None else [*place, str(entry.kind)]


def _what(record: Record) -> str:
    match record:
        case HardState(term=term, vote=vote, commit=commit):
            return f"term {term}  vote {hex_id(vote)}  commit {commit}"
        case SnapshotMark(index=index, term=term):
            return f"{index}  term {term}"
        case Metadata(node_id=None, raw=raw):
            return f"not etcd's  {byte_count(len(raw or b''))}"
        case Metadata(node_id=node, cluster_id=cluster):
            return f"member {hex_id(node)}  cluster {hex_id(cluster)}"
        case Unknown(reason=reason):
            return reason
        case _:
            return ""
