"""Each shortcut, against the definition it spares us."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checker.brute import CHANGES, REGISTER, histories, is_linearizable
from walctl.checker.history import Fate, Function, History, Operation, Value, numbered
from walctl.checker.linearizable import Verdict, Way, check
from walctl.checker.models import MODELS, model_for, step_of
from walctl.checker.parts import part_of
from walctl.checker.shortcuts import by_indexes, by_zones, unwritten

KEY = [("", b"k")]


@given(histories() | histories(REGISTER))
def test_a_read_of_what_nobody_wrote_has_no_order(history: History) -> None:
    if unwritten(part_of(history.operations, KEY), None) is not None:
        assert not is_linearizable(history, MODELS["kv"])


@given(histories(REGISTER, is_unique=True, count_max=8) | histories(CHANGES, is_unique=True))
def test_zones_say_what_the_definition_says_or_nothing(history: History) -> None:
    found = by_zones(part_of(history.operations, KEY), None)
    if found is not None:
        assert found == is_linearizable(history, MODELS["kv"])


@given(histories(REGISTER, is_unique=True, count_max=8))
def test_zones_always_tell_of_a_register_with_each_value_written_once(history: History) -> None:
    assert by_zones(part_of(history.operations, KEY), None) is not None


@given(histories(has_indexes=True) | histories(REGISTER, has_indexes=True))
def test_an_order_by_indexes_is_one(history: History) -> None:
    part = part_of(history.operations, KEY)
    model = model_for(history)
    order = by_indexes(part, step_of(model, history), None, None)
    if order is not None:
        assert is_linearizable(history, model)
        sure = {at for at, each in enumerate(part.operations) if each.fate is not Fate.UNKNOWN}
        assert sure <= set(order)


@given(histories() | histories(REGISTER, is_unique=True) | histories(has_indexes=True))
def test_with_all_shortcuts_the_verdict_is_that_of_the_search(history: History) -> None:
    assert check(history).verdict == check(history, has_shortcuts=False).verdict


Wish = tuple[Function, int, int, bool]
WISHES = st.lists(
    st.tuples(
        st.sampled_from([Function.PUT, Function.GET, Function.DELETE, Function.APPEND]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=30,
)


def played(wishes: list[Wish]) -> History:
    """What a correct store answers: each takes effect at ten times its place, and names its index.

    Some writes lose their answer.
    """
    state: Value = None
    index = 0
    found = []
    for at, (function, before, behind, is_lost) in enumerate(wishes, 1):
        value = b"v%d" % at if function in (Function.PUT, Function.APPEND) else None
        index += not function.is_read
        fate = Fate.UNKNOWN if is_lost and function is Function.PUT else Fate.OK
        asked = Operation(
            number=0,
            client=str(at),
            function=function,
            key=b"k",
            call=10 * at - 10 * before,
            end=None if fate is Fate.UNKNOWN else 10 * at + 10 * behind,
            fate=fate,
            value=value,
            output=state if function.is_read else None,
            index=index if fate is Fate.OK else None,
        )
        _, state = MODELS["kv"].step(state, asked)
        found.append(asked)
    return History(numbered(found))


@given(WISHES)
def test_what_a_correct_store_answers_with_indexes_needs_no_search(wishes: list[Wish]) -> None:
    history = played([each for each in wishes if not each[3]])
    judgement = check(history)
    assert judgement.verdict in (Verdict.LINEARIZABLE, Verdict.NO_OPERATIONS)
    assert all(each.way is Way.INDEXES for each in judgement.keys)
    assert judgement.steps == 0


@given(WISHES)
def test_what_a_correct_store_answers_is_linearizable_though_answers_are_lost(
    wishes: list[Wish],
) -> None:
    history = played(wishes)
    assert check(history).verdict is not Verdict.NOT_LINEARIZABLE
    bare = replace(
        history, operations=tuple(replace(each, index=None) for each in history.operations)
    )
    assert check(bare).verdict is not Verdict.NOT_LINEARIZABLE


def test_a_put_that_was_lost_is_placed_where_a_read_needs_it() -> None:
    asked = [(Function.PUT, 0, 0, True), (Function.GET, 0, 0, False), (Function.PUT, 0, 0, False)]
    (judged,) = check(played(asked)).keys
    assert judged.way is Way.INDEXES
    assert [each.number for each in judged.order] == [0, 1, 2]


@pytest.mark.parametrize(
    ("function", "expected", "value"),
    [(Function.CAS, b"v1", b"lost"), (Function.DELETE, None, None), (Function.PUT, None, b"lost")],
)
def test_any_write_that_was_lost_is_placed_where_a_read_needs_it(
    function: Function, expected: Value, value: Value
) -> None:
    sure = played([(Function.PUT, 0, 0, False), (Function.GET, 0, 0, False)]).operations
    lost = replace(
        sure[0], function=function, call=15, end=None, fate=Fate.UNKNOWN, expected=expected,
        value=value, index=None,
    )  # fmt: skip
    (judged,) = check(History(numbered([sure[0], lost, replace(sure[1], output=value)]))).keys
    assert (judged.verdict, judged.way) == (Verdict.LINEARIZABLE, Way.INDEXES)
    assert [each.function for each in judged.order] == [Function.PUT, function, Function.GET]


def test_thousands_of_unique_puts_and_gets_are_decided_without_a_search() -> None:
    asked = [(Function.PUT if at % 3 else Function.GET, 3, 3, False) for at in range(20_000)]
    history = played(asked)
    bare = History(tuple(replace(each, index=None) for each in history.operations))
    (judged,) = check(bare).keys
    assert (judged.verdict, judged.way, judged.steps) == (Verdict.LINEARIZABLE, Way.ZONES, 0)
