"""How following looks: the rows as dump shows them, and between them what happens to the log."""

from collections.abc import Iterable

from walctl.inspect.document import row_document
from walctl.inspect.event import Event, EventKind, event_document
from walctl.inspect.row import FindingRow, Row
from walctl.payload.base import Redaction
from walctl.render.dump import COLUMNS_MAX_PIPED, OFFSET_COLUMNS, finding_line, heading, record_line
from walctl.render.screen import Output, Screen
from walctl.render.text import index_range

STYLES = {EventKind.REWOUND: "bold yellow", EventKind.OVERWRITTEN: "yellow"}
"""What takes something back that was shown has a colour."""


def show(
    screen: Screen,
    items: Iterable[Row | Event],
    *,
    redaction: Redaction = Redaction.AUTH,
    columns_max: int | None = COLUMNS_MAX_PIPED,
) -> None:
    """Every item as it comes: a line of JSON each, or text.

    Nothing is flushed here: whoever waits for the next item knows when to.
    """
    segment = None
    for item in items:
        if screen.output == Output.NDJSON:
            screen.row(_document(item, redaction))
        elif isinstance(item, Event):
            event_line(screen, item)
        else:
            segment = heading(screen, item, segment)
            if isinstance(item, FindingRow):
                finding_line(screen, item.finding)
            else:
                record_line(screen, item, redaction=redaction, columns_max=columns_max)


def _document(item: Row | Event, redaction: Redaction) -> object:
    return event_document(item) if isinstance(item, Event) else row_document(item, redaction)


def event_line(screen: Screen, event: Event) -> None:
    """One event as one line of text, where a record's line would stand.

    That following ended is not told to a person, who ended it; and that the log goes on in the
    next segment is told by its heading.
    """
    if event.kind in (EventKind.ENDED, EventKind.SEGMENT):
        return
    offset = "" if event.offset is None else str(event.offset)
    screen.line(f"{offset:>{OFFSET_COLUMNS}}  -- {_words(event)}", style=STYLES.get(event.kind))


def _words(event: Event) -> str:
    """What happened, in a line: a segment's name stands where there is no offset to say where."""
    entries = f"entries {index_range(event.first, event.last)}"
    match event.kind:
        case EventKind.OVERWRITTEN:
            old = "" if event.replaced_term is None else f" of term {event.replaced_term}"
            return f"{event.kind}: {entries}{old} by a leader of term {event.term}"
        case EventKind.REWOUND:
            gone = "" if event.first is None else f" ({entries} went with it)"
            return f"{event.kind}: {event.detail}{gone}"
        case _:
            return f"{event.kind}: {event.segment}: {event.detail}"
