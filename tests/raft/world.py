"""A hostile world for a few nodes, driven by a list of numbers: it shrinks, and can be repeated.

Every number is one deed: time passes at a node, a client proposes, the membership changes, a
message is delivered, lost, repeated or comes out of order, a node crashes and forgets what was not
synced.
After each deed the four safety properties of the Raft paper (figure 3) are checked over everything
that has ever been seen, not only over what is.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from formats.raftpb import MessageType
from tests.raft.grounds import Grounds, InMemory
from tests.raft.harness import ELECTION, Node, node, write
from tests.replay.stored import typed
from walctl.fs.faults import Killed
from walctl.raft.errors import RaftError
from walctl.raft.rawnode import changes_in
from walctl.raft.types import (
    APPEND_THREAD,
    APPLY_THREAD,
    UNLIMITED,
    Change,
    ChangeKind,
    ConfChange,
    Entry,
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


@dataclass
class Workers:
    """The two storage workers of a node whose writes are asynchronous, and what waits for them."""

    number: int
    to_write: list[Message] = field(default_factory=list)
    to_apply: list[Message] = field(default_factory=list)


class Hostile:
    """The world; `deeds` are taken one number at a time. `ground` is what its nodes stand on."""

    def __init__(self, count: int = 3, ground: Grounds = InMemory, **wishes: Any) -> None:
        self.wishes = wishes
        ids = tuple(range(1, count + 1))
        self.timeouts = 0
        self.grounds = {each: ground(ids) for each in ids}
        self.nodes = {each: self._node(each) for each in ids}
        self.workers = {each: Workers(each) for each in ids}
        self.flying: list[Message] = []
        self.history = History()
        self.proposed = 0

    def _node(self, number: int) -> Node:
        return node(number, self.grounds[number].storage, draw=self._draw, **self.wishes)

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
            case 6 if rest & 2:
                self.grounds[number].die_soon(rest // 4)
            case 6:
                self._crash(number, rest)
            case 7:
                self._change(each, rest)
            case 8:
                each.raw.transfer_leader(rest // 3 % len(self.nodes) + 1)
            case 9:
                self._compact(number)
            case _ if self.flying:
                # Most deeds deliver, or nothing would ever be agreed on.
                self._deliver(self.flying.pop(rest % min(len(self.flying), 3)))
            case _:
                each.raw.tick()
        self._work(rest)

    def _deliver(self, message: Message) -> None:
        """A snapshot may overtake nothing that was handed out to be applied."""
        if message.type is MessageType.SNAP:
            self._apply(message.target)
        self.nodes[message.target].step(message)

    def _propose(self, each: Node) -> None:
        self.proposed += 1
        try:
            each.raw.propose(b"%d" % self.proposed)
        except RaftError:
            return

    def _change(self, each: Node, rest: int) -> None:
        """A voter goes or comes, by itself or through a joint configuration."""
        target = rest // 5 % len(self.nodes) + 1
        if target == 1:
            return  # one voter has to stay, whatever else is under way
        kinds = (ChangeKind.REMOVE_NODE, ChangeKind.ADD_NODE, ChangeKind.ADD_LEARNER_NODE)
        change = Change(kind=kinds[rest // 11 % 3], node_id=target)
        transition = Transition.JOINT_IMPLICIT if rest // 7 % 2 else Transition.AUTO
        try:
            each.raw.propose_conf_change(ConfChange(changes=(change,), transition=transition))
        except RaftError:
            return

    def _compact(self, number: int) -> None:
        """Make a snapshot of what is applied, and forget the entries."""
        each, storage = self.nodes[number], self.grounds[number].storage
        applied = each.raw.raft.log.applied
        # A snapshot must not get ahead of the commit that is remembered.
        is_known = applied <= storage.initial_state()[0].commit
        if is_known and applied >= storage.first_index() and applied > storage.snapshot().index:
            conf = each.raw.raft.tracker.config.conf_state
            with self._living(number, applied):
                storage.create_snapshot(applied, conf, b"")
                storage.compact(applied)

    def _crash(self, number: int, how: int) -> None:
        """Stop and start again from what is left."""
        self.grounds[number].crash(how)
        self.nodes[number] = self._node(number)
        self.workers[number] = Workers(number)

    @contextmanager
    def _living(self, number: int, how: int) -> Iterator[None]:
        """Around what writes: the node may die of it."""
        try:
            yield
        except Killed:
            self._crash(number, how)

    def _work(self, how: int) -> None:
        """Every node does what it has to do; with workers, they do a part of it."""
        for number in sorted(self.nodes):
            with self._living(number, how):
                if self.wishes.get("is_async"):
                    self._hand_out(number)
                    if how % 3:
                        self._write(number)
                    if how % 5 > 1:
                        self._apply(number)
                else:
                    self._work_of(number)
        del self.flying[: max(0, len(self.flying) - 400)]

    def finish(self) -> None:
        """Let every node do all that it has to do, its workers included; none dies of it."""
        for number in sorted(self.nodes):
            self.grounds[number].live_on()
            if not self.wishes.get("is_async"):
                self._work_of(number)
                continue
            self._hand_out(number)
            while self.workers[number].to_write or self.workers[number].to_apply:
                self._write(number)
                self._apply(number)
                self._hand_out(number)

    def restart(self, number: int) -> None:
        """Stop a node that has nothing left to do, and start it again."""
        self.grounds[number].restart()
        self.nodes[number] = self._node(number)

    def _work_of(self, number: int) -> None:
        each, ground = self.nodes[number], self.grounds[number]
        while each.raw.has_ready():
            ready = each.raw.ready()
            each.store(ready)
            ground.wrote(is_synced=ready.must_sync or ready.snapshot is not None)
            self._send(ready.messages)
            self._applied(each, ready.committed_entries)
            each.raw.advance()

    def _send(self, messages: Iterable[Message]) -> None:
        self.flying += [each for each in messages if each.target in self.nodes]

    def _applied(self, each: Node, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.history.see_applied(entry)
            change = changes_in(entry)
            if change is not None:
                each.raw.apply_conf_change(change)

    def _hand_out(self, number: int) -> None:
        """What there is to do goes to the workers, in order; the rest is sent."""
        each, workers = self.nodes[number], self.workers[number]
        while each.raw.has_ready():
            for message in each.raw.ready().messages:
                if message.target == APPEND_THREAD:
                    workers.to_write.append(message)
                elif message.target == APPLY_THREAD:
                    workers.to_apply.append(message)
                else:
                    self._send([message])

    def _write(self, number: int) -> None:
        """The append worker does one thing: what it has not done is lost in a crash."""
        ground, workers = self.grounds[number], self.workers[number]
        if not workers.to_write:
            return
        message = workers.to_write[0]
        write(self.nodes[number], message)
        ground.wrote(is_synced=bool(message.responses))
        workers.to_write.pop(0)
        self._answer(number, message)

    def _apply(self, number: int) -> None:
        """The apply worker does all that it has."""
        workers = self.workers[number]
        while workers.to_apply:
            message = workers.to_apply.pop(0)
            self._applied(self.nodes[number], message.entries)
            self._answer(number, message)

    def _answer(self, number: int, message: Message) -> None:
        for response in message.responses:
            if response.target == number:
                self.nodes[number].step(response)
            else:
                self._send([response])

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
                    first = typed(a.slice(index, index + 1, UNLIMITED)[0])
                    second = typed(b.slice(index, index + 1, UNLIMITED)[0])
                    if is_equal and first != second:
                        raise SafetyError(f"{one.id} and {other.id} differ at {index} only")
                    is_equal = is_equal or first.term == second.term
                    if first.term == second.term and first.data != second.data:
                        raise SafetyError(f"{one.id} and {other.id} differ in entry {index}")
