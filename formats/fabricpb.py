"""What Hyperledger Fabric's ordering service logs (upstream: fabric-protos common/common.proto).

A normal entry is one whole block. Of its transactions and of its metadata nothing is declared:
they are bytes.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from formats.codec import Codec
from formats.fields import BYTES, IMPLICIT, NESTED, UINT64, Field, UnknownField, message

HASH_BYTES: Final = 32
"""SHA-256."""


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockHeader:
    """Where the block stands in its channel's chain."""

    number: Annotated[int | None, Field(1, UINT64, IMPLICIT)] = None
    previous_hash: Annotated[bytes | None, Field(2, BYTES, IMPLICIT)] = None
    data_hash: Annotated[bytes | None, Field(3, BYTES, IMPLICIT)] = None
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockData:
    """The transactions, each an envelope of its own."""

    data: Annotated[tuple[bytes, ...], Field(1, BYTES)] = ()
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMetadata:
    """What the orderers sign and note, by a fixed position in the list."""

    metadata: Annotated[tuple[bytes, ...], Field(1, BYTES)] = ()
    unknown: tuple[UnknownField, ...] = ()


@message
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a channel."""

    header: Annotated[BlockHeader | None, Field(1, NESTED)] = None
    data: Annotated[BlockData | None, Field(2, NESTED)] = None
    metadata: Annotated[BlockMetadata | None, Field(3, NESTED)] = None
    unknown: tuple[UnknownField, ...] = ()


BLOCK: Final = Codec(Block)
