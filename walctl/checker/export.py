"""A history in the formats of other checkers: EDN as porcupine reads it, and as Jepsen writes it.

Other formats know one operation of a process at a time, and a process ends with an operation of
unknown fate: so a client whose operation has no end goes on under a new number. What certainly did
nothing and saw nothing is left out. Text is what the bytes are in UTF-8; a byte that is none is a
lone surrogate, `\\udcNN`.

Porcupine knows get, put and append, and finds the empty string where nothing is; a delete and a cas
are written in the same way all the same, and it will not read those. Jepsen speaks of read and
write, and knows nil; keys are under `:key`, and what is of several groups has the group in front.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from walctl.checker.history import Fate, Function, History, Operation, Value

_JEPSEN = {Function.GET: Function.READ, Function.PUT: Function.WRITE}
_PORCUPINE = {Function.READ: Function.GET, Function.WRITE: Function.PUT}


@dataclass(frozen=True, slots=True)
class _Moment:
    """A line to be: one end of an operation."""

    operation: Operation
    process: int
    is_call: bool


def porcupine(history: History) -> Iterator[bytes]:
    """Lines of porcupine's format, each with its end; an unknown fate has no second line."""
    is_grouped = _is_grouped(history)
    for moment in _moments(history):
        each = moment.operation
        if not moment.is_call and each.fate is Fate.UNKNOWN:
            continue
        value = _text(_shown(each) or b"")
        if each.function.is_read and moment.is_call:
            value = "nil"
        elif each.function is Function.CAS:
            value = f"[{_text(each.expected or b'')} {value}]"
        kind = ":invoke" if moment.is_call else f":{each.fate}"
        function = _PORCUPINE.get(each.function, each.function)
        yield (
            f"{{:process {moment.process}, :type {kind}, :f :{function},"
            f" :key {_text(_key(each, is_grouped=is_grouped))}, :value {value}}}\n"
        ).encode()


def edn(history: History) -> Iterator[bytes]:
    """Lines of Jepsen's format, each with its end."""
    is_grouped = _is_grouped(history)
    for number, moment in enumerate(_moments(history)):
        each = moment.operation
        value = "nil" if each.function.is_read and moment.is_call else _nil(_shown(each))
        if each.function is Function.CAS:
            value = f"[{_nil(each.expected)} {value}]"
        kind = ":info" if each.fate is Fate.UNKNOWN else f":{each.fate}"
        time = each.call if moment.is_call else each.end
        yield (
            f"{{:type {':invoke' if moment.is_call else kind},"
            f" :f :{_JEPSEN.get(each.function, each.function)}, :value {value},"
            f" :process {moment.process}, :time {'nil' if time is None else time},"
            f" :index {number}, :key {_text(_key(each, is_grouped=is_grouped))}}}\n"
        ).encode()


EXPORTS: dict[str, Callable[[History], Iterator[bytes]]] = {"porcupine": porcupine, "edn": edn}
"""By the name that a person types."""


def _moments(history: History) -> list[_Moment]:
    """Calls and ends in order, ends that nobody saw behind all; calls first at the same time."""
    last = 1 + max((max(each.call, each.end or 0) for each in history.operations), default=0)
    found: list[tuple[int, bool, int, _Moment]] = []
    for each, process in _processes(history):
        end = last if each.end is None or each.fate is Fate.UNKNOWN else each.end
        found.append((each.call, False, each.number, _Moment(each, process, True)))
        found.append((end, True, each.number, _Moment(each, process, False)))
    found.sort(key=lambda row: row[:3])
    return [moment for _, _, _, moment in found]


def _processes(history: History) -> Iterator[tuple[Operation, int]]:
    """Each operation that tells anything, with a process that has nothing else open then."""
    free: dict[str, list[tuple[int, int]]] = {}
    count = 0
    for each in history.operations:
        if not each.is_telling:
            continue
        mine = free.setdefault(each.client, [])
        at = next((at for at, (end, _) in enumerate(mine) if end < each.call), None)
        if at is None:
            process, count = count, count + 1
        else:
            _, process = mine.pop(at)
        if each.end is not None and each.fate is not Fate.UNKNOWN:
            mine.append((each.end, process))
        yield each, process


def _shown(operation: Operation) -> Value:
    return operation.output if operation.function.is_read else operation.value


def _key(operation: Operation, *, is_grouped: bool) -> bytes:
    return operation.group.encode() + b"/" + operation.key if is_grouped else operation.key


def _is_grouped(history: History) -> bool:
    return len({each.group for each in history.operations}) > 1


def _nil(value: Value) -> str:
    return "nil" if value is None else _text(value)


def _text(data: bytes) -> str:
    """A string of EDN, in ASCII where it has to be escaped; lone surrogates stand for bytes."""
    return json.dumps(data.decode("utf-8", "surrogateescape"))
