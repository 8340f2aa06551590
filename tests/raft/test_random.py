"""Random clusters under loss, repetition, reordering, crashes and membership changes stay safe."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.raft.world import Hostile

DEEDS = st.lists(st.integers(0, (1 << 16) - 1), min_size=20, max_size=300)
WISHES = st.fixed_dictionaries(
    {"pre_vote": st.booleans(), "check_quorum": st.booleans()},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([1, 2, 3, 5]), WISHES, DEEDS)
def test_no_deed_of_the_world_breaks_safety(
    count: int, wishes: dict[str, bool], deeds: list[int]
) -> None:
    Hostile(count, **wishes).run(deeds)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([1, 2, 3, 4, 5]), WISHES, DEEDS)
def test_ten_thousand_worlds_stay_safe(
    count: int, wishes: dict[str, bool], deeds: list[int]
) -> None:
    Hostile(count, **wishes).run(deeds)


def test_the_world_gets_something_done() -> None:
    """A world in which nothing is ever agreed on would prove nothing."""
    world = Hostile(3)
    numbers, state = [], 12345
    for _ in range(6000):
        state = (state * 1103515245 + 12345) % (1 << 31)
        numbers.append(state >> 8 & 0xFFFF)
    world.run([each for each in numbers if each % 16 != 7])
    assert len(world.history.applied) > 20
    assert len(world.history.leaders) > 3
