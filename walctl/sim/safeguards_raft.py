"""The protections of the Raft core: elections, commits, logs, memberships, reads."""

from collections.abc import Callable
from typing import Any, Final

from formats.raftpb import MessageType
from walctl.raft import core, election, follower, leader, quorum
from walctl.raft.core import Raft
from walctl.raft.log import Log
from walctl.raft.progress import Progress
from walctl.raft.quorum import INFINITE, VoteResult
from walctl.raft.tracker import Tracker
from walctl.raft.types import NOBODY, EntryID, HardState, Message, Snapshot
from walctl.raft.unstable import Unstable
from walctl.sim.safeguard import Safeguard


def _always(value: object) -> Callable[..., object]:
    return lambda *args, **kwargs: value


def _without_vote(raft: Raft) -> HardState:
    return HardState(term=raft.term, vote=NOBODY, commit=raft.log.committed)


def _without_term(raft: Raft) -> HardState:
    return HardState(term=0, vote=raft.vote, commit=raft.log.committed)


def _commit_by_count(log: Log, index: int, term: int) -> bool:
    if index <= log.committed or log.known_term(index) is None:
        return False
    log.commit_to(index)
    return True


def _with_learners(tracker: Tracker) -> int:
    everybody = tracker.config.incoming | tracker.config.learners
    return quorum.committed_index(everybody, lambda node: tracker.progress[node].match)


def _incoming_commit(tracker: Tracker) -> int:
    return quorum.committed_index(
        tracker.config.incoming, lambda node: tracker.progress[node].match
    )


def _incoming_result(tracker: Tracker) -> VoteResult:
    return quorum.vote_result(tracker.config.incoming, tracker.votes)


