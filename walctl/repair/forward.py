"""Fast-forward to the database: the log goes on behind what the database has applied (P16).

A database that has applied entry A holds the effect of every entry up to A. Where nothing that was
acknowledged is beyond A but what can still be read, the log in front of A is needed by nobody but
slow followers: a new log begins with a marker at A, and what can be read beyond A is appended with
its checksums made anew. A start then finds a snapshot at A (marker and `.snap` file with the
membership as of A), a database that has applied A, and the entries behind it.

    segment 0   crc 0, metadata, snapshot (0,0), snapshot (A, term of A, membership),
                entries A+1 … last as they are, hard state (term, vote, max(commit, A))

It needs the term of entry A, the membership as of A, a database whose pages check, and no hole
beyond A. It is free only when the end of the log was seen. The same is done for the last survivor,
who has to give up its cluster: there the marker, the `.snap` file, the database and the metadata
say that it is alone in a new cluster, so that no member of the old one can meet it (P6).

Tried on real etcd 3.5: a directory with a zeroed page, on which a plain start times out on every
put, serves and takes writes after it, with the same key space.
"""

from dataclasses import dataclass, replace

from formats.walpb import RecordType
from walctl.inspect.weigh import AGAINST_RAFT
from walctl.model.log import Run
from walctl.model.record import HardState, SnapshotMark
from walctl.repair.case import Case
from walctl.repair.certificate import certificate, is_end_known, witnessed
from walctl.repair.doubt import Position, has_missing_segment, may_hide_overwriting, unvouched
from walctl.repair.members_at import MembersAt, kept_members, members_at
from walctl.repair.newlog import Chain, build_metadata
from walctl.repair.pieces import Literal, Piece, Rechain, rechained
from walctl.repair.plan import (
    WAL,
    Drop,
    Plan,
    PlanClass,
    Step,
    Synthetic,
)
from walctl.repair.snapshots import snapshot_steps
from walctl.repair.stamps import Sources
from walctl.repair.strategy import remove_step, write_step
from walctl.repair.v2_keys import loses_v2_keys
from walctl.wal import names as wal_names
from walctl.wal.entry_frames import entry_offset
from walctl.wal.writer import SEGMENT_BYTES

