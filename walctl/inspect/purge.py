"""What a running etcd's own purge would take away, told before it does; nothing is changed.

Every 30 seconds it removes the oldest names that end in `wal`, down to the number it may keep, and
likewise those that end in `snap` and in `snap.db`. A segment goes only when its lock is free, and
the first whose lock is held ends the round: a server holds the locks of every segment from the one
that its newest snapshot needs.

Source: etcd-data-dir notes 1.4, 1.5.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from walctl.datadir.survey import Survey
from walctl.inspect.start_points import newest_start
from walctl.wal import names as wal_names

MAX_WALS = 5
MAX_SNAPSHOTS = 5
"""What etcd keeps unless it is told otherwise."""


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


def purge_preview(
    survey: Survey, *, max_wals: int = MAX_WALS, max_snapshots: int = MAX_SNAPSHOTS
) -> Purge:
    """What the purge would remove from this member; both numbers are at least 1."""
    start = newest_start(survey)
    names = [segment.name for segment in survey.segments]
    needed = wal_names.start_position(names, start)
    free = {name.text for name in names[: needed or 0]}
    # Whatever ends so is counted; what is no segment has no lock that a server holds.
    oldest = _beyond(survey.wal_names, "wal", max_wals)
    held_from = next(
        (
            position
            for position, name in enumerate(oldest)
            if name not in free and wal_names.parse(name) is not None
        ),
        len(oldest),
    )
    return Purge(
        segments=tuple(oldest[:held_from]),
        held=tuple(oldest[held_from:]),
        snapshots=tuple(_beyond(survey.snap_names, "snap", max_snapshots)),
        databases=tuple(_beyond(survey.snap_names, "snap.db", max_snapshots)),
        start=start,
    )


def _beyond(names: Iterable[str], suffix: str, count_max: int) -> list[str]:
    """The names with this end that are too many, oldest first; order is that of strings."""
    found = sorted(name for name in names if name.endswith(suffix))
    return found[: max(len(found) - count_max, 0)]
