"""What a leader does not compact while a follower takes a snapshot, and for how long."""

from walctl.cluster.holding_back import HOLD_ELECTIONS, HeldBack
from walctl.raft.inflights import Inflights
from walctl.raft.progress import Progress

ELECTION_TICKS = 2
HOLD_TICKS = HOLD_ELECTIONS * ELECTION_TICKS
COMMITTED = 100


def at(match: int) -> dict[int, Progress]:
    """What the leader knows of node 2."""
    return {2: Progress(match=match, next_index=match + 1, inflights=Inflights(count_max=8))}


def held(index: int = 10) -> HeldBack:
    """A snapshot of `index` is on its way to node 2."""
    back = HeldBack(ELECTION_TICKS)
    back.sent(2, index)
    return back


def test_nothing_is_held_where_nobody_was_sent_a_snapshot() -> None:
    assert HeldBack(ELECTION_TICKS).floor(50, at(0)) == 50


def test_what_stands_behind_a_snapshot_that_is_on_its_way_stays() -> None:
    back = held()
    assert back.floor(50, at(0)) == 10
    assert back.floor(7, at(0)) == 7
    assert back.floor(50, at(30)) == 30
    assert back.floor(50, at(60)) == 50


def test_who_does_not_come_nearer_holds_nothing_in_the_end() -> None:
    back = held()
    for _ in range(HOLD_TICKS):
        back.tick(COMMITTED, at(0))
    assert back.floor(50, at(0)) == 10
    back.tick(COMMITTED, at(0))
    assert back.floor(50, at(0)) == 50


def test_who_comes_nearer_holds_for_as_long_though_nothing_is_compacted_meanwhile() -> None:
    back = held()
    for match in range(11, 15):
        for _ in range(HOLD_TICKS):
            back.tick(COMMITTED, at(match))
    assert back.floor(50, at(14)) == 14


def test_who_has_all_that_is_committed_or_is_no_member_any_more_holds_nothing() -> None:
    for progress in (at(COMMITTED), {}):
        back = held()
        back.tick(COMMITTED, progress)
        assert back.floor(50, at(0)) == 50


def test_who_does_not_lead_holds_nothing() -> None:
    assert held().floor(50, {}) == 50
