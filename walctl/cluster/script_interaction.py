"""Interaction scripts: which directive asks for what of a cluster, and how.

A directive that ends in an error prints it behind what it wrote, and the script goes on. One that
makes no sense at all (`ScriptError`) ends the run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from formats.raftpb import MessageType
from walctl.cluster.script_cluster import Cluster, Recipient
from walctl.cluster.script_text import Argument, Directive, ScriptError
from walctl.cluster.script_values import (
    DirectiveError,
    boolean,
    changes_in,
    keys,
    number,
    only_value,
    pairs,
)
from walctl.raft.core import Draw
from walctl.raft.describe import message_type
from walctl.raft.errors import RaftError
from walctl.raft.options import Options, ReadOnly
from walctl.raft.types import UNLIMITED, ConfChange, Snapshot, Transition

BASE = Options(
    id=0,
    storage=None,
    heartbeat_ticks=1,
    election_ticks=3,
    message_bytes_max=UNLIMITED,
    inflight_count_max=(1 << 31) - 1,
)
"""What every node has that is told nothing else; id and storage are its own."""

_TRANSITIONS = {
    "auto": Transition.AUTO,
    "implicit": Transition.JOINT_IMPLICIT,
    "explicit": Transition.JOINT_EXPLICIT,
}


class Interaction:
    """A cluster that does what directives say. `draw` gives its nodes their election timeouts."""

    def __init__(self, draw: Draw) -> None:
        self._cluster = Cluster(draw)
        self._output = self._cluster.output

    def __call__(self, directive: Directive) -> str:
        """What the directive prints. Raises: ScriptError, without a line; RaftPanic."""
        error = None
        try:
            handler = _HANDLERS.get(directive.name)
            if handler is None:
                raise DirectiveError("unknown command")
            handler(self, directive)
        except RaftError as caught:
            error = caught.message
        return self._output.taken(error)

    # The cluster, and the script itself.

    def _add_nodes(self, directive: Directive) -> None:
        count = number(_first(directive).key)
        given = pairs(directive.arguments[1:])
        self._cluster.add(count, _options(given), _snapshot(given))

    def _log_level(self, directive: Directive) -> None:
        self._output.set_level(_first(directive).key)

    def _breakpoint(self, directive: Directive) -> None:
        """A place for a debugger to stop at; nothing to us."""

    # What is asked of one node's core.

    def _campaign(self, directive: Directive) -> None:
        self._cluster.member(_first_node(directive)).raw.campaign()

    def _forget_leader(self, directive: Directive) -> None:
        self._cluster.member(_first_node(directive)).raw.forget_leader()

    def _transfer_leadership(self, directive: Directive) -> None:
        source = self._cluster.member(number(only_value(directive, "from")))
        target = self._cluster.member(number(only_value(directive, "to")))
        source.raw.transfer_leader(target.options.id)

    def _report_unreachable(self, directive: Directive) -> None:
        nodes = _nodes(directive)
        if len(nodes) != 2:
            raise DirectiveError(
                "must specify exactly two node indexes: node on which to report, and reported node"
            )
        member, lost = map(self._cluster.member, nodes)
        member.raw.report_unreachable(lost.options.id)

    def _propose(self, directive: Directive) -> None:
        member = self._cluster.member(_first_node(directive))
        match directive.arguments:
            case (_, Argument(key=data, values=())):
                member.raw.propose(data.encode())
            case _:
                raise ScriptError("propose takes a node and one word of data")

    def _propose_conf_change(self, directive: Directive) -> None:
        member = self._cluster.member(_first_node(directive))
        change = _conf_change(directive)
        if change.is_v1 and (len(change.changes) > 1 or change.transition != Transition.AUTO):
            raise DirectiveError("v1 conf change can only have one operation and no transition")
        if change.is_v1 and not change.changes:
            raise ScriptError("a v1 change has exactly one operation")
        member.raw.propose_conf_change(change)

    # Time.

    def _tick_election(self, directive: Directive) -> None:
        self._tick(_first_node(directive), BASE.election_ticks)

    def _tick_heartbeat(self, directive: Directive) -> None:
        self._tick(_first_node(directive), BASE.heartbeat_ticks)

    def _tick(self, node: int, count: int) -> None:
        for _ in range(count):
            self._cluster.member(node).raw.tick()

    def _set_election_timeout(self, directive: Directive) -> None:
        """It holds until the node's next reset, which draws a new one."""
        member = self._cluster.member(_first_node(directive))
        ticks = number(only_value(directive, "timeout"))
        if ticks == 0:
            raise ScriptError("a timeout is at least one tick")
        member.raw.raft.election_timeout = ticks

    # Work, and messages.

    def _process_ready(self, directive: Directive) -> None:
        self._each(directive, "handling Ready", self._cluster.process_ready)

    def _process_append(self, directive: Directive) -> None:
        self._each(directive, "processing append thread", self._cluster.process_append)

    def _process_apply(self, directive: Directive) -> None:
        self._each(directive, "processing apply thread", self._cluster.process_apply)

    def _each(self, directive: Directive, title: str, work: Callable[[int], None]) -> None:
        """Let the listed nodes work; only where there are several, each has a title."""
        nodes = _nodes(directive)
        for node in nodes:
            if len(nodes) > 1:
                self._cluster.titled(node, title, work)
            else:
                work(node)

    def _deliver_msgs(self, directive: Directive) -> None:
        if not self._cluster.deliver(_recipients(directive), _only_type(directive)):
            self._output.line("no messages")

    def _stabilize(self, directive: Directive) -> None:
        nodes = _nodes(directive) or range(1, len(self._cluster.members) + 1)
        before = self._output.level
        try:
            for key, value in pairs(directive.arguments):
                if key == "log-level":
                    self._output.set_level(value)
            self._cluster.stabilize(nodes)
        finally:
            self._output.level = before

    def _send_snapshot(self, directive: Directive) -> None:
        match _nodes(directive):
            case [source, target]:
                self._cluster.send_snapshot(source, target)
            case _:
                raise ScriptError("send-snapshot takes two nodes: from whom, to whom")

    # What is stored and seen.

    def _compact(self, directive: Directive) -> None:
        match _nodes(directive):
            case [node, index]:
                self._cluster.member(node).storage.compact(index)
                self._cluster.show_log(node)
            case _:
                raise ScriptError("compact takes a node and an index")

    def _raft_log(self, directive: Directive) -> None:
        self._cluster.show_log(_first_node(directive))

    def _raft_state(self, directive: Directive) -> None:
        self._cluster.show_states()

    def _status(self, directive: Directive) -> None:
        self._cluster.show_progress(_first_node(directive))


