"""The values that Raft works on: entries, states, snapshots, messages; frozen, without behaviour.

They say what `formats.raftpb` says of the same messages, but with zero for what is unset: absent
and zero differ on the wire only, and there alone they are told apart (`wire`). An entry's type and
data keep their absence, because it counts in sizes. An id of 0 is nobody.
"""

import enum
from dataclasses import dataclass
from typing import Final

from formats.raftpb import EntryType, MessageType

NOBODY: Final = 0
UNLIMITED: Final = (1 << 64) - 1
"""No limit; also the committed index of a quorum that has no members."""
APPEND_THREAD: Final = (1 << 64) - 1
"""Address of the worker that writes to the disk, where writes are asynchronous."""
APPLY_THREAD: Final = (1 << 64) - 2
"""Address of the worker that applies entries, where writes are asynchronous."""
WORKERS: Final = frozenset({APPEND_THREAD, APPLY_THREAD})


class Role(enum.StrEnum):
    """What a node is just now; the words are etcd's."""

    FOLLOWER = "StateFollower"
    CANDIDATE = "StateCandidate"
    LEADER = "StateLeader"
    PRE_CANDIDATE = "StatePreCandidate"

    @property
    def word(self) -> str:
        """Without etcd's `State`, in small letters, as events and a status have it."""
        return self.value.removeprefix("State").lower()


@dataclass(frozen=True, slots=True)
class Entry:
    """A log entry; `type` and `data` are `None` where they are absent."""

    term: int = 0
    index: int = 0
    type: int | None = None
    data: bytes | None = None

    @property
    def is_conf_change(self) -> bool:
        """Whether it changes the membership."""
        return self.type in (EntryType.CONF_CHANGE, EntryType.CONF_CHANGE_V2)


@dataclass(frozen=True, slots=True, order=True)
class EntryID:
    """Term and index: two logs that share one are equal up to it (Log Matching)."""

    term: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HardState:
    """What a node must not forget: its term, whom it voted for in it, what is committed."""

    term: int = 0
    vote: int = NOBODY
    commit: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever remembered."""
        return self == EMPTY_STATE


EMPTY_STATE: Final = HardState()


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftState:
    """What a node knows and may forget."""

    lead: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfState:
    """A membership by id, as a snapshot carries it."""

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False

    def is_equivalent(self, other: "ConfState") -> bool:
        """Whether both name the same members, in whatever order."""
        return self.sorted() == other.sorted()

    def sorted(self) -> "ConfState":
        """The same with every list ascending."""
        return ConfState(
            voters=tuple(sorted(self.voters)),
            learners=tuple(sorted(self.learners)),
            voters_outgoing=tuple(sorted(self.voters_outgoing)),
            learners_next=tuple(sorted(self.learners_next)),
            auto_leave=self.auto_leave,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state machine as of entry `index`; empty when that is 0."""

    index: int = 0
    term: int = 0
    conf_state: ConfState = ConfState()
    data: bytes | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it is of nothing."""
        return self.index == 0


EMPTY_SNAPSHOT: Final = Snapshot()


@dataclass(frozen=True, slots=True)
class Message:
    """What nodes say to each other, to themselves, and to their storage workers.

    `source` and `target` are ids (0: not set). `responses` are what a storage worker is to deliver
    once its work is durable.
    """

    type: MessageType
    target: int = NOBODY
    source: int = NOBODY
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: tuple[Entry, ...] = ()
    commit: int = 0
    vote: int = NOBODY
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: bytes = b""
    responses: "tuple[Message, ...]" = ()

    def sent(self, source: int, term: int) -> "Message":
        """The same from `source` in `term`. Every message goes through here: this takes half the
        time of `replace`."""
        return Message(
            self.type,
            self.target,
            source,
            term,
            self.log_term,
            self.index,
            self.entries,
            self.commit,
            self.vote,
            self.snapshot,
            self.reject,
            self.reject_hint,
            self.context,
            self.responses,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadState:
    """An answer to a read: whoever asked with `context` may read once `index` is applied."""

    index: int
    context: bytes


class ChangeKind(enum.IntEnum):
    """What one change does to one member."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2
    ADD_LEARNER_NODE = 3


class Transition(enum.IntEnum):
    """Whether a change goes through a joint configuration, and how that ends."""

    AUTO = 0
    JOINT_IMPLICIT = 1
    JOINT_EXPLICIT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One member added, removed, updated or made a learner; an unknown `kind` is refused later."""

    kind: int
    node_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfChange:
    """A membership change: a v1 change has one element of `changes` and an id of its own.

    `is_v1` tells how it is written as an entry.
    """

    changes: tuple[Change, ...] = ()
    transition: int = Transition.AUTO
    context: bytes | None = None
    is_v1: bool = False
    id: int = 0

    @property
    def leaves_joint(self) -> bool:
        """Whether applying it leaves a joint configuration."""
        return self.transition == Transition.AUTO and not self.changes

    @property
    def enters_joint(self) -> bool:
        """Whether applying it goes through a joint configuration."""
        return self.transition != Transition.AUTO or len(self.changes) > 1
