"""Records as the bytes that they are: `-o hex` for scripts, `--hexdump` for eyes.

`-o hex` is a line a record, and nothing is left out:

    0000000000000000-0000000000000000.wal:16 2000000000000000080110…

Damage is a line that begins with `#`, and so are its bytes where no record has them. `--hexdump`
puts lines as of `xxd` below the line of each record, with offsets of the file in decimal, as they
stand in all that walctl says; a line that is the same as the one before is `*`. On a terminal the
length field, the record's head, the payload and the padding have colours of their own.

Bytes that a redaction hides are `--`, so that everything else still stands where it did.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from walctl.inspect.row import FindingRow, Row
from walctl.model.finding import Finding
from walctl.model.record import Span
from walctl.payload.base import Redaction
from walctl.render.dump import COLUMNS_MAX_PIPED, finding_line, heading, record_line
from walctl.render.frame_bytes import Part, hidden_bytes, parts, with_own_bytes
from walctl.render.screen import Screen
from walctl.render.text import byte_count, printable

if TYPE_CHECKING:
    from rich.text import Text

LINE_BYTES = 16
OFFSET_COLUMNS = 12
"""Two more than the offset of a record's line has: bytes stand below their record."""
HIDDEN_HEX = "--"
HIDDEN_CHAR = "·"
OTHER_CHAR = "."
SAME = "*"

_STYLES = {
    Part.LENGTH: "cyan",
    Part.HEAD: "magenta",
    Part.PAYLOAD: "",
    Part.PADDING: "dim",
    Part.DAMAGE: "red",
}


def hex_lines(
    screen: Screen, rows: Iterable[Row], *, redaction: Redaction = Redaction.AUTH
) -> None:
    """`-o hex`: place and bytes of each record, as soon as it comes."""
    for row, raw in with_own_bytes(rows):
        shown = hexed(raw, hidden_bytes(row, redaction)) if raw else ""
        if isinstance(row, FindingRow):
            where = _place(row.finding)
            _write(screen, f"# {where} {row.finding.code}: {row.finding.detail}")
            if raw:
                _write(screen, f"# {where} {shown} {_more(row, raw)}".rstrip())
        else:
            _write(screen, f"{row.frame.segment}:{row.frame.span.start} {shown}")


def _write(screen: Screen, text: str) -> None:
    screen.stdout.write(printable(text) + "\n")


def _place(finding: Finding) -> str:
    place = (finding.place.segment, finding.place.offset)
    return ":".join(str(each) for each in place if each is not None)


def hexed(raw: bytes, hidden: Iterable[Span] = ()) -> str:
    """All bytes as hex, hidden ones as `--`."""
    pieces = []
    position = 0
    for span in hidden:
        pieces += [raw[position : span.start].hex(), HIDDEN_HEX * span.length]
        position = span.stop
    return "".join(pieces) + raw[position:].hex()


def hexdump_lines(
    screen: Screen,
    rows: Iterable[Row],
    *,
    redaction: Redaction = Redaction.AUTH,
    columns_max: int | None = COLUMNS_MAX_PIPED,
) -> None:
    """`--hexdump`: the text view, with the bytes of each row below its line."""
    segment = None
    for row, raw in with_own_bytes(rows):
        segment = heading(screen, row, segment)
        if isinstance(row, FindingRow):
            finding_line(screen, row.finding)
            hexdump(screen, row, raw, redaction, start=row.finding.place.offset or 0)
            more = _more(row, raw)
            if more:
                screen.line(f"{'':>{OFFSET_COLUMNS}}  {more}")
        else:
            record_line(screen, row, redaction=redaction, columns_max=columns_max)
            hexdump(screen, row, raw, redaction, start=row.frame.span.start)


def hexdump(screen: Screen, row: Row, raw: bytes, redaction: Redaction, *, start: int) -> None:
    """The bytes of one row, which begin at `start` of the file."""
    hidden = _Hidden(hidden_bytes(row, redaction))
    spans = parts(row) if screen.colour else ()
    before, is_told = "", False
    for position in range(0, len(raw), LINE_BYTES):
        piece = raw[position : position + LINE_BYTES]
        marks = hidden.marks(position, len(piece))
        pairs = [
            HIDDEN_HEX if mark else f"{byte:02x}" for byte, mark in zip(piece, marks, strict=True)
        ]
        body = "".join(pairs)
        is_last = position + LINE_BYTES >= len(raw)
        if body == before and not is_last:
            if not is_told:
                screen.line(f"{SAME:>{OFFSET_COLUMNS}}")
            is_told = True
            continue
        before, is_told = body, False
        chars = "".join(_char(byte, mark) for byte, mark in zip(piece, marks, strict=True))
        offset = f"{start + position:>{OFFSET_COLUMNS}}"
        if screen.colour:
            styles = _styles(spans, position, len(piece))
            screen.console.print(_coloured(offset, pairs, chars, styles), soft_wrap=True)
        else:
            screen.line(f"{offset}  {_columns(pairs)}  {chars}")


class _Hidden:
    """Which bytes are hidden, asked for from the first to the last."""

    def __init__(self, spans: tuple[Span, ...]) -> None:
        self._spans = spans
        self._next = 0

    def marks(self, start: int, size: int) -> list[bool]:
        """For each of `size` bytes from `start` on, whether it is hidden."""
        while self._next < len(self._spans) and self._spans[self._next].stop <= start:
            self._next += 1
        marks = [False] * size
        for span in self._spans[self._next :]:
            if span.start >= start + size:
                break
            for position in range(max(span.start, start), min(span.stop, start + size)):
                marks[position - start] = True
        return marks


def _char(byte: int, is_hidden: bool) -> str:
    if is_hidden:
        return HIDDEN_CHAR
    return chr(byte) if 0x20 <= byte < 0x7F else OTHER_CHAR


def _columns(pairs: list[str]) -> str:
    """Pairs in two groups of eight, as wide as a whole line has them."""
    half = LINE_BYTES // 2
    width = half * 3 - 1
    return f"{' '.join(pairs[:half]):<{width}}  {' '.join(pairs[half:]):<{width}}"


def _styles(spans: tuple[tuple[Part, Span], ...], start: int, size: int) -> list[str]:
    """The style of each of `size` bytes from `start` on."""
    styles = [""] * size
    for part, span in spans:
        for position in range(max(span.start, start), min(span.stop, start + size)):
            styles[position - start] = _STYLES[part]
    return styles


def _coloured(offset: str, pairs: list[str], chars: str, styles: list[str]) -> "Text":
    from rich.text import Text

    text = Text(f"{offset}  {_columns(pairs)}  {chars}")
    first = len(offset) + 2
    last = len(text) - len(chars)
    for position, style in enumerate(styles):
        if style:
            at = first + position * 3 + (1 if position >= LINE_BYTES // 2 else 0)
            text.stylize(style, at, at + 2)
            text.stylize(style, last + position, last + position + 1)
    return text


def _more(row: FindingRow, raw: bytes) -> str:
    """A note on the bytes of damage that are not shown here; empty when there are none."""
    finding = row.finding
    if not raw or finding.stop is None or finding.place.offset is None:
        return ""
    rest = finding.stop - finding.place.offset - len(raw)
    return f"and {byte_count(rest)} more" if rest > 0 else ""
