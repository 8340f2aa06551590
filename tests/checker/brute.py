"""The definition of linearizability, tried in the plainest way, and small histories for it."""

from collections.abc import Sequence

from hypothesis import strategies as st

from walctl.checker.history import Fate, Function, History, Operation, Value, numbered
from walctl.checker.models import Model, State, Step, step_of


def has_order(operations: Sequence[Operation], step: Step, state: State) -> bool:
    """Whether some order of all that is certain, with any of what is not, is right."""
    if all(each.fate is Fate.UNKNOWN for each in operations):
        return True
    ends = [each.end for each in operations if each.end is not None]
    for each in operations:
        if any(end < each.call for end in ends):
            continue  # somebody ended before it began, and is still to be placed
        is_right, after = step(state, each)
        rest = [other for other in operations if other is not each]
        if is_right and has_order(rest, step, after):
            return True
    return False


def is_linearizable(history: History, model: Model) -> bool:
    """The verdict, of histories of a few operations on one key."""
    telling = [each for each in history.operations if each.is_telling]
    return has_order(telling, step_of(model, history), history.absent)


VALUES = st.sampled_from([b"", b"1", b"2"])
OPTIONAL = st.none() | VALUES
FUNCTIONS = (Function.GET, Function.PUT, Function.CAS, Function.DELETE, Function.APPEND)
REGISTER = (Function.READ, Function.READ, Function.WRITE)
CHANGES = (Function.GET, Function.GET, Function.PUT, Function.DELETE)


@st.composite
def operations(
    draw: st.DrawFn,
    functions: Sequence[Function] = FUNCTIONS,
    *,
    is_unique: bool = False,
    has_indexes: bool = False,
) -> Operation:
    """One operation on the one key; what it saw is as likely wrong as right."""
    function = draw(st.sampled_from(functions))
    call = draw(st.integers(0, 12))
    fate = draw(st.sampled_from([Fate.OK, Fate.OK, Fate.OK, Fate.UNKNOWN, Fate.FAIL]))
    value: Value = None
    if not function.is_read and function is not Function.DELETE:
        value = str(draw(st.integers(1, 5))).encode() if is_unique else draw(VALUES)
    output: Value = None
    if function.is_read and fate is Fate.OK:
        output = draw(st.none() | st.integers(1, 5).map(lambda n: str(n).encode()))
        if not is_unique:
            output = draw(OPTIONAL | st.just(b"12") | st.just(b"21"))
    index = draw(st.integers(1, 6)) if has_indexes and fate is not Fate.UNKNOWN else None
    return Operation(
        number=0,
        client="c",
        function=function,
        key=b"k",
        call=call,
        end=None if fate is Fate.UNKNOWN else call + draw(st.integers(0, 5)),
        fate=fate,
        value=value,
        expected=draw(OPTIONAL) if function is Function.CAS else None,
        output=output,
        is_mismatch=fate is Fate.FAIL and function is Function.CAS,
        index=index,
    )


def histories(
    functions: Sequence[Function] = FUNCTIONS,
    *,
    is_unique: bool = False,
    has_indexes: bool = False,
    count_max: int = 6,
) -> st.SearchStrategy[History]:
    """Up to so many operations; with `is_unique` no value is written twice."""
    each = operations(functions, is_unique=is_unique, has_indexes=has_indexes)
    made = st.lists(each, max_size=count_max)
    if is_unique:
        made = st.lists(each, max_size=count_max).map(_once)
    return made.map(lambda found: History(numbered(found)))


def _once(found: list[Operation]) -> list[Operation]:
    """The same without what writes a value again."""
    seen: set[Value] = set()
    kept = []
    for each in found:
        if each.function.is_read or each.function is Function.DELETE or each.value not in seen:
            kept.append(each)
            if not each.function.is_read:
                seen.add(each.value)
    return kept
