"""What every state machine here is: fed with entries, asked for a snapshot, compared by a digest.

A machine is a plug-in. Whoever brings one writes a class with the four methods of `Machine`; it
needs to import nothing but this module. The rules:

    apply       is given every committed entry once, in order of the log, and says what became of
                it. It raises nothing for what an entry holds: bytes that it cannot read are an
                outcome. The same entries always lead to the same state.
    snapshot    is the whole state as bytes, index of the last entry included where the machine
                minds it; restore puts a machine there, whatever it held.
    digest      is a short text: two machines whose states are alike to clients have the same.

An entry that the caller has not seen committed must not be given: there is no way back but by a
snapshot taken before.
"""

import enum
from typing import NamedTuple, Protocol


class Entry(Protocol):
    """An entry of the log, as a machine needs it; Raft's own entries are such.

    `type` is Raft's number (`formats.raftpb.EntryType`), `None` for 0; `data` that is absent or
    empty is the entry with which a leader begins its term, and asks for nothing.
    """

    @property
    def index(self) -> int:
        """Where in the log it stands, from 1 on."""

    @property
    def term(self) -> int:
        """The term of the leader that made it."""

    @property
    def type(self) -> int | None:
        """What its data is."""

    @property
    def data(self) -> bytes | None:
        """The request."""


class Outcome(enum.StrEnum):
    """What became of an entry."""

    APPLIED = "applied"
    """The state changed."""
    UNCHANGED = "unchanged"
    """It was carried out, and there was nothing to change: a question, or a delete of nothing."""
    REFUSED = "refused"
    """A check failed, so that it has no effect; `Result.words` are those of the real machine."""
    SKIPPED = "skipped"
    """The state had it already: its index is not above that of the last entry applied."""
    UNDECODABLE = "undecodable"
    """Its data is no request of this machine; the state is as it was."""
    FATAL = "fatal"
    """It is readable, and a real member ends itself over it; the state is as it was."""


class Result(NamedTuple):
    """What became of an entry.

    `kind` is the request in the words of the log's owner (`put`, `lease_grant`, `conf_change`);
    empty where nobody read it. `words` says why, for `REFUSED`, `UNDECODABLE` and `FATAL`.
    `revision` is the one that the entry made, for machines that count them. `hazard` is there
    where real members do different things with this entry, by their version or by when they were
    started, and says what.
    """

    outcome: Outcome
    kind: str = ""
    words: str | None = None
    revision: int | None = None
    hazard: str | None = None


class Machine(Protocol):
    """A state machine that a log is applied to; this module's docstring has the rules."""

    def apply(self, entry: Entry) -> Result:
        """Carry out one committed entry. Raises nothing, whatever the entry holds."""

    def snapshot(self) -> bytes:
        """The whole state."""

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` gave; the state is as it was when that fails.

        Raises: FormatError, when `data` is no snapshot of such a machine.
        """

    def digest(self) -> str:
        """A short text that is equal for equal states."""
