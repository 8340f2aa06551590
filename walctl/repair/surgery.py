"""surgery: single low-level edits of a log, each as a plan like any other.

For one who knows what he does, or whom a plan's options or a maintainer told. Nothing is done that
`apply` would not carry out: a plan, bound to hashes, with a certificate; consent where something
may be lost; backup, verification, undo. Rules that no verb breaks (contract P10, P11): payloads
stay as they are, terms and votes never go down, a vote is cleared only with a higher term, and a
checksum is made anew only over bytes that were verified or that the plan lists.

    set-commit          append a hard state with another commit
    bump-term           append a hard state with a higher term and no vote
    cut-after           end the log behind an entry
    drop-before         take away the segments in front of a snapshot
    add-marker          append a snapshot's marker
    drop-marker         leave a snapshot's marker out
    new-cluster-id      other metadata in every segment
    rewrite-membership  a forced new cluster with these members
    rechain             all checksums made anew
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from walctl.datadir.chain import Segment
from walctl.errors import UsageError
from walctl.inspect.start_points import newest_start
from walctl.model.finding import Code
from walctl.model.record import HardState, SnapshotMark
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, witnessed
from walctl.repair.forward import renewed
from walctl.repair.frames import entry_offset
from walctl.repair.members_at import kept_members, members_at
from walctl.repair.newlog import Chain, build_metadata
from walctl.repair.plan import WAL, Drop, Plan, PlanClass, Step, Synthetic
from walctl.repair.rewrite import LogEdit, SegmentEdit, frames, rewritten
from walctl.repair.stamps import Sources
from walctl.repair.start_point import drop_plan, snapshot_obstacle
from walctl.repair.strategy import Place, remove_step
from walctl.repair.ways_out import accept_word
from walctl.wal import names as wal_names
from walctl.wal.forensics import Named
from walctl.wal.kernel import Halt


def set_commit(case: Case, index: int) -> Plan:
    """Say that entries up to `index` are committed: fewer than now, or more.

    Fewer loses nothing by itself, but is often a sign of loss, so the witnesses are told. More
    commits entries that a leader may still have replaced.
    """
    _demand_whole(case)
    state = _state(case)
    low, high = newest_start(case.seen), case.last
    if not low <= index <= high:
        raise UsageError(f"expected a commit from {low} (snapshot) to {high} (log), found {index}")
    more = index > max(state.commit, case.applied)
    plan = _appended(
        case,
        "set-commit",
        lambda chain: chain.state(replace(state, commit=index)),
        Synthetic(kind="state", index=index, term=state.term, words=f"commit {index}"),
        plan_class=_of_others(case) if more else PlanClass.FREE,
        summary=f"commit {state.commit} becomes {index}"
        + ("; entries that were not known to be committed count as such" if more else ""),
    )
    return replace(plan, leaves=(Code.STATE_REGRESSION,) if index < state.commit else ())


def bump_term(case: Case, term: int) -> Plan:
    """Raise the term, with no vote in it: what the member promised in older terms stays kept."""
    _demand_whole(case)
    state = _state(case)
    if term <= _highest_term(case):
        raise UsageError(f"expected a term above {_highest_term(case)}, found {term}")
    return _appended(
        case,
        "bump-term",
        lambda chain: chain.state(HardState(term=term, vote=0, commit=state.commit)),
        Synthetic(kind="state", index=state.commit, term=term, words=f"term {term}, no vote"),
        plan_class=PlanClass.FREE,
        summary=f"term {state.term} becomes {term}",
    )


def add_marker(case: Case, index: int) -> Plan:
    """Mark a snapshot at `index` at the end of the log, so that its file counts."""
    _demand_whole(case)
    state = _state(case)
    term = case.term_at(index)
    if term is None:
        raise UsageError(f"the term of entry {index} is not proven")
    if index > state.commit:
        raise UsageError(f"expected an index up to the commit, {state.commit}, found {index}")
    if not any(s.is_usable and (s.index, s.term) == (index, term) for s in case.seen.snaps):
        raise UsageError(f"there is no readable .snap file of entry {index} and term {term}")
    members = members_at(case, index)
    if isinstance(members, str):
        raise UsageError(members)
    conf = members.conf_state if members.marks_have_it else None
    mark = SnapshotMark(index=index, term=term, conf_state=conf)
    return _appended(
        case,
        "add-marker",
        lambda chain: chain.mark(mark),
        Synthetic(kind="snapshot", index=index, term=term, words=f"marker of snapshot {index}"),
        plan_class=PlanClass.FREE,
        summary=f"the log marks snapshot {index} of term {term}",
    )


def drop_marker(case: Case, index: int) -> Plan:
    """Leave every marker of the snapshot at `index` out, so that its file does not count."""
    _demand_whole(case)
    edits: dict[str, SegmentEdit] = {}
    found = [placed for placed in case.seen.marks if placed.mark.index == index]
    if not index or not found:
        raise UsageError(f"the log has no marker of a snapshot at {index} that could be dropped")
    others = [p.mark.index for p in case.seen.marks if p.mark.index != index]
    if not others:
        raise UsageError("it is the only marker: without one there is nothing to start from")
    for placed in found:
        before = edits.get(placed.segment, SegmentEdit())
        edits[placed.segment] = replace(before, without=before.without | {placed.offset})
    drop = Drop(kind="snapshot", count=len(found), first=index, term=found[0].mark.term)
    return _rewritten(
        case,
        "drop-marker",
        LogEdit(segments=edits),
        plan_class=PlanClass.FREE,
        summary=f"no record marks snapshot {index} any more; its file stays, and does not count",
        drops=(drop,),
    )


def cut_after(case: Case, index: int) -> Plan:
    """End the log behind entry `index`; term and vote are kept by a hard state behind it.

    What is cut may have been counted by a leader, or told to a client: the class says so.
    """
    seen = case.seen
    run = seen.log.run_of(index)
    if run is None:
        raise UsageError(f"the log has no entry {index} to end behind")
    if case.applied > index:
        raise UsageError(
            f"the database has applied {case.applied}: without entries {index + 1}–{case.applied}"
            " the server would pass over new ones with their indexes"
        )
    newest = max((placed.mark.index for placed in seen.marks), default=0)
    if newest > index:
        raise UsageError(f"the log marks a snapshot at {newest}, which is beyond {index}")
    end = (_order(case, run.segment), run.stop)
    if any((_order(case, n.damage.segment), n.damage.start) < end for n in seen.named):
        raise UsageError("there is damage in front of where that entry ends: repair it first")
    state = _state(case)
    closing = replace(state, term=max(state.term, run.term), commit=min(state.commit, index))
    position = _order(case, run.segment)
    with case.sources() as sources:
        stop, crc = _behind_entry(sources, seen.segments[position], run.segment, index, case)
        edit = SegmentEdit(stop=stop, crc=crc, append=lambda chain: chain.state(closing))
        steps = rewritten(
            case,
            sources,
            LogEdit(segments={run.segment: edit}),
            reason="cut-after",
            words=f"ends behind entry {index}",
        )
    steps += [
        remove_step(case.bound, f"{WAL}/{s.name.text}", reason="cut-after", words="is behind it")
        for s in seen.segments[position + 1 :]
    ]
    drops = tuple(
        Drop(
            kind="entry",
            count=each.last - max(each.first, index + 1) + 1,
            first=max(each.first, index + 1),
            last=each.last,
            term=each.term,
        )
        for each in seen.log.live
        if each.last > index
    )
    return _plan(
        case,
        "cut-after",
        [replace(steps[0], drops=drops), *steps[1:]] if steps else [],
        plan_class=_class_of_cut(case, index),
        summary=f"the log ends behind entry {index}",
        kept=index,
    )


def drop_before(case: Case, index: int) -> Plan:
    """Take away the segments that a start from snapshot `index` does not read."""
    names = [segment.name for segment in case.seen.segments]
    position = wal_names.start_position(names, index)
    if not position:
        raise UsageError(f"no segment lies before snapshot {index}")
    obstacle = snapshot_obstacle(case, index, [name.text for name in names[:position]])
    if obstacle is not None:
        raise UsageError(f"snapshot {index}: {obstacle}")
    return replace(drop_plan(case, index, position), strategy="drop-before")


def new_cluster_id(case: Case, cluster_id: int | None) -> Plan:
    """Give the log another cluster's id (`None`: a new one), so that it meets no old member."""
    _demand_whole(case)
    own = _own(case)
    chosen = case.new_cluster_id() if cluster_id is None else cluster_id
    if chosen == case.cluster_id or not 0 < chosen < 1 << 64:
        raise UsageError(f"expected another cluster id than {case.cluster_id or 0:x}")
    raw = build_metadata(node_id=own, cluster_id=chosen)
    return _rewritten(
        case,
        "new-cluster-id",
        LogEdit(metadata=raw),
        plan_class=PlanClass.FREE if case.is_sole_voter else PlanClass.LOSS_POSSIBLE,
        summary=f"cluster {case.cluster_id or 0:x} becomes {chosen:x}",
        synthetic=Synthetic(kind="metadata", words=f"member {own:x} of cluster {chosen:x}"),
    )


