"""Keys and what happens to them (upstream: mvccpb/kv.proto); in the database and in answers."""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    BYTES,
    IMPLICIT,
    INT32,
    INT64,
    NESTED,
    Field,
    UnknownField,
    message,
)


class EventType(enum.IntEnum):
    """What happened to a key."""

    PUT = 0
    DELETE = 1


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """A key at a revision; the value of a row of the database's bucket `key`.

    A deleted key has nothing but `key`: the row's own key ends with the mark of a tombstone.
    """

    key: Annotated[bytes | None, Field(1, BYTES, IMPLICIT)] = None
    create_revision: Annotated[int | None, Field(2, INT64, IMPLICIT)] = None
    mod_revision: Annotated[int | None, Field(3, INT64, IMPLICIT)] = None
    version: Annotated[int | None, Field(4, INT64, IMPLICIT)] = None
    value: Annotated[bytes | None, Field(5, BYTES, IMPLICIT)] = None
    lease: Annotated[int | None, Field(6, INT64, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a watcher is told; never on a disk."""

    type: Annotated[int | None, Field(1, INT32, IMPLICIT)] = None
    kv: Annotated[KeyValue | None, Field(2, NESTED)] = None
    prev_kv: Annotated[KeyValue | None, Field(3, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


KEY_VALUE: Final = Codec(KeyValue)
EVENT: Final = Codec(Event)
