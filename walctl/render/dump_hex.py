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
from walctl.render.frame_bytes import (
    Part,
    hidden_bytes,
    more_words,
    parts,
    with_own_bytes,
)
from walctl.render.screen import Screen
from walctl.render.text import printable

if TYPE_CHECKING:
    from rich.text import Text

LINE_BYTES = 16
OFFSET_COLUMNS = 12
"""Two more than the offset of a record's line has: bytes stand below their record."""
PAIRS_COLUMNS = 2 * (LINE_BYTES // 2 * 3 - 1) + 2
"""Two groups of pairs, and what lies between them."""
HIDDEN_HEX = "--"
HIDDEN_CHAR = "·"
OTHER_CHAR = "."
_CHARS = bytes(byte if 0x20 <= byte < 0x7F else ord(OTHER_CHAR) for byte in range(256))
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
                _write(screen, f"# {where} {shown} {more_words(row, raw)}".rstrip())
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
            if more := more_words(row, raw):
                screen.line(f"{'':>{OFFSET_COLUMNS}}  {more}")
        else:
            record_line(screen, row, redaction=redaction, columns_max=columns_max)
            hexdump(screen, row, raw, redaction, start=row.frame.span.start)


def hexdump(screen: Screen, row: Row, raw: bytes, redaction: Redaction, *, start: int) -> None:
    """The bytes of one row, which begin at `start` of the file."""
    hidden = hidden_bytes(row, redaction) if raw else ()
    digits, chars = hexed(raw, hidden), _printed(raw, hidden)
    spans = parts(row) if screen.colour else ()
    before, is_told = "", False
    for position in range(0, len(raw), LINE_BYTES):
        stop = position + LINE_BYTES
        body = digits[position * 2 : stop * 2]
        if body == before and stop < len(raw):
            if not is_told:
                screen.line(f"{SAME:>{OFFSET_COLUMNS}}")
            is_told = True
            continue
        before, is_told = body, False
        pairs = [body[at : at + 2] for at in range(0, len(body), 2)]
        text = f"{start + position:>{OFFSET_COLUMNS}}  {_columns(pairs)}  {chars[position:stop]}"
        if screen.colour:
            styles = _styles(spans, position, len(pairs))
            screen.console.print(_coloured(text, styles), soft_wrap=True)
        else:
            screen.line(text)


def _printed(raw: bytes, hidden: Iterable[Span]) -> str:
    """A character for each byte: itself where it can be printed, as ASCII."""
    text = raw.translate(_CHARS).decode("ascii")
    pieces = []
    position = 0
    for span in hidden:
        pieces += [text[position : span.start], HIDDEN_CHAR * span.length]
        position = span.stop
    return "".join(pieces) + text[position:]


def _columns(pairs: list[str]) -> str:
    """Pairs in two groups of eight, as wide as a whole line has them."""
    half = LINE_BYTES // 2
    width = (PAIRS_COLUMNS - 2) // 2
    return f"{' '.join(pairs[:half]):<{width}}  {' '.join(pairs[half:]):<{width}}"


def _styles(spans: tuple[tuple[Part, Span], ...], start: int, size: int) -> list[str]:
    """The style of each of `size` bytes from `start` on."""
    styles = [""] * size
    for part, span in spans:
        for position in range(max(span.start, start), min(span.stop, start + size)):
            styles[position - start] = _STYLES[part]
    return styles


def _coloured(line: str, styles: list[str]) -> "Text":
    """A line whose pairs and characters have the styles of their bytes."""
    from rich.text import Text

    text = Text(line)
    last = len(line) - len(styles)
    first = last - PAIRS_COLUMNS - 2
    for position, style in enumerate(styles):
        if style:
            at = first + position * 3 + (1 if position >= LINE_BYTES // 2 else 0)
            text.stylize(style, at, at + 2)
            text.stylize(style, last + position, last + position + 1)
    return text
