"""The decoder of etcd's entries: what a payload is by etcd's own rule, as a request to be shown.

etcd up to 3.6 takes a normal entry's data for an InternalRaftRequest, and where that does not
parse for a request of the v2 interface; later ones know the first alone. Anything else would stop
a server that has to apply it. What is beyond our own bounds has not been parsed at all, and so is
not taken for the other one.

Source: etcd-data-dir notes 5.4 and 5.5.
"""

from dataclasses import dataclass
from typing import Any, Final

from formats.errors import FormatError, LimitError
from formats.etcdserverpb import REQUEST
from formats.etcdserverpb import Request as V2Request
from formats.fields import spec_of
from formats.internalpb import INTERNAL_RAFT_REQUEST, InternalRaftRequest
from walctl.model.record import EntryKind
from walctl.payload.base import PayloadError, Privacy, Request, payload_error
from walctl.payload.confchange import CONF_CHANGE_TYPES, decode_conf_change
from walctl.payload.etcd_fields import V2_METHODS, tree
from walctl.payload.etcd_words import Words, keys_of, v2_words, words_of

EMPTY: Final = "empty"
"""The type of a request that asks for nothing: at most a header."""
UNKNOWN: Final = "unknown"
"""The type of a request that only a later etcd has."""
V2: Final = "v2"
"""The type of a v2 request with another method than those that there are."""


@dataclass(frozen=True, slots=True)
class EtcdDecoder:
    """Reads what etcd's members log."""

    name: str = "etcd"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        """The request in the payload of an entry of this kind; `None` for a kind etcd lacks.

        Raises: PayloadError.
        """
        if kind is EntryKind.NORMAL:
            return request_of(parse(payload), self.name)
        if kind is EntryKind.UNKNOWN:
            return None
        return decode_conf_change(payload, kind)


def parse(payload: bytes) -> InternalRaftRequest | V2Request:
    """The message that etcd takes the payload of a normal entry for.

    Raises: PayloadError; PayloadLimitError, when that cannot be told.
    """
    try:
        return INTERNAL_RAFT_REQUEST.parse(payload)
    except LimitError as error:
        raise payload_error(error) from None
    except FormatError as error:
        internal = error
    try:
        return REQUEST.parse(payload)
    except LimitError as error:
        raise payload_error(error) from None
    except FormatError as error:
        words = f"no InternalRaftRequest ({internal.message}), no v2 Request ({error.message})"
        raise PayloadError(words, offset=max(internal.offset, error.offset)) from None


def request_of(message: InternalRaftRequest | V2Request, decoder: str) -> Request:
    """A parsed payload as a request that `decoder` has read."""
    if isinstance(message, V2Request):
        return Request(
            decoder=decoder,
            type=_v2_type(message),
            request_id=message.id or None,
            body={V2: tree(message)},
            words=v2_words(message),
            keys=keys_of(message),
            unsaid=Privacy.OPEN,
        )
    name, inner = _asked(message)
    header = message.header
    body = tree(message)
    if "header" in body:
        body = {"header": body.pop("header"), **body}  # who asks stands before what is asked
    return Request(
        decoder=decoder,
        type=_v2_type(inner) if isinstance(inner, V2Request) else name,
        request_id=(header.id if header is not None else None) or message.id or None,
        body=body,
        words=_words(name, inner, message),
        keys=keys_of(inner),
        unsaid=Privacy.OPEN,
    )


def type_names() -> tuple[str, ...]:
    """Every type that a request of etcd can have, in the order of the schema."""
    v2 = (V2, *(f"{V2}_{method.lower()}" for method in V2_METHODS))
    return (*_REQUESTS[1:], *v2, *CONF_CHANGE_TYPES, EMPTY, UNKNOWN)


_REQUESTS: Final = tuple(
    field.name
    for field in spec_of(InternalRaftRequest).fields
    if field.target is not None and field.name != "header"
)
"""The fields of which one is set, the v2 request first."""


def _asked(message: InternalRaftRequest) -> tuple[str, Any]:
    """The request inside: its field and itself, the first where a forged payload has several."""
    for name in _REQUESTS:
        inner = getattr(message, name)
        if inner is not None:
            return name, inner
    return (UNKNOWN if message.unknown else EMPTY), None


def _words(name: str, inner: Any, message: InternalRaftRequest) -> Words:
    if name == EMPTY:
        return ("nothing asked",)
    if name == UNKNOWN:
        return (f"unknown request {message.unknown[0].number}",)
    return words_of(name, inner)


def _v2_type(request: V2Request) -> str:
    method = request.method or ""
    return f"{V2}_{method.lower()}" if method in V2_METHODS else V2
