"""Payloads of Hyperledger Fabric's ordering service: which block of the channel it is.

A payload counts as a block only when it is exactly what the service writes: nothing unknown, all
parts, and hashes of the length that its hashes have. What the transactions ask for is not looked
at.

Source: Fabric `orderer/consensus/etcdraft/blockcreator.go`, `protoutil/blockutils.go`.
"""

from formats.errors import FormatError
from formats.fabricpb import BLOCK, HASH_BYTES, Block
from walctl.payload.base import Privacy, Request


def decode_fabric(payload: bytes) -> Request | None:
    """A request of the type `block`, or `None` when the payload is none."""
    try:
        block = BLOCK.parse_fast(payload)
    except FormatError:
        return None
    if block is None or not _is_chained(block):
        return None
    assert block.header is not None
    assert block.data is not None
    number, count = block.header.number or 0, len(block.data.data)
    return Request(
        decoder="fabric",
        type="block",
        body={"block": {"number": number, "transactions": count}},
        words=(f"block {number}, {count:,} transaction{'' if count == 1 else 's'}",),
        unsaid=Privacy.VALUE,
    )


def _is_chained(block: Block) -> bool:
    """Whether it has all its parts, transactions and both hashes.

    The first block of all, which follows no other, is never proposed.
    """
    if block.header is None or block.data is None or block.metadata is None:
        return False
    if not block.data.data:
        return False
    hashes = (block.header.previous_hash or b"", block.header.data_hash or b"")
    return all(len(each) == HASH_BYTES for each in hashes)
