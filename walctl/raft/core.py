"""One Raft node: what it holds, its clock ticks, whom it listens to, and how its role changes.

The state machine of figure 2 of the Raft paper, one message at a time. A message goes three ways:

    tick, application, network
          │
        step            terms first: a higher one makes a follower, a lower one is not heard
          │
          ├─ anybody    campaigning and votes (`election`), storage's answers (here)
          └─ by role    leader (`leader`), follower (`follower`), candidate (`election`)

Roles change here and nowhere else:

              times out             wins
    follower ──────────► candidate ──────► leader
        ▲    (by way of      │                │
        │  pre-candidate)    │                │
        └────────────────────┴────────────────┘
             a higher term, a leader of this term, or no quorum in sight

What a node says about what it has written (an acknowledgement, a vote) must not leave before it
is durable: such messages wait in `after_append`, also those to itself. So a node's own vote and its
own entries count only when they are on its disk.

No clock, no randomness, no disk: whoever drives the node ticks it, hands it a way to draw a number,
and stores what `rawnode` gives.

Source: Raft paper; thesis, sections 4.2.3 and 9.6 (pre-vote), 6.2 and 6.4.1 (check-quorum, lease);
the behaviour where these leave a choice is that of etcd's Raft library, main after 3.6.
"""

from collections.abc import Callable, Sequence

from formats.raftpb import EntryType, MessageType
from walctl.errors import WalctlError
from walctl.raft import election, follower, leader
from walctl.raft.confchange import Changer, restored
from walctl.raft.errors import ConfChangeError, RaftError, RaftPanic
from walctl.raft.log import Log
from walctl.raft.options import Options
from walctl.raft.progress import Progress
from walctl.raft.readonly import Reads
from walctl.raft.sizes import payload_bytes, total_bytes
from walctl.raft.tracker import Config, ProgressTable, Tracker
from walctl.raft.types import (
    EMPTY_STATE,
    NOBODY,
    ConfChange,
    ConfState,
    Entry,
    HardState,
    Message,
    ReadState,
    Role,
    Snapshot,
    SoftState,
)

Draw = Callable[[int], int]
"""Gives a whole number in [0, n), each as likely: the only randomness of a node."""

_CARRY_THEIR_TERM = frozenset(
    {MessageType.VOTE, MessageType.VOTE_RESP, MessageType.PRE_VOTE, MessageType.PRE_VOTE_RESP}
)
"""Those of an election: their term may be another than the node's."""
_WITHOUT_TERM = frozenset({MessageType.PROP, MessageType.READ_INDEX})
"""What is forwarded to a leader belongs to no term."""
_AFTER_APPEND = frozenset({MessageType.APP_RESP, MessageType.VOTE_RESP, MessageType.PRE_VOTE_RESP})
"""Promises about what is on the disk."""
_FROM_A_LEADER = frozenset({MessageType.APP, MessageType.HEARTBEAT, MessageType.SNAP})


