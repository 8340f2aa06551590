"""The keys of a map in order, kept while they come and go; imports nothing of ours.

Blocks of ascending keys, each below the next one's first. A new key goes into its place in one
block, so that neither a range nor a snapshot has to sort a million keys, and nothing takes long at
one time: what sorts the keys of a map that is there already does it by blocks too.
"""

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator
from typing import Final

BLOCK_KEYS: Final = 1024
"""So many keys a block begins with; it is halved at twice as many."""
_SAMPLES_A_BLOCK: Final = 8


class KeyOrder:
    """Keys in ascending order; each is there once."""

    def __init__(self, keys: Collection[bytes] = ()) -> None:
        self._blocks = _sorted_blocks(keys)
        self._firsts = [block[0] for block in self._blocks]

    def add(self, key: bytes) -> None:
        """A key that is not there yet."""
        if not self._blocks:
            self._blocks, self._firsts = [[key]], [key]
            return
        at = max(bisect_right(self._firsts, key) - 1, 0)
        block = self._blocks[at]
        insort(block, key)
        self._firsts[at] = block[0]
        if len(block) >= 2 * BLOCK_KEYS:
            upper = block[BLOCK_KEYS:]
            del block[BLOCK_KEYS:]
            self._blocks.insert(at + 1, upper)
            self._firsts.insert(at + 1, upper[0])

    def discard(self, key: bytes) -> None:
        """A key that is there goes."""
        at = bisect_right(self._firsts, key) - 1
        block = self._blocks[at]
        position = bisect_left(block, key)
        assert block[position] == key, "it is there"
        del block[position]
        if block:
            self._firsts[at] = block[0]
        else:
            del self._blocks[at], self._firsts[at]

    def from_key(self, key: bytes) -> Iterator[bytes]:
        """The keys from `key` on; while it is used, none may come or go."""
        start = max(bisect_right(self._firsts, key) - 1, 0)
        for at in range(start, len(self._blocks)):
            block = self._blocks[at]
            yield from block[bisect_left(block, key) :] if at == start else block

    def blocks(self) -> list[list[bytes]]:
        """All keys, in blocks that are the caller's own."""
        return [block.copy() for block in self._blocks]


def _sorted_blocks(keys: Collection[bytes]) -> list[list[bytes]]:
    """The keys in blocks; more of them than a block has are first put where they belong."""
    if len(keys) <= BLOCK_KEYS:
        return [sorted(keys)] if keys else []
    # Every so-manieth key of the map, sorted, says where blocks should begin.
    step = max(BLOCK_KEYS // _SAMPLES_A_BLOCK, 1)
    samples = sorted(itertools.islice(keys, 0, None, step))[_SAMPLES_A_BLOCK::_SAMPLES_A_BLOCK]
    blocks: list[list[bytes]] = [[] for _ in range(len(samples) + 1)]
    for key in keys:
        blocks[bisect_right(samples, key)].append(key)
    return list(_halved(sorted(block) for block in blocks if block))


def _halved(blocks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """The same blocks, none longer than one may become."""
    for block in blocks:
        for start in range(0, len(block), BLOCK_KEYS):
            yield block[start : start + BLOCK_KEYS]
