"""The messages of the write-ahead log itself (upstream: walpb/record.proto)."""

import enum
from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import (
    ALWAYS,
    BYTES,
    INT64,
    NESTED,
    UINT32,
    UINT64,
    Field,
    UnknownField,
    message,
)
from formats.raftpb import ConfState


class RecordType(enum.IntEnum):
    """What a record's data is. The type is not covered by the record's checksum."""

    METADATA = 1
    """etcdserverpb.Metadata; opaque to the log, compared byte by byte."""
    ENTRY = 2
    """raftpb.Entry."""
    STATE = 3
    """raftpb.HardState."""
    CRC = 4
    """No data; `crc` is the running checksum at the end of the segment before."""
    SNAPSHOT = 5
    """walpb.Snapshot."""


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as written; `None` means that the field was absent on the wire.

        08 <type>   10 <crc>   1a <length> <data>

    `type` is a plain int: an unknown type is a finding, not a failure. `crc` is a CRC-32C that
    runs over the `data` of all records since the last CRC record. `data` is absent from CRC
    records, and `b""` where it is present and empty (`1a 00`).
    """

    type: Annotated[int | None, Field(1, INT64, ALWAYS)] = None
    crc: Annotated[int | None, Field(2, UINT32, ALWAYS)] = None
    data: Annotated[bytes | None, Field(3, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The log's mark that a snapshot at (`index`, `term`) exists; `conf_state` since etcd 3.5."""

    index: Annotated[int | None, Field(1, UINT64, ALWAYS)] = None
    term: Annotated[int | None, Field(2, UINT64, ALWAYS)] = None
    conf_state: Annotated[ConfState | None, Field(3, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


RECORD: Final = Codec(Record)
SNAPSHOT: Final = Codec(Snapshot)
