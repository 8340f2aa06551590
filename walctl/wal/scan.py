"""Frames of one segment from its first byte to its last, past whatever damage there is.

Physical order, total, never raises for bytes: `scan` yields batches of whole frames, a `Damage`
wherever bytes are no frame or a checksum does not fit, and at last the `End`. What the damage is
called is for `forensics`; what etcd would make of it, for `owner`.

How it goes on after damage:

* A payload that does not fit its type, or a wrong checksum in an otherwise whole frame: with the
  next frame. That one tells whether the data or the checksum field is wrong, because it continues
  either what the record stores or what its data gives.
* A frame whose head becomes whole when one bit is put back: behind that frame.
* Anything else: where `resync` finds that a chain goes on.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from formats.frame import LENGTH_FIELD_BYTES, SECTOR_BYTES
from formats.limits import DAMAGES_MAX, WINDOW_BYTES
from formats.walpb import RecordType
from walctl.fs.base import File
from walctl.model.batch import Batch
from walctl.model.record import Check, Entry, HardState, Record, SnapshotMark, Unknown
from walctl.wal.flip import Flip, computed_crc, flip_in_data, flip_in_head, flip_in_type
from walctl.wal.kernel import Cursor, Halt, Head, Kernel
from walctl.wal.records import lift, readings
from walctl.wal.resync import Budget, continues, frame_at, resume
from walctl.wal.window import Window, first_nonzero, last_nonzero

_ZEROS = re.compile(rb"\0{%d,}" % SECTOR_BYTES)
_SPENT = (
    "No record stands here, and the search for the next one would cost too much: not all was read"
)


class GoesOn(enum.StrEnum):
    """By what the log is known to go on behind damage."""

    STORED = "stored"
    """The log goes on right behind the damaged frame, from the checksum that it stores or, with
    its wrong bit put back, should store; whether the next record continues that is seen there."""
    COMPUTED = "computed"
    """The next record continues what the damaged one's data gives: only its checksum is wrong."""
    FOUND = "found"
    """A frame further on, found by search."""
    NOT = "not"
    """Nothing readable follows in this segment."""


