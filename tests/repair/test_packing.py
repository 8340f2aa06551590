"""Packing: what goes in comes out, in bounds, and damage of any byte is said with its place."""

import contextlib
import hashlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from walctl.errors import AccessError
from walctl.fs.memory import MemoryFileSystem
from walctl.repair.packing import packed, unpacked

PLACE = Path("/backup/db.zst")
PLAIN = hashlib.sha512(b"walctl").digest() * 20 + bytes(300)
PACKED = b"".join(packed([PLAIN]))


def opened(data: bytes, *, bytes_max: int = 1 << 20) -> bytes:
    disk = MemoryFileSystem({PLACE: data})
    with disk.open(PLACE) as file:
        return b"".join(unpacked(file, bytes_max=bytes_max))


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_what_is_packed_comes_out_again_and_the_zstd_tool_opens_it(blocks: list[bytes]) -> None:
    frame = b"".join(packed(blocks))
    plain = b"".join(blocks)
    assert opened(frame) == plain
    assert zstandard.ZstdDecompressor().decompressobj().decompress(frame) == plain
    assert b"".join(packed(blocks)) == frame


@pytest.mark.parametrize("cut", range(len(PACKED)))
def test_a_frame_cut_at_any_byte_is_refused(cut: int) -> None:
    with pytest.raises(AccessError, match=r"^/backup/db\.zst:\d+: "):
        opened(PACKED[:cut])


@pytest.mark.parametrize("position", range(len(PACKED)))
def test_a_flip_of_any_bit_is_refused_or_changes_nothing(position: int) -> None:
    for bit in range(8):
        changed = bytearray(PACKED)
        changed[position] ^= 1 << bit
        with contextlib.suppress(AccessError):
            # A bit of the header may say how it was packed, not what.
            assert opened(bytes(changed)) == PLAIN


def test_bytes_behind_the_frame_are_refused_where_they_begin() -> None:
    with pytest.raises(AccessError, match=rf"^{PLACE}:{len(PACKED)}: bytes behind"):
        opened(PACKED + b"x")
    with pytest.raises(AccessError, match=r"bytes behind"):
        opened(PACKED + PACKED)
    whole = b"".join(packed([hashlib.shake_256(b"x").digest((1 << 10) * 3)]))
    tail = b"x" * (-len(whole) % (1 << 10))
    with pytest.raises(AccessError, match=r"bytes behind"):
        opened(whole + tail + b"y")


def test_not_one_byte_more_than_the_bound_comes_out() -> None:
    assert opened(PACKED, bytes_max=len(PLAIN)) == PLAIN
    with pytest.raises(AccessError, match=f"more than the {len(PLAIN) - 1:,} bytes"):
        opened(PACKED, bytes_max=len(PLAIN) - 1)


def test_a_frame_that_asks_for_gigabytes_costs_no_more_than_its_bound() -> None:
    bomb = b"".join(packed(bytes(1 << 20) for _ in range(200)))
    assert len(bomb) < 1 << 15
    disk = MemoryFileSystem({PLACE: bomb})
    sizes: list[int] = []

    def pull() -> None:
        with disk.open(PLACE) as file:
            sizes.extend(map(len, unpacked(file, bytes_max=100 << 20)))

    with pytest.raises(AccessError, match="more than the 104,857,600 bytes"):
        pull()
    assert sum(sizes) <= 100 << 20
    assert max(sizes) <= 32 << 20
