"""Markers that stood in what a log has lost, found again by the member's own snapshot files.

etcd takes no snapshot file that its log does not mark, and a marker is also what makes a gap legal:
a follower that was sent a snapshot has none of the entries that it covers. The file itself is the
proof that there was a marker, or was about to be: it is written first.
"""

from collections.abc import Sequence

from walctl.datadir.survey import Survey
from walctl.inspect.agreement import term_at
from walctl.model.record import SnapshotMark
from walctl.repair.graft import Insert
from walctl.repair.seams import Seam


def bridge(survey: Survey, index: int, seam: Seam) -> int | None:
    """The newest snapshot file between `index` and what is behind a seam: it may have come from a
    leader in place of the entries that it covers."""
    for snap in survey.snaps:
        if snap.is_usable and index <= (snap.index or 0) < (seam.behind or 0):
            return snap.index
    return None


def behind_snapshot(survey: Survey, other: Survey) -> int | None:
    """The first index behind a snapshot file beyond the log at which another log goes on."""
    for snap in survey.snaps:
        index = snap.index or 0
        is_beyond = snap.is_usable and index > (survey.last_index or 0)
        if is_beyond and term_at(other, index) == snap.term:
            return index + 1
    return None


def add_marks(survey: Survey, inserts: Sequence[Insert]) -> None:
    """Give each seam the markers that stood there, ascending."""
    there = {(placed.mark.term, placed.mark.index) for placed in survey.marks}
    has_conf = any(each.mark.conf_state for each in survey.marks if each.mark.index)
    for snap in reversed(survey.snaps):
        index, term = snap.index or 0, snap.term or 0
        # Of what a purge took away, the markers are rightly gone.
        is_held = index >= (survey.log.first or 1) - 1
        insert = _place_of(index, inserts) if is_held else None
        if not snap.is_usable or (term, index) in there or insert is None:
            continue
        fill = next((each for each in insert.fills if each.first <= index <= each.last), None)
        source = fill.peer.survey if fill is not None else survey
        if term_at(source, index) in (term, None):
            # etcd 3.4 writes markers without the membership.
            conf = snap.conf_state if has_conf or not there - {(0, 0)} else None
            insert.marks.append(SnapshotMark(index=index, term=term, conf_state=conf))
    for insert in inserts:
        insert.marks.sort(key=lambda mark: mark.index)


def _place_of(index: int, inserts: Sequence[Insert]) -> Insert | None:
    """The first place behind entry `index` at which something was lost; `None` where the new log
    does not reach it."""
    for insert in inserts:
        seam = insert.seam
        if seam.behind is not None and index < seam.behind:
            return insert
        if index <= max([seam.reached, *(fill.last for fill in insert.fills)]):
            return insert if seam.behind is None else None
    return None
