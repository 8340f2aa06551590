"""Where a log begins and ends, moved: cut-after and drop-before, as plans (see `surgery`)."""

from collections.abc import Iterator
from dataclasses import replace

from walctl.datadir.chain import Segment
from walctl.errors import CorruptionError, RefusedError, UsageError
from walctl.inspect.start_points import snap_index
from walctl.model.finding import Code, Finding
from walctl.model.log import Run
from walctl.model.record import HardState
from walctl.repair.case import Case
from walctl.repair.certificate import witnessed
from walctl.repair.edit import plan_of_steps
from walctl.repair.newlog import Chain
from walctl.repair.operable import demand_lawful, demand_start, highest_term, place_words, state_of
from walctl.repair.plan import WAL, Drop, Plan, PlanClass, Synthetic
from walctl.repair.rewrite import LogEdit, SegmentEdit, frames, rewritten
from walctl.repair.stamps import Sources
from walctl.repair.start_point import drop_plan, snapshot_obstacle
from walctl.repair.strategy import remove_step
from walctl.wal import names as wal_names
from walctl.wal.entry_frames import entry_offset


def cut_after(case: Case, index: int) -> Plan:
    """End the log behind entry `index`.

    What stood behind it may have been counted by a leader, or told to a client: the class says so.
    Markers of snapshots up to `index` are written once more when they stood behind the cut, and a
    closing hard state keeps the term and the vote: both may be needed, and neither may be undone.
    """
    cut = _Cut(case, index)
    cut.demand_possible()
    with case.sources() as sources:
        edit = cut.edit()
        steps = rewritten(
            case,
            sources,
            LogEdit(segments={cut.run.segment: edit}),
            reason="cut-after",
            words=f"ends behind entry {index}",
        )
    steps[0] = replace(steps[0], drops=tuple(cut.drops()), synthetic=tuple(cut.made()))
    steps += [
        remove_step(case.bound, f"{WAL}/{s.name.text}", reason="cut-after", words="lies behind it")
        for s in case.seen.segments[cut.position + 1 :]
    ]
    return plan_of_steps(
        case,
        "cut-after",
        steps,
        plan_class=_class_of_cut(case, index),
        summary=f"the log ends behind entry {index}",
        kept=index,
    )


