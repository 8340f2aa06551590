"""What a `--where` expression means: its tree, and how a row's document is held against it.

Everything is frozen plain data, so that a tree may be sent to another process. Evaluating is
total: whatever the document holds, the answer is yes or no. A value that is not there is null;
which values are equal, and which come before which, is in `walctl.inspect.where`.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

Row = Mapping[str, object]
"""The document of a row, as `walctl.inspect.document` makes it."""

BYTES_FIELDS: Final = frozenset({"data", "text"})
"""What the document of a piece of bytes has, and nothing else."""

ID_NAMES: Final = frozenset(
    {"vote", "node_id", "cluster_id", "ID", "lease", "memberID", "member_ID"}
)
"""Names of fields that hold an id in hex, wherever they stand."""

_HEX = re.compile(r"(-?)(?:0x)?([0-9a-f]{1,16})", re.IGNORECASE | re.ASCII)


class Condition(Protocol):
    """A part of an expression that is true or false of a row."""

    def holds(self, row: Row) -> bool:
        """Whether it is true of `row`."""


class Operand(Protocol):
    """A part of an expression that has values."""

    def values(self, row: Row) -> Sequence[object]:
        """What it stands for: one value, or any number of them where there is a `[*]`."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the expression names; `is_decimal`: a number that was not written as `0x…`."""

    value: object
    is_decimal: bool = False

    def values(self, row: Row) -> Sequence[object]:
        """The value itself."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Path:
    """Fields below fields: names, positions in lists (from the end below 0), `None` for `[*]`."""

    steps: tuple[str | int | None, ...]

    @property
    def has_any(self) -> bool:
        """Whether it may stand for several values."""
        return None in self.steps

    @property
    def is_id(self) -> bool:
        """Whether what it leads to is an id, which the row has as a hex string."""
        names = [step for step in self.steps if isinstance(step, str)]
        if names[0] == "conf_state" or names[-1] in ID_NAMES:
            return True
        return names[0] == "request" and names[1:] in (["id"], ["conf_change", "id"])

    def found(self, row: Row) -> Sequence[object]:
        """What the document has there, as it has it; `None` for what is missing."""
        found: list[object] = [row]
        for step in self.steps:
            if step is None:
                found = [item for each in found if isinstance(each, list) for item in each]
            elif isinstance(step, str):
                found = [each.get(step) if isinstance(each, Mapping) else None for each in found]
            else:
                found = [_item(each, step) for each in found]
        return found

    def values(self, row: Row) -> Sequence[object]:
        """What compares: bytes as text, null for what is hidden."""
        return [plain(each) for each in self.found(row)]


def _item(value: object, position: int) -> object:
    if not isinstance(value, list) or not -len(value) <= position < len(value):
        return None
    item: object = value[position]
    return item


@dataclass(frozen=True, slots=True)
class Size:
    """`size(path)`: bytes of texts and of bytes, also hidden ones; elements of lists and trees."""

    path: Path

    def values(self, row: Row) -> Sequence[object]:
        """The sizes; null where there is nothing that has one."""
        return [_size(each) for each in self.path.found(row)]


def _size(value: object) -> object:
    if isinstance(value, Mapping) and value.get("redacted") is True:
        return value.get("size")
    value = plain(value)
    if isinstance(value, str):
        return len(as_bytes(value))
    return len(value) if isinstance(value, list | Mapping) else None


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists(path)`: something other than null is there, be it hidden."""

    path: Path

    def holds(self, row: Row) -> bool:
        """Whether it is."""
        return any(each is not None for each in self.path.found(row))


