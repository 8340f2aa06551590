"""One member of one Raft group: log, snapshots, the core and a state machine, in Ready's order.

    tick, receive, propose, read …        what comes in only changes the core
          │
        work                              until the core wants nothing more:
          1  write     snapshot file and marker, entries, hard state: one save, one sync; the commit
                     of a change of the membership is synced as well
          2  send      what the core says to others: what it promises is on the disk by then
          3  apply     a leader's snapshot, then committed entries; whoever waits for them is told
          4  advance

All that was proposed since the last round becomes one message to the core, and so one append and
one sync. Reads go out together the same way.

A snapshot is made in three steps, so that a large one does not stop the member: `begin_snapshot`
freezes the state, `Job.run` builds its bytes and puts the file in place (elsewhere, if one likes,
while the member goes on), `end_snapshot` writes the marker that makes it count.

File system, network, clock and randomness come in `Surroundings`: processes and the simulator run
the same. An error of the disk, or a broken invariant of the core, ends the member: `AccessError`
and `RaftPanic` come out of `work`, and nothing is asked of it after that.

Source: etcd's Raft library, `doc.go` (usage), raftexample's `raft.go` for the order on a start.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from formats.raftpb import MessageType
from walctl.cluster.answers import Fate
from walctl.cluster.events import EventKind
from walctl.cluster.holding_back import HeldBack
from walctl.cluster.recovery import reopen
from walctl.cluster.service import Done, Service
from walctl.cluster.surroundings import Job, Place, Surroundings
from walctl.cluster.waiting import Proposals, Reads, Tell, Told
from walctl.errors import CorruptionError
from walctl.raft.errors import RaftError
from walctl.raft.options import Options
from walctl.raft.rawnode import Peer, RawNode, Ready, SnapshotStatus, changes_in
from walctl.raft.tracker import ProgressTable
from walctl.raft.types import (
    NOBODY,
    ConfChange,
    ConfState,
    Entry,
    Message,
    ReadState,
    Role,
    Snapshot,
    SoftState,
)
from walctl.raft.wire import conf_change_entry
from walctl.replay.walstorage import WalStorage

INFLIGHT_COUNT_MAX = 256
UNCOMMITTED_BYTES_MAX = 1 << 30
SYNC_SHARE = 8
"""The weight of one sync among those that were before it, in what they take."""
LIVES = 1 << 62
"""Numbers of which each life of a member draws one."""
_KIND = attrgetter("type")
"""What of an entry is neither `None` nor 0 for a change of the membership alone."""
LEASE_MARGIN_TICKS = 1
"""By so much a lease ends before anybody else may be elected: what is counted in ticks is that
exact."""
READ_RETRY_TICKS = 5
"""A question for a read's index that has no answer is asked again after so long."""