class _Cut:
    """The place behind an entry, and what lies on either side of it."""

    def __init__(self, case: Case, index: int) -> None:
        run = case.seen.log.run_of(index)
        if run is None:
            raise UsageError(f"{case.bound.directory}: the log has no entry {index} to end behind")
        self.case = case
        self.index = index
        self.run: Run = run
        self.order = case.seen.order
        self.position = self.order[run.segment]
        with case.sources() as sources:
            self.stop, self.crc = _behind_entry(sources, self.segment, run, index)
        marks = case.seen.marks
        self.marks_behind = [e for e in marks if self._is_behind(e.segment, e.offset)]
        self.marks_in_front = [e for e in marks if not self._is_behind(e.segment, e.offset)]
        there = {each.mark for each in self.marks_in_front}
        wanted = dict.fromkeys(e.mark for e in self.marks_behind if e.mark.index <= index)
        self.marks_kept = [mark for mark in wanted if mark not in there]
        """Those that the shorter log still needs, since their snapshots lie in front of the cut."""

    @property
    def segment(self) -> Segment:
        """The one that will be the last."""
        return self.case.seen.segments[self.position]

    @property
    def state(self) -> HardState:
        """What the closing hard state has to say: nothing that is behind the cut is forgotten."""
        last = state_of(self.case)
        term = highest_term(self.case)
        # A vote belongs to its term; in a later one nobody has been voted for.
        vote = last.vote if last.term == term else 0
        return HardState(term=term, vote=vote, commit=min(last.commit, self.index))

    def edit(self) -> SegmentEdit:
        """The last segment up to the cut, and what is put behind it."""

        def append(chain: Chain) -> Chain:
            for mark in self.marks_kept:
                chain.mark(mark)
            return chain.state(self.state)

        return SegmentEdit(stop=self.stop, crc=self.crc, append=append)

    def demand_possible(self) -> None:
        """Refuse a cut that makes no sense, or whose result no server could use.

        Raises: UsageError, RefusedError, CorruptionError.
        """
        case, index, place = self.case, self.index, self.case.bound.directory
        demand_lawful(case)
        behind = [n for n in case.seen.named if self._is_behind(n.damage.segment, n.damage.start)]
        if index == case.seen.log.last and not behind and self.position == len(self.order) - 1:
            raise UsageError(f"{place}: the log ends behind entry {index} already")
        for finding in case.damage:
            if not self._is_mended_by_it(finding):
                raise CorruptionError(
                    f"{place_words(case, finding)}: {finding.code}: a cut behind entry {index} does"
                    " not take it away: see what walctl repair says of it first"
                )
        if case.seen.database_exists and not case.has_sound_database:
            raise RefusedError(f"{place}: nobody knows how far the database has applied the log")
        if case.applied > index:
            raise RefusedError(
                f"{place}: the database has applied entry {case.applied}: behind a log that ends"
                f" at {index} the server would pass over new entries up to there, without a word"
            )
        newest = max((snap_index(s) for s in case.seen.snaps if s.is_usable), default=0)
        if newest > index:
            raise RefusedError(
                f"{place}: there is a snapshot file of entry {newest}, which is behind {index}"
            )
        in_front = [each.mark for each in self.marks_in_front]
        beyond = max((mark.index for mark in in_front), default=0)
        if beyond > index:
            raise RefusedError(
                f"{place}: a marker in front of entry {index} names snapshot {beyond}: entries up"
                " to there were taken over from another member"
            )
        marks = [*in_front, *self.marks_kept]
        demand_start(case, marks, commit=self.state.commit, last=index)

    def drops(self) -> Iterator[Drop]:
        """What is not in the result: entries that count, markers, bytes that do not read."""
        for run in self.case.seen.log.live:
            if run.last > self.index:
                first = max(run.first, self.index + 1)
                yield Drop(
                    kind="entry",
                    count=run.last - first + 1,
                    first=first,
                    last=run.last,
                    term=run.term,
                )
        for placed in self.marks_behind:
            mark = placed.mark
            if mark.index > self.index:
                yield Drop(kind="snapshot", count=1, first=mark.index, term=mark.term)
        for named in self.case.seen.named:
            damage = named.damage
            if self._is_behind(damage.segment, damage.start) and not named.is_mended:
                yield Drop(kind="bytes", count=damage.stop - damage.start, is_readable=False)

    def made(self) -> Iterator[Synthetic]:
        """What is written that stood elsewhere, or nowhere."""
        for mark in self.marks_kept:
            words = f"marker of snapshot {mark.index}, which stood behind the cut"
            yield Synthetic(kind="snapshot", index=mark.index, term=mark.term, words=words)
        state = self.state
        words = f"hard state: term {state.term}, vote {state.vote:x}, commit {state.commit}"
        yield Synthetic(kind="state", index=state.commit, term=state.term, words=words)

    def _is_behind(self, segment: str, offset: int) -> bool:
        return (self.order.get(segment, 0), offset) >= (self.position, self.stop)

    def _is_mended_by_it(self, finding: Finding) -> bool:
        """Whether the cut takes a finding away, or an earlier edit left it on purpose."""
        if finding.code in (Code.COMMIT_BEYOND_LOG, Code.STATE_REGRESSION):
            return True
        place = finding.place
        if place.segment in self.order:
            return self._is_behind(place.segment, place.offset or 0)
        missing = wal_names.parse(place.segment or "")
        return missing is not None and missing.seq > self.segment.seq


def drop_before(case: Case, index: int) -> Plan:
    """Take away the segments that a start from snapshot `index` does not read."""
    segments = case.seen.segments
    position = wal_names.start_position([each.name for each in segments], index)
    if not position:
        raise UsageError(f"{case.bound.directory}: no segment lies before snapshot {index}")
    demand_lawful(case)
    obstacle = snapshot_obstacle(case, index, [each.name.text for each in segments[:position]])
    if obstacle is None:
        obstacle = _missed(case, index, position)
    if obstacle is not None:
        raise RefusedError(f"{case.bound.directory}: snapshot {index}: {obstacle}")
    return replace(drop_plan(case, index, position), strategy="drop-before")


def _missed(case: Case, index: int, position: int) -> str | None:
    """What of the segments in front the rest could not do without, whatever their names say."""
    gone = {each.name.text for each in case.seen.segments[:position]}
    for run in case.seen.log.live:
        if run.segment in gone and run.last > index:
            return f"entry {run.last} is in {run.segment}"
    if not case.seen.segments[position].digest.has_head:
        return f"{case.seen.segments[position].name.text} has no head to begin a log with"
    if case.seen.last_state is None or case.seen.last_state.segment in gone:
        return "no hard state stands behind it"
    return None


def _behind_entry(sources: Sources, segment: Segment, run: Run, index: int) -> tuple[int, int]:
    """Where the frame of an entry ends, and the checksum that it stores."""
    file = sources(f"{WAL}/{run.segment}")
    frame = next(frames(file, entry_offset(file, run, index), segment.digest.end))
    return frame.stop, frame.crc


def _class_of_cut(case: Case, index: int) -> PlanClass:
    """By the witnesses: what was acknowledged is lost, what was stored may be."""
    marked = max((placed.mark.index for placed in case.seen.marks), default=0)
    if max(case.seen.commit_max, case.applied, marked) > index:
        return PlanClass.LOSS_PROVEN
    return PlanClass.LOSS_POSSIBLE if witnessed(case) > index else PlanClass.FREE
