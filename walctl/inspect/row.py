"""One thing that dump shows: a record with its place, or damage in its place; plain values."""

from dataclasses import dataclass

from walctl.model.finding import Finding
from walctl.model.record import Check, Entry, Frame, Metadata, Unknown
from walctl.payload.base import PayloadError, Redaction, Request
from walctl.payload.privacy import is_hidden
from walctl.wal.records import name_of

COMMITTED = "committed"
UNCOMMITTED = "uncommitted"
OVERWRITTEN = "overwritten"
UNKNOWN = "unknown"

NOOP = "noop"
"""The request type of an entry without a payload: what a new leader begins its term with."""
UNDECODED = "undecoded"
"""The request type of a payload that no decoder could or should read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A record with its place; `raw` is its whole frame.

    `status` (one of the constants above), `request` and `problem` are for entries only: what the
    decoder read in the payload, or why it could not. Both are `None` where there is no payload,
    or where no decoder was asked.
    """

    frame: Frame
    raw: bytes = b""
    status: str | None = None
    request: Request | None = None
    problem: PayloadError | None = None

    @property
    def type(self) -> str:
        """The record's type, as `-r` takes it."""
        return name_of(self.frame.record)

    @property
    def request_type(self) -> str | None:
        """The request's type, as `-r` takes it; `None` for a record that is no entry."""
        if not isinstance(self.frame.record, Entry):
            return None
        if not self.frame.record.payload:
            return NOOP
        return UNDECODED if self.request is None else self.request.type

    @property
    def payload(self) -> bytes | None:
        """What the record carries for somebody else than the log; of a hard state, nothing."""
        match self.frame.record:
            case Entry(payload=payload) | Unknown(payload=payload):
                return payload
            case Metadata(node_id=None, raw=raw):
                return raw
            case _:
                return None

    @property
    def is_unread_damage(self) -> bool:
        """Whether neither a checksum nor a decoder says what the payload is."""
        return self.frame.check is Check.FAILED and self.request is None

    def hides_payload(self, redaction: Redaction) -> bool:
        """Whether the bytes of the payload may not be shown.

        Secrets are known by the tags in front of them, and damage may have hit the tag: of what
        nobody could read, everything may be a password.
        """
        if self.payload and self.is_unread_damage:
            return redaction is not Redaction.NONE
        return is_hidden(self.payload, self.request, redaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """Damage in its place; `raw` are the bytes concerned, at most `RAW_BYTES_MAX` of them.

    It has none where a record's row beside it has the same.
    """

    finding: Finding
    raw: bytes = b""

    def hides_bytes(self, redaction: Redaction) -> bool:
        """Whether the bytes may not be shown: any but zeros may be a password, its tag gone."""
        return redaction is not Redaction.NONE and any(self.raw)


RAW_BYTES_MAX = 4096

Row = RecordRow | FindingRow
