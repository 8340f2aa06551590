"""Whether a history is linearizable: each key by a shortcut or a search, all searches in turn.

Keys are searched in slices, one after the other, the smallest first: a key that takes for ever, or
all memory, must not keep a bad one from being seen. What exceeds the memory is given up, the
biggest search first, and the others go on. One bad key decides, whatever the others are.
"""

import enum
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from walctl.checker.history import History, Operation, Place, Value
from walctl.checker.models import Model, State, Step, model_for, step_of, whole
from walctl.checker.parts import Part, split, undivided
from walctl.checker.search import Search, footprint
from walctl.checker.shortcuts import by_indexes, by_zones, unwritten

SLICE_STEPS: Final = 20_000
"""Some milliseconds: how late a deadline may be noticed."""
PICTURE_STEPS: Final = 200_000
"""How long a key that is known to be bad is searched for where it goes wrong."""
MEMORY_BYTES: Final = 512 << 20


class Verdict(enum.StrEnum):
    """Of a key, or of a history."""

    LINEARIZABLE = "linearizable"
    NOT_LINEARIZABLE = "not-linearizable"
    UNKNOWN = "unknown"
    NO_OPERATIONS = "no-operations"


class Way(enum.StrEnum):
    """How a verdict was come to, or what kept us from one."""

    SEARCH = "search"
    UNWRITTEN = "unwritten"
    ZONES = "zones"
    INDEXES = "indexes"
    STEPS = "steps"
    TIME = "time"
    MEMORY = "memory"
    STOPPED = "stopped"
    """Another key is bad, and that was enough."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to give up: after so many steps (`None`: never), with so much memory taken by searches,
    or when `is_over` says so, which is asked every few milliseconds."""

    steps: int | None = None
    memory_bytes: int = MEMORY_BYTES
    is_over: Callable[[], bool] = _never


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One key, or all of them where they are not told apart.

    `order` is the longest order found, as operations of `part`; of a linearizable key it is a whole
    one, but empty where none had to be found. `stuck` could not be placed behind it, in `state`.
    """

    part: Part
    verdict: Verdict
    way: Way
    order: tuple[Operation, ...] = ()
    stuck: Operation | None = None
    state: State = None
    steps: int = 0

    @property
    def place(self) -> Place:
        """The group and key; the first, of several."""
        return self.part.places[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A history, judged: keys in the order in which they were taken.

    `is_ordered`: writes took effect in the order of their indexes, and in no other.
    """

    history: History
    model: Model
    verdict: Verdict
    keys: tuple[Judged, ...]
    is_ordered: bool = False

    @property
    def bad(self) -> tuple[Judged, ...]:
        """The keys that are not linearizable."""
        return tuple(each for each in self.keys if each.verdict is Verdict.NOT_LINEARIZABLE)

    @property
    def steps(self) -> int:
        """Of all searches."""
        return sum(each.steps for each in self.keys)


@dataclass(slots=True)
class Case:
    """One part while it is judged."""

    part: Part
    step: Step
    initial: State
    is_ordered: bool = False
    judged: Judged | None = None
    search: Search | None = field(default=None)

    def started(self) -> Search:
        """A new search of it."""
        return Search(self.part, self.step, self.initial, is_ordered=self.is_ordered)

    def close(self, verdict: Verdict, way: Way, order: Sequence[int] | None = None) -> None:
        """Note the verdict, with what the search came to, and have its memory back."""
        best: Sequence[int] = order or ()
        stuck: Operation | None = None
        state: State = None
        steps = 0
        if self.search is not None:
            best = best or self.search.best
            state, steps = self.search.state, self.search.steps
            if self.search.stuck is not None and verdict is not Verdict.LINEARIZABLE:
                stuck = self.part.operations[self.search.stuck]
            self.search = None
        self.judged = Judged(
            part=self.part,
            verdict=verdict,
            way=way,
            order=tuple(self.part.operations[each] for each in best),
            stuck=stuck,
            state=state,
            steps=steps,
        )


