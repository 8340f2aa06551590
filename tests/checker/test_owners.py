"""Who owns what moves: one owner at each moment, and with it all that was acknowledged."""

import pytest

from walctl.checker.owners import Owners
from walctl.checker.violation import Violated


class Move:
    """A tablet that S owns and has writes w1 and w2 of."""

    def __init__(self) -> None:
        self.now_us = 0
        self.owners = Owners(now_us=self.now)
        self.owners.assigned("x", "S")
        for write in ("w1", "w2"):
            self.owners.accepted("x", "S", write)
            self.owners.acknowledged("x", write)

    def now(self) -> int:
        self.now_us += 1
        return self.now_us

    def moved(self) -> Owners:
        """All steps of a move, rightly."""
        self.owners.blocked("x")
        self.owners.assigned("x", "D")
        self.owners.deleted("x", "S", "S1", known_owner="D")
        self.owners.unblocked("x")
        return self.owners


def test_a_move_as_it_should_be_and_one_back() -> None:
    owners = Move().moved()
    owners.holds("x", "D", {"w1", "w2"})
    owners.holds("x", "S", set())  # it owns nothing any more
    owners.accepted("x", "D", "w3")
    owners.blocked("x")
    owners.assigned("x", "S")
    owners.deleted("x", "D", "D1", known_owner="S")
    owners.unblocked("x")
    owners.accepted("x", "S", "w4")
    owners.answered("x", "S", {"w1", "w2", "w3", "w4"}, asked_us=99)


def test_a_move_that_fails_leaves_the_owner() -> None:
    owners = Move().owners
    owners.blocked("x")
    owners.unblocked("x")
    owners.accepted("x", "S", "w3")
    owners.holds("x", "S", {"w1", "w2", "w3"})


def test_the_old_owner_accepts_a_write() -> None:
    owners = Move().moved()
    with pytest.raises(Violated, match="I16 one owner: S accepts w3 for x, which D owns") as caught:
        owners.accepted("x", "S", "w3")
    assert "D became the owner of x" in caught.value.violation.witnesses[0]


def test_two_accept_writes_before_the_move_is_decided() -> None:
    owners = Move().owners
    with pytest.raises(Violated, match="D accepts w3 for x, which S owns"):
        owners.accepted("x", "D", "w3")


def test_a_write_while_it_is_moved() -> None:
    owners = Move().owners
    owners.blocked("x")
    with pytest.raises(Violated, match="while that is being moved"):
        owners.accepted("x", "S", "w3")


def test_the_new_owner_lacks_what_was_acknowledged() -> None:
    owners = Move().moved()
    with pytest.raises(Violated, match="D owns x without w2, which a client was told of"):
        owners.holds("x", "D", {"w1"})


def test_what_was_overwritten_need_not_be_there() -> None:
    owners = Move().moved()
    owners.overwritten("x", "w2")
    owners.holds("x", "D", {"w1"})


def test_a_read_with_a_hole() -> None:
    owners = Move().moved()
    owners.answered("x", "S", set(), asked_us=0)  # nothing was acknowledged by then
    with pytest.raises(Violated, match="S answers x without w1"):
        owners.answered("x", "S", set(), asked_us=99)


def test_a_member_that_deletes_before_it_knows_the_new_owner() -> None:
    owners = Move().moved()
    with pytest.raises(Violated, match="S2 deletes x, and takes S for its owner still"):
        owners.deleted("x", "S", "S2", known_owner="S")


def test_a_member_that_deletes_what_was_never_moved() -> None:
    owners = Move().owners
    with pytest.raises(Violated, match="S1 deletes x, which S owns"):
        owners.deleted("x", "S", "S1", known_owner="D")
