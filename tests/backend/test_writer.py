"""A database that is written anew: our reader, which knows nothing of the writer, gives it back."""

import hashlib
import random
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.bbolt import BUCKET_HEADER, FREELIST_NOT_STORED, META, PAGE_HEADER, PageFlag
from tests.backend import images
from tests.corpus import names, needs_corpus, unpacked
from walctl.backend import tree
from walctl.backend.check import FREE_LIST, OncePages, check_tree
from walctl.backend.pages import PageError, Pages, read_metas
from walctl.backend.rebuild import Edit, rebuilt
from walctl.backend.writer import KEY_BYTES_MAX, Contents, Items, written
from walctl.errors import AccessError, RefusedError
from walctl.fs.memory import MemoryFileSystem
from walctl.fs.real import RealFileSystem
from walctl.repair.pieces import Rebuild, Row, composed

PATH = Path("/db")
DISK = RealFileSystem()
Buckets: TypeAlias = Mapping[bytes, Union[bytes, "Buckets"]]


def contents(buckets: Buckets, sequence: int = 0) -> Contents:
    """Dictionaries as the writer takes them; sequences, where there are any, count inwards."""
    inner = sequence + 1 if sequence else 0

    def items() -> Items:
        for key, value in sorted(buckets.items()):
            yield key, value if isinstance(value, bytes) else contents(value, inner)

    return Contents(items, sequence)


def file_of(buckets: Buckets, *, page_bytes: int = 4096, txid: int = 7) -> bytes:
    return b"".join(written(contents(buckets), page_bytes=page_bytes, txid=txid))


def disk_of(data: bytes) -> MemoryFileSystem:
    return MemoryFileSystem({PATH: data})


def read_back(data: bytes) -> Buckets:
    """Every bucket as dictionaries, read through pages that may be met once."""
    with disk_of(data).open(PATH) as file:
        return dict(_rows(tree.root(OncePages(file))))


def _rows(bucket: tree.Bucket) -> Iterator[tuple[bytes, Any]]:
    for item in bucket.items():
        yield item.key, dict(_rows(bucket.open(item))) if item.is_bucket else item.value


def pages_by_kind(data: bytes, page_bytes: int = 4096) -> dict[int, list[int]]:
    """The ids of all pages by their flags, overflow left out."""
    found: dict[int, list[int]] = {}
    page = 0
    while page * page_bytes < len(data):
        header = PAGE_HEADER.parse(data, page * page_bytes)
        assert header.id == page
        found.setdefault(header.flags, []).append(page)
        page += 1 + header.overflow
    return found


# Lengths around what fills a page, a quarter of one, two pages; and what is usual.
LENGTHS = st.one_of(
    st.integers(0, 40),
    st.builds(
        lambda edge, by: max(0, edge + by),
        st.sampled_from([200, 256, 900, 1024, 2048, 3072, 4096, 8192]),
        st.integers(-60, 20),
    ),
)
KEYS = st.one_of(st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=300))
VALUES = LENGTHS.map(lambda length: bytes([length % 251]) * length)
LEAVES = st.dictionaries(KEYS, VALUES, max_size=40)
BUCKETS = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(KEYS, st.one_of(VALUES, inner), max_size=12),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(BUCKETS, st.sampled_from([1024, 4096]))
def test_what_is_written_is_read_back(buckets: Buckets, page_bytes: int) -> None:
    data = file_of(buckets, page_bytes=page_bytes)
    assert read_back(data) == buckets
    assert check_tree(disk_of(data), PATH) == []
    assert data == file_of(buckets, page_bytes=page_bytes)


@settings(max_examples=60, deadline=None)
@given(BUCKETS, st.sampled_from([1024, 4096]))
def test_every_page_of_the_file_is_used(buckets: Buckets, page_bytes: int) -> None:
    """So that nothing is free, and the file ends where the high-water mark says."""
    data = file_of(buckets, page_bytes=page_bytes)
    with disk_of(data).open(PATH) as file:
        pages = OncePages(file)
        _touch(tree.root(pages))
        assert pages.meta.high_water * page_bytes == len(data)
        assert pages.seen == set(range(2, pages.meta.high_water))


def _touch(bucket: tree.Bucket) -> None:
    for item in bucket.items():
        if item.is_bucket:
            _touch(bucket.open(item))


@pytest.mark.parametrize(("txid", "pages"), [(7, (6, 7)), (8, (8, 7)), (1, (0, 1)), (0, (0, 1))])
def test_both_metas_hold_and_lead_to_the_same_rows(txid: int, pages: tuple[int, int]) -> None:
    buckets = {b"key": {b"a": b"1" * 5000}, b"meta": {b"b": b"2"}}
    data = file_of(buckets, txid=txid)
    for broken in (None, 0, 1):
        bad = data if broken is None else images.flipped(data, broken * 4096 + 16 + 20)
        with disk_of(bad).open(PATH) as file:
            metas = read_metas(file)
        expected = tuple(None if each == broken else pages[each] for each in (0, 1))
        assert metas.txids == expected
        assert read_back(bad) == buckets


