"""Who is in the cluster, as the log, the newest snapshot and the database each have it.

The three need not agree: the log is the truth, a snapshot is as of its index, and databases of
etcd 3.5 are known to lack names and to keep learners that were promoted. Nothing is merged here.
"""

from dataclasses import dataclass, replace

from walctl.datadir.survey import Survey
from walctl.inspect.conf_changes import BEGINNING, Standing, of_snapshot, standing
from walctl.model.member import Member, Published
from walctl.snap.reader import SnapFile


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A membership by one source, members by ascending id; `index` is as of when (`None`: now)."""

    source: str
    index: int | None
    peers: tuple[Member, ...]

    @property
    def voters(self) -> frozenset[int]:
        """Ids of those who vote."""
        return frozenset(peer.id for peer in self.peers if not peer.is_learner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """All views of one member; `own_id` is whose directory it is. `published` is what the log has
    of names and client URLs; it says nothing of who is a member."""

    own_id: int | None
    views: tuple[View, ...]
    published: tuple[Published, ...] = ()

    @property
    def best(self) -> View | None:
        """The one to believe: the log's, then the snapshot's, then the database's."""
        return self.views[0] if self.views else None

    @property
    def size(self) -> int | None:
        """Voters, by the view that knows most of them; `None` when nobody says.

        The most, because advice for a single member is the worse mistake.
        """
        return max((len(view.voters) for view in self.views), default=None)

    def described(self, member: int) -> Member:
        """All that any view knows of one member."""
        said = (each.member for each in self.published if each.member.id == member)
        known = next(said, Member(id=member))
        for view in self.views:
            for peer in view.peers:
                if peer.id == member:
                    known = replace(
                        known,
                        name=known.name or peer.name,
                        peer_urls=known.peer_urls or peer.peer_urls,
                        client_urls=known.client_urls or peer.client_urls,
                        is_learner=known.is_learner if known.peer_urls else peer.is_learner,
                    )
        return known


def membership(survey: Survey) -> Membership:
    """Every view that the parts of a member give."""
    own = {placed.metadata.node_id for placed in survey.metadata}
    found = [log_view(survey, survey.commit), _snapshot_view(survey), _database_view(survey)]
    return Membership(
        own_id=own.pop() if len(own) == 1 else None,  # a mixed log is nobody's in particular
        views=tuple(view for view in found if view is not None and view.peers),
        published=survey.published,
    )


def is_foreign_database(survey: Survey) -> bool:
    """Whether the database is another cluster's: of the members that it names, the log names none,
    nor does the database know whose log this is, as one of them or as one removed."""
    witness = survey.database
    if witness is None or not witness.members:
        return False
    there = {member.id for member in witness.members} | set(witness.removed_members)
    own = {placed.metadata.node_id for placed in survey.metadata if placed.metadata.node_id}
    log = log_view(survey, survey.commit)
    named = {peer.id for peer in log.peers} if log is not None else set()
    return bool(own) and not (own | named) & there


def log_view(survey: Survey, index: int) -> View | None:
    """Membership by the log as of `index`: see `log_standing`."""
    made = log_standing(survey, index)
    if made is None:
        return None
    base, found = made
    peers = {peer.id: peer for peer in found.members}
    for said in survey.published:
        known = peers.get(said.member.id)
        if known is not None and base.index < said.index <= index:
            peers[known.id] = replace(
                known,
                name=said.member.name or known.name,
                client_urls=said.member.client_urls or known.client_urls,
            )
    return View(source="log", index=index, peers=_sorted(peers))


def log_standing(survey: Survey, index: int) -> tuple[Standing, Standing] | None:
    """The base, and membership changes of the log up to `index` on top of it; `None` where one of
    them may be missing behind it.

    The base is empty where the log is whole from entry 1 on, else the newest snapshot, which must
    reach every gap of the log in front of `index`.
    """
    gap = max((gap.last for gap in survey.log.gaps() if gap.first <= index), default=0)
    base = BEGINNING
    if survey.log.first != 1 or gap:
        snap = _newest(survey)
        reached = max(gap, (survey.log.first or 1) - 1)
        if snap is None or not reached <= (snap.index or 0) <= index:
            return None
        base = of_snapshot(snap)
    found = standing(survey, index, base=base)
    return None if found is None else (base, found)


def _newest(survey: Survey) -> SnapFile | None:
    return next((snap for snap in survey.snaps if snap.is_usable), None)


def _snapshot_view(survey: Survey) -> View | None:
    snap = _newest(survey)
    if snap is None:
        return None
    return View(source="snapshot", index=snap.index, peers=of_snapshot(snap).members)


def _database_view(survey: Survey) -> View | None:
    witness = survey.database
    if witness is None:
        return None
    peers = {member.id: member for member in witness.members}
    return View(source="database", index=witness.consistent_index, peers=_sorted(peers))


def _sorted(peers: dict[int, Member]) -> tuple[Member, ...]:
    return tuple(peers[key] for key in sorted(peers))
