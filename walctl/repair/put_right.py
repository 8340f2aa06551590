"""What is certain is put right: a flipped bit, a name, a copy too many, a tail that was no write.

Several of these may be wrong at once, so they make one plan; it is made only if they account for
all the damage that there is. Each has its own proof:

- A wrong bit or type is put back when exactly one change explains it, and everything behind it
  then fits. The odds that another damage only looks like it are in the finding's words.
- A record that says metadata where etcd writes none, and fits one other type, is of that type.
- A segment gets the name that its place in the checksum chain demands.
- A segment that holds, byte for byte, what another holds is a copy.
- What stands behind the last record is cut when it was never synced (a tear in the last write),
  or was no record of this log, and every witness ends in front of it.
- Left-overs that etcd itself would delete or never look at again are taken away.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from formats.frame import LENGTH_FIELD_BYTES
from formats.walpb import RecordType
from walctl.model.finding import Code, Severity
from walctl.model.log import PlacedMetadata
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, is_garbage_tail, is_unsynced_tail, witnessed
from walctl.repair.plan import SNAP, WAL, Change, Drop, Plan, PlanClass, Step
from walctl.repair.stamps import Sources
from walctl.repair.strategy import (
    Place,
    patched,
    place_of,
    place_of_named,
    remove_step,
    rename_step,
    with_details,
    write_step,
)
from walctl.snap.names import BROKEN_SUFFIX
from walctl.wal import names as wal_names
from walctl.wal.forensics import Named
from walctl.wal.records import name_of, readings, type_name

STRATEGY = "put-right"
_TYPE_OFFSET = LENGTH_FIELD_BYTES + 1
"""Where a record's type stands in its frame: behind the length field and its own tag."""
_CHECKPOINT_BYTES = 16
"""What a frame without data takes, whatever its checksum."""
_OF_NAMES = frozenset({Code.SEGMENT_NAME, Code.SEGMENT_MISSING})


def put_right(case: Case) -> Plan | str:
    """The plan that puts right all that is wrong, or why it cannot."""
    cut = _tail_cut(case)
    accounted: set[Place] = {place_of_named(each) for each in case.seen.named if each.is_mended}
    if cut is not None:
        accounted.add(place_of_named(cut))
    mistyped = tuple(_mistyped(case))
    accounted |= {(placed.segment, placed.offset) for placed, _ in mistyped}
    copies = dict(_copies(case))
    names_fit = _names_fit_then(case, set(copies))
    for finding in case.damage:
        if place_of(finding) in accounted or finding.place.segment in copies:
            continue
        if finding.code in _OF_NAMES and names_fit:
            continue
        return f"what {finding.code} tells of has no single explanation that can be proven"
    with case.sources() as sources:
        steps = [
            *_byte_steps(case, sources, cut),
            *_type_steps(case, sources, mistyped),
            *_name_steps(case),
            *_copy_steps(case, copies),
            *_leftover_steps(case),
        ]
    if not steps:
        return "nothing is there to be put right"
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.FREE,
        strategy=STRATEGY,
        summary="nothing that the log held is dropped",
        steps=tuple(steps),
        certificate=certificate(case, kept=max(case.last, case.applied), words=_proof(case, cut)),
        verify_status=case.report.exit_status,
    )


def _proof(case: Case, cut: Named | None) -> tuple[str, ...]:
    words = [named.detail for named in case.seen.named if named.is_mended]
    if cut is not None:
        last = case.last
        words.append(
            f"every witness ends at or before entry {last}, the last one that is kept, so what"
            f" stands at {cut.damage.segment}:{cut.damage.start} was never synced"
            if is_unsynced_tail(case)
            else f"no record begins at {cut.damage.segment}:{cut.damage.start}, and every witness"
            f" ends at or before entry {last}, the last one that is kept"
        )
    for each in case.seen.misplaced:
        words.append(f"the checksums say that {each.name.text} is {each.rightful}")
    return tuple(words) or ("no record of the log is touched",)


def _tail_cut(case: Case) -> Named | None:
    """The damage at the end of the log that may be cut away, if there is one."""
    if not case.seen.named or witnessed(case) > max(case.last, case.applied):
        return None
    if case.applied > case.last:
        return None
    is_cut = is_unsynced_tail(case) or (is_garbage_tail(case) and case.is_sole_voter)
    return case.seen.named[-1] if is_cut else None


def _byte_steps(case: Case, sources: Sources, cut: Named | None) -> Iterator[Step]:
    """One step for each segment with wrong bytes."""
    by_segment: dict[str, list[Named]] = {}
    for named in case.seen.named:
        if named.is_mended or named is cut:
            by_segment.setdefault(named.damage.segment, []).append(named)
    for segment, found in by_segment.items():
        name = f"{WAL}/{segment}"
        changes = tuple(_change(sources, name, named) for named in found if named.is_mended)
        tail = next((named for named in found if named is cut), None)
        pieces, size = patched(
            sources, name, changes, cut=None if tail is None else tail.damage.start
        )
        words = [_mend_words(change, named) for change, named in zip(changes, found, strict=False)]
        drops: tuple[Drop, ...] = ()
        if tail is not None:
            count = tail.damage.stop - tail.damage.start
            words.append(f"{count:,} bytes behind the last record become zeros")
            drops = (Drop(kind="bytes", count=count, is_readable=False),)
        reason = "flipped-bit" if changes else "torn-tail" if is_unsynced_tail(case) else "garbage"
        step = write_step(case, sources, name, pieces, size, reason=reason, words="; ".join(words))
        yield with_details(step, changes=changes, drops=drops)


