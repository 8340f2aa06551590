"""Verdicts without a search, where a history allows them; each is what the search would say.

    unwritten     a read of what nobody had begun to write by then: no order
    by_zones      one register, every value written once: decided in one sorted pass
    by_indexes    the answers name the log's index: then the order is given, and is tried

Source for zones: Gibbons and Korach, Testing Shared Memories, 1997.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from walctl.checker.history import Fate, Function, Operation, Place, Value
from walctl.checker.models import State, Step
from walctl.checker.parts import OPEN, Part

EARLIEST: Final = -1
"""The rank of what was there before the first call."""


def unwritten(part: Part, absent: Value) -> int | None:
    """The position of the first operation that saw a value which nobody had begun to write when it
    returned; `None` when there is none, or values are put together by appending."""
    if any(each.function is Function.APPEND for each in part.operations):
        return None
    begun: dict[tuple[Place, Value], int] = {(place, absent): EARLIEST for place in part.places}
    for each, call in zip(part.operations, part.calls, strict=True):
        if each.fate is not Fate.FAIL and not each.function.is_read:
            what = each.place, absent if each.function is Function.DELETE else each.value
            begun[what] = min(call, begun.get(what, OPEN))
    for position, each in enumerate(part.operations):
        is_seen, value = seen(each)
        if is_seen and begun.get((each.place, value), OPEN) > part.ends[position]:
            return position
    return None


def seen(operation: Operation) -> tuple[bool, Value]:
    """Whether an operation is sure to have seen a certain value, and which."""
    if operation.fate is not Fate.OK:
        return False, None
    if operation.function is Function.CAS:
        return True, operation.expected
    return operation.function.is_read, operation.output


@dataclass(slots=True)
class Zone:
    """What is about one value: from the first end to the last call of its write and its reads.

    Where the end comes first, the value must have been there all the time in between (a forward
    zone); else one instant between the two is enough (a backward one).
    """

    first_end: int
    last_call: int

    def add(self, call: int, end: int) -> None:
        """One more operation of the value."""
        self.first_end = min(self.first_end, end)
        self.last_call = max(self.last_call, call)

    @property
    def is_forward(self) -> bool:
        """See the class."""
        return self.first_end < self.last_call


def by_zones(part: Part, absent: Value) -> bool | None:
    """Whether there is an order; `None` where this cannot tell: another function than reading,
    writing and deleting, or a value that was read could come from two writes."""
    zones = _zones(part, absent)
    if zones is None:
        return None
    forward = sorted(
        ((each.first_end, each.last_call) for each in zones if each.is_forward),
    )
    for (_, last), (following, _) in pairwise(forward):
        if following < last:
            return False
    # Forward zones lie apart now, so the one that begins last before a backward one is the one
    # that could hold it.
    backward = sorted((each.last_call, each.first_end) for each in zones if not each.is_forward)
    begun = -1
    for call, end in backward:
        while begun + 1 < len(forward) and forward[begun + 1][0] < call:
            begun += 1
        if begun >= 0 and end < forward[begun][1]:
            return False
    return True


def _zones(part: Part, absent: Value) -> list[Zone] | None:
    """`None`: not of the kind that has them. A read that ended before its write began gives a zone
    that reaches over everything, which nothing fits with."""
    if len(part.places) != 1:
        return None
    reads: dict[Value, list[int]] = {}
    writes: dict[Value, list[int]] = {}
    for position, each in enumerate(part.operations):
        if each.function.is_read:
            reads.setdefault(each.output, []).append(position)
        elif each.function.is_put or each.function is Function.DELETE:
            value = absent if each.function is Function.DELETE else each.value
            writes.setdefault(value, []).append(position)
        else:
            return None
    zones: list[Zone] = []
    for value, positions in writes.items():
        if value not in reads:
            # One that nobody saw end and nobody read may never have happened.
            ended = [at for at in positions if part.ends[at] < OPEN]
            zones += [Zone(part.ends[at], part.calls[at]) for at in ended]
        elif len(positions) > 1 or value == absent:
            return None
    for value, positions in reads.items():
        if value == absent:
            zone = Zone(EARLIEST, EARLIEST)
        elif value in writes:
            (write,) = writes[value]
            zone = Zone(part.ends[write], part.calls[write])
            if any(part.ends[at] < part.calls[write] for at in positions):
                return [Zone(EARLIEST, OPEN), Zone(EARLIEST, OPEN)]
        else:
            return [Zone(EARLIEST, OPEN), Zone(EARLIEST, OPEN)]
        for at in positions:
            zone.add(part.calls[at], part.ends[at])
        zones.append(zone)
    return zones


def by_indexes(part: Part, step: Step, initial: State, absent: Value) -> tuple[int, ...] | None:
    """An order of the positions, found by the indexes of the answers: right answers, and nobody
    before whoever ended first. `None`: an index is missing, or that order is not right.

    Writes stand before the reads that name the same index. A write of unknown fate without an index
    is placed where the first one that saw its value needs it.
    """
    known = []
    for position, each in enumerate(part.operations):
        if each.index is not None:
            known.append((each.index, each.function.is_read, part.calls[position], position))
        elif each.fate is not Fate.UNKNOWN:
            return None
    loose = _loose(part, absent)
    order: list[int] = []
    state = initial
    last_call = EARLIEST
    for _, _, _, position in sorted(known):
        each = part.operations[position]
        is_right, after = step(state, each)
        if not is_right:
            needed = loose.get((each.place, seen(each)[1]))
            if not needed:
                return None
            order.append(needed.pop(0))
            last_call = max(last_call, part.calls[order[-1]])
            _, state = step(state, part.operations[order[-1]])
            is_right, after = step(state, each)
        if not is_right or part.ends[position] < last_call:
            return None
        order.append(position)
        state = after
        last_call = max(last_call, part.calls[position])
    return tuple(order)


def _loose(part: Part, absent: Value) -> dict[tuple[Place, Value], list[int]]:
    """By the value that they leave, the positions of writes that may stand anywhere behind their
    calls, or nowhere; the earliest call first."""
    found: dict[tuple[Place, Value], list[int]] = {}
    for position in sorted(range(len(part)), key=part.calls.__getitem__):
        each = part.operations[position]
        if each.fate is Fate.UNKNOWN and each.index is None:
            value = absent if each.function is Function.DELETE else each.value
            found.setdefault((each.place, value), []).append(position)
    return found
