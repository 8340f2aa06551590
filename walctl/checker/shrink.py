"""A bad history made small: operations are left out while what is left still has no order.

Whole operations are left out, and never the write of a value that a read which stays has seen: what
is left has to contradict itself, and not just lack something. To be exact: an operation that saw a
value stays only with everything that can have put it there, which was called before it ended. Then
an order of the whole history is one of the rest as well, so no rest is bad unless the whole is.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.
"""

from collections.abc import Callable, Sequence
from typing import Final

from walctl.checker.history import Fate, Function, Operation, Value
from walctl.checker.linearizable import Judged, Judgement, Limits, Verdict, Way
from walctl.checker.models import Step, step_of
from walctl.checker.parts import Part, part_of
from walctl.checker.search import Search
from walctl.checker.shortcuts import seen, unwritten

TRIAL_STEPS: Final = 20_000
"""What a smaller history may take to be seen as bad; one that takes more is no simpler to read."""
TOTAL_STEPS: Final = 300_000
TRIALS_MAX: Final = 2_000
OPERATIONS_MAX: Final = 2_000
"""Of more on one key none are left out, but those that came after it went wrong."""


def shrunk(judgement: Judgement, judged: Judged, limits: Limits | None = None) -> Judged:
    """A smaller history of this key that is bad as well, judged; as small as the steps allow."""
    step = step_of(judgement.model, judgement.history)
    trial = _Trial(step, judgement, limits or Limits())
    operations = _until_stuck(judged, trial)
    if len(operations) > OPERATIONS_MAX:
        return judged
    return trial.picture(_minimal(operations, trial.absent, trial.is_bad), judged)


class _Trial:
    """Asks whether operations are bad, until the steps are used up."""

    def __init__(self, step: Step, judgement: Judgement, limits: Limits) -> None:
        self._step = step
        self.absent = judgement.history.absent
        self._is_ordered = judgement.is_ordered
        self._limits = limits
        self._steps = 0
        self._trials = 0

    def is_bad(self, operations: Sequence[Operation]) -> bool:
        """Whether they certainly have no order; when the steps are used up, none are bad."""
        self._trials += 1
        if self._steps > TOTAL_STEPS or self._trials > TRIALS_MAX or self._limits.is_over():
            return False
        part = self._part(operations)
        if unwritten(part, self.absent) is not None:
            return True
        search = Search(part, self._step, self.absent, is_ordered=self._is_ordered)
        search.run(TRIAL_STEPS)
        self._steps += search.steps
        return search.found is False

    def picture(self, operations: Sequence[Operation], judged: Judged) -> Judged:
        """The same with the longest order of it."""
        part = self._part(operations)
        search = Search(part, self._step, self.absent, is_ordered=self._is_ordered)
        search.run(TRIAL_STEPS)
        if search.found is not False:
            return judged
        return Judged(
            part=part,
            verdict=Verdict.NOT_LINEARIZABLE,
            way=Way.SEARCH,
            order=tuple(part.operations[each] for each in search.best),
            stuck=None if search.stuck is None else part.operations[search.stuck],
            state=search.state,
            steps=search.steps,
        )

    def _part(self, operations: Sequence[Operation]) -> Part:
        return part_of(operations, tuple(dict.fromkeys(each.place for each in operations)))


def _until_stuck(judged: Judged, trial: _Trial) -> tuple[Operation, ...]:
    """What was asked before the operation returned that could not be placed, if that is bad."""
    part = judged.part
    if judged.stuck is not None:
        end = part.ends[part.operations.index(judged.stuck)]
        until = tuple(
            each for each, call in zip(part.operations, part.calls, strict=True) if call < end
        )
        if len(until) > OPERATIONS_MAX:
            return part.operations
        # What ended later may have seen what was written later: it goes, with all that needs it.
        last = judged.stuck.end
        kept = sum(
            1 << at
            for at, each in enumerate(until)
            if each.function.is_put
            or each.function in (Function.APPEND, Function.DELETE)
            or (each.end is not None and last is not None and each.end <= last)
        )
        smaller = _chosen(until, closed(kept, needs_of(until, trial.absent)))
        if len(smaller) < len(part) and trial.is_bad(smaller):
            return smaller
    return part.operations


def _minimal(
    operations: tuple[Operation, ...],
    absent: Value,
    is_bad: Callable[[Sequence[Operation]], bool],
) -> tuple[Operation, ...]:
    """Leave out halves, quarters, and so on down to single operations, as long as any can go."""
    needs = needs_of(operations, absent)
    kept = (1 << len(operations)) - 1
    size = max(len(operations) // 2, 1)
    while True:
        has_shrunk = False
        positions = _positions(kept)
        for start in range(0, len(positions), size):
            # The last ones first: what came late is seldom what it hangs on.
            stop = len(positions) - start
            gone = sum(1 << each for each in positions[max(stop - size, 0) : stop])
            smaller = closed(kept & ~gone, needs)
            if smaller != kept and is_bad(_chosen(operations, smaller)):
                kept = smaller
                has_shrunk = True
        if size == 1 and not has_shrunk:
            return _chosen(operations, kept)
        if not has_shrunk:
            size = max(size // 2, 1)


def needs_of(operations: Sequence[Operation], absent: Value) -> list[int]:
    """For each operation the set of those that have to stay with it; bit p is position p."""
    has_appends = any(each.function is Function.APPEND for each in operations)
    all_writers = [
        (1 << position, absent if each.function is Function.DELETE else each.value, each)
        for position, each in enumerate(operations)
        if not each.function.is_read and each.fate is not Fate.FAIL
    ]
    needs = []
    for each in operations:
        writers = [
            (bit, value)
            for bit, value, writer in all_writers
            if each.end is None or writer.call <= each.end
        ]
        is_seen, value = seen(each)
        if each.function is Function.CAS and not is_seen:
            # What it did depends on what was there: of one that failed, on anything.
            is_seen, value = each.fate is Fate.UNKNOWN, each.expected
            if not is_seen:
                needs.append(sum(bit for bit, _ in writers))
                continue
        if not is_seen:
            needs.append(0)
        elif has_appends:
            # What is absent is empty, so deletes stay too.
            text = value or b""
            needs.append(sum(bit for bit, part in writers if (part or b"") in text))
        else:
            needs.append(sum(bit for bit, written in writers if written == value))
    return needs


def closed(kept: int, needs: list[int]) -> int:
    """`kept` without those that something is missing for; sets of positions, a bit each."""
    while True:
        lacking = sum(1 << each for each in _positions(kept) if needs[each] & ~kept)
        if not lacking:
            return kept
        kept &= ~lacking


def _positions(kept: int) -> list[int]:
    return [position for position in range(kept.bit_length()) if kept >> position & 1]


def _chosen(operations: Sequence[Operation], kept: int) -> tuple[Operation, ...]:
    return tuple(operations[position] for position in _positions(kept))
