"""Metas and pages: which transaction counts, and every way a page can be wrong."""

import struct

import pytest

from tests.backend.images import DB, branch, database, disk, flipped, leaf, meta, plain
from walctl.backend import tree
from walctl.backend.pages import Image, Metas, PageError, Pages, read_metas
from walctl.errors import ExitStatus

ITEMS = plain({b"a": b"1", b"b": b"2"})
SOUND = database(leaf(2, ITEMS), txid=8)
SIZES = [1024, 2048, 4096, 8192, 16384, 65536]


def metas_of(data: bytes) -> Metas:
    with disk(data).open(DB) as file:
        return read_metas(file)


def page_of(data: bytes, page: int) -> Image:
    with disk(data).open(DB) as file:
        return Pages(file).read(page)


def failure(data: bytes, page: int | None = None) -> PageError:
    """What opening the file raises, or reading `page` of it."""
    with disk(data).open(DB) as file, pytest.raises(PageError) as caught:
        Pages(file) if page is None else Pages(file).read(page)
    assert str(caught.value) == caught.value.message
    assert caught.value.message.startswith(f"{DB}:{caught.value.offset}: page ")
    assert "\n" not in caught.value.message
    assert caught.value.exit_status is ExitStatus.DAMAGE
    return caught.value


def header(data: bytes, page: int, **fields: int) -> bytes:
    """`data` with fields of a page's header changed."""
    offset = page * 4096
    names = ("id", "flags", "count", "overflow")
    old = dict(zip(names, struct.unpack_from("<QHHI", data, offset), strict=True))
    new = struct.pack("<QHHI", *{**old, **fields}.values())
    return data[:offset] + new + data[offset + 16 :]


@pytest.mark.parametrize("txid", [8, 9])
def test_the_valid_meta_with_the_higher_txid_counts(txid: int) -> None:
    metas = metas_of(database(leaf(2, ITEMS), txid=txid))
    assert metas.chosen is metas.pages[txid % 2]
    assert sorted(each for each in metas.txids if each) == [txid - 1, txid]
    assert all(each.is_valid and each.words is None for each in metas.pages)


def test_page_0_counts_when_both_metas_have_the_same_txid() -> None:
    one = meta(0, root=2, high_water=3, txid=4) + meta(1, root=2, high_water=3, txid=4)
    chosen = metas_of(one + leaf(2, ITEMS)).chosen
    assert chosen is not None
    assert chosen.page == 0


@pytest.mark.parametrize("offset", range(64))
def test_a_flip_anywhere_in_the_newer_meta_goes_back_one_transaction(offset: int) -> None:
    metas = metas_of(flipped(SOUND, 16 + offset))
    assert metas.txids == (None, 7)
    words = "invalid database" if offset < 4 else "version mismatch"
    assert metas.pages[0].words == (words if offset < 8 else "checksum error")


@pytest.mark.parametrize("offset", range(64))
def test_a_flip_anywhere_in_the_older_meta_changes_nothing(offset: int) -> None:
    metas = metas_of(flipped(SOUND, 4096 + 16 + offset))
    assert metas.txids == (8, None)


@pytest.mark.parametrize(
    ("offset", "words"),
    [(16, "invalid database"), (20, "version mismatch"), (24, "checksum error")],
)
def test_two_bad_metas_stop_with_the_words_for_page_0(offset: int, words: str) -> None:
    error = failure(flipped(flipped(SOUND, offset), 4096 + 40))
    assert error.words == words
    assert error.reason.startswith(f"no valid meta: page 0: {words}")
    assert "page 1: checksum error" in error.reason


@pytest.mark.parametrize("page_bytes", SIZES)
def test_the_page_size_is_found_when_page_0_is_damaged(page_bytes: int) -> None:
    sound = database(leaf(2, ITEMS, page_bytes=page_bytes), txid=9, page_bytes=page_bytes)
    metas = metas_of(flipped(sound, 16))
    assert metas.page_bytes == page_bytes
    assert metas.txids == (None, 9)
    with disk(flipped(sound, 16)).open(DB) as file:
        assert tree.root(Pages(file)).get(b"b") == b"2"


