"""Values out of a row's JSON: numbers, ids, bytes, trees; whatever does not fit is refused by name.

JSON comes from anywhere: it may have been edited, and nothing of it is trusted. Each refusal says
where in the row it is, such as `request.put.key`.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from walctl.errors import UsageError
from walctl.inspect.where_tree import BYTES_FIELDS, id_number

Tree = Mapping[str, object]

HIDDEN_HINT: Final = "dump the rows with --redact none"

_HEX_ID = re.compile(r"-?(?:0x)?[0-9a-f]{1,16}", re.IGNORECASE | re.ASCII)


def refuse(place: str, reason: str) -> NoReturn:
    """Raise what is wrong at a place of the row."""
    raise UsageError(f"{place}: {reason}")


def tree_at(row: Tree, name: str) -> Tree | None:
    """The object under `name`; `None` where there is none, or null."""
    value = row.get(name)
    return None if value is None else as_tree(value, name)


def as_tree(value: object, place: str) -> Tree:
    """`value`, which has to be an object."""
    if not isinstance(value, Mapping):
        refuse(place, f"expected an object, found {shown(value)}")
    return value


def as_list(value: object, place: str) -> Sequence[object]:
    """`value`, which has to be a list."""
    if not isinstance(value, list):
        refuse(place, f"expected a list, found {shown(value)}")
    return value


def number_at(row: Tree, name: str) -> int:
    """The number under `name`, which has to be there."""
    return as_number(row.get(name), name)


def number_or_none(row: Tree, name: str) -> int | None:
    """The number under `name`; `None` where there is none, or null."""
    return None if row.get(name) is None else number_at(row, name)


def as_number(value: object, place: str) -> int:
    """`value`, which has to be a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(place, f"expected a number, found {shown(value)}")
    return value


def as_id(value: object, place: str) -> int:
    """An id: hex as rows have it, or a number."""
    is_hex = isinstance(value, str) and _HEX_ID.fullmatch(value) is not None
    found = id_number(value) if is_hex or isinstance(value, int) else None
    if found is None:
        refuse(place, f"expected an id in hex, found {shown(value)}")
    return found


def as_truth(value: object, place: str) -> bool:
    """`value`, which has to be true or false."""
    if not isinstance(value, bool):
        refuse(place, f"expected true or false, found {shown(value)}")
    return value


def as_bytes(value: object, place: str) -> bytes:
    """A piece of bytes: an object with `data` or `text` or both, or a plain text."""
    if isinstance(value, str):
        return _utf8(value, place)
    found = as_tree(value, place)
    if not_hidden(found, place).keys() - BYTES_FIELDS or not found:
        refuse(place, "expected data (base64) or text")
    data = bytes_at(found, place)
    if data is None:
        refuse(place, "expected data (base64) or text")
    return data


def bytes_at(row: Tree, place: str) -> bytes | None:
    """What `data` and `text` of `row` say; `None` where it has neither. They may not differ."""
    data, text = row.get("data"), row.get("text")
    if data is not None and not isinstance(data, str):
        refuse(place, f"expected base64 under data, found {shown(data)}")
    if text is not None and not isinstance(text, str):
        refuse(place, f"expected a text under text, found {shown(text)}")
    of_text = None if text is None else _utf8(text, place)
    if data is None:
        return of_text
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError:
        refuse(place, "what is under data is no base64")
    if of_text is not None and of_text != decoded:
        refuse(place, "data and text differ: leave one of them out")
    return decoded


def not_hidden(found: Tree, place: str) -> Tree:
    """`found`, unless a redaction has taken its bytes away."""
    if found.get("redacted") is True:
        refuse(place, f"it is hidden here; {HIDDEN_HINT}")
    return found


def _utf8(text: str, place: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        refuse(place, "a text that holds half a character")


def shown(value: object) -> str:
    """A value for a message: what it is, and itself where it is short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            text = f"{value:.6g}" if isinstance(value, float) else _digits(value)
            return text
        case str():
            return f'"{value}"' if len(value) <= 40 else "a long text"
        case list():
            return "a list"
        case _:
            return "an object"


def _digits(value: int) -> str:
    return str(value) if abs(value) < 1 << 128 else "a huge number"