def _half_is_enough(voters: Any, acked: Callable[[int], int]) -> int:
    ranked = sorted(map(acked, voters))
    return ranked[len(ranked) // 2] if ranked else INFINITE


def _one_vote_wins(voters: Any, votes: Any) -> VoteResult:
    return VoteResult.WON if any(votes.values()) else VoteResult.PENDING


def _without_hint(progress: Progress, rejected: int, hint: int) -> bool:
    if progress.next - 1 != rejected:
        return False
    progress.next = max(rejected, progress.match + 1)
    progress.is_flow_paused = False
    return True


def _apply_all(log: Log, *, allow_unstable: bool) -> int:
    return log.last_index()


def _from_the_first(log: Log, entries: Any) -> int | None:
    return 0 if entries else None


def _hear_the_past(raft: Raft, message: Message) -> None:
    raft._step_by_role(message)


def _beat_with_everything(raft: Raft) -> None:
    for node, _ in raft.tracker.in_order():
        if node != raft.id:
            raft.send(Message(MessageType.HEARTBEAT, node, commit=raft.log.committed))


def _answer_at_once(raft: Raft, request: Message) -> None:
    leader._answer_read(raft, request, raft.log.committed)


def _restore_anything(raft: Raft, snapshot: Snapshot) -> bool:
    raft.log.restore(snapshot)
    raft.restore_config(snapshot.conf_state, last_index=snapshot.index)
    return True


def _stable_by_index(unstable: Unstable, *, term: int, index: int) -> None:
    if index >= unstable.offset:
        del unstable.entries[: index + 1 - unstable.offset]
        unstable.offset = index + 1
        unstable.offset_in_progress = max(unstable.offset_in_progress, unstable.offset)


def _accept_blindly(log: Log, before: EntryID, entries: Any, leader_commit: int) -> int | None:
    last = before.index + len(entries)
    if entries and entries[0].index > log.committed and entries[0].index <= log.last_index() + 1:
        log.append(entries)
    log.commit_to(min(leader_commit, last, log.last_index()))
    return last


def _stay_leader(raft: Raft) -> None:
    for node, progress in raft.tracker.progress.items():
        if node != raft.id:
            progress.is_active = False


def _lead_at_once(raft: Raft) -> None:
    _BECOME_LEADER(raft)
    raft.pending_conf_index = 0


_BECOME_LEADER: Final = Raft.become_leader


OF_RAFT: Final[tuple[Safeguard, ...]] = (
    Safeguard(
        "one-vote-a-term",
        "two leaders in a term",
        election,
        "can_grant",
        _always(True),
        ("I7", "I1"),
    ),
    Safeguard(
        "up-to-date-candidates",
        "a leader that lacks committed entries",
        Log,
        "is_up_to_date",
        _always(True),
        ("I4", "I9"),
    ),
    Safeguard(
        "own-term-commits",
        "an entry that is committed by count and replaced (figure 8)",
        Log,
        "commit_in_term",
        _commit_by_count,
        ("I4", "I5", "I14"),
    ),
    Safeguard(
        "votes-are-stored",
        "a node that votes again after a restart",
        Raft,
        "hard_state",
        property(_without_vote),
        ("I7", "I8", "I14"),
    ),
    Safeguard(
        "terms-are-stored",
        "a node that goes back in terms after a restart",
        Raft,
        "hard_state",
        property(_without_term),
        ("I4", "I6", "I8", "I9", "I14"),
    ),
    Safeguard(
        "learners-do-not-count",
        "a quorum made of learners",
        Tracker,
        "committed_index",
        _with_learners,
        ("I10",),
    ),
    Safeguard(
        "both-halves-commit",
        "two disjoint quorums while the membership changes",
        Tracker,
        "committed_index",
        _incoming_commit,
        ("I10",),
    ),
    Safeguard(
        "both-halves-elect",
        "two leaders while the membership changes",
        Tracker,
        "election_result",
        _incoming_result,
    ),
    Safeguard(
        "majorities-commit",
        "loss with half the nodes",
        quorum,
        "committed_index",
        _half_is_enough,
        ("I8", "I10"),
    ),
    Safeguard(
        "majorities-elect", "two leaders in a term", quorum, "vote_result", _one_vote_wins, ("I1",)
    ),
    Safeguard(
        "reject-hints",
        "one round trip for each entry of a diverged log",
        Progress,
        "decrease",
        _without_hint,
    ),
    Safeguard(
        "commit-before-apply",
        "state that is taken back",
        Log,
        "appliable_to",
        _apply_all,
        ("I5", "I6"),
    ),
    Safeguard(
        "log-matching",
        "logs that differ below an equal entry",
        Log,
        "accept",
        _accept_blindly,
        ("I3", "I8", "I10"),
    ),
    Safeguard(
        "only-conflicts-truncate",
        "entries that an old append takes back",
        Log,
        "_first_conflict",
        _from_the_first,
        ("I2", "I10"),
    ),
    Safeguard(
        "lower-terms-are-past",
        "a leader of the past",
        Raft,
        "_answer_lower_term",
        _hear_the_past,
        ("I6",),
    ),
    Safeguard(
        "heartbeats-up-to-match",
        "a commit beyond what a follower holds",
        leader,
        "broadcast_heartbeat",
        _beat_with_everything,
        ("I6",),
    ),
    Safeguard(
        "one-change-at-a-time",
        "quorums that do not meet",
        leader,
        "_is_refused",
        _always(False),
        ("I11",),
    ),
    Safeguard(
        "promises-after-writing",
        "a vote or acknowledgement that is forgotten",
        core,
        "_AFTER_APPEND",
        frozenset(),
        ("I6",),
    ),
    Safeguard(
        "reads-are-confirmed", "a stale read", leader, "_process_read", _answer_at_once, ("I15",)
    ),
    Safeguard(
        "snapshots-only-forward",
        "a state that goes back",
        follower,
        "restore",
        _restore_anything,
        ("I6",),
    ),
    Safeguard(
        "stable-by-term",
        "an entry that is taken for durable and was replaced",
        Unstable,
        "stable_to",
        _stable_by_index,
    ),
    Safeguard(
        "quorum-check", "a leader that nobody hears", leader, "_check_quorum", _stay_leader, ("L3",)
    ),
    Safeguard(
        "older-changes-first",
        "a leader that changes the membership before it knows what older leaders changed",
        Raft,
        "become_leader",
        _lead_at_once,
        ("I11",),
    ),
    Safeguard(
        "own-term-before-reads",
        "a stale read from a leader that does not know yet what is committed",
        leader,
        "has_committed_in_term",
        _always(True),
        ("I15",),
    ),
)
