"""What the words of a script's directives mean: numbers, truth, membership changes."""

from collections.abc import Iterable

from walctl.cluster.script_text import Argument, Directive, ScriptError
from walctl.raft.errors import RaftError
from walctl.raft.types import Change, ChangeKind

_NUMBER_MAX = (1 << 64) - 1
_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)
_BOOLEANS |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)
_CHANGES = {
    "v": ChangeKind.ADD_NODE,
    "l": ChangeKind.ADD_LEARNER_NODE,
    "r": ChangeKind.REMOVE_NODE,
    "u": ChangeKind.UPDATE_NODE,
}


class DirectiveError(RaftError):
    """A directive was refused; what it says is part of the script's output."""


def number(text: str) -> int:
    """A decimal number of 64 bits. Raises: ScriptError."""
    found = _number(text)
    if found is None:
        raise ScriptError(f"expected a number, found {text!r}")
    return found


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_NUMBER_MAX)):
        return None
    found = int(text)
    return found if found <= _NUMBER_MAX else None


def boolean(text: str) -> bool:
    """`true`, `false`, and what else means them. Raises: ScriptError."""
    if text not in _BOOLEANS:
        raise ScriptError(f"expected true or false, found {text!r}")
    return _BOOLEANS[text]


def keys(directive: Directive) -> list[str]:
    """The arguments without values."""
    return [each.key for each in directive.arguments if not each.values]


def pairs(arguments: Iterable[Argument]) -> list[tuple[str, str]]:
    """Key and value of every value that is given, in their order."""
    return [(each.key, value) for each in arguments for value in each.values]


def only_value(directive: Directive, key: str) -> str:
    """The value of an argument that has to be there. Raises: ScriptError."""
    values = [value for name, value in pairs(directive.arguments) if name == key]
    if len(values) != 1:
        raise ScriptError(f"{directive.name} takes {key}=N")
    return values[0]


def changes_in(text: str) -> tuple[Change, ...]:
    """Membership changes as they are written: `v2 l3 r4 u5`; none for an empty text.

    Raises: DirectiveError.
    """
    return tuple(map(_change, text.split(" "))) if text else ()


def _change(token: str) -> Change:
    if len(token) < 2:
        raise DirectiveError(f"unknown token {token}")
    kind = _CHANGES.get(token[0])
    if kind is None:
        raise DirectiveError(f"unknown input: {token}")
    node = _number(token[1:])
    if node is None:
        raise DirectiveError(f"unknown node in {token}")
    return Change(kind=kind, node_id=node)
