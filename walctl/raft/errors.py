"""What the core signals: storage's answers by their names, a dropped proposal, a broken invariant.

`RaftPanic` is no error to be handled: an invariant is broken, and the node must stop where it
stands. So it is not among `WalctlError`'s, which ordinary handlers catch.
"""

from walctl.errors import WalctlError


class RaftError(WalctlError):
    """Something was not done; the node is as it was."""


class StorageError(RaftError):
    """What a storage answers instead of entries, a term or a snapshot."""


class CompactedError(StorageError):
    """The index was compacted away."""

    def __init__(self) -> None:
        super().__init__("requested index is unavailable due to compaction")


class UnavailableError(StorageError):
    """The log does not reach the index."""

    def __init__(self) -> None:
        super().__init__("requested entry at index is unavailable")


class SnapshotOutOfDateError(StorageError):
    """The storage has a newer snapshot."""

    def __init__(self) -> None:
        super().__init__("requested index is older than the existing snapshot")


class SnapshotTemporarilyUnavailableError(StorageError):
    """There will be a snapshot, only not now."""

    def __init__(self) -> None:
        super().__init__("snapshot is temporarily unavailable")


class ProposalDroppedError(RaftError):
    """Nobody took the proposal; its client may try again."""

    def __init__(self) -> None:
        super().__init__("raft proposal dropped")


class LocalMessageError(RaftError):
    """A message that only a node itself may say came from outside."""

    def __init__(self) -> None:
        super().__init__("raft: cannot step raft local message")


class PeerNotFoundError(RaftError):
    """A response came from somebody who is no member."""

    def __init__(self) -> None:
        super().__init__("raft: cannot step as peer not found")


class ConfChangeError(RaftError):
    """A membership change that may not be applied as things are."""


class RaftPanic(BaseException):
    """An invariant is broken: the node must stop, for going on could lose what was promised."""
