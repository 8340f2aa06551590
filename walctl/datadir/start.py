"""From which snapshot a member starts: the rule that replay follows and every report measures by.

etcd up to 3.6 takes the newest `.snap` file that reads and whose snapshot the log marks at or below
the commit of its last hard state; without one, the log's beginning. Works on a survey; reads no
file.

Source: etcd-data-dir notes 6.3 and 6.5.
"""

from collections.abc import Iterator

from walctl.datadir.survey import Survey
from walctl.model.record import SnapshotMark
from walctl.snap.reader import SnapFile


def live_marks(survey: Survey) -> list[SnapshotMark]:
    """The markers that etcd believes, in file order: not above the last hard state's commit."""
    commit = survey.commit
    return [placed.mark for placed in survey.marks if placed.mark.index <= commit]


def marked_snapshots(survey: Survey) -> Iterator[SnapFile]:
    """The files that etcd would start from, readable and marked in the log, newest first."""
    marked = {(mark.term, mark.index) for mark in live_marks(survey)}
    for snap in survey.snaps:
        if snap.is_usable and (snap.term or 0, snap.index or 0) in marked:
            yield snap


def marked_indexes(survey: Survey) -> set[int]:
    """Indexes of those snapshots."""
    return {snap.index or 0 for snap in marked_snapshots(survey)}


def newest_start(survey: Survey) -> int:
    """Index of the snapshot that etcd would start from, or 0."""
    return max(marked_indexes(survey), default=0)


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
