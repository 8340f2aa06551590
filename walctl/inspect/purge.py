"""What a running etcd's own purge would take away, told before it does; nothing is changed.

Every 30 seconds it removes the oldest names that end in `wal`, down to the number it may keep, and
likewise those that end in `snap` and in `snap.db`. A segment goes only when its lock is free, and
the first whose lock is held ends the round: a server holds the locks of every segment from the one
that its newest snapshot needs.

Source: etcd-data-dir notes 1.4, 1.5.
"""

from dataclasses import dataclass

from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.wal import names as wal_names
from walctl.wal.purge import KEPT, beyond, purgeable


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """The names that would go, oldest first.

    `held` are segments above the number to keep that stay all the same, since a start from
    snapshot `start` needs them or what stands behind them.
    """

    segments: tuple[str, ...]
    held: tuple[str, ...]
    snapshots: tuple[str, ...]
    databases: tuple[str, ...]
    start: int


def purge_preview(survey: Survey, *, max_wals: int = KEPT, max_snapshots: int = KEPT) -> Purge:
    """What the purge would remove from this member; both numbers are at least 1.

    Raises: UsageError.
    """
    start = newest_start(survey)
    names = [segment.name for segment in survey.segments]
    needed = wal_names.start_position(names, start)
    free = {name.text for name in names[: needed or 0]}
    # Whatever ends so is counted; what is no segment has no lock that a server holds.
    segments = {name for name in survey.wal_names if wal_names.parse(name) is not None}
    gone = purgeable(survey.wal_names, keep=max_wals, held=segments - free)
    return Purge(
        segments=tuple(gone),
        held=tuple(beyond(survey.wal_names, keep=max_wals)[len(gone) :]),
        snapshots=tuple(beyond(survey.snap_names, suffix="snap", keep=max_snapshots)),
        databases=tuple(beyond(survey.snap_names, suffix="snap.db", keep=max_snapshots)),
        start=start,
    )
