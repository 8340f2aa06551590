"""What is committed, applied and acknowledged: I5, I8, I9 and I10.

A leader's commit index rests on what is durable on a quorum of a configuration that it had since it
stood last: it may have counted before a change of the membership took effect.

Source: Raft paper, figure 3 (State Machine Safety), 5.3, 5.4.2 and section 8.
"""

from walctl.checker.elections import lacking_ack
from walctl.checker.member import Config, Member
from walctl.checker.scene import TERMS_MAX, Acked, Agreed, Scene, trim
from walctl.checker.violation import moment, named


def advanced(scene: Scene, member: Member, commit: int, term: int, *, is_leader: bool) -> None:
    """A member takes everything up to `commit` for committed."""
    committed, terms = scene.committed, member.terms
    for index in range(max(member.commit, scene.floor) + 1, commit + 1):
        its_term = terms.get(index)
        if its_term is None:
            continue
        known = committed.get(index)
        if known is None:
            committed[index] = its_term
        elif known != its_term:
            _disagreed(scene, member, index, its_term, known)
    if is_leader:
        _judge_commit(scene, member, commit, term)
    marks = scene.committed_marks
    if commit > marks.get(term, 0):
        marks[term] = commit
        if len(marks) > TERMS_MAX:
            trim(marks)


def _disagreed(scene: Scene, member: Member, index: int, term: int, known: int) -> None:
    scene.broken(
        "I5",
        f"{member.name} takes entry {index} of term {term} for committed,"
        f" and that of term {known} is",
        member.name,
        term=term,
        index=index,
        witnesses=scene.first_applied(index),
    )


def _judge_commit(scene: Scene, member: Member, commit: int, term: int) -> None:
    its_term = member.terms.get(commit)
    if its_term is None or rests(scene, member, commit, its_term):
        return
    voters, outgoing, learners = member.configs[-1]
    holders = tuple(
        each for each in (*voters, *outgoing, *learners) if is_held(scene, each, commit, its_term)
    )
    has_learners = any(each in learners for each in holders)
    scene.broken(
        "I10",
        f"{member.name} commits {commit} of term {its_term} in term {term}, and it is durable on"
        f" {scene.names_of(holders) + ' alone' if holders else 'nobody'}",
        member.name,
        term=term,
        index=commit,
        witnesses=(f"voters are {scene.names_of((*voters, *outgoing))}",),
        also=("I12",) if has_learners else (),
    )


def rests(scene: Scene, member: Member, index: int, term: int) -> bool:
    """Whether an entry is durable on a quorum of a configuration that `member` has, or had just
    now; true where it knows of none."""
    for config in reversed(member.configs):
        if not config[0] or has_quorum(scene, config, index, term):
            return True
    return False


def has_quorum(scene: Scene, config: Config, index: int, term: int) -> bool:
    """Whether an entry is durable on a majority of each half of a configuration."""
    by_id = scene.by_id
    for half in config[:2]:
        if half:
            count = 0
            for raft_id in half:
                for member in by_id.get(raft_id, ()):
                    if member.holds(index, term):
                        count += 1
                        break
            if 2 * count <= len(half):
                return False
    return True


def is_held(scene: Scene, raft_id: int, index: int, term: int) -> bool:
    """Whether an entry is durable on a member."""
    return any(each.holds(index, term) for each in scene.by_id.get(raft_id, ()))


def accepted(scene: Scene, member: Member, term: int, index: int) -> None:
    """An acceptance leaves: all up to `index` is durable and is what the leader has."""
    if member.durable_term > term:
        return  # nothing that a leader of the past counts can be committed any more
    name = member.name
    if member.durable_term < term or index > member.durable_last:
        what = f"its disk holds term {member.durable_term}, and entries to {member.durable_last}"
        scene.broken(
            "I8",
            f"{name} accepted entries to {index} in term {term} before they were durable",
            name,
            term=term,
            index=index,
            witnesses=(what,),
            # What is not even written is nothing that the leader's log could match.
            also=("I3",) if index > member.log_last else (),
        )
    if term != member.accepted_term:
        member.accepted_term, member.accepted_index = term, index
    elif index > member.accepted_index:
        member.accepted_index = index
    leader = scene.leaders.get(term)
    if leader is not None and leader[0].lead_term == term:
        its_term = leader[0].terms.get(index)
        if its_term is not None and not member.has(index, its_term):
            scene.broken(
                "I3",
                f"{name} accepted entries to {index}, and has others than {leader[0].name}",
                name,
                leader[0].name,
                term=term,
                index=index,
                witnesses=(
                    f"{leader[0].name} has term {its_term} there, {name}"
                    f" term {member.terms.get(index, 0)}",
                ),
            )


