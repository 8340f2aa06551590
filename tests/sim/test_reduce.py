"""Delta debugging on made-up failures."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from walctl.sim.reduce import reduced

ITEMS_MAX = 40


def culprits() -> st.SearchStrategy[list[frozenset[int]]]:
    """Any of these sets has to be there as a whole."""
    one = st.frozensets(st.integers(0, ITEMS_MAX - 1), max_size=6)
    return st.lists(one, min_size=1, max_size=4)


class Asked:
    """Fails where one of `sets` is among the items; counts how often it is asked."""

    def __init__(self, sets: list[frozenset[int]]) -> None:
        self.sets = sets
        self.count = 0

    def __call__(self, items: tuple[int, ...]) -> bool:
        self.count += 1
        return any(each <= frozenset(items) for each in self.sets)


@given(culprits(), st.integers(0, ITEMS_MAX))
def test_what_is_left_fails_and_nothing_of_it_can_be_left_out(
    sets: list[frozenset[int]], extra: int
) -> None:
    items = tuple(range(ITEMS_MAX - extra)) if extra else tuple(range(ITEMS_MAX))
    asked = Asked(sets)
    if not asked(items):
        return
    asked.count = 0
    found = reduced(items, asked)
    assert asked.count <= len(items) ** 2 + 2 * len(items) + 1
    assert list(found) == sorted(found)
    assert asked(found)
    for at in range(len(found)):
        assert not asked((*found[:at], *found[at + 1 :]))


@given(st.integers(0, 1 << 32), st.integers(1, 3))
def test_whatever_fails_it_ends_within_its_bound(salt: int, often: int) -> None:
    asked = 0

    def fails(items: tuple[int, ...]) -> bool:
        """As if by chance, and more does not fail where less does."""
        nonlocal asked
        asked += 1
        return crc32(repr((salt, items)).encode()) % 4 < often

    items = tuple(range(12))
    found = reduced(items, fails)
    assert asked <= len(items) ** 2 + 2 * len(items) + 1
    assert found == items or fails(found)
    for at in range(len(found)):
        smaller = (*found[:at], *found[at + 1 :])
        assert not smaller or not fails(smaller)


@given(st.integers(0, 999), st.integers(0, 999))
def test_a_needle_or_two_in_a_thousand_take_few_runs(first: int, second: int) -> None:
    asked = Asked([frozenset({first, second})])
    assert set(reduced(range(1000), asked)) == {first, second}
    assert asked.count <= 100


def test_of_nothing_and_of_what_always_fails_nothing_is_left() -> None:
    assert reduced((), lambda items: False) == ()
    assert reduced((1, 2, 3), lambda items: True) == ()
