"""What kind of damage it is: from scanned bytes to findings, with the evidence a person can act on.

One segment cannot tell a tear from rot; the whole log can. A tear is an unsynced last write, so
it lies in the last batch of the last segment: etcd syncs before it begins the next segment, and
one Save (entries, then a hard state) is synced before the next one is written. Whole frames of a
later Save behind the damage therefore prove that the damaged bytes had been on the disk.

Nothing is said here of what etcd does with it (`owner`), or what follows for the member.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from formats.frame import LENGTH_FIELD_BYTES
from formats.limits import RECORD_BYTES_MAX
from formats.walpb import RecordType
from walctl.fs.base import File
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.log import Run, Stretch
from walctl.model.record import Entry
from walctl.wal import names
from walctl.wal.flip import DATA_NAME, LENGTH_FIELD_NAME, TYPE_NAME, Flip
from walctl.wal.fold import Digest
from walctl.wal.kernel import Halt
from walctl.wal.records import TYPE_NAMES, name_of, type_name
from walctl.wal.scan import Damage, GoesOn
from walctl.wal.tear import is_tear

_CHANCE_MIN = 1e-6
"""A smaller chance that a wrong bit is none is not worth a sentence."""
_PAGE_BYTES = 4096
"""What disks and operating systems lose at a time, and so etcd's unit of writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Whole frames behind a damage: in its own segment, and in later ones."""

    frames: int = 0
    entries: int = 0
    batches: int = 0
    first_index: int | None = None
    last_index: int | None = None
    later_batch: bool = False
    """Whether a later Save is among them, so that the damaged bytes had been synced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A damage with its name, its neighbours in the log, and what lies behind it."""

    damage: Damage
    code: Code
    detail: str
    before: Run | None
    after: Run | None
    behind: Behind

    @property
    def is_mended(self) -> bool:
        """Whether the record itself is known, so that nothing is missing from the log."""
        return self.damage.recovered is not None

    @property
    def lost(self) -> tuple[int, int | None] | None:
        """First and last index whose text is unreadable here; the last is `None` when unknown.

        `None` when no entry is missing: the record is known, or is no entry, or the log goes on
        without a gap, or ended in front of these bytes. An unknown last is behind all entries that
        can be read, so it accounts for no gap between two of them.
        """
        if self.is_mended or self.code is Code.TRAILING_GARBAGE or not _may_be_entry(self.damage):
            return None
        name = names.parse(self.damage.segment)
        first = self.before.last + 1 if self.before else max(1, name.index if name else 1)
        if self.after is None:
            return first, None
        return (first, self.after.first - 1) if self.after.first > first else None

    def finding(self) -> Finding:
        """The finding, with a severity that knows nothing yet of snapshots and the database."""
        damage = self.damage
        head = damage.recovered_head or damage.head
        recovered = damage.recovered
        index = recovered.index if isinstance(recovered, Entry) else None
        if index is None and self.lost is not None:
            index = self.lost[0]
        harmless = self.code is Code.TRAILING_GARBAGE
        return Finding(
            code=self.code,
            severity=Severity.HARMLESS if harmless else Severity.DAMAGE,
            place=Place(
                segment=damage.segment,
                offset=damage.start,
                index=index,
                term=recovered.term if isinstance(recovered, Entry) else None,
            ),
            detail=self.detail,
            stop=head.stop if head is not None and self.is_mended else damage.stop,
        )


def _may_be_entry(damage: Damage) -> bool:
    """Whether an entry can be among the damaged bytes, for all that is known of them."""
    head = damage.head
    if head is None or head.stop < damage.stop or head.raw_type not in TYPE_NAMES:
        return True
    is_entry = head.raw_type == RecordType.ENTRY or RecordType.ENTRY in damage.fits
    return is_entry or (damage.halt is Halt.TYPE and not damage.fits)


def name_all(digests: Sequence[Digest], files: dict[str, File]) -> list[Named]:
    """Every damage of a log with its name, in the order of the log.

    `digests` are all segments in order; `files` the same, open, by name, for another look.
    """
    named = []
    for position, digest in enumerate(digests):
        for at, item in enumerate(digest.items):
            if not isinstance(item, Damage):
                continue
            before = _neighbour(digests, position, at, step=-1)
            after = _neighbour(digests, position, at, step=1)
            behind = _behind(digests, position, at)
            is_last = position == len(digests) - 1
            next_head = None if is_last else digests[position + 1].head_crc
            if _is_garbage(item, next_head, is_last=is_last):
                code = Code.TRAILING_GARBAGE
            else:
                code = _code(item, behind, is_last=is_last, file=files[digest.segment])
            named.append(
                Named(
                    damage=item,
                    code=code,
                    detail=_detail(item, code, behind, is_last=is_last),
                    before=before,
                    after=after,
                    behind=behind,
                )
            )
    return named


