"""A watcher of one group: it is told what happens, and raises `Violated` once a promise is broken.

Pure: values come in, no file, no clock but the one it is handed. `walctl.checker.violation` lists
the promises. What it is told, in the order in which it happens (`node` is a site's name, all other
names of members are Raft ids):

    founded          the group begins with these voters, by entries up to `index`
    started          a life of a member begins, with what it has read from its disk
    wrote_entry …    bytes have gone into its log file: entry, hard state, snapshot marker
    synced           all that it has written is durable; part_synced: some of it is
    granted          a vote response that grants leaves (no pre-vote)
    accepted         an append response that accepts leaves, also for a snapshot
    campaigned       a vote request leaves (no pre-vote)
    leader_said      an append, heartbeat or snapshot leaves
    proposed_config  a leader has put a membership change into its log
    applied          a committed entry goes into the state machine
    configured       a membership is in force, since the entry at `index`
    snapshot_made    a snapshot is whole; snapshot_restored: a leader's one is the state now
    compacted        a member has let go of entries up to `index`
    acknowledged     a client is told that its write at `index` is done, by this node
    stood            a member has done a round of work, and something has changed
    panicked         the core of a member stops itself; refused: a member does not start
    stopped          a member has ended, cleanly or not
    survived         what a member's files hold now: after a crash, a repair, a wipe
    forgave          a fault that nobody has to survive took from a member what it had promised
    mended           a repair says of a member's files that nothing that counts is gone
    examined         what our own reading says after a clean stop
    dropped          a site is gone for ever
    finished         the run ends

Of one round of work come first the writes, then the sync, then what leaves, then what is applied,
then `stood`. Writes are told from the bytes, not from what a member says of them: of an entry that
is written at an index, all that was behind it is gone. `digest` of an entry is a number that stands
for its data, that of a snapshot the machine's own (`Kv.digest`). Costs about a microsecond a call;
memory follows the entries that members have not compacted.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from walctl.checker import (
    commits,
    elections,
    file_truth,
    logs_agree,
    memberships,
    snapshots_agree,
)
from walctl.checker.replayed import Replayed
from walctl.checker.scene import Scene
from walctl.checker.violation import Violation

WATCHED: Final = tuple(f"I{number}" for number in range(1, 15))
"""The invariants that a watcher knows; I15, I16 and those of liveness are judged elsewhere."""


class Watcher:
    """See the module. `now_us` is asked for virtual time where something is noted.

    `only` are the invariants that stop the run; what breaks others is in `passed`, at most the
    first 64. `replays`: the group's machine is raftexample's map, so that snapshots can be held
    against a replay; else only against each other.
    """

    __slots__ = ("_members", "_scene")

    def __init__(
        self,
        group: str = "",
        *,
        now_us: Callable[[], int],
        only: Collection[str] = (),
        replays: bool = True,
    ) -> None:
        self._scene = Scene(group, now_us, only, Replayed() if replays else None)
        self._members = self._scene.members

    @property
    def passed(self) -> tuple[Violation, ...]:
        """Violations of what is not watched."""
        return tuple(self._scene.passed)

    def is_suspect(self, node: str) -> bool:
        """Whether a node has forgotten what it had promised, by a fault that is forgiven."""
        return node in self._members and self._members[node].is_suspect

    @property
    def floor(self) -> int:
        """What is known of entries below this index is forgotten."""
        return self._scene.floor

    # Lives.

    def founded(self, voters: Collection[int], *, index: int) -> None:
        """The group begins with entries up to `index` that make these its voters."""
        self._scene.first_index = index
        self._scene.configs[index] = ((tuple(sorted(voters)), (), ()), "the group")

    def started(
        self,
        node: str,
        *,
        raft_id: int,
        term: int = 0,
        vote: int = 0,
        commit: int = 0,
        last: int = 0,
        applied: int = 0,
    ) -> None:
        """A life of a member begins, with what it has read; what it has not is told before."""
        member = self._scene.add(node, raft_id)
        file_truth.started(
            self._scene, member, term=term, vote=vote, commit=commit, last=last, applied=applied
        )

    def stopped(self, node: str) -> None:
        """A member has ended."""
        member = self._members.get(node)
        if member is not None:
            member.is_up, member.lead_term = False, 0

    def survived(
        self,
        node: str,
        *,
        raft_id: int,
        entries: Iterable[tuple[int, int, int]] = (),
        state: tuple[int, int, int] = (0, 0, 0),
        snapshot: tuple[int, int] = (0, 0),
    ) -> None:
        """What the files of a node hold now, all of it durable, whatever it had written before.

        `entries` are (index, term, digest), consecutive; `state` is (term, vote, commit);
        `snapshot` (index, term) is the one that a start would begin with.
        """
        member = self._scene.add(node, raft_id)
        file_truth.survived(member, entries=entries, state=state, snapshot=snapshot)

    def forgave(self, node: str, *, is_mendable: bool = False) -> None:
        """A fault that nobody has to survive took from a member what it had promised.

        `is_mendable`: its files were damaged, so that a repair may bring it back.
        """
        file_truth.forgave(self._members[node], is_mendable=is_mendable)

    def mended(self, node: str, *, is_whole: bool) -> None:
        """A repair says that nothing which can have counted is gone from a member's files, and
        with `is_whole` nothing at all; before this, `survived` says what they hold now."""
        file_truth.mended(self._members[node], is_whole=is_whole)

    def dropped(self, node: str) -> None:
        """A site is gone for ever, with all that it had."""
        self._scene.drop(node)

    # Its log file.

    def wrote_entry(self, node: str, index: int, term: int, digest: int) -> None:
        """An entry is in the log file: not durable yet, and all that was behind is gone."""
        logs_agree.wrote_entry(self._scene, self._members[node], index, term, digest)

    def wrote_state(self, node: str, term: int, vote: int, commit: int) -> None:
        """A hard state is in the log file."""
        member = self._members[node]
        member.file_term, member.file_vote, member.file_commit = term, vote, commit

    def wrote_snapshot(self, node: str, index: int, term: int) -> None:
        """A snapshot marker is in the log file."""
        logs_agree.wrote_snapshot(self._scene, self._members[node], index, term)

    def synced(self, node: str) -> None:
        """All that was written is durable."""
        member = self._members[node]
        member.sync()
        if member.taken_back:
            logs_agree.judge_taken_back(self._scene, member)

    def part_synced(
        self,
        node: str,
        *,
        unsynced_from: int | None,
        state: tuple[int, int, int],
        snapshot: tuple[int, int],
    ) -> None:
        """Of what was written the front is durable, as `state` and `snapshot`, and entries in front
        of `unsynced_from` (`None`: all of them)."""
        member = self._members[node]
        member.sync_part(unsynced_from, state, snapshot)
        if member.taken_back:
            logs_agree.judge_taken_back(self._scene, member)

    def compacted(self, node: str, index: int) -> None:
        """A member has let go of its entries up to `index`, which a snapshot covers."""
        self._members[node].forget_to(index)
        self._scene.prune()

    # What leaves a node.

    def granted(self, node: str, term: int, candidate: int) -> None:
        """A vote leaves."""
        elections.granted(self._scene, self._members[node], term, candidate)

    def accepted(self, node: str, term: int, index: int) -> None:
        """An acceptance of all entries up to `index` leaves."""
        commits.accepted(self._scene, self._members[node], term, index)

    def campaigned(self, node: str, term: int) -> None:
        """A vote request leaves."""
        elections.campaigned(self._scene, self._members[node], term)

    def leader_said(self, node: str, term: int) -> None:
        """What only a leader says leaves."""
        member = self._members[node]
        if member.lead_term != term:
            elections.leads(self._scene, member, term)

    # What a node does.

    def proposed_config(self, node: str, term: int, index: int, *, applied: int) -> None:
        """A leader that has applied up to `applied` puts a membership change into its log."""
        memberships.proposed(
            self._scene, self._members[node], term=term, index=index, applied=applied
        )

    def applied(self, node: str, index: int, term: int, payload: bytes, kind: int = 0) -> None:
        """A committed entry goes into the state machine; `kind` is its type, as Raft's number."""
        commits.applied(self._scene, self._members[node], index, term, payload, kind)

    def configured(
        self,
        node: str,
        index: int,
        voters: Collection[int],
        outgoing: Collection[int] = (),
        learners: Collection[int] = (),
    ) -> None:
        """A membership is in force at a node since it applied `index`, or began there."""
        config = (tuple(sorted(voters)), tuple(sorted(outgoing)), tuple(sorted(learners)))
        memberships.configured(self._scene, self._members[node], index, config)

    def snapshot_made(self, node: str, index: int, term: int, digest: str) -> None:
        """A node has made a snapshot of its state."""
        member = self._members[node]
        snapshots_agree.judge(self._scene, member, index, term, digest, verb="made")

    def snapshot_restored(self, node: str, index: int, term: int, digest: str) -> None:
        """A node has become what a leader's snapshot says."""
        member = self._members[node]
        snapshots_agree.judge(self._scene, member, index, term, digest, verb="restored")
        if index < member.applied:
            words = f"{node} restored a snapshot of {index}, and had applied {member.applied}"
            self._scene.broken("I6", words, node, term=term, index=index)
        member.applied = index

    def acknowledged(self, node: str, index: int, term: int, payload: bytes | None = None) -> None:
        """A node tells a client that its write at `index` is done: `payload`, where it is known."""
        commits.acknowledged(self._scene, self._members[node], index, term, payload)

    def stood(
        self,
        node: str,
        *,
        term: int,
        vote: int,
        is_leader: bool,
        commit: int,
        last: int,
        applied: int,
    ) -> None:
        """How a node stands after a round of work."""
        scene, member = self._scene, self._members[node]
        if (
            term < member.term
            or commit < member.commit
            or not member.applied <= applied <= commit <= last
        ):
            file_truth.went_back(
                scene, member, term=term, commit=commit, last=last, applied=applied
            )
        if is_leader:
            if member.lead_term != term:
                elections.leads(scene, member, term)
            elif last < member.last:
                logs_agree.shrank(scene, member, term, last)
        if member.taken_back:
            logs_agree.judge_taken_back(scene, member)
        if commit > member.commit:
            commits.advanced(scene, member, commit, term, is_leader=is_leader)
        member.term, member.vote, member.commit = term, vote, commit
        member.last, member.applied = last, applied
        if len(member.configs) > 1:
            del member.configs[:-1]

    # Ends.

    def panicked(self, node: str, words: str) -> None:
        """The core of a node has found an invariant broken, and stops."""
        file_truth.panicked(self._scene, self._members[node], words)

    def refused(self, node: str, words: str) -> None:
        """A node does not start, for its own files are damaged."""
        file_truth.refused(self._scene, self._members[node], words)

    def examined(
        self, node: str, *, term: int, vote: int, commit: int, last: int, words: str = ""
    ) -> None:
        """What our own reading says after a clean stop; `words`: what it complains of."""
        file_truth.examined(
            self._scene,
            self._members[node],
            term=term,
            vote=vote,
            commit=commit,
            last=last,
            words=words,
        )

    def finished(self) -> None:
        """The run ends: what was acknowledged is there."""
        commits.finished(self._scene)
