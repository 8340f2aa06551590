"""Small clusters for tests: real cores, storages in memory, a network that does what a test says.

A `Node` does what a driver has to do, in the order that Raft demands: make the Ready durable, then
send, then apply. A `Cluster` holds the messages until somebody delivers, drops or repeats them.
Nothing here is random; a test that wants randomness hands in a seeded source.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from formats.raftpb import MessageType
from walctl.raft.errors import ProposalDroppedError, RaftError
from walctl.raft.options import Options
from walctl.raft.progress import Progress, ProgressState
from walctl.raft.rawnode import Peer, RawNode, Ready, changes_in
from walctl.raft.storage import MemoryStorage, StableStorage
from walctl.raft.types import (
    EMPTY_STATE,
    UNLIMITED,
    ConfState,
    Entry,
    HardState,
    Message,
    ReadState,
    Role,
    Snapshot,
)

ELECTION, HEARTBEAT = 10, 1


def options(node: int, storage: StableStorage, **wishes: Any) -> Options:
    """Ten ticks to an election, one to a heartbeat, no limits; `wishes` are other options."""
    made = Options(
        id=node,
        election_ticks=ELECTION,
        heartbeat_ticks=HEARTBEAT,
        storage=storage,
        inflight_count_max=256,
        message_bytes_max=UNLIMITED,
    )
    return replace(made, **wishes)


def storage_with(
    *voters: int,
    learners: Sequence[int] = (),
    entries: Sequence[Entry] = (),
    state: HardState = EMPTY_STATE,
) -> MemoryStorage:
    """A storage whose membership is known from an empty snapshot, with these entries behind it."""
    storage = MemoryStorage()
    conf = ConfState(voters=voters, learners=tuple(learners))
    storage.apply_snapshot(Snapshot(conf_state=conf))
    storage.append(entries)
    storage.set_hard_state(state)
    return storage


def log_of(*terms: int) -> list[Entry]:
    """Entries 1, 2, … of these terms."""
    return [Entry(term, index, None, b"%d" % index) for index, term in enumerate(terms, start=1)]


@dataclass
class Node:
    """One node with its disk (`storage`) and its state machine (`applied`)."""

    raw: RawNode
    storage: StableStorage
    applied: list[Entry] = field(default_factory=list)
    reads: list[ReadState] = field(default_factory=list)
    readies: int = 0

    @property
    def id(self) -> int:
        return self.raw.raft.id

    @property
    def role(self) -> Role:
        return self.raw.raft.role

    def plays(self, role: Role) -> bool:
        """Whether it has this role now."""
        return self.raw.raft.role is role

    @property
    def term(self) -> int:
        return self.raw.raft.term

    @property
    def commit(self) -> int:
        return self.raw.raft.log.committed

    def store(self, ready: Ready) -> None:
        """Make a Ready durable."""
        self.storage.save(ready.hard_state, ready.entries, ready.snapshot)

    def apply(self, ready: Ready) -> None:
        """Apply what a Ready says is committed."""
        for entry in ready.committed_entries:
            change = changes_in(entry)
            if change is not None:
                self.raw.apply_conf_change(change)
            self.applied.append(entry)

    def work(self) -> list[Message]:
        """Do all that there is to do; the messages to be sent, in order."""
        sent: list[Message] = []
        while self.raw.has_ready():
            ready = self.raw.ready()
            self.readies += 1
            self.store(ready)
            sent += ready.messages
            self.reads += ready.read_states
            self.apply(ready)
            self.raw.advance()
        return sent

    def step(self, message: Message) -> None:
        """Take a message; what nobody takes is dropped, as a network would."""
        try:
            self.raw.step(message)
        except RaftError:
            return


def node(
    number: int,
    storage: StableStorage,
    *,
    draw: Callable[[int], int] = lambda n: 0,
    **wishes: Any,
) -> Node:
    """A node over a storage."""
    return Node(RawNode(options(number, storage, **wishes), draw), storage)


def elected(here: Node) -> Node:
    """Let a node lead: every other voter votes for it, and has said nothing else yet."""
    here.raw.campaign()
    here.work()
    for other in sorted(here.raw.raft.tracker.config.voters - {here.id}):
        here.step(Message(MessageType.VOTE_RESP, here.id, other, term=here.term))
    here.work()
    assert here.plays(Role.LEADER)
    return here


def leading(storage: MemoryStorage, **wishes: Any) -> Node:
    """Node 1, elected; all others were heard of, and have acknowledged nothing."""
    here = elected(node(1, storage, **wishes))
    for number, progress in here.raw.raft.tracker.in_order():
        progress.is_active = number != here.id
    return here


def progress_of(here: Node, other: int = 2) -> Progress:
    """Another node as this one sees it."""
    return here.raw.raft.tracker.progress[other]


def state_of(here: Node, other: int = 2) -> ProgressState:
    """How this node feeds another."""
    return progress_of(here, other).state


def streaming(**wishes: Any) -> Node:
    """Node 1, which leads nodes 2 and 3, and streams to node 2."""
    here = leading(storage_with(1, 2, 3), **wishes)
    here.step(Message(MessageType.APP_RESP, 1, 2, 1, index=1))
    here.work()
    assert state_of(here) is ProgressState.REPLICATE
    return here


def sent(here: Node, kind: MessageType, target: int = 2) -> list[Message]:
    """What it has to say to another, of one type; all else that it has to do is done."""
    return [each for each in here.work() if (each.type, each.target) == (kind, target)]


def write(here: Node, work: Message) -> None:
    """Do what the disk's worker is told; the responses are for whoever asks."""
    state = HardState(term=work.term, vote=work.vote, commit=work.commit)
    here.storage.save(None if state.is_empty else state, work.entries, work.snapshot)


