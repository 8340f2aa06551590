"""The envelope of a `.snap` file (upstream: snappb/snap.proto)."""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import ALWAYS, BYTES, UINT32, Field, UnknownField, message


@message(go="snapshot")
@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole `.snap` file: no framing before it, no bytes behind it.

        08 <crc>   12 <length> <data>

    `crc` is the CRC-32C of `data` alone; `data` is a raftpb.Snapshot.
    """

    crc: Annotated[int | None, Field(1, UINT32, ALWAYS)] = None
    data: Annotated[bytes | None, Field(2, BYTES)] = None
    unknown: tuple[UnknownField, ...] = ()


SNAPSHOT: Final = Codec(Snapshot)
