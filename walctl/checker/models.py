"""What a correct store does with one key, one operation after the other.

A step takes the value that is there and an operation, and gives whether the operation's answer can
be right there, and the value that is there afterwards. Of an operation of unknown fate any answer
is right. Values are hashable, and nothing is kept between steps.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from walctl.checker.history import Fate, Function, History, Operation, Place, Value

State = Hashable
Step = Callable[[State, Operation], tuple[bool, State]]


def register(value: Value, operation: Operation) -> tuple[bool, Value]:
    """A register that is read and written; so is each key of a store of put and get."""
    if operation.function.is_read:
        return operation.fate is not Fate.OK or operation.output == value, value
    return True, operation.value


def cas_register(value: Value, operation: Operation) -> tuple[bool, Value]:
    """A register that can be written on a condition as well.

    A cas that failed has seen that the condition did not hold.
    """
    if operation.function is not Function.CAS:
        return register(value, operation)
    is_held = value == operation.expected
    if operation.fate is Fate.FAIL:
        return not is_held, value
    is_right = is_held or operation.fate is Fate.UNKNOWN
    return is_right, operation.value if is_held else value


def kv(value: Value, operation: Operation) -> tuple[bool, Value]:
    """One key of a store that can append and delete as well; what is not there is empty."""
    if operation.function is Function.APPEND:
        return True, (value or b"") + (operation.value or b"")
    if operation.function is Function.DELETE:
        return True, None
    return cas_register(value, operation)


def kv_of_strings(value: Value, operation: Operation) -> tuple[bool, Value]:
    """The same for formats in which what is not there is the empty string."""
    is_right, after = kv(value, operation)
    return is_right, b"" if after is None else after


@dataclass(frozen=True, slots=True)
class Model:
    """A name that a person types, and the functions that it knows."""

    name: str
    functions: frozenset[Function]
    step: Callable[[Value, Operation], tuple[bool, Value]]


_READS = frozenset({Function.GET, Function.READ, Function.PUT, Function.WRITE})

MODELS: Final[Mapping[str, Model]] = {
    each.name: each
    for each in (
        Model("register", _READS, register),
        Model("cas-register", _READS | {Function.CAS}, cas_register),
        Model("kv", frozenset(Function), kv),
    )
}
"""From the narrowest to the widest; each one allows what those before it do, and no more."""


def model_for(history: History) -> Model:
    """The narrowest model that knows every function of a history."""
    used = {each.function for each in history.operations}
    return next(model for model in MODELS.values() if used <= model.functions)


def step_of(model: Model, history: History) -> Step:
    """The step for a key of this history."""
    step = model.step
    if step is kv and history.absent is not None:
        step = kv_of_strings

    def typed(state: State, operation: Operation) -> tuple[bool, State]:
        assert state is None or isinstance(state, bytes), "a key's state is its value"
        return step(state, operation)

    return typed


def whole(step: Step, places: Iterable[Place]) -> Step:
    """The step for all keys at once: the state is the tuple of their values, in this order."""
    positions = {place: position for position, place in enumerate(places)}

    def stepped(state: State, operation: Operation) -> tuple[bool, State]:
        assert isinstance(state, tuple), "the state of all keys is a tuple"
        position = positions[operation.place]
        is_right, after = step(state[position], operation)
        if not is_right or after == state[position]:
            return is_right, state
        return True, (*state[:position], after, *state[position + 1 :])

    return stepped
