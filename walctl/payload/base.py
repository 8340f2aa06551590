"""What a decoder gives: a request as a tree of plain values, each with how much it reveals.

A decoder turns the payload of one entry into a `Request`, and knows nothing of files, screens or
of what was asked for. Numbers are what they are; ids come as lower-case hex strings; bytes and
texts that a person may want hidden come as `Blob` and `Text`. A field that is absent from the
payload is absent from the tree.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from formats.errors import FormatError, LimitError
from walctl.errors import WalctlError
from walctl.model.record import EntryKind


class Privacy(enum.IntEnum):
    """How much a piece of a payload reveals, ascending."""

    OPEN = 0
    """Types, numbers, revisions, ids of leases, members and requests."""
    NAME = 1
    """Names of users, roles and members, and addresses."""
    KEY = 2
    """Keys, and the ends of key ranges."""
    VALUE = 3
    """What is stored under a key."""
    SECRET = 4
    """Passwords, their hashes, tokens."""


class Redaction(enum.Enum):
    """What a person asked to be hidden (`--redact`); each word hides what the ones before do."""

    NONE = "none"
    AUTH = "auth"
    VALUES = "values"
    KEYS = "keys"
    ALL = "all"

    def hides(self, privacy: Privacy) -> bool:
        """Whether a piece of this privacy may not be shown."""
        return privacy >= _THRESHOLDS[self]


_THRESHOLDS = {
    Redaction.NONE: Privacy.SECRET + 1,
    Redaction.AUTH: Privacy.SECRET,
    Redaction.VALUES: Privacy.VALUE,
    Redaction.KEYS: Privacy.KEY,
    Redaction.ALL: Privacy.NAME,
}


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes of a payload; JSON has them as base64, beside it the text when it is printable."""

    data: bytes
    privacy: Privacy = Privacy.OPEN


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a payload; surrogate escapes stand for bytes that are no UTF-8."""

    text: str
    privacy: Privacy = Privacy.OPEN

    @property
    def data(self) -> bytes:
        """The bytes that it stands for.

        JSON can name halves of surrogate pairs, which stand for none: those come as UTF-8 would
        have them, so that a decoder of somebody else cannot stop who shows its words.
        """
        try:
            return self.text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return self.text.encode("utf-8", "surrogatepass")


Node: TypeAlias = (
    bool | int | float | str | Blob | Text | Sequence["Node"] | Mapping[str, "Node"] | None
)
"""A value of a request's tree. A `str` is a word of ours or of the format, never a user's text."""

OWN_NAMES: Final = frozenset({"decoder", "type", "id"})
"""What JSON says of a request beside the fields of its body, which may not be called so."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys that a request touches, as etcd says it: `[key, end)`.

    `end` is `None` for the one key, and `b"\\0"` for every key from `key` on.
    """

    key: bytes
    end: bytes | None = None

    def covers(self, key: bytes) -> bool:
        """Whether `key` is one of them."""
        if self.end is None:
            return key == self.key
        return self.key <= key and (self.end == b"\0" or key < self.end)

    def meets_prefix(self, prefix: bytes) -> bool:
        """Whether any key that begins with `prefix` is one of them."""
        if self.end is None:
            return self.key.startswith(prefix)
        is_above = self.key.startswith(prefix) or self.key < prefix
        return is_above and (self.end == b"\0" or self.end > prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one payload asks for.

    `decoder` names who read it, `type` what it is, by the owner's own word (etcd: the field of
    InternalRaftRequest, `put`, `auth_user_add`; `v2_put`; raftexample: `put`; changes of
    membership: `conf_change`, `conf_change_v2`). `request_id` is the owner's id of the request.
    `body` is the tree, `words` one line for a person (a `str` is ours and shown as it is), `keys`
    what it touches, those inside transactions included. `unsaid` is how much the payload's bytes
    may reveal besides what `body` says; `None`: nobody knows, so the bytes have to be looked at.
    """

    decoder: str
    type: str
    request_id: int | None = None
    body: Mapping[str, Node]
    words: tuple[str | Blob | Text, ...] = ()
    keys: tuple[KeyRange, ...] = ()
    unsaid: Privacy | None = None


class PayloadError(WalctlError):
    """A payload that is not what its decoder reads: a finding `payload-undecodable`.

    `offset` is where in the payload, where that is known.
    """

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class PayloadLimitError(PayloadError):
    """A payload that is beyond our own bounds: whether its owner reads it is not known."""


def payload_error(error: FormatError) -> PayloadError:
    """What a codec has against a payload."""
    cls = PayloadLimitError if isinstance(error, LimitError) else PayloadError
    return cls(error.message, offset=error.offset)


class Decoder(Protocol):
    """Reads payloads. An object of it may be sent to another process, so it must pickle.

    Packages bring their own by an entry point of the group `walctl.decoders`: a callable without
    arguments that gives a decoder.
    """

    @property
    def name(self) -> str:
        """What `--decoder` calls it."""

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload of an entry of this kind; `None`: nothing to say of it.

        Never called with an empty payload. Raises: PayloadError.
        """


def key_blob(data: bytes) -> Blob:
    """A key."""
    return Blob(data, Privacy.KEY)


def value_blob(data: bytes) -> Blob:
    """A value."""
    return Blob(data, Privacy.VALUE)
