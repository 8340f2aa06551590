"""Keys in order: held to a sorted list, whatever comes and goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.machine import keyorder
from walctl.machine.keyorder import KeyOrder

KEYS = st.binary(max_size=2)


@given(st.sets(KEYS), st.lists(KEYS), KEYS, st.integers(1, 4))
def test_keys_that_come_and_go_stay_in_order(
    keys: set[bytes], turned: list[bytes], start: bytes, size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyorder, "BLOCK_KEYS", size)
        patch.setattr(keyorder, "_SAMPLES_A_BLOCK", 1)
        order, there = KeyOrder(keys), set(keys)
        for key in turned:
            if key in there:
                order.discard(key)
                there.discard(key)
            else:
                order.add(key)
                there.add(key)
            blocks = order.blocks()
            assert [each for block in blocks for each in block] == sorted(there)
            assert all(0 < len(block) < 2 * size + 1 for block in blocks)
    assert list(order.from_key(start)) == [each for each in sorted(there) if each >= start]


def test_blocks_are_the_caller_s_own() -> None:
    order = KeyOrder([b"b", b"a"])
    order.blocks()[0].clear()
    assert order.blocks() == [[b"a", b"b"]]


def test_many_keys_are_sorted_by_blocks() -> None:
    keys = [b"%d" % (each * 7919 % 10_007) for each in range(10_007)]
    blocks = KeyOrder(keys).blocks()
    assert [each for block in blocks for each in block] == sorted(keys)
    assert max(map(len, blocks)) <= keyorder.BLOCK_KEYS
