"""What the snapshot of a large map costs: a million pairs of 100 bytes, in both forms.

It is frozen, built piece by piece and read back; the longest piece tells how long others may have
to wait, since the interpreter changes threads between two steps and not within one. The peer is
Python's own json, which knows nothing of Go's escapes, of order or of bytes.
"""

import json
import random
from collections.abc import Callable
from functools import partial
from time import perf_counter

from walctl.machine.kv import Frozen, Kv

PAIRS = 1_000_000
VALUE_BYTES = 100
SEED = 7
FORMS = (("plain text", b"x"), ("escapes in each", b'"\n'), ("not all UTF-8", b"\xff"))

Row = Callable[[str, float, str], None]
"""A line of the table: a name, seconds, and what else is told."""


def map_of(tail: bytes) -> Kv:
    """A map that has grown in no order; its values end as is said."""
    dice = random.Random(SEED)
    keys = (b"/load/%016x" % dice.getrandbits(60) for _ in range(PAIRS))
    machine = Kv()
    machine.pairs.update({key: key * 4 + tail * (VALUE_BYTES // 8) for key in keys})
    return machine


def bench_map(row: Row) -> None:
    """Tell it all."""
    for name, tail in FORMS:
        machine = map_of(tail)
        row(f"1,000,000 pairs, {name}: sorted", _seconds(machine.keep_order), "once")
        row("  frozen", _seconds(machine.freeze), "")
        frozen = machine.freeze()
        row("  built", _seconds(frozen.build), _longest(frozen))
        data, other = frozen.build(), Kv()
        row("  read", _seconds(partial(other.restore, data)), f"{len(data) / 1e6:.0f} MB")
        assert other.pairs == machine.pairs
        row("  digest", _seconds(frozen.digest), "")
        if tail != b"\xff":
            pairs = {key.decode(): value.decode() for key, value in frozen.pairs.items()}
            row("  json built", _seconds(partial(json.dumps, pairs, sort_keys=True)), "peer")
            row("  json read", _seconds(partial(json.loads, data)), "peer")


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _longest(frozen: Frozen) -> str:
    """The longest that one piece took, after the first: that one follows a look at everything."""
    took, before = [], perf_counter()
    for _ in frozen.chunks():
        now = perf_counter()
        took.append(now - before)
        before = now
    return f"a piece at most {max(took[1:]) * 1000:.1f} ms"