STRATEGY = "fast-forward"
LAST_SURVIVOR = "last-survivor"
_KEPT_TYPES = (int(RecordType.ENTRY), int(RecordType.STATE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What the new log begins with: the applied index, its term, whose log it is, who is in it."""

    index: int
    term: int
    metadata: bytes | None
    members: MembersAt
    above: tuple[Run, ...]
    state: HardState


def fast_forward(case: Case) -> Plan | str:
    """The plan under the old identity, or why it cannot be made.

    Its class is always `free`: where the end of the log is gone there is none, for nobody knows
    what it would forget.
    """
    denied = sorted({finding.code for finding in case.damage} & AGAINST_RAFT)
    if denied:
        return f"{denied[0]}: a log that breaks Raft's rules is evidence, not to be written anew"
    base = _base(case)
    if isinstance(base, str):
        return base
    kept = max(base.index, case.last if base.above else 0)
    known = witnessed(case)
    if known > kept:
        return f"entry {known} is witnessed, and the database has only {base.index}"
    if not is_end_known(case):
        return "the end of the log is gone: entries behind the last readable one may be lost"
    steps = _steps(case, base, strategy=STRATEGY)
    return Plan(
        bound=case.bound,
        plan_class=PlanClass.FREE,
        strategy=STRATEGY,
        summary=(
            f"the log goes on behind entry {base.index}, which the database has applied; no"
            " acknowledged write is lost"
        ),
        steps=steps,
        certificate=certificate(
            case,
            kept=kept,
            words=(
                f"the database has applied {base.index} at term {base.term}, and its pages check",
                f"the last readable entry is {case.last}, and no hard state, snapshot or damaged"
                f" write is beyond {kept}",
                f"members as of {base.index}: {base.members.source}",
            ),
        ),
        verify_status=case.report.exit_status,
    )


def is_end_lost_only(case: Case) -> bool:
    """Whether a sole voter could go on from its database, but for what may have stood behind the
    end of its log."""
    base = _base(case)
    if isinstance(base, str) or not case.is_sole_voter:
        return False
    return witnessed(case) <= max(base.index, case.last if base.above else 0)


def last_survivor(case: Case) -> tuple[Step, ...] | str:
    """The steps that make this member the only one of a new cluster, or why it cannot be."""
    own = case.membership.own_id
    if own is None:
        return "the log does not say whose it is"
    members = kept_members(case, frozenset({own}))
    if isinstance(members, str):
        return members
    return renewed(case, members, cluster_id=case.new_cluster_id(), strategy=LAST_SURVIVOR)


def renewed(
    case: Case, members: MembersAt, *, cluster_id: int, strategy: str
) -> tuple[Step, ...] | str:
    """The steps of a forced new cluster of `members` from the database, or why it cannot be made.

    Entries beyond the database are kept up to the first hole or membership change. The term of the
    snapshot, where nobody knows it, is the highest that what follows allows: of the old cluster
    nobody is left to contradict.
    """
    if not case.is_etcd or not case.has_sound_database or not case.applied:
        return "it has no sound database that says what it has applied"
    own = case.membership.own_id
    if own is None or case.metadata is None:
        return "the log does not say whose it is"
    index = case.applied
    above = _until_change(case, _readable_above(case, index))
    terms = [run.term for run in case.seen.log.live]
    terms += [placed.mark.term for placed in case.seen.marks]
    state = case.seen.last_state.state if case.seen.last_state is not None else None
    witness = case.seen.database
    terms += [state.term if state is not None else 0, (witness.term if witness else 0) or 0]
    known = max(terms)
    term = case.term_at(index)
    last = above[-1].last if above else index
    commit = max(index, min(state.commit if state is not None else index, last))
    base = _Base(
        index=index,
        # Behind a term that is made up no older one may follow.
        term=term if term is not None else min([known, *(run.term for run in above)]),
        metadata=build_metadata(node_id=own, cluster_id=cluster_id),
        members=members,
        above=above,
        state=HardState(term=known + 1, vote=0, commit=commit),
    )
    return _steps(case, base, strategy=strategy)


def _base(case: Case) -> _Base | str:
    """What a new log would begin with under the old identity, or what is missing for it."""
    if not case.is_etcd:
        return "this is not etcd's log, or its records disagree on whose it is"
    if not case.has_sound_database or not case.applied:
        return "there is no sound database that says what it has applied"
    index = case.applied
    term = _proven_term(case, index)
    if term is None:
        return f"the term of entry {index}, which the database has applied, is not proven"
    above = case.runs_above(index)
    if above is None:
        return f"the log has a hole beyond entry {index}, which is all the database has"
    doubt = _doubt_above(case, above, index)
    if doubt is not None:
        return doubt
    members = members_at(case, index)
    if isinstance(members, str):
        return members
    if loses_v2_keys(case, index):
        return "clients of the v2 API have keys here, and only the log has what they wrote last"
    placed = case.seen.last_state
    if placed is not None and (placed.segment, placed.offset) in unvouched(case.seen):
        return "no checksum vouches for the last hard state: it stands right behind damage"
    old = placed.state if placed is not None else None
    last_term = max(term, above[-1].term if above else 0)
    if old is None or old.term < last_term:
        # A vote belongs to its term; in a later one nobody has been voted for.
        state = HardState(term=last_term, vote=0, commit=index)
    else:
        state = HardState(term=old.term, vote=old.vote, commit=max(old.commit, index))
    metadata = case.metadata
    return _Base(
        index=index,
        term=term,
        metadata=metadata.raw if metadata is not None else None,
        members=members,
        above=tuple(above),
        state=state,
    )


def _proven_term(case: Case, index: int) -> int | None:
    """The term of entry `index`, if neither another witness nor a hole leaves a doubt of it."""
    seen = case.seen
    term, run = case.term_at(index), seen.log.run_of(index)
    if run is None or term is None:
        return term
    if may_hide_overwriting(seen, index, run):
        # The entry that can be read may not be the one that was applied: the database knows.
        is_told = seen.database is not None and bool(seen.database.term)
        return term if is_told else None
    is_vouched = run.last > run.first or (run.segment, run.start) not in unvouched(seen)
    return term if term == run.term and is_vouched else None


def _doubt_above(case: Case, above: list[Run], index: int) -> str | None:
    """Why the entries beyond `index` are not proven to be those that stood there."""
    if not above:
        return None
    if _damage_from(case, above[0]) < _end_of(case, above[-1]):
        return f"there is damage beyond entry {index}, which is all the database has"
    seen = case.seen
    if has_missing_segment(seen, above[0].segment, above[-1].segment):
        return (
            f"a segment is missing beyond entry {index}, which is all the database has: it may have"
            " replaced entries that can be read"
        )
    is_first = above[0].first == index + 1
    if is_first and (above[0].segment, above[0].start) in unvouched(seen):
        return f"no checksum vouches for entry {index + 1}: it stands right behind damage"
    return None


def _damage_from(case: Case, run: Run) -> Position:
    """Where the first bytes that do not read stand from the beginning of `run` on; behind the log
    where all do."""
    order = case.seen.order
    begins = (order[run.segment], run.start)
    places = ((order[each.damage.segment], each.damage.start) for each in case.seen.named)
    return min((place for place in places if place >= begins), default=(len(order), 0))


def _end_of(case: Case, run: Run) -> Position:
    return case.seen.order[run.segment], run.stop


def _readable_above(case: Case, index: int) -> tuple[Run, ...]:
    """The live runs beyond `index`, up to the first hole or damage."""
    above = [run for run in case.seen.log.live if run.last > index]
    if not above:
        return ()
    damage = _damage_from(case, above[0])
    chosen: list[Run] = []
    reached = index
    for run in above:
        if run.first > reached + 1 or run.is_recovered or damage < _end_of(case, run):
            break
        chosen.append(run)
        reached = run.last
    return tuple(chosen)


def _until_change(case: Case, runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Runs in front of the first one that changes the membership."""
    changes = {placed.entry.index for placed in case.seen.conf_changes}
    kept: list[Run] = []
    for run in runs:
        if any(run.first <= index <= run.last for index in changes):
            break
        kept.append(run)
    return tuple(kept)


def _steps(case: Case, base: _Base, *, strategy: str) -> tuple[Step, ...]:
    """The new segment, the snapshot that it begins with, and what goes away."""
    name = f"{WAL}/{wal_names.format_name(seq=0, index=0)}"
    conf = base.members.conf_state
    mark = SnapshotMark(
        index=base.index, term=base.term, conf_state=conf if base.members.marks_have_it else None
    )
    head = Chain().checkpoint().metadata(base.metadata).mark(SnapshotMark(index=0, term=0))
    head.mark(mark)
    last = base.above[-1].last if base.above else base.index
    with case.sources() as sources:
        pieces, crc = _kept_frames(case, base, sources, head)
        closing = Chain(crc).state(replace(base.state, commit=min(base.state.commit, last)))
        pieces = (*pieces, Literal(data=closing.data))
        segment = write_step(
            case,
            sources,
            name,
            pieces,
            SEGMENT_BYTES,
            reason=strategy,
            words=_segment_words(case, base, last),
        )
        segment = replace(
            segment,
            size=max(SEGMENT_BYTES, segment.size),
            drops=tuple(_drops(case, base.index, last)),
            synthetic=(
                Synthetic(
                    kind="snapshot",
                    index=base.index,
                    term=base.term,
                    words="marker of the snapshot that the log begins with",
                ),
                Synthetic(
                    kind="state",
                    index=min(base.state.commit, last),
                    term=base.state.term,
                    words="hard state: the commit covers the snapshot",
                ),
            ),
        )
        others = [
            remove_step(
                case.bound,
                f"{WAL}/{each.name.text}",
                reason=strategy,
                words="the new log takes its place; its bytes stay in the backup",
            )
            for each in case.seen.segments
            if f"{WAL}/{each.name.text}" != name
        ]
        snapshots = snapshot_steps(
            case, sources, base.members, index=base.index, term=base.term, reason=strategy
        )
    return (segment, *others, *snapshots)


def _segment_words(case: Case, base: _Base, last: int) -> str:
    words = f"a new log that begins with snapshot {base.index} (term {base.term})"
    if base.above:
        words += f", and entries {base.index + 1}–{last} behind it as they are"
    if case.metadata is not None and base.metadata != case.metadata.raw:
        words += "; its metadata name another cluster, which no member of the old one can meet"
    return words


def _kept_frames(
    case: Case, base: _Base, sources: Sources, head: Chain
) -> tuple[tuple[Piece, ...], int]:
    """The head, and the frames beyond the base chained on from it; and the checksum then."""
    pieces: list[Piece] = [Literal(data=head.data)]
    crc = head.crc
    for segment, start, stop in _spans(base, sources):
        piece = Rechain(
            source=f"{WAL}/{segment}", start=start, stop=stop, types=_KEPT_TYPES, seed=crc
        )
        for _, running in rechained(piece, sources(piece.source)):
            crc = running
        pieces.append(piece)
    return tuple(pieces), crc


def _spans(base: _Base, sources: Sources) -> list[tuple[str, int, int]]:
    """Where the frames of the kept entries stand, one span a segment."""
    spans: dict[str, tuple[int, int]] = {}
    for run in base.above:
        start = run.start
        if run.first <= base.index:
            start = entry_offset(sources(f"{WAL}/{run.segment}"), run, base.index + 1)
        low, high = spans.get(run.segment, (start, run.stop))
        spans[run.segment] = (min(low, start), max(high, run.stop))
    return [(segment, *span) for segment, span in spans.items()]


def _drops(case: Case, index: int, last: int) -> list[Drop]:
    """The entries that the new log does not have: by run, with where their effect lives on."""
    drops = []
    for run in case.seen.log.live:
        if run.first <= index:
            final = min(run.last, index)
            drops.append(
                Drop(
                    kind="entry",
                    count=final - run.first + 1,
                    first=run.first,
                    last=final,
                    term=run.term,
                    kept_by="database",
                )
            )
        if run.last > last:
            first = max(run.first, last + 1)
            drops.append(
                Drop(
                    kind="entry",
                    count=run.last - first + 1,
                    first=first,
                    last=run.last,
                    term=run.term,
                )
            )
    for named in case.seen.named:
        if named.lost is not None:
            first, final_or_none = named.lost
            drops.append(
                Drop(
                    kind="entry",
                    count=0 if final_or_none is None else final_or_none - first + 1,
                    first=first,
                    last=final_or_none,
                    is_readable=False,
                    kept_by="database" if (final_or_none or first) <= index else "",
                )
            )
    return drops
