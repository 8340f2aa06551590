"""Chance in the simulator: numbers that follow from a seed, the same on every machine and Python.

Every purpose and place draws from a stream of its own (`election/n1/g1`, `delay/n1->n2`, …), whose
seed is the start of SHA-256("walctl-sim-1" ‖ seed ‖ name). So one more client, or one fault less,
leaves all other draws as they were: without that nothing could be shrunk.

Of Python's generator only `random()` is asked: its sequence is promised to stay, those of the calls
above it are not. Nothing here goes through the C library's mathematics: an exponential delay comes
from a table of whole numbers. Probabilities are millionths.

The only place of this room that knows a source of chance; there is no other one.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import Final, TypeVar

from walctl.sim.quantiles import QUANTILES_PPM

PPM: Final = 1_000_000
_SALT: Final = b"walctl-sim-1"
_SEED_BYTES: Final = 8
_BELOW_MAX: Final = 1 << 53
_BITS: Final = 53

T = TypeVar("T")


class Stream:
    """One sequence of draws."""

    __slots__ = ("_next",)

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def below(self, n: int) -> int:
        """A whole number in `[0, n)`, for `n` of 1 to 2**62."""
        if n > _BELOW_MAX:
            high = int(self._next() * ((n >> _BITS) + 1))
            return ((high << _BITS) | int(self._next() * _BELOW_MAX)) % n
        return int(self._next() * n)

    def between(self, first: int, last: int) -> int:
        """A whole number in `[first, last]`."""
        return first + int(self._next() * (last - first + 1))

    def happens(self, ppm: int) -> bool:
        """Whether something of this probability, in millionths, happens."""
        return int(self._next() * PPM) < ppm

    def around(self, mean: int, spread: int) -> int:
        """A whole number of 0 on, at most `spread` away from `mean`."""
        return max(0, mean - spread + int(self._next() * (2 * spread + 1)))

    def choice(self, items: Sequence[T]) -> T:
        """One of these, of which there is one at least."""
        return items[int(self._next() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The same in another order (Fisher and Yates)."""
        left = list(items)
        for last in range(len(left) - 1, 0, -1):
            other = int(self._next() * (last + 1))
            left[last], left[other] = left[other], left[last]
        return left

    def exponential(self, mean: int) -> int:
        """A waiting time whose mean is `mean`, of 1,024 that are equally likely."""
        return mean * QUANTILES_PPM[int(self._next() * len(QUANTILES_PPM))] // PPM


class Streams:
    """All streams of one run. `seed` is of 64 bits."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._made: dict[str, Stream] = {}

    def __getitem__(self, name: str) -> Stream:
        """The stream of this name, as far as it has been drawn from."""
        stream = self._made.get(name)
        if stream is None:
            stream = self._made[name] = self.fresh(name)
        return stream

    def fresh(self, name: str) -> Stream:
        """The stream of this name from its beginning; nobody else draws from it."""
        text = b"%s%d/%s" % (_SALT, self.seed, name.encode())
        return Stream(int.from_bytes(hashlib.sha256(text).digest()[:_SEED_BYTES]))
