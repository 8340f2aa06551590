"""The words of a healing: which entries come from whom."""

import pytest

from walctl.repair.heal import Filled
from walctl.repair.healing import range_words


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(5, 9, "entries 5–9 from peer1"), (770, 770, "entry 770 from peer1")],
)
def test_one_entry_is_no_range(first: int, last: int, words: str) -> None:
    assert range_words(Filled(first=first, last=last, peer="peer1")) == words