_HANDLERS: dict[str, Callable[[Interaction, Directive], None]] = {
    "_breakpoint": Interaction._breakpoint,
    "add-nodes": Interaction._add_nodes,
    "campaign": Interaction._campaign,
    "compact": Interaction._compact,
    "deliver-msgs": Interaction._deliver_msgs,
    "forget-leader": Interaction._forget_leader,
    "log-level": Interaction._log_level,
    "process-append-thread": Interaction._process_append,
    "process-apply-thread": Interaction._process_apply,
    "process-ready": Interaction._process_ready,
    "propose": Interaction._propose,
    "propose-conf-change": Interaction._propose_conf_change,
    "raft-log": Interaction._raft_log,
    "raft-state": Interaction._raft_state,
    "report-unreachable": Interaction._report_unreachable,
    "send-snapshot": Interaction._send_snapshot,
    "set-randomized-election-timeout": Interaction._set_election_timeout,
    "stabilize": Interaction._stabilize,
    "status": Interaction._status,
    "tick-election": Interaction._tick_election,
    "tick-heartbeat": Interaction._tick_heartbeat,
    "transfer-leadership": Interaction._transfer_leadership,
}


def _first(directive: Directive) -> Argument:
    if not directive.arguments:
        raise ScriptError(f"{directive.name} takes an argument")
    return directive.arguments[0]


def _first_node(directive: Directive) -> int:
    return number(_first(directive).key)


def _nodes(directive: Directive) -> list[int]:
    return [number(key) for key in keys(directive)]


def _read_only(value: str) -> ReadOnly:
    if value not in set(ReadOnly):
        raise DirectiveError(f'invalid read-only option "{value}"')
    return ReadOnly(value)


_OPTIONS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "async-storage-writes": ("is_async", boolean),
    "checkquorum": ("check_quorum", boolean),
    "disable-conf-change-validation": ("disable_conf_change_validation", boolean),
    "index": ("applied", number),
    "inflight": ("inflight_count_max", number),
    "max-committed-size-per-ready": ("ready_bytes_max", number),
    "prevote": ("pre_vote", boolean),
    "read-only": ("read_only", _read_only),
    "step-down-on-removal": ("step_down_on_removal", boolean),
}
"""What a script calls an option of a node: its name here, and how its value is read."""


def _options(given: Sequence[tuple[str, str]]) -> Options:
    """The options of new nodes; other words are for the snapshot. Raises: ScriptError;
    DirectiveError."""
    told: dict[str, Any] = {}
    for key, value in given:
        if key in _OPTIONS:
            name, read = _OPTIONS[key]
            told[name] = read(value)
    return replace(BASE, **told)


def _snapshot(given: Sequence[tuple[str, str]]) -> Snapshot:
    """What new nodes begin with, empty where nothing says otherwise. Raises: ScriptError."""
    snapshot = Snapshot()
    for key, value in given:
        conf = snapshot.conf_state
        match key:
            case "voters":
                conf = replace(conf, voters=(*conf.voters, number(value)))
            case "learners":
                conf = replace(conf, learners=(*conf.learners, number(value)))
            case "index":
                snapshot = replace(snapshot, index=number(value))
            case "content":
                snapshot = replace(snapshot, data=value.encode() or None)
        snapshot = replace(snapshot, conf_state=conf)
    return snapshot


def _conf_change(directive: Directive) -> ConfChange:
    """The membership change that a directive proposes. Raises: ScriptError; DirectiveError."""
    is_v1, transition = False, Transition.AUTO
    for key, value in pairs(directive.arguments[1:]):
        if key == "v1":
            is_v1 = boolean(value)
        elif key != "transition":
            raise DirectiveError(f"unknown command {key}")
        elif value not in _TRANSITIONS:
            raise DirectiveError(f"unknown transition {value}")
        else:
            transition = _TRANSITIONS[value]
    changes = changes_in(directive.given)
    return ConfChange(changes=changes, transition=transition, is_v1=is_v1)


def _recipients(directive: Directive) -> list[Recipient]:
    """Whose messages arrive, and whose are lost, in the order in which they are named."""
    found: list[Recipient] = []
    for argument in directive.arguments:
        if not argument.values:
            found.append(Recipient(id=number(argument.key)))
        elif argument.key == "drop":
            for value in argument.values:
                lost = Recipient(id=number(value), is_dropped=True)
                if any(other.id == lost.id for other in found):
                    raise ScriptError(f"messages to {lost.id} are delivered and dropped")
                found.append(lost)
    return found


def _only_type(directive: Directive) -> MessageType | None:
    """The type that the whole directive is about. Raises: ScriptError."""
    kind = None
    for key, value in pairs(directive.arguments):
        if key == "type":
            kind = message_type(value)
            if kind is None:
                raise ScriptError(f"there is no message type {value!r}")
    return kind
