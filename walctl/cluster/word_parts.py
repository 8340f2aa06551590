"""What the words of commands about a cluster are made of: nodes, options, numbers, sizes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from formats.raftpb import MessageType
from walctl.cluster.lab import NAME
from walctl.cluster.quantities import parse_duration
from walctl.cluster.quoting import parted
from walctl.errors import UsageError
from walctl.raft.describe import message_name, message_type

NUMBER_MAX: Final = 1 << 53
_NODE_PARTS: Final = re.compile(r"(<->|->|,|/)")
_SIZE: Final = re.compile(r"([0-9]{1,12})(B|KB|KiB|MB|MiB|GB|GiB)?")
_SIZES: Final[Mapping[str | None, int]] = {
    None: 1,
    "B": 1,
    "KB": 1_000,
    "KiB": 1 << 10,
    "MB": 1_000_000,
    "MiB": 1 << 20,
    "GB": 1_000_000_000,
    "GiB": 1 << 30,
}


def node_of(word: str) -> str:
    """The name of a node; `3` is `n3`. Raises: UsageError."""
    name = f"n{word}" if word.isdecimal() else word
    if NAME.fullmatch(name) is None:
        raise UsageError(f"expected a node, found {word!r}")
    return name


def nodes_in(word: str) -> str:
    """A word about links with the names of nodes in it: `1->2` is `n1->n2`."""
    parts = _NODE_PARTS.split(word)
    return "".join(f"n{part}" if part.isdecimal() else part for part in parts)


def nodes_of(word: str) -> tuple[str, ...]:
    """Nodes with commas between them. Raises: UsageError."""
    return tuple(map(node_of, word.split(",")))


def message_of(word: str) -> str:
    """The name of a type of Raft's messages, as MsgApp. Raises: UsageError."""
    if message_type(word) is None:
        names = ", ".join(map(message_name, MessageType))
        raise UsageError(f"expected a type of message ({names}), found {word!r}")
    return word


def number_of(word: str, what: str) -> int:
    """A whole number, 0 or more. Raises: UsageError."""
    if not word.isdecimal() or not word.isascii() or len(word) > 16 or int(word) > NUMBER_MAX:
        raise UsageError(f"expected {what}, found {word!r}")
    return int(word)


def size_of(word: str, what: str) -> int:
    """Bytes: `100`, `64KiB`. Raises: UsageError."""
    found = _SIZE.fullmatch(word)
    if found is None:
        raise UsageError(f"expected {what} (bytes, as 4096 or 64KiB), found {word!r}")
    return int(found[1]) * _SIZES[found[2]]


def duration_of(word: str) -> int:
    """Microseconds. Raises: UsageError."""
    return parse_duration(word)


def options_of(
    words: Sequence[str], names: Sequence[str], *, command: str
) -> tuple[list[str], dict[str, str]]:
    """The words that are no `NAME=VALUE` of these names, and those that are.

    Raises: UsageError, for one that is given twice.
    """
    plain: list[str] = []
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = parted(word)
        if not equals or name not in names:
            plain.append(word)
        elif name in found:
            raise UsageError(f"{command}: expected {name}= once, found it twice")
        else:
            found[name] = value
    return plain, found


def demand_none(words: Sequence[str], *, command: str) -> None:
    """Raise UsageError when something is left."""
    if words:
        raise UsageError(f"{command}: expected nothing more, found {words[0]!r}")


def taken(words: Sequence[str], count: int, *, usage: str) -> tuple[str, ...]:
    """Exactly so many words. Raises: UsageError, with how the command is to be written."""
    if len(words) != count:
        found = " ".join(words) or "nothing"
        raise UsageError(f"expected {usage}, found {found!r} behind {usage.split()[0]}")
    return tuple(words)


def choice_of(word: str, words: Sequence[str], what: str) -> str:
    """One of these words. Raises: UsageError."""
    if word not in words:
        raise UsageError(f"expected {what} ({', '.join(words)}), found {word!r}")
    return word