def _neighbour(digests: Sequence[Digest], position: int, at: int, *, step: int) -> Run | None:
    """The nearest run before (`step` -1) or behind (+1) an item, in any segment."""
    items = digests[position].items[:at] if step < 0 else digests[position].items[at + 1 :]
    rest = digests[:position] if step < 0 else digests[position + 1 :]
    ordered = [*items] if step > 0 else [*reversed(items)]
    for digest in rest if step > 0 else reversed(rest):
        ordered += digest.items if step > 0 else reversed(digest.items)
    for item in ordered:
        if isinstance(item, Stretch) and item.runs:
            return item.runs[0] if step > 0 else item.runs[-1]
    return None


def _behind(digests: Sequence[Digest], position: int, at: int) -> Behind:
    here = [item for item in digests[position].items[at + 1 :] if isinstance(item, Stretch)]
    later = [stretch for digest in digests[position + 1 :] for stretch in digest.stretches]
    found = [stretch for stretch in here + later if not stretch.is_recovered]
    runs = [run for stretch in found for run in stretch.runs]
    return Behind(
        frames=sum(stretch.frames for stretch in found),
        entries=sum(stretch.entries for stretch in found),
        batches=sum(stretch.save_batches for stretch in found),
        first_index=runs[0].first if runs else None,
        last_index=runs[-1].last if runs else None,
        later_batch=bool(later) or _holds_later_batch(here),
    )


def _holds_later_batch(stretches: Sequence[Stretch]) -> bool:
    """Whether anything of a Save stands behind a hard state of these, which ended the one before.

    Hard states count for this: one Save writes one at most.
    """
    seen_state = False
    for stretch in stretches:
        if seen_state and (stretch.runs or stretch.marks or stretch.states_count):
            return True
        if stretch.holds_later_batch():
            return True
        seen_state = seen_state or stretch.states_count > 0
    return False


def _is_garbage(damage: Damage, next_head: int | None, *, is_last: bool) -> bool:
    """Whether the log had ended in front of these bytes, so that they are nothing of its own.

    In a sealed segment the next one's head proves it: `next_head` continues the last record. In
    the last segment a page of zeros has to part them from the log: behind fewer, they may be the
    rest of a frame whose head was lost.
    """
    if damage.halt is not Halt.ZERO or damage.goes_on is GoesOn.FOUND or damage.flip is not None:
        return False
    if not is_last:
        return damage.seed is not None and damage.seed == next_head
    zeros = damage.zeros
    return zeros is not None and zeros[1] - zeros[0] >= _PAGE_BYTES


def _code(damage: Damage, behind: Behind, *, is_last: bool, file: File) -> Code:
    """The name of a damage; the reasons are in the module's docstring and in `walctl explain`."""
    raw_type = damage.head.raw_type if damage.head is not None else None
    if damage.halt is Halt.TYPE:
        return Code.TYPE_SUSPECT if damage.fits else Code.BAD_RECORD
    if damage.flip is not None and raw_type != RecordType.CRC:
        return _code_of_flip(damage)
    if damage.halt is Halt.CRC and raw_type == RecordType.CRC:
        return Code.CHAIN_BREAK
    if damage.halt in (Halt.GIVEN_UP, Halt.TOO_LONG):
        return Code.BAD_RECORD
    if is_last and not behind.later_batch and is_tear(damage, file):
        return Code.TORN_TAIL
    if damage.halt is Halt.ZERO:
        return Code.ZERO_HOLE
    if damage.zeros is not None and damage.goes_on is GoesOn.FOUND:
        return Code.ZERO_HOLE
    if damage.halt is Halt.CRC:
        return Code.CRC_MISMATCH
    is_length = damage.halt in (Halt.LENGTH, Halt.MISFIT, Halt.SHORT)
    return Code.BAD_LENGTH if is_length else Code.BAD_RECORD


def _code_of_flip(damage: Damage) -> Code:
    where = damage.flip.where if damage.flip is not None else ""
    if where == LENGTH_FIELD_NAME:
        return Code.BAD_LENGTH
    if where == TYPE_NAME:
        return Code.TYPE_SUSPECT
    return Code.CRC_MISMATCH if damage.halt is Halt.CRC else Code.BAD_RECORD


