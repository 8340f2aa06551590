"""Finding the log again behind damage: the next frame at which a checksum chain goes on.

A candidate is any place, aligned or not, where a canonical frame stands whose record etcd could
have written. It counts when its checksum continues a known one, or when the frame behind it
continues its own: two records that fit by chance are one in 2^32. A single frame at the very end
of the log has no successor; it counts only if nothing better is found, and stays unverified.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import crc32c

from formats import walpb
from formats.errors import FormatError
from formats.frame import LENGTH_FIELD_BYTES, join_length, split_length
from formats.limits import (
    CHAIN_FRAMES_MAX,
    FLIP_SEARCHES_MAX,
    RECORD_BYTES_MAX,
    RESYNC_BYTES_MAX,
    WINDOW_BYTES,
)
from formats.walpb import RecordType
from walctl.fs.base import File
from walctl.model.record import Check, Entry, HardState, Unknown
from walctl.wal.kernel import Head
from walctl.wal.records import TYPE_NAMES, lift

_RECORD_HEAD = re.compile(rb"\x08[\x01-\x05]\x10")
_FRAME_HEAD = re.compile(rb"(?<=[\x00-\x08]\0\0\0[\0\x81-\x87])\x08[\x01-\x05]\x10")
"""A record's head behind the upper bytes of a length field: all that a search has to stop at."""
assert RECORD_BYTES_MAX < 9 << 24
_OVERLAP_BYTES = 16
SEARCH_BYTES = 1 << 14
"""What a search reads first; then twice as much each time, up to a window."""
FRAME_COST_BYTES = 4096
"""What taking one frame apart is charged, besides its bytes: many small ones cost time too."""
REFUTED_BYTES_MAX = 2 << 20
"""How far behind a chain one that refutes it is looked for: etcd's values have 1.5 MiB at most,
unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """Where the log goes on, the checksum in front of that record if known, and how sure it is."""

    offset: int
    seed: int | None
    check: Check


class Budget:
    """What searches may still cost: bytes to read and checksum, and wrong bits to look for.

    One for each segment, because damage must not cost unbounded time.
    """

    def __init__(self, left: int = RESYNC_BYTES_MAX, flips: int = FLIP_SEARCHES_MAX) -> None:
        self.left = left
        self.flips = flips

    def spend_flip(self) -> bool:
        """Take one search for a wrong bit; false when there have been too many."""
        self.flips -= 1
        return self.flips >= 0

    @property
    def is_spent(self) -> bool:
        """Whether something was not read because it would have cost too much."""
        return self.left < 0

    def spend(self, count: int) -> bool:
        """Take `count` bytes; false when they are not there any more."""
        self.left -= count
        return self.left >= 0


def frame_at(file: File, offset: int, size: int, budget: Budget | None = None) -> Head | None:
    """The canonical frame at `offset` of a file of `size` bytes, if any; no checksum is judged.

    With a `budget` there is none where that does not reach.
    """
    word = int.from_bytes(file.read_at(offset, LENGTH_FIELD_BYTES), "little")
    length = split_length(word)
    stop = offset + LENGTH_FIELD_BYTES + length.record_bytes + length.padding_bytes
    if word == 0 or stop > size or length.record_bytes > RECORD_BYTES_MAX:
        return None
    if word != join_length(length.record_bytes):
        return None
    head = file.read_at(offset + LENGTH_FIELD_BYTES, 3)
    if _RECORD_HEAD.fullmatch(head) is None:
        return None
    if budget is not None and not budget.spend(length.record_bytes + FRAME_COST_BYTES):
        return None
    body = file.read_at(offset + LENGTH_FIELD_BYTES, length.record_bytes + length.padding_bytes)
    return parse_frame(body, offset, length.record_bytes, stop)


def parse_frame(body: bytes, offset: int, record_bytes: int, stop: int) -> Head | None:
    """A frame whose record is `body[:record_bytes]` and whose padding is the rest, if it is one."""
    if any(body[record_bytes:]) or len(body) != stop - offset - LENGTH_FIELD_BYTES:
        return None
    try:
        record = walpb.RECORD.parse(body[:record_bytes])
    except FormatError:
        return None
    if record.unknown or record.crc is None or record.type not in TYPE_NAMES:
        return None
    return Head(
        start=offset,
        stop=stop,
        raw_type=record.type,
        stored=record.crc,
        payload=record.data,
        payload_start=offset + LENGTH_FIELD_BYTES + record_bytes - len(record.data or b""),
    )


def continues(head: Head, seed: int | None) -> bool:
    """Whether the record's checksum is `seed` run on over its data."""
    return seed is not None and crc32c.crc32c(head.payload or b"", seed) == head.stored


