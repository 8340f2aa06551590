"""What has to happen once faults are over, and what may not while all is calm."""

import pytest

from walctl.checker.liveness import Calm, CatchingUp, converged, led, probed

SECOND = 1_000_000


@pytest.mark.parametrize("led_us", [6 * SECOND, 15 * SECOND])
def test_a_leader_within_ten_election_timeouts_is_soon_enough(led_us: int) -> None:
    assert led(healed_us=5 * SECOND, election_us=SECOND, led_us=led_us, now_us=99 * SECOND) is None


def test_nobody_need_lead_yet() -> None:
    assert led(healed_us=5 * SECOND, election_us=SECOND, led_us=None, now_us=15 * SECOND) is None


@pytest.mark.parametrize("led_us", [None, 15 * SECOND + 1])
def test_a_leader_that_comes_too_late_or_never(led_us: int | None) -> None:
    found = led(healed_us=5 * SECOND, election_us=SECOND, led_us=led_us, now_us=16 * SECOND)
    assert found is not None
    assert found.id == "L1"
    assert "faults were over" in found.witnesses[0]


def test_members_that_are_alike_have_converged() -> None:
    assert converged({"n1": (7, "a"), "n2": (7, "a")}, now_us=1) is None
    assert converged({}, now_us=1) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [((6, "b"), "members do not all have applied as much: n3 at 6; n1 and n2 at 7"),
     ((7, "b"), "have the same state")],
)  # fmt: skip
def test_members_that_are_not_alike(other: tuple[int, str], words: str) -> None:
    found = converged({"n1": (7, "a"), "n2": (7, "a"), "n3": other}, now_us=1)
    assert found is not None
    assert found.id == "L2"
    assert words in found.words


@pytest.mark.parametrize("acked_us", [None, 31])
def test_a_probe_that_is_acknowledged_too_late_or_never(acked_us: int | None) -> None:
    assert probed(asked_us=10, bound_us=20, acked_us=30, now_us=99) is None
    assert probed(asked_us=10, bound_us=20, acked_us=None, now_us=30) is None
    found = probed(asked_us=10, bound_us=20, acked_us=acked_us, now_us=31)
    assert found is not None
    assert found.id == "L3"


def test_so_many_elections_in_a_minute_are_a_storm() -> None:
    calm = Calm(3)
    for term in (2, 3, 3, 4):  # two candidates of a term are one election
        assert calm.campaigned("n1", term, now_us=term * SECOND) is None
    found = calm.campaigned("n2", 5, now_us=61 * SECOND)
    assert found is not None
    assert found.id == "L4"
    assert found.nodes == ("n2",)


def test_elections_that_are_a_minute_apart_or_due_to_a_fault_are_none() -> None:
    calm = Calm(1)
    assert calm.campaigned("n1", 2, now_us=0) is None
    assert calm.campaigned("n1", 3, now_us=60 * SECOND) is None
    calm.disturb()
    assert calm.campaigned("n1", 4, now_us=61 * SECOND) is None
    assert calm.campaigned("n1", 5, now_us=62 * SECOND) is not None


def test_snapshots_without_an_entry_between_them_are_a_loop() -> None:
    catching_up = CatchingUp(2)
    assert catching_up.sent("n3", 10, now_us=1) is None
    assert catching_up.sent("n3", 20, now_us=2) is None
    assert catching_up.sent("n2", 20, now_us=2) is None
    found = catching_up.sent("n3", 30, now_us=3)
    assert found is not None
    assert found.id == "L5"
    assert found.witnesses == ("they were of 20, 30",)


def test_a_follower_that_takes_entries_or_was_hit_by_a_fault_has_begun_anew() -> None:
    catching_up = CatchingUp(1)
    assert catching_up.sent("n3", 10, now_us=1) is None
    catching_up.appended("n3")
    assert catching_up.sent("n3", 20, now_us=2) is None
    catching_up.disturb("n3")
    assert catching_up.sent("n3", 30, now_us=3) is None
