"""Keeps secrets of etcd's requests from readers that do not know them for what they are.

Another program, a schema or a package reads a log of etcd as it likes, and nobody can tell which of
its words is a password. So what etcd would read as a secret is not handed to it.
"""

from dataclasses import dataclass

from walctl.model.record import EntryKind
from walctl.payload.base import Decoder, Privacy, Redaction, Request
from walctl.payload.privacy import hidden_spans, secret_marks

HIDDEN = "hidden"
"""The type of a request that was not handed on."""


@dataclass(frozen=True, slots=True)
class GuardedDecoder:
    """A reader that is not etcd's, over a log that is; what holds no secret it reads as ever."""

    inner: Decoder

    @property
    def name(self) -> str:
        """The reader's own."""
        return self.inner.name

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """What the reader says, or that something is hidden. Raises: as the reader."""
        if not _holds_secret(payload, kind):
            return self.inner.decode(payload, kind)
        return Request(
            decoder=self.name,
            type=HIDDEN,
            body={},
            words=(f"<redacted {len(payload):,} bytes>",),
            unsaid=Privacy.SECRET,
        )


def _holds_secret(payload: bytes, kind: EntryKind) -> bool:
    """Whether etcd would read a secret in it; the marks are cheap, and most payloads have none."""
    if not any(mark in payload for mark in secret_marks()):
        return False
    return hidden_spans(payload, Redaction.AUTH, kind) != ()
