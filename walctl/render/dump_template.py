r"""`--template '{index} {term} {request.put.key}'`: a line a row, as the person wants it.

What stands in braces is a field of the row's JSON; everything else is printed as it is.

    {index}                   a field of the row; nothing where the row has none
    {request.put.key}         a field below a field; `[0]` an element, `[*]` all, with commas
    {crc:08x}                 with a format: [[fill]align][0][width][.most][x]
    {{ }}                     braces
    \t \n \\                  a tab, a new line, a backslash

`align` is `<`, `>` or `^` (numbers stand to the right unless told); `width` is the least, `.most`
the greatest number of columns, with `…` where something is missing; `x` writes numbers in hex and
bytes as their hex. Bytes are their text where that can be printed, else `hex:` and their hex; what
is hidden says so; lists and trees are JSON. No value can send a control character to a terminal.

Damage is no line of a template that does not ask for it (`{code}`, `{detail}`): it is told on
stderr, so that what a script reads has one shape.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NoReturn

from walctl.errors import UsageError
from walctl.inspect.document import row_document
from walctl.inspect.row import FindingRow, Row
from walctl.inspect.where_fields import FIELDS, RECORD_FIELDS
from walctl.inspect.where_tree import Path
from walctl.payload.base import Redaction
from walctl.render.screen import Screen
from walctl.render.text import columns, printable
from walctl.render.values import bytes_text, hidden

TEXT_CHARS_MAX: Final = 10_000
WIDTH_MAX: Final = 1_000
"""Columns of one field: nobody means more, and padding costs memory."""
FOUND_CHARS_MAX: Final = 30
"""How much of the template a message shows, from where it went wrong."""

_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP: Final = re.compile(
    r'\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?:(?P<position>-?[0-9]{1,9})|(?P<any>\*)|"(?P<quoted>[^"\\]*)")\]'
)
_FORMAT: Final = re.compile(
    r"(?:(?P<fill>[^{}])?(?P<align>[<>^]))?(?P<zeros>0)?(?P<width>[1-9][0-9]{0,8})?"
    r"(?:\.(?P<most>[1-9][0-9]{0,8}))?(?P<hex>x)?"
)
_ESCAPES: Final = {"t": "\t", "n": "\n", "\\": "\\"}
_ALLOWED: Final = frozenset("\t\n")
"""Control characters that a template may hold: it is the person's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """One `{path:format}`; `most` is the greatest number of columns, `None`: any."""

    path: Path
    fill: str = " "
    align: str | None = None
    width: int = 0
    most: int | None = None
    is_hex: bool = False

    def text(self, document: Mapping[str, object]) -> str:
        """What the document has here, as wide as it should be."""
        found = self.path.found(document)
        text = ",".join(_word(each, is_hex=self.is_hex) for each in found)
        if self.most is not None and columns(text) > self.most:
            text = printable(text, width_max=self.most)
        missing = self.width - columns(text)
        if missing <= 0:
            return text
        is_number = len(found) == 1 and isinstance(found[0], int | float)
        align = self.align or (">" if is_number or self.fill == "0" else "<")
        left = {"<": 0, "^": missing // 2, ">": missing}[align]
        return self.fill * left + text + self.fill * (missing - left)


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was understood: texts and holes, in order."""

    parts: tuple[str | Hole, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The row's own fields that it asks for."""
        firsts = (part.path.steps[0] for part in self.parts if isinstance(part, Hole))
        return frozenset(first for first in firsts if isinstance(first, str))

    @property
    def asks_for_damage(self) -> bool:
        """Whether it names a field that only damage has, so that damage is a line of it."""
        return not self.fields <= RECORD_FIELDS

    def line(self, document: Mapping[str, object]) -> str:
        """The document in this form; tabs and new lines in it are the template's own."""
        return "".join(
            part if isinstance(part, str) else part.text(document) for part in self.parts
        )


def lines(
    screen: Screen,
    rows: Iterable[Row],
    template: Template,
    *,
    redaction: Redaction = Redaction.AUTH,
) -> None:
    """A line for each row as soon as it comes."""
    for row in rows:
        if isinstance(row, FindingRow) and not template.asks_for_damage:
            place = row.finding.place
            where = ":".join(
                str(part) for part in (place.segment, place.offset) if part is not None
            )
            screen.note(f"walctl: {where}: {row.finding.code}: {row.finding.detail}")
            continue
        screen.stdout.write(template.line(row_document(row, redaction)) + "\n")


def parse_template(text: str) -> Template:
    """The template that `text` says. Raises: UsageError, which points at the character."""
    if len(text) > TEXT_CHARS_MAX:
        raise UsageError(f"--template: {len(text)} characters, at most {TEXT_CHARS_MAX}")
    return _Parser(text).whole()


class _Parser:
    """Goes through the characters once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Template:
        parts: list[str | Hole] = []
        literal: list[str] = []
        while self._at < len(self._text):
            pair = self._text[self._at : self._at + 2]
            if pair[0] == "{" and pair != "{{":
                if literal:
                    parts.append("".join(literal))
                    literal = []
                parts.append(self._hole())
            else:
                literal.append(self._literal(pair))
        if literal:
            parts.append("".join(literal))
        return Template(tuple(parts))

    def _literal(self, pair: str) -> str:
        """One character of what is printed as it is; `pair` are it and the next one."""
        char = pair[0]
        if char == "}" and pair != "}}":
            self._fail("a } without its {; write }} for one that is printed,")
        if char == "\\":
            if pair[1:] not in _ESCAPES:
                self._fail(r"no such escape (there are \t, \n and \\),")
            self._at += 2
            return _ESCAPES[pair[1]]
        self._at += 2 if pair in ("{{", "}}") else 1
        return char if char in _ALLOWED else printable(char)

    def _hole(self) -> Hole:
        start = self._at
        self._at += 1
        path = self._path()
        form = self._format() if self._takes(":") else None
        if not self._takes("}"):
            if self._at >= len(self._text):
                self._fail("a { without its }; write {{ for one that is printed,", start)
            self._fail("expected }")
        if form is None:
            return Hole(path=path)
        return Hole(
            path=path,
            fill=printable(form["fill"] or form["zeros"] or " ")[:1],
            align=form["align"],
            width=int(form["width"] or 0),
            most=int(form["most"] or 0) or None,
            is_hex=form["hex"] is not None,
        )

    def _path(self) -> Path:
        found = _PATH.match(self._text, self._at)
        if found is None:
            self._fail("expected a field of the row")
        if found[0] not in FIELDS:
            self._fail(_unknown_field(found[0]))
        self._at = found.end()
        steps: list[str | int | None] = [found[0]]
        while step := _STEP.match(self._text, self._at):
            self._at = step.end()
            if step["any"]:
                steps.append(None)
            elif step["position"]:
                steps.append(int(step["position"]))
            else:
                steps.append(step["quoted"] if step["name"] is None else step["name"])
        return Path(tuple(steps))

    def _format(self) -> re.Match[str]:
        form = _FORMAT.match(self._text, self._at)
        assert form is not None  # every part of it may be missing
        rest = self._text[form.end() : form.end() + 1]
        if rest not in ("}", ""):
            self._fail("no such format (it is [[fill]<>^][0][width][.most][x]),", form.end())
        for name in ("width", "most"):
            if int(form[name] or 0) > WIDTH_MAX:
                self._fail(f"more than {WIDTH_MAX} columns", form.start(name))
        self._at = form.end()
        return form

    def _takes(self, char: str) -> bool:
        is_there = self._text.startswith(char, self._at)
        self._at += is_there
        return is_there

    def _fail(self, reason: str, start: int | None = None) -> NoReturn:
        start = self._at if start is None else start
        rest = self._text[start : start + FOUND_CHARS_MAX]
        rest += "…" if len(self._text) > start + FOUND_CHARS_MAX else ""
        where = f"at character {start + 1}: {rest}" if rest else "at the end"
        raise UsageError(f"--template: {reason} {where}")


def _unknown_field(name: str) -> str:
    close = get_close_matches(name, FIELDS, n=1)
    if close:
        return f"{name} is no field of a row; did you mean {close[0]}?"
    return f"{name} is no field of a row; there are {', '.join(sorted(FIELDS))};"


def _word(value: object, *, is_hex: bool) -> str:
    """One value of the document as harmless text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:x}" if is_hex else str(value)
        case str():
            return value if value.isprintable() else printable(value)
        case {"redacted": True, "size": int(size)}:
            return hidden(size)
        case Mapping() if (data := _bytes_of(value)) is not None:
            return data.hex() if is_hex else bytes_text(data)
        case _:
            return printable(json.dumps(value, separators=(",", ":")))


def _bytes_of(value: Mapping[str, object]) -> bytes | None:
    """The bytes that a piece of a document stands for; `None` where it is something else."""
    data = value.get("data")
    if not isinstance(data, str) or not value.keys() <= {"data", "text"}:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