def _detail(damage: Damage, code: Code, behind: Behind, *, is_last: bool) -> str:
    """What was seen, then what lies behind it, in sentences."""
    parts = [_seen(damage, code, is_last=is_last)]
    if damage.flip is not None:
        parts.append(_flip_words(damage.flip))
    elif damage.halt is Halt.TYPE and damage.recovered is not None:
        what = name_of(damage.recovered)
        index = f" {damage.recovered.index}" if isinstance(damage.recovered, Entry) else ""
        parts.append(f"Its payload is {what}{index}, which is what the log lacks at this place.")
    parts.append(_behind_words(damage, code, behind, is_last=is_last))
    return " ".join(part for part in parts if part)


def _flip_words(flip: Flip) -> str:
    """The one wrong bit, and how likely it is that another damage only looks like it."""
    place = f"bit {flip.bit} of byte {flip.offset} ({flip.where})"
    bits = 8 * len(flip.head.payload or b"")
    if flip.where != DATA_NAME or bits <= _CHANCE_MIN * 2**32:
        return f"One bit explains it: {place}; with it put back the checksums fit."
    return (
        f"One bit would explain it: {place}; with it put back the checksums fit. Of other damage"
        f" to a record of this size, one in {round(2**32 / bits):,} looks like that by chance."
    )


def _seen(damage: Damage, code: Code, *, is_last: bool) -> str:
    size = damage.stop - damage.start
    head = damage.head
    match damage.halt:
        case Halt.CRC if head is not None:
            what = type_name(head.raw_type)
            computed = "unknown" if damage.computed is None else f"{damage.computed:08x}"
            gives = "its data gives"
            if head.raw_type == RecordType.CRC:
                gives = "the records before it give"
            text = f"The {what} record stores checksum {head.stored:08x}, {gives} {computed}."
            if damage.zeros is not None:
                low, high = damage.zeros
                text = f"{high - low:,} bytes from {low} on are zero. {text}"
            elif damage.goes_on is GoesOn.COMPUTED:
                text += " The next record continues the latter: only the stored checksum is wrong."
            return text
        case Halt.TYPE:
            raw = type_name(head.raw_type if head is not None else None)
            return f"The record says {raw}, but: {damage.words}. Types are outside the checksum."
        case Halt.ZERO if code is not Code.TRAILING_GARBAGE:
            zeros = damage.zeros
            count = zeros[1] - zeros[0] if zeros is not None else LENGTH_FIELD_BYTES
            goes_on = "the log goes on"
            if damage.goes_on is GoesOn.NOT:
                goes_on = f"bytes up to {damage.stop - 1} that are not zero stand"
            return f"{count:,} zero bytes stand where a frame should be, and {goes_on} behind."
        case Halt.ZERO:
            return (
                "Behind the zeros that end the log there are bytes that are not zero, up to"
                f" {damage.stop - 1}; no record is among them."
            )
        case Halt.GIVEN_UP:
            return f"{damage.words}."
        case Halt.SHORT:
            return f"The file ends {size} bytes into a length field."
        case Halt.TOO_LONG:
            return (
                f"A length field asks for a record of more than {RECORD_BYTES_MAX:,} bytes:"
                " walctl does not read such records, and does not say whether it is whole."
            )
        case Halt.MISFIT:
            return "The length field, with the padding that it counts, does not fit its record."
        case Halt.LENGTH if damage.flip is not None:
            return "The length field, with the padding that it counts, does not fit its record."
        case Halt.LENGTH:
            where = "the file ends" if is_last else "this sealed segment ends"
            return f"The length field asks for more than is left: {where} before the record does."
        case _:
            words = f" ({damage.words})" if damage.words else ""
            return f"{size:,} bytes are no record{words}."


def _behind_words(damage: Damage, code: Code, behind: Behind, *, is_last: bool) -> str:
    if behind.frames == 0:
        is_read = code is not Code.TRAILING_GARBAGE and damage.halt is not Halt.GIVEN_UP
        return "No record can be read behind it." if is_read else ""
    indexes = (
        f" (entries {behind.first_index}–{behind.last_index})"
        if behind.first_index is not None
        else ""
    )
    text = f"Behind it {behind.frames:,} records{indexes} can be read"
    if not behind.later_batch:
        return f"{text}, all of the same batch."
    batches = f"in {behind.batches:,} later batches" if behind.batches > 1 else "of a later batch"
    sealed = "" if is_last else " and its segment is sealed"
    return f"{text} {batches}{sealed}: these bytes had been synced, so this is no torn write."