class Driver:
    """One member; see the module. `join` and `take_up` make one; `bootstrap` begins a group.

    `is_removed` once it has applied its own removal: nothing needs it any more; one that was taken
    up with that behind it waits to be added again. `wants_snapshot`: somebody needs one now,
    however few entries there are. `sync_us` is what a write that has to be
    durable takes of late.
    """

    def __init__(
        self,
        node_id: int,
        storage: WalStorage,
        *,
        place: Place,
        service: Service,
        world: Surroundings,
        has_state: bool = False,
    ) -> None:
        """For the two that make one."""
        self.id = node_id
        self.service = service
        self.place = place
        self.is_removed = False
        self.wants_snapshot = False
        self.sync_us = 0
        self.storage = storage
        self._world = world
        snapshot = storage.snapshot()
        if snapshot.data is not None and not has_state:
            service.restore(snapshot.data)
        self.applied = snapshot.index
        self._snapshot_index = snapshot.index
        options = Options(
            id=node_id,
            heartbeat_ticks=place.heartbeat_ticks,
            election_ticks=place.election_ticks,
            storage=storage,
            inflight_count_max=INFLIGHT_COUNT_MAX,
            applied=snapshot.index,
            message_bytes_max=place.message_bytes,
            uncommitted_bytes_max=UNCOMMITTED_BYTES_MAX,
            check_quorum=place.check_quorum,
            pre_vote=place.pre_vote,
            step_down_on_removal=True,
        )
        self.node = RawNode(options, world.draw)
        self._hard_state = self.node.raft.hard_state
        self._known_commit = self._hard_state.commit
        self._is_member = node_id in self.members
        self._queued: list[tuple[Entry, Tell]] = []
        self._proposals = Proposals()
        self._reads = Reads()
        self._held_back = HeldBack(place.election_ticks)
        # A name that an earlier life has used may still be answered.
        self._life = world.draw(LIVES)
        self._questions = 0
        self._leaderless_ticks = 0
        self._lease_end_us = 0
        self._job: Job | None = None
        self._tried_index = 0
        self._is_foreign = False
        """Whether the newest snapshot is one that only stands for a state."""

    @classmethod
    def join(cls, node_id: int, *, place: Place, service: Service, world: Surroundings) -> "Driver":
        """A new member that knows nobody, until a leader speaks to it. Raises: AccessError."""
        disk = world.disk
        for folder in reversed(place.wal.parents):
            if not disk.exists(folder):
                disk.make_dir(folder)
                disk.sync_dir(folder.parent)
        storage = WalStorage.create(
            disk, place.wal, place.snap, metadata=None, segment_bytes=place.segment_bytes
        )
        return cls(node_id, storage, place=place, service=service, world=world)

    @classmethod
    def take_up(
        cls,
        node_id: int,
        *,
        place: Place,
        service: Service,
        world: Surroundings,
        has_state: bool = False,
    ) -> "Driver":
        """The member whose log is there; a tail that was torn is cut as etcd cuts it.

        `has_state`: the service knows all that the newest snapshot stands for, which holds no
        state itself: a snapshot of our own is made before another member is given one.

        Raises: AccessError; CorruptionError, with what keeps it from starting.
        """
        found = reopen(world.disk, place.wal, place.snap, segment_bytes=place.segment_bytes)
        storage, cut = found.storage, found.cut
        if cut is not None:
            fields = {"f": cut.segment, "at": cut.offset, "bytes": cut.dropped_bytes}
            world.tell(EventKind.TRUNCATE, fields)
        try:
            made = cls(
                node_id, storage, place=place, service=service, world=world, has_state=has_state
            )
            made.wants_snapshot = made._is_foreign = has_state
            return made
        except (ValueError, RaftError) as error:
            storage.close()
            raise CorruptionError(f"{place.snap}: no such member's snapshot: {error}") from error

    def bootstrap(self, peers: Sequence[int]) -> None:
        """Begin a new group with these members; only one that `is_blank` may."""
        self.node.bootstrap([Peer(id=each) for each in sorted(peers)])

    # What comes in.

    def tick(self) -> None:
        """One unit of time has passed."""
        self.node.tick()
        self._held_back.tick(self.node.raft.log.committed, self._progress)
        self._leaderless_ticks = 0 if self.lead != NOBODY else self._leaderless_ticks + 1
        if self._leaderless_ticks > 2 * self.place.election_ticks:
            self._reads.give_up("no leader is known")
        for question in list(self._reads.tick()):
            if self.lead != NOBODY:
                name = self._next_name()
                self._reads.ask_again(question, name)
                self.node.read_index(name)

    def receive(self, message: Message) -> None:
        """A message of another member. What nobody may take is dropped, as a network would."""
        if message.target != self.id:
            return
        try:
            self.node.step(message)
        except RaftError:
            return

    def propose(self, data: bytes, tell: Tell) -> None:
        """Ask for an entry; a member that does not lead refuses it, and has proposed nothing."""
        self._queued.append((Entry(data=data), tell))

    def hand_over(self, data: bytes) -> bool:
        """Give a proposal to Raft, which passes it on to the leader it knows: true when it took it.

        Nobody is ever told what became of it, as in raftexample.
        """
        return self._hand_over(Entry(data=data))

    def hand_over_change(self, change: ConfChange) -> bool:
        """The same for a membership."""
        return self._hand_over(conf_change_entry(change))

    def _hand_over(self, entry: Entry) -> bool:
        message = Message(MessageType.PROP, source=self.id, entries=(entry,))
        try:
            self.node.step(message)
        except RaftError:
            return False
        return True

    def change(self, change: ConfChange, tell: Tell) -> None:
        """Ask for another membership; as `propose`."""
        self._queued.append((conf_change_entry(change), tell))

    def read(self, tell: Tell) -> None:
        """Tell once a linearizable read may be made of the service, whoever leads."""
        self._reads.gather(tell)

    def read_by_lease(self, tell: Tell) -> None:
        """The same by the leader's lease, without asking anybody: trusts that clocks run alike.

        A quorum that has answered a question will elect nobody else until an election timeout has
        passed since that was asked. Without such an answer, it is asked.
        """
        raft = self.node.raft
        if raft.role is not Role.LEADER:
            tell(Told(fate=Fate.FAIL, words=self.not_leading))
        elif self._has_lease and raft.lead_transferee == NOBODY:
            self._reads.wait(raft.log.committed, tell)
        else:
            self._reads.gather(tell)

    @property
    def _has_lease(self) -> bool:
        return self.place.check_quorum and self._world.now_us() < self._lease_end_us

    def campaign(self) -> None:
        """Try to become leader."""
        self.node.campaign()

    def transfer(self, target: int) -> None:
        """Let `target` lead, if this member does; it may then be elected at any moment."""
        self._lease_end_us = 0
        self.node.transfer_leader(target)

    def report_unreachable(self, node: int) -> None:
        """Messages to `node` do not get through."""
        self.node.report_unreachable(node)

    def report_snapshot(self, node: int, *, is_done: bool) -> None:
        """A snapshot has got through to `node`, or not."""
        status = SnapshotStatus.FINISH if is_done else SnapshotStatus.FAILURE
        self.node.report_snapshot(node, status)

    # What is asked of it.

    @property
    def is_leader(self) -> bool:
        """Whether it leads, as far as it knows."""
        return self.node.raft.role is Role.LEADER

    @property
    def lead(self) -> int:
        """Whom it takes for the leader; 0: nobody."""
        return self.node.raft.lead

    @property
    def not_leading(self) -> str:
        """Why a proposal is refused."""
        return "not the leader" if self.lead != NOBODY else "no leader is known"

    @property
    def conf_state(self) -> ConfState:
        """The membership as of `applied`."""
        return self.node.raft.tracker.config.conf_state

    @property
    def members(self) -> frozenset[int]:
        """All of it, learners and those that are leaving included."""
        conf = self.conf_state
        return frozenset((*conf.voters, *conf.learners, *conf.voters_outgoing, *conf.learners_next))

    @property
    def is_blank(self) -> bool:
        """Whether it remembers nothing at all: its log was made, and it died before its first
        write. It has promised nothing to anybody."""
        state, _ = self.storage.initial_state()
        return state.is_empty and self.storage.last_index() == 0 and not self.members

    @property
    def snapshot_index(self) -> int:
        """The newest snapshot's, 0 without one."""
        return self._snapshot_index

    @property
    def needs_work(self) -> bool:
        """Whether `work` has anything to do."""
        is_asked = bool(self._queued) or (self._reads.is_gathered and self.lead != NOBODY)
        return is_asked or self.node.has_ready()

    # What is done.

    def work(self) -> None:
        """Do all that there is to do. Raises: AccessError, RaftPanic: it is over then."""
        self._put_forward()
        while self.node.has_ready():
            ready = self.node.ready()
            began = self._world.now_us()
            self.storage.save(ready.hard_state, ready.entries, ready.snapshot)
            if self._is_change_committed(ready):
                self.storage.sync()
            if ready.must_sync:
                taken = self._world.now_us() - began
                self.sync_us += (taken - self.sync_us) // SYNC_SHARE
            self._tell_of(ready)
            self._send(ready.messages)
            self._apply(ready)
            self.node.advance()
        self._reads.applied(self.applied)

    def end(self, words: str) -> None:
        """Tell all who wait that nobody will answer, and let the files go. Raises: AccessError."""
        queued, self._queued = self._queued, []
        for _, tell in queued:
            tell(Told(fate=Fate.FAIL, words=words))
        self._proposals.end(words)
        self._reads.end(words)
        self.storage.close()

    def _put_forward(self) -> None:
        """What was asked since the last round goes to the core, all together."""
        if self._reads.is_gathered and self.lead != NOBODY:
            name = self._next_name()
            self._reads.ask(
                name,
                now_us=self._world.now_us(),
                term=self.node.raft.term if self.is_leader else 0,
                patience=READ_RETRY_TICKS,
            )
            self.node.read_index(name)
        queued, self._queued = self._queued, []
        if not queued:
            return
        raft = self.node.raft
        words = self.not_leading
        first = raft.log.last_index() + 1
        if raft.role is Role.LEADER:
            entries = tuple(entry for entry, _ in queued)
            try:
                raft.step(Message(MessageType.PROP, source=self.id, entries=entries))
            except RaftError as error:
                words = error.message
            else:
                self._await(queued, first)
                return
        for _, tell in queued:
            tell(Told(fate=Fate.FAIL, words=words))

    def _await(self, queued: Sequence[tuple[Entry, Tell]], first: int) -> None:
        """The leader has put these entries into its log from `first` on."""
        raft = self.node.raft
        for index, (entry, tell) in enumerate(queued, start=first):
            if entry.is_conf_change and raft.pending_conf_index != index:
                words = "another change of the membership is under way"
                tell(Told(fate=Fate.FAIL, words=words))
            else:
                self._proposals.add(index, raft.term, tell)
        self._world.tell(EventKind.PROPOSE, {"idx": first, "count": len(queued)})

    def _is_change_committed(self, ready: Ready) -> bool:
        """Whether a membership is known to be committed from now on, to be told or applied.

        Whoever leaves by it ends once it hears of that, and its vote is gone: who stays must not
        come back from a crash without knowing that it needs that vote no more.
        """
        state, raft = ready.hard_state, self.node.raft
        if any(map(_KIND, ready.committed_entries)):
            return True
        # A leader's messages may tell of it before its entry comes here, where very much commits.
        if state is None or raft.role is not Role.LEADER:
            return False
        return self._hard_state.commit < raft.pending_conf_index <= state.commit

    def _tell_of(self, ready: Ready) -> None:
        """What a Ready says of the member's state, which is on the disk now."""
        tell, state, before = self._world.tell, ready.hard_state, self._hard_state
        if state is not None:
            if state.term != before.term:
                tell(EventKind.TERM, {"term": state.term})
            if state.vote not in (before.vote, NOBODY):
                tell(EventKind.VOTE, {"term": state.term, "for": state.vote})
            if state.commit != before.commit:
                tell(EventKind.COMMIT, {"idx": state.commit})
            self._hard_state = state
        if ready.entries:
            last = ready.entries[-1]
            tell(
                EventKind.APPEND,
                {"first": ready.entries[0].index, "last": last.index, "term": last.term},
            )
        if ready.soft_state is not None:
            self._tell_role(ready.soft_state)

    def _tell_role(self, soft: SoftState) -> None:
        term = self.node.raft.term
        self._world.tell(EventKind.ROLE, {"to": soft.role.word, "term": term, "lead": soft.lead})

    def _send(self, messages: Sequence[Message]) -> None:
        """Send; a snapshot that its target is not a member in would be ignored there."""
        sent: list[Message] = []
        for message in messages:
            if message.type is MessageType.SNAP and message.snapshot is not None:
                conf = message.snapshot.conf_state
                members = (*conf.voters, *conf.learners, *conf.voters_outgoing)
                if message.target not in members or self._is_foreign:
                    self.wants_snapshot = True
                    self.report_snapshot(message.target, is_done=False)
                    continue
                self._held_back.sent(message.target, message.snapshot.index)
                self._world.tell(
                    EventKind.SNAP_SEND, {"to": message.target, "idx": message.snapshot.index}
                )
            sent.append(message)
        if sent:
            self._world.send(sent)

    def _apply(self, ready: Ready) -> None:
        """A leader's snapshot, then what is committed behind it."""
        if ready.snapshot is not None:
            self._restore(ready.snapshot)
        for entry in ready.committed_entries:
            change = changes_in(entry)
            if change is not None:
                self._switch(change, entry.index)
            done = self.service.apply(entry)
            self.applied = entry.index
            if len(self._proposals):
                self._proposals.applied(entry.index, entry.term, _told(done, entry.index))
        if ready.committed_entries:
            self._world.tell(
                EventKind.APPLY,
                {"first": ready.committed_entries[0].index, "last": self.applied},
            )
        for state in ready.read_states:
            self._hear(state)

    def _next_name(self) -> bytes:
        """What no question was ever called."""
        self._questions += 1
        return b"%x-%x-%x" % (self.id, self._life, self._questions)

    def _hear(self, state: ReadState) -> None:
        """A question was answered; where a quorum did that for this very leader, it is a lease."""
        question = self._reads.answered(state.context, state.index)
        raft = self.node.raft
        if question is None or not self.is_leader or question.term != raft.term:
            return
        if raft.lead_transferee == NOBODY:
            ticks = self.place.election_ticks - LEASE_MARGIN_TICKS
            self._lease_end_us = question.asked_us + ticks * self.place.tick_us

    def _restore(self, snapshot: Snapshot) -> None:
        self.service.restore(snapshot.data or b"")
        self.applied = self._snapshot_index = snapshot.index
        self._is_foreign = False
        self._proposals.passed(snapshot.index)
        self._note_membership(snapshot.index)
        self._world.tell(EventKind.SNAP_RECV, {"idx": snapshot.index, "term": snapshot.term})

    def _switch(self, change: ConfChange, index: int) -> None:
        conf = self.node.apply_conf_change(change)
        fields: dict[str, Any] = {"idx": index, "voters": list(conf.voters)}
        if conf.learners:
            fields["learners"] = list(conf.learners)
        if conf.voters_outgoing:
            fields["outgoing"] = list(conf.voters_outgoing)
        self._world.tell(EventKind.CONF, fields)
        self._note_membership(index)

    def _note_membership(self, index: int) -> None:
        was_member, self._is_member = self._is_member, self.id in self.members
        if self._is_member:
            self.is_removed = False
        elif was_member and index > self._known_commit:
            self.is_removed = True

    # Snapshots.

    @property
    def is_snapshot_due(self) -> bool:
        """Whether one is to be made now."""
        count = self.applied - max(self._snapshot_index, self._tried_index)
        is_many = count >= self.place.snapshot_count
        return self._job is None and count > 0 and (is_many or self.wants_snapshot)

    def begin_snapshot(self) -> Job:
        """Freeze the state as of `applied`; see `Job`."""
        self.wants_snapshot = False
        term = self.storage.term(self.applied)
        conf = self.conf_state
        self._job = Job(
            disk=self._world.disk,
            folder=self.place.snap,
            frozen=self.service.freeze(),
            snapshot=Snapshot(index=self.applied, term=term, conf_state=conf),
        )
        return self._job

    def end_snapshot(self, job: Job) -> None:
        """The file is there: from now on a start begins with it, and old entries are forgotten.

        Where a leader's newer snapshot has come in between, this one counts for nothing.
        Raises: AccessError.
        """
        self._job = None
        index = job.snapshot.index
        if index <= self._snapshot_index:
            return
        self.storage.mark_snapshot(job.snapshot)
        self._snapshot_index = index
        self._is_foreign = False
        self._world.tell(EventKind.SNAP_MAKE, {"idx": index, "term": job.snapshot.term})
        self.compact(self._held_back.floor(index - self.place.catch_up_entries, self._progress))

    @property
    def _progress(self) -> ProgressTable:
        """How far all nodes are, where it leads and knows that."""
        return self.node.raft.tracker.progress if self.is_leader else {}

    def fail_snapshot(self) -> None:
        """It could not be made; it is tried again when as many entries have come once more."""
        self._job = None
        self._tried_index = self.applied

    def compact(self, index: int) -> bool:
        """Forget entries up to `index`, at most up to the newest snapshot; false if none went."""
        index = min(index, self._snapshot_index)
        if index < self.storage.first_index():
            return False
        self.storage.compact(index)
        return True


def _told(done: Done, index: int) -> Told:
    return Told(fate=done.fate, index=index, words=done.words, value=done.found)
