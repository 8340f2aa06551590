"""surgery: single low-level edits of a log, each as a plan like any other.

For one who knows what he does, or whom a plan's options or a maintainer told. Nothing is done that
`apply` would not carry out: a plan, bound to hashes, with a certificate; consent where something
may be lost; backup, verification, undo. Rules that no verb breaks (contract P10, P11): payloads
stay as they are, terms and votes never go down, a vote is cleared only with a higher term, and a
checksum is made anew only over bytes that were verified or that the plan lists.

    set-commit          append a hard state with another commit
    bump-term           append a hard state with a higher term and no vote
    cut-after           end the log behind an entry (in `cutting`)
    drop-before         take away the segments in front of a snapshot (in `cutting`)
    add-marker          append a snapshot's marker
    drop-marker         leave a snapshot's marker out
    new-cluster-id      other metadata in every segment
    rewrite-membership  a forced new cluster with these members
    rechain             all checksums made anew

What makes no sense whatever the log holds raises UsageError; damage that an edit would build on,
CorruptionError; an edit from whose result no server could start, or that would make one pass over
writes in silence, RefusedError.
"""

from collections.abc import Sequence
from dataclasses import replace

from walctl.datadir.start import newest_start
from walctl.errors import CorruptionError, RefusedError, UsageError
from walctl.model.finding import Code
from walctl.model.record import HardState, SnapshotMark
from walctl.repair.case import Case
from walctl.repair.certificate import is_end_known, witnessed
from walctl.repair.edit import plan_of_append, plan_of_edit, plan_of_steps
from walctl.repair.forward import renewed
from walctl.repair.members_at import kept_members, marks_have_it
from walctl.repair.newlog import build_metadata
from walctl.repair.operable import (
    demand_start,
    demand_whole,
    highest_term,
    own_id,
    state_of,
)
from walctl.repair.plan import Drop, Plan, PlanClass, Step, Synthetic
from walctl.repair.rewrite import LogEdit, SegmentEdit
from walctl.repair.strategy import Place
from walctl.wal.forensics import Named

_OF_A_SNAPSHOT = frozenset({Code.DB_BEHIND, Code.DB_MISSING, Code.SNAPDB_MISSING})
"""Damage that a start from an older snapshot may do without."""
TERM_MAX = (1 << 63) - 1
"""Highest term that may be set: whoever campaigns adds one, and behind 2^64 - 1 comes 0."""


def set_commit(case: Case, index: int) -> Plan:
    """Say that entries up to `index` are committed: fewer than now, or more.

    Fewer loses nothing by itself, but is often a sign of loss, so the witnesses are told: where
    they know of entries that the log does not have, that loss is what the plan is classed by. More
    commits entries that a leader may still have replaced.
    """
    demand_whole(case, but={Code.COMMIT_BEYOND_LOG})
    state = state_of(case)
    low = newest_start(case.seen)
    high = case.seen.log.contiguous_from(low)
    if not low <= index <= high or index == state.commit:
        raise UsageError(
            f"{case.bound.directory}: expected a commit from {low} (snapshot) to {high} (log),"
            f" other than {state.commit}, found {index}"
        )
    marks = [placed.mark for placed in case.seen.marks]
    demand_start(case, marks, commit=index)
    words = f"commit {state.commit} becomes {index}"
    beyond = witnessed(case)
    if beyond > max(high, case.applied):
        plan_class = _class_alone(case, PlanClass.LOSS_POSSIBLE, PlanClass.LOSS_PROVEN)
        words += f"; entries {high + 1}–{beyond} are witnessed, and the log does not have them"
    elif index > max(state.commit, case.applied):
        plan_class = _class_alone(case, PlanClass.FREE, PlanClass.LOSS_POSSIBLE)
        words += "; entries that were not known to be committed count as such"
    else:
        plan_class = PlanClass.FREE
    plan = plan_of_append(
        case,
        "set-commit",
        lambda chain: chain.state(replace(state, commit=index)),
        Synthetic(kind="state", index=index, term=state.term, words=f"hard state: commit {index}"),
        plan_class=plan_class,
        summary=words,
    )
    if index < state.commit:
        return replace(plan, leaves=(Code.STATE_REGRESSION,))
    return plan


