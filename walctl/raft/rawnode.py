"""The face of the core: what a program that drives a node calls, and what it gets to do.

    node.tick(), step(), propose() …
    while node.has_ready():
        ready = node.ready()
        write hard state, entries and snapshot, and make them durable
        send the messages
        apply the snapshot and the committed entries, membership changes by apply_conf_change
        node.advance()

Ordinary mode: a `Ready` is one round of work, and `advance` says that it is done. Asynchronous mode
(`Options.is_async`): there is no `advance`; the work for disk and state machine is in messages to
two workers, and each carries the responses that are to be delivered once it is done.

Nothing that a node promises (votes, acknowledgements) is in `messages` before the data that it is
about was handed out, and none may be sent before that is durable.

Source: etcd's Raft library, `rawnode.go` and `doc.go` by their behaviour; thesis, section 10.2.1.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from formats.raftpb import EntryType, MessageType
from walctl.raft.core import Draw, Raft
from walctl.raft.errors import LocalMessageError, PeerNotFoundError, RaftError, RaftPanic
from walctl.raft.options import Options
from walctl.raft.sizes import total_bytes
from walctl.raft.tracker import Config
from walctl.raft.types import (
    APPEND_THREAD,
    APPLY_THREAD,
    EMPTY_STATE,
    NOBODY,
    WORKERS,
    Change,
    ChangeKind,
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
from walctl.raft.wire import conf_change_entry, parse_conf_change

_LOCAL = frozenset(
    {
        MessageType.HUP,
        MessageType.BEAT,
        MessageType.UNREACHABLE,
        MessageType.SNAP_STATUS,
        MessageType.CHECK_QUORUM,
        MessageType.STORAGE_APPEND,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY,
        MessageType.STORAGE_APPLY_RESP,
    }
)
_RESPONSES = frozenset(
    {
        MessageType.APP_RESP,
        MessageType.VOTE_RESP,
        MessageType.HEARTBEAT_RESP,
        MessageType.UNREACHABLE,
        MessageType.READ_INDEX_RESP,
        MessageType.PRE_VOTE_RESP,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY_RESP,
    }
)


class SnapshotStatus(enum.Enum):
    """How the sending of a snapshot ended."""

    FINISH = "finish"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What is to be done; see the module.

    `soft_state` and `hard_state` are `None` where they did not change. `must_sync`: entries, term
    or vote have to be durable before anything is sent.
    """

    soft_state: SoftState | None = None
    hard_state: HardState | None = None
    read_states: tuple[ReadState, ...] = ()
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None
    committed_entries: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()
    must_sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A member of a new cluster."""

    id: int
    context: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressStatus:
    """A node as its leader sees it."""

    match: int
    next: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A node as it is just now; `progress` is empty unless it leads.

    `config` does not say whether a joint configuration ends by itself: `auto_leave` is never set.
    """

    id: int
    hard_state: HardState
    soft_state: SoftState
    applied: int
    lead_transferee: int
    config: Config
    progress: dict[int, ProgressStatus]


