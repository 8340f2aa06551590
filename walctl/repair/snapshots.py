"""The snapshot that a new log begins with: its `.snap` file, and the database with it.

A `.snap` holds the v2 store, in which etcd up to 3.6 looks for the members. Where the membership is
that of the newest readable file, that file's store is taken over as it is; else its members are
rewritten, or a store is made from nothing.
"""

from dataclasses import replace

from walctl.backend.membership import CLEARED, conf_state_row, member_rows
from walctl.errors import AccessError
from walctl.inspect.start_points import snap_index
from walctl.repair.case import Case
from walctl.repair.members_at import MembersAt
from walctl.repair.pieces import Literal, Rebuild, Row, composed
from walctl.repair.plan import SNAP, Step, Synthetic
from walctl.repair.stamps import Sources
from walctl.repair.strategy import remove_step, write_step
from walctl.snap import names as snap_names
from walctl.snap.reader import SnapFile, data_of
from walctl.snap.store import holds_user_keys
from walctl.snap.store_build import built_store, rewritten_store
from walctl.snap.writer import Snapshot, snap_bytes


def snapshot_steps(
    case: Case, sources: Sources, members: MembersAt, *, index: int, term: int, reason: str
) -> list[Step]:
    """The steps in `snap/` for a snapshot at (index, term) with these members."""
    steps = [_snap_step(case, sources, members, index=index, term=term, reason=reason)]
    for snap in case.seen.snaps:
        name = f"{SNAP}/{snap.name}"
        if snap_index(snap) > index and name in case.bound.files:
            words = f"the log that it belongs to is not there any more; it begins at {index} now"
            steps.append(remove_step(case.bound, name, reason=reason, words=words))
    if members.is_changed:
        steps.append(_database_step(case, sources, members, reason=reason))
    return steps


def _snap_step(
    case: Case, sources: Sources, members: MembersAt, *, index: int, term: int, reason: str
) -> Step:
    snapshot = Snapshot(
        index=index,
        term=term,
        conf_state=members.conf_state,
        data=store_bytes(case, members),
    )
    data = snap_bytes(snapshot)
    named = ", ".join(f"{each.id:x}" for each in members.members)
    step = write_step(
        case,
        sources,
        f"{SNAP}/{snap_names.format_name(term=term, index=index)}",
        (Literal(data=data),),
        len(data),
        reason=reason,
        words=f"the snapshot file of entry {index}, with the members {named}",
    )
    made = Synthetic(
        kind="snapshot-file", index=index, term=term, words=f"members: {members.source}"
    )
    return replace(step, synthetic=(made,))


def store_bytes(case: Case, members: MembersAt) -> bytes:
    """The v2 store for these members: the newest readable one, as it is where it has just these."""
    base = _newest(case)
    if base is None or base.store is None:
        return built_store(
            members.members, removed=members.removed, cluster_version=members.version
        )
    data = data_of(case.disk, base.path) or b""
    try:
        return rewritten_store(data, members.members, removed=members.removed)
    except ValueError as error:
        raise AccessError(f"{base.path}: {error}: changed meanwhile") from error


def holds_v2_keys(case: Case) -> bool:
    """Whether the newest readable store holds keys that clients of the v2 API wrote.

    These are in no database: what was written to them behind that snapshot is in the log alone.
    """
    base = _newest(case)
    return base is not None and holds_user_keys(data_of(case.disk, base.path) or b"")


def stored_index(case: Case) -> int:
    """The entry up to which the newest readable store has everything; 0 without one."""
    base = _newest(case)
    return (base.index or 0) if base is not None else 0


def _newest(case: Case) -> SnapFile | None:
    """The newest readable file that holds a v2 store."""
    return next((s for s in case.seen.snaps if s.is_usable and s.store is not None), None)


def _database_step(case: Case, sources: Sources, members: MembersAt, *, reason: str) -> Step:
    """The database with these members; all its keys stay."""
    edits = [*member_rows(members.members, removed=members.removed)]
    witness = case.seen.database
    if witness is not None and witness.conf_state is not None:
        edits.append(conf_state_row(members.conf_state))
    rows = tuple(Row(bucket=each.bucket, key=each.key, value=each.value) for each in edits)
    name = f"{SNAP}/db"
    pieces = (Rebuild(source=name, cleared=CLEARED, rows=rows),)
    size = sum(len(block) for block in composed(pieces, sources))
    return write_step(
        case,
        sources,
        name,
        pieces,
        size,
        reason=reason,
        words="a new database with the same keys, whose only members are those named here",
    )
