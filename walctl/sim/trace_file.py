"""Reads an event file, of the simulator or of a lab (`walctl.cluster.events`), line by line.

A header comes first, then an event a line. Nothing is kept: memory is that of one line and one
window of the file, however long it is, and whoever needs it twice reads it twice. A line that makes
no sense is refused with its number. The last line may be half written, where a lab is still up: it
is left out then, and that is told.

Optional fields may be absent. Nodes that are numbers (`"n":1`, `"to":2`) are Raft ids: `n1`, `n2`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from walctl.cluster.events import LINE_BYTES_MAX, TRACE_VERSION, EventKind
from walctl.errors import UsageError
from walctl.fs.base import FileSystem

EVENTS_MAX: Final = 50_000_000
TIME_US_MAX: Final = 1 << 53
"""285 years: more is no time, and a browser's numbers end there."""
WINDOW_BYTES: Final = 1 << 20
_SHOWN_CHARS: Final = 60
_KINDS: Final = {str(kind): kind for kind in EventKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What made the file, and of what; `None` where it does not say."""

    tool: str
    engine: str
    seed: str | None
    scenario: str | None
    options: Mapping[str, Any]


@dataclass(slots=True)
class Event:
    """One line. Not frozen, since there are many: nobody changes one.

    `number` is its `i` (its place in the file where it has none), `fields` the whole line.
    """

    line: int
    number: int
    time_us: int
    kind: EventKind
    node: str | None
    group: str | None
    client: str | None
    fields: Mapping[str, Any]


class Trace:
    """An event file; `is_torn` is known once it was read to its end."""

    def __init__(self, disk: FileSystem, path: Path) -> None:
        """Read the header. Raises: AccessError; UsageError, with the line that makes no sense."""
        self._disk = disk
        self.path = path
        self.is_torn = False
        first = next(self._lines(), None)
        if first is None:
            raise self._error(1, "expected the header of an event file, found an empty file")
        self.header = self._header(first[1])

    def events(self) -> Iterator[Event]:
        """All events, from the beginning. Raises: as `__init__`."""
        for line, data, is_whole in self._lines():
            if line == 1 or not data.strip():
                continue
            if line - 1 > EVENTS_MAX:
                raise self._error(line, f"expected at most {EVENTS_MAX:,} events, found more")
            try:
                fields = _object(data)
            except ValueError as error:
                if not is_whole:
                    self.is_torn = True
                    return
                raise self._error(line, str(error)) from error
            yield self._event(line, fields)

    def _lines(self) -> Iterator[tuple[int, bytes, bool]]:
        """Numbered lines without their ends, and whether each has one."""
        offset, number, rest = 0, 0, b""
        with self._disk.open(self.path) as file:
            while data := file.read_at(offset, WINDOW_BYTES):
                offset += len(data)
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    number += 1
                    self._demand_short(number, line)
                    yield number, line, True
                self._demand_short(number + 1, rest)
        if rest:
            yield number + 1, rest, False

    def _demand_short(self, number: int, line: bytes) -> None:
        if len(line) > LINE_BYTES_MAX:
            raise self._error(
                number, f"expected a line of at most {LINE_BYTES_MAX:,} bytes, found more"
            )

    def _header(self, data: bytes) -> Header:
        try:
            fields = _object(data)
        except ValueError as error:
            raise self._error(1, str(error)) from error
        version = fields.get("walctl_trace")
        if version is None:
            raise self._error(1, f"expected a header with 'walctl_trace', found {_shown(data)}")
        if version != TRACE_VERSION:
            found = _shown(version)
            raise self._error(1, f"expected version {TRACE_VERSION} of the format, found {found}")
        options = fields.get("options")
        return Header(
            tool=_text(fields.get("tool")) or "unknown",
            engine=_text(fields.get("engine")) or "unknown",
            seed=_text(fields.get("seed")),
            scenario=_text(fields.get("scenario")),
            options=options if isinstance(options, dict) else {},
        )

    def _event(self, line: int, fields: Mapping[str, Any]) -> Event:
        word = fields.get("k")
        kind = _KINDS.get(word) if isinstance(word, str) else None
        if kind is None:
            raise self._error(line, f"expected a kind of event as 'k', found {_shown(word)}")
        time_us = fields.get("t")
        if type(time_us) is not int or not 0 <= time_us <= TIME_US_MAX:
            expected = f"whole microseconds up to {TIME_US_MAX} as 't'"
            raise self._error(line, f"expected {expected}, found {_shown(time_us)}")
        number = fields.get("i", line - 2)
        if type(number) is not int or number < 0:
            raise self._error(line, f"expected a whole number as 'i', found {_shown(number)}")
        return Event(
            line,
            number,
            time_us,
            kind,
            self._name(line, fields, "n"),
            self._name(line, fields, "g", prefix="g"),
            self._name(line, fields, "c", prefix="c"),
            fields,
        )

    def _name(
        self, line: int, fields: Mapping[str, Any], field: str, *, prefix: str = "n"
    ) -> str | None:
        value = fields.get(field)
        if value is None or type(value) is str:
            return value or None
        if type(value) is int:
            return f"{prefix}{value}"
        raise self._error(line, f"expected a name or a number as {field!r}, found {_shown(value)}")

    def _error(self, line: int, words: str) -> UsageError:
        return UsageError(f"{self.path}:{line}: {words}")


def name_of(value: object) -> str | None:
    """The node that a field names: by its name or by its Raft id; `None` for anything else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f"n{value}"
    return None


def _object(data: bytes) -> Mapping[str, Any]:
    """Raises: ValueError, with what was expected and found."""
    try:
        found = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("expected an event, found JSON that nests too deep") from None
    except ValueError as error:
        raise ValueError(f"expected a JSON object, found {_shown(data)} ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, found {_shown(data)}")
    return found


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):  # may be deep, and nobody wants to see it
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bytes):
        value = value[: _SHOWN_CHARS + 1].decode("utf-8", "replace")
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"
