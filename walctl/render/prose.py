"""Paragraphs on a screen: wrapped to its width, with a hanging indent."""

import re
import textwrap

from walctl.render.screen import Screen
from walctl.render.text import printable

WIDTH_MAX = 100
"""Prose in longer lines than this is hard to read, however wide the terminal is."""
GLUE = "\N{NO-BREAK SPACE}"
QUOTED = re.compile(r"`[^`]*`")
PUNCTUATION_COLUMNS = 4
"""Room for what may stand around a quoted word without a space: brackets, a comma, a full stop."""


def paragraph(
    screen: Screen,
    text: str,
    *,
    indent: int = 0,
    first: str | None = None,
    style: str | None = None,
) -> None:
    """`text` in lines that begin with `indent` spaces; the first begins with `first` instead.

    The text is made printable first, so that a name with an escape in it cannot break a line.
    Words longer than a line (paths) are left whole, and so is what stands in backquotes.
    """
    width = min(screen.width, WIDTH_MAX)
    lines = textwrap.wrap(
        _glued(printable(text), width - indent - PUNCTUATION_COLUMNS),
        width,
        initial_indent=" " * indent if first is None else first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    for line in lines:
        screen.line(line.replace(GLUE, " "), style=style)


def _glued(text: str, columns_max: int) -> str:
    """`text` with commands and messages made unbreakable, so that they can be copied whole."""
    return QUOTED.sub(
        lambda match: match[0].replace(" ", GLUE) if len(match[0]) <= columns_max else match[0],
        text,
    )


def labelled(screen: Screen, label: str, text: str, *, column: int) -> None:
    """`text` behind a label that takes `column` columns; in a narrow screen below it."""
    if not text:
        return
    if screen.width < column * 3:
        screen.line(label)
        paragraph(screen, text, indent=2)
        return
    paragraph(screen, text, indent=column, first=label.ljust(column))