def candidates(file: File, start: int, size: int, budget: Budget) -> Iterator[Head]:
    """Every canonical frame from `start` on, ascending by offset, at any alignment.

    Reads little at first and more as it goes on, so that a frame nearby costs what is in front of
    it and not a whole window. Where the `budget` ends, so does the search.
    """
    step_bytes = SEARCH_BYTES
    for low, high in file.data_ranges(start, size):
        base = max(start, low - _OVERLAP_BYTES)
        while base < high:
            step = min(step_bytes, high - base)
            step_bytes = min(2 * step_bytes, WINDOW_BYTES)
            chunk = file.read_at(base, step + _OVERLAP_BYTES)
            if not budget.spend(len(chunk)):
                return
            for found in _FRAME_HEAD.finditer(chunk):
                offset = base + found.start() - LENGTH_FIELD_BYTES
                if offset < base or found.start() >= step + LENGTH_FIELD_BYTES:
                    continue
                head = frame_at(file, offset, size, budget)
                if head is not None:
                    yield head
            base += step


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Frames that continue each other: where they begin and end, and their first and last entry.

    `first` and `last` are `None` without entries. `is_ended` says that the log ends behind them,
    or that there are more of them than are followed.
    """

    start: int
    stop: int
    first: Entry | None
    last: Entry | None
    state_term: int | None
    is_ended: bool

    def goes_back(self, last_index: int, last_term: int) -> bool:
        """Whether it says less than the log before: no log of the same member goes on so."""
        if self.first is not None:
            return self.first.index <= last_index and self.first.term <= last_term
        return self.state_term is not None and self.state_term < last_term

    def is_refuted_by(self, later: "Chain") -> bool:
        """Whether this and `later`, further on, cannot both be the log, and this is the worse."""
        if self.last is None or later.first is None or self.first is None:
            return False
        if not later.goes_back(self.last.index, self.last.term):
            return False
        return later.is_ended or later.first.index < self.first.index


def resume(
    file: File,
    start: int,
    size: int,
    *,
    seeds: tuple[int, ...],
    budget: Budget,
    last_index: int = 0,
    last_term: int = 0,
) -> Resumption | None:
    """The first frame behind the damage at `start` where the log goes on; `None` if there is none.

    `seeds` are checksums that the next record may continue: the last one that was good, and what
    the damaged record stores. A frame that none of them vouches for is believed where one can be
    expected, a multiple of 8 behind `start`; elsewhere only if there is no such frame in the file,
    for a value may hold a log of its own. So do chains of frames that go back behind the last
    entry in front (`last_index`, `last_term`), and a segment's head, with what continues it,
    unless the damage is at the very start. Of the others the first is the log, unless it ends
    inside the file and a later one refutes it.
    """
    inner_stop = 0
    best: Chain | None = None
    astray: int | None = None
    last_resort: int | None = None
    for head in candidates(file, start + 1, size, budget):
        if head.start < inner_stop:
            continue
        if best is not None and head.start > best.stop + REFUTED_BYTES_MAX:
            break
        for seed in seeds:
            if continues(head, seed):
                return Resumption(offset=head.start, seed=seed, check=Check.VERIFIED)
        behind = frame_at(file, head.stop, size, budget)
        if behind is None and last_resort is None and _ends_the_log(file, head, size):
            last_resort = head.start
        if behind is None or not continues(behind, head.stored):
            continue
        chain = _follow(file, head, size, budget)
        inner_stop = chain.stop
        is_foreign = head.raw_type == RecordType.CRC and start > 0
        is_aside = (head.start - start) % LENGTH_FIELD_BYTES != 0
        if is_foreign or is_aside or chain.goes_back(last_index, last_term):
            astray = head.start if astray is None else astray
            continue
        if best is not None and not best.is_refuted_by(chain):
            break
        best = chain
        if chain.is_ended:
            break
    return _choose(best.start if best is not None else astray, last_resort)


def _choose(implied: int | None, last_resort: int | None) -> Resumption | None:
    """What was found, with how sure it is."""
    if implied is not None:
        return Resumption(offset=implied, seed=None, check=Check.IMPLIED)
    if last_resort is not None:
        return Resumption(offset=last_resort, seed=None, check=Check.UNVERIFIABLE)
    return None


def _follow(file: File, head: Head, size: int, budget: Budget) -> Chain:
    """The frames that continue each other from `head` on, as far as is looked."""
    start = head.start
    first: Entry | None = None
    last: Entry | None = None
    state_term: int | None = None
    behind: Head | None = head
    for _ in range(CHAIN_FRAMES_MAX):
        head = behind or head
        match lift(head.raw_type, head.payload, head.stored):
            case Entry() as entry:
                first, last = first or entry, entry
            case HardState(term=term) if state_term is None:
                state_term = term
            case _:
                pass
        behind = frame_at(file, head.stop, size, budget)
        if behind is None or not continues(behind, head.stored):
            behind = None
            break
    is_ended = behind is not None or not any(file.read_at(head.stop, LENGTH_FIELD_BYTES))
    return Chain(
        start=start,
        stop=head.stop,
        first=first,
        last=last,
        state_term=state_term,
        is_ended=is_ended,
    )


def _ends_the_log(file: File, head: Head, size: int) -> bool:
    """Whether nothing but the end follows a frame, and its payload is what its type says."""
    follows = file.read_at(head.stop, LENGTH_FIELD_BYTES)
    if head.stop < size and any(follows):
        return False
    value = lift(head.raw_type, head.payload, head.stored)
    kinds = (RecordType.ENTRY, RecordType.STATE, RecordType.SNAPSHOT)
    return head.raw_type in kinds and not isinstance(value, Unknown)
