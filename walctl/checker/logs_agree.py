"""What is in the log files: log matching (I3), and that nothing is taken back (I2, I10).

An index and a term have one entry for ever, with one term in front of it. By induction two logs
that share them are equal up to there: so each written entry costs two look-ups, whatever lies
before it.

A leader, and who has accepted its entries, replaces none of them in its term. When an entry is
written, its member may follow a higher term already, which is in the hard state behind the entry:
so what is replaced is noted, and judged when the write is synced.

Source: Raft paper, figure 3 (Leader Append-Only, Log Matching) and figure 2 (AppendEntries).
"""

from walctl.checker.member import Member
from walctl.checker.scene import Scene, Seen
from walctl.checker.violation import moment


def wrote_entry(scene: Scene, member: Member, index: int, term: int, digest: int) -> None:
    """An entry goes into the log file, and all that was from `index` on is gone."""
    last = member.log_last
    if index != last + 1:
        _jumped(scene, member, index, term)
    before = member.terms.get(index - 1)
    if before is None:
        before = member.before(index)
    member.terms[index] = term
    member.log_last = index
    if index < member.unsynced_from:
        member.unsynced_from = index
    known = scene.entries.get(index)
    if known is None:
        if index >= scene.floor:
            scene.entries[index] = {term: Seen(before, digest, member.name, scene.now_us())}
        return
    seen = known.get(term)
    if seen is None:
        known[term] = Seen(before, digest, member.name, scene.now_us())
    elif seen.digest != digest or seen.before != before:
        _mismatch(scene, member, index, term, digest, before, seen)


def _mismatch(
    scene: Scene,
    member: Member,
    index: int,
    term: int,
    digest: int,
    before: int | None,
    seen: Seen,
) -> None:
    if seen.digest == digest and (seen.before is None or before is None):
        return
    what = "another entry" if seen.digest != digest else f"another log in front: term {before}"
    scene.broken(
        "I3",
        f"{member.name} and {seen.node} have different logs up to {index} of term {term}",
        member.name,
        *(() if seen.node == member.name else (seen.node,)),
        term=term,
        index=index,
        witnesses=(
            f"{moment(seen.time_us)}: {seen.node} wrote {index} of term {term}"
            f" behind term {seen.before}",
            f"{moment(scene.now_us())}: {member.name} wrote {what}",
        ),
    )


def _jumped(scene: Scene, member: Member, index: int, term: int) -> None:
    """The entry is not the next one: it replaces others, or leaves a hole."""
    name, last = member.name, member.log_last
    if index > last + 1:
        scene.broken(
            "I14",
            f"{name} wrote entry {index} behind {last}: its log has a hole",
            name,
            term=term,
            index=index,
        )
        member.begin_behind(index - 1, 0)
        return
    for each in range(max(index, member.base + 1), last + 1):
        its_term = member.terms[each]
        if scene.committed.get(each) == its_term:
            scene.broken(
                "I10",
                f"{name} took entry {each} of term {its_term} back, which is committed",
                name,
                term=its_term,
                index=each,
                witnesses=scene.first_applied(each),
                also=_promise_broken(member, each),
            )
            break
    if not member.taken_back or index < member.taken_back:
        member.taken_back = index
    if index <= member.base:
        member.begin_behind(index - 1, 0)
    else:
        member.cut_from(index)


def _promise_broken(member: Member, index: int) -> tuple[str, ...]:
    term = member.file_term
    leads = member.lead_term == term and term != 0
    accepted = member.accepted_term == term and index <= member.accepted_index
    return ("I2",) if leads or accepted else ()


def judge_taken_back(scene: Scene, member: Member) -> None:
    """What was replaced is on the disk, and so is the term in which that was done."""
    index, member.taken_back = member.taken_back, 0
    if not _promise_broken(member, index):
        return
    name, term = member.name, member.file_term
    if member.lead_term == term:
        words = f"{name} took entries from {index} on back while it led term {term}"
        witness = f"it leads term {term}"
    else:
        words = f"{name} took entries from {index} on back that it had accepted in term {term}"
        witness = f"it accepted all up to {member.accepted_index} in term {term}"
    scene.broken("I2", words, name, term=term, index=index, witnesses=(witness,))


def shrank(scene: Scene, member: Member, term: int, last: int) -> None:
    """A leader's log ends earlier than it did in the same term."""
    words = f"{member.name} leads term {term}, and its log went back from {member.last} to {last}"
    scene.broken("I2", words, member.name, term=term, index=last)


def wrote_snapshot(scene: Scene, member: Member, index: int, term: int) -> None:
    """A marker goes into the log file. Where the log has its entry, the log stays."""
    if index < member.snapshot:
        name = member.name
        words = f"{name} marked a snapshot of {index} behind that of {member.snapshot}"
        scene.broken("I6", words, name, term=term, index=index)
    member.snapshot, member.snapshot_term = index, term
    if index >= member.base and not member.has(index, term):
        for each in range(index + 1, member.log_last + 1):
            if scene.committed.get(each) == member.terms.get(each):
                words = f"{member.name} took entry {each} back for a snapshot of {index}"
                scene.broken("I10", words, member.name, index=each)
                break
        if not member.taken_back or index < member.taken_back:
            member.taken_back = index
        member.begin_behind(index, term)
        member.unsynced_from = 1
        scene.prune()
