"""Healing: what is missing from a member's log, taken from the logs of other members.

What is put into a hole has to be what stood there, and there are two proofs of it:

    behind     an entry behind the hole is in the peer's log too, with the same term and payload:
               then both logs are the same in front of it (Log Matching), the hole included
    committed  both members know that the whole hole is committed: an index has one committed entry

In front of the hole the two must agree as well, by the entry there or by a snapshot's boundary;
where they do not, the lost bytes had replaced those entries, and the peer's are put in from there
on. Whatever both logs have is compared, and one entry with the same term and another content is
the end of it: one of the two is not to be trusted.

A hole with proof, in a log of which the end was seen and a hard state stands behind the hole, is
filled for nothing: the member has forgotten nothing. Where the end itself or the last hard state
is gone, something else is needed as well, namely that nobody can have counted what was forgotten:
see `cover`. Healing without that is offered, but it is not free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from walctl.datadir.survey import Survey
from walctl.fs.base import FileSystem
from walctl.inspect.agreement import (
    Agreement,
    Range,
    agreement,
    contiguous,
    contradictions,
    highest_term,
    joins,
    reach_of,
    shared,
)
from walctl.inspect.membership import is_foreign_database
from walctl.inspect.verify import Examination
from walctl.model.record import HardState, Metadata
from walctl.repair.cover import cover
from walctl.repair.graft import Fill, Graft, Insert
from walctl.repair.healed import step_of
from walctl.repair.lost_marks import add_marks, behind_snapshot, bridge
from walctl.repair.peers import Peer
from walctl.repair.plan import Bound, Drop, Step, Synthetic
from walctl.repair.seams import MISSING_MAX, Seam, seams_of, witnessed
from walctl.repair.stamps import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Entries `first..last` that were taken from the log of `peer`."""

    first: int
    last: int
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """A healed log, as steps on `wal/`.

    `last` is the last index that it has. `is_exact` says that the old log goes on behind what was
    filled from the very checksum that this gives, so that nothing else was lost there. `reasons`
    are why it is not free; `words` are the proof, most important first. `peers` are the bounds of
    those whose bytes the pieces name.
    """

    steps: tuple[Step, ...]
    drops: tuple[Drop, ...]
    filled: tuple[Filled, ...]
    synthetic: tuple[Synthetic, ...]
    last: int
    is_exact: bool
    is_free: bool
    reasons: tuple[str, ...]
    words: tuple[str, ...]
    peers: Mapping[str, Bound]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhealed:
    """Nothing that these peers hold can be put in; `reasons` say why, most important first."""

    reasons: tuple[str, ...]


class _StopError(Exception):
    """Healing is given up, for these reasons; never leaves this module."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(reasons)
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A peer that may help, and what its log has in common with our own."""

    peer: Peer
    agreement: Agreement


def heal(
    own: Examination,
    own_bound: Bound,
    peers: Sequence[Peer],
    disk: FileSystem,
    *,
    own_id: int | None = None,
) -> Healing | Unhealed:
    """Fill what is missing from a member's log with entries of `peers`, as far as it is proven.

    `own_id` is whose log it is, by the word of whoever asks; taken where the log does not say.

    Raises: AccessError, when a file changed or cannot be read.
    """
    try:
        return _Healer(own.survey, own_bound, disk, own_id, peers).healed(peers)
    except _StopError as stop:
        return Unhealed(reasons=stop.reasons)