class Raft:
    """See the module. `draw` is asked for every election timeout."""

    def __init__(self, options: Options, draw: Draw) -> None:
        self.options = options.checked()
        assert self.options.storage is not None, "the options were checked"
        self._draw = draw
        self.id = options.id
        self.term = 0
        self.vote = NOBODY
        self._hard_state = EMPTY_STATE
        self.lead = NOBODY
        self.role = Role.FOLLOWER
        self.is_learner = False
        self.lead_transferee = NOBODY
        self.pending_conf_index = 0
        self.uncommitted_bytes = 0
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.election_timeout = 0
        self.messages: list[Message] = []
        self.after_append: list[Message] = []
        self.reads: Reads[Message] = Reads()
        self.read_states: list[ReadState] = []
        self.log = Log(self.options.storage, applying_bytes_max=self.options.ready_bytes_max)
        self.tracker = self._empty_tracker()
        self._load()

    def _load(self) -> None:
        """Take up what the storage remembers."""
        assert self.options.storage is not None, "the options were checked"
        try:
            state, conf_state = self.options.storage.initial_state()
        except WalctlError as error:
            raise RaftPanic(error.message) from error
        self.restore_config(conf_state, last_index=self.log.last_index())
        if not state.is_empty:
            low, high = self.log.committed, self.log.last_index()
            if not low <= state.commit <= high:
                raise RaftPanic(
                    f"{self.id:x} state.commit {state.commit} is out of range [{low}, {high}]"
                )
            self.log.committed = state.commit
            self.term, self.vote = state.term, state.vote
        if self.options.applied:
            self.log.applied_to(self.options.applied, 0)
        self.become_follower(self.term, NOBODY)

    def _empty_tracker(self) -> Tracker:
        return Tracker(
            inflight_count_max=self.options.inflight_count_max,
            inflight_bytes_max=self.options.inflight_bytes_max,
        )

    # What it is.

    @property
    def hard_state(self) -> HardState:
        """What it must not forget; the same object for as long as nothing of it changes, as it is
        asked for several times a message."""
        known, term, vote, commit = self._hard_state, self.term, self.vote, self.log.committed
        if known.commit != commit or known.term != term or known.vote != vote:
            known = self._hard_state = HardState(term=term, vote=vote, commit=commit)
        return known

    @property
    def soft_state(self) -> SoftState:
        """What it may forget."""
        return SoftState(lead=self.lead, role=self.role)

    @property
    def own_progress(self) -> Progress | None:
        """Its own, `None` when it is no member."""
        return self.tracker.progress.get(self.id)

    @property
    def is_promotable(self) -> bool:
        """Whether it may campaign: a voter that waits for no snapshot."""
        own = self.own_progress
        return own is not None and not own.is_learner and self.log.unstable.snapshot is None

    @property
    def is_in_lease(self) -> bool:
        """Whether its leader was heard from so lately that nobody else is to be listened to."""
        is_recent = self.election_elapsed < self.options.election_ticks
        return self.options.check_quorum and self.lead != NOBODY and is_recent

    # Roles.

    def become_follower(self, term: int, lead: int) -> None:
        """Follow `lead`, or wait for a leader."""
        self._reset(term)
        self.lead = lead
        self.role = Role.FOLLOWER

    def become_candidate(self) -> None:
        """Ask for votes in the next term, and vote for oneself."""
        if self.role is Role.LEADER:
            raise RaftPanic("invalid transition [leader -> candidate]")
        self._reset(self.term + 1)
        self.vote = self.id
        self.role = Role.CANDIDATE

    def become_pre_candidate(self) -> None:
        """Ask whether votes could be had; term, vote, clocks and progress stay as they are."""
        if self.role is Role.LEADER:
            raise RaftPanic("invalid transition [leader -> pre-candidate]")
        self.tracker.votes = {}
        self.lead = NOBODY
        self.role = Role.PRE_CANDIDATE

    def become_leader(self) -> None:
        """Lead: append an empty entry of the new term, for only that can be committed by count."""
        if self.role is Role.FOLLOWER:
            raise RaftPanic("invalid transition [follower -> leader]")
        self._reset(self.term)
        self.lead = self.id
        self.role = Role.LEADER
        own = self.own_progress
        if own is not None:
            own.become_replicate()
            own.is_active = True
        # Changes of the membership among what older leaders left may not be known to be applied.
        self.pending_conf_index = self.log.last_index()
        leader.append_entries(self, [Entry()])

    def _reset(self, term: int) -> None:
        if self.term != term:
            self.term = term
            self.vote = NOBODY
        self.lead = NOBODY
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        ticks = self.options.election_ticks
        self.election_timeout = ticks + self._draw(ticks)
        self.lead_transferee = NOBODY
        self.tracker.votes = {}
        last = self.log.last_index()
        for node, progress in self.tracker.progress.items():
            self.tracker.progress[node] = Progress(
                match=last if node == self.id else 0,
                next_index=last + 1,
                inflights=self.tracker.new_inflights(),
                is_learner=progress.is_learner,
            )
        self.pending_conf_index = 0
        self.uncommitted_bytes = 0
        self.reads.reset()

    # Time.

    def tick(self) -> None:
        """One unit of time has passed."""
        if self.role is Role.LEADER:
            self._tick_leader()
        else:
            self.election_elapsed += 1
            if self.is_promotable and self.election_elapsed >= self.election_timeout:
                self.election_elapsed = 0
                self.step(Message(MessageType.HUP, source=self.id))

    def _tick_leader(self) -> None:
        self.heartbeat_elapsed += 1
        self.election_elapsed += 1
        if self.election_elapsed >= self.options.election_ticks:
            self.election_elapsed = 0
            if self.options.check_quorum:
                self.step(Message(MessageType.CHECK_QUORUM, source=self.id))
            if self.role is Role.LEADER:
                self.lead_transferee = NOBODY  # whoever was to take over did not in time
        if self.role is not Role.LEADER:
            return
        if self.heartbeat_elapsed >= self.options.heartbeat_ticks:
            self.heartbeat_elapsed = 0
            self.step(Message(MessageType.BEAT, source=self.id))

    # Messages.

    def send(self, message: Message) -> None:
        """Queue a message, which gets its source and term here; see `queue`."""
        kind, term = message.type, message.term
        if kind in _CARRY_THEIR_TERM:
            if term == 0:
                raise RaftPanic(f"term should be set when sending {kind.name}")
        else:
            if term != 0:
                raise RaftPanic(f"term should not be set when sending {kind.name}")
            if kind not in _WITHOUT_TERM:
                term = self.term
        self.queue(message.sent(message.source or self.id, term))

    def queue(self, message: Message) -> None:
        """Queue a whole message: at once, or after what is unstable now is on the disk."""
        if message.type in _AFTER_APPEND:
            self.after_append.append(message)
        elif message.target == self.id:
            words = f"message should not be self-addressed when sending {message.type.name}"
            raise RaftPanic(words)
        else:
            self.messages.append(message)

    def step(self, message: Message) -> None:
        """Take one message in.

        Raises: ProposalDroppedError, where nobody takes a proposal.
        """
        if message.term > self.term:
            if not self._hear_higher_term(message):
                return
        elif 0 < message.term < self.term:
            self._answer_lower_term(message)
            return
        match message.type:
            case MessageType.HUP:
                kind = election.Kind.PRE if self.options.pre_vote else election.Kind.ELECTION
                election.hup(self, kind)
            case MessageType.STORAGE_APPEND_RESP:
                if message.index:
                    self.log.unstable.stable_to(term=message.log_term, index=message.index)
                self._snapshot_stored(message.snapshot)
            case MessageType.STORAGE_APPLY_RESP:
                self.entries_applied(message.entries)
            case MessageType.VOTE | MessageType.PRE_VOTE:
                election.answer(self, message)
            case _:
                self._step_by_role(message)

    def take_over(self) -> None:
        """Campaign because the leader wants it: no pre-vote, and no lease holds voters back."""
        election.hup(self, election.Kind.TRANSFER)

    def _step_by_role(self, message: Message) -> None:
        match self.role:
            case Role.LEADER:
                leader.step(self, message)
            case Role.FOLLOWER:
                follower.step(self, message)
            case _:
                election.step(self, message)

    def _hear_higher_term(self, message: Message) -> bool:
        """Follow a higher term (figure 2, all servers); whether the message is to be heard."""
        is_request = message.type in (MessageType.VOTE, MessageType.PRE_VOTE)
        is_forced = message.context == election.TRANSFER_CONTEXT
        if is_request and not is_forced and self.is_in_lease:
            return False
        is_pre_vote = message.type is MessageType.PRE_VOTE
        # A pre-vote changes no term, neither asked nor granted: it is about the next one.
        if is_pre_vote or (message.type is MessageType.PRE_VOTE_RESP and not message.reject):
            return True
        lead = message.source if message.type in _FROM_A_LEADER else NOBODY
        self.become_follower(message.term, lead)
        return True

    def _answer_lower_term(self, message: Message) -> None:
        """Tell a leader of the past that it is one, where it would not learn it otherwise."""
        is_append = message.type in (MessageType.HEARTBEAT, MessageType.APP)
        if is_append and (self.options.check_quorum or self.options.pre_vote):
            self.send(Message(MessageType.APP_RESP, message.source))
        elif message.type is MessageType.PRE_VOTE:
            self.send(
                Message(MessageType.PRE_VOTE_RESP, message.source, term=self.term, reject=True)
            )
        elif message.type is MessageType.STORAGE_APPEND_RESP:
            # Entries may have been replaced in between and written again with their old terms, so
            # an answer from an older term says nothing of them; a snapshot is never replaced.
            self._snapshot_stored(message.snapshot)

    # What storage and state machine have done.

    def _snapshot_stored(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self.log.unstable.stable_snapshot_to(snapshot.index)
            self.applied_to(max(snapshot.index, self.log.applied), 0)

    def entries_applied(self, entries: Sequence[Entry]) -> None:
        """The state machine has these entries, which were handed out to it."""
        if entries:
            self.applied_to(entries[-1].index, total_bytes(entries))
            self.uncommitted_bytes = max(0, self.uncommitted_bytes - payload_bytes(entries))

    def applied_to(self, index: int, size: int) -> None:
        """The state machine has everything up to `index`; a joint configuration may end then."""
        applied = max(index, self.log.applied)
        self.log.applied_to(applied, size)
        may_leave = self.tracker.config.auto_leave and applied >= self.pending_conf_index
        if may_leave and self.role is Role.LEADER:
            leave = Entry(type=EntryType.CONF_CHANGE_V2)
            try:
                self.step(Message(MessageType.PROP, source=self.id, entries=(leave,)))
            except RaftError:
                return  # while leadership is transferred; tried again with what is applied next

    # Membership.

    def apply_conf_change(self, change: ConfChange) -> ConfState:
        """Make a committed change of the membership; the membership then."""
        changer = Changer(self.tracker, last_index=self.log.last_index())
        try:
            changed = changer.change(change)
        except ConfChangeError as error:
            raise RaftPanic(error.message) from error
        return self._switch_to(changed.config, changed.progress)

    def restore_config(self, conf_state: ConfState, *, last_index: int) -> None:
        """Take the membership of a snapshot, in the place of whatever was known."""
        self.tracker = self._empty_tracker()
        try:
            changed = restored(self.tracker, conf_state, last_index=last_index)
        except ConfChangeError as error:
            raise RaftPanic(f"unable to restore config: {error.message}") from error
        found = self._switch_to(changed.config, changed.progress)
        if not found.is_equivalent(conf_state):
            raise RaftPanic(f"restored {found}, and the snapshot says {conf_state}")

    def _switch_to(self, config: Config, progress: ProgressTable) -> ConfState:
        """From now on these are the members, whatever role that leaves this node."""
        self.tracker.install(config, progress)
        own = self.own_progress
        self.is_learner = own is not None and own.is_learner
        if (own is None or self.is_learner) and self.role is Role.LEADER:
            # It leads on until somebody else does, unless it is told to step down at once.
            if self.options.step_down_on_removal:
                self.become_follower(self.term, NOBODY)
            return config.conf_state
        if self.role is Role.LEADER and config.incoming:
            leader.config_switched(self)
        return config.conf_state
