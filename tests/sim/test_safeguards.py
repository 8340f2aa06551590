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
FIRST = {
    "one-vote-a-term": (3, "I7"),
    "up-to-date-candidates": (3, "I9"),
    "own-term-commits": (15, "I14"),
    "learners-do-not-count": (54, "I10"),
    "votes-are-stored": (0, "I8"),
    "terms-are-stored": (0, "I8"),
    "majorities-commit": (1, "I8"),
    "majorities-elect": (0, "I1"),
    "commit-before-apply": (0, "I6"),
    "log-matching": (0, "I8"),
    "only-conflicts-truncate": (7, "I2"),
    "lower-terms-are-past": (0, "I6"),
    "heartbeats-up-to-match": (0, "I6"),
    "one-change-at-a-time": (54, "I11"),
    "promises-after-writing": (0, "I6"),
    "reads-are-confirmed": (43, "I15"),
    "snapshots-only-forward": (17, "I6"),
    "older-changes-first": (54, "I11"),
    "own-term-before-reads": (11, "I15"),
    "votes-are-synced": (0, "I8"),
    "entries-are-synced": (0, "I8"),
    "directories-are-synced": (0, "I8"),
    "saving-before-sending": (0, "I8"),
    "a-failed-sync-is-the-end": (8, "I8"),
    "snapshot-files-are-synced": (3, "I14"),
    "acknowledged-when-committed": (0, "I8"),
    "answers-by-term": (2, "I9"),
    "leases-end": (24, "I15"),
    "snapshots-replace-state": (3, "I13"),
    "torn-ends-are-cut": (78, "I14"),
    "members-know-their-snapshot": (14, "L5"),
    "a-failed-write-is-the-end": (33, "I8"),
}
"""The first swarm seed without each safeguard, and what it breaks; `make bench` finds them anew."""
NEVER = {
    "reject-hints": "costs round trips alone",
    "stable-by-term": "a member writes before it goes on; scripts with writes beside it miss it",
    "both-halves-elect": "an election has to fall into the round trip in which a group is joint",
}
"""Those that no run has missed, and why; tests of the core miss each of them."""


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