RELOADS_MAX = 1000
"""Times that a scan reads a place again because a server wrote there meanwhile."""
MOVED_BYTES = 1 << 16
"""Bytes of a place that are compared with what was read of it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes `[start, stop)` of a segment that are no whole, fitting frame.

    `stop` is where the log goes on; without that, behind the last byte that is not zero. `seed` is
    the checksum in front (`None`: unknown), `head` the frame where one stands, `computed` what its
    data gives. `flip` is the one bit that explains it; `recovered` what the record was, if known.
    `check` is what is known of the damaged record, `resumed` of the first one behind it. `zeros`
    is the longest run of zero bytes within, half-open, `None` when shorter than a sector; at a
    length field of zero it is the run that begins there. `fits` are the other types that the
    payload of a whole record fits.
    """

    segment: str
    start: int
    stop: int
    halt: Halt
    goes_on: GoesOn
    words: str = ""
    seed: int | None = None
    head: Head | None = None
    computed: int | None = None
    flip: Flip | None = None
    recovered: Record | None = None
    recovered_head: Head | None = None
    check: Check = Check.FAILED
    resumed: Check = Check.VERIFIED
    zeros: tuple[int, int] | None = None
    fits: tuple[RecordType, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a segment's frames: `offset` behind the last one, the file's `size` then.

    `shrunk` is set when the file turned out shorter than it was at the start.
    """

    segment: str
    offset: int
    size: int
    shrunk: bool = False


def scan(
    file: File,
    *,
    segment: str,
    seed: int | None = None,
    window_bytes: int = WINDOW_BYTES,
    cursor: Cursor | None = None,
) -> Iterator[Batch | Damage | End]:
    """Yield what `segment` holds, in file order; the last item is its `End`.

    `seed` is the checksum at the end of the segment before (`None`: trust this one's head). Never
    raises, whatever the bytes are; an `AccessError` of the disk passes through.
    """
    size = file.stat().size
    window = Window(file, size=size, window_bytes=window_bytes)
    cursor = cursor or Cursor(running=seed)
    kernel = Kernel(segment, window, cursor)
    budget = Budget()
    count = reloads = 0
    window.load(cursor.position)
    while True:
        batch, halt = kernel.read()
        if batch.offsets:
            yield batch
        if halt is Halt.WINDOW:
            window.load(cursor.position)
            continue
        if halt is Halt.ZERO and _is_end(window, cursor.position):
            break
        if reloads < RELOADS_MAX and _has_moved(window, cursor.position):
            reloads += 1
            window.load(cursor.position)
            continue
        damage = _examine(kernel, halt, budget)
        if damage is None:
            break
        count += 1
        if count == DAMAGES_MAX:
            damage = _given_up(damage, window)
            cursor.position = damage.start
        yield damage
        if damage.goes_on is GoesOn.NOT:
            break
        if not window.holds(cursor.position, cursor.position + LENGTH_FIELD_BYTES):
            window.load(cursor.position)
    yield End(segment=segment, offset=cursor.position, size=window.size, shrunk=window.size < size)


def _has_moved(window: Window, offset: int) -> bool:
    """Whether a server has written at `offset` since the window was read.

    Asked after looking at what lies behind: a log is written in order, so where something is
    behind, and the place itself is as it was, the place was passed over.
    """
    stop = min(window.stop, offset + MOVED_BYTES)
    return window.file.read_at(offset, stop - offset) != window.bytes_at(offset, stop)


def _examine(kernel: Kernel, halt: Halt, budget: Budget) -> Damage | None:
    """The damage at which the kernel halted, with the cursor moved to where the log goes on.

    `None` when it is the clean end. Where nothing follows, the cursor stays at the damage.
    """
    if halt is Halt.END:
        return None
    if halt is Halt.TYPE and kernel.head is not None:
        return _type_damage(kernel, kernel.head)
    if halt is Halt.CRC and kernel.head is not None:
        found = _crc_damage(kernel, kernel.head, budget)
        if found is not None:
            return found
    return _frame_damage(kernel, halt, budget)


def _given_up(damage: Damage, window: Window) -> Damage:
    """The last damage of a segment that has too much of it: all the rest belongs to it."""
    last = last_nonzero(window.file, damage.start, window.size)
    words = f"{DAMAGES_MAX:,} damaged places came before; the rest of the segment was not read"
    return Damage(
        segment=damage.segment,
        start=damage.start,
        stop=window.size if last is None else last + 1,
        halt=Halt.GIVEN_UP,
        goes_on=GoesOn.NOT,
        words=words,
        seed=damage.seed,
    )


def _type_damage(kernel: Kernel, head: Head) -> Damage:
    """A frame whose checksum fits, but whose payload does not fit its type: skip it."""
    window, cursor = kernel.window, kernel.cursor
    value = lift(head.raw_type, head.payload, head.stored)
    others = readings(head.payload, but_not=head.raw_type)
    fits = [record for record in others.values() if _is_next(record, cursor)]
    recovered = fits[0] if len(fits) == 1 else None
    flip = flip_in_type(window.file, head.start, window.size, cursor.running)
    if recovered is None and flip is not None:
        recovered = _recovered(flip)
    elif flip is not None and _recovered(flip) != recovered:
        flip = None  # the log at this place knows better
    damage = Damage(
        segment=kernel.segment,
        start=head.start,
        stop=head.stop,
        halt=Halt.TYPE,
        goes_on=GoesOn.STORED,
        words=value.reason if isinstance(value, Unknown) else "fits another type better",
        seed=cursor.running,
        head=head,
        flip=flip,
        recovered=recovered,
        recovered_head=head if recovered is not None else None,
        check=Check.VERIFIED if cursor.running is not None else Check.UNVERIFIABLE,
        fits=tuple(others),
    )
    _move(kernel, head.stop, head.stored, recovered)
    return damage


def _move(kernel: Kernel, position: int, running: int | None, recovered: Record | None) -> None:
    """Go on behind a damaged frame, knowing what its record was if that is known."""
    cursor = kernel.cursor
    cursor.position = position
    cursor.running = running
    match recovered:
        case Entry(index=index, term=term):
            cursor.last_index, cursor.last_term = index, term
        case SnapshotMark(index=index):
            cursor.last_index = max(cursor.last_index, index)
        case None:
            cursor.last_index = 0  # an entry may have been there
        case _:
            pass


def _is_next(record: Record, cursor: Cursor) -> bool:
    """Whether an entry or marker has the index that comes next; true of records without one."""
    match record:
        case Entry(index=index) | SnapshotMark(index=index):
            return index == cursor.last_index + 1
        case _:
            return True


def _may_follow(record: Record | None, cursor: Cursor) -> bool:
    """Whether a record may stand at the cursor: no term goes back, and no index is left out."""
    match record:
        case Entry(index=index, term=term):
            is_near = cursor.last_index == 0 or index <= cursor.last_index + 1
            return term >= cursor.last_term and is_near
        case HardState(term=term):
            return cursor.last_state is None or term >= cursor.last_state.term
        case None:
            return False
        case _:
            return True


def _crc_damage(kernel: Kernel, head: Head, budget: Budget) -> Damage | None:
    """A whole frame with a checksum that does not fit, when the next frame stands behind it."""
    window, cursor = kernel.window, kernel.cursor
    seed = cursor.running or 0
    computed = computed_crc(head, seed)
    behind = frame_at(window.file, head.stop, window.size)
    if behind is None and not _is_end(window, head.stop):
        return None
    if behind is None:
        goes_on = GoesOn.STORED
    elif continues(behind, computed) and not continues(behind, head.stored):
        goes_on = GoesOn.COMPUTED
    else:
        goes_on = GoesOn.STORED
    searches = budget.spend_flip()
    flip = None
    if searches:
        flip = flip_in_head(window.file, head.start, window.size, seed, budget)
    zeros = longest_zeros(window, head.start, head.stop)
    if searches and goes_on is GoesOn.STORED and zeros is None:
        in_data = flip_in_data(head, computed)
        if not _may_follow(_recovered(in_data), cursor):
            in_data = None
        if flip is None or behind is not None:
            flip = in_data or flip
        elif in_data is not None:
            flip = None  # the last record of the log: either bit explains it, so neither is known
    if behind is None and flip is None:
        return None
    recovered = _recovered(flip)
    recovered_head = flip.head if flip is not None else None
    if recovered is None and goes_on is GoesOn.COMPUTED:
        value = lift(head.raw_type, head.payload, head.stored)
        if not isinstance(value, Unknown):
            recovered, recovered_head = value, head
    damage = Damage(
        segment=kernel.segment,
        start=head.start,
        stop=head.stop,
        halt=Halt.CRC,
        goes_on=goes_on,
        seed=cursor.running,
        head=head,
        computed=computed,
        flip=flip,
        recovered=recovered,
        recovered_head=recovered_head,
        zeros=zeros,
    )
    running = computed if goes_on is GoesOn.COMPUTED else head.stored
    if flip is not None:
        # With a wrong bit in the head, what was read for the checksum is not what was written.
        running = flip.head.stored
    _move(kernel, head.stop, running, recovered)
    return damage


def _is_end(window: Window, offset: int) -> bool:
    """Whether nothing but zeros, or nothing at all, stands from `offset` on."""
    return first_nonzero(window.file, offset, window.size) is None


def _recovered(flip: Flip | None) -> Record | None:
    """What a record says once its wrong bit is put back."""
    if flip is None:
        return None
    value = lift(flip.head.raw_type, flip.head.payload, flip.head.stored)
    return None if isinstance(value, Unknown) else value


def _frame_damage(kernel: Kernel, halt: Halt, budget: Budget) -> Damage:
    """Bytes that are no frame: put one bit of the head back, else search for the next frame."""
    window, cursor = kernel.window, kernel.cursor
    start, seed = cursor.position, cursor.running
    head = kernel.head if halt is Halt.CRC else None
    flip = None
    if halt is not Halt.SHORT and budget.spend_flip():
        flip = flip_in_head(window.file, start, window.size, seed, budget)
    if flip is not None:
        recovered = _recovered(flip)
        damage = Damage(
            segment=kernel.segment,
            start=start,
            stop=flip.head.stop,
            halt=halt,
            goes_on=GoesOn.STORED,
            words=kernel.words,
            seed=seed,
            head=head,
            flip=flip,
            recovered=recovered,
            recovered_head=flip.head,
        )
        _move(kernel, flip.head.stop, flip.head.stored, recovered)
        return damage
    stored = head.stored if head is not None else None
    seeds = tuple({value for value in (seed, stored) if value is not None})
    found = resume(
        window.file,
        start,
        window.size,
        seeds=seeds,
        budget=budget,
        last_index=cursor.last_index,
        last_term=cursor.last_term,
    )
    stop = found.offset if found is not None else window.size
    words = kernel.words
    if found is None:
        last = last_nonzero(window.file, start, window.size)
        stop = window.size if last is None or halt is Halt.SHORT else last + 1
        if budget.is_spent:
            halt, words = Halt.GIVEN_UP, _SPENT
    damage = Damage(
        segment=kernel.segment,
        start=start,
        stop=stop,
        halt=halt,
        goes_on=GoesOn.FOUND if found is not None else GoesOn.NOT,
        words=words,
        seed=seed,
        head=head,
        computed=None if head is None or seed is None else computed_crc(head, seed),
        resumed=found.check if found is not None else Check.UNVERIFIABLE,
        zeros=_zeros_at(window, start) if halt is Halt.ZERO else longest_zeros(window, start, stop),
    )
    if found is not None:
        _move(kernel, found.offset, found.seed, None)
    return damage


def _zeros_at(window: Window, start: int) -> tuple[int, int]:
    """The run of zero bytes that begins at `start`."""
    first = first_nonzero(window.file, start, window.size)
    return start, window.size if first is None else first


def longest_zeros(window: Window, start: int, stop: int) -> tuple[int, int] | None:
    """The longest run of zero bytes within `[start, stop)`, if it is as long as a sector.

    Looks at the first window of it only: what a person is shown, not what is decided on.
    """
    data = window.file.read_at(start, min(stop - start, WINDOW_BYTES))
    spans = [found.span() for found in _ZEROS.finditer(data)]
    if not spans:
        return None
    low, high = max(spans, key=lambda span: span[1] - span[0])
    return start + low, start + high