class _Healer:
    """One member that is being healed."""

    def __init__(
        self,
        survey: Survey,
        bound: Bound,
        disk: FileSystem,
        own_id: int | None,
        peers: Sequence[Peer],
    ) -> None:
        self.survey = survey
        self.bound = bound
        self.disk = disk
        self.witnessed = witnessed(survey)
        self.metadata = _identity(survey, own_id, peers)
        self.seams = seams_of(survey)
        self.words: list[str] = []

    def healed(self, peers: Sequence[Peer]) -> Healing:
        """The healing. Raises: _StopError."""
        usable, flaws = _usable(self.metadata, peers)
        self._check_seams()
        known = [
            _Known(peer=peer, agreement=agreement(self.disk, self.survey, peer.survey))
            for peer in usable
        ]
        for each in known:
            self._check_agreement(each)
        inserts = [Insert(seam=seam) for seam in self.seams.found]
        for insert in inserts:
            if not insert.seam.is_end:
                insert.fills = self._hole(insert.seam, known)
        reasons = self._end(inserts, known, flaws) if self._is_open else []
        add_marks(self.survey, inserts)
        return self._result(inserts, usable, tuple(reasons))

    @property
    def _is_open(self) -> bool:
        """Whether something may have been forgotten that filling holes does not bring back."""
        return self.seams.end is not None or not self.seams.is_state_known

    # What speaks against it.

    def _check_seams(self) -> None:
        seams = self.seams.found
        if not seams:
            raise _StopError("nothing is missing from the log that another member could give")
        if self.survey.is_moving:
            raise _StopError("a server is at work on this member")
        if self.survey.misplaced:
            name = self.survey.misplaced[0].name.text
            raise _StopError(f"{name}: its name puts it in the wrong place; that comes first")
        taken = {segment.name.seq for segment in self.survey.segments}
        for seam in seams:
            if len(seam.missing) > MISSING_MAX:
                raise _StopError(f"more than {MISSING_MAX} segments are missing in one place")
            if taken.intersection(seam.missing):
                raise _StopError("two segments have one number")

    def _check_agreement(self, known: _Known) -> None:
        """Two logs of one cluster contradict each other only where one of them was changed, or
        where what was lost here had replaced the entries in front of it."""
        peer, seen = known.peer, known.agreement
        if peer.is_unnamed and not seen.anchor:
            raise _StopError(
                f"{peer.path}: names no cluster, and shares no entry with this member that would"
                " show that both are of one"
            )
        if seen.differs_at is not None:
            raise _StopError(
                f"{peer.path}: has another entry {seen.differs_at} than this member, of the same"
                " term: one of the two logs is not what it was"
            )
        committed = 0 if self.seams.end is not None else min(self._commit, peer.commit)
        for span in contradictions(self.survey, peer.survey, seen, committed=committed):
            if self._seam_of(span) is None:
                raise _StopError(
                    f"{peer.path}: has entry {span.first} with another term than this member,"
                    f" though both agree behind it or know it to be committed"
                )

    @cached_property
    def _commit(self) -> int:
        """Up to where this member itself knows entries to be committed."""
        applied = 0 if is_foreign_database(self.survey) else self.survey.applied or 0
        return max(self.survey.commit_max, applied)

    def _seam_of(self, span: Range) -> Seam | None:
        """The first seam behind our own entries of `span`: what was lost there replaced them."""
        run = self.survey.log.run_of(span.first)
        if run is None:
            return None
        position = self.survey.order[run.segment]
        for seam in self.seams.found:
            if (seam.position, _offset(self.survey, seam)) >= (position, run.stop):
                behind = seam.behind or 0
                is_next = behind == span.last + 1 or self.survey.log.run_of(span.last + 1) is None
                return seam if behind > span.last and is_next else None
        return None

    # Holes.

    def _hole(self, seam: Seam, known: Sequence[_Known]) -> list[Fill]:
        """Entries for a seam that the log goes on behind, each proven."""
        if seam.behind is None:
            return []
        fills: list[Fill] = []
        index = min([seam.reached + 1, *self._replaced(seam, known)])
        while index < seam.behind:
            fill, why = self._next_fill(index, seam, known)
            marked = bridge(self.survey, index, seam) if fill is None else None
            if marked is not None:
                index = marked + 1  # its marker goes there; see `add_marks`
                continue
            if fill is None:
                span = Range(first=index, last=seam.behind - 1)
                raise _StopError(f"entries {span} are missing, and no peer has them proven", *why)
            fills.append(fill)
            index = fill.last + 1
        return fills

    def _replaced(self, seam: Seam, known: Sequence[_Known]) -> list[int]:
        """Indexes of entries in front of a seam that what was lost there had replaced."""
        return [
            span.first
            for each in known
            for span in each.agreement.conflicts
            if self._seam_of(span) is seam
            and each.agreement.has(seam.behind or 0)
            and contiguous(each.peer.survey, span.first) >= (seam.behind or 0)
        ]

    def _next_fill(
        self, index: int, seam: Seam, known: Sequence[_Known]
    ) -> tuple[Fill | None, list[str]]:
        """The longest stretch from `index` on that one peer can prove, and why others cannot."""
        behind = seam.behind or 0
        best: Fill | None = None
        words, why = "", []
        for each in known:
            peer = each.peer
            reach = min(behind - 1, contiguous(peer.survey, index))
            if reach < index:
                why.append(f"{peer.path}: does not hold entry {index}")
                continue
            proof = self._proof(each, index, reach, behind)
            if proof is None:
                why.append(
                    f"{peer.path}: shares no entry behind {behind - 1} with this member, and does"
                    " not know with it that the entries between are committed"
                )
                continue
            if best is None or reach > best.last:
                best = Fill(peer=peer, first=index, last=reach)
                words = f"entries {Range(first=index, last=reach)} from {peer.path}: {proof}"
        if best is not None:
            self.words.append(words)
        return best, why

    def _proof(self, known: _Known, first: int, last: int, behind: int) -> str | None:
        """Why entries `first..last` of a peer are those that stood here; `None`: not proven."""
        survey = known.peer.survey
        whole = contiguous(survey, first)
        if known.agreement.has(behind) and whole >= behind:
            at = min(whole, known.agreement.anchor)
            return f"both logs have the same entries behind the hole, up to {at}"
        if last <= min(self._commit, known.peer.commit) and whole == survey.log.last:
            return f"both members know entry {last} to be committed"
        return None

    # The end.

    def _end(
        self, inserts: list[Insert], known: Sequence[_Known], flaws: Sequence[str]
    ) -> list[str]:
        """The lost end of the log and the hard state; why it is not free (nothing: it is)."""
        end = self.seams.end
        last = self.survey.last_index or 0
        open_since = [last + 1, *(seam.reached + 1 for seam in self.seams.found[-1:])]
        open_since += [
            span.first
            for each in known
            for span in each.agreement.conflicts
            if span.first > each.agreement.anchor
        ]
        found = cover(
            self.metadata.node_id or 0,
            [each.peer for each in known],
            first_lost=min(open_since),
            witnessed=self.witnessed,
        )
        counted = [each for each in known if each.peer in found.counted] or list(known)
        best = max(counted, key=lambda each: (each.peer.reach, -(each.peer.survey.log.first or 0)))
        self._check_among(best, counted)
        insert = inserts[-1]
        if end is not None:
            insert.fills = self._tail(best)
            last = max([last, *(fill.last for fill in insert.fills)])
            if last < self.witnessed:
                raise _StopError(
                    f"{best.peer.path}: its log ends at {best.peer.last}, before entry"
                    f" {self.witnessed} that this member knows of"
                )
        else:
            # No fill at the end, but a hard state behind everything.
            position = len(self.survey.segments) - 1
            items = self.survey.segments[position].digest.items
            seam = Seam(position=position, item=len(items), reached=last, is_end=True)
            insert = Insert(seam=seam)
            inserts.append(insert)
        insert.state = self._state([each.peer for each in counted], last)
        if found.words:
            self.words.append(found.words)
        return [*found.reasons, *(flaws if found.reasons else ())]

    def _check_among(self, best: _Known, counted: Sequence[_Known]) -> None:
        """The peers that are counted must not contradict the one that is followed."""
        for each in counted:
            if each is best:
                continue
            logs = best.peer.survey, each.peer.survey
            seen = agreement(self.disk, *logs)
            committed = min(best.peer.commit, each.peer.commit)
            bad = [span.first for span in contradictions(*logs, seen, committed=committed)]
            at = seen.differs_at if seen.differs_at is not None else min(bad, default=None)
            if at is not None:
                raise _StopError(
                    f"{best.peer.path} and {each.peer.path} have different entries {at}: one of"
                    " the two logs is not what it was"
                )

    def _tail(self, best: _Known) -> list[Fill]:
        """What the best log has behind the last entry that both agree on."""
        peer, own = best.peer, self.survey
        if reach_of(own) >= peer.reach:
            return []
        last = own.last_index or 0
        later = [each for each in best.agreement.conflicts if each.first > best.agreement.anchor]
        first = min([last + 1, *(span.first for span in later)])
        if first <= min(last, self._commit):
            raise _StopError(
                f"{peer.path}: has another entry {first} than this member, which knows it to be"
                " committed"
            )
        if not joins(own, peer.survey, first - 1):
            first = behind_snapshot(own, peer.survey) or first
        if not joins(own, peer.survey, first - 1) and first <= last + 1:
            raise _StopError(
                f"{peer.path}: cannot be joined to this log: it has nothing at index {first - 1}"
                f" with the term that this member has there (its log begins with entry"
                f" {peer.survey.log.first})"
            )
        if contiguous(peer.survey, first) < peer.last:
            raise _StopError(f"{peer.path}: has a gap behind entry {first - 1}")
        span = Range(first=first, last=peer.last)
        self.words.append(f"entries {span} from {peer.path}, which agrees with all in front")
        if first <= last:
            self.words.append(
                f"entries {Range(first=first, last=last)} of this member were never committed:"
                f" the log of {peer.path} is kept to from {first} on"
            )
        return [Fill(peer=peer, first=first, last=peer.last)]

    def _state(self, counted: Sequence[Peer], last: int) -> HardState:
        """The last hard state; see `cover` for why it is safe."""
        own = self.survey.last_state.state if self.survey.last_state is not None else None
        term = max([highest_term(self.survey), *(peer.term for peer in counted)])
        commit = max([self._commit, *(peer.commit for peer in counted)])
        is_kept = own is not None and own.term == term and own.vote != 0
        vote = own.vote if own is not None and is_kept else self.metadata.node_id or 0
        return HardState(term=term, vote=vote, commit=min(commit, last))

    def _result(
        self, inserts: list[Insert], usable: Sequence[Peer], reasons: tuple[str, ...]
    ) -> Healing:
        bounds = {"": self.bound, **{peer.name: peer.bound for peer in usable}}
        with Sources(self.disk, bounds) as sources:
            graft = Graft(self.survey, sources, self.metadata.raw, inserts).run()
            self._check_result(graft, [fill for insert in inserts for fill in insert.fills])
            steps = tuple(
                step_of(written, self.survey, self.bound, sources)
                for written in graft.written
                if written.is_changed
            )
        fills = [fill for insert in inserts for fill in insert.fills]
        holes = [insert for insert in inserts if not insert.seam.is_end]
        is_exact = bool(holes) and len(holes) == len(inserts) and all(i.is_exact for i in holes)
        if is_exact:
            self.words.append("the checksums behind go on from what is put in: nothing else is new")
        used = {fill.peer.name for fill in fills}
        return Healing(
            steps=steps,
            drops=tuple(drop for step in steps for drop in step.drops),
            filled=tuple(
                Filled(first=fill.first, last=fill.last, peer=fill.peer.name) for fill in fills
            ),
            synthetic=tuple(each for step in steps for each in step.synthetic),
            last=graft.log.last or 0,
            is_exact=is_exact,
            is_free=not reasons,
            reasons=reasons,
            words=tuple(self.words),
            peers={peer.name: peer.bound for peer in usable if peer.name in used},
        )

    def _check_result(self, graft: Graft, fills: Sequence[Fill]) -> None:
        """The new log has no gap that nothing bridges, no term that falls, and reaches as far as
        any witness."""
        log = graft.log
        for before, after in pairwise(log.live):
            if after.first > before.last + 1 and not graft.is_bridged(after):
                span = Range(first=before.last + 1, last=after.first - 1)
                raise _StopError(f"entries {span} would still be missing from the log")
            if after.term < before.term:
                raise _StopError(
                    f"entry {after.first} would have term {after.term} behind one of {before.term}"
                )
        for fill in fills:
            for one, other, span in shared(log, fill.peer.survey.log):
                is_in_front = contiguous(fill.peer.survey, span.first) >= fill.first
                if one.term != other.term and span.first < fill.first and is_in_front:
                    raise _StopError(
                        f"{fill.peer.path}: has entry {span.first} with another term than this"
                        f" member, in front of entry {fill.first} that it would give"
                    )
        if max(log.last or 0, self.survey.last_index or 0) < self.witnessed:
            raise _StopError(f"the log would end before entry {self.witnessed}")


