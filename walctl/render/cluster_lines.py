"""Lines of a lab on a screen: what its nodes printed, and its events."""

import json
from collections.abc import Collection, Iterable
from typing import Any, Final

from walctl.render.screen import Screen
from walctl.render.text import printable

_FIRST: Final = ("i", "t", "n", "g", "c", "k")
US: Final = 1_000_000


def show_logs(screen: Screen, lines: Iterable[tuple[str, bytes]], *, width: int) -> None:
    """Lines of nodes, each behind its node's name where `width` (that of names) is not 0."""
    for name, line in lines:
        head = f"{name:<{width}} | " if width else ""
        screen.line(head + printable(line))
        screen.flush()


def show_events(
    screen: Screen, lines: Iterable[tuple[str, bytes]], *, kinds: Collection[str]
) -> None:
    """Events, of these kinds alone where some are named; as they stand in the file for JSON."""
    for _, line in lines:
        event = _event(line)
        if event is None or (kinds and event.get("k") not in kinds):
            continue
        if screen.output == "ndjson":
            screen.row(event)
        else:
            screen.line(event_line(event))
        screen.flush()


def event_line(event: dict[str, Any]) -> str:
    """One event: its moment in seconds, who, what kind, and the rest of what it says."""
    who = event.get("n") or (f"c{event['c']}" if "c" in event else "")
    group = f"/{event['g']}" if "g" in event else ""
    moment = event.get("t")
    seconds = f"{moment / US:11.6f}" if isinstance(moment, int) else " " * 11
    rest = "  ".join(f"{name} {_value(event[name])}" for name in event if name not in _FIRST)
    return f"{seconds}  {f'{who}{group}':<6}  {event.get('k', ''):<8}  {rest}".rstrip()


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _event(line: bytes) -> dict[str, Any] | None:
    """The event in a line; `None` for the header and for what is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "k" in found else None
