"""Every protection is missed: by runs from seeds, or by a scenario that is about it."""

from pathlib import Path

import pytest

from walctl.cluster.shipped import read, shipped
from walctl.fs.real import RealFileSystem
from walctl.sim.planning import SimWish
from walctl.sim.run import run_seed
from walctl.sim.safeguards import BY_NAME, SAFEGUARDS

SEEDS_MAX = 500
SWARM_US = 10_000_000
FIRST: dict[str, tuple[int, str]] = {}
"""The first swarm seed without each safeguard, and what it breaks; `make bench` finds them anew."""
NEVER = {
    "reject-hints": "costs round trips alone",
}
"""Those that no run can miss, and why."""


def in_scenarios() -> dict[str, str]:
    """Which scenario has a run without which safeguard."""
    disk = RealFileSystem()
    found: dict[str, str] = {}
    for name in shipped(disk):
        for broken in read(disk, name, Path(name)).story.broken:
            found.setdefault(broken.safeguard, name)
    return found


def test_each_is_missed_somewhere_or_it_is_said_why_not() -> None:
    scenarios = in_scenarios()
    unseen = [each for each in BY_NAME if each not in FIRST and each not in scenarios]
    assert sorted(unseen) == sorted(NEVER)
    assert set(FIRST) | set(scenarios) | set(NEVER) == set(BY_NAME)


@pytest.mark.parametrize("name", FIRST)
def test_a_swarm_misses_it(name: str) -> None:
    seed, promise = FIRST[name]
    wish = SimWish(seed=seed, is_swarm=True, time_us=SWARM_US)
    violation = run_seed(wish, [name]).violation
    assert violation is not None
    assert violation.id == promise
    assert promise in BY_NAME[name].breaks


def test_enough_of_them_are_missed_by_swarms() -> None:
    assert len(FIRST) >= 22
    assert all(seed < SEEDS_MAX for seed, _ in FIRST.values())
    assert {each.name for each in SAFEGUARDS} >= set(FIRST)
