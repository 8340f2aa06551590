"""From where a member could start: the snapshots that etcd would take, and what blocks each.

Works on a survey; reads no file. The rules are those of etcd up to 3.6: a `.snap` file counts when
it reads and the log marks it, and the newest one is taken.
"""

from dataclasses import replace

from walctl.datadir.layout import Shape
from walctl.datadir.start import marked_snapshots
from walctl.datadir.survey import Survey
from walctl.inspect.report import StartPoint
from walctl.model.finding import Code
from walctl.snap.reader import SnapFile


def snap_index(snap: SnapFile) -> int:
    """The index of a snapshot file: its content's, else what its name says (etcd writes files in
    place, so a power cut leaves an empty one)."""
    if snap.index is not None:
        return snap.index
    return snap.parsed.index if snap.parsed is not None else 0


def beyond_the_log(survey: Survey) -> list[SnapFile]:
    """Snapshot files of indexes that the log has lost, or never had: etcd writes the file of a
    snapshot after the entries that it covers, or with a marker that the log then has."""
    reaches = survey.last_index or 0
    return [snap for snap in survey.snaps if snap.is_usable and snap_index(snap) > reaches]


def is_base_lost(survey: Survey, applied: int) -> bool:
    """Whether the log goes on from a saved snapshot whose keys no database here has.

    `snapshot restore` begins a log with the members and a marker behind them, and puts the keys
    into the database alone; replayed from entry 1, such a log gives an empty one. A server's own
    snapshots cover more than members. `applied` is the last index that the database has, or 0.
    """
    return applied < restored_index(survey)


def restored_index(survey: Survey) -> int:
    """The index of the marker with which `snapshot restore` began this log, else 0."""
    members = {placed.entry.index for placed in survey.conf_changes}
    restored = 0
    for placed in survey.marks:
        index = placed.mark.index
        if survey.log.first == 1 and all(each in members for each in range(1, index + 1)):
            restored = max(restored, index)
    return restored


def start_points(survey: Survey, blocking: list[Code]) -> list[StartPoint]:
    """Every (snapshot, index) that the files offer a start from, newest first.

    `blocking` are codes of damage in the log: etcd reads all segments before it chooses, so they
    block every point.
    """
    if survey.layout.wal_dir is None or not survey.segments:
        return []
    points: list[StartPoint] = []
    newer: list[str] = []
    if beyond_the_log(survey):
        blocking = [*blocking, Code.SNAP_UNMARKED]
    for snap in marked_snapshots(survey):
        points.append(_point(survey, snap.index or 0, snap.term or 0, blocking))
        newer.append(snap.name)
    first = survey.segments[0].name
    if first.index == 0 and (survey.log.first == 1 or survey.last_index is None):
        points.append(_point(survey, 0, 0, blocking))
    return _with_files_to_set_aside(points, newer)


def _with_files_to_set_aside(points: list[StartPoint], names: list[str]) -> list[StartPoint]:
    """The first usable point told which newer files are in its way: the server takes the newest.

    `names` are the files of the points, in their order (the log's beginning has none).
    """
    first = next((number for number, point in enumerate(points) if point.usable), 0)
    if first and points[first].usable:
        points[first] = replace(points[first], set_aside=tuple(names[:first]))
    return points


def _point(
    survey: Survey,
    index: int,
    term: int,
    blocking: list[Code],
) -> StartPoint:
    last = max(survey.log.contiguous_from(index), index)
    blocked: list[str] = [str(code) for code in blocking]
    if survey.commit > last:
        gap = any(run.first > last + 1 for run in survey.log.live)
        blocked.append(str(Code.INDEX_GAP if gap else Code.COMMIT_BEYOND_LOG))
    if survey.layout.shape is not Shape.RAFTEXAMPLE:
        blocked += _blocked_by_database(survey, index, last)
    return StartPoint(
        snapshot_index=index,
        snapshot_term=term,
        last_index=last,
        blocked_by=tuple(dict.fromkeys(blocked)),
    )


def _blocked_by_database(survey: Survey, index: int, last: int) -> list[str]:
    witness = survey.database
    if survey.database_problem is not None:
        return [str(Code.DB_PAGE)]
    if witness is None:
        missing = survey.layout.is_member and index > 0 and not survey.database_exists
        return [str(Code.DB_MISSING)] if missing else []
    applied = survey.applied or 0
    if applied > last:
        return [str(Code.DB_AHEAD)]
    if applied < index and index not in survey.snap_databases:
        return [str(Code.DB_BEHIND)]
    return []
