"""What walctl's own members propose where raftexample's pair cannot say it: delete, and swap.

    97 77 61 6c 63 74 6c 01        the mark: 97, "walctl", version 1
    08 <op>   12 <length> <key>   [1a <length> <value>]   [22 <length> <expected>]

    op  what                    value                       expected
    1   the key goes            -                           -
    2   if the key has what is  what it has then;           what it must have;
        expected                absent: the key goes        absent: it must not be there

A put is raftexample's pair (`formats.gob`), byte for byte. A real raftexample that met the mark
must end itself, and not take it for something else: it reads a payload as gob, which begins with
the length of a message, and a first byte above 7f is the negated count of the bytes that the length
has. 97 would be 105 bytes; more than 8 are refused before anything else is read ("encoded unsigned
integer out of range"), so it says that it could not decode the message. As protobuf, 97 77 is a tag
of wire type 7, which there is not: none of etcd's, Swarm's and Fabric's readers takes it either.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.errors import FormatError, WireError
from formats.fields import ALWAYS, BYTES, INT32, Field, UnknownField, message

MARK: Final = b"\x97walctl\x01"


class Op(enum.IntEnum):
    """What is asked for."""

    DELETE = 1
    SWAP = 2


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class KvRequest:
    """A request behind the mark; `value` and `expected` of `None` mean a key that is not there."""

    op: Annotated[int | None, Field(1, INT32, ALWAYS)] = None
    key: Annotated[bytes | None, Field(2, BYTES, ALWAYS)] = None
    value: Annotated[bytes | None, Field(3, BYTES)] = None
    expected: Annotated[bytes | None, Field(4, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


KV_REQUEST: Final = Codec(KvRequest)


def is_marked(data: bytes) -> bool:
    """Whether a payload is one of these, and none of raftexample's."""
    return data.startswith(MARK)


def build_delete(key: bytes) -> bytes:
    """A payload that takes a key away."""
    return MARK + KV_REQUEST.build(KvRequest(op=Op.DELETE, key=key))


def build_swap(key: bytes, expected: bytes | None, value: bytes | None) -> bytes:
    """A payload that gives a key `value` if it has `expected`; `None`: it is not there."""
    asked = KvRequest(op=Op.SWAP, key=key, value=value, expected=expected)
    return MARK + KV_REQUEST.build(asked)


def parse_request(data: bytes) -> KvRequest:
    """The request in a marked payload: one of `Op`, with a key, and nothing that is not known.

    Raises: FormatError, with the offset in `data` where that is known.
    """
    if not is_marked(data):
        raise WireError(f"expected {MARK!r} at the beginning")
    try:
        found = KV_REQUEST.parse(data[len(MARK) :])
    except FormatError as error:
        error.offset += len(MARK)
        raise
    words = _unfit(found)
    if words is not None:
        raise WireError(words, offset=len(MARK))
    return found


def _unfit(found: KvRequest) -> str | None:
    """What speaks against a request that parses."""
    if found.op not in tuple(Op):
        return f"operation {found.op} is not known"
    if found.key is None:
        return "a request without a key"
    if found.unknown:
        return f"field {found.unknown[0].number} is not known"
    if found.op == Op.DELETE and (found.value is not None or found.expected is not None):
        return "a delete that has a value"
    return None
