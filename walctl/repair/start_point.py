"""A start from another point: without the segments or the snapshot files that are in the way.

etcd reads all segments before it chooses a snapshot, so damage in one that it does not need keeps
it from starting; and it takes the newest `.snap` file, whether or not the database reaches it. Both
lose nothing when what is needed is there: the log from the chosen snapshot on without a hole, up to
everything that any witness names, and a database that is at or behind what the log can replay.
What is taken away is in the backup.

The rules are those of etcd 3.4 to 3.6. Later ones take the newest marker of the log, and need no
`.snap` file.
"""

from itertools import pairwise

from walctl.datadir.start import is_base_lost, marked_indexes
from walctl.inspect.start_points import snap_index
from walctl.model.finding import Code
from walctl.model.log import Run, put_together
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, is_end_known, witnessed
from walctl.repair.plan import SNAP, WAL, Drop, Plan, PlanClass, Step
from walctl.repair.strategy import place_of, place_of_named, remove_step
from walctl.repair.tail import is_doubtful_tail
from walctl.wal import names as wal_names

_OF_THE_DATABASE = frozenset(
    {Code.DB_MISSING, Code.DB_BEHIND, Code.DB_PAGE, Code.CLUSTER_MISMATCH, Code.SNAPDB_MISSING}
)


def without_old_segments(case: Case) -> Plan | str:
    """Take away the segments in front of the newest usable snapshot, when the damage is in them."""
    seen = case.seen
    names = [segment.name for segment in seen.segments]
    for index in sorted(_usable_snapshots(case), reverse=True):
        position = wal_names.start_position(names, index)
        if not position:
            continue
        reason = snapshot_obstacle(case, index, [name.text for name in names[:position]])
        if reason is None:
            return drop_plan(case, index, position)
    return "no usable snapshot makes the damaged segments unneeded"


def _usable_snapshots(case: Case) -> set[int]:
    """Indexes of the snapshots whose file and marker are both there, and that the database has."""
    return {index for index in marked_indexes(case.seen) if index <= case.applied}


def snapshot_obstacle(case: Case, index: int, dropped: list[str]) -> str | None:
    """Why the log behind snapshot `index` does not do without the `dropped` segments."""
    seen = case.seen
    if index not in _usable_snapshots(case):
        return "it has no readable file with a marker, or the database does not reach it"
    for placed in seen.marks:
        if placed.mark.index == index and placed.segment not in dropped:
            break
    else:
        return "its marker stands in one of them"
    kept = [segment for segment in seen.segments if segment.name.text not in dropped]
    if any(after.seq != before.seq + 1 for before, after in pairwise(kept)):
        return "a segment is missing behind the snapshot too"
    for named in seen.named:
        if named.damage.segment not in dropped:
            return "there is damage behind the snapshot too"
    for finding in case.damage:
        is_there = finding.place.segment in dropped or finding.code is Code.SEGMENT_MISSING
        if not is_there and place_of(finding) not in {place_of_named(each) for each in seen.named}:
            return f"{finding.code} is not of these segments"
    # Only what the server will read counts: what it passes over may have been replaced.
    log = put_together(run for run in seen.runs if run.segment not in dropped)
    reached = log.contiguous_from(index)
    if reached < max(witnessed(case), case.applied) or not is_end_known(case):
        return "the log behind it does not reach all that is witnessed"
    return None


def drop_plan(case: Case, index: int, position: int) -> Plan:
    """Take away the first `position` segments, which a start from snapshot `index` passes over."""
    seen = case.seen
    steps = [
        remove_step(
            case.bound,
            f"{WAL}/{segment.name.text}",
            reason="unneeded-segment",
            words=f"a start from snapshot {index} does not need it",
            drops=tuple(
                _drop(run, index) for stretch in segment.digest.stretches for run in stretch.runs
            ),
        )
        for segment in seen.segments[:position]
    ]
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.FREE,
        strategy="without-old-segments",
        summary=f"the log begins behind snapshot {index}; nothing acknowledged is lost",
        steps=tuple(steps),
        certificate=certificate(
            case,
            kept=case.last,
            words=(
                f"snapshot {index} has its file, its marker and the database"
                f" ({case.applied} applied); the log behind it is whole to entry {case.last}",
            ),
        ),
        verify_status=case.report.exit_status,
    )


def _drop(run: Run, index: int) -> Drop:
    return Drop(
        kind="entry",
        count=run.last - run.first + 1,
        first=run.first,
        last=run.last,
        term=run.term,
        kept_by="database" if run.last <= index else "",
    )


def from_older_point(case: Case) -> Plan | str:
    """Step back to an older start, where the database is missing, older, or no database to keep."""
    codes = {finding.code for finding in case.damage}
    if not codes or not codes <= _OF_THE_DATABASE:
        return "the log itself is damaged"
    if not is_end_known_by_log(case):
        return "the log does not hold all that is witnessed"
    if is_doubtful_tail(case):
        return "the log ends in what is not proven to be a torn write"
    if is_base_lost(case.seen, case.applied):
        return "the keys came from a saved snapshot, of which the log has nothing"
    for index in sorted({*marked_indexes(case.seen), 0}, reverse=True):
        if index > case.applied or not _is_whole_from(case, index):
            continue
        return _back_plan(case, index, keeps_database=case.has_sound_database)
    return "the log does not go back to what the database has"


def is_end_known_by_log(case: Case) -> bool:
    """Whether the log alone has everything that was witnessed, the database's word included."""
    return case.last >= witnessed(case)


def _is_whole_from(case: Case, index: int) -> bool:
    """Whether the log goes on from `index` to its end, and etcd finds a segment to begin with."""
    seen = case.seen
    names = [segment.name for segment in seen.segments]
    if wal_names.start_position(names, index) is None:
        return False
    if index == 0 and seen.log.first != 1:
        return False
    return seen.log.contiguous_from(index) >= case.last


def _back_plan(case: Case, index: int, *, keeps_database: bool) -> Plan:
    seen = case.seen
    newer = [snap for snap in seen.snaps if snap_index(snap) > index]
    told = f"snapshot {index}" if index else "entry 1"
    steps: list[Step] = [
        remove_step(
            case.bound,
            f"{SNAP}/{snap.name}",
            reason="start-point",
            words=f"the server would start from it; the log is replayed from {told} instead",
            drops=(Drop(kind="snapshot", count=1, first=snap_index(snap), term=snap.term),),
        )
        for snap in newer
    ]
    if not keeps_database and seen.database_exists:
        steps.append(
            remove_step(
                case.bound,
                f"{SNAP}/db",
                reason="database",
                words="it cannot be relied on; the server builds a new one from the log",
            )
        )
    for waiting in seen.snap_databases:
        if waiting > index:
            name = f"{SNAP}/{waiting:016x}.snap.db"
            if name in case.bound.files:
                steps.append(
                    remove_step(
                        case.bound, name, reason="start-point", words="nothing waits for it then"
                    )
                )
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.FREE if steps else PlanClass.NOTHING,
        strategy="older-start-point",
        summary=f"the server replays the log from {told} on; nothing is lost",
        steps=tuple(steps),
        certificate=certificate(
            case,
            kept=case.last,
            words=(
                f"the log is whole from {told} to entry {case.last}, and no witness names a later"
                " one",
            ),
        ),
        verify_status=case.report.exit_status,
    )
