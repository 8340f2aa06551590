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

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from formats.walpb import RecordType
from walctl.inspect.start_points import start_points
from walctl.model.finding import Code, Severity
from walctl.model.log import PlacedMetadata
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, witnessed
from walctl.repair.mend import TYPE_OFFSET, mend, mend_words
from walctl.repair.placing import (
    copies,
    copy_steps,
    do_names_fit,
    last_without,
    name_steps,
    new_names,
)
from walctl.repair.plan import SNAP, WAL, Change, Drop, Plan, PlanClass, Step
from walctl.repair.stamps import Sources
from walctl.repair.strategy import (
    Place,
    patched,
    place_of,
    place_of_named,
    remove_step,
    with_details,
    write_step,
)
from walctl.repair.tail import is_garbage_tail, is_unsynced_tail
from walctl.snap.names import BROKEN_SUFFIX
from walctl.wal.forensics import Named
from walctl.wal.records import readings, type_name

STRATEGY = "put-right"
_CHECKPOINT_BYTES = 16
"""What a frame without data takes, whatever its checksum."""
_OF_NAMES = frozenset({Code.SEGMENT_NAME, Code.SEGMENT_MISSING})
_OF_SNAPSHOTS = frozenset({Code.SNAP_MISSING, Code.SNAP_CRC, Code.SNAP_UNDECODABLE})
"""What is harmless where another point is left to start from."""
_OF_REACH = frozenset({Code.DB_AHEAD, Code.COMMIT_BEYOND_LOG})
"""What a copy in the last place makes of a log that reaches far enough without it."""


def put_right(case: Case) -> Plan | str:
    """The plan that puts right all that is wrong, or why it cannot."""
    cut = _tail_cut(case)
    mistyped = tuple(_mistyped(case))
    removed = copies(case)
    last = last_without(case, removed)
    # Damage of the log keeps every point from being one to start from; without it some are.
    starts_then = any(point.usable for point in start_points(case.seen, []))
    reaches = not removed or witnessed(case) <= last
    names_fit = do_names_fit(case, removed)
    written = new_names(case) if names_fit else {}
    if written and mistyped:
        return "records of a wrong type stand in segments under wrong names"
    with case.sources() as sources:
        found = {place_of_named(each): (each, mend(sources, each)) for each in case.seen.named}
        mends = [(each, change) for each, change in found.values() if change is not None]
        accounted: set[Place] = {place_of_named(each) for each, _ in mends}
        if cut is not None:
            accounted.add(place_of_named(cut))
        accounted |= {(placed.segment, placed.offset) for placed, _ in mistyped}
        for finding in case.damage:
            if place_of(finding) in accounted or finding.place.segment in removed:
                continue
            if finding.code in _OF_NAMES and names_fit:
                continue
            if finding.code in _OF_REACH and removed and reaches:
                continue
            if finding.code in _OF_SNAPSHOTS and starts_then:
                continue
            return f"what {finding.code} tells of has no single explanation that can be proven"
        if not reaches:
            return "without the segments that are copies the log does not reach what is witnessed"
        here = [(each, change) for each, change in mends if each.damage.segment not in removed]
        steps = [
            *_byte_steps(case, sources, here, cut, written),
            *_type_steps(case, sources, mistyped),
            *(name_steps(case, written) if names_fit else ()),
            *copy_steps(case, removed, written),
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
        certificate=certificate(case, kept=max(last, case.applied), words=_proof(case, cut)),
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
    is_cut = is_unsynced_tail(case) or is_garbage_tail(case)
    return case.seen.named[-1] if is_cut else None


def _byte_steps(
    case: Case,
    sources: Sources,
    mends: Sequence[tuple[Named, Change]],
    cut: Named | None,
    written: Mapping[str, str],
) -> Iterator[Step]:
    """One step for each segment with wrong bytes, or `written` anew under another name."""
    touched = {named.damage.segment for named, _ in mends} | set(written)
    if cut is not None:
        touched.add(cut.damage.segment)
    for segment in [each.name.text for each in case.seen.segments]:
        if segment not in touched:
            continue
        here = [(named, change) for named, change in mends if named.damage.segment == segment]
        changes = tuple(change for _, change in here)
        tail = cut if cut is not None and cut.damage.segment == segment else None
        pieces, size = patched(
            sources, f"{WAL}/{segment}", changes, cut=None if tail is None else tail.damage.start
        )
        words = [mend_words(change, named) for named, change in here]
        drops: tuple[Drop, ...] = ()
        if segment in written:
            words.insert(0, f"the bytes of {segment}, whose place in the checksum chain this is")
        if tail is not None:
            count = tail.damage.stop - tail.damage.start
            words.append(f"{count:,} bytes behind the last record become zeros")
            drops = (Drop(kind="bytes", count=count, is_readable=False),)
        step = write_step(
            case,
            sources,
            f"{WAL}/{written.get(segment, segment)}",
            pieces,
            size,
            reason=_reason(case, segment in written, bool(changes)),
            words="; ".join(words),
        )
        # Bytes of another file have no place in this one that a change could name.
        yield with_details(step, changes=() if segment in written else changes, drops=drops)


def _reason(case: Case, is_moved: bool, is_mended: bool) -> str:
    if is_moved:
        return "segment-name"
    if is_mended:
        return "flipped-bit"
    return "torn-tail" if is_unsynced_tail(case) else "garbage"


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
                offset=placed.offset + TYPE_OFFSET,
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