def bump_term(case: Case, term: int) -> Plan:
    """Raise the term, with no vote in it: what the member promised in older terms stays kept."""
    demand_whole(case)
    state, lowest = state_of(case), highest_term(case) + 1
    if not lowest <= term <= TERM_MAX:
        raise UsageError(
            f"{case.bound.directory}: expected a term from {lowest} to {TERM_MAX}, found {term}"
        )
    words = f"hard state: term {term}, no vote"
    return plan_of_append(
        case,
        "bump-term",
        lambda chain: chain.state(HardState(term=term, vote=0, commit=state.commit)),
        Synthetic(kind="state", index=state.commit, term=term, words=words),
        plan_class=PlanClass.FREE,
        summary=f"term {state.term} becomes {term}",
    )


def add_marker(case: Case, index: int) -> Plan:
    """Mark a snapshot at `index` at the end of the log, so that its file counts."""
    demand_whole(case)
    place, state = case.bound.directory, state_of(case)
    if not 0 < index <= state.commit:
        raise UsageError(f"{place}: expected an index from 1 to {state.commit}, found {index}")
    term = case.term_at(index)
    if term is None:
        raise RefusedError(f"{place}: the term of entry {index} is not proven")
    marks = [placed.mark for placed in case.seen.marks]
    for mark in marks:
        if mark.index == index and mark.term != term:
            raise RefusedError(
                f"{place}: the log marks snapshot {index} with term {mark.term}, and the entry has"
                f" term {term}: two markers of one index that differ keep every server from it"
            )
    if any((mark.index, mark.term) == (index, term) for mark in marks):
        raise UsageError(f"{place}: the log marks snapshot {index} of term {term} already")
    snap = next(
        (s for s in case.seen.snaps if s.is_usable and (s.index, s.term) == (index, term)), None
    )
    if snap is None:
        raise UsageError(
            f"{place}: there is no readable .snap file of entry {index} and term {term}"
        )
    conf = snap.conf_state if marks_have_it(case) else None
    mark = SnapshotMark(index=index, term=term, conf_state=conf)
    demand_start(case, [*marks, mark], commit=state.commit)
    words = f"marker of snapshot {index}"
    return plan_of_append(
        case,
        "add-marker",
        lambda chain: chain.mark(mark),
        Synthetic(kind="snapshot", index=index, term=term, words=words),
        plan_class=PlanClass.FREE,
        summary=f"the log marks snapshot {index} of term {term}",
    )


def drop_marker(case: Case, index: int) -> Plan:
    """Leave every marker of the snapshot at `index` out, so that its file does not count.

    A database that the snapshot needs and that is not there is a reason to do so.
    """
    demand_whole(case, but=_OF_A_SNAPSHOT)
    place, marks = case.bound.directory, case.seen.marks
    found = [placed for placed in marks if placed.mark.index == index]
    if not index or not found:
        raise UsageError(f"{place}: the log has no marker of a snapshot at {index} to drop")
    others = [placed.mark for placed in marks if placed.mark.index != index]
    demand_start(case, others, commit=state_of(case).commit)
    edits: dict[str, SegmentEdit] = {}
    for placed in found:
        before = edits.get(placed.segment, SegmentEdit())
        edits[placed.segment] = replace(before, without=before.without | {placed.offset})
    drop = Drop(kind="snapshot", count=len(found), first=index, term=found[0].mark.term)
    return plan_of_edit(
        case,
        "drop-marker",
        LogEdit(segments=edits),
        plan_class=PlanClass.FREE,
        summary=f"no record marks snapshot {index} any more; its file stays, and does not count",
        words="without the marker, or with checksums that follow from that",
        drops=(drop,),
    )


def new_cluster_id(case: Case, cluster_id: int | None) -> Plan:
    """Give the log another cluster's id (`None`: a new one), so that it meets no old member."""
    demand_whole(case)
    own = own_id(case)
    chosen = _chosen(case, cluster_id)
    made = Synthetic(kind="metadata", words=f"member {own:x} of cluster {chosen:x}")
    return plan_of_edit(
        case,
        "new-cluster-id",
        LogEdit(metadata=build_metadata(node_id=own, cluster_id=chosen)),
        plan_class=_class_alone(case, PlanClass.FREE, PlanClass.LOSS_POSSIBLE),
        summary=f"cluster {case.cluster_id or 0:x} becomes {chosen:x}",
        words="with other metadata, and checksums that follow from them",
        synthetic=(made,),
    )


