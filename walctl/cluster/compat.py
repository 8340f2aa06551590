"""raftexample's way to ask for another membership: an id in the target, a URL in the body.

The id is read as Go reads it with base 0: decimal, or behind 0x, 0o, 0b or a 0 in that base, with
single underscores between digits.

Source: raftexample notes 2.
"""

import re
from typing import Final

from walctl.raft.types import Change, ChangeKind, ConfChange

_NUMBER: Final = re.compile(rb"(0[xX]|0[oO]|0[bB]|0(?=_?[0-9]))?(_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)")
_BASES: Final = {b"0x": 16, b"0o": 8, b"0b": 2, b"0": 8, b"": 10}
_ID_MAX: Final = (1 << 64) - 1


def member_change(method: str, key: bytes, body: bytes) -> ConfChange | None:
    """The change that POST or DELETE of this target asks for; `None` where that is no id."""
    node = member_id(key[1:])
    if node is None:
        return None
    kind = ChangeKind.ADD_NODE if method == "POST" else ChangeKind.REMOVE_NODE
    context = body if method == "POST" else None
    return ConfChange(changes=(Change(kind=kind, node_id=node),), context=context, is_v1=True)


def member_id(text: bytes) -> int | None:
    """The number, `None` where Go would not take it."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    prefix, digits = found.group(1) or b"", found.group(2)
    if not prefix and digits.startswith(b"_"):
        return None
    try:
        number = int(digits.replace(b"_", b""), _BASES[prefix.lower()])
    except ValueError:
        return None
    return number if number <= _ID_MAX else None
