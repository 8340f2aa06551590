"""The cluster that an interaction script plays with: its members, and the messages between them.

Nothing happens by itself: time passes, messages arrive and disks write when a directive says so,
and each writes down what it does. The operations are here; which directive asks for which of them,
and how, is in `script_interaction`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from formats.raftpb import MessageType
from walctl.cluster.script_member import Member, Output, new_member
from walctl.cluster.script_text import ScriptError
from walctl.raft.core import Draw
from walctl.raft.describe import entry_text, message_text, progress_lines, ready_lines
from walctl.raft.errors import RaftError
from walctl.raft.options import Options
from walctl.raft.types import UNLIMITED, WORKERS, HardState, Message, Role, Snapshot

MEMBERS_MAX = 1_000
ROUNDS_MAX = 10_000
"""Rounds in which a cluster that comes to rest at all has long done so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody whose messages arrive now, or are lost now."""

    id: int
    is_dropped: bool = False


class Cluster:
    """See the module. `draw` is every member's."""

    def __init__(self, draw: Draw) -> None:
        self.members: list[Member] = []
        self.in_flight: list[Message] = []
        self.output = Output()
        self._draw = draw

    def add(self, count: int, options: Options, first: Snapshot) -> None:
        """Add members that begin with the same snapshot. Raises: DirectiveError, ScriptError."""
        if len(self.members) + count > MEMBERS_MAX:
            raise ScriptError(f"a cluster has at most {MEMBERS_MAX} nodes")
        for _ in range(count):
            own = replace(options, id=len(self.members) + 1)
            self.members.append(new_member(own, first, self._draw))

    def member(self, node: int) -> Member:
        """The member of that id. Raises: ScriptError."""
        if not 1 <= node <= len(self.members):
            raise ScriptError(f"there is no node {node}")
        return self.members[node - 1]

    # Work of one member.

    def process_ready(self, node: int) -> None:
        """Take a Ready and do what it says; in asynchronous mode, give it to the workers.

        Raises: RaftError, when it cannot be written; nothing is sent then.
        """
        member = self.member(node)
        ready = member.raw.ready()
        self.output.lines(ready_lines(ready))
        if not member.options.is_async:
            member.persist(ready.hard_state, ready.entries, ready.snapshot)
            member.apply(ready.committed_entries)
        for message in ready.messages:
            if message.type is MessageType.STORAGE_APPEND:
                member.append_work.append(message)
            elif message.type is MessageType.STORAGE_APPLY:
                member.apply_work.append(message)
            else:
                self.in_flight.append(message)
        if not member.options.is_async:
            member.raw.advance()

    def process_append(self, node: int) -> None:
        """Let the disk's worker do one piece of work. Raises: RaftError."""
        member = self.member(node)
        if not member.append_work:
            self.output.line("no append work to perform")
            return
        work = self._begin(member.append_work)
        state = HardState(term=work.term, vote=work.vote, commit=work.commit)
        member.persist(state, work.entries, work.snapshot)
        self._respond(work)

    def process_apply(self, node: int) -> None:
        """Let the state machine's worker do one piece of work."""
        member = self.member(node)
        if not member.apply_work:
            self.output.line("no apply work to perform")
            return
        work = self._begin(member.apply_work)
        member.apply(work.entries)
        self._respond(work)

    def _begin(self, queue: deque[Message]) -> Message:
        work = queue.popleft()
        self.output.line("Processing:")
        self.output.line(message_text(replace(work, responses=())))
        return work

    def _respond(self, work: Message) -> None:
        self.output.line("Responses:")
        self.output.lines(map(message_text, work.responses))
        self.in_flight += work.responses

    # Messages.

    def deliver(self, recipients: Sequence[Recipient], kind: MessageType | None = None) -> int:
        """Let messages (of one type) arrive or be lost; how many.

        Raises: ScriptError, when one is for a node that is not there.
        """
        count = 0
        for recipient in recipients:
            taken = [each for each in self.in_flight if _is_for(each, recipient, kind)]
            self.in_flight = [each for each in self.in_flight if not _is_for(each, recipient, kind)]
            count += len(taken)
            for message in taken:
                if recipient.is_dropped:
                    self.output.line(f"dropped: {message_text(message)}")
                else:
                    self._deliver(message)
        return count

    def _deliver(self, message: Message) -> None:
        member = self.member(message.target)
        self.output.line(message_text(message))
        try:
            member.raw.step(message)
        except RaftError as error:
            self.output.line(error.message)

    def send_snapshot(self, source: int, target: int) -> None:
        """Send the newest snapshot, without the source's core knowing of it."""
        member = self.member(source)
        message = Message(
            MessageType.SNAP,
            target,
            source=source,
            term=member.raw.raft.term,
            snapshot=member.storage.snapshot(),
        )
        self.in_flight.append(message)
        self.output.line(message_text(message))

    # Everybody's work.

    def stabilize(self, nodes: Sequence[int]) -> None:
        """Let these nodes work until nothing is left to do.

        Each round all of them take their Readies before any of them gets a message.
        Raises: RaftError; ScriptError, when they never come to rest.
        """
        for _ in range(ROUNDS_MAX):
            is_busy = self._ready_pass(nodes)
            is_busy |= self._message_pass(nodes)
            is_busy |= self._append_pass(nodes)
            is_busy |= self._apply_pass(nodes)
            if not is_busy:
                return
        raise ScriptError(f"the nodes do not come to rest in {ROUNDS_MAX} rounds")

    def _ready_pass(self, nodes: Sequence[int]) -> bool:
        is_busy = False
        for node in nodes:
            if self.member(node).raw.has_ready():
                is_busy = True
                self.titled(node, "handling Ready", self.process_ready)
        return is_busy

    def _message_pass(self, nodes: Sequence[int]) -> bool:
        is_busy = False
        for node in nodes:
            if any(message.target == node for message in self.in_flight):
                is_busy = True
                self.titled(node, "receiving messages", self._receive)
        return is_busy

    def _receive(self, node: int) -> None:
        self.deliver([Recipient(id=node)])

    def _append_pass(self, nodes: Sequence[int]) -> bool:
        return self._work_pass(
            nodes, "append", lambda member: member.append_work, self.process_append
        )

    def _apply_pass(self, nodes: Sequence[int]) -> bool:
        return self._work_pass(nodes, "apply", lambda member: member.apply_work, self.process_apply)

    def _work_pass(
        self,
        nodes: Sequence[int],
        worker: str,
        queue_of: Callable[[Member], deque[Message]],
        work: Callable[[int], None],
    ) -> bool:
        is_busy = False
        for node in nodes:
            queue = queue_of(self.member(node))
            if queue:
                is_busy = True
                self.output.line(f"> {node} processing {worker} thread")
            while queue:
                with self.output.block():
                    work(node)
        return is_busy

    def titled(self, node: int, title: str, work: Callable[[int], None]) -> None:
        """One node's work as a block under a title."""
        self.output.line(f"> {node} {title}")
        with self.output.block():
            work(node)

    # What is seen of it.

    def show_log(self, node: int) -> None:
        """The entries that a node has stored."""
        storage = self.member(node).storage
        first, last = storage.first_index(), storage.last_index()
        if last < first:
            self.output.line(f"log is empty: first index={first}, last index={last}")
            return
        self.output.lines(map(entry_text, storage.entries(first, last + 1, UNLIMITED)))

    def show_progress(self, node: int) -> None:
        """Everybody as this node sees them, if it leads."""
        raft = self.member(node).raw.raft
        if raft.role is Role.LEADER:
            self.output.lines(progress_lines(raft.tracker.progress))

    def show_states(self) -> None:
        """Every node as it sees itself."""
        self.output.lines(self._states())

    def _states(self) -> Iterator[str]:
        for member in self.members:
            status = member.raw.status()
            kind = "Voter" if status.id in status.config.voters else "Non-Voter"
            yield (
                f"{status.id}: {status.soft_state.role} ({kind})"
                f" Term:{status.hard_state.term} Lead:{status.soft_state.lead}"
            )


def _is_for(message: Message, recipient: Recipient, kind: MessageType | None) -> bool:
    """Whether a message is meant; what a node says to itself and its workers cannot be lost."""
    is_local = message.source == message.target or {message.source, message.target} & WORKERS
    is_safe = recipient.is_dropped and is_local
    return message.target == recipient.id and not is_safe and kind in (None, message.type)
