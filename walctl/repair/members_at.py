"""Who is in the cluster as of an index: what a snapshot that a repair writes has to say.

The log is believed first: its newest readable snapshot, and the membership changes between that and
the index, if none of them can be missing. Only where these are gone, the database is: what it says
of the Raft membership and of the members must then be the same (3.4 keeps only the latter, and
nothing of the log may deny it). Databases of etcd 3.5 are known to lack names and to keep the mark
of promoted learners, so the two are compared by id alone.
"""

from dataclasses import dataclass, replace

from walctl.inspect.membership import View, log_view
from walctl.model.member import Member
from walctl.model.record import ConfState
from walctl.repair.case import Case
from walctl.repair.doubt import may_hide_overwriting, unvouched


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersAt:
    """The members as of an index, ascending by id, and who was removed.

    `marks_have_it`: whether this log's markers carry the membership (etcd 3.5 and later).
    `is_changed`: the database and the last snapshot say otherwise, and have to be told.
    """

    members: tuple[Member, ...]
    removed: tuple[int, ...]
    source: str
    marks_have_it: bool
    version: str | None = None
    is_changed: bool = False

    @property
    def conf_state(self) -> ConfState:
        """By id, ascending as Raft writes it."""
        return ConfState(
            voters=tuple(sorted(each.id for each in self.members if not each.is_learner)),
            learners=tuple(sorted(each.id for each in self.members if each.is_learner)),
        )


def members_at(case: Case, index: int) -> MembersAt | str:
    """The members as of `index`, or why nobody can say."""
    view = log_view(case.seen, index) if _is_told_by_log(case, index) else None
    if view is not None and view.peers:
        return _made(case, view, "the log's membership changes up to there")
    found = _database_view(case)
    if isinstance(found, str):
        return f"who the members were at entry {index} is not proven: {found}"
    return _made(case, found, "the database's members")


def _is_told_by_log(case: Case, index: int) -> bool:
    """Whether the membership changes that can be read up to `index` are those that were made."""
    seen = case.seen
    if case.last < index or may_hide_overwriting(seen, index):
        return False
    doubted = unvouched(seen)
    return not any((each.segment, each.offset) in doubted for each in seen.conf_changes)


def kept_members(case: Case, keep: frozenset[int]) -> MembersAt | str:
    """The members `keep` as the voters of a new cluster; all others count as removed.

    In words why it cannot be: one of them is not known, or this one is not among them.
    """
    known = {peer.id for view in case.membership.views for peer in view.peers}
    own = case.membership.own_id
    if own not in keep:
        return "this member has to be one of those that are kept"
    strange = sorted(keep - known - {own})
    if strange:
        return f"member {strange[0]:x} is not known here"
    described = [case.membership.described(each) for each in sorted(keep)]
    return MembersAt(
        members=tuple(replace(each, is_learner=False) for each in described),
        removed=tuple(sorted(known - keep)),
        source="those that are kept",
        marks_have_it=marks_have_it(case),
        version=_version(case),
        is_changed=bool(known - keep) or any(each.is_learner for each in described),
    )


def _database_view(case: Case) -> View | str:
    witness = case.seen.database
    if witness is None or not witness.members:
        return "the database names no members"
    named = {member.id: member for member in witness.members}
    conf = witness.conf_state
    if conf is None:
        if witness.term is not None:
            return "the database has no Raft membership"
        # 3.4 keeps none; its members are all that there is.
        if any(member.is_learner for member in witness.members):
            return "the database has a learner, and nothing says whether it was promoted"
        peers = tuple(named[each] for each in sorted(named))
    else:
        if conf.voters_outgoing or conf.learners_next:
            return "a membership change was half done"
        ids = {*conf.voters, *conf.learners}
        if ids != set(named):
            return "the database's Raft membership and its members differ"
        peers = tuple(
            replace(named[each], is_learner=each in conf.learners) for each in sorted(ids)
        )
    own = case.membership.own_id
    if own not in {peer.id for peer in peers}:
        return "the database does not have this member among them"
    return View(source="database", index=witness.consistent_index, peers=peers)


def _made(case: Case, view: View, source: str) -> MembersAt:
    """The members of a view with all that is known of each."""
    members = []
    for peer in view.peers:
        known = case.membership.described(peer.id)
        members.append(
            replace(
                peer,
                name=peer.name or known.name,
                peer_urls=peer.peer_urls or known.peer_urls,
                client_urls=peer.client_urls or known.client_urls,
            )
        )
    witness = case.seen.database
    return MembersAt(
        members=tuple(members),
        removed=witness.removed_members if witness is not None else (),
        source=source,
        marks_have_it=marks_have_it(case),
        version=_version(case),
    )


def marks_have_it(case: Case) -> bool:
    """Whether this log's markers carry the membership, as those of etcd 3.5 and later do."""
    witness = case.seen.database
    is_later = witness is not None and witness.term is not None
    return is_later or any(placed.mark.conf_state is not None for placed in case.seen.marks)


def _version(case: Case) -> str | None:
    """The cluster's version, by the database, else by the newest snapshot."""
    witness = case.seen.database
    if witness is not None and witness.cluster_version is not None:
        return witness.cluster_version
    stores = (snap.store for snap in case.seen.snaps if snap.is_usable and snap.store is not None)
    return next((store.cluster_version for store in stores), None)