def test_a_damaged_page_1_is_still_found_by_its_magic() -> None:
    sound = database(leaf(2, ITEMS, page_bytes=16384), page_bytes=16384)
    metas = metas_of(flipped(flipped(sound, 16), 16384 + 30))
    assert (metas.page_bytes, metas.pages[1].words) == (16384, "checksum error")


@pytest.mark.parametrize("size", [0, 1023, 1024 * 3, 1 << 17, (1 << 32) - 1])
def test_a_checksum_does_not_make_an_absurd_page_size_true(size: int) -> None:
    page_0 = meta(0, root=2, high_water=3, txid=10, said_bytes=size)
    metas = metas_of(page_0 + SOUND[4096:])
    assert metas.pages[0].words == "invalid database"
    assert metas.txids == (None, 7)


@pytest.mark.parametrize("size", [1, 15, 79, 80, 4095, 4096, 8191])
def test_a_file_below_two_pages_is_too_small_in_bbolts_words(size: int) -> None:
    error = failure(SOUND[:size])
    assert (error.words, error.offset) == ("file size too small", size)


def test_an_empty_file_is_one_that_bbolt_would_begin_anew() -> None:
    error = failure(b"")
    assert error.words is None
    assert "empty" in error.reason


def test_a_page_comes_with_its_overflow() -> None:
    data = database(leaf(2, [(b"k", bytes(range(256)) * 40, 0)]), leaf(5, ITEMS))
    image = page_of(data, 2)
    assert (image.span, image.offset, len(image.data)) == (range(2, 5), 8192, 3 * 4096)
    assert image.data == data[8192 : 8192 + 3 * 4096]


@pytest.mark.parametrize("page", [0, 1, 3, 4, 1 << 40, (1 << 64) - 1])
def test_a_page_outside_the_used_ones_is_not_read(page: int) -> None:
    error = failure(SOUND, page)
    assert error.page == page
    assert "high-water mark" in error.reason
    assert 0 <= error.offset <= len(SOUND)


@pytest.mark.parametrize(
    ("fields", "offset", "reason"),
    [
        ({"id": 3}, 0, "the header says page 3"),
        ({"flags": 0}, 8, "found flags 0x0"),
        ({"flags": 3}, 8, "found flags 0x3"),
        ({"flags": 4}, 8, "found flags 0x4"),
        ({"flags": 0x10}, 8, "found flags 0x10"),
        ({"overflow": 1}, 12, "reaches page 3, the high-water mark is 3"),
        ({"overflow": (1 << 32) - 1}, 12, "the high-water mark is 3"),
    ],
)
def test_a_header_that_cannot_be_is_named_with_its_place(
    fields: dict[str, int], offset: int, reason: str
) -> None:
    error = failure(header(SOUND, 2, **fields), 2)
    assert (error.page, error.offset) == (2, 8192 + offset)
    assert reason in error.reason


def test_a_page_that_the_file_does_not_hold_is_named() -> None:
    error = failure(SOUND[:-1], 2)
    assert error.offset == len(SOUND) - 1
    assert "the file ends" in error.reason


@pytest.mark.parametrize("overflow", [1, 1000, 1 << 30])
def test_an_overflow_that_the_file_does_not_hold_is_not_asked_for(overflow: int) -> None:
    # The high-water mark vouches for it, the file does not.
    data = header(database(leaf(2, ITEMS), high_water=1 << 40), 2, overflow=overflow)
    error = failure(data, 2)
    assert error.offset == 8192 + 12
    assert "the file has 12288" in error.reason


def test_a_branch_page_is_a_page_too() -> None:
    assert page_of(database(branch(2, [(b"a", 3)]), leaf(3, ITEMS)), 2).header.flags == 1
