"""A member against its own past: nothing goes back (I6), and what was durable is read back (I14).

    durable ── crash ──► survived: what the bytes say ── start ──► what the member has read
        └──────────── all that was durable, or a refusal that names the damage ────────┘

What a fault took that nobody has to survive is forgiven first; the member is a suspect from then
on.
"""

import re
from collections.abc import Iterable
from typing import Final

from walctl.checker.member import NEVER, Member
from walctl.checker.scene import Scene

PANICS: Final = (
    (r"conflicts with committed entry|is committed$", "I4"),
    (r"restore config|and the snapshot says|joint|learner|voter|membership change", "I11"),
    (r"invalid transition", "I1"),
    (r"^snapshot |non-empty snapshot", "I13"),
)
"""What the core says when it stops, and the invariant that is broken then; else I6."""


def panicked(scene: Scene, member: Member, words: str) -> None:
    """The core of a member has stopped: it has seen what must not be."""
    invariant = next((each for pattern, each in PANICS if re.search(pattern, words)), "I6")
    name = member.name
    scene.broken(invariant, f"{name} stops: {words}", name, term=member.term, index=member.commit)


def refused(scene: Scene, member: Member, words: str) -> None:
    """A member does not start: it takes its own files for damaged."""
    scene.broken("I14", f"{member.name} does not start: {words}", member.name)


def survived(
    member: Member,
    *,
    entries: Iterable[tuple[int, int, int]],
    state: tuple[int, int, int],
    snapshot: tuple[int, int],
) -> None:
    """From now on its files hold this, all of it durable: entries behind the snapshot."""
    member.promised_last = max(member.promised_last, member.durable_last)
    index, term = snapshot
    member.begin_behind(index, term)
    for at, its_term, _ in entries:
        if at <= index:
            continue
        if at <= member.log_last:
            member.cut_from(at)
        member.terms[at] = its_term
        member.log_last = at
    member.file_term, member.file_vote, member.file_commit = state
    member.durable_term, member.durable_vote, member.durable_commit = state
    member.snapshot, member.snapshot_term = snapshot
    member.durable_snapshot, member.durable_snapshot_term = snapshot
    member.unsynced_from = NEVER
    member.taken_back = 0


def forgave(member: Member, *, is_mendable: bool) -> None:
    """What it promised may be gone, by a fault that nobody has to survive.

    `is_mendable`: a repair may say that it is not.
    """
    last = max(member.promised_last, member.durable_last)
    if not is_mendable:
        member.forgiven = None
    elif not member.is_suspect:
        promised = member.promised_term, member.promised_vote, member.promised_commit
        member.forgiven = (*promised, last)
    member.is_suspect = True
    member.promised_term = member.promised_vote = member.promised_commit = 0
    member.promised_last = 0


def mended(member: Member, *, is_whole: bool) -> None:
    """A repair says that nothing which counts is gone: it is held to that from now on.

    `is_whole`: it says that nothing is gone at all. One that has run since its files were damaged
    stays a suspect.
    """
    if member.forgiven is None:
        return
    promised, member.forgiven = member.forgiven, None
    member.is_suspect = False
    if is_whole:
        member.promised_term, member.promised_vote, member.promised_commit = promised[:3]
        member.promised_last = promised[3]
    else:
        state = (member.durable_term, member.durable_vote, member.durable_commit)
        member.promised_term, member.promised_vote, member.promised_commit = state
        member.promised_last = 0


def started(
    scene: Scene, member: Member, *, term: int, vote: int, commit: int, last: int, applied: int
) -> None:
    """A life of a member begins with what it has read from its disk."""
    name = member.name
    member.is_up, member.lead_term = True, 0
    member.forgiven = None
    state = (term, vote, commit)
    promised = (member.promised_term, member.promised_vote, member.promised_commit)
    if state != promised:
        _judge_state(scene, member, state, promised)
    kept = max(member.promised_last, member.durable_last)
    if last < kept and not member.is_suspect:
        scene.broken(
            "I14",
            f"{name} starts with entries up to {last}, and those up to {kept} were durable",
            name,
            term=term,
            index=last,
        )
    member.promised_last = 0
    if not applied <= commit <= last:
        _out_of_order(scene, member, applied=applied, commit=commit, last=last)
    member.term, member.vote, member.commit = term, vote, commit
    member.last, member.applied = last, applied


def _judge_state(
    scene: Scene, member: Member, state: tuple[int, int, int], promised: tuple[int, int, int]
) -> None:
    term, vote, commit = state
    words = ""
    if term < promised[0]:
        words = f"in term {term}, and term {promised[0]} was durable"
    elif term == promised[0] and promised[1] not in (0, vote):
        was = scene.name_of(promised[1])
        whom = scene.name_of(vote) if vote else "nobody"
        words = f"with a vote for {whom} in term {term}, and that for {was} was durable"
    elif commit < promised[2]:
        words = f"with commit {commit}, and {promised[2]} was durable"
    if words:
        name = member.name
        scene.broken("I6", f"{name} starts {words}", name, term=term, index=commit)


def went_back(
    scene: Scene, member: Member, *, term: int, commit: int, last: int, applied: int
) -> None:
    """A member that stands tells of a term, commit or applied index below one that it had."""
    name = member.name
    for what, was, now in (
        ("term", member.term, term),
        ("commit", member.commit, commit),
        ("applied", member.applied, applied),
    ):
        if now < was:
            words = f"{what} of {name} goes back from {was} to {now}"
            scene.broken("I6", words, name, term=term, index=commit)
            return
    _out_of_order(scene, member, applied=applied, commit=commit, last=last)


def _out_of_order(scene: Scene, member: Member, *, applied: int, commit: int, last: int) -> None:
    name = member.name
    if applied > commit:
        words = f"{name} has applied {applied}, and commit is {commit}"
    else:
        words = f"commit of {name} is {commit}, and its last entry {last}"
    scene.broken("I6", words, name, index=commit)


def examined(
    scene: Scene, member: Member, *, term: int, vote: int, commit: int, last: int, words: str
) -> None:
    """After a clean stop, what our own reading says of a member's directory; `words`: damage."""
    name = member.name
    if words:
        scene.broken("I14", f"{name} was stopped cleanly, and its log is damaged: {words}", name)
        return
    for what, said, read in (
        ("term", member.term, term),
        ("vote", member.vote, vote),
        ("commit", member.commit, commit),
        ("last", member.last, last),
    ):
        if said != read:
            words = f"{what} of {name} was {said} when it stopped, and its files say {read}"
            scene.broken("I14", words, name, term=term, index=commit)
            return
