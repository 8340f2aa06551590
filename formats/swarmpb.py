"""What Docker Swarm's managers log (upstream: swarmkit api/types.proto): wrapped, and encrypted.

    08 <algorithm>   12 <length> <data>   1a <length> <nonce>

The log around it is etcd's. Entries of every kind are wrapped, changes of the membership too.

Source: swarmkit `api/types.proto`, `manager/encryption/nacl.go` and `fernet.go`,
`manager/state/raft/storage/walwrap.go`.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import BYTES, IMPLICIT, INT32, Field, UnknownField, message


class Algorithm(enum.IntEnum):
    """How the data is encrypted."""

    NONE = 0
    SECRETBOX_SALSA20_POLY1305 = 1
    """The default; the data begins with 16 bytes that authenticate it."""
    FERNET_AES_128_CBC = 2
    """Where only what FIPS allows may be used; the data is a token in base64's letters."""


SECRETBOX_NONCE_BYTES: Final = 24
SECRETBOX_TAG_BYTES: Final = 16
FERNET_HEAD: Final = b"gAAAAA"
"""A token's version 0x80 and the upper part of its time, until the year 4147, as base64."""


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class MaybeEncryptedRecord:
    """An entry's data as it is stored."""

    algorithm: Annotated[int | None, Field(1, INT32, IMPLICIT)] = None
    data: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    nonce: Annotated[bytes | None, Field(3, BYTES, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


MAYBE_ENCRYPTED_RECORD: Final = Codec(MaybeEncryptedRecord)
