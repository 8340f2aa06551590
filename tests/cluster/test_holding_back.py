"""Entries that wait for a follower to which a snapshot is on its way."""

import pytest

from walctl.cluster.holding_back import HOLD_ELECTIONS, HeldBack
from walctl.raft.inflights import Inflights
from walctl.raft.progress import Progress

TICKS = 10


def at(match: int) -> dict[int, Progress]:
    """A follower, number 3, that has entries up to here."""
    inflights = Inflights(count_max=256)
    return {3: Progress(match=match, next_index=match + 1, inflights=inflights)}


@pytest.fixture
def held() -> HeldBack:
    """Follower 3 was sent a snapshot of 50."""
    made = HeldBack(TICKS)
    made.sent(3, 50)
    return made


def test_what_is_behind_a_snapshot_that_is_on_its_way_stays() -> None:
    held = HeldBack(TICKS)
    assert held.floor(80, at(0)) == 80
    held.sent(3, 50)
    assert held.floor(80, at(0)) == 50
    assert held.floor(40, at(0)) == 40


def test_as_it_comes_nearer_less_is_kept_and_once_it_has_enough_nothing(held: HeldBack) -> None:
    assert held.floor(80, at(60)) == 60
    assert held.floor(80, at(80)) == 80
    assert held.floor(90, at(80)) == 90, "it is forgotten"


def test_one_that_has_all_is_forgotten_though_nobody_compacts(held: HeldBack) -> None:
    held.tick(70, at(70))
    assert held.floor(90, at(70)) == 90


def test_who_does_not_lead_and_who_is_no_member_holds_nothing(held: HeldBack) -> None:
    assert held.floor(80, {}) == 80
    assert held.floor(80, at(0)) == 80


def test_one_that_comes_no_nearer_is_given_up_after_a_while(held: HeldBack) -> None:
    for _ in range(HOLD_ELECTIONS * TICKS):
        held.tick(90, at(0))
        assert held.floor(80, at(0)) == 50
    held.tick(90, at(0))
    assert held.floor(80, at(0)) == 80
