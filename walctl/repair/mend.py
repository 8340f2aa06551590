"""The bytes that put one damaged record right, where all of it is known.

Three kinds: one wrong bit anywhere; a wrong type, where the payload and its place in the log leave
one; a wrong checksum, where the next record goes on from what the data gives.
"""

from formats.frame import LENGTH_FIELD_BYTES
from formats.walpb import RecordType
from walctl.model.record import Entry, HardState
from walctl.repair.pieces import chained_frame
from walctl.repair.plan import WAL, Change
from walctl.repair.stamps import Sources
from walctl.wal.forensics import Named
from walctl.wal.kernel import Halt
from walctl.wal.records import name_of
from walctl.wal.scan import GoesOn

TYPE_OFFSET = LENGTH_FIELD_BYTES + 1
"""Where a record's type stands in its frame: behind the length field and its own tag."""


def mend(sources: Sources, named: Named) -> Change | None:
    """The change that puts a record right; `None` where what is known of it does not give one."""
    damage = named.damage
    if not named.is_mended:
        return None
    file = sources(f"{WAL}/{damage.segment}")
    if damage.flip is not None:
        offset = damage.flip.offset
        was = file.read_at(offset, 1)
        return Change(offset=offset, was=was, now=bytes([was[0] ^ 1 << damage.flip.bit]))
    if damage.halt is Halt.TYPE:
        offset = damage.start + TYPE_OFFSET
        return Change(offset=offset, was=file.read_at(offset, 1), now=bytes([_kind_of(named)]))
    head, computed = damage.head, damage.computed
    if damage.goes_on is not GoesOn.COMPUTED or head is None or computed is None:
        return None
    if head.raw_type is None:
        return None
    was = file.read_at(head.start, head.stop - head.start)
    now = chained_frame(RecordType(head.raw_type), head.payload, computed)
    return _narrowed(head.start, was, now) if len(now) == len(was) and now != was else None


def mend_words(change: Change, named: Named) -> str:
    """What a change does, for a person."""
    damage = named.damage
    what = name_of(damage.recovered) if damage.recovered is not None else "record"
    if damage.flip is not None:
        return f"byte {change.offset}: one bit put back ({damage.flip.where} of the {what} record)"
    if damage.halt is Halt.TYPE:
        return f"byte {change.offset}: the type put right (the payload is {what})"
    return f"byte {change.offset}: the checksum put right that the next record goes on from"


def _kind_of(named: Named) -> RecordType:
    """The type of the record that a damaged one is known to be."""
    match named.damage.recovered:
        case Entry():
            return RecordType.ENTRY
        case HardState():
            return RecordType.STATE
        case _:
            return RecordType.SNAPSHOT


def _narrowed(offset: int, was: bytes, now: bytes) -> Change:
    """The change without the bytes at both ends that stay."""
    differ = [place for place, (old, new) in enumerate(zip(was, now, strict=True)) if old != new]
    start, stop = differ[0], differ[-1] + 1
    return Change(offset=offset + start, was=was[start:stop], now=now[start:stop])
