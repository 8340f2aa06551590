r"""Lines of commands into words, and words into lines: quotes, comments, `;`.

A word in double quotes may be empty, and hold blanks, `;`, `#` and `=`; in it `\"` is a quote,
`\\` a backslash, `\n` the end of a line and `\xff` a byte, so that a value need be no text: in a
word it stands as Python's surrogate for it, and `bytes_of` gives it back. Only what is not in
quotes has a meaning of its own: `via=n2` says whom to ask, `"via=n2"` is a key.

Pure.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from walctl.errors import UsageError

_TOKEN: Final = re.compile(
    r'[ \t\r]*(?:(?P<comment>\#.*)|(?P<end>;)|(?P<word>(?:"(?:[^"\\]|\\.)*"|[^\s;"])+)|(?P<bad>\S))'
)
SHOWN_CHARS: Final = 60
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")
_BYTE: Final = re.compile("[\udc80-\udcff]")
_PLAIN: Final = re.compile(r'[^\s;"#=][^\s;"=]*')
_HIDDEN: Final = "\0"
"""Stands in `bare` for what is in quotes."""


class Word(str):
    """A word of a command; `bare` is as long, with what was in quotes made unreadable."""

    __slots__ = ("bare",)
    bare: str

    def __new__(cls, text: str, bare: str | None = None) -> "Word":
        """A word with no quotes is its own `bare`."""
        word = super().__new__(cls, text)
        word.bare = text if bare is None else bare
        return word


def shown(words: str) -> str:
    """`words` as messages quote them: of what may be a whole foreign file on one line, some."""
    is_long = len(words) > SHOWN_CHARS
    return f"{words[:SHOWN_CHARS]!r}…" if is_long else repr(words)


def split(text: str, *, name: str) -> Iterator[tuple[int, list[Word]]]:
    """The words of each command, with its line. Raises: UsageError, with the file's `name`."""
    for number, row in enumerate(text.split("\n"), start=1):
        words: list[Word] = []
        for found in _TOKEN.finditer(row):
            if found["bad"] is not None:
                raise UsageError(
                    f"{name}:{number}: expected a second quote, found {shown(row.strip())}"
                )
            if found["word"] is not None:
                words.append(_word_of(found["word"]))
            elif found["end"] is not None and words:
                yield number, words
                words = []
        if words:
            yield number, words


def words_of(text: str) -> list[Word]:
    """The words of one command. Raises: UsageError."""
    return next((words for _, words in split(text, name="command")), [])


def parted(word: str) -> tuple[str, str, str]:
    """What is before the first `=` that is not in quotes, that, and what is behind it."""
    bare = word.bare if isinstance(word, Word) else word
    position = bare.find("=")
    if position < 0:
        return word, "", ""
    return word[:position], "=", word[position + 1 :]


def is_bare(word: str, wanted: str) -> bool:
    """Whether it is this word, and was not in quotes."""
    return word == wanted and (not isinstance(word, Word) or word.bare == wanted)


def quoted(text: str) -> str:
    """A text as one word, in quotes where it needs them."""
    is_plain = _PLAIN.fullmatch(text) and not _BYTE.search(text)
    return text if is_plain else in_quotes(text)


def bytes_of(text: str) -> bytes:
    """What a word stands for, in UTF-8 but for single bytes."""
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    """The word that stands for this."""
    return data.decode("utf-8", "surrogateescape")


def in_quotes(text: str) -> str:
    """A text as one word in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    escaped = _BYTE.sub(lambda each: f"\\x{ord(each[0]) - 0xDC00:02x}", escaped)
    return f'"{escaped}"'


def line(*words: str) -> str:
    """Words, each quoted where it has to be, as a line."""
    return " ".join(words)


def option(name: str, value: object) -> list[str]:
    """`name=value` as words of a line: none for `None`."""
    return [] if value is None else [f"{name}={quoted(str(value))}"]


def listed(name: str, values: Iterable[str]) -> list[str]:
    """`name=one,two` as words of a line: none where there is none."""
    return option(name, ",".join(values) or None)


def _word_of(token: str) -> Word:
    text, bare, at = [], [], 0
    for found in _QUOTED.finditer(token):
        inside = _ESCAPED.sub(_unescaped, found[1])
        text += [token[at : found.start()], inside]
        bare += [token[at : found.start()], _HIDDEN * len(inside)]
        at = found.end()
    return Word("".join((*text, token[at:])), "".join((*bare, token[at:])))


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return bytes((int(found[1], 16),)).decode("ascii", "surrogateescape")
    return "\n" if found[2] == "n" else found[2]
