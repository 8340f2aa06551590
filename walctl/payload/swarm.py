"""Payloads of Docker Swarm's managers: encrypted, so all that is said of one is how.

A payload counts as Swarm's only when it is exactly what Swarm writes: the message with nothing
unknown in it, and data and nonce of the lengths that the algorithm has. Records that name no
algorithm are not taken for Swarm's: they are a length and any bytes, which could be anyone's.
"""

from formats.errors import FormatError
from formats.swarmpb import (
    FERNET_HEAD,
    MAYBE_ENCRYPTED_RECORD,
    SECRETBOX_NONCE_BYTES,
    SECRETBOX_TAG_BYTES,
    Algorithm,
    MaybeEncryptedRecord,
)
from walctl.payload.base import Privacy, Request


def decode_swarm(payload: bytes) -> Request | None:
    """A request of the type `encrypted`, or `None` when the payload is not Swarm's."""
    try:
        record = MAYBE_ENCRYPTED_RECORD.parse_fast(payload)
    except FormatError:
        return None
    if record is None or not _is_sealed(record):
        return None
    name, size = Algorithm(record.algorithm or 0).name, len(record.data or b"")
    return Request(
        decoder="swarm",
        type="encrypted",
        body={"encrypted": {"algorithm": name, "size": size}},
        words=(f"encrypted with {name}, {size:,} bytes",),
        unsaid=Privacy.VALUE,
    )


def _is_sealed(record: MaybeEncryptedRecord) -> bool:
    data, nonce = record.data or b"", record.nonce or b""
    if record.algorithm == Algorithm.SECRETBOX_SALSA20_POLY1305:
        return len(nonce) == SECRETBOX_NONCE_BYTES and len(data) >= SECRETBOX_TAG_BYTES
    is_fernet = record.algorithm == Algorithm.FERNET_AES_128_CBC
    return is_fernet and not nonce and data.startswith(FERNET_HEAD)
