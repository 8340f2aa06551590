"""The end of a log: what may be cut from it for free, and what may not (contract P5).

Two things may stand behind the last record and be cut for free. The rest of a write that was never
synced: it is torn where a sector of it is missing, or the file ends within it, behind the records
that etcd syncs before a segment gets its name. And bytes that were no part of the log: for a sole
voter only, whose database says that nothing followed, and only where they do not look like a
record whose length field is gone, nor like a sector that was written over.

Everything else at the end may have been synced. So may what is not there at all: a log that is cut
off between two records reads well.
"""

from formats.frame import LENGTH_FIELD_BYTES, SECTOR_BYTES
from walctl.model.finding import Code
from walctl.repair.case import Case
from walctl.repair.plan import WAL
from walctl.wal.forensics import Named
from walctl.wal.kernel import Halt
from walctl.wal.scan import Damage
from walctl.wal.tear import begins_like_a_record


def is_unsynced_tail(case: Case) -> bool:
    """Whether the log ends in a write that was never synced: torn, and every witness in front."""
    named = _ended_by(case)
    if named is None:
        return False
    return named.code in (Code.TRAILING_GARBAGE, Code.TORN_TAIL)


def is_garbage_tail(case: Case) -> bool:
    """Whether nothing but bytes that begin no record stands behind the last one.

    For a member of several that is no proof: it may have been written over an entry that a leader
    has counted.
    """
    named = _ended_by(case)
    if named is None or not case.is_sole_voter:
        return False
    damage = named.damage
    if damage.head is not None or damage.halt is Halt.ZERO or _are_sectors(damage):
        return False
    if not _has_database_everything(case):
        return False
    with case.sources() as sources:
        file = sources(f"{WAL}/{damage.segment}")
        head = file.read_at(damage.start + LENGTH_FIELD_BYTES, 3)
    return not begins_like_a_record(head)


def is_doubtful_tail(case: Case) -> bool:
    """Whether the log ends in what looks torn, and is not proven to be."""
    seen = case.seen
    named = seen.named[-1] if seen.named else None
    if named is None or named.code is not Code.TORN_TAIL or is_unsynced_tail(case):
        return False
    return not named.behind.frames


def _ended_by(case: Case) -> Named | None:
    """The damage with which the log ends: nothing can be read behind it."""
    seen = case.seen
    named = seen.named[-1] if seen.named else None
    if named is None or named.is_mended or named.behind.frames:
        return None
    if named.damage.segment != seen.segments[-1].name.text:
        return None
    return named if _is_behind_the_head(case, named.damage) else None


def _is_behind_the_head(case: Case, damage: Damage) -> bool:
    """Whether the records with which a segment begins are all in front of a damage in the last one.

    etcd syncs them before the segment gets its name, so nothing of them can be torn: metadata, and
    behind it the marker at 0 in the first segment, in others the hard state.
    """
    final = case.seen.segments[-1]
    here = [each for each in final.digest.stretches if each.span.start < damage.start]
    if not any(stretch.metadata for stretch in here):
        return False
    if final.seq == 0:
        return any(stretch.marks for stretch in here)
    return any(stretch.states_count for stretch in here)


def is_end_lost(named: Named) -> bool:
    """Whether nobody says how many entries stood in a damage behind which records can be read.

    Those of a torn last write were never synced, whatever else of that write reached the disk.
    """
    return named.lost is not None and named.lost[1] is None and named.code is not Code.TORN_TAIL


def _are_sectors(damage: Damage) -> bool:
    """Whether a damage begins with a sector and fills it: a disk loses whole ones, so there may
    have been records."""
    return damage.start % SECTOR_BYTES == 0 and damage.stop - damage.start >= SECTOR_BYTES


def _has_database_everything(case: Case) -> bool:
    """Whether the database has applied all that can be read, so that it was at rest then.

    3.4 notes what it has applied with the next change of the key space only, so it may be one entry
    behind; there the last hard state has to say it.
    """
    witness = case.seen.database
    if not case.has_sound_database or witness is None:
        return False
    is_noted_late = witness.term is None and case.seen.commit_max >= case.last
    return case.applied + int(is_noted_late) >= case.last