def _change(sources: Sources, name: str, named: Named) -> Change:
    """The one byte that puts a record right."""
    damage = named.damage
    if damage.flip is not None:
        offset = damage.flip.offset
        was = sources(name).read_at(offset, 1)
        return Change(offset=offset, was=was, now=bytes([was[0] ^ 1 << damage.flip.bit]))
    # Only the type is wrong, by more than one bit: the payload says which it is.
    assert damage.recovered_head is not None or damage.head is not None
    offset = damage.start + _TYPE_OFFSET
    was = sources(name).read_at(offset, 1)
    return Change(offset=offset, was=was, now=bytes([_type_number(named)]))


def _mistyped(case: Case) -> Iterator[tuple[PlacedMetadata, int]]:
    """Records that say metadata by one wrong bit of their type, and the type that they are.

    etcd writes metadata behind the record that opens a segment and nowhere else. Bytes that stand
    elsewhere, deny whose log it is, and fit one other type exactly are a record of that type.
    """
    seen = case.seen
    if seen.named:
        return  # two kinds of damage at once are too much of a coincidence to be put right
    opened = {
        (segment.name.text, offset + _CHECKPOINT_BYTES)
        for segment in seen.segments
        for stretch in segment.digest.stretches
        for offset in stretch.checkpoints
    }
    for placed in seen.metadata[1:]:
        if (placed.segment, placed.offset) in opened:
            continue
        fits = [int(kind) for kind in readings(placed.metadata.raw)]
        if len(fits) == 1 and (fits[0] ^ RecordType.METADATA).bit_count() == 1:
            yield placed, fits[0]


def _type_steps(
    case: Case, sources: Sources, mistyped: tuple[tuple[PlacedMetadata, int], ...]
) -> Iterator[Step]:
    """The records of a wrong type put right, one step a segment."""
    for segment in dict.fromkeys(placed.segment for placed, _ in mistyped):
        name = f"{WAL}/{segment}"
        changes = tuple(
            Change(
                offset=placed.offset + _TYPE_OFFSET,
                was=bytes([RecordType.METADATA]),
                now=bytes([kind]),
            )
            for placed, kind in mistyped
            if placed.segment == segment
        )
        pieces, size = patched(sources, name, changes)
        words = "; ".join(
            f"byte {change.offset}: the type put right (the payload is {type_name(change.now[0])})"
            for change in changes
        )
        step = write_step(case, sources, name, pieces, size, reason="flipped-bit", words=words)
        yield with_details(step, changes=changes, drops=())


def _type_number(named: Named) -> int:
    fits = named.damage.fits
    assert len(fits) == 1, "a type is put right only where the payload fits one other"
    return int(fits[0])


def _mend_words(change: Change, named: Named) -> str:
    what = name_of(named.damage.recovered) if named.damage.recovered is not None else "record"
    flip = named.damage.flip
    if flip is not None:
        return f"byte {change.offset}: one bit put back ({flip.where} of the {what} record)"
    return f"byte {change.offset}: the type put right (the payload is {what})"


def _copies(case: Case) -> Iterator[tuple[str, str]]:
    """Segments that are a copy of one in front of them, and of which."""
    known: dict[str, str] = {}
    for segment in case.seen.segments:
        stamp = case.bound.files.get(f"{WAL}/{segment.name.text}")
        if stamp is None or not segment.digest.stretches:
            continue
        if stamp.sha256 in known:
            yield segment.name.text, known[stamp.sha256]
        else:
            known[stamp.sha256] = segment.name.text


def _copy_steps(case: Case, copies: dict[str, str]) -> Iterator[Step]:
    for name, original in copies.items():
        words = f"holds the same bytes as {original}"
        yield remove_step(case.bound, f"{WAL}/{name}", reason="copy", words=words)


def _names_fit_then(case: Case, copies: set[str]) -> bool:
    """Whether the segments follow each other without a gap once the names are put right."""
    seen = case.seen
    if not seen.misplaced and not copies:
        return False
    seqs = [segment.seq for segment in seen.segments if segment.name.text not in copies]
    is_whole = all(after == before + 1 for before, after in pairwise(seqs))
    return is_whole and not any(not seen.is_bridged(gap) for gap in seen.log.gaps())


def _name_steps(case: Case) -> Iterator[Step]:
    taken = set(case.seen.wal_names)
    for each in case.seen.misplaced:
        if each.rightful in taken or wal_names.parse(each.rightful) is None:
            continue
        yield rename_step(
            case.bound,
            f"{WAL}/{each.name.text}",
            f"{WAL}/{each.rightful}",
            reason="segment-name",
            words=f"gets the name of its place in the checksum chain, {each.rightful}",
        )


def _leftover_steps(case: Case) -> Iterator[Step]:
    """Left-overs that are told as harmless; what is only worth knowing stays."""
    seen = case.seen
    for finding in case.report.of(Severity.HARMLESS):
        name = finding.place.segment or ""
        if finding.code is not Code.LEFTOVER or len(PurePosixPath(name).parts) != 1:
            continue
        if name.endswith(BROKEN_SUFFIX):
            continue  # what etcd set aside may be the only copy of what it cut away
        for room, there in ((WAL, seen.wal_names), (SNAP, seen.snap_names)):
            full = f"{room}/{name}"
            if name in there and full in case.bound.files:
                yield remove_step(case.bound, full, reason="leftover", words=finding.detail)