def applied(scene: Scene, member: Member, index: int, term: int, payload: bytes, kind: int) -> None:
    """A committed entry goes into the state machine."""
    if index != member.applied + 1:
        _out_of_order(scene, member, index, term)
    member.applied = index
    known = scene.agreed.get(index)
    if known is None:
        if index >= scene.floor:
            scene.agreed[index] = Agreed(term, payload, kind, member.name, scene.now_us())
    elif known[0] != term or known[1] != payload or known[2] != kind:
        scene.broken(
            "I5",
            f"{member.name} and {known.node} applied different entries at {index}",
            member.name,
            *(() if known.node == member.name else (known.node,)),
            term=term,
            index=index,
            witnesses=(
                *scene.first_applied(index),
                f"{moment(scene.now_us())}: {member.name} applied {index} of term {term}",
            ),
        )


def _out_of_order(scene: Scene, member: Member, index: int, term: int) -> None:
    name, last = member.name, member.applied
    if index <= last:
        words = f"{name} applied {index} again behind {last}"
        scene.broken("I6", words, name, term=term, index=index)
    else:
        words = f"{name} applied {index} right behind {last}"
        scene.broken("I5", words, name, term=term, index=index)


def acknowledged(
    scene: Scene, member: Member, index: int, term: int, payload: bytes | None
) -> None:
    """A client was told that its write at `index` is done."""
    known = scene.agreed.get(index)
    if known is not None and (
        known.term != term or (payload is not None and known.payload != payload)
    ):
        scene.broken(
            "I9",
            f"{member.name} acknowledged {index} of term {term}, and another entry stands there",
            member.name,
            term=term,
            index=index,
            witnesses=scene.first_applied(index),
        )
    if scene.committed.get(index) != term and not rests(scene, member, index, term):
        holders = tuple(each.name for each in scene.members.values() if each.holds(index, term))
        scene.broken(
            "I8",
            f"{member.name} acknowledged {index} of term {term}, which is durable on"
            f" {named(holders) + ' alone' if holders else 'nobody'}",
            member.name,
            term=term,
            index=index,
        )
    if index not in scene.acked and index >= scene.floor:
        scene.acked[index] = Acked(term, member.name, scene.now_us())
    marks = scene.acked_marks
    in_term = max(member.term, member.lead_term)
    if index > marks.get(in_term, 0):
        marks[in_term] = index
        if len(marks) > TERMS_MAX:
            trim(marks)


def finished(scene: Scene) -> None:
    """At the end the leader has all that was acknowledged; at least somebody has."""
    index = max(scene.acked_marks.values(), default=0)
    acked = scene.acked.get(index)
    if acked is None:
        return
    members = scene.members.values()
    leaders = [each for each in members if each.is_up and each.term == each.lead_term > 0]
    if leaders:
        leader = max(leaders, key=lambda each: each.term)
        is_kept = lacking_ack(scene, leader, leader.term + 1) is None
        who: tuple[str, ...] = (leader.name,)
        words = f"{leader.name} leads at the end without entry {index}"
    else:
        is_kept = any(each.holds(index, acked.term) for each in members)
        who = ()
        words = f"nobody has entry {index} at the end"
    if not is_kept:
        scene.broken(
            "I9",
            f"{words}, which a client was told of",
            *who,
            term=acked.term,
            index=index,
            witnesses=(f"{moment(acked.time_us)}: {acked.node} acknowledged {index}",),
        )
