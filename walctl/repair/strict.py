"""JSON from outside, held against what it must be: plans, and whatever else a repair reads back.

Whoever takes a document apart asks a `Part` for what he needs, and every refusal names the place as
a person would write it: `steps[2].pieces[0].stop`. What is missing, of another kind, too large, too
long or unknown is refused: a word of a later version that is passed over could be the one that
matters.
"""

import base64
import binascii
import enum
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from walctl.errors import UsageError

SHOWN_CHARS_MAX = 60
"""Of a value that is refused, so that the refusal stays one line."""
TEXT_CHARS_MAX = 10_000
"""Longest sentence that a document may hold."""
_NONE_OF_OURS = "neither a plan nor a receipt of walctl's"
NAME_BYTES_MAX = 255
"""Longest name of a file on the file systems that hold members."""

Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a document, and where in it that stands (empty: the whole)."""

    value: object
    place: str = ""

    def refuse(self, expected: str) -> NoReturn:
        """Say what was expected here, and what was found. Raises: UsageError."""
        place = self.place or "document"
        raise UsageError(f"{place}: expected {expected}, found {_shown(self.value)}")

    def members(self, *names: str) -> dict[str, "Part"]:
        """The members of an object that has exactly these."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        for name in names:
            if name not in self.value:
                raise UsageError(f"{self._inside(name)}: missing")
        for name in self.value:
            if name not in names:
                raise UsageError(f"{self._inside(name)}: not known to this version of walctl")
        return {name: Part(self.value[name], self._inside(name)) for name in names}

    def entries(self, count_max: int) -> dict[str, "Part"]:
        """The members of an object whose names are data."""
        if not isinstance(self.value, dict) or len(self.value) > count_max:
            self.refuse(f"an object of at most {count_max:,} members")
        return {name: Part(each, f"{self.place}[{name!r}]") for name, each in self.value.items()}

    def items(self, count_max: int) -> list["Part"]:
        """The elements of a list."""
        if not isinstance(self.value, list) or len(self.value) > count_max:
            self.refuse(f"a list of at most {count_max:,}")
        return [Part(each, f"{self.place}[{number}]") for number, each in enumerate(self.value)]

    def integer(self, lowest: int, highest: int) -> int:
        """A whole number in `[lowest, highest]`; true and false are none."""
        if type(self.value) is not int or not lowest <= self.value <= highest:
            self.refuse(f"a number from {lowest} to {highest}")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if type(self.value) is not bool:
            self.refuse("true or false")
        return self.value

    def text(self, *, chars_max: int = TEXT_CHARS_MAX) -> str:
        """Any text of bounded length."""
        if not isinstance(self.value, str) or len(self.value) > chars_max:
            self.refuse(f"a text of at most {chars_max:,} characters")
        return self.value

    def matched(self, pattern: "re.Pattern[str]", expected: str) -> str:
        """A text that is all `pattern`."""
        if not isinstance(self.value, str) or not pattern.fullmatch(self.value):
            self.refuse(expected)
        return self.value

    def data(self, *, bytes_max: int) -> bytes:
        """Bytes, as base64."""
        try:
            if isinstance(self.value, str) and len(self.value) <= 4 * (bytes_max // 3 + 1):
                return base64.b64decode(self.value.encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            pass
        self.refuse(f"base64 of at most {bytes_max:,} bytes")

    def one_of(self, choices: type[Choice]) -> Choice:
        """A member of an enumeration, by its value."""
        for choice in choices:
            if type(choice.value) is type(self.value) and choice.value == self.value:
                return choice
        self.refuse(f"one of {', '.join(str(each.value) for each in choices)}")

    def maybe(self, read: Callable[["Part"], Value]) -> Value | None:
        """What `read` makes of this part; `None` for null."""
        return None if self.value is None else read(self)

    def file_name(self, name: str) -> None:
        """Hold `name`, a piece of what stands here, against what one file may be called."""
        try:
            is_short = len(name.encode("utf-8", "surrogateescape")) <= NAME_BYTES_MAX
        except UnicodeEncodeError:  # half of a pair, which no disk can have given us
            is_short = False
        if not is_short or name in ("", ".", "..") or "/" in name or "\0" in name:
            self.refuse("the name of a file in one of the member's folders")

    def _inside(self, name: object) -> str:
        text = str(name)
        if len(text) > SHOWN_CHARS_MAX:
            text = f"{text[:SHOWN_CHARS_MAX]}…"
        return f"{self.place}.{text}" if self.place else text


def parsed(text: bytes) -> object:
    """The values that a JSON text stands for; a name may stand in an object once.

    Raises: UsageError.
    """
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except RecursionError:
        raise UsageError(f"{_NONE_OF_OURS} (no JSON of ours: it nests too deeply)") from None
    except UnicodeDecodeError:
        raise UsageError(f"{_NONE_OF_OURS} (no JSON: not UTF-8)") from None
    except ValueError as error:  # no JSON, a number of thousands of digits
        raise UsageError(f"{_NONE_OF_OURS} (no JSON: {error})") from error


def _shown(value: object) -> str:
    """A value as a document has it; of one with others inside, how many."""
    match value:
        case None | True | False:
            return json.dumps(value)
        case list() if value:
            return f"a list of {len(value):,}"
        case dict() if value:
            return f"an object of {len(value):,}"
    found = repr(value)
    return found if len(found) <= SHOWN_CHARS_MAX else f"{found[:SHOWN_CHARS_MAX]}…"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Readers differ in which of two they take, and so might those who checked it.
        raise ValueError("an object names a member twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
