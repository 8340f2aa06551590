"""What a `--where` expression means, worked out slowly, and how its tree is written as text.

Shares nothing with the shipped evaluation: it works on bytes instead of texts, and on a tree of
tuples of its own.
"""

import base64
import json
import re
from typing import Any


def as_bytes(value: Any) -> Any:
    """A value of a document, with texts and bytes as bytes, and what is hidden as nothing."""
    if isinstance(value, dict):
        if value.get("redacted") is True:
            return None
        if value and set(value) <= {"data", "text"} and isinstance(value.get("data"), str):
            return base64.b64decode(value["data"])
        return {"tree": len(value)}
    return value.encode() if isinstance(value, str) else value


def reached(document: Any, steps: list[Any]) -> list[Any]:
    if not steps:
        return [document]
    step, rest = steps[0], steps[1:]
    if step == "*":
        items = document if isinstance(document, list) else []
        return [each for item in items for each in reached(item, rest)]
    if isinstance(document, dict) and isinstance(step, str):
        return reached(document.get(step), rest)
    if isinstance(document, list) and isinstance(step, int):
        inside = step in range(-len(document), len(document))
        return reached(document[step] if inside else None, rest)
    return reached(None, rest)


def slow_values(operand: Any, document: Any) -> list[Any]:
    if operand[0] == "literal":
        value = operand[1]
        return [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value]
    found = reached(document, operand[1])
    if operand[0] == "path":
        return [as_bytes(each) for each in found]
    sizes: list[Any] = []
    for each in found:
        value = as_bytes(each)
        if isinstance(each, dict) and each.get("redacted") is True:
            sizes.append(each["size"])
        elif isinstance(value, dict):
            sizes.append(value["tree"])
        else:
            sizes.append(len(value) if isinstance(value, bytes | list) else None)
    return sizes


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def slow_equal(left: Any, right: Any) -> bool:
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    return isinstance(left, bytes) and isinstance(right, bytes) and left == right


def slow_below(left: Any, right: Any) -> bool:
    is_alike = is_number(left) and is_number(right)
    is_alike = is_alike or (isinstance(left, bytes) and isinstance(right, bytes))
    return is_alike and bool(left < right)


def slow_compare(operator: str, left: Any, right: Any) -> bool:
    if operator in ("contains", "startswith", "endswith"):
        if operator == "contains" and isinstance(left, list):
            return any(slow_equal(as_bytes(each), right) for each in left)
        if not (isinstance(left, bytes) and isinstance(right, bytes)):
            return False
        return {
            "contains": right in left,
            "startswith": left.startswith(right),
            "endswith": left.endswith(right),
        }[operator]
    is_ordered = slow_below(left, right) or slow_below(right, left)
    is_same = slow_equal(left, right)
    has_order = left is not None and not isinstance(left, bool)
    return {
        "==": is_same,
        "<": slow_below(left, right),
        ">": slow_below(right, left),
        "<=": (is_ordered and not slow_below(right, left)) or (is_same and has_order),
        ">=": (is_ordered and not slow_below(left, right)) or (is_same and has_order),
    }[operator]


def slow(tree: Any, document: Any) -> bool:
    match tree:
        case ("and", *parts):
            return all(slow(part, document) for part in parts)
        case ("or", *parts):
            return any(slow(part, document) for part in parts)
        case ("not", part):
            return not slow(part, document)
        case ("exists", steps):
            return any(each is not None for each in reached(document, steps))
        case ("is", steps):
            found = reached(document, steps)
            return any(each is not None and each is not False for each in found)
        case ("in", left, literals):
            return any(slow(("compare", "==", left, each), document) for each in literals)
        case ("compare", "!=", left, right):
            return not slow(("compare", "==", left, right), document)
        case ("compare", operator, left, right):
            return any(
                slow_compare(operator, a, b)
                for a in slow_values(left, document)
                for b in slow_values(right, document)
            )
        case ("~", left, pattern):
            texts = [each for each in slow_values(left, document) if isinstance(each, bytes)]
            decoded = [each.decode("utf-8", "surrogateescape") for each in texts]
            return any(re.search(pattern, each) for each in decoded)
    raise AssertionError(tree)


def written(tree: Any) -> str:
    """A tree as text; parentheses only where the grammar needs them."""
    match tree:
        case ("and", *parts):
            return " and ".join(
                f"({written(part)})" if part[0] in ("or", "and") else written(part)
                for part in parts
            )
        case ("or", *parts):
            return " or ".join(f"({written(p)})" if p[0] == "or" else written(p) for p in parts)
        case ("not", part):
            inner = written(part)
            return f"not ({inner})" if part[0] in ("and", "or") else f"not {inner}"
        case ("exists", steps):
            return f"exists({written_path(steps)})"
        case ("is", steps):
            return written_path(steps)
        case ("in", left, literals):
            return f"{written_operand(left)} in ({', '.join(map(written_operand, literals))})"
        case ("compare", operator, left, right):
            return f"{written_operand(left)} {operator} {written_operand(right)}"
        case ("~", left, pattern):
            return f'{written_operand(left)} ~ "{pattern}"'
    raise AssertionError(tree)


def written_path(steps: list[Any]) -> str:
    text = steps[0]
    for step in steps[1:]:
        if step == "*" or isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch("[a-z]+", step):
            text += f".{step}"
        else:
            text += f"[{quoted(step)}]"
    return str(text)


def quoted(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return (
        '"'
        + "".join(
            f"\\x{byte:02x}" if byte > 126 or byte < 32 else chr(byte)
            for byte in raw.replace(b"\\", b"\x5c\x5c").replace(b'"', b'\\"')
        )
        + '"'
    )


def written_operand(operand: Any) -> str:
    match operand:
        case ("literal", str() as text):
            return quoted(text)
        case ("literal", value):
            return json.dumps(value)
        case ("size", steps):
            return f"size({written_path(steps)})"
        case (_, steps):
            return written_path(steps)
    raise AssertionError(operand)