def rewrite_membership(
    case: Case, keep: Sequence[int], *, cluster_id: int | None = None, keeps_cluster: bool = False
) -> Plan:
    """A forced new cluster of the members `keep` (none given: this one alone), from the database.

    By default under a new cluster id, so that a member that was left out can never meet it.
    """
    own = _own(case)
    members = kept_members(case, frozenset(keep) or frozenset({own}))
    if isinstance(members, str):
        raise UsageError(members)
    chosen = case.cluster_id if keeps_cluster else (cluster_id or case.new_cluster_id())
    steps = renewed(case, members, cluster_id=chosen or 0, strategy="rewrite-membership")
    if isinstance(steps, str):
        raise UsageError(steps)
    names = ", ".join(f"{each.id:x}" for each in members.members)
    plan = _plan(
        case,
        "rewrite-membership",
        list(steps),
        plan_class=PlanClass.LOSS_POSSIBLE,
        summary=f"the only members are {names}, of cluster {chosen or 0:x}",
        kept=max(case.applied, case.last),
    )
    return replace(plan, accept=accept_word(case))


def rechain(case: Case, over: Sequence[Place]) -> Plan:
    """Make every checksum anew. Records whose checksum fails are taken over only where `over`
    names them, by segment and offset; any other damage has to be repaired first."""
    listed = set(over)
    for named in case.seen.named:
        place = (named.damage.segment, named.damage.start)
        if place not in listed:
            raise UsageError(
                f"{place[0]}:{place[1]}: {named.code}: name it with --over, or repair it first"
            )
        if named.damage.halt is not Halt.CRC:
            raise UsageError(f"{place[0]}:{place[1]}: {named.code}: no whole record stands there")
    missing = listed - {(n.damage.segment, n.damage.start) for n in case.seen.named}
    for segment, offset in sorted(missing):
        raise UsageError(f"{segment}:{offset}: no damage is there")
    altered = [_listed(named) for named in case.seen.named]
    plan = _rewritten(
        case,
        "rechain",
        LogEdit(is_whole=True),
        plan_class=PlanClass.LOSS_POSSIBLE if altered else PlanClass.FREE,
        summary="every checksum is made anew, over the bytes as they are",
    )
    if not plan.steps:
        return plan
    first = replace(plan.steps[0], synthetic=(*plan.steps[0].synthetic, *altered))
    return replace(plan, steps=(first, *plan.steps[1:]))


