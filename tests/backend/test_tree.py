"""Buckets: lookup and order as in a dict, and no way for hostile bytes to lead in circles."""

import itertools
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backend.images import (
    DB,
    branch,
    database,
    disk,
    flipped,
    inline,
    leaf,
    nested,
    plain,
)
from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.backend.tree import Bucket

KEYS = st.dictionaries(st.binary(min_size=1, max_size=6), st.binary(max_size=40), max_size=60)


@contextmanager
def opened(data: bytes) -> Iterator[Bucket]:
    with disk(data).open(DB) as file:
        yield tree.root(Pages(file))


def tall(items: Mapping[bytes, bytes], *, fanout: int) -> bytes:
    """A database whose root bucket is a tree with `fanout` elements a page."""
    made: dict[int, bytes] = {}
    numbers = itertools.count(2)

    def add(make: Callable[[int], bytes]) -> int:
        page = next(numbers)
        made[page] = make(page)
        return page

    level: list[tuple[bytes, int]] = []
    rows = plain(items)
    for start in range(0, max(len(rows), 1), fanout):
        part = rows[start : start + fanout]
        page = add(lambda page, part=part: leaf(page, part))  # type: ignore[misc]
        level.append((part[0][0] if part else b"", page))
    while len(level) > 1:
        above = []
        for start in range(0, len(level), fanout):
            children = level[start : start + fanout]
            page = add(lambda page, children=children: branch(page, children))  # type: ignore[misc]
            above.append((children[0][0], page))
        level = above
    return database(*(made[each] for each in sorted(made)), root=level[0][1])


def failure(data: bytes, act: Callable[[Bucket], object] | None = None) -> PageError:
    """What walking all of the root bucket raises, or `act` with it."""
    with pytest.raises(PageError) as caught, opened(data) as bucket:
        list(bucket.items()) if act is None else act(bucket)
    assert 0 <= caught.value.offset <= len(data)
    return caught.value


@given(items=KEYS, fanout=st.integers(2, 5), other=st.binary(max_size=6))
def test_a_tree_of_any_height_reads_as_a_dict_does(
    items: dict[bytes, bytes], fanout: int, other: bytes
) -> None:
    with opened(tall(items, fanout=fanout)) as bucket:
        assert [(each.key, each.value) for each in bucket.items()] == sorted(items.items())
        behind = sorted(each for each in items.items() if each[0] >= other)
        assert [(each.key, each.value) for each in bucket.items(other)] == behind
        assert {key: bucket.get(key) for key in items} == items
        assert bucket.get(other) == items.get(other)
        last = bucket.last()
        assert (last and last.key) == max(items, default=None)


@given(items=KEYS)
def test_an_item_says_where_its_value_lies_in_the_file(items: dict[bytes, bytes]) -> None:
    data = tall(items, fanout=3)
    with opened(data) as bucket:
        for each in bucket.items():
            assert data[each.offset : each.offset + len(each.value)] == each.value
            assert each.page == each.offset // 4096 or not each.value


@given(items=KEYS)
def test_an_inline_bucket_reads_as_a_dict_does(items: dict[bytes, bytes]) -> None:
    data = database(leaf(2, [(b"in", inline(items), 1), (b"plain", b"x", 0)]))
    with opened(data) as root:
        bucket = root.bucket(b"in")
        assert bucket is not None
        assert bucket.is_inline
        assert {each.key: each.value for each in bucket.items()} == items
        for each in bucket.items():
            assert data[each.offset : each.offset + len(each.value)] == each.value


def test_a_nested_bucket_has_its_own_pages() -> None:
    data = database(leaf(2, [(b"b", nested(3), 1)]), leaf(3, [(b"c", inline({b"k": b"v"}), 1)]))
    with opened(data) as root:
        middle = root.bucket(b"b")
        assert middle is not None
        assert not middle.is_inline
        inner = middle.bucket(b"c")
        assert inner is not None
        assert inner.get(b"k") == b"v"
        assert middle.get(b"c") is None
        assert middle.bucket(b"absent") is None
        assert inner.bucket(b"k") is None


