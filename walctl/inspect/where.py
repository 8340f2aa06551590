"""`--where`: a small language of conditions over the JSON of a row. It can only ask.

    index >= 100 and request.put.key startswith "/registry/"
    request.txn.success[*].request_put.value ~ "(?i)secret" and not status == "overwritten"
    type == "state" and vote != 0          size(request.put.value) > 0x10000
    request.type in ("put", "delete_range") and exists(request.put.lease)

    condition   any of: condition `or` condition, condition `and` condition, `not` condition,
                ( condition ), comparison, path, `exists(` path `)` or `has(` path `)`
    comparison  value `== != < <= > >= contains startswith endswith` value
                value `~` "pattern", value `!~` "pattern"
                value `in (` literal `,` … `)`, value `not in (` … `)`
    value       path, literal, `size(` path `)`
    path        a field of the row, then `.name`, `["any name"]`, `[0]`, `[-1]`, `[*]`
    literal     12, -1, 1.5, 0x1f, "text", 'text', true, false, null

`not` binds closest, then `and`, then `or`. What the operators mean:

- A field that is missing is null, and so is one that `--redact` hides. Null equals null alone and
  is neither below nor above anything. Values of different kinds are unequal and have no order;
  lists and trees equal nothing. `!=` is always the opposite of `==`, and `!~` of `~`.
- `[*]` is any element: the condition holds when it does for one of them. It may stand on one
  side only, or two long lists would be held against each other.
- A piece of bytes, `{"data": …, "text": …}`, is the text that its bytes are in UTF-8. Other bytes
  are written `"\\xff"`. Texts are ordered byte by byte, as etcd orders keys.
- Ids (of members, leases, requests) are hex strings in a row. They compare as numbers, so case,
  zeros and `0x` in front do not matter: `vote == "8e9e05c52164694d"`, `vote == 0x8E9E05C52164694D`.
  A decimal number above 9 is refused there: whoever writes `lease == 694` may mean either.
- `contains` looks into a text for a text, or into a list for an element. `~` searches anywhere;
  its pattern is Python's `re`, and backslashes in it are the pattern's own.
- `size` counts bytes of texts and of bytes, also of hidden ones, and elements of lists and trees.
- A path alone holds when something is there that is neither null nor false.

A first name that no row has is refused, since a typo would silently match nothing. Deeper names
are the decoder's, and not known here.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NoReturn

from walctl.inspect.where_fields import FIELDS, FINDING_FIELDS, RECORD_FIELDS
from walctl.inspect.where_tree import (
    OPERATORS,
    Comparison,
    Condition,
    Either,
    Every,
    Exists,
    Is,
    Literal,
    Matches,
    Not,
    Operand,
    Path,
    Row,
    Size,
)
from walctl.inspect.where_words import Word, Words

PARTS_MAX: Final = 1_000
"""Paths, literals and patterns of one expression."""
NESTING_MAX: Final = 50
"""Parentheses and `not` inside one another."""

_COMPARING: Final = ("==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "endswith")
_ABOUT_FINDINGS: Final = (FINDING_FIELDS - RECORD_FIELDS) | {"kind"}
_CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_NO_NAMES: Final = frozenset({"and", "or", "not", "in"})


@dataclass(frozen=True, slots=True)
class Where:
    """A condition that was understood; `fields` are the row's own fields that it asks for."""

    text: str
    condition: Condition
    fields: frozenset[str]

    @property
    def is_about_findings(self) -> bool:
        """Whether it asks for a field that tells findings from records, or is theirs alone."""
        return bool(self.fields & _ABOUT_FINDINGS)

    def matches(self, document: Row) -> bool:
        """Whether it holds for the document of a row. Never raises."""
        return self.condition.holds(document)


def parse_where(text: str) -> Where:
    """The condition that `text` says. Raises: WhereError."""
    parser = _Parser(Words(text))
    condition = parser.whole()
    return Where(text, condition, frozenset(parser.fields))


