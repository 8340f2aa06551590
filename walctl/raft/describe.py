"""Raft's values in one line each (a few in several): what transcripts show and compare.

Ids of senders and receivers are in hex digits, everything else is decimal. The forms are those of
etcd's Raft library, so that its scripts are ours.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator

from formats.raftpb import EntryType, MessageType
from walctl.raft.progress import Progress
from walctl.raft.rawnode import Ready, Status
from walctl.raft.tracker import Config, ProgressTable
from walctl.raft.types import (
    APPEND_THREAD,
    APPLY_THREAD,
    NOBODY,
    Change,
    ChangeKind,
    ConfState,
    Entry,
    HardState,
    Message,
    Snapshot,
    SoftState,
)
from walctl.raft.wire import parse_conf_change

EMPTY_READY = "<empty Ready>"
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
_ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_PRINTABLE = frozenset("LMNPS")
"""First letters of Unicode's categories of what is shown as it is."""
_CHANGE_LETTERS = {
    ChangeKind.ADD_NODE: "v",
    ChangeKind.ADD_LEARNER_NODE: "l",
    ChangeKind.REMOVE_NODE: "r",
    ChangeKind.UPDATE_NODE: "u",
}
_MESSAGE_NAMES = {
    kind: "Msg" + "".join(word.capitalize() for word in kind.name.split("_"))
    for kind in MessageType
}


def message_name(kind: MessageType) -> str:
    """`MsgAppResp`."""
    return _MESSAGE_NAMES[kind]


def message_type(name: str) -> MessageType | None:
    """The type of that name; `None` for an unknown one."""
    return next((kind for kind, known in _MESSAGE_NAMES.items() if known == name), None)


def quoted(data: bytes | None) -> str:
    """Data in double quotes, as Go's `%q` shows it."""
    text = (data or b"").decode("utf-8", "surrogateescape")
    return '"' + "".join(map(_shown, text)) + '"'


