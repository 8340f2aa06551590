"""What a request of another package's decoder must be before it goes where ours go.

Whoever shows a request trusts its tree: a value of another type, or one that contains itself,
would end in a traceback, far from the decoder that made it. So nothing here believes the types that
a declaration promises.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from formats import limits
from walctl.payload.base import OWN_NAMES, Blob, KeyRange, Privacy, Request, Text


def fault_of(request: Any) -> str | None:
    """What is wrong with a request, in a few words of ours; `None`: nothing."""
    if not isinstance(request, Request):
        return f"a {_kind(request)} for a request"
    return _fault_of_parts(request) or _fault_of_node(request.body, 0) or _fault_of_lists(request)


def _fault_of_parts(request: Any) -> str | None:
    for name in ("decoder", "type"):
        if not isinstance(getattr(request, name), str):
            return f"a request whose {name} is a {_kind(getattr(request, name))}"
    if not isinstance(request.request_id, int | None):
        return f"a request whose id is a {_kind(request.request_id)}"
    if request.unsaid is not None and not isinstance(request.unsaid, Privacy):
        return f"a request whose privacy is a {_kind(request.unsaid)}"
    if not isinstance(request.body, Mapping):
        return f"a request whose body is a {_kind(request.body)}"
    taken = sorted(OWN_NAMES.intersection(request.body))
    if taken:
        return f"a request with a field called {taken[0]}, which JSON has for itself"
    return None


def _fault_of_node(node: Any, depth: int) -> str | None:
    if depth > limits.NESTING_MAX:
        return f"a request with more than {limits.NESTING_MAX} values inside one another"
    if isinstance(node, Blob | Text):
        return _fault_of_piece(node)
    if isinstance(node, float) and not math.isfinite(node):
        return "a request with a number that JSON cannot write"
    if node is None or isinstance(node, str | int | float):
        return None
    if isinstance(node, Mapping):
        if not all(isinstance(name, str) for name in node):
            return "a request with a field whose name is no text"
        parts = iter(node.values())
    elif isinstance(node, Sequence) and not isinstance(node, bytes | bytearray | memoryview):
        parts = iter(node)
    else:
        return f"a request with a {_kind(node)} in it"
    faults = (_fault_of_node(each, depth + 1) for each in parts)
    return next((each for each in faults if each is not None), None)


def _fault_of_piece(piece: Any) -> str | None:
    content, wanted = (piece.data, bytes) if isinstance(piece, Blob) else (piece.text, str)
    if isinstance(content, wanted) and isinstance(piece.privacy, Privacy):
        return None
    return f"a {_kind(piece)} of a {_kind(content)} and a {_kind(piece.privacy)}"


def _fault_of_lists(request: Any) -> str | None:
    for word in request.words:
        if isinstance(word, Blob | Text):
            fault = _fault_of_piece(word)
            if fault is not None:
                return fault
        elif not isinstance(word, str):
            return f"a request with a {_kind(word)} among its words"
    for each in request.keys:
        ends = (each.key, each.end or b"") if isinstance(each, KeyRange) else (None,)
        if not all(isinstance(end, bytes) for end in ends):
            return f"a request with a {_kind(each)} among its keys"
    return None


def _kind(value: Any) -> str:
    return type(value).__name__
