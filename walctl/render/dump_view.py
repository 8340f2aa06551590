"""Which view of a dump draws its rows: the one table of them. A view is imported when asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from walctl.errors import UsageError
from walctl.inspect.row import Row
from walctl.inspect.select import Choice
from walctl.payload.base import Redaction
from walctl.render.dump import COLUMNS_MAX_PIPED
from walctl.render.dump_json import JsonLines
from walctl.render.dump_show import FormDraw, RowsDraw, ShowRows, View
from walctl.render.dump_text import TextLines
from walctl.render.screen import Output, Screen

CSV = "csv"
HEX = "hex"
DUMP_LOGS = "dump-logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was asked of the view; `is_full` cuts no value short.

    `has_puts` and `special` are of the decoder, see `PieceLines`; so is `object_root`, see
    `RequestJson`. `path` is the log's, where there
    are several.
    """

    has_hexdump: bool = False
    has_layout: bool = False
    template: str | None = None
    is_full: bool = False
    has_puts: bool = False
    special: tuple[bytes, ...] = ()
    object_root: bytes | None = None
    path: Path | None = None


def view_of(screen: Screen, choice: Choice, look: Look) -> View:
    """The view that draws the rows of a choice on this screen. Raises: UsageError."""
    _demand_one(screen, look)
    redaction = choice.redaction
    if screen.output in (Output.JSON, Output.NDJSON):
        return View(
            draw=_form(
                choice, look, JsonLines(redaction, path=look.path, object_root=look.object_root)
            )
        )
    if look.template is not None:
        show = _template(look.template, redaction)
        return View(draw=_rows(screen, choice, show, has_notes=True), is_alone=True)
    if screen.output == CSV:
        from walctl.render import dump_csv

        show = partial(dump_csv.lines, redaction=redaction)
        head = ",".join(dump_csv.COLUMNS).encode("ascii") + b"\n"
        return View(draw=_rows(screen, choice, show, skipped=1), head=head)
    if screen.output == HEX:
        from walctl.render import dump_hex

        return View(draw=_rows(screen, choice, partial(dump_hex.hex_lines, redaction=redaction)))
    columns_max = columns_of(screen, is_full=look.is_full)
    if look.has_hexdump or look.has_layout:
        show = _bytes(look, redaction, columns_max)
        draw_rows = _rows(screen, choice, show, skipped=1)
        return View(draw=draw_rows, has_headings=True, path=look.path)
    text = TextLines(redaction, width=screen.width, colour=screen.colour, columns_max=columns_max)
    return View(draw=_form(choice, look, text), has_headings=True, path=look.path)


def columns_of(screen: Screen, *, is_full: bool) -> int | None:
    """How wide a record's line may be: the terminal, or what tools still take; `None`: no end."""
    if is_full:
        return None
    return screen.width if screen.is_terminal else COLUMNS_MAX_PIPED


def _demand_one(screen: Screen, look: Look) -> None:
    wishes = {
        "--hexdump": look.has_hexdump,
        "--explain": look.has_layout,
        "--template": look.template is not None,
    }
    given = [name for name, is_given in wishes.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: they are different views")
    if given and screen.output != Output.TEXT:
        raise UsageError(f"{given[0]} is a view of text, and -o {screen.output} is another one")


def _form(choice: Choice, look: Look, form: JsonLines | TextLines) -> FormDraw:
    return FormDraw(choice, form, has_puts=look.has_puts, special=look.special)


def _rows(
    screen: Screen, choice: Choice, show: ShowRows, *, skipped: int = 0, has_notes: bool = False
) -> RowsDraw:
    return RowsDraw(
        choice,
        show,
        width=screen.width,
        colour=screen.colour,
        skipped=skipped,
        stderr=screen.stderr if has_notes else None,
    )


def _bytes(look: Look, redaction: Redaction, columns_max: int | None) -> ShowRows:
    """Lines with bytes below them: as they are, or by the field that they belong to."""
    from walctl.render import dump_hex, dump_layout

    if look.has_hexdump:
        return partial(dump_hex.hexdump_lines, redaction=redaction, columns_max=columns_max)
    return partial(dump_layout.lines, redaction=redaction, columns_max=columns_max)


def _template(text: str, redaction: Redaction) -> ShowRows:
    from walctl.render import dump_template

    template = dump_template.parse_template(text)

    def show(screen: Screen, rows: Iterable[Row]) -> None:
        dump_template.lines(screen, rows, template, redaction=redaction)

    return show
