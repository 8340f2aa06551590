"""One member of the cluster that an interaction script plays with, and what a directive writes.

Its state machine appends: the data of every entry that was applied, one behind the other. It keeps
a snapshot of each state, the history, and the newest of them is what its leader side hands out; so
a peer gets the state as of the applied index, whatever the storage holds.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from walctl.cluster.script_text import NOTHING_TO_SAY, lines_of
from walctl.cluster.script_values import DirectiveError
from walctl.raft.core import Draw
from walctl.raft.options import Options
from walctl.raft.rawnode import RawNode, changes_in
from walctl.raft.storage import MemoryStorage
from walctl.raft.types import Entry, HardState, Message, Snapshot

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE")


class Output:
    """What a directive writes. At level NONE nothing is kept, but for an error.

    We write no log lines, so that the other levels make no difference.
    """

    def __init__(self) -> None:
        self.level = LEVELS[0]
        self._parts: list[str] = []

    def set_level(self, name: str) -> None:
        """Raises: DirectiveError, for a level that there is not."""
        if name.upper() not in LEVELS:
            raise DirectiveError(f"log levels must be either of [{' '.join(LEVELS)}]")
        self.level = name.upper()

    @property
    def _is_quiet(self) -> bool:
        return self.level == LEVELS[-1]

    def line(self, text: str) -> None:
        """Write one line, or several that make one thing."""
        if not self._is_quiet:
            self._parts.append(f"{text}\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines."""
        for each in lines:
            self.line(each)

    @contextmanager
    def block(self) -> Iterator[None]:
        """What is written meanwhile is indented, also when it ends in an error."""
        outer, self._parts = self._parts, []
        try:
            yield
        finally:
            inner, self._parts = "".join(self._parts), outer
            for line in lines_of(inner):
                self.line(f"  {line}")

    def taken(self, error: str | None) -> str:
        """All that was written since the last time, and what the directive ended with."""
        text, self._parts = "".join(self._parts), []
        if error is not None:
            return error if self._is_quiet else text + error
        return text or NOTHING_TO_SAY


class HistoryStorage(MemoryStorage):
    """A storage whose snapshot is the newest state that the member has applied."""

    def __init__(self, history: Sequence[Snapshot]) -> None:
        super().__init__()
        self._history = history

    def snapshot(self) -> Snapshot:
        """See `Storage.snapshot`."""
        return self._history[-1]


@dataclass(slots=True, kw_only=True)
class Member:
    """A node with its storage, its state machine, and work that waits for its two workers."""

    raw: RawNode
    storage: HistoryStorage
    options: Options
    history: list[Snapshot]
    append_work: deque[Message] = field(default_factory=deque)
    apply_work: deque[Message] = field(default_factory=deque)

    def persist(
        self, state: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        """Write what a node wants written.

        Raises: DirectiveError, SnapshotOutOfDateError.
        """
        if state is not None and not state.is_empty:
            self.storage.set_hard_state(state)
        if snapshot is None or snapshot.is_empty:
            self.storage.append(entries)
        elif entries:
            raise DirectiveError("can't apply snapshot and entries at the same time")
        else:
            self.storage.apply_snapshot(snapshot)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Let the state machine take committed entries, and the node its membership changes."""
        for entry in entries:
            before = self.history[-1]
            change = changes_in(entry)
            if change is None:
                data, conf_state = entry.data, before.conf_state
            else:
                data, conf_state = change.context, self.raw.apply_conf_change(change)
            self.history.append(
                Snapshot(
                    index=entry.index,
                    term=entry.term,
                    conf_state=conf_state,
                    data=(before.data or b"") + (data or b""),
                )
            )


def new_member(options: Options, first: Snapshot, draw: Draw) -> Member:
    """A member that begins with `first`, or with nothing where that is empty.

    `options` are those of the cluster, with the member's id. Raises: DirectiveError.
    """
    history = [first]
    storage = HistoryStorage(history)
    if first != Snapshot():
        if first.index <= 1:
            raise DirectiveError("index must be specified as > 1 due to bootstrap")
        history[0] = first = replace(first, term=1)
        storage.apply_snapshot(first)
    options = replace(options, storage=storage)
    return Member(raw=RawNode(options, draw), storage=storage, options=options, history=history)