def _identity(survey: Survey, said_id: int | None, peers: Sequence[Peer]) -> Metadata:
    """Whose log it is; `said_id` where it names nobody, or where no metadata of it can be read and
    none of its peers' logs names anybody either. Raises: _StopError."""
    found = {placed.metadata for placed in survey.metadata}
    if not found and said_id and all(peer.is_unnamed for peer in peers):
        found = {placed.metadata for peer in peers for placed in peer.survey.metadata}
    metadata = next(iter(found)) if len(found) == 1 else None
    if metadata is not None and not metadata.raw and said_id:
        return replace(metadata, node_id=said_id)
    if metadata is None or not metadata.node_id or not metadata.cluster_id:
        raise _StopError("the log does not say, or says twice, which member of which cluster it is")
    return metadata


def _usable(own: Metadata, peers: Sequence[Peer]) -> tuple[list[Peer], list[str]]:
    """The peers whose logs are whole, and what is wrong with the others.

    A directory of another cluster or of the same member is a mistake, and nothing is done then.
    Raises: _StopError.
    """
    seen: dict[int, Peer] = {}
    for peer in peers:
        if peer.node_id is None or (peer.cluster_id is None and not peer.is_unnamed):
            raise _StopError(f"{peer.path}: does not say whose log it is")
        if peer.cluster_id != own.cluster_id:
            raise _StopError(
                f"{peer.path}: is of cluster {peer.cluster_id or 0:x}, this member of"
                f" {own.cluster_id or 0:x}"
            )
        if peer.node_id == own.node_id:
            raise _StopError(f"{peer.path}: is the same member, {peer.node_id:x}: no other voice")
        other = seen.setdefault(peer.node_id, peer)
        if other is not peer:
            raise _StopError(f"{other.path} and {peer.path} are both of member {peer.node_id:x}")
    flaws = {peer.name: peer.flaw for peer in peers}
    usable = [peer for peer in peers if flaws[peer.name] is None]
    words = [flaw for flaw in flaws.values() if flaw is not None]
    if not usable:
        raise _StopError(*(words or ["no other member's directory is given"]))
    return usable, words


def _offset(survey: Survey, seam: Seam) -> int:
    """Where a seam stands in its segment."""
    items = survey.segments[seam.position].digest.items
    if seam.missing:
        return 0
    if seam.item >= len(items):
        return survey.segments[seam.position].digest.size
    item = items[seam.item]
    return item.span.start if hasattr(item, "span") else item.start
