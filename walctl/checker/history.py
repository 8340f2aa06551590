"""What clients asked of a store, and what became of it: operations, and the history they make.

A value is bytes; `None` is "no such key". Numbers in a file are their digits. Times are whole
numbers in the order of the file's clock: line numbers where a file has no clock. An operation takes
effect once, at some instant between `call` and `end`; one that nobody saw end has `end` `None`, and
may take effect at any later time.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Value = bytes | None
Place = tuple[str, bytes]
"""A group's name, and a key of it: what is independent of all others."""


class Function(enum.StrEnum):
    """What was asked; `read` and `write` are what other checkers call `get` and `put`."""

    GET = "get"
    READ = "read"
    PUT = "put"
    WRITE = "write"
    APPEND = "append"
    DELETE = "delete"
    CAS = "cas"

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self in (Function.GET, Function.READ)

    @property
    def is_put(self) -> bool:
        """Whether it sets a value, whatever was there."""
        return self in (Function.PUT, Function.WRITE)


class Fate(enum.StrEnum):
    """What became of it; see `walctl.cluster.answers`."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request of one client.

    `number` counts a history's operations by their calls, from 0. `value` is what was to be
    written; `expected`, of a cas, what had to be there; `output`, of a read that is ok, what was.
    `is_mismatch`: a cas failed because something else was there, and not because it was refused:
    then it has seen something, though it did nothing. `index` is the log's index that the answer
    named, `None` where none was told.
    """

    number: int
    client: str
    function: Function
    key: bytes
    call: int
    end: int | None
    fate: Fate
    group: str = ""
    value: Value = None
    expected: Value = None
    output: Value = None
    is_mismatch: bool = False
    index: int | None = None

    @property
    def place(self) -> Place:
        """What it was asked of."""
        return self.group, self.key

    @property
    def is_telling(self) -> bool:
        """Whether it can say anything about the others: it changed something or saw something.

        What failed did nothing. A read of unknown fate tells as much as no read at all.
        """
        if self.fate is Fate.FAIL:
            return self.is_mismatch
        return self.fate is Fate.OK or not self.function.is_read


@dataclass(frozen=True, slots=True)
class History:
    """Operations by number. `absent` is what a read finds where nothing is: `None`, or the empty
    string in formats that know no other word for it. `format` is what it was read from."""

    operations: tuple[Operation, ...]
    absent: Value = None
    format: str = ""

    def fates(self) -> Counter[Fate]:
        """How many operations met which fate."""
        return Counter(each.fate for each in self.operations)


class HistoryError(Exception):
    """A line of a history that makes no sense. `line` counts from 1; `message` is one line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"{line}: {message}")
        self.line = line
        self.message = message


FORMATS: Final = ("jepsen log", "EDN", "walctl events")
"""What `recognise` knows, by name."""


def numbered(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The same in the order of their calls, with their numbers."""
    from dataclasses import replace

    ordered = sorted(operations, key=lambda each: each.call)
    return tuple(
        each if each.number == number else replace(each, number=number)
        for number, each in enumerate(ordered)
    )
