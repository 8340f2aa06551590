"""Whoever is a member of a group has a place in it."""

import pytest

from walctl.checker.places import Places
from walctl.checker.violation import Violated


@pytest.fixture
def places() -> Places:
    """Group g2 on n1, n2 and n3."""
    made = Places(now_us=lambda: 1_000_000, name_of=lambda member: f"n{member}")
    made.placed("g2", [1, 2, 3])
    made.configured("g2", 3, [1, 2, 3])
    return made


def test_a_place_is_given_before_it_is_taken_and_given_up_after_it_was_left(places: Places) -> None:
    places.placed("g2", [1, 2, 3, 4])
    places.configured("g2", 7, [1, 2, 3, 4])
    places.configured("g2", 9, [2, 3, 4])
    places.configured("g2", 3, [1, 2, 3])  # one that lags tells what is past
    places.placed("g2", [2, 3, 4])


def test_a_member_without_a_place_is_seen_whichever_comes_first(places: Places) -> None:
    with pytest.raises(Violated, match="I16 one owner: n1 is a member of g2, and has no place"):
        places.placed("g2", [2, 3, 4])
    with pytest.raises(Violated, match="n5 is a member of g2") as caught:
        places.configured("g2", 9, [2, 3, 4, 5])
    assert caught.value.violation.witnesses == (
        "t=1.000000 s: the lab's file gives it to n2, n3, n4",
        "its members are n2, n3, n4, n5 since entry 9",
    )


def test_a_group_that_is_no_more_has_no_places(places: Places) -> None:
    places.dropped("g2")
    places.configured("g2", 9, [5])


def test_where_no_file_is_nobody_has_to_be_in_it() -> None:
    places = Places(now_us=lambda: 0, name_of=str)
    places.configured("g1", 9, [5])
