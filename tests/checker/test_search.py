"""The search, against the definition tried in the plainest way; and its slices and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checker.brute import REGISTER, histories, is_linearizable
from walctl.checker.history import Function, History
from walctl.checker.linearizable import Limits, Verdict, Way, check
from walctl.checker.models import MODELS, State, model_for, step_of
from walctl.checker.parts import split
from walctl.checker.search import Search

CAS = (Function.READ, Function.WRITE, Function.CAS)


def searched(history: History, *, slice_steps: int = 1_000_000) -> bool:
    """What the search alone says of a history of one key."""
    for part in split(history):
        search = Search(part, step_of(model_for(history), history), history.absent)
        while search.found is None:
            search.run(slice_steps)
        if not search.found:
            return False
    return True


@pytest.mark.parametrize("functions", [REGISTER, CAS, tuple(Function)], ids=["r", "cas", "kv"])
@given(data=st.data())
def test_the_search_says_what_the_definition_says(
    functions: tuple[Function, ...], data: st.DataObject
) -> None:
    history = data.draw(histories(functions))
    assert searched(history) == is_linearizable(history, model_for(history))


@given(histories(CAS), st.integers(1, 7))
def test_slices_change_nothing(history: History, slice_steps: int) -> None:
    assert searched(history, slice_steps=slice_steps) == searched(history)


@given(histories(CAS))
def test_what_is_called_the_longest_order_is_right_and_the_stuck_one_is_not_in_it(
    history: History,
) -> None:
    judgement = check(history, has_shortcuts=False)
    step = step_of(judgement.model, history)
    for judged in judgement.keys:
        state: State = history.absent
        for each in judged.order:
            is_right, after = step(state, each)
            assert is_right
            state = after
        later = list(judged.order)
        while later:
            first = later.pop(0)
            assert all(each.end is None or each.end >= first.call for each in later)
        is_bad = judged.verdict is Verdict.NOT_LINEARIZABLE
        assert (judged.stuck is not None) == is_bad
        if is_bad:
            assert judged.stuck not in judged.order
            assert judged.state == state


@given(histories(CAS))
def test_a_wider_model_says_the_same(history: History) -> None:
    verdicts = {check(history, model=MODELS[name]).verdict for name in ("cas-register", "kv")}
    assert len(verdicts) == 1


@given(histories(tuple(Function)))
def test_all_keys_as_one_are_judged_as_each_by_itself(history: History) -> None:
    from dataclasses import replace

    moved = tuple(replace(each, key=b"k%d" % (each.number % 2)) for each in history.operations)
    two = History(moved)
    assert check(two).verdict == check(two, is_divided=False, has_shortcuts=False).verdict


@given(histories(CAS, count_max=8), st.integers(1, 30))
def test_a_limit_makes_a_verdict_unknown_and_never_wrong(history: History, steps: int) -> None:
    verdict = check(history, has_shortcuts=False, limits=Limits(steps=steps)).verdict
    assert verdict in (check(history).verdict, Verdict.UNKNOWN)


def test_a_deadline_that_has_passed_leaves_every_key_undecided() -> None:
    history = two_writes()
    judgement = check(history, limits=Limits(is_over=lambda: True))
    assert judgement.verdict is Verdict.UNKNOWN
    assert [each.way for each in judgement.keys] == [Way.TIME]


def two_writes() -> History:
    from walctl.checker.recognise import history_of

    return history_of(
        b"INFO  jepsen.util - 0 :invoke :write 1\n"
        b"INFO  jepsen.util - 0 :ok :write 1\n"
        b"INFO  jepsen.util - 1 :invoke :read nil\n"
        b"INFO  jepsen.util - 1 :ok :read 1\n"
    )


def test_no_operations_are_a_verdict_of_their_own() -> None:
    assert check(History(())).verdict is Verdict.NO_OPERATIONS


@given(histories(CAS, has_indexes=True))
def test_an_order_by_the_log_is_an_order_and_has_the_log_s(history: History) -> None:
    judgement = check(history, is_ordered=True)
    if judgement.verdict is Verdict.LINEARIZABLE:
        assert check(history).verdict is Verdict.LINEARIZABLE
        for judged in judgement.keys:
            writes = [each for each in judged.order if each.function is Function.WRITE]
            indexes = [each.index for each in writes if each.index is not None]
            assert indexes == sorted(indexes)
