"""A hostile world for a few nodes, driven by a list of numbers: it shrinks, and can be repeated.

Every number is one deed: time passes at a node, a client proposes, the membership changes, a
message is delivered, lost, repeated or comes out of order, a node crashes and forgets what was not
synced.
After each deed the four safety properties of the Raft paper (figure 3) are checked over everything
that has ever been seen, not only over what is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.raft.harness import ELECTION, Node, node, storage_with
from walctl.raft.errors import RaftError
from walctl.raft.rawnode import changes_in
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import (
    EMPTY_STATE,
    UNLIMITED,
    Change,
    ChangeKind,
    ConfChange,
    Entry,
    HardState,
    Message,
    Role,
    Transition,
)


class SafetyError(AssertionError):
    """One of the four properties does not hold."""


@dataclass
class History:
    """What was ever seen: who led a term, what was applied at an index."""

    leaders: dict[int, int] = field(default_factory=dict)
    applied: dict[int, Entry] = field(default_factory=dict)

    def see_leader(self, each: Node) -> None:
        """Election safety: one leader a term. Leader completeness: it has all that was applied."""
        term = each.raw.raft.term
        first = self.leaders.setdefault(term, each.id)
        if first != each.id:
            raise SafetyError(f"nodes {first} and {each.id} lead term {term}")
        log = each.raw.raft.log
        for index, entry in self.applied.items():
            is_wanted = index >= log.first_index() and entry.term < term
            if is_wanted and log.known_term(index) != entry.term:
                raise SafetyError(f"leader {each.id} of term {term} lacks entry {index}")

    def see_applied(self, entry: Entry) -> None:
        """State machine safety: one entry at an index."""
        first = self.applied.setdefault(entry.index, entry)
        if (first.term, first.data) != (entry.term, entry.data):
            raise SafetyError(f"two entries are applied at {entry.index}")


class Hostile:
    """The world; `deeds` are taken one number at a time."""

    def __init__(self, count: int = 3, **wishes: Any) -> None:
        self.wishes = wishes
        ids = tuple(range(1, count + 1))
        self.timeouts = 0
        self.synced: dict[int, HardState] = dict.fromkeys(ids, EMPTY_STATE)
        self.nodes = {each: self._node(each, storage_with(*ids)) for each in ids}
        self.flying: list[Message] = []
        self.history = History()
        self.proposed = 0

    def _node(self, number: int, storage: MemoryStorage) -> Node:
        return node(number, storage, draw=self._draw, **self.wishes)

    def _draw(self, n: int) -> int:
        """Different for every node and time, and the same for the same deeds."""
        self.timeouts += 1
        return self.timeouts * 7 % n

    def run(self, deeds: Sequence[int]) -> None:
        """Do all of it. Raises: SafetyError."""
        for deed in deeds:
            self._do(deed)
            self._check()

    def _do(self, deed: int) -> None:
        kind, rest = deed % 16, deed // 16
        number = rest % len(self.nodes) + 1
        each = self.nodes[number]
        match kind:
            case 0 | 1:
                each.raw.tick()
            case 2:
                for _ in range(ELECTION):
                    each.raw.tick()
            case 3:
                self._propose(each)
            case 4 if self.flying:
                self.flying.pop(rest % len(self.flying))
            case 5 if self.flying:
                self.flying.append(self.flying[rest % len(self.flying)])
            case 6:
                self._crash(number, is_synced_only=bool(rest & 1))
            case 7:
                self._change(each, rest)
            case 8:
                each.raw.transfer_leader(rest // 3 % len(self.nodes) + 1)
            case 9:
                self._compact(each)
            case _ if self.flying:
                # Most deeds deliver, or nothing would ever be agreed on.
                position = rest % min(len(self.flying), 3)
                message = self.flying.pop(position)
                self.nodes[message.target].step(message)
            case _:
                each.raw.tick()
        self._work()

    def _propose(self, each: Node) -> None:
        self.proposed += 1
        try:
            each.raw.propose(b"%d" % self.proposed)
        except RaftError:
            return

    def _change(self, each: Node, rest: int) -> None:
        """A voter goes or comes, by itself or through a joint configuration."""
        target = rest // 5 % len(self.nodes) + 1
        kinds = (ChangeKind.REMOVE_NODE, ChangeKind.ADD_NODE, ChangeKind.ADD_LEARNER_NODE)
        change = Change(kind=kinds[rest // 11 % 3], node_id=target)
        transition = Transition.JOINT_IMPLICIT if rest // 7 % 2 else Transition.AUTO
        if change.kind == ChangeKind.REMOVE_NODE and len(each.raw.raft.tracker.config.voters) < 2:
            return
        if change.kind == ChangeKind.ADD_LEARNER_NODE and len(self.voters_of(each)) < 2:
            return
        try:
            each.raw.propose_conf_change(ConfChange(changes=(change,), transition=transition))
        except RaftError:
            return

    @staticmethod
    def voters_of(each: Node) -> frozenset[int]:
        return each.raw.raft.tracker.config.voters

    def _compact(self, each: Node) -> None:
        """Make a snapshot of what is applied, and forget the entries."""
        applied = each.raw.raft.log.applied
        storage = each.storage
        if applied >= storage.first_index() and applied > storage.snapshot().index:
            conf = each.raw.raft.tracker.config.conf_state
            storage.create_snapshot(applied, conf, b"")
            storage.compact(applied)

    def _crash(self, number: int, *, is_synced_only: bool) -> None:
        """Stop and start again from the disk; a commit that was written lazily may be lost."""
        each = self.nodes[number]
        storage = each.storage
        state, _ = storage.initial_state()
        if is_synced_only:
            low = max(self.synced[number].commit, storage.snapshot().index)
            storage.set_hard_state(HardState(term=state.term, vote=state.vote, commit=low))
        self.nodes[number] = self._node(number, storage)

    def _work(self) -> None:
        for number in sorted(self.nodes):
            each = self.nodes[number]
            while each.raw.has_ready():
                ready = each.raw.ready()
                each.store(ready)
                if ready.must_sync or ready.snapshot is not None:
                    self.synced[number] = each.storage.initial_state()[0]
                self.flying += [m for m in ready.messages if m.target in self.nodes]
                for entry in ready.committed_entries:
                    self.history.see_applied(entry)
                    change = changes_in(entry)
                    if change is not None:
                        each.raw.apply_conf_change(change)
                each.raw.advance()
        del self.flying[: max(0, len(self.flying) - 400)]

    def _check(self) -> None:
        for each in self.nodes.values():
            if each.role is Role.LEADER:
                self.history.see_leader(each)
        self._check_log_matching()

    def _check_log_matching(self) -> None:
        """Two logs that share an entry share all before it."""
        nodes = list(self.nodes.values())
        for position, one in enumerate(nodes):
            for other in nodes[position + 1 :]:
                a, b = one.raw.raft.log, other.raw.raft.log
                low = max(a.first_index(), b.first_index())
                high = min(a.last_index(), b.last_index())
                is_equal = False
                for index in range(high, low - 1, -1):
                    first = a.slice(index, index + 1, UNLIMITED)[0]
                    second = b.slice(index, index + 1, UNLIMITED)[0]
                    if is_equal and first != second:
                        raise SafetyError(f"{one.id} and {other.id} differ at {index} only")
                    is_equal = is_equal or first.term == second.term
                    if first.term == second.term and first.data != second.data:
                        raise SafetyError(f"{one.id} and {other.id} differ in entry {index}")
