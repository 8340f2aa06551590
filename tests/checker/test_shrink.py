"""Bad histories made small."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.checker.brute import FUNCTIONS, histories, is_linearizable
from walctl.checker.history import Function, History
from walctl.checker.linearizable import Verdict, check
from walctl.checker.models import MODELS
from walctl.checker.shrink import closed, needs_of, shrunk

CAS = (Function.READ, Function.WRITE, Function.CAS)


@given(histories(FUNCTIONS) | histories(CAS), st.integers(0, 255))
def test_what_may_be_left_out_leaves_a_good_history_good(history: History, some: int) -> None:
    telling = tuple(each for each in history.operations if each.is_telling)
    if not is_linearizable(history, MODELS["kv"]):
        return
    kept = closed(some & ((1 << len(telling)) - 1), needs_of(telling, None))
    rest = tuple(each for at, each in enumerate(telling) if kept >> at & 1)
    assert is_linearizable(replace(history, operations=rest), MODELS["kv"])


@given(histories(CAS, count_max=8))
def test_a_small_history_is_bad_and_part_of_the_whole(history: History) -> None:
    judgement = check(history)
    for judged in judgement.bad:
        small = shrunk(judgement, judged)
        assert small.verdict is Verdict.NOT_LINEARIZABLE
        assert set(small.part.operations) <= set(history.operations)
        assert small.stuck in small.part.operations
        rest = History(small.part.operations)
        assert not is_linearizable(rest, judgement.model)
