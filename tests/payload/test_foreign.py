"""Payloads of other owners of etcd's log: said only when they are exactly what these write.

The vectors are built by hand from the schemas, since nobody here has a log of either. That
no payload of the corpus is taken for one of theirs is proved with the decoder `auto`.
"""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.payload.wire import number, sized
from walctl.payload.fabric import decode_fabric
from walctl.payload.swarm import decode_swarm

SECRETBOX = number(1, 1) + sized(2, bytes(range(60))) + sized(3, bytes(24))
FERNET = number(1, 2) + sized(2, b"gAAAAABmX0example-token_of-base64==")
HASH = hashlib.sha256(b"").digest()
HEADER = number(1, 1234) + sized(2, HASH) + sized(3, HASH)
DATA = sized(1, b"envelope") + sized(1, b"another")
REST = sized(3, sized(1, b"") * 5)
BLOCK = sized(1, HEADER) + sized(2, DATA) + REST


@pytest.mark.parametrize(
    ("payload", "algorithm", "size"),
    [
        (SECRETBOX, "SECRETBOX_SALSA20_POLY1305", 60),
        (FERNET, "FERNET_AES_128_CBC", 35),
        (
            number(1, 1) + sized(2, bytes(16)) + sized(3, bytes(24)),
            "SECRETBOX_SALSA20_POLY1305",
            16,
        ),
    ],
)
def test_an_encrypted_payload_is_named_by_its_algorithm(
    payload: bytes, algorithm: str, size: int
) -> None:
    request = decode_swarm(payload)
    assert request is not None
    assert (request.decoder, request.type) == ("swarm", "encrypted")
    assert request.body == {"encrypted": {"algorithm": algorithm, "size": size}}
    assert request.keys == ()


@pytest.mark.parametrize(
    "payload",
    [
        number(1, 1) + sized(2, bytes(60)) + sized(3, bytes(23)),  # the nonce is short
        number(1, 1) + sized(2, bytes(15)) + sized(3, bytes(24)),  # no room for the tag
        number(1, 1) + sized(2, bytes(60)),
        number(1, 2) + sized(2, b"no token"),
        FERNET + sized(3, bytes(24)),
        number(1, 3) + sized(2, bytes(60)) + sized(3, bytes(24)),
        number(1, 0) + sized(2, bytes(60)) + sized(3, bytes(24)),
        sized(2, b"not encrypted"),
        SECRETBOX + number(4, 1),
        sized(3, bytes(24)) + number(1, 1) + sized(2, bytes(60)),
        b"",
        b"\xff" * 20,
    ],
)
def test_what_is_almost_swarm_s_is_not_called_so(payload: bytes) -> None:
    assert decode_swarm(payload) is None


def test_a_block_is_named_by_its_number() -> None:
    request = decode_fabric(BLOCK)
    assert request is not None
    assert (request.decoder, request.type) == ("fabric", "block")
    assert request.body == {"block": {"number": 1234, "transactions": 2}}
    assert request.words == ("block 1234, 2 transactions",)


@pytest.mark.parametrize(
    "payload",
    [
        sized(1, number(1, 5) + sized(2, HASH) + sized(3, HASH[1:])) + sized(2, DATA) + REST,
        sized(1, number(1, 5) + sized(3, HASH)) + sized(2, DATA) + REST,
        sized(1, HEADER) + sized(2, DATA),
        sized(1, HEADER),
        sized(1, HEADER) + sized(2, b"") + REST,
        sized(2, DATA) + sized(1, HEADER) + REST,
        BLOCK + number(4, 1),
        sized(1, HEADER + number(4, 1)) + sized(2, DATA) + REST,
        BLOCK[:-1],
        b"",
    ],
)
def test_what_is_almost_a_block_is_not_called_so(payload: bytes) -> None:
    assert decode_fabric(payload) is None


def test_a_payload_that_is_cut_anywhere_is_nobody_s() -> None:
    assert [cut for cut in range(len(SECRETBOX)) if decode_swarm(SECRETBOX[:cut])] == []
    assert [cut for cut in range(len(BLOCK)) if decode_fabric(BLOCK[:cut])] == []


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(payload: bytes) -> None:
    decode_swarm(payload)
    decode_fabric(payload)