class RawNode:
    """See the module. `draw` gives a whole number in [0, n)."""

    def __init__(self, options: Options, draw: Draw) -> None:
        self.raft = Raft(options, draw)
        self._is_async = options.is_async
        self._soft_state = self.raft.soft_state
        self._hard_state = self.raft.hard_state
        self._on_advance: list[Message] = []
        self._applying: tuple[Entry, ...] = ()

    # What is asked of it.

    def tick(self) -> None:
        """One unit of time has passed."""
        self.raft.tick()

    def campaign(self) -> None:
        """Try to become leader."""
        self.raft.step(Message(MessageType.HUP))

    def propose(self, data: bytes) -> None:
        """Propose an entry. Raises: ProposalDroppedError."""
        entry = Entry(data=data)
        self.raft.step(Message(MessageType.PROP, source=self.raft.id, entries=(entry,)))

    def propose_conf_change(self, change: ConfChange) -> None:
        """Propose a membership change. Raises: ProposalDroppedError."""
        self.raft.step(Message(MessageType.PROP, entries=(conf_change_entry(change),)))

    def apply_conf_change(self, change: ConfChange) -> ConfState:
        """Make a committed membership change; the membership then."""
        return self.raft.apply_conf_change(change)

    def step(self, message: Message) -> None:
        """Take a message from outside.

        Raises: LocalMessageError, PeerNotFoundError, ProposalDroppedError.
        """
        is_worker = message.source in WORKERS
        if message.type in _LOCAL and not is_worker:
            raise LocalMessageError
        is_known = is_worker or message.source in self.raft.tracker.progress
        if message.type in _RESPONSES and not is_known:
            raise PeerNotFoundError
        self.raft.step(message)

    def report_unreachable(self, node: int) -> None:
        """A message to `node` was not delivered."""
        self._tell(Message(MessageType.UNREACHABLE, source=node))

    def report_snapshot(self, node: int, status: SnapshotStatus) -> None:
        """A snapshot was delivered to `node`, or not."""
        is_failed = status is SnapshotStatus.FAILURE
        self._tell(Message(MessageType.SNAP_STATUS, source=node, reject=is_failed))

    def transfer_leader(self, target: int) -> None:
        """Ask the leader to let `target` take over."""
        self._tell(Message(MessageType.TRANSFER_LEADER, source=target))

    def forget_leader(self) -> None:
        """Forget the leader: a follower may grant a pre-vote at once then."""
        self.raft.step(Message(MessageType.FORGET_LEADER))

    def read_index(self, context: bytes) -> None:
        """Ask for an index up to which a linearizable read has to wait."""
        self._tell(Message(MessageType.READ_INDEX, entries=(Entry(data=context),)))

    def _tell(self, message: Message) -> None:
        """Step what has no answer."""
        try:
            self.raft.step(message)
        except RaftError:
            return

    def bootstrap(self, peers: Sequence[Peer]) -> None:
        """Begin a new cluster with these members.

        Raises: RaftError, when there are none, or the storage is not empty.
        """
        raft = self.raft
        if not peers:
            raise RaftError("must provide at least one peer to Bootstrap")
        if raft.log.storage.last_index() != 0:
            raise RaftError("can't bootstrap a nonempty Storage")
        self._hard_state = EMPTY_STATE
        raft.become_follower(1, NOBODY)
        changes = [
            ConfChange(
                changes=(Change(kind=ChangeKind.ADD_NODE, node_id=peer.id),),
                context=peer.context,
                is_v1=True,
            )
            for peer in peers
        ]
        entries = [
            replace(conf_change_entry(change), term=1, index=index)
            for index, change in enumerate(changes, start=1)
        ]
        raft.log.append(entries)
        raft.log.committed = len(entries)
        for change in changes:
            raft.apply_conf_change(change)

    # What it wants done.

    def has_ready(self) -> bool:
        """Whether there is anything to do."""
        raft = self.raft
        log = raft.log
        return bool(
            raft.messages
            or raft.after_append
            or log.unstable.has_next_entries
            or log.has_next_committed(allow_unstable=not self._is_async)
            or raft.read_states
            or self._is_new_soft
            or self._is_new_hard
            or log.unstable.next_snapshot() is not None
        )

    @property
    def _is_new_soft(self) -> bool:
        """Whether the soft state is another than the one that was handed out last; it is asked for
        several times a message, so none is made to be compared."""
        raft, before = self.raft, self._soft_state
        return raft.lead != before.lead or raft.role is not before.role

    @property
    def _is_new_hard(self) -> bool:
        """The same of the hard state; one of zeros is none."""
        state, before = self.raft.hard_state, self._hard_state
        return state is not before and state != before and not state.is_empty

    def ready(self) -> Ready:
        """What is to be done now; taking it is a promise to do it."""
        raft, state, before = self.raft, self.raft.hard_state, self._hard_state
        entries = tuple(raft.log.unstable.next_entries())
        snapshot = raft.log.unstable.next_snapshot()
        committed = tuple(raft.log.next_committed(allow_unstable=not self._is_async))
        hard = state if self._is_new_hard else None
        ready = Ready(
            soft_state=raft.soft_state if self._is_new_soft else None,
            hard_state=hard,
            read_states=tuple(raft.read_states),
            entries=entries,
            snapshot=snapshot,
            committed_entries=committed,
            messages=self._messages(entries, hard, snapshot, committed),
            must_sync=bool(entries) or state.term != before.term or state.vote != before.vote,
        )
        self._accept(ready)
        return ready

    def _messages(
        self,
        entries: tuple[Entry, ...],
        hard: HardState | None,
        snapshot: Snapshot | None,
        committed: tuple[Entry, ...],
    ) -> tuple[Message, ...]:
        raft = self.raft
        if not self._is_async:
            others = [each for each in raft.after_append if each.target != raft.id]
            return (*raft.messages, *others)
        work: list[Message] = []
        if entries or hard is not None or snapshot is not None or raft.after_append:
            work.append(self._append_work(entries, hard, snapshot))
        if committed:
            work.append(
                Message(
                    MessageType.STORAGE_APPLY,
                    APPLY_THREAD,
                    source=raft.id,
                    entries=committed,
                    responses=(self._apply_response(committed),),
                )
            )
        return (*raft.messages, *work)

    def _append_work(
        self, entries: tuple[Entry, ...], hard: HardState | None, snapshot: Snapshot | None
    ) -> Message:
        """What the disk's worker is to write, and what may be said once that is durable."""
        raft = self.raft
        responses = list(raft.after_append)
        response = self._append_response(snapshot)
        if response is not None:
            responses.append(response)
        state = hard or EMPTY_STATE
        return Message(
            MessageType.STORAGE_APPEND,
            APPEND_THREAD,
            source=raft.id,
            term=state.term,
            vote=state.vote,
            commit=state.commit,
            entries=entries,
            snapshot=snapshot,
            responses=tuple(responses),
        )

    def _append_response(self, snapshot: Snapshot | None) -> Message | None:
        """That everything unstable now is durable; named by the log's last entry, so that an
        answer to an older write cannot pass for it."""
        raft = self.raft
        if not raft.log.unstable.entries and snapshot is None:
            return None
        last = raft.log.last_id() if raft.log.unstable.entries else None
        return Message(
            MessageType.STORAGE_APPEND_RESP,
            raft.id,
            source=APPEND_THREAD,
            term=raft.term,
            index=last.index if last is not None else 0,
            log_term=last.term if last is not None else 0,
            snapshot=snapshot,
        )

    def _apply_response(self, committed: tuple[Entry, ...]) -> Message:
        return Message(
            MessageType.STORAGE_APPLY_RESP,
            self.raft.id,
            source=APPLY_THREAD,
            entries=committed,
        )

    def _accept(self, ready: Ready) -> None:
        """Note what was handed out."""
        raft = self.raft
        if ready.soft_state is not None:
            self._soft_state = ready.soft_state
        if ready.hard_state is not None:
            self._hard_state = ready.hard_state
        raft.read_states = []
        if not self._is_async:
            if self._on_advance or self._applying:
                raise RaftPanic("two accepted Ready structs without call to Advance")
            self._on_advance = [each for each in raft.after_append if each.target == raft.id]
            response = self._append_response(ready.snapshot)
            if response is not None:
                self._on_advance.append(response)
            self._applying = ready.committed_entries
        raft.messages, raft.after_append = [], []
        raft.log.unstable.accept_in_progress()
        if ready.committed_entries:
            raft.log.accept_applying(
                ready.committed_entries[-1].index,
                total_bytes(ready.committed_entries),
                allow_unstable=not self._is_async,
            )

    def advance(self) -> None:
        """The last `Ready` was done, all of it."""
        if self._is_async:
            raise RaftPanic("Advance must not be called when using AsyncStorageWrites")
        steps, self._on_advance = self._on_advance, []
        for message in steps:
            self._tell(message)
        applied, self._applying = self._applying, ()
        self.raft.entries_applied(applied)

    def status(self) -> Status:
        """The node as it is just now."""
        raft = self.raft
        table = {}
        if raft.role is Role.LEADER:
            table = {
                node: ProgressStatus(match=each.match, next=each.next, state=str(each.state))
                for node, each in raft.tracker.in_order()
            }
        return Status(
            id=raft.id,
            hard_state=raft.hard_state,
            soft_state=raft.soft_state,
            applied=raft.log.applied,
            lead_transferee=raft.lead_transferee,
            config=replace(raft.tracker.config, auto_leave=False),
            progress=table,
        )


def changes_in(entry: Entry) -> ConfChange | None:
    """The membership change of a committed entry, `None` for any other entry."""
    if entry.type in (EntryType.CONF_CHANGE, EntryType.CONF_CHANGE_V2):
        return parse_conf_change(entry)
    return None
