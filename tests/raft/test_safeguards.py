"""Every protection that has a name is missed by some test as soon as it is gone.

Each one is taken away, and the rules of the paper and the thesis are run again, and then hostile
worlds; one of them has to notice. A rule that can be taken away unnoticed is not tested.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import pytest

from tests.raft import test_paper, test_thesis, test_unstable
from tests.raft.world import Hostile
from walctl.raft.errors import RaftError, RaftPanic
from walctl.sim.safeguard import Safeguard
from walctl.sim.safeguards_raft import OF_RAFT as SAFEGUARDS

WORLDS = 40


def rules(module: ModuleType) -> Iterator[Callable[[], None]]:
    """Every test of a module, once for each of its cases."""
    for name, function in vars(module).items():
        if not name.startswith("test_") or not inspect.isfunction(function):
            continue
        marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
        tables = [list(cases(mark)) for mark in marks]
        for chosen in itertools.product(*tables):
            arguments = {key: value for case in chosen for key, value in case.items()}
            yield partial(function, **arguments)


def cases(mark: pytest.Mark) -> Iterator[dict[str, object]]:
    names, values = mark.args
    keys = [names] if isinstance(names, str) else list(names)
    for value in values:
        row = [value] if isinstance(names, str) else value
        yield dict(zip(keys, row, strict=True))


def worlds() -> Iterator[Callable[[], None]]:
    """Hostile worlds whose deeds are always the same."""
    state = 2463534242
    for number in range(WORLDS):
        deeds = []
        for _ in range(400):
            state = (state ^ state << 13) & 0xFFFFFFFF
            state ^= state >> 17
            state = (state ^ state << 5) & 0xFFFFFFFF
            deeds.append(state >> 7 & 0xFFFF)
        yield partial(Hostile(2 + number % 4).run, deeds)


def is_noticed(rule: Callable[[], None]) -> bool:
    try:
        rule()
    # A broken Raft breaks in any way, and each is as good a sign as an assertion of ours.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RaftError, TypeError):
        return True
    except (ValueError, RaftPanic, pytest.fail.Exception):
        return True
    return False


def everything() -> Iterator[Callable[[], None]]:
    yield from rules(test_paper)
    yield from rules(test_thesis)
    yield from rules(test_unstable)
    yield from worlds()


def test_with_all_of_them_nothing_is_noticed() -> None:
    assert not any(map(is_noticed, everything()))


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len(SAFEGUARDS) >= 15
    assert len({each.name for each in SAFEGUARDS}) == len(SAFEGUARDS)


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda each: each.name)
def test_a_protection_that_is_gone_is_missed(safeguard: Safeguard) -> None:
    with safeguard.removed():
        assert any(map(is_noticed, everything())), safeguard.words
    assert vars(safeguard.owner)[safeguard.attribute] is not safeguard.without
