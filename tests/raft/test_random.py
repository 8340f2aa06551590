"""Random clusters under loss, repetition, reordering, crashes and membership changes stay safe.

Some stand in memory, some on logs of their own, whose disks forget what was not synced, tear what
was half written, and take the node with them in the middle of a call. Some write by themselves,
some by workers, which a crash robs of all that waits.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.raft.grounds import Grounds, InMemory, OnDisk
from tests.raft.world import Hostile

DEEDS = st.lists(st.integers(0, (1 << 16) - 1), min_size=20, max_size=300)
WISHES = st.fixed_dictionaries({"pre_vote": st.booleans(), "check_quorum": st.booleans()})
KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["by itself", "by workers"])
GROUNDS = pytest.mark.parametrize("ground", [InMemory, OnDisk], ids=["in memory", "on a disk"])
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHOLE = settings(QUICK, max_examples=10_000)


@GROUNDS
@KINDS
@QUICK
@given(count=st.sampled_from([1, 2, 3, 5]), wishes=WISHES, deeds=DEEDS)
def test_no_deed_of_the_world_breaks_safety(
    ground: Grounds, is_async: bool, count: int, wishes: dict[str, Any], deeds: list[int]
) -> None:
    Hostile(count, ground, is_async=is_async, **wishes).run(deeds)


@pytest.mark.slow
@GROUNDS
@KINDS
@WHOLE
@given(count=st.sampled_from([1, 2, 3, 4, 5]), wishes=WISHES, deeds=DEEDS)
def test_ten_thousand_worlds_stay_safe(
    ground: Grounds, is_async: bool, count: int, wishes: dict[str, Any], deeds: list[int]
) -> None:
    Hostile(count, ground, is_async=is_async, **wishes).run(deeds)


@GROUNDS
@KINDS
def test_the_world_gets_something_done(ground: Grounds, is_async: bool) -> None:
    """A world in which nothing is ever agreed on would prove nothing."""
    world = Hostile(3, ground, is_async=is_async)
    numbers, state = [], 12345
    for _ in range(6000):
        state = (state * 1103515245 + 12345) % (1 << 31)
        numbers.append(state >> 8 & 0xFFFF)
    world.run([each for each in numbers if each % 16 != 7])
    assert len(world.history.applied) > 20
    assert len(world.history.leaders) > 3
