"""Who belongs to the cluster as of an entry, by the log's membership changes on top of a base.

Two rooms know how a change is made, and both are asked: `machine.members` what etcd makes of it
(names, URLs, who was removed for ever, what is refused), `raft.confchange` what Raft does. etcd
hands Raft nothing of what it refuses. A change that is none of etcd's (raftexample has no JSON in
it) is Raft's alone, and what is then known of URLs and removed ids is not complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from formats.errors import FormatError
from formats.raftpb import CONF_CHANGE
from walctl.datadir.survey import Survey
from walctl.machine.members import Change, Membership, parse_change
from walctl.model.log import PlacedEntry
from walctl.model.member import Member
from walctl.model.record import ConfState, EntryKind
from walctl.raft.confchange import Changer, restored
from walctl.raft.errors import ConfChangeError, RaftPanic
from walctl.raft.tracker import Tracker
from walctl.raft.wire import parse_conf_change
from walctl.replay.values import log_conf_state, raft_conf_state, raft_entry
from walctl.snap.reader import SnapFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who belongs to the cluster as of entry `index`; members by ascending id.

    `is_told`: URLs and removed ids are known as completely as the ids.
    """

    index: int
    conf: ConfState = field(default_factory=ConfState)
    members: tuple[Member, ...] = ()
    removed: frozenset[int] = frozenset()
    is_told: bool = True

    @property
    def ids(self) -> frozenset[int]:
        """Everybody, voters and learners."""
        return voters_of(self.conf) | frozenset(self.conf.learners)


BEGINNING = Standing(index=0)
"""Before the first entry there is nobody."""


def voters_of(conf: ConfState) -> frozenset[int]:
    """Everybody who votes, in either half."""
    return frozenset((*conf.voters, *conf.voters_outgoing))


def of_conf_state(index: int, conf: ConfState) -> Standing:
    """What Raft's membership alone says."""
    ids = sorted({*conf.voters, *conf.voters_outgoing, *conf.learners})
    members = (Member(id=each, is_learner=each in conf.learners) for each in ids)
    return Standing(index=index, conf=conf, members=tuple(members), is_told=False)


def of_snapshot(snap: SnapFile) -> Standing:
    """Who is in the cluster by a snapshot's membership, and what they are called by its store."""
    found = of_conf_state(snap.index or 0, snap.conf_state or ConfState())
    if snap.store is None:
        return found
    named = {member.id: member for member in snap.store.members}
    return Standing(
        index=found.index,
        conf=found.conf,
        members=tuple(_renamed(named.get(each.id), each) for each in found.members),
        removed=frozenset(snap.store.removed_members),
    )


def standing(survey: Survey, index: int, *, base: Standing) -> Standing | None:
    """The members as of `index`, which the log must reach from `base` without a hole.

    `None` where Raft could not have made the changes: then they are not those that were made.
    """
    try:
        cluster = _Cluster(base)
        for placed in changes_between(survey, base.index, index):
            cluster.apply(placed)
    except (ConfChangeError, RaftPanic):
        return None
    return cluster.standing(index)


def changes_between(survey: Survey, after: int, last: int) -> Iterator[PlacedEntry]:
    """The membership changes `(after, last]` that later entries have not replaced, in order."""
    for placed in survey.conf_changes:
        if after < placed.entry.index <= last and _is_live(survey, placed):
            yield placed


def changed_ids(placed: PlacedEntry) -> frozenset[int]:
    """Whom a change is about; nobody where it does not read."""
    try:
        change = parse_conf_change(raft_entry(placed.entry))
    except RaftPanic:
        return frozenset()
    return frozenset(each.node_id for each in change.changes)


def _is_live(survey: Survey, placed: PlacedEntry) -> bool:
    run = survey.log.run_of(placed.entry.index)
    return (
        run is not None and run.segment == placed.segment and run.start <= placed.offset < run.stop
    )


class _Cluster:
    """A cluster while changes are made to it."""

    def __init__(self, base: Standing) -> None:
        """Raises: ConfChangeError, for a membership that no changes lead to."""
        self._tracker = Tracker(inflight_count_max=1)
        self._tracker.install(
            *restored(self._tracker, raft_conf_state(base.conf), last_index=base.index)
        )
        self._said = Membership(
            members={each.id: each for each in base.members}, removed=set(base.removed)
        )
        self._is_told = base.is_told

    def apply(self, placed: PlacedEntry) -> None:
        """Make a change. Raises: ConfChangeError; RaftPanic, for one that does not read."""
        change = parse_conf_change(raft_entry(placed.entry))
        said = _said(placed)
        self._is_told = self._is_told and said is not None
        if said is not None:
            if self._said.apply(said) is not None and self._is_told:
                return
        elif placed.entry.kind is EntryKind.CONF_CHANGE:
            for one in change.changes:
                self._said.apply(Change(one.kind, one.node_id, Member(id=one.node_id)))
        changer = Changer(self._tracker, last_index=placed.entry.index)
        self._tracker.install(*changer.change(change))

    def standing(self, index: int) -> Standing:
        """The members now, which is as of `index`."""
        found = of_conf_state(index, log_conf_state(self._tracker.config.conf_state))
        named = self._said.members
        return Standing(
            index=index,
            conf=found.conf,
            members=tuple(_renamed(named.get(each.id), each) for each in found.members),
            removed=frozenset(self._said.removed),
            is_told=self._is_told,
        )


def _said(placed: PlacedEntry) -> Change | None:
    """What etcd reads in a change; `None` where it is none of etcd's."""
    if placed.entry.kind is not EntryKind.CONF_CHANGE:
        return None
    try:
        return parse_change(CONF_CHANGE.parse(placed.entry.payload or b""))
    except FormatError:
        return None


def _renamed(known: Member | None, raft: Member) -> Member:
    """What is known of a member, with the vote that Raft gives it."""
    return raft if known is None else replace(known, is_learner=raft.is_learner)
