"""What may not happen while all is calm, and snapshots that never come to an end."""

from walctl.checker.liveness import Calm, CatchingUp

SECOND = 1_000_000


def test_so_many_elections_in_a_minute_are_a_storm() -> None:
    calm = Calm(3)
    for term in (2, 3, 3, 4):  # two candidates of a term are one election
        assert calm.campaigned("n1", term, now_us=term * SECOND) is None
    found = calm.campaigned("n2", 5, now_us=61 * SECOND)
    assert found is not None
    assert found.id == "L4"
    assert found.nodes == ("n2",)


def test_elections_that_are_a_minute_apart_are_none() -> None:
    calm = Calm(1)
    assert calm.campaigned("n1", 2, now_us=0) is None
    assert calm.campaigned("n1", 3, now_us=60 * SECOND) is None
    assert calm.campaigned("n1", 4, now_us=62 * SECOND) is not None


def test_snapshots_without_an_entry_between_them_are_a_loop() -> None:
    catching_up = CatchingUp(2)
    assert catching_up.sent("n3", 10, now_us=1) is None
    assert catching_up.sent("n3", 20, now_us=2) is None
    found = catching_up.sent("n3", 30, now_us=3)
    assert found is not None
    assert found.id == "L5"
    assert found.witnesses == ("they were of 20, 30",)