def test_the_free_list_is_not_stored() -> None:
    meta = META.parse(file_of({b"a": {}}), 4096 + PAGE_HEADER.size_bytes)
    assert meta.freelist == FREELIST_NOT_STORED


def test_an_empty_database_has_one_empty_leaf() -> None:
    data = file_of({})
    assert pages_by_kind(data) == {PageFlag.META: [0, 1], PageFlag.LEAF: [2]}
    assert read_back(data) == {}


def test_an_empty_bucket_takes_32_bytes_inline() -> None:
    data = file_of({b"alarm": {}})
    with disk_of(data).open(PATH) as file:
        item = tree.root(Pages(file)).find(b"alarm")
    assert item is not None
    assert item.is_bucket
    assert item.value == bytes(24) + b"\x02" + bytes(7)


@pytest.mark.parametrize("page_bytes", [1024, 4096, 65536])
def test_a_bucket_is_inline_up_to_a_quarter_of_a_page(page_bytes: int) -> None:
    """The page image counts: 16 bytes of header, 16 of an element, the key, the value."""
    longest = page_bytes // 4 - 16 - 16 - 1
    for length, is_inline in ((longest, True), (longest + 1, False)):
        data = file_of({b"b": {b"k": bytes(length)}}, page_bytes=page_bytes)
        with disk_of(data).open(PATH) as file:
            bucket = tree.root(Pages(file)).bucket(b"b")
        assert bucket is not None
        assert bucket.is_inline is is_inline


def test_a_bucket_with_a_bucket_in_it_is_not_inline() -> None:
    data = file_of({b"outer": {b"inner": {}}})
    with disk_of(data).open(PATH) as file:
        outer = tree.root(Pages(file)).bucket(b"outer")
        assert outer is not None
        assert not outer.is_inline
        inner = outer.bucket(b"inner")
    assert inner is not None
    assert inner.is_inline


def test_many_rows_make_several_levels_of_branches() -> None:
    keys = {b"%0250d" % number: b"" for number in range(1500)}
    data = file_of({b"key": keys}, page_bytes=1024)
    kinds = pages_by_kind(data, 1024)
    counts = [PAGE_HEADER.parse(data, page * 1024).element_count for page in kinds[PageFlag.BRANCH]]
    # 3 rows to a leaf, 3 children to a branch: 500 leaves, 167 + 56 + 19 + 7 + 3 + 1 branches.
    assert len(kinds[PageFlag.LEAF]) == 500 + 1
    assert min(counts) >= 2
    assert len(counts) > 200
    assert read_back(data) == {b"key": keys}


