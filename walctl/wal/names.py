"""Names of segments: parse, format, order, gaps.

A segment is called `$seq-$index.wal`, both as 16 lower-case hex digits:

    0000000000000001-00000000000000b7.wal
    seq 1, and the next entry to be written when it was begun was 183

Only etcd's rules live here; nothing is opened. Source: etcd-data-dir notes 1.2-1.4, checked
against etcd 3.4.23 and 3.5.1.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CANONICAL = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.wal")
# What Go's Sscanf("%016x-%016x.wal") takes: up to 16 digits of either case, then anything.
_SCANF = re.compile(r"([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16})\.wal")


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """One segment's name as etcd reads it; `text` is the name in the directory."""

    text: str
    seq: int
    index: int

    @property
    def is_canonical(self) -> bool:
        """Whether it is the form that etcd writes, and not only one that it accepts."""
        return _CANONICAL.fullmatch(self.text) is not None

    @property
    def is_first(self) -> bool:
        """Whether it is, by its name, the segment that a log begins with."""
        return self.is_canonical and self.seq == 0 and self.index == 0


def parse(text: str) -> SegmentName | None:
    """The name as etcd's own parser takes it, or `None` for one that etcd passes over.

    It must end in `.wal`, and begin with what Sscanf matches; the rest is not looked at.
    """
    if not text.endswith(".wal"):
        return None
    found = _SCANF.match(text)
    if found is None:
        return None
    return SegmentName(text, int(found[1], 16), int(found[2], 16))


def format_name(*, seq: int, index: int) -> str:
    """The canonical name."""
    return f"{seq:016x}-{index:016x}.wal"


def in_order(texts: Iterable[str]) -> list[SegmentName]:
    """The segments among the names of a directory, sorted as strings, as etcd sorts them."""
    parsed = (parse(text) for text in sorted(texts))
    return [name for name in parsed if name is not None]


def is_continuous(names: Sequence[SegmentName]) -> bool:
    """etcd's own check: each seq is one above the one before, unless that one is 0.

    The exception is a hole in etcd's check, not a rule: segment 1 may be missing behind 0.
    """
    last = 0
    for name in names:
        if last != 0 and name.seq != last + 1:
            return False
        last = name.seq
    return True


def start_position(names: Sequence[SegmentName], index: int) -> int | None:
    """Position in `names` of the segment that etcd starts to read from for a snapshot at `index`.

    The last one whose name's index is at most `index`; `None` when there is none.
    """
    for position in range(len(names) - 1, -1, -1):
        if names[position].index <= index:
            return position
    return None