def _shown(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if char == " " or unicodedata.category(char)[0] in _PRINTABLE:
        return char
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def change_text(changes: Iterable[Change]) -> str:
    """`v2 l3 r4 u5`."""
    return " ".join(
        f"{_CHANGE_LETTERS[ChangeKind(each.kind)]}{each.node_id}"
        if each.kind in set(ChangeKind)
        else f"unknown{each.node_id}"
        for each in changes
    )


def entry_text(entry: Entry) -> str:
    """`1/4 EntryNormal "data"`."""
    if entry.is_conf_change:
        names = {EntryType.CONF_CHANGE: "EntryConfChange"}
        name = names.get(EntryType(entry.type or 0), "EntryConfChangeV2")
        content = change_text(parse_conf_change(entry).changes)
    else:
        name, content = "EntryNormal", quoted(entry.data)
    return f"{entry.term}/{entry.index} {name}" + (f" {content}" if content else "")


def conf_state_text(conf: ConfState) -> str:
    """A membership as it is in a snapshot."""
    lists = (
        ("Voters", conf.voters),
        ("VotersOutgoing", conf.voters_outgoing),
        ("Learners", conf.learners),
        ("LearnersNext", conf.learners_next),
    )
    told = " ".join(f"{name}:[{' '.join(map(str, ids))}]" for name, ids in lists)
    return f"{told} AutoLeave:{str(conf.auto_leave).lower()}"


def snapshot_text(snapshot: Snapshot) -> str:
    """`Index:1 Term:1 ConfState:…`."""
    conf = conf_state_text(snapshot.conf_state)
    return f"Index:{snapshot.index} Term:{snapshot.term} ConfState:{conf}"


def _node_text(node: int) -> str:
    names = {NOBODY: "None", APPEND_THREAD: "AppendThread", APPLY_THREAD: "ApplyThread"}
    return names.get(node) or f"{node:x}"


def message_text(message: Message, indent: str = "") -> str:
    """A message; several lines where it holds several entries, a snapshot or responses."""
    kind = message_name(message.type)
    text = (
        f"{indent}{_node_text(message.source)}->{_node_text(message.target)} {kind}"
        f" Term:{message.term} Log:{message.log_term}/{message.index}"
    )
    if message.reject:
        text += f" Rejected (Hint: {message.reject_hint})"
    if message.commit:
        text += f" Commit:{message.commit}"
    if message.vote:
        text += f" Vote:{message.vote}"
    if len(message.entries) == 1:
        text += f" Entries:[{entry_text(message.entries[0])}]"
    elif message.entries:
        lines = "".join(f"\n{indent}  {entry_text(entry)}" for entry in message.entries)
        text += f" Entries:[{lines}\n{indent}]"
    if message.snapshot is not None and not message.snapshot.is_empty:
        text += f"\n{indent}  Snapshot: {snapshot_text(message.snapshot)}"
    if message.responses:
        lines = "".join(f"\n{message_text(each, indent + '  ')}" for each in message.responses)
        text += f" Responses:[{lines}\n{indent}]"
    return text


def hard_state_text(state: HardState) -> str:
    """`Term:1 Vote:1 Commit:2`; nobody's vote is left out."""
    vote = f" Vote:{state.vote}" if state.vote else ""
    return f"Term:{state.term}{vote} Commit:{state.commit}"


def soft_state_text(state: SoftState) -> str:
    """`Lead:1 State:StateLeader`."""
    return f"Lead:{state.lead} State:{state.role}"


def ready_lines(ready: Ready) -> Iterator[str]:
    """What is to be done, part by part."""
    parts = list(_parts(ready))
    if not parts:
        yield EMPTY_READY
        return
    yield f"Ready MustSync={str(ready.must_sync).lower()}:"
    yield from parts


def _parts(ready: Ready) -> Iterator[str]:
    if ready.soft_state is not None:
        yield soft_state_text(ready.soft_state)
    if ready.hard_state is not None:
        yield f"HardState {hard_state_text(ready.hard_state)}"
    if ready.read_states:
        told = (f"{{{s.index} [{' '.join(map(str, s.context))}]}}" for s in ready.read_states)
        yield f"ReadStates [{' '.join(told)}]"
    if ready.entries:
        yield "Entries:"
        yield from map(entry_text, ready.entries)
    if ready.snapshot is not None and not ready.snapshot.is_empty:
        yield f"Snapshot {snapshot_text(ready.snapshot)}"
    if ready.committed_entries:
        yield "CommittedEntries:"
        yield from map(entry_text, ready.committed_entries)
    if ready.messages:
        yield "Messages:"
        yield from map(message_text, ready.messages)


def _ids_text(ids: Iterable[int]) -> str:
    return f"({' '.join(f'{each:x}' for each in sorted(ids))})"


def config_text(config: Config) -> str:
    """`voters=(1 2)&&(1) learners=(3) autoleave`."""
    text = f"voters={_ids_text(config.incoming)}"
    if config.outgoing:
        text += f"&&{_ids_text(config.outgoing)}"
    if config.learners:
        text += f" learners={_ids_text(config.learners)}"
    if config.learners_next:
        text += f" learners_next={_ids_text(config.learners_next)}"
    return text + (" autoleave" if config.auto_leave else "")


def progress_text(progress: Progress) -> str:
    """`StateReplicate match=4 next=5 learner`."""
    text = f"{progress.state} match={progress.match} next={progress.next}"
    if progress.is_learner:
        text += " learner"
    if progress.is_paused:
        text += " paused"
    if progress.pending_snapshot:
        text += f" pendingSnap={progress.pending_snapshot}"
    if not progress.is_active:
        text += " inactive"
    if progress.inflights.count:
        text += f" inflight={progress.inflights.count}"
        text += "[full]" if progress.inflights.is_full else ""
    return text


def progress_lines(table: ProgressTable) -> Iterator[str]:
    """Every node's progress, by ascending id."""
    for node in sorted(table):
        yield f"{node}: {progress_text(table[node])}"


def status_text(status: Status) -> str:
    """A status as one line of JSON, without spaces, ids in hex digits as strings."""
    hard, soft = status.hard_state, status.soft_state
    told = {
        "id": f"{status.id:x}",
        "term": hard.term,
        "vote": f"{hard.vote:x}",
        "commit": hard.commit,
        "lead": f"{soft.lead:x}",
        "raftState": str(soft.role),
        "applied": status.applied,
        "progress": {
            f"{node:x}": {"match": each.match, "next": each.next, "state": each.state}
            for node, each in sorted(status.progress.items())
        },
        "leadtransferee": f"{status.lead_transferee:x}",
    }
    return json.dumps(told, separators=(",", ":"))
