"""A small table of figures: a name, numbers in columns, and a bar for the share of the whole.

The bar takes what the name and the numbers leave; where that is too little it is left out, and
where a name would be too narrow to tell, the numbers that matter least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from walctl.render.screen import Screen
from walctl.render.text import columns, printable

INDENT = 2
GAP = 2
NAME_MIN = 16
NAME_MAX = 60
BAR_MIN = 5
BAR_MAX = 30

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: `share` of the whole, in [0, 1], is what its bar shows; `None` draws none."""

    name: str
    numbers: tuple[str, ...]
    share: float | None = None


def size_words(size: float) -> str:
    """`512 B`, `1.54 MB`, `64.0 MB`: three digits, units of a thousand."""
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    if unit == 0:
        return f"{size:.0f} B"
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:.{digits}f} {_UNITS[unit]}"


def table(
    screen: Screen,
    heads: Sequence[str],
    lines: Sequence[Line],
    *,
    optional: Sequence[int] = (),
    name_min: int = NAME_MIN,
) -> None:
    """A table with a heading: the first head names it, the others stand over the numbers.

    `optional` are positions of numbers that a screen leaves out, the first one first, where names
    would get less than `name_min` columns.
    """
    kept = list(range(len(heads) - 1))
    widest = max((columns(line.name) for line in lines), default=0)
    wanted = min(max(widest, columns(heads[0]) - INDENT), NAME_MAX)
    dropped = list(optional)
    widths = _widths(heads, lines)
    while dropped and _left(screen, widths, kept) < min(wanted, name_min):
        kept.remove(dropped.pop(0))
    left = _left(screen, widths, kept)
    name = max(min(wanted, left), 1)
    bar = min(left - name - GAP, BAR_MAX)
    has_bar = bar >= BAR_MIN and any(line.share is not None for line in lines)
    head = "".join(f"{'':{GAP}}{heads[place + 1]:>{widths[place]}}" for place in kept)
    title = printable(heads[0], width_max=name + INDENT)
    screen.line((_padded(title, name + INDENT) + head).rstrip(), style="bold")
    for line in lines:
        text = " " * INDENT + _padded(printable(line.name, width_max=name), name)
        text += "".join(f"{'':{GAP}}{line.numbers[place]:>{widths[place]}}" for place in kept)
        if has_bar and line.share:
            text += " " * GAP + bar_of(screen, line.share, bar)
        screen.line(text.rstrip())


def bar_of(screen: Screen, share: float, width: int) -> str:
    """A bar for a share of the whole; what is there at all is told from nothing."""
    mark, trace = ("█", "▏") if screen.colour else ("#", ".")
    return mark * round(share * width) or trace


def _widths(heads: Sequence[str], lines: Sequence[Line]) -> list[int]:
    places = range(len(heads) - 1)
    return [
        max(columns(text) for text in (heads[at + 1], *(line.numbers[at] for line in lines)))
        for at in places
    ]


def _left(screen: Screen, widths: Sequence[int], kept: Sequence[int]) -> int:
    """Columns that the numbers leave for the name and the bar."""
    return screen.width - INDENT - sum(widths[place] + GAP for place in kept)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
