"""The search for an order of operations that a correct store could have gone through.

All calls and returns stand in one list, by time. From its head, the first operation is sought that
can be next: whose call comes before any return that is still in the list, and whose answer is right
in the state that has been reached. It is placed: taken out of the list, call and return. When a
return is met, its operation should have been placed by now, and nothing behind can be: a dead end.
The last one placed is put back, and the search goes on behind it. The list is done with when no
return is left: then the operations placed are an order; what else is left was never seen to end,
and may never have happened. When there is nothing to put back, there is no order.

What makes it quick: an operation that changes nothing (a read) is placed as soon as it can be next
and is right, and nothing else is tried there: if there is an order, there is one with it. Whoever
placed the same operations and came to the same state before needs not be followed again. A state is
a small number; a set of operations and a state are one whole number, with the state in its lowest
bits. Operations of unknown fate that ask for the same are placed in the order of their calls alone:
they can be exchanged.

Source: Wing and Gong, Testing and Verifying Concurrent Objects, 1993; Lowe, Testing for
Linearizability, 2017; Horn and Kroening, Faster linearizability checking via P-compositionality,
2015.
"""

from itertools import pairwise
from typing import Final

from walctl.checker.history import Fate, Function, Operation
from walctl.checker.models import State, Step
from walctl.checker.parts import OPEN, Part

STATE_BITS: Final = 32
"""Room for the number of a state; memory ends long before it."""
ENTRY_BYTES: Final = 110
"""What one cached pair takes, without the digits of its number: measured, and a little more."""
MEMO_BYTES: Final = 120
STATE_BYTES: Final = 300
"""Of a remembered step, and of a state beside its value."""
DIGIT_BITS: Final = 30
UNKNOWN_STEP: Final = -2
WRONG: Final = -1
NO_CALL: Final = -1


def footprint(count: int) -> int:
    """Bytes that a search of so many operations takes before it has come anywhere, about: sets of
    operations, one for each and one for each step of a whole order."""
    return count * count // 8


