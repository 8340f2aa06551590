"""Raft scripts as text: directives, each with its input and the output that it is expected to give.

    # a comment
    name key key=value key=(value, value)
    input, to the separator
    ----
    output, to a blank line or the end of the file

Output that has blank lines of its own stands between doubled separators. `subtest NAME` and
`subtest end` group directives and mean nothing else. What directives do, and what they print, is
not known here.

Source: the format is that of the test data of etcd's Raft library.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from walctl.errors import UsageError

SEPARATOR = "----"
_SUBTEST, _END = "subtest", "end"
_LOG_LINE = re.compile(r"^\s*(DEBUG|INFO|WARN|ERROR|FATAL)(\s|$)")
"""A line of the reference implementation's logger: free text, which nothing is compared with."""
NOTHING_TO_SAY = "ok"
"""What a directive prints that has written nothing."""


class ScriptError(UsageError):
    """A script that cannot be run on: its syntax, a number, a node that is not there.

    `line` counts from 1; it is 0 until somebody knows it.
    """

    def __init__(self, reason: str, *, line: int = 0) -> None:
        super().__init__(f"{line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Argument:
    """`key`, or `key=…`; without `=` there are no values, with it there is at least one."""

    key: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One directive as it stands in a script.

    `line` is its first line, from 1 on. `given` is its input, trimmed. `expected` are the lines of
    its output. `source` are all lines from the output before up to the separator, as they are
    printed back.
    """

    line: int
    name: str
    arguments: tuple[Argument, ...] = ()
    given: str = ""
    expected: tuple[str, ...] = ()
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The directives, and the lines behind the last one's output."""

    directives: tuple[Directive, ...]
    rest: tuple[str, ...] = ()


def read(text: str) -> Script:
    """The script that `text` is. Raises: ScriptError, with its line."""
    return _Reader(text).script()


def lines_of(text: str) -> list[str]:
    """The lines of `text`; a newline at its end begins no further one."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def printed(script: Script, outputs: Sequence[str]) -> str:
    """The script with these outputs in place of the expected ones.

    With fewer outputs than directives it ends behind the input of the first that has none.
    """
    lines: list[str] = []
    for directive, output in zip(script.directives, outputs, strict=False):
        lines += [*directive.source, *_block(output)]
    if len(outputs) < len(script.directives):
        lines += script.directives[len(outputs)].source
    else:
        lines += script.rest
    text = "".join(f"{line}\n" for line in lines)
    return text[:-1] if text.endswith("\n\n") else text


def _block(output: str) -> list[str]:
    """The lines of an output with what surrounds it."""
    lines = lines_of(output)
    if any(_is_blank(line) for line in lines):
        return [SEPARATOR, SEPARATOR, *lines, SEPARATOR, SEPARATOR, ""]
    return [SEPARATOR, *lines, ""]


def matches(expected: Sequence[str], actual: Sequence[str]) -> bool:
    """Whether two outputs are the same but for lines of a log."""
    return _compared(expected) == _compared(actual)


def _compared(lines: Sequence[str]) -> list[str]:
    """What of an output is compared; where only log lines were, nothing was said."""
    kept = [line for line in lines if not _LOG_LINE.match(line)]
    while kept and _is_blank(kept[-1]):
        kept.pop()
    return kept or [NOTHING_TO_SAY]


def _is_blank(line: str) -> bool:
    return not line.strip()


class _Reader:
    """Goes through the lines of a script once."""

    def __init__(self, text: str) -> None:
        self._lines = [line.removesuffix("\r") for line in lines_of(text)]
        self._position = 0
        self._subtests: list[str] = []
        self._copied = 0
        """Where the lines begin that belong to no directive yet."""

    def script(self) -> Script:
        """All of it. Raises: ScriptError."""
        directives = tuple(self._directives())
        if self._subtests:
            raise self._error(f"the file ends within subtest {self._subtests[-1]}")
        return Script(directives=directives, rest=tuple(self._lines[self._copied :]))

    @property
    def _is_at_end(self) -> bool:
        return self._position >= len(self._lines)

    def _error(self, reason: str) -> ScriptError:
        """An error in the line that was read last."""
        return ScriptError(reason, line=max(1, self._position))

    def _next(self) -> str:
        self._position += 1
        return self._lines[self._position - 1]

    def _directives(self) -> Iterator[Directive]:
        while not self._is_at_end:
            text = self._next().strip()
            if not text or text.startswith("#"):
                continue
            line = self._position
            while text.endswith("\\") and not self._is_at_end:
                text = f"{text[:-1]} {self._next().strip()}"
            name, _, rest = text.partition(" ")
            if name == _SUBTEST:
                self._subtest(rest.split())
                continue
            try:
                arguments = tuple(_arguments(rest))
            except ScriptError as error:
                raise ScriptError(error.reason, line=line) from error
            given = "\n".join(self._input()).strip()
            source = tuple(self._lines[self._copied : self._position])
            expected = self._expected()
            self._copied = self._position
            yield Directive(
                line=line,
                name=name,
                arguments=arguments,
                given=given,
                expected=expected,
                source=source,
            )

    def _subtest(self, words: list[str]) -> None:
        """Open or close a group."""
        if not words:
            raise self._error("a subtest has a name")
        if words[0] != _END:
            self._open(words)
            return
        if len(words) > 2:
            raise self._error("a subtest ends by one name")
        if not self._subtests:
            raise self._error("no subtest has begun here")
        inner = self._subtests.pop()
        if words[1:] not in ([], [inner]):
            raise self._error(f"subtest {inner} ends here, not {words[1]}")

    def _open(self, words: list[str]) -> None:
        if len(words) > 1:
            raise self._error("a subtest has one name")
        name = words[0]
        if self._subtests and not name.startswith(f"{self._subtests[-1]}/"):
            outer = self._subtests[-1]
            raise self._error(f"subtest {name} is within {outer}: its name begins with {outer}/")
        self._subtests.append(name)

    def _input(self) -> Iterator[str]:
        """The lines up to a separator, before which it stops; the blank ones too."""
        while not self._is_at_end and self._lines[self._position] != SEPARATOR:
            yield self._next()

    def _expected(self) -> tuple[str, ...]:
        """The lines of output; none where there is no separator up to the end."""
        if self._is_at_end:
            return ()
        self._next()
        if not self._is_at_end and self._lines[self._position] == SEPARATOR:
            self._next()
            return tuple(self._doubled())
        return tuple(self._single())

    def _single(self) -> Iterator[str]:
        while not self._is_at_end:
            line = self._next()
            if _is_blank(line):
                return
            yield line

    def _doubled(self) -> Iterator[str]:
        opened = self._position
        while not self._is_at_end:
            line = self._next()
            if line == SEPARATOR and self._lines[self._position : self._position + 1] == [line]:
                self._next()
                if not self._is_at_end and not _is_blank(self._next()):
                    raise self._error("behind a doubled output there is a blank line")
                return
            yield line
        raise ScriptError("the doubled output that begins here does not end", line=opened)


def _arguments(text: str) -> Iterator[Argument]:
    """What stands behind a directive's name. Raises: ScriptError, without a line."""
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        stop = _end(text, position, " =")
        key, position = text[position:stop], stop + 1
        if not key:
            raise ScriptError("an argument begins with a key, here is none before `=`")
        if not text.startswith("=", stop):
            yield Argument(key)
        elif text.startswith("(", position):
            values, position = _listed(text, position + 1)
            yield Argument(key, values)
        else:
            stop = _end(text, position, " ")
            yield Argument(key, (text[position:stop],))
            position = stop


def _end(text: str, start: int, ends: str) -> int:
    """Position of the first of `ends` from `start` on, or the end of the text."""
    found = (position for position in range(start, len(text)) if text[position] in ends)
    return next(found, len(text))


def _listed(text: str, start: int) -> tuple[tuple[str, ...], int]:
    """The values of a list whose parenthesis was opened, and the position behind it."""
    values: list[str] = []
    depth = 1
    for position in range(start, len(text)):
        char = text[position]
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0 or (depth == 1 and char == ","):
            value = text[start:position]
            values.append(value.lstrip(" ") if values else value)
            start = position + 1
        if depth == 0:
            return tuple(values), start
    raise ScriptError("a list has no closing parenthesis")