def test_items_of_a_bucket_tell_buckets_from_values() -> None:
    with opened(database(leaf(2, [(b"b", inline({}), 1), (b"v", b"1", 0)]))) as root:
        assert [(each.key, each.is_bucket) for each in root.items()] == [
            (b"b", True),
            (b"v", False),
        ]


def test_iteration_reads_one_path_and_no_more() -> None:
    data = tall({b"%04d" % each: bytes(100) for each in range(400)}, fanout=8)
    memory = disk(data)
    with memory.open(DB) as file:
        first = next(tree.root(Pages(file)).items())
    assert first.key == b"0000"
    # Metas, and one page a level (8**3 > 400 / 8), of some sixty.
    assert memory.bytes_read < 6 * 4096 < len(data) // 8


def test_empty_leaves_are_passed_over_in_both_directions() -> None:
    # bbolt leaves such pages behind when it deletes; its own cursor passes over them.
    data = database(
        branch(2, [(b"a", 3), (b"f", 4), (b"m", 5)]), leaf(3, []), leaf(4, plain({b"g": b"1"})),
        leaf(5, []),
    )  # fmt: skip
    with opened(data) as bucket:
        assert [each.key for each in bucket.items()] == [b"g"]
        last = bucket.last()
        assert last is not None
        assert last.key == b"g"


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        pytest.param([branch(2, [(b"a", 2)])], "its own path", id="itself"),
        pytest.param([branch(2, [(b"a", 3)]), branch(3, [(b"a", 2)])], "its own path", id="above"),
        pytest.param([branch(2, [])], "without elements", id="empty branch"),
        pytest.param([branch(2, [(b"a", 0)])], "expected a page from 2", id="meta"),
        pytest.param([branch(2, [(b"a", 9)])], "expected a page from 2", id="beyond"),
        pytest.param(
            [branch(2, [(b"a", 3), (b"b", 3)]), leaf(3, plain({b"a": b""}))],
            "below the one that its parent gives",
            id="the same child twice",
        ),
        pytest.param(
            [branch(2, [(b"a", 3), (b"b", 3)]), leaf(3, plain({b"b": b""}))],
            "belongs into the page after it",
            id="a key in the wrong child",
        ),
        pytest.param(
            [
                branch(2, [(b"a", 3), (b"m", 5)]),
                branch(3, [(b"a", 4)]),
                leaf(4, plain({b"a": b"", b"n": b""})),
                leaf(5, plain({b"m": b""})),
            ],
            "belongs into the page after it",
            id="a key beyond what the page two above gives",
        ),
        pytest.param([branch(2, [(b"b", 3), (b"a", 3)])], "do not ascend", id="branch order"),
        pytest.param([leaf(2, [(b"b", b"", 0), (b"a", b"", 0)])], "do not ascend", id="order"),
        pytest.param([leaf(2, [(b"a", b"", 0), (b"a", b"", 0)])], "do not ascend", id="equal"),
    ],
)
def test_a_tree_that_cannot_be_stops_with_its_reason(pages: list[bytes], reason: str) -> None:
    assert reason in failure(database(*pages)).reason


def test_a_page_within_the_overflow_of_one_above_it_lies_on_its_own_path() -> None:
    wide = branch(2, [(b"a", 3), (b"b" * 5000, 3)])
    assert len(wide) == 2 * 4096
    error = failure(database(wide[:4096] + leaf(3, plain({b"a": b""}))))
    assert (error.page, error.reason) == (3, "it lies on its own path: page 2 is above")


def test_a_path_ends_at_the_depth_limit() -> None:
    chain = [branch(each, [(b"a", each + 1)]) for each in range(2, 100)]
    assert failure(database(*chain, leaf(100, plain({b"a": b""})))).reason == "64 pages deep"


def test_buckets_in_one_another_end_at_the_depth_limit() -> None:
    value = inline({})
    for _ in range(80):
        value = struct.pack("<QQ", 0, 0) + leaf(0, [(b"b", value, 1)], page_bytes=1)
        value = value[:28] + bytes(4) + value[32:]
    data = database(leaf(2, [(b"b", value, 1)]))

    def descend(bucket: Bucket) -> None:
        inner: Bucket | None = bucket
        while inner is not None:
            inner = inner.bucket(b"b")

    assert failure(data, descend).reason == "buckets nested 64 deep"