class _Parser:
    """Goes through the words once; a method for each rule of the grammar."""

    def __init__(self, words: Words) -> None:
        self.fields: set[str] = set()
        self._words = words
        self._at = 0
        self._parts = 0
        self._depth = 0

    def whole(self) -> Condition:
        """The condition that all of the text is."""
        condition = self._either()
        if self._word.kind != "end":
            self._fail("expected an operator, and, or, or the end")
        return condition

    # --- words

    @property
    def _word(self) -> Word:
        """The word that comes next; behind the end is the end."""
        return self._words.all[self._at]

    def _takes(self, *texts: str) -> str | None:
        """The next word, if it is one of these; a string never is."""
        word = self._word
        if word.kind not in ("word", "sign") or word.text not in texts:
            return None
        self._at += 1
        return word.text

    def _needs(self, sign: str) -> None:
        if self._takes(sign) is None:
            self._fail(f"expected {sign}")

    def _is_followed_by(self, text: str) -> bool:
        """Whether the word behind the next is this one."""
        return self._word.kind != "end" and self._words.all[self._at + 1].text == text

    def _fail(self, reason: str) -> NoReturn:
        self._words.fail_at(self._word, reason)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MAX:
            self._fail(f"more than {PARTS_MAX} parts")

    # --- conditions

    def _either(self) -> Condition:
        parts = [self._every()]
        while self._takes("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self) -> Condition:
        parts = [self._single()]
        while self._takes("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _single(self) -> Condition:
        if self._word.text not in ("not", "(") or self._word.kind == "string":
            return self._comparison()
        if self._depth >= NESTING_MAX:
            self._fail(f"more than {NESTING_MAX} parentheses and nots inside one another")
        self._depth += 1
        if self._takes("not"):
            condition: Condition = Not(self._single())
        else:
            self._needs("(")
            condition = self._either()
            self._needs(")")
        self._depth -= 1
        return condition

    def _comparison(self) -> Condition:
        if self._is_call("exists", "has"):
            return Exists(self._argument())
        start = self._word.start
        left = self._operand("a value")
        if self._takes("~"):
            return Matches(left, self._pattern())
        if self._takes("!~"):
            return Not(Matches(left, self._pattern()))
        if self._takes("in"):
            return self._among(left)
        if self._word.text == "not" and self._is_followed_by("in"):
            self._at += 2
            return Not(self._among(left))
        operator = self._takes(*_COMPARING)
        if operator is None:
            if isinstance(left, Path):
                return Is(left)
            self._fail("expected a comparison, such as ==,")
        right_start = self._word.start
        right = self._operand("a value", is_right=True)
        if _has_any(left) and _has_any(right):
            self._words.fail("[*] may stand on one side only", start)
        self._check_id(left, right, right_start)
        self._check_id(right, left, start)
        return _compared(left, operator, right)

    def _among(self, left: Operand) -> Condition:
        self._needs("(")
        parts: list[Condition] = []
        while True:
            start = self._word.start
            right = self._literal()
            if right is None:
                self._fail("expected a number, a text, true, false or null")
            self._check_id(left, right, start)
            parts.append(_compared(left, "==", right))
            if self._takes(",") is None:
                break
        self._needs(")")
        return Either(tuple(parts))

    def _check_id(self, path: Operand, literal: Operand, start: int) -> None:
        """Refuse a decimal number for an id: what the person sees of it is hex."""
        if not (isinstance(path, Path) and path.is_id and isinstance(literal, Literal)):
            return
        value = literal.value
        if literal.is_decimal and isinstance(value, int) and abs(value) > 9:
            written = f'"{value}", or "{value:x}" for the decimal {value},'
            self._words.fail(f"ids are hex: write {written}", start)

    # --- values

    def _operand(self, what: str, *, is_right: bool = False) -> Operand:
        literal = self._literal()
        if literal is not None:
            return literal
        if self._is_call("size"):
            return Size(self._argument())
        if self._word.kind != "word" or self._word.text in _NO_NAMES:
            self._fail(f"expected {what}")
        return self._path(is_right=is_right)

    def _is_call(self, *names: str) -> bool:
        """Whether one of these functions is called here; as plain words they are fields."""
        word = self._word
        is_name = word.kind == "word" and word.text in names
        return is_name and self._is_followed_by("(")

    def _argument(self) -> Path:
        self._at += 1
        self._needs("(")
        if self._word.kind != "word":
            self._fail("expected a field")
        path = self._path()
        self._needs(")")
        return path

    def _literal(self) -> Literal | None:
        word = self._word
        is_constant = word.kind == "word" and word.text in _CONSTANTS
        if word.kind not in ("number", "string") and not is_constant:
            return None
        self._count()
        if is_constant:
            literal = Literal(_CONSTANTS[word.text])
        elif word.kind == "string":
            literal = Literal(self._words.string(word))
        else:
            is_decimal = "x" not in word.text.lower()
            literal = Literal(self._words.number(word), is_decimal=is_decimal)
        self._at += 1
        return literal

    def _pattern(self) -> re.Pattern[str]:
        word = self._word
        if word.kind != "string":
            self._fail("expected a pattern in quotes")
        self._count()
        text = word.text[1:-1]
        try:
            with warnings.catch_warnings():
                # Python warns of what a later version may read in another way; not our user.
                warnings.simplefilter("ignore")
                pattern = re.compile(text)
        except re.error as error:
            self._words.fail(f"no pattern: {error.msg}", word.start + 1 + (error.pos or 0))
        except (RecursionError, OverflowError):
            self._fail("no pattern: too large")
        self._at += 1
        return pattern

    def _path(self, *, is_right: bool = False) -> Path:
        self._count()
        name = self._word.text
        if name not in FIELDS:
            self._fail(_unknown_field(name, is_right=is_right))
        self._at += 1
        self.fields.add(name)
        steps: list[str | int | None] = [name]
        while sign := self._takes(".", "["):
            steps.append(self._name() if sign == "." else self._index())
        return Path(tuple(steps))

    def _name(self) -> str:
        word = self._word
        if word.kind != "word":
            self._fail('expected a name (others: ["…"])')
        self._at += 1
        return word.text

    def _index(self) -> str | int | None:
        word = self._word
        step: str | int | None
        if self._takes("*"):
            step = None
        elif word.kind == "string":
            step = self._words.string(word)
            self._at += 1
        elif word.kind == "number" and isinstance(value := self._words.number(word), int):
            step = value
            self._at += 1
        else:
            self._fail("expected a position, *, or a name in quotes")
        self._needs("]")
        return step


def _has_any(operand: Operand) -> bool:
    if isinstance(operand, Size):
        return operand.path.has_any
    return isinstance(operand, Path) and operand.has_any


def _compared(left: Operand, operator: str, right: Operand) -> Condition:
    is_id = any(isinstance(each, Path) and each.is_id for each in (left, right))
    if operator == "!=":
        return Not(Comparison(left, "==", right, is_id))
    assert operator in OPERATORS
    return Comparison(left, operator, right, is_id)


def _unknown_field(name: str, *, is_right: bool) -> str:
    if is_right:
        return f'{name} is no field of a row; a text needs quotes: "{name}",'
    close = get_close_matches(name, FIELDS, n=1)
    if close:
        return f"{name} is no field of a row; did you mean {close[0]}?"
    return f"{name} is no field of a row; there are {', '.join(sorted(FIELDS))};"