def _drawn(number: int, n: int) -> int:
    """A different timeout for every node, so that elections do not split."""
    return number % n


class Cluster:
    """Nodes and the messages between them."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {each.id: each for each in nodes}
        self.flying: list[Message] = []
        self.cut: set[tuple[int, int]] = set()
        self.deaf_to: set[MessageType] = set()

    @classmethod
    def of(cls, count: int, **wishes: Any) -> "Cluster":
        """So many voters with empty logs."""
        ids = range(1, count + 1)
        return cls(
            node(each, storage_with(*ids), draw=partial(_drawn, each - 1), **wishes) for each in ids
        )

    @classmethod
    def begun(cls, *numbers: int, fresh: Sequence[int] = (), **wishes: Any) -> "Cluster":
        """A new cluster of these voters, whose logs begin with their being added; `fresh` are nodes
        that nobody has added yet, with nothing on their disks."""
        made = [node(each, MemoryStorage(), **wishes) for each in (*numbers, *fresh)]
        for each in made:
            if each.id in numbers:
                each.raw.bootstrap([Peer(id=number) for number in numbers])
        return cls(made)

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    def isolate(self, *numbers: int) -> None:
        """Let nothing through to or from these nodes."""
        for one in numbers:
            for other in self.nodes:
                self.cut |= {(one, other), (other, one)}

    def join(self) -> None:
        """Let everything through again."""
        self.cut.clear()
        self.deaf_to.clear()

    def work(self) -> None:
        """Every node does what it has to do."""
        for number in sorted(self.nodes):
            self.flying += self.nodes[number].work()

    def deliver(self) -> bool:
        """Deliver what is flying now; whether there was anything."""
        batch, self.flying = self.flying, []
        for message in batch:
            is_cut = (message.source, message.target) in self.cut
            if not is_cut and message.type not in self.deaf_to and message.target in self.nodes:
                self.nodes[message.target].step(message)
        return bool(batch)

    def settle(self) -> None:
        """Work and deliver until nothing moves."""
        self.work()
        while self.deliver():
            self.work()

    def campaign(self, number: int) -> None:
        """Let a node campaign, and wait what comes of it."""
        self.nodes[number].raw.campaign()
        self.settle()

    def propose(self, number: int, data: bytes = b"x") -> bool:
        """Propose at a node, and wait; whether it was taken."""
        try:
            self.nodes[number].raw.propose(data)
        except ProposalDroppedError:
            return False
        self.settle()
        return True

    def tick(self, number: int, times: int = 1) -> None:
        """Let time pass at one node, and wait what comes of it."""
        for _ in range(times):
            self.nodes[number].raw.tick()
            self.settle()

    def leaders(self) -> list[int]:
        """Who leads, by their own account."""
        return [number for number, each in self.nodes.items() if each.role is Role.LEADER]


def data_of(entries: Iterable[Entry]) -> list[bytes]:
    """The payloads of those that have one."""
    return [entry.data for entry in entries if entry.data]