def _listed(named: Named) -> Synthetic:
    damage = named.damage
    return Synthetic(
        kind="checksum",
        words=f"over bytes at {damage.segment}:{damage.start} that no checksum vouches for",
    )


def _demand_whole(case: Case) -> None:
    """Refuse to append behind, or to write anew, what does not read."""
    if case.seen.named:
        damage = case.seen.named[0].damage
        code = case.seen.named[0].code
        raise UsageError(f"{damage.segment}:{damage.start}: {code}: repair the log first")
    if not case.seen.segments or not case.seen.log.live:
        raise UsageError("there is no log to edit")


def _own(case: Case) -> int:
    if not case.is_etcd or case.membership.own_id is None:
        raise UsageError("the log does not say in etcd's way whose it is")
    return case.membership.own_id


def _state(case: Case) -> HardState:
    placed = case.seen.last_state
    if placed is None:
        raise UsageError("the log has no hard state")
    return placed.state


def _highest_term(case: Case) -> int:
    terms = [run.term for run in case.seen.runs]
    return max([_state(case).term, *terms])


def _of_others(case: Case) -> PlanClass:
    return PlanClass.FREE if case.is_sole_voter else PlanClass.LOSS_POSSIBLE


def _class_of_cut(case: Case, index: int) -> PlanClass:
    if max(case.seen.commit_max, case.applied) > index:
        return PlanClass.LOSS_PROVEN
    return PlanClass.LOSS_POSSIBLE if witnessed(case) > index else PlanClass.FREE


def _order(case: Case, segment: str) -> int:
    names = [each.name.text for each in case.seen.segments]
    return names.index(segment) if segment in names else len(names)


def _behind_entry(
    sources: Sources, segment: Segment, name: str, index: int, case: Case
) -> tuple[int, int]:
    """Where the frame of an entry ends, and the checksum that it stores."""
    run = case.seen.log.run_of(index)
    assert run is not None, "the caller has looked for it"
    file = sources(f"{WAL}/{name}")
    offset = entry_offset(file, run, index)
    frame = next(frames(file, offset, segment.digest.end))
    return frame.stop, frame.crc


def _appended(
    case: Case,
    verb: str,
    append: Callable[[Chain], Chain],
    synthetic: Synthetic,
    *,
    plan_class: PlanClass,
    summary: str,
) -> Plan:
    """A plan that only puts a record behind the last one."""
    final = case.seen.segments[-1].name.text
    edit = LogEdit(segments={final: SegmentEdit(append=append)})
    return _rewritten(case, verb, edit, plan_class=plan_class, summary=summary, synthetic=synthetic)


def _rewritten(
    case: Case,
    verb: str,
    edit: LogEdit,
    *,
    plan_class: PlanClass,
    summary: str,
    synthetic: Synthetic | None = None,
    drops: tuple[Drop, ...] = (),
) -> Plan:
    with case.sources() as sources:
        steps = rewritten(case, sources, edit, reason=verb, words=summary)
    if steps:
        made = () if synthetic is None else (synthetic,)
        steps[0] = replace(steps[0], synthetic=made, drops=drops)
    kept = max(case.last, case.applied)
    return _plan(case, verb, steps, plan_class=plan_class, summary=summary, kept=kept)


def _plan(
    case: Case,
    verb: str,
    steps: list[Step],
    *,
    plan_class: PlanClass,
    summary: str,
    kept: int,
) -> Plan:
    return Plan(
        bound=case.bound,
        plan_class=plan_class if steps else PlanClass.NOTHING,
        strategy=verb,
        summary=summary,
        steps=tuple(steps),
        certificate=certificate(case, kept=kept, words=()),
        accept=accept_word(case) if plan_class.needs_consent else None,
        verify_status=case.report.exit_status,
    )
