"""Fewer items that still fail: delta debugging, for whatever can be left out.

Chunks are left out, halves first, then smaller ones down to single items, as long as what is left
still fails; the last items first, for what came late is seldom what it hangs on. What comes out
fails, and without any single one of its items it does not: it is 1-minimal.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002 (only the
half of it that tries complements: the other half, chunks alone, hardly ever fails here).
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def reduced(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """As few of `items`, in their order, as still fail; that all of them do is taken for granted.

    `fails` is asked at most n² + 2n + 1 times for n items, mostly about k·log(n/k) for k that stay.
    """
    kept = tuple(items)
    if not kept or fails(()):
        return ()
    size = max(1, len(kept) // 2)
    while True:
        before = len(kept)
        kept = _without_chunks(kept, size, fails)
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, min(size // 2, len(kept) // 2))


def _without_chunks(
    kept: tuple[T, ...], size: int, fails: Callable[[tuple[T, ...]], bool]
) -> tuple[T, ...]:
    """Each chunk of `size` left out once, from the end on."""
    stop = len(kept)
    while stop > 0:
        start = max(0, stop - size)
        smaller = (*kept[:start], *kept[stop:])
        # That nothing at all does not fail is known already.
        if smaller and fails(smaller):
            kept = smaller
        stop = start
    return kept