@dataclass(frozen=True, slots=True)
class Is:
    """A path that stands alone: there, and neither null nor false."""

    path: Path

    def holds(self, row: Row) -> bool:
        """Whether it is."""
        return any(each is not None and each is not False for each in self.path.found(row))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the operator holds for any of the values; `is_id`: ids are compared."""

    left: Operand
    operator: str
    right: Operand
    is_id: bool = False

    def holds(self, row: Row) -> bool:
        """Whether it does."""
        rights = self.right.values(row)
        return any(self._fits(left, right) for left in self.left.values(row) for right in rights)

    def _fits(self, left: object, right: object) -> bool:
        if self.operator == "contains" and isinstance(left, list):
            return any(self._compare("==", plain(each), right) for each in left)
        return self._compare(self.operator, left, right)

    def _compare(self, operator: str, left: object, right: object) -> bool:
        if self.is_id and operator not in TEXT_OPERATORS:
            left, right = _as_ids(left, right)
        return OPERATORS[operator](left, right)


@dataclass(frozen=True, slots=True)
class Matches:
    """`path ~ "pattern"`: found anywhere in any of the texts."""

    left: Operand
    pattern: re.Pattern[str]

    def holds(self, row: Row) -> bool:
        """Whether it is. A pattern can take for ever; it is the user's own, as with grep."""
        texts = (each for each in self.left.values(row) if isinstance(each, str))
        return any(self.pattern.search(text) for text in texts)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition

    def holds(self, row: Row) -> bool:
        """Whether the part does not."""
        return not self.part.holds(row)


@dataclass(frozen=True, slots=True)
class Every:
    """`and`."""

    parts: tuple[Condition, ...]

    def holds(self, row: Row) -> bool:
        """Whether all parts do."""
        return all(part.holds(row) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """`or`."""

    parts: tuple[Condition, ...]

    def holds(self, row: Row) -> bool:
        """Whether one part does."""
        return any(part.holds(row) for part in self.parts)


def plain(value: object) -> object:
    """What a piece of a document compares as: bytes as text, hidden ones as null.

    Bytes that are no UTF-8 come as surrogate escapes, as they do in what a person types.
    """
    if not isinstance(value, Mapping):
        return value
    if value.get("redacted") is True:
        return None
    if not value or not value.keys() <= BYTES_FIELDS:
        return value
    text, data = value.get("text"), value.get("data")
    if isinstance(text, str):
        return text
    if not isinstance(data, str):
        return data
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "surrogateescape")
    except ValueError:  # a decoder's own field of that name
        return value


def as_bytes(text: str) -> bytes:
    """The bytes that a text stands for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: JSON can hold it
        return text.encode("utf-8", "surrogatepass")


def _as_ids(left: object, right: object) -> tuple[object, object]:
    """Both as numbers where both can be read as ids, else both as they are."""
    numbers = id_number(left), id_number(right)
    return (left, right) if None in numbers else numbers


def id_number(value: object) -> int | None:
    """The number of an id that was written in hex, with `0x` or without; a number is itself."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _HEX.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else int(found[1] + found[2], 16)


def _equal(left: object, right: object) -> bool:
    kind = _kind(left)
    return kind is not None and kind == _kind(right) and left == right


def _below(left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return as_bytes(left) < as_bytes(right)  # the order of etcd's keys
    if _kind(left) == _kind(right) == "number":
        assert isinstance(left, int | float)
        assert isinstance(right, int | float)
        return left < right
    return False


def _at_most(left: object, right: object) -> bool:
    return _below(left, right) or (_kind(left) in ("number", "text") and _equal(left, right))


def _contains(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str) and right in left


def _starts(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str) and left.startswith(right)


def _ends(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str) and left.endswith(right)


def _kind(value: object) -> str | None:
    """Which values may be equal; `None` for lists and trees, which equal nothing."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return None


OPERATORS: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "==": _equal,
    "<": _below,
    "<=": _at_most,
    ">": lambda left, right: _below(right, left),
    ">=": lambda left, right: _at_most(right, left),
    "contains": _contains,
    "startswith": _starts,
    "endswith": _ends,
}

TEXT_OPERATORS: Final = frozenset({"contains", "startswith", "endswith"})
"""Operators on texts as they stand, also on those of ids."""