def check(
    history: History,
    *,
    model: Model | None = None,
    limits: Limits | None = None,
    all_keys: bool = False,
    is_divided: bool = True,
    has_shortcuts: bool = True,
    wants_orders: bool = False,
    is_ordered: bool = False,
    arrange: Callable[[list[Part]], list[Part]] | None = None,
) -> Judgement:
    """Judge a history, by the narrowest model that fits unless one is given.

    `all_keys`: go on behind the first bad key. `is_divided`: each key by itself, which is as right
    and far quicker. `wants_orders`: an order for good keys as well, if it is found soon where no
    search was needed. `is_ordered`: writes with an index take effect in the order of the log, which
    is more than linearizability asks for. `arrange` puts the keys into another order than by size.
    """
    model = model or model_for(history)
    step = step_of(model, history)
    initial: State = history.absent
    parts = split(history) if is_divided else undivided(history)
    parts = [each for each in parts if len(each)]
    if not is_divided and parts:
        step = whole(step, parts[0].places)
        initial = tuple(history.absent for _ in parts[0].places)
    if arrange is not None:
        parts = arrange(parts)
    cases = [Case(part, step, initial, is_ordered) for part in parts]
    limits = limits or Limits()
    _decide(cases, history.absent, limits, all_keys, has_shortcuts=has_shortcuts)
    for case in cases:
        if _is_bad(case) or wants_orders:
            _picture(case, limits)
    keys = tuple(each.judged for each in cases if each.judged is not None)
    return Judgement(
        history=history,
        model=model,
        verdict=_of_all(history, keys),
        keys=keys,
        is_ordered=is_ordered,
    )


def _of_all(history: History, keys: Sequence[Judged]) -> Verdict:
    verdicts = {each.verdict for each in keys}
    if not history.operations:
        return Verdict.NO_OPERATIONS
    for each in (Verdict.NOT_LINEARIZABLE, Verdict.UNKNOWN):
        if each in verdicts:
            return each
    return Verdict.LINEARIZABLE


def _decide(
    cases: list[Case], absent: Value, limits: Limits, all_keys: bool, *, has_shortcuts: bool
) -> None:
    """Give every case its verdict."""
    if has_shortcuts:
        for case in cases:
            if limits.is_over():
                break
            _by_shortcut(case, absent)
            if not all_keys and _is_bad(case):
                break
    if all_keys or not any(map(_is_bad, cases)):
        _search(deque(each for each in cases if each.judged is None), limits, all_keys)
    for case in cases:
        if case.judged is None:
            case.close(Verdict.UNKNOWN, Way.STOPPED)


def _is_bad(case: Case) -> bool:
    return case.judged is not None and case.judged.verdict is Verdict.NOT_LINEARIZABLE


def _by_shortcut(case: Case, absent: Value) -> None:
    if unwritten(case.part, absent) is not None:
        case.close(Verdict.NOT_LINEARIZABLE, Way.UNWRITTEN)
        return
    order = by_indexes(case.part, case.step, case.initial, absent)
    if order is not None:
        case.close(Verdict.LINEARIZABLE, Way.INDEXES, order)
        return
    found = by_zones(case.part, absent)
    if found is False or (found and not case.is_ordered):  # zones know nothing of indexes
        case.close(Verdict.LINEARIZABLE if found else Verdict.NOT_LINEARIZABLE, Way.ZONES)


def _search(waiting: deque[Case], limits: Limits, all_keys: bool) -> None:
    """All searches in turn, a slice each, until they are done or a limit is reached."""
    steps = 0
    while waiting:
        over = Way.TIME if limits.is_over() else None
        if limits.steps is not None and steps >= limits.steps:
            over = Way.STEPS
        if over is not None:
            for case in waiting:
                case.close(Verdict.UNKNOWN, over)
            return
        case = waiting.popleft()
        if case.search is None:
            if footprint(len(case.part)) > limits.memory_bytes:
                case.close(Verdict.UNKNOWN, Way.MEMORY)
                continue
            case.search = case.started()
        before = case.search.steps
        slice_steps = SLICE_STEPS if limits.steps is None else limits.steps - steps
        case.search.run(min(SLICE_STEPS, slice_steps))
        steps += case.search.steps - before
        if case.search.found is None:
            waiting.append(case)
            _keep_within(waiting, limits.memory_bytes)
        elif case.search.found:
            case.close(Verdict.LINEARIZABLE, Way.SEARCH)
        else:
            case.close(Verdict.NOT_LINEARIZABLE, Way.SEARCH)
            if not all_keys:
                return


def _keep_within(waiting: deque[Case], memory_bytes: int) -> None:
    """Give up the biggest searches until the others fit."""
    sizes = {id(each): each.search.memory if each.search else 0 for each in waiting}
    while waiting and sum(sizes.values()) > memory_bytes:
        biggest = max(waiting, key=lambda each: sizes[id(each)])
        waiting.remove(biggest)
        del sizes[id(biggest)]
        biggest.close(Verdict.UNKNOWN, Way.MEMORY)


def _picture(case: Case, limits: Limits) -> None:
    """For a key that a shortcut decided: an order, or where there is none, if found soon."""
    assert case.judged is not None, "it is judged"
    is_small = footprint(len(case.part)) <= limits.memory_bytes
    if case.judged.way not in (Way.UNWRITTEN, Way.ZONES) or not is_small:
        return
    case.search = case.started()
    while case.search.found is None and case.search.steps < PICTURE_STEPS and not limits.is_over():
        case.search.run(SLICE_STEPS)
    case.close(case.judged.verdict, case.judged.way)