def test_a_bucket_that_has_its_parents_page_as_its_root_is_a_circle() -> None:
    data = database(leaf(2, [(b"b", nested(2), 1)]))
    assert "its own path" in failure(data, lambda root: root.bucket(b"b")).reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "shorter than its head"),
        (bytes(15), "shorter than its head"),
        (bytes(16), "shorter than a page header"),
        (bytes(31), "shorter than a page header"),
        (bytes(32), "expected an inline leaf"),
        (bytes(16) + struct.pack("<QHHI", 7, 2, 0, 0), "found id 7"),
        (bytes(16) + struct.pack("<QHHI", 0, 1, 0, 0), "flags 0x1"),
        (bytes(16) + struct.pack("<QHHI", 0, 2, 0, 1), "overflow 1"),
        (bytes(16) + struct.pack("<QHHI", 0, 2, 1, 0), "1 elements do not fit"),
        (nested(9), "expected a page from 2"),
    ],
)
def test_a_bucket_value_that_cannot_be_is_named_with_its_place(value: bytes, reason: str) -> None:
    data = database(leaf(2, [(b"b", value, 1)]))
    error = failure(data, lambda root: root.bucket(b"b"))
    assert reason in error.reason


@pytest.mark.parametrize("count", [256, 1000, 0xFFFF])
def test_more_elements_than_the_page_can_hold_are_not_looked_for(count: int) -> None:
    data = bytearray(database(leaf(2, plain({b"a": b"1"}))))
    struct.pack_into("<H", data, 8192 + 10, count)
    error = failure(bytes(data))
    assert (error.offset, error.reason) == (
        8192 + 10,
        f"{count} elements do not fit into the page",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [(4, 0), (4, 15), (4, 4096 - 16), (4, 0xFFFFFFFF), (8, 4096), (8, 0xFFFFFFFF), (12, 4096)],
)
def test_an_element_that_points_outside_its_page_is_named(field: int, value: int) -> None:
    data = bytearray(database(leaf(2, plain({b"a": b"1"}))))
    struct.pack_into("<I", data, 8192 + 16 + field, value)
    error = failure(bytes(data))
    assert (error.page, error.offset) == (2, 8192 + 16)
    assert error.reason.startswith("element 0 points outside the page or into another: ")


def test_elements_that_share_their_bytes_are_named_before_they_add_up() -> None:
    # Each key has half of the page: taken out one by one they would be 200 pages.
    count, page_bytes, size = 400, 4096, 1 << 16
    body = b"".join(
        struct.pack("<IIII", 0, 16 * (count - each) + each, size // 2, 0) for each in range(count)
    )
    image = struct.pack("<QHHI", 2, 2, count, size // page_bytes - 1) + body
    error = failure(database(image.ljust(size, b"\0")))
    assert error.offset == 8192 + 32
    assert "element 1 points outside the page or into another" in error.reason


def keys_or_reason(data: bytes) -> list[bytes] | PageError:
    try:
        with opened(data) as bucket:
            return [each.key for each in bucket.items()]
    except PageError as error:
        return error


def test_every_flip_in_a_small_tree_gives_a_reason_or_ordered_keys() -> None:
    data = tall({b"k%d" % each: b"v%d" % each for each in range(9)}, fanout=3)
    reasons = 0
    for page in range(2, len(data) // 4096):
        for offset in range(page * 4096, page * 4096 + 120):
            outcome = keys_or_reason(flipped(data, offset))
            if isinstance(outcome, PageError):
                reasons += 1
                assert outcome.reason
                # The damage is in this page, or it leads out of it.
                assert str(page) in outcome.message or outcome.page != page
            else:
                assert outcome == sorted(set(outcome))
    # Headers, positions and sizes are caught; keys that stay in order, and values, cannot be.
    assert reasons > 200
