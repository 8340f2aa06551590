"""Rows as lines of text, from templates where a record is usual: what any other row looks like."""

import io

from walctl.inspect.row import COMMITTED, FindingRow, Row
from walctl.payload.base import Privacy, Redaction
from walctl.render.dump import (
    COLUMNS_MAX_PIPED,
    finding_line,
    has_room_for_all,
    record_line,
)
from walctl.render.piece_lines import PutFields
from walctl.render.request_words import VALUE_COLUMNS_MAX
from walctl.render.screen import Screen

_PLAIN = bytes(sorted({*range(0x20, 0x7F)} - {ord('"'), ord("\\")}))
"""ASCII that is printable and that needs no escape between quotes."""

_PUT = b"%10d  entry     %08x  verified      %d  term %d  put %b = %b%b  %b  %b\n"
_STATE = b"%10d  state     %08x  verified      term %d  vote %x  commit %d\n"
_NARROW_PUT = b"%10d  entry     %d  term %d  put %b = %b%b  %b\n"
_NARROW_STATE = b"%10d  state     term %d  vote %x  commit %d\n"


class TextLines:
    """A line for a record, a paragraph for damage: a `Form`.

    `columns_max` bounds a record's line; `None` shows every value whole.
    """

    def __init__(
        self,
        redaction: Redaction,
        *,
        width: int,
        colour: bool,
        columns_max: int | None = COLUMNS_MAX_PIPED,
    ) -> None:
        self._redaction = redaction
        self._width = width
        self._colour = colour
        self._columns_max = columns_max
        self._has_room = has_room_for_all(columns_max)
        self._hides_values = redaction.hides(Privacy.VALUE)

    def begin(self, segment: str) -> None:
        """What comes next is of this segment; its heading is printed by whoever joins the lines."""

    def put(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        fields: PutFields,
        status: str,
    ) -> bytes | None:
        """The line of a put that fits as it is."""
        key, value, lease, _ = fields
        if self._hides_values or (self._colour and status != COMMITTED):
            return None
        if key.translate(None, _PLAIN) or value.translate(None, _PLAIN):
            return None
        leased = b" lease %x" % lease if lease else b""
        asked = (index, term, self._quoted(key), self._quoted(value), leased)
        if self._has_room:
            size = _size(len(payload))
            line = _PUT % (offset, crc, *asked, size, status.encode("ascii"))
        else:
            line = _NARROW_PUT % (offset, *asked, status.encode("ascii"))
        fits = self._columns_max is None or len(line) <= self._columns_max + 1
        return line if fits else None

    def request(
        self,
        offset: int,
        length: int,
        crc: int,
        term: int,
        index: int,
        payload: bytes,
        status: str,
    ) -> bytes | None:
        """Other requests have words of their own."""
        return None

    def state(
        self, offset: int, length: int, crc: int, term: int, vote: int, commit: int
    ) -> bytes | None:
        """The line of a hard state."""
        if self._has_room:
            line = _STATE % (offset, crc, term, vote, commit)
        else:
            line = _NARROW_STATE % (offset, term, vote, commit)
        fits = self._columns_max is None or len(line) <= self._columns_max + 1
        return line if fits else None

    def row(self, row: Row) -> bytes:
        """The lines of any row."""
        paper = io.StringIO()
        screen = Screen(paper, paper, width=self._width, colour=self._colour)
        if isinstance(row, FindingRow):
            finding_line(screen, row.finding)
        else:
            record_line(screen, row, redaction=self._redaction, columns_max=self._columns_max)
        return paper.getvalue().encode("utf-8", "backslashreplace")

    def _quoted(self, text: bytes) -> bytes:
        """Plain text between quotes, cut as `render.text.quoted` cuts it."""
        if self._columns_max is None or len(text) <= VALUE_COLUMNS_MAX:
            return b'"%b"' % text
        return b'"%b"\xe2\x80\xa6' % text[: VALUE_COLUMNS_MAX - 1]


def _size(count: int) -> bytes:
    return b"1 byte" if count == 1 else b"%b bytes" % f"{count:,}".encode("ascii")
