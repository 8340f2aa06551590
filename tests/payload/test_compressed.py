"""Payloads that were compressed: opened whole, never beyond a bound, and cut ones are told."""

import contextlib
import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from walctl.payload.base import PayloadError
from walctl.payload.compressed import OPENED_BYTES_MAX, opened

TEXT = b"a payload, long enough to be worth it; " * 20
GZIP = gzip.compress(TEXT, mtime=0)
ZSTD = zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)
PACKED = {"gzip": GZIP, "zstd": ZSTD}


@pytest.mark.parametrize("name", PACKED)
def test_a_payload_is_opened_and_named(name: str) -> None:
    assert opened(PACKED[name]) == (name, TEXT)


def test_a_frame_that_does_not_say_its_length_is_opened() -> None:
    machine = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    assert opened(machine.compress(TEXT) + machine.flush()) == ("zstd", TEXT)


def test_nothing_may_be_in_it() -> None:
    assert opened(gzip.compress(b"")) == ("gzip", b"")
    assert opened(zstandard.ZstdCompressor().compress(b"")) == ("zstd", b"")


@pytest.mark.parametrize("payload", [b"", TEXT, b"\x1f\x8b\x07", ZSTD[1:], zlib.compress(TEXT)])
def test_what_begins_otherwise_is_not_touched(payload: bytes) -> None:
    assert opened(payload) is None


@pytest.mark.parametrize("name", PACKED)
def test_a_cut_anywhere_behind_the_magic_is_told(name: str) -> None:
    whole = PACKED[name]
    for stop in range(4, len(whole)):
        with pytest.raises(PayloadError, match=rf"inside its {name}|begins as {name}"):
            opened(whole[:stop])


@pytest.mark.parametrize("name", PACKED)
def test_bytes_behind_the_end_are_told_with_their_place(name: str) -> None:
    with pytest.raises(PayloadError, match="behind its") as caught:
        opened(PACKED[name] + b"zz")
    assert caught.value.offset == len(PACKED[name])


@pytest.mark.parametrize("name", PACKED)
def test_a_flipped_bit_is_never_opened_to_something_else(name: str) -> None:
    """Both have a checksum; only bits of the header that say nothing of the data may differ."""
    whole = PACKED[name]
    for position in range(10 if name == "gzip" else 4, len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            try:
                found = opened(bytes(flipped))
            except PayloadError:
                continue
            assert found == (name, TEXT)


@given(st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]), st.binary(max_size=200))
def test_whatever_follows_the_magic_only_a_payload_error_comes_out(
    head: bytes, rest: bytes
) -> None:
    with contextlib.suppress(PayloadError):
        assert opened(head + rest) is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_is_not_opened(name: str) -> None:
    zeros = bytes(OPENED_BYTES_MAX + 1)
    pack = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[name]
    with pytest.raises(PayloadError, match="opens to more than 67,108,864 bytes"):
        opened(pack(zeros))
    assert opened(pack(zeros[1:])) == (name, zeros[1:])


def test_a_frame_that_lies_about_its_length_costs_no_memory() -> None:
    # Frame header: single segment, an 8-byte content size of 2**62, then one empty last block.
    lie = b"\x28\xb5\x2f\xfd\xe0" + (1 << 62).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(PayloadError, match="begins as zstd does, and is none"):
        opened(lie)