def rewrite_membership(case: Case, keep: Sequence[int], *, cluster_id: int | None = None) -> Plan:
    """A forced new cluster of the members `keep` (none given: this one alone), from the database.

    Always under another cluster id (`None`: a new one), so that a member that was left out can
    never meet it; members that are to meet each other have to be given the same.
    """
    own = own_id(case)
    members = kept_members(case, frozenset(keep) or frozenset({own}))
    if isinstance(members, str):
        raise UsageError(f"{case.bound.directory}: {members}")
    chosen = _chosen(case, cluster_id)
    steps = renewed(case, members, cluster_id=chosen, strategy="rewrite-membership")
    if isinstance(steps, str):
        raise RefusedError(f"{case.bound.directory}: {steps}")
    names = ", ".join(f"{each.id:x}" for each in members.members)
    words = f"the only members are {names}, of cluster {chosen:x}"
    if len(members.members) > 1:
        words += f"; the others need the same edit, with --cluster-id {chosen:x}"
    kept = _kept_by(case, steps)
    plan_class = PlanClass.LOSS_POSSIBLE
    if max(case.seen.commit_max, case.applied) > kept:
        plan_class = PlanClass.LOSS_PROVEN
    elif case.is_sole_voter and witnessed(case) <= kept and is_end_known(case):
        plan_class = PlanClass.FREE
    return plan_of_steps(
        case,
        "rewrite-membership",
        steps,
        plan_class=plan_class,
        summary=words,
        kept=kept,
    )


def rechain(case: Case, over: Sequence[Place]) -> Plan:
    """Make every checksum anew. Records whose checksum fails are taken over only where `over`
    names them, by segment and offset; any other damage has to be repaired first."""
    listed = dict.fromkeys(over)
    found = {(n.damage.segment, n.damage.start): n for n in case.seen.named}
    for segment, offset in listed:
        named = found.get((segment, offset))
        if named is None:
            raise UsageError(f"{segment}:{offset}: no damage is there")
        if named.is_mended:
            raise CorruptionError(
                f"{segment}:{offset}: {named.code}: it is known which bit is wrong: walctl repair"
                " puts it right"
            )
        if named.code is not Code.CRC_MISMATCH:
            raise CorruptionError(
                f"{segment}:{offset}: expected a whole record that its checksum does not fit"
                f" (crc-mismatch), found {named.code}: see what walctl repair says of it"
            )
    demand_whole(case, places=listed)
    plan = plan_of_edit(
        case,
        "rechain",
        LogEdit(is_whole=True),
        plan_class=PlanClass.LOSS_POSSIBLE if listed else PlanClass.FREE,
        summary="every checksum is made anew, over the bytes as they are",
        words="with other checksums",
    )
    altered = tuple(_listed(found[place]) for place in listed)
    return replace(plan, steps=tuple(_told(step, altered) for step in plan.steps))


def _listed(named: Named) -> tuple[str, Synthetic]:
    damage = named.damage
    words = f"checksum over bytes at {damage.segment}:{damage.start} that nothing vouches for"
    return damage.segment, Synthetic(kind="checksum", words=words)


def _told(step: Step, altered: tuple[tuple[str, Synthetic], ...]) -> Step:
    """A step with those checksums that its segment was given over unverified bytes."""
    return replace(
        step, synthetic=tuple(made for segment, made in altered if step.file.endswith(segment))
    )


def _chosen(case: Case, cluster_id: int | None) -> int:
    """The cluster id to write. Raises: UsageError, for the one that it has, and for 0."""
    chosen = case.new_cluster_id() if cluster_id is None else cluster_id
    if not 0 < chosen < 1 << 64 or chosen == case.cluster_id:
        raise UsageError(
            f"{case.bound.directory}: expected a cluster id other than 0 and the one that it has"
            f" ({case.cluster_id or 0:x}), found {chosen:x}"
        )
    return chosen


def _class_alone(case: Case, alone: PlanClass, among_others: PlanClass) -> PlanClass:
    """A class that depends on whether others may have counted this member's entries and votes."""
    return alone if case.is_sole_voter else among_others


def _kept_by(case: Case, steps: Sequence[Step]) -> int:
    """The index up to which a result has everything, by what its steps say that they drop."""
    lost = [
        drop.first
        for step in steps
        for drop in step.drops
        if drop.kind == "entry" and not drop.kept_by and drop.first is not None
    ]
    return min([max(case.last, case.applied), *(first - 1 for first in lost)])
