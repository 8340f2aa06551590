"""Operations that are judged together, as one line of calls and returns.

A history can be put in order if, and only if, the operations on each key can (Herlihy and Wing,
Linearizability, 1990: it is a local property). So each key is a part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from walctl.checker.history import Fate, History, Operation, Place

OPEN: Final = 1 << 62
"""The rank of an end that nobody saw: behind all others."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some operations of a history, by their calls, that tell anything at all.

    `calls` and `ends` are the ranks of each one's call and return among all of them: at the same
    time calls stand before returns, so that what may have overlapped did. An end that nobody saw
    has the rank `OPEN`. `places` are the keys that it is about, which is one unless keys are not
    told apart.
    """

    places: tuple[Place, ...]
    operations: tuple[Operation, ...]
    calls: tuple[int, ...]
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.operations)


def part_of(operations: Iterable[Operation], places: Sequence[Place]) -> Part:
    """The part that these operations are, as far as they tell anything."""
    telling = tuple(each for each in operations if each.is_telling)
    moments: list[tuple[int, bool, int]] = []
    for position, each in enumerate(telling):
        moments.append((each.call, False, position))
        if each.end is not None and each.fate is not Fate.UNKNOWN:
            moments.append((each.end, True, position))
    moments.sort()
    calls = [0] * len(telling)
    ends = [OPEN] * len(telling)
    for rank, (_, is_end, position) in enumerate(moments):
        (ends if is_end else calls)[position] = rank
    return Part(tuple(places), telling, tuple(calls), tuple(ends))


def split(history: History) -> list[Part]:
    """A part for each key, the smallest first, and those of one size by their first call."""
    found: dict[Place, list[Operation]] = {}
    for each in history.operations:
        found.setdefault(each.place, []).append(each)
    parts = [part_of(operations, (place,)) for place, operations in found.items()]
    return sorted(parts, key=len)


def undivided(history: History) -> list[Part]:
    """One part of all keys."""
    places = list(dict.fromkeys(each.place for each in history.operations))
    return [part_of(history.operations, places)]
