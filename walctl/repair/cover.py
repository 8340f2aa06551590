"""Whether the given peers hold everything that a member's lost records can have helped to commit.

A member that lost the end of its log has forgotten what it promised. Three promises count, and
each must be found again in the peers or be kept without them:

Entries. A leader that counted this member's copy of an entry had a majority Q of the voters, this
member among them. With n voters and a majority of q, peers G (other voters, their logs whole)
have a member of every such Q if fewer than q voters are outside G: n - |G| < q. So every entry
committed with this member's help is in the log of a peer in G. It is also in the one of these logs
that is best as Raft compares them (term of the last entry, then index). For let the entry be
committed by the leader of term T, and g in G hold it; g's last term is T or more, so the best
log's is. Is it more than T, its last entry came from a later leader, which had the entry (Leader
Completeness), and Log Matching hands it on; is it T, both are beginnings of one leader's log, and
the best is the longer. So the healed log takes the best of these logs, and nothing else.

Terms and votes. The healed hard state has the highest term that this member or a peer of G names.
If its own last readable vote is of that term, it stands: a vote never changes within a term. Else
it votes for itself there, so that it grants nobody a second vote in that term; it does not act on
a vote for itself either, since a server that starts is a follower and campaigns in a later term.
A lost vote of a still higher term remains. Whoever asked for it had stored that term before it
asked; so if every other voter is in G, it was this member that asked for itself, and that campaign
ended with its process. But if one other voter is not in G, that one may be a candidate of a term
that nobody else knows, with the forgotten vote already in hand: this member could vote a second
time in that term. That is the hole in the argument from majorities, and the reason why peers that
have a majority are not enough here: each of the other voters has to be among them.

Membership. All of that is said of one set of voters. So the peers have to name the same one, this
member in it, and no membership change may stand among what was lost, or be uncommitted.

What no bytes can show is that a directory is the peer's present one. An older copy of it may end
where this member's readable part does. What can be asked is asked (a peer counts if its log
reaches every index that this member knows of); the rest is the word of whoever names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from walctl.inspect.membership import View
from walctl.repair.peers import Peer

PRESENT_WORDS = (
    "this holds if the directories are those that these members have now: nobody can see it from"
    " an older copy"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The peers that count, and why they are not enough; no reasons: they are."""

    counted: tuple[Peer, ...] = ()
    reasons: tuple[str, ...] = ()
    words: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing that was lost can have counted without being in a counted log."""
        return not self.reasons


def cover(own_id: int, peers: Sequence[Peer], *, first_lost: int, witnessed: int) -> Cover:
    """Whether `peers` (whole logs, of this cluster) cover what member `own_id` has lost.

    `first_lost` is the first index that may be gone, `witnessed` the highest that it knows of.
    """
    view = _view(peers)
    if view is None:
        return Cover(reasons=("no peer tells from its log who votes in this cluster",))
    voters = view.voters
    if own_id not in voters:
        return Cover(reasons=(f"the peers do not know member {own_id:x} as a voter",))
    counted = tuple(each for each in peers if each.node_id in voters and each.last >= witnessed)
    absent = voters - {own_id} - {each.node_id for each in counted}
    reasons = [
        f"{each.path}: its log ends at {each.last}, before entry {witnessed} that this member"
        " knows of, so it may be an older copy"
        for each in peers
        if each.node_id in voters and each.last < witnessed
    ]
    total, majority = len(voters), len(voters) // 2 + 1
    if total - len(counted) >= majority:
        reasons.insert(
            0,
            f"{len(counted)} of the {total - 1} other voters are given with a whole log that"
            f" reaches far enough: {total - len(counted)} of {total} can have committed entries"
            " that none of these holds",
        )
    elif absent:
        names = ", ".join(f"{each:x}" for each in sorted(absent))
        reasons.insert(
            0,
            f"voter {names} is not among the given: it may hold a vote of this member in a term"
            " that none of these knows",
        )
    reasons += _changes(counted, voters, first_lost)
    words = (
        f"all {len(counted)} other voters are given, their logs are whole and reach entry"
        f" {witnessed}: whatever this member helped to commit is in the best of them;"
        f" {PRESENT_WORDS}"
    )
    return Cover(counted=counted, reasons=tuple(reasons), words="" if reasons else words)


def _view(peers: Sequence[Peer]) -> View | None:
    """The voters as the log that knows of the most committed entries has them."""
    views = [
        (peer.commit, view)
        for peer in peers
        for view in (peer.membership.best,)
        if view is not None and view.source == "log"
    ]
    return max(views, key=lambda pair: pair[0])[1] if views else None


def _changes(counted: Sequence[Peer], voters: frozenset[int], first_lost: int) -> list[str]:
    """Why the set of voters may not have been one and the same."""
    reasons = []
    for peer in counted:
        best = peer.membership.best
        if best is None or best.source != "log" or best.voters != voters:
            reasons.append(f"{peer.path}: does not name the same voters as the others")
        commit = peer.survey.commit
        late = [
            placed.entry.index
            for placed in peer.survey.conf_changes
            if placed.entry.index >= min(first_lost, commit + 1)
        ]
        if late:
            reasons.append(
                f"{peer.path}: entry {late[0]} changes the membership, among or behind what was"
                " lost: who voted then is not known"
            )
    return reasons