def test_a_page_is_left_a_tenth_free() -> None:
    data = file_of({b"key": {b"%08d" % n: bytes(40) for n in range(5000)}})
    leaves = pages_by_kind(data)[PageFlag.LEAF]
    counts = [PAGE_HEADER.parse(data, page * 4096).element_count for page in leaves]
    assert set(counts[:-2]) == {(4096 * 9 // 10 - 16) // 64}


@pytest.mark.parametrize(
    "length", [4096 - 33 - 1, 4096 - 33, 4096 - 33 + 1, 3 * 4096 - 33, 1 << 20]
)
def test_a_value_gets_the_pages_that_it_needs_and_no_more(length: int) -> None:
    value = random.Random(length).randbytes(length)
    data = file_of({b"b": {b"k": value}})
    header = PAGE_HEADER.parse(data, 2 * 4096)
    assert (header.overflow + 1) * 4096 >= 33 + length > header.overflow * 4096
    assert read_back(data) == {b"b": {b"k": value}}


def test_the_longest_key_is_written_and_a_longer_one_refused() -> None:
    longest = {b"k" * KEY_BYTES_MAX: b"1", b"l" * KEY_BYTES_MAX: b"2", b"m" * KEY_BYTES_MAX: b"3"}
    assert read_back(file_of({b"b": longest})) == {b"b": longest}
    with pytest.raises(RefusedError, match="32769 bytes"):
        file_of({b"b": {b"k" * (KEY_BYTES_MAX + 1): b""}})
    with pytest.raises(RefusedError, match="a key of 0 bytes"):
        file_of({b"b": {b"": b"1"}})


@pytest.mark.parametrize("second", [b"a", b"b"])
def test_keys_that_do_not_ascend_are_refused(second: bytes) -> None:
    pairs: list[tuple[bytes, bytes | Contents]] = [(b"b", b""), (second, b"")]
    with pytest.raises(RefusedError, match="ascend"):
        list(written(Contents(lambda: iter(pairs)), page_bytes=4096, txid=1))


def test_buckets_nested_without_end_are_refused() -> None:
    endless = Contents(lambda: iter([(b"b", endless)]))
    with pytest.raises(RefusedError, match="nested"):
        list(written(endless, page_bytes=4096, txid=1))


def test_an_input_that_changes_between_the_passes_is_told() -> None:
    lengths = iter([10, 9000])
    moving = Contents(lambda: iter([(b"k", bytes(next(lengths)))]))
    with pytest.raises(AccessError, match="changed"):
        list(written(moving, page_bytes=4096, txid=1))


def test_sequences_of_buckets_are_kept() -> None:
    nested: Buckets = {b"a": {b"b": {b"c": b"d"}}}
    data = b"".join(written(contents(nested, 40), page_bytes=4096, txid=3))
    again = rebuild(data)
    assert again == data
    with disk_of(again).open(PATH) as file:
        pages = Pages(file)
        outer = tree.root(pages).find(b"a")
        assert outer is not None
        inner = tree.root(pages).open(outer).find(b"b")
        assert inner is not None
    found = [pages.meta.sequence, *(BUCKET_HEADER.parse(i.value).sequence for i in (outer, inner))]
    assert found == [40, 41, 42]


def rebuild(data: bytes, *, cleared: tuple[bytes, ...] = (), rows: tuple[Row, ...] = ()) -> bytes:
    """What a piece of a plan makes of a database."""
    piece = Rebuild(source="snap/db", cleared=cleared, rows=rows)
    with disk_of(data).open(PATH) as file:
        return b"".join(composed((piece,), lambda name: file))


EDITS = st.lists(
    st.builds(Edit, KEYS, KEYS, st.one_of(st.none(), st.binary(max_size=2000))), max_size=20
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, LEAVES, max_size=5), EDITS, st.data())
def test_a_rebuilt_database_has_the_edits_and_everything_else(
    buckets: dict[bytes, dict[bytes, bytes]], edits: list[Edit], data: st.DataObject
) -> None:
    there = sorted(buckets)
    cleared = data.draw(st.lists(st.sampled_from(there))) if there else []
    if there:  # aim at what is there, else edits hardly ever meet
        aim = st.sampled_from(there)
        edits += [
            Edit(name, data.draw(st.sampled_from(sorted(buckets[name]))), data.draw(VALUES))
            for name in data.draw(st.lists(aim))
            if buckets[name]
        ]
    wanted = {name: {} if name in cleared else dict(rows) for name, rows in buckets.items()}
    for name, key, value in edits:
        if value is not None:
            wanted.setdefault(name, {})[key] = value
        else:
            wanted.get(name, {}).pop(key, None)
    wanted = {name: rows for name, rows in wanted.items() if rows or name in buckets}
    rows = tuple(Row(bucket=each.bucket, key=each.key, value=each.value) for each in edits)
    assert read_back(rebuild(file_of(buckets), cleared=tuple(cleared), rows=rows)) == wanted


def test_a_row_takes_no_buckets_place() -> None:
    data = file_of({b"a": {b"inner": {b"x": b"y"}}, b"plain": b"value"})
    with pytest.raises(RefusedError, match="is a bucket"):
        rebuild(data, rows=(Row(bucket=b"a", key=b"inner", value=b"1"),))
    with pytest.raises(PageError, match="found a value"):
        rebuild(data, rows=(Row(bucket=b"plain", key=b"k", value=b"1"),))


def test_a_damaged_database_is_not_rebuilt_whichever_page_is_destroyed() -> None:
    buckets = {b"key": {b"%08d" % number: bytes([number % 251]) * 60 for number in range(2000)}}
    data = file_of(buckets)
    for page in range(2, len(data) // 4096):
        broken = data[: page * 4096] + bytes(4096) + data[(page + 1) * 4096 :]
        with pytest.raises(PageError, match=f"page {page}:"):
            rebuild(broken)


def test_damage_in_a_bucket_that_is_cleared_is_left_behind() -> None:
    buckets = {b"key": {b"a": bytes(5000)}, b"members": {b"m": bytes(5000)}}
    data = file_of(buckets)
    with disk_of(data).open(PATH) as file:
        item = tree.root(Pages(file)).find(b"members")
    assert item is not None
    page = BUCKET_HEADER.parse(item.value).root
    broken = data[: page * 4096] + bytes(4096) + data[(page + 1) * 4096 :]
    with pytest.raises(PageError):
        rebuild(broken)
    row = Row(bucket=b"members", key=b"n", value=b"1")
    found = read_back(rebuild(broken, cleared=(b"members",), rows=(row,)))
    assert found == {b"key": {b"a": bytes(5000)}, b"members": {b"n": b"1"}}


def test_pages_shared_by_two_buckets_are_not_written_twice() -> None:
    data = file_of({b"a": {b"k": bytes(2000)}, b"b": {b"k": bytes(2000)}})
    shared = data.replace(struct.pack("<QQ", 3, 0), struct.pack("<QQ", 2, 0))
    assert shared != data
    with pytest.raises(PageError, match="used twice"):
        rebuild(shared)


def test_a_database_that_is_written_to_meanwhile_is_told() -> None:
    data = file_of({b"a": {b"k": bytes(9000)}}, txid=8)
    moved = data[:4096] + images.meta(1, root=5, high_water=6, txid=9) + data[8192:]
    disk = disk_of(data)
    with disk.open(PATH) as file:
        blocks = rebuilt(file)
        next(blocks)
        disk.write(PATH, moved)
        with pytest.raises(AccessError, match="changed"):
            list(blocks)


def databases() -> list[Path]:
    """Each database of the corpus once, whatever directories have a copy of it."""
    found = {}
    for name in names():
        for path in sorted(unpacked(name).rglob("*db")):
            if path.is_file():
                found[hashlib.sha256(path.read_bytes()).digest()] = path
    return sorted(found.values(), key=lambda path: path.stat().st_size)


@needs_corpus
def test_a_database_of_etcd_comes_back_with_equal_rows() -> None:
    small = [path for path in databases() if path.stat().st_size < 1 << 20]
    assert len(small) > 10
    for path in small:
        data = path.read_bytes()
        again = rebuild(data)
        assert read_back(again) == read_back(data)
        assert check_tree(disk_of(again), PATH) == []
        assert rebuild(again) == again
        trailed = rebuild(data + hashlib.sha256(data).digest())
        assert trailed == again, "the trailer of `snapshot save` is left behind"


def free_page(ids: list[int], *, page: int = 2, count: int | None = None) -> bytes:
    """A page with a stored free list, as bbolt has it."""
    body = b"".join(struct.pack("<Q", each) for each in ids)
    said = len(ids) if count is None else count
    return (struct.pack("<QHHI", page, 0x10, said, 0) + body).ljust(4096, b"\0")


def with_free_list(ids: list[int], *, count: int | None = None, page: int = 2) -> bytes:
    """Page 2 the free list, 3 the root, 4 a bucket, 5 and 6 whatever."""
    leaf = images.leaf(3, [(b"b", images.nested(4), 1)])
    bucket = images.leaf(4, [(b"k", b"v", 0)])
    body = free_page(ids, count=count, page=page) + leaf + bucket + bytes(8192)
    metas = b""
    for number in (0, 1):
        meta = bytearray(images.meta(number, root=3, high_water=7, txid=8 - number))
        meta[16 + 32 : 16 + 40] = struct.pack("<Q", 2)
        meta[16 + 56 : 16 + 64] = struct.pack("<Q", images.fnv1a(bytes(meta[16 : 16 + 56])))
        metas += meta
    return metas + body


@pytest.mark.parametrize("ids", [[], [5], [5, 6]])
@pytest.mark.parametrize("is_long", [False, True])
def test_a_free_list_of_pages_that_nothing_uses_is_sound(ids: list[int], is_long: bool) -> None:
    """A count of 0xffff says that the first id is the count."""
    listed, count = ([len(ids), *ids], 0xFFFF) if is_long else (ids, None)
    assert check_tree(disk_of(with_free_list(listed, count=count)), PATH) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_free_list([4]), "page 4 is free and used"),
        (with_free_list([3, 5]), "page 3 is free and used"),
        (with_free_list([5, 5]), "page 5 is free twice"),
        (with_free_list([2]), "page 2 is free twice, or holds the free list"),
        (with_free_list([5, 7]), "page 7 is free: expected a page from 2 to 6"),
        (with_free_list([1]), "page 1 is free: expected a page from 2 to 6"),
        (with_free_list([5], count=600), "600 free pages do not fit"),
        (with_free_list([1 << 62], count=0xFFFF), "free pages do not fit"),
        (with_free_list([5], page=9), "expected the free list, found page 9"),
        (images.flipped(with_free_list([5]), 2 * 4096 + 8, 0x12), "with flags 0x2"),
        (images.flipped(with_free_list([5]), 2 * 4096 + 14, 0x7F), "pages, past the end"),
        (with_free_list([5])[: 2 * 4096], "the file ends before the free list does"),
    ],
)
def test_a_free_list_that_would_let_rows_be_overwritten_is_found(data: bytes, words: str) -> None:
    found = check_tree(disk_of(data), PATH)
    assert found
    name, error = found[-1]
    assert name == FREE_LIST
    assert words in error.reason
    assert error.page == 2
