"""What a page about a server's message is: its words, who says it, and what can be behind it.

The texts are in the modules `pages_*`, the search for them in `text`.
"""

import enum
import re
from dataclasses import dataclass, field

from walctl.inspect.panic.cause import Cause


class Gravity(enum.IntEnum):
    """How much a message says of why a server is down; in a log the gravest one is explained."""

    NOTE = 0
    """It goes on, and this line is worth knowing."""
    FRAME = 1
    """The line that others come in; alone it tells little."""
    TROUBLE = 2
    """The process lives, or refuses a request, or a command fails."""
    END = 3
    """The process ends with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of the words: `words` must stand there letter by letter, and around them `pattern`
    finds the numbers (its group names).

    The words are looked for first and the pattern only in a window around them, so no text makes
    it slow. Quotation marks are unescaped before.
    """

    words: str
    pattern: re.Pattern[str]


def shape(words: str, pattern: str | None = None) -> Shape:
    """A form of a message; without a pattern the words alone are it."""
    return Shape(words, re.compile(re.escape(words) if pattern is None else pattern))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One message, for a person on a bad day.

    `says` is the message as it is listed, with X and Y for what varies. `by` is who says it, with
    versions. `free` are numbers that may differ between two starts of the same directory. `do` is
    in order, `see` holds codes, `source` is where the words and what is said of them are from.
    """

    topic: str
    says: str
    shapes: tuple[Shape, ...]
    gravity: Gravity = Gravity.END
    by: str
    title: str
    means: str
    causes: tuple[Cause, ...]
    do: tuple[str, ...]
    avoid: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    source: tuple[str, ...]
    free: frozenset[str] = field(default_factory=frozenset)
