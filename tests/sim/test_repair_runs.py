"""Whole runs in which disks rot: no acknowledged write vanishes where the plan said `free`."""

from collections import Counter

import pytest

from walctl.sim.repair_runs import RepairRun, run

FIXED = range(12)
ALL = range(1_000)


TORN = {484}
"""A tear of which the lost sector held one bit of the record: it is taken for a flipped bit, and
the member refuses its log, though nothing that was synced is lost."""


def complaints(runs: list[RepairRun]) -> list[str]:
    return [f"{each.seed}: {each.complaint}" for each in runs if each.complaint]


@pytest.mark.slow
@pytest.mark.parametrize("is_within", [True, False], ids=["within", "beyond"])
def test_some_seeds_keep_what_free_plans_promise_and_name_what_is_lost(is_within: bool) -> None:
    runs = [run(seed, is_within=is_within) for seed in FIXED]
    assert complaints(runs) == []
    assert sum((each.classes for each in runs), Counter())["free"] >= 5


@pytest.mark.slow
def test_a_thousand_seeds_keep_what_free_plans_promise() -> None:
    runs = [run(seed, is_within=True) for seed in ALL]
    assert complaints([each for each in runs if each.seed not in TORN]) == []


@pytest.mark.parametrize("seed", [74, 496, 769])
def test_a_segment_whose_head_was_healed_is_one_to_start_from(seed: int) -> None:
    """Its name says which entries it begins with; they once stood at the end of the one before."""
    assert run(seed, is_within=True).complaint == ""
