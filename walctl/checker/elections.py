"""Elections: votes as they leave (I7, I8), who may win (I12), and who has won (I1, I4, I9).

Votes go by Raft id, not by site: a copy of a member that votes as well has voted twice.

A vote for oneself counts from the moment on that it is durable while others are asked, or that the
election is won. A vote that never became durable may leave all the same if a higher term is durable
by then: in the lower one nobody can be voted for any more.

Source: Raft paper, figure 2 (RequestVote), figure 3 (Election Safety, Leader Completeness), 5.2.
"""

from walctl.checker.member import Config, Member
from walctl.checker.scene import TERMS_MAX, Scene, trim
from walctl.checker.violation import moment, named


def granted(scene: Scene, member: Member, term: int, candidate: int) -> None:
    """A vote response that grants leaves."""
    _register(scene, member, term, candidate)
    durable = member.durable_term
    if durable > term or (durable == term and member.durable_vote == candidate):
        return
    name, whom = member.name, scene.name_of(candidate)
    on_disk = f"term {durable}, vote {scene.name_of(member.durable_vote)}"
    if not member.durable_vote:
        on_disk = f"term {durable}, no vote"
    scene.broken(
        "I8",
        f"{name} voted for {whom} in term {term} before that was durable",
        name,
        term=term,
        witnesses=(f"its disk holds {on_disk}",),
    )


def _register(scene: Scene, member: Member, term: int, candidate: int) -> None:
    votes = scene.votes.get(member.id)
    if votes is None:
        votes = scene.votes[member.id] = {}
    seen = votes.get(term)
    if seen is None:
        votes[term] = (candidate, member.name, scene.now_us())
        if len(votes) > TERMS_MAX:
            trim(votes)
        return
    first, site, time_us = seen
    if first == candidate:
        return
    both = f"{scene.name_of(first)} and {scene.name_of(candidate)}"
    scene.broken(
        "I7",
        f"{member.name} voted for {both} in term {term}",
        member.name,
        *(() if site == member.name else (site,)),
        term=term,
        witnesses=(f"{moment(time_us)}: {site} voted for {scene.name_of(first)}",),
    )


def campaigned(scene: Scene, member: Member, term: int) -> None:
    """A vote request leaves."""
    if member.durable_term == term and member.durable_vote == member.id:
        _register(scene, member, term, member.id)
    voters, outgoing, learners = member.configs[-1]
    raft_id = member.id
    if not voters or raft_id in voters or raft_id in outgoing:
        return
    what = "a learner" if raft_id in learners else "no voter"
    scene.broken(
        "I12",
        f"{member.name} campaigns in term {term} and is {what}",
        member.name,
        term=term,
        witnesses=(f"its voters are {scene.names_of(voters)}",),
    )


def leads(scene: Scene, member: Member, term: int) -> None:
    """A member acts as the leader of a term, for the first time."""
    seen = scene.leaders.get(term)
    if seen is None:
        scene.leaders[term] = (member, scene.now_us())
        if len(scene.leaders) > TERMS_MAX:
            trim(scene.leaders)
    elif seen[0] is not member:
        other, time_us = seen
        scene.broken(
            "I1",
            f"{other.name} and {member.name} both lead term {term}",
            other.name,
            member.name,
            term=term,
            witnesses=(f"{moment(time_us)}: {other.name} led term {term}",),
        )
    member.lead_term = term
    _register(scene, member, term, member.id)
    _judge_election(scene, member, term)
    _judge_log(scene, member, term)


def _judge_election(scene: Scene, member: Member, term: int) -> None:
    """A majority of each half has voted for it: learners and strangers do not count."""
    votes = scene.votes
    granted_by = tuple(
        raft_id
        for raft_id in sorted(votes)
        if term in votes[raft_id] and votes[raft_id][term][0] == member.id
    )
    if any(not config[0] or _has_majorities(config, granted_by) for config in member.configs):
        return
    voters, outgoing, _ = config = member.configs[-1]
    all_of_them = tuple(sorted({*voters, *outgoing}))
    strangers = tuple(each for each in granted_by if each not in all_of_them)
    counted = (tuple({*voters, *strangers}), outgoing, ())
    by_strangers = bool(strangers) and _has_majorities(counted, granted_by)
    scene.broken(
        "I12" if by_strangers else "I1",
        f"{member.name} leads term {term} by votes of {scene.names_of(granted_by)} alone",
        member.name,
        term=term,
        witnesses=(f"voters are {_config_words(scene, config)}",),
    )


def _has_majorities(config: Config, granted_by: tuple[int, ...]) -> bool:
    return all(
        2 * sum(each in granted_by for each in half) > len(half) for half in config[:2] if half
    )


def _config_words(scene: Scene, config: Config) -> str:
    voters, outgoing, _ = config
    words = scene.names_of(voters)
    return f"{words}, and of the outgoing {scene.names_of(outgoing)}" if outgoing else words


def _judge_log(scene: Scene, member: Member, term: int) -> None:
    """By log matching it is enough to look for the last of what has to be there."""
    also: tuple[str, ...] = ()
    lost = lacking(scene, member, _top(scene.committed_marks, term), scene.committed)
    if lost is not None:
        also = ("I4",)
    unkept = lacking_ack(scene, member, term)
    if unkept is not None:
        acked = scene.acked[unkept]
        scene.broken(
            "I9",
            f"{member.name} leads term {term} without entry {unkept} of term {acked.term},"
            " which a client was told of",
            member.name,
            term=term,
            index=unkept,
            witnesses=(f"{moment(acked.time_us)}: {acked.node} acknowledged {unkept}",),
            also=also,
        )
    elif lost is not None:
        its_term = scene.committed[lost]
        scene.broken(
            "I4",
            f"{member.name} leads term {term} without entry {lost} of term {its_term},"
            " which was committed",
            member.name,
            term=term,
            index=lost,
            witnesses=scene.first_applied(lost) or _holders(scene, lost, its_term),
        )


def _holders(scene: Scene, index: int, term: int) -> tuple[str, ...]:
    names = tuple(each.name for each in scene.members.values() if each.has(index, term))
    return (f"{named(names)} had it",)


def lacking_ack(scene: Scene, member: Member, term: int) -> int | None:
    """The last entry that was acknowledged before `term` where `member` has not got it."""
    index = _top(scene.acked_marks, term)
    acked = scene.acked.get(index)
    return None if acked is None or member.has(index, acked.term) else index


def lacking(scene: Scene, member: Member, index: int, terms: dict[int, int]) -> int | None:
    """`index`, where `member` has not got the entry that stands there in `terms`."""
    term = terms.get(index)
    return None if term is None or member.has(index, term) else index


def _top(marks: dict[int, int], term: int) -> int:
    """The highest index of what was done before a term."""
    return max((index for done, index in marks.items() if done < term), default=0)