class Search:
    """A search that can be interrupted, and goes on where it was.

    `steps` counts entries of the list that were looked at, `memory` estimates bytes. After each
    `run`, `found` is whether there is an order, `None` while that is open. `best` holds the
    positions in the part of the longest order placed so far, `stuck` that of the operation which
    could not be placed behind it, and `state` what was reached there. With `is_ordered` writes that
    name an index are placed in the order of their indexes alone.
    """

    def __init__(self, part: Part, step: Step, initial: State, *, is_ordered: bool = False) -> None:
        self.part = part
        self.found: bool | None = None
        self.steps = 0
        self.memory = footprint(len(part))
        self.best: tuple[int, ...] = ()
        self.stuck: int | None = None
        self._step = step
        self._best_state = 0
        self._states: list[State] = [initial]
        self._numbers: dict[State, int] = {initial: 0}
        self._classes, self._asked = _classes(part)
        self._memo: dict[int, int] = {}
        self._cache: set[int] = set()
        self._lay_out(is_ordered=is_ordered)
        self._entry = self._next[self._head]
        self._placed = 0
        self._state = 0
        self._stack: list[tuple[int, int, int]] = []

    def _lay_out(self, *, is_ordered: bool) -> None:
        """The list: entry numbers in order of time, its head and its end behind them."""
        part = self.part
        count = len(part)
        moments = sorted(
            [(rank, position) for position, rank in enumerate(part.calls)]
            + [(rank, count + position) for position, rank in enumerate(part.ends) if rank < OPEN]
        )
        # Entry p is the call of the operation at p, count + p its return; ends without a return
        # point at a node of their own outside of the list, so that lifting it changes nothing.
        self._head, self._tail, nowhere = 2 * count, 2 * count + 1, 2 * count + 2
        self._next = list(range(2 * count + 3))
        self._previous = list(range(2 * count + 3))
        last = self._head
        for _, entry in [*moments, (OPEN, self._tail)]:
            self._next[last] = entry
            self._previous[entry] = last
            last = entry
        self._returns = [
            count + position if rank < OPEN else nowhere for position, rank in enumerate(part.ends)
        ]
        self._bits = [1 << (STATE_BITS + position) for position in range(count)]
        self._observes = [_is_observer(each) for each in part.operations]
        self._first = _firsts(part, self._classes, self._bits)
        if is_ordered:
            for before, behind in pairwise(_by_index(part, self._observes)):
                self._first[behind] |= self._bits[before]
        self._pair_bytes = ENTRY_BYTES + 4 * ((count + STATE_BITS) // DIGIT_BITS)

    @property
    def state(self) -> State:
        """What the longest order came to."""
        return self._states[self._best_state]

    def run(self, steps_max: int) -> None:
        """Go on for at most so many steps, or a few more."""
        if not self.steps:
            self._placed = self._observe(0, 0)
            self._entry = self._next[self._head]
        # Names of this function are several times as fast as those of an object.
        following, preceding, returns = self._next, self._previous, self._returns
        bits, first = self._bits, self._first
        classes, observes = self._classes, self._observes
        memo, cache, stack = self._memo, self._cache, self._stack
        count, head, tail = len(self.part), self._head, self._tail
        class_count = len(self._asked)
        entry, placed, state = self._entry, self._placed, self._state
        known, stepped = len(cache), len(memo)
        left = steps_max
        while left > 0:
            left -= 1
            if entry < count:  # a call
                if observes[entry] or (first[entry] and placed & first[entry] != first[entry]):
                    entry = following[entry]  # an observer that is still here is wrong here
                    continue
                key = state * class_count + classes[entry]
                after = memo.get(key, UNKNOWN_STEP)
                if after == UNKNOWN_STEP:
                    after = self._stepped(key)
                pair = placed | bits[entry] | after
                if after < 0 or pair in cache:
                    entry = following[entry]
                    continue
                cache.add(pair)
                stack.append((entry, placed, state))
                now = pair ^ after
                for node in (entry, returns[entry]):  # `_lift`, without the time of a call
                    before, behind = preceding[node], following[node]
                    following[before] = behind
                    preceding[behind] = before
                placed, state = self._observe(now, after), after
                if placed == now or placed | state not in cache:
                    cache.add(placed | state)
                    entry = following[head]
                    continue
            elif entry == tail:
                self._note(state, stuck=None)
                self.found = True
                break
            elif len(stack) > len(self.best) or self.stuck is None:  # a return: a dead end
                self._note(state, stuck=entry - count)
            entry = NO_CALL
            while stack and entry < 0:  # what was observed has no other choice beside it
                entry, placed, state = stack.pop()
                self._unlift(entry if entry >= 0 else ~entry)
            if entry < 0:
                self.found = False
                break
            entry = following[entry]
        self._entry, self._placed, self._state = entry, placed, state
        self.steps += steps_max - left
        self.memory += (len(cache) - known) * self._pair_bytes
        self.memory += (len(memo) - stepped) * MEMO_BYTES

    def _observe(self, placed: int, state: int) -> int:
        """Place every operation that can be next, is right, and changes nothing; gives what is
        placed then. Whatever order has one of them later has one with it here."""
        following, preceding = self._next, self._previous
        class_count = len(self._asked)
        entry = following[self._head]
        while entry < len(self.part):
            if self._observes[entry]:
                key = state * class_count + self._classes[entry]
                after = self._memo.get(key, UNKNOWN_STEP)
                if after == UNKNOWN_STEP:
                    after = self._stepped(key)
                if after >= 0:
                    self._stack.append((~entry, placed, state))
                    placed |= self._bits[entry]
                    self._lift(entry)
                    entry = following[preceding[entry]]
                    continue
            entry = following[entry]
        return placed

    def _lift(self, entry: int) -> None:
        """Take an operation out of the list; what is taken out keeps its own links."""
        following, preceding = self._next, self._previous
        for node in (entry, self._returns[entry]):
            before, behind = preceding[node], following[node]
            following[before] = behind
            preceding[behind] = before

    def _unlift(self, entry: int) -> None:
        """Put back what was taken out last."""
        following, preceding = self._next, self._previous
        for node in (self._returns[entry], entry):
            following[preceding[node]] = node
            preceding[following[node]] = node

    def drop(self) -> None:
        """Forget what was searched, to have the memory back; the search cannot go on."""
        self._memo, self._cache, self._stack = {}, set(), []
        self.memory = 0

    def _stepped(self, key: int) -> int:
        """What the state becomes, remembered: `key` is a state and a class of operations."""
        state, kind = divmod(key, len(self._asked))
        is_right, after = self._step(self._states[state], self._asked[kind])
        if not is_right:
            self._memo[key] = WRONG
            return WRONG
        number = self._numbers.setdefault(after, len(self._states))
        if number == len(self._states):
            self._states.append(after)
            self.memory += STATE_BYTES + _state_bytes(after)
        self._memo[key] = number
        return number

    def _note(self, state: int, *, stuck: int | None) -> None:
        self.best = tuple(entry if entry >= 0 else ~entry for entry, _, _ in self._stack)
        self._best_state = state
        self.stuck = stuck


def _by_index(part: Part, observes: list[bool]) -> list[int]:
    """The positions of operations that changed something and name an index, by that."""
    found = [
        (each.index, position)
        for position, each in enumerate(part.operations)
        if each.index is not None and not observes[position]
    ]
    return [position for _, position in sorted(found)]


def _is_observer(operation: Operation) -> bool:
    """Whether it changes nothing, wherever it is right, and is sure to have happened."""
    if operation.fate is Fate.UNKNOWN:
        return False
    is_same = operation.function is Function.CAS and operation.value == operation.expected
    return operation.function.is_read or operation.fate is Fate.FAIL or is_same


def _state_bytes(state: State) -> int:
    """What a state takes beside an empty one; the parts of a tuple are mostly other states'."""
    if isinstance(state, bytes):
        return len(state)
    if isinstance(state, tuple):
        return 8 * len(state) + max((len(each or b"") for each in state), default=0)
    return 0


def _classes(part: Part) -> tuple[list[int], list[Operation]]:
    """Operations that any state answers alike have one number; and one operation for each."""
    numbers: dict[object, int] = {}
    asked: list[Operation] = []
    classes = []
    for each in part.operations:
        what = (each.place, each.function, each.fate, each.value, each.expected, each.output)
        number = numbers.setdefault(what, len(asked))
        if number == len(asked):
            asked.append(each)
        classes.append(number)
    return classes, asked


def _firsts(part: Part, classes: list[int], bits: list[int]) -> list[int]:
    """For an operation without an end the bit of the one before it that asks for the same, else 0.

    Whatever order has the later one in it and the earlier one not, or behind, is as right with the
    two exchanged.
    """
    last: dict[int, int] = {}
    firsts = [0] * len(part)
    for position in sorted(range(len(part)), key=lambda each: part.calls[each]):
        if part.ends[position] == OPEN:
            firsts[position] = last.get(classes[position], 0)
            last[classes[position]] = bits[position]
    return firsts
