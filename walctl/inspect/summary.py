"""The figures of a member, and what of its log is lost; facts in a row, no verdict."""

from collections.abc import Iterator
from itertools import islice

from walctl.datadir.start import newest_start
from walctl.datadir.survey import Survey
from walctl.inspect.log_checks import entry_range
from walctl.inspect.report import Summary
from walctl.model.log import Gap

HOLES_TOLD_MAX = 20
"""Holes that are told of one by one."""
NOTHING = "nothing"
NOTHING_SEEN = "nothing that these files could tell of"


def summarise(seen: Survey) -> Summary:
    """The figures of a member."""
    metadata = seen.metadata[0].metadata if seen.metadata else None
    witness = seen.database
    stores = [snap.store for snap in seen.snaps if snap.is_usable and snap.store is not None]
    version = witness.cluster_version if witness is not None else None
    if version is None and stores:
        version = stores[0].cluster_version
    return Summary(
        segments=len(seen.segments),
        holes=sum(not seen.is_bridged(gap) for gap in seen.log.gaps()),
        records=seen.records,
        entries=seen.entries,
        bytes=seen.log_bytes,
        first_index=seen.log.first,
        last_index=seen.log.last,
        hard_state=seen.last_state.state if seen.last_state is not None else None,
        node_id=metadata.node_id if metadata is not None else None,
        cluster_id=metadata.cluster_id if metadata is not None else None,
        snapshots=tuple((s.index or 0, s.term or 0) for s in seen.snaps if s.is_usable),
        applied_index=witness.consistent_index if witness is not None else None,
        applied_term=witness.term if witness is not None else None,
        version=version,
    )


def lost_words(seen: Survey, *, is_clean: bool) -> str:
    """What of the log cannot be read, and whether the database has its effect.

    `nothing` only for a member with no finding; else the files may not show what is missing.
    """
    if not seen.segments:
        return NOTHING if is_clean else NOTHING_SEEN
    applied = seen.applied
    reaches = seen.last_index or 0
    parts = [(gap.first, gap.last) for gap in islice(_holes(seen), HOLES_TOLD_MAX)]
    first = seen.log.first
    if first is not None and first - 1 > newest_start(seen) and seen.layout.is_member:
        parts.insert(0, (1, first - 1))
    words = [f"the text of {entry_range(*part)}" for part in parts]
    words += [
        f"what stood at {named.damage.segment}:{named.damage.start}, and behind it"
        for named in seen.named
        if named.lost is not None and named.lost[1] is None and (applied or 0) <= reaches
    ]
    if applied is not None and applied > reaches:
        words.append(f"{entry_range(reaches + 1, applied)}, which the database has applied")
    beyond = max(reaches, applied or 0)
    if seen.last_state is not None and seen.last_state.state.commit > beyond:
        words.append(f"{entry_range(beyond + 1, seen.last_state.state.commit)}, once committed")
    if not words:
        return NOTHING if is_clean else NOTHING_SEEN
    return "; ".join(words) + _effect(parts, applied)


def _holes(seen: Survey) -> Iterator[Gap]:
    return (gap for gap in seen.log.gaps() if not seen.is_bridged(gap))


def _effect(parts: list[tuple[int, int]], applied: int | None) -> str:
    """Whether the database has applied the entries whose text is lost."""
    if not parts or applied is None:
        return ""
    is_one = len(parts) == 1 and parts[0][0] == parts[0][1]
    if applied >= parts[-1][1]:
        whose = "its" if is_one else "their"
        return f"; {whose} effect is in the database, which has applied {applied}"
    return f"; the database has applied only {applied}"
