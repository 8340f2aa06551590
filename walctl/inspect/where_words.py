"""The words of a `--where` expression, each with its place, and the one error for all of them."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from walctl.errors import UsageError

TEXT_CHARS_MAX: Final = 10_000
DIGITS_MAX: Final = 40
FOUND_CHARS_MAX: Final = 30
"""How much of the expression a message shows, from where it went wrong."""


class WhereError(UsageError):
    """An expression that is none; `position` is the character, from 1, at which that shows."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class Word(NamedTuple):
    """One word; `kind` is `word`, `number`, `string` (with its quotes), `sign` or `end`.

    `start` is the character, from 0, at which it begins.
    """

    kind: str
    text: str
    start: int


_WORD: Final = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9_]))
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>==|!=|<=|>=|!~|=~|&&|\|\||<>|[<>~()\[\].,*=!&|])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)

_MEANT: Final[Mapping[str, str]] = {
    "=": "==",
    "<>": "!=",
    "=~": "~",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
}
"""What other languages write, and what is written here."""

_ESCAPES: Final[Mapping[str, str]] = {
    "\\": "\\",
    '"': '"',
    "'": "'",
    "/": "/",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "0": "\0",
}
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)


class Words:
    """An expression as its words, and how to say what is wrong with it."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > TEXT_CHARS_MAX:
            self.fail(f"{len(text)} characters, at most {TEXT_CHARS_MAX},", TEXT_CHARS_MAX)
        self.all = self._split()

    def fail(self, reason: str, start: int) -> NoReturn:
        """Raise what is wrong from the character `start` on, counted from 0."""
        rest = self._text[start : start + FOUND_CHARS_MAX]
        rest += "…" if len(self._text) > start + FOUND_CHARS_MAX else ""
        where = f"at character {start + 1}: {rest}" if rest.strip() else "at the end"
        raise WhereError(f"--where: {reason} {where}", position=start + 1)

    def fail_at(self, word: Word, reason: str) -> NoReturn:
        """Raise that something else was expected in the place of `word`."""
        meant = _MEANT.get(word.text) if word.kind == "sign" else None
        self.fail(f"{reason} (write {meant} for {word.text})" if meant else reason, word.start)

    def _split(self) -> list[Word]:
        words: list[Word] = []
        position = 0
        while not words or words[-1].kind != "end":
            found = _WORD.match(self._text, position)
            if found is None or found.lastgroup is None:
                rest = self._text[position:].lstrip(" \t\r\n")
                self.fail(_why_no_word(rest), len(self._text) - len(rest))
            kind = found.lastgroup
            words.append(Word(kind, found[kind], found.start(kind)))
            position = found.end()
        return words

    def number(self, word: Word) -> int | float:
        """What a number says. Raises: WhereError."""
        text = word.text.lower()
        if len(text) > DIGITS_MAX:
            self.fail(f"a number of more than {DIGITS_MAX} characters", word.start)
        if "x" in text:
            return int(text, 16)
        return float(text) if "." in text else int(text)

    def string(self, word: Word) -> str:
        """What stands between the quotes; `\\xNN` is a byte, everything else a character.

        Bytes that are no UTF-8 come as surrogate escapes. Raises: WhereError.
        """
        pieces = bytearray()
        position = 1
        for found in _ESCAPE.finditer(word.text, 1, len(word.text) - 1):
            pieces += self._encoded(word.text[position : found.start()], word.start + position)
            pieces += self._unescaped(found, word.start + found.start())
            position = found.end()
        pieces += self._encoded(word.text[position:-1], word.start + position)
        return pieces.decode("utf-8", "surrogateescape")

    def _unescaped(self, found: re.Match[str], start: int) -> bytes:
        byte, short, long, char = found.groups()
        if byte:
            return bytes([int(byte, 16)])
        if char is not None:
            if char not in _ESCAPES:
                self.fail("no such escape (write \\\\ for a backslash)", start)
            return _ESCAPES[char].encode()
        point = int(short or long, 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            self.fail("no character has this number", start)
        return chr(point).encode()

    def _encoded(self, text: str, start: int) -> bytes:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            self.fail("half a character", start + error.start)


def _why_no_word(rest: str) -> str:
    if rest[0] in "\"'":
        return "a text without its closing quote"
    if rest[0].isascii() and (rest[0].isdigit() or rest[0] == "-"):
        return "no number"
    return "expected a field, a value or an operator"
