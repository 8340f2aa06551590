"""What has to hold before a single edit may touch a log, and what every edit asks of a member.

An edit is no repair: it goes on from a log that reads, and its result has to be one from which a
server can start. What is looked at here is what the verification of a result would refuse anyway;
a person is told before he decides, and is told why.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from walctl.datadir.layout import understand
from walctl.errors import CorruptionError, RefusedError, UnsupportedError
from walctl.fs.base import FileSystem
from walctl.inspect.reading import ONE_PROCESS, Depth
from walctl.inspect.weigh import AGAINST_RAFT
from walctl.model.finding import Code, Finding
from walctl.model.record import HardState, SnapshotMark
from walctl.repair.case import Case
from walctl.repair.planning import WHOLE, case_of
from walctl.repair.strategy import Place


def case_to_edit(
    disk: FileSystem,
    path: Path,
    wal_dir: Path | None = None,
    snap_dir: Path | None = None,
    *,
    depth: Depth = ONE_PROCESS,
) -> Case:
    """The member at `path`, which should be absolute, with all its parts in view.

    Raises: UnsupportedError, for a part of a member; AccessError, when it cannot be read.
    """
    layout = understand(disk, path, wal_dir=wal_dir, snap_dir=snap_dir)
    if layout.shape not in WHOLE:
        raise UnsupportedError(
            f"{path}: {layout.shape}: an edit needs the whole directory, to know what the others"
            " of its parts say"
        )
    case = case_of(disk, layout, depth=depth)
    if not case.seen.segments:
        raise UnsupportedError(f"{path}: {layout.shape} without a segment: there is no log to edit")
    if case.is_etcd and layout.database is None:
        raise UnsupportedError(
            f"{path}: etcd's log without its database: name the data directory, or where the"
            " database is with --snap-dir"
        )
    return case


def demand_lawful(case: Case) -> None:
    """Refuse a log that breaks the rules of Raft: it is evidence. Raises: CorruptionError."""
    for finding in case.damage:
        is_fallen = finding.code is Code.STATE_REGRESSION and not is_commit_back(case)
        if finding.code in AGAINST_RAFT or is_fallen:
            raise CorruptionError(
                f"{place_words(case, finding)}: {finding.code}: a log that breaks Raft's rules is"
                " evidence, and is not edited"
            )


def demand_whole(case: Case, *, but: Collection[Code] = (), places: Collection[Place] = ()) -> None:
    """Refuse what is damaged, but for findings of these codes, and at these places.

    A commit that an earlier edit took back stays in the log, and is no reason.

    Raises: CorruptionError.
    """
    demand_lawful(case)
    if not case.seen.log.live:
        raise CorruptionError(f"{case.bound.directory}: there is no log with entries to edit")
    for finding in (*case.damage, *(each.finding() for each in case.seen.named)):
        place = (finding.place.segment or "", finding.place.offset or 0)
        if finding.code in (*but, Code.STATE_REGRESSION) or place in places:
            continue
        raise CorruptionError(
            f"{place_words(case, finding)}: {finding.code}: an edit goes on from what reads: see"
            " what walctl repair says of it first"
        )


def place_words(case: Case, finding: Finding) -> str:
    """Where a finding is: `SEGMENT:OFFSET`, a file, or the directory."""
    place = finding.place
    if place.segment is None:
        return str(case.bound.directory)
    return place.segment if place.offset is None else f"{place.segment}:{place.offset}"


def is_commit_back(case: Case) -> bool:
    """Whether wherever a hard state takes something back, it is the commit and nothing else."""
    return all(
        step.after.state.term >= step.before.state.term
        and (
            step.after.state.term > step.before.state.term
            or step.before.state.vote in (0, step.after.state.vote)
        )
        for step in case.seen.steps
    )


def left_findings(case: Case) -> tuple[Code, ...]:
    """The findings that stay whatever an edit does: commits that an earlier one took back."""
    is_there = any(each.code is Code.STATE_REGRESSION for each in case.damage)
    return (Code.STATE_REGRESSION,) if is_there else ()


def own_id(case: Case) -> int:
    """Whose log it is. Raises: UnsupportedError, for one that is not etcd's."""
    if not case.is_etcd or case.membership.own_id is None:
        raise UnsupportedError(
            f"{case.bound.directory}: the log does not say in etcd's way whose it is"
        )
    return case.membership.own_id


def state_of(case: Case) -> HardState:
    """The last hard state. Raises: CorruptionError, when there is none."""
    placed = case.seen.last_state
    if placed is None:
        raise CorruptionError(f"{case.bound.directory}: the log has no hard state")
    return placed.state


def highest_term(case: Case) -> int:
    """The highest term that any part of the member names, entries that were replaced included."""
    seen = case.seen
    terms = [state_of(case).term, *(run.term for run in seen.runs)]
    terms += [step.before.state.term for step in seen.steps]
    terms += [placed.mark.term for placed in seen.marks]
    terms += [snap.term or 0 for snap in seen.snaps if snap.is_usable]
    if seen.database is not None:
        terms.append(seen.database.term or 0)
    return max(terms)


def demand_start(
    case: Case, marks: Iterable[SnapshotMark], *, commit: int, last: int | None = None
) -> None:
    """Refuse an edit from whose result no server could start.

    With `marks` as the log's markers and `commit` in its last hard state: the newest `.snap` file
    that a live marker names is taken (none: the log's beginning), and the log, which ends at `last`
    (`None`: where it does now), has to go on from there up to the commit.

    Raises: RefusedError.
    """
    seen = case.seen
    live = {(mark.term, mark.index) for mark in marks if mark.index <= commit}
    start = max(
        (
            snap.index or 0
            for snap in seen.snaps
            if snap.is_usable and (snap.term or 0, snap.index or 0) in live
        ),
        default=0,
    )
    point = f"snapshot {start}" if start else "the beginning, since no snapshot would be left,"
    reached = seen.log.contiguous_from(start)
    reached = reached if last is None else max(start, min(reached, last))
    if reached < commit:
        raise RefusedError(
            f"{case.bound.directory}: no server could start then: from {point} the log reaches"
            f" entry {reached}, and the commit is {commit}"
        )
    has_snapshot = case.applied >= start or start in seen.snap_databases
    if seen.layout.is_member and not has_snapshot:
        raise RefusedError(
            f"{case.bound.directory}: no server could start then: it would start from {point}, and"
            f" the database has applied {case.applied}"
        )
