"""Buckets of a bbolt file: nested, inline and ordinary; lookup and ordered iteration.

A bucket is a B+tree of pages; a small one lies inline, as a page image in its own value. Nothing
of etcd is known here. Iteration holds one path from the root to a leaf, never the file.

What keeps hostile bytes from leading in circles: a page may not lie on its own path, a path has
`DB_DEPTH_MAX` pages at most, and every key of a page lies within the range that its parent gives
it. Ranges of siblings do not overlap, so a page with keys is read once a walk at most.

Every defect raises `PageError`.
"""

import bisect
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from formats.bbolt import (
    BRANCH_ELEMENT,
    BUCKET_HEADER,
    ELEMENT_BYTES,
    LEAF_ELEMENT,
    PAGE_HEADER,
    BranchElement,
    LeafElement,
    LeafFlag,
    PageFlag,
)
from formats.limits import DB_DEPTH_MAX
from walctl.backend.pages import Image, Pages

_BUCKET = int(LeafFlag.BUCKET)
"""A plain number: `&` with a member of an enum makes one for every row, a fifth of the reading."""


class Item(NamedTuple):
    """One key of a bucket. A nested bucket's `value` is its header (and image): see `bucket`.

    `page` is where it lies, `offset` the byte of the file that its value begins at.
    """

    key: bytes
    value: bytes
    is_bucket: bool
    page: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A checked page: its keys ascend, lie within the image and within [low, high)."""

    image: Image
    keys: list[bytes]
    leaves: Sequence[LeafElement]
    branches: Sequence[BranchElement]
    high: bytes | None

    @property
    def is_leaf(self) -> bool:
        return self.image.header.flags == PageFlag.LEAF

    def item(self, position: int) -> Item:
        """The item at `position` of a leaf."""
        element = self.leaves[position]
        start = _element_start(position) + element.pos + element.key_bytes
        return Item(
            self.keys[position],
            self.image.data[start : start + element.value_bytes],
            element.flags & _BUCKET != 0,
            self.image.page,
            self.image.offset + start,
        )

    def child_position(self, key: bytes) -> int:
        """Position of the branch element whose page `key` belongs into."""
        return max(bisect.bisect_right(self.keys, key) - 1, 0)


class Bucket:
    """One bucket; made by `root` and `Bucket.bucket`. Its root page is read once, and kept."""

    def __init__(self, pages: Pages, top: _Node, above: tuple[range, ...]) -> None:
        self._pages = pages
        self._top = top
        self._above = above

    @property
    def is_inline(self) -> bool:
        """Whether it lies within its parent's page."""
        return not self._top.image.span

    def find(self, key: bytes) -> Item | None:
        """The item with exactly this key, a bucket's too.

        Raises: PageError, AccessError.
        """
        path = [self._top]
        while not path[-1].is_leaf:
            path.append(self._child(path, path[-1].child_position(key)))
        leaf = path[-1]
        position = bisect.bisect_left(leaf.keys, key)
        if position < len(leaf.keys) and leaf.keys[position] == key:
            return leaf.item(position)
        return None

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`; `None` when it is absent, or a bucket's name.

        Raises: PageError, AccessError.
        """
        item = self.find(key)
        return None if item is None or item.is_bucket else item.value

    def bucket(self, name: bytes) -> "Bucket | None":
        """The nested bucket `name`; `None` when it is absent, or a plain key.

        Raises: PageError, AccessError.
        """
        item = self.find(name)
        return None if item is None or not item.is_bucket else self.open(item)

    def items(self, start: bytes | None = None) -> Iterator[Item]:
        """Every item in ascending order of keys, from the first with a key >= `start` on.

        Raises: PageError, AccessError, when it gets to the damage.
        """
        return self._walk(start, is_descending=False)

    def last(self) -> Item | None:
        """The item with the greatest key; `None` when the bucket is empty.

        Raises: PageError, AccessError.
        """
        return next(self._walk(None, is_descending=True), None)

    def open(self, item: Item) -> "Bucket":
        """The nested bucket of `item`, which `find` or `items` of this bucket gave.

        Raises: PageError, AccessError.
        """
        if len(item.value) < BUCKET_HEADER.size_bytes:
            self._pages.fail(item.page, item.offset, "a bucket's value is shorter than its head")
        header = BUCKET_HEADER.parse(item.value)
        above = (*self._above, self._top.image.span)
        if len(above) >= DB_DEPTH_MAX:
            self._pages.fail(item.page, item.offset, f"buckets nested {DB_DEPTH_MAX} deep")
        if header.root == 0:
            image = _inline_image(self._pages, item)
        else:
            image = _read_below(self._pages, header.root, above)
        return Bucket(self._pages, _node(self._pages, image, low=None, high=None), above)

    def _walk(self, start: bytes | None, *, is_descending: bool) -> Iterator[Item]:
        """Items in either order, with one path of nodes in memory."""
        path = [self._top]
        waiting = [_positions(self._top, start, is_descending=is_descending)]
        while path:
            node = path[-1]
            if node.is_leaf:
                yield from map(node.item, waiting.pop())
                path.pop()
                continue
            position = next(waiting[-1], None)
            if position is None:
                waiting.pop()
                path.pop()
                continue
            child = self._child(path, position)
            path.append(child)
            waiting.append(_positions(child, start, is_descending=is_descending))

    def _child(self, path: Sequence[_Node], position: int) -> _Node:
        """The page below the last of `path`, at `position` of its elements."""
        parent = path[-1]
        above = (*self._above, *(node.image.span for node in path))
        if len(above) >= DB_DEPTH_MAX:
            self._pages.fail(parent.image.page, parent.image.offset, f"{DB_DEPTH_MAX} pages deep")
        image = _read_below(self._pages, parent.branches[position].child, above)
        final = position + 1 == len(parent.keys)
        return _node(
            self._pages,
            image,
            low=parent.keys[position],
            high=parent.high if final else parent.keys[position + 1],
        )


def root(pages: Pages) -> Bucket:
    """The bucket that holds all others.

    Raises: PageError, AccessError.
    """
    image = pages.read(pages.meta.root)
    return Bucket(pages, _node(pages, image, low=None, high=None), ())


def _positions(node: _Node, start: bytes | None, *, is_descending: bool) -> Iterator[int]:
    """Positions of the elements of `node` to visit, those wholly before `start` left out."""
    if is_descending:
        return iter(range(len(node.keys) - 1, -1, -1))
    first = 0
    if start is not None:
        is_leaf = node.is_leaf
        first = bisect.bisect_left(node.keys, start) if is_leaf else node.child_position(start)
    return iter(range(first, len(node.keys)))


def _read_below(pages: Pages, page: int, above: tuple[range, ...]) -> Image:
    """Read `page`, which must not overlap one of those `above` it."""
    image = pages.read(page)
    for span in above:
        if span and image.span.start < span.stop and span.start < image.span.stop:
            pages.fail(page, image.offset, f"it lies on its own path: page {span.start} is above")
    return image


def _inline_image(pages: Pages, item: Item) -> Image:
    """The page image in the value of an inline bucket; it takes no page, so its span is empty."""
    data = item.value[BUCKET_HEADER.size_bytes :]
    offset = item.offset + BUCKET_HEADER.size_bytes
    if len(data) < PAGE_HEADER.size_bytes:
        pages.fail(item.page, offset, "an inline bucket is shorter than a page header")
    header = PAGE_HEADER.parse(data)
    if header.id != 0 or header.flags != PageFlag.LEAF or header.overflow:
        pages.fail(
            item.page,
            offset,
            "expected an inline leaf with id 0 and no overflow, found"
            f" id {header.id}, flags {header.flags:#x}, overflow {header.overflow}",
        )
    return Image(page=item.page, span=range(0), offset=offset, header=header, data=data)


def _node(pages: Pages, image: Image, *, low: bytes | None, high: bytes | None) -> _Node:
    """Check the elements of a page; `None` for `low` and `high` is no bound.

    Raises: PageError.
    """
    count = image.header.element_count
    if _element_start(count) > len(image.data):
        pages.fail(image.page, image.offset + 10, f"{count} elements do not fit into the page")
    leaves: list[LeafElement] = []
    branches: list[BranchElement] = []
    start = PAGE_HEADER.size_bytes
    if image.header.flags == PageFlag.LEAF:
        leaves = list(LEAF_ELEMENT.parse_many(image.data, offset=start, count=count))
        sizes = [(each.pos, each.key_bytes, each.value_bytes) for each in leaves]
    else:
        branches = list(BRANCH_ELEMENT.parse_many(image.data, offset=start, count=count))
        sizes = [(each.pos, each.key_bytes, 0) for each in branches]
        if not count:
            pages.fail(image.page, image.offset + 10, "a branch page without elements")
    keys = _keys(pages, image, sizes)
    _check_order(pages, image, keys, low=low, high=high)
    return _Node(image=image, keys=keys, leaves=leaves, branches=branches, high=high)


def _keys(pages: Pages, image: Image, sizes: Sequence[tuple[int, int, int]]) -> list[bytes]:
    """The keys of a page, given position, key and value size of each element."""
    data = image.data
    data_bytes = len(data)
    start = PAGE_HEADER.size_bytes
    keys: list[bytes] = []
    # bbolt writes keys and values one behind the other. That they do not overlap also bounds what
    # all keys take together by the size of the page.
    free = _element_start(len(sizes))
    for pos, key_bytes, value_bytes in sizes:
        key_start = start + pos
        key_stop = key_start + key_bytes
        stop = key_stop + value_bytes
        if key_start < free or stop > data_bytes:
            pages.fail(
                image.page,
                image.offset + start,
                f"element {len(keys)} points outside the page or into another: {key_start} to"
                f" {stop}, expected within {free} to {data_bytes}",
            )
        keys.append(data[key_start:key_stop])
        free = stop
        start += ELEMENT_BYTES
    return keys


def _check_order(
    pages: Pages, image: Image, keys: Sequence[bytes], *, low: bytes | None, high: bytes | None
) -> None:
    if not keys:
        return
    if not all(map(operator.lt, keys, keys[1:])):
        position = next(at for at, (a, b) in enumerate(pairwise(keys)) if a >= b) + 1
        reason = f"keys do not ascend: element {position} is not above the one before"
    elif low is not None and keys[0] < low:
        position, reason = 0, "its first key is below the one that its parent gives it"
    elif high is not None and keys[-1] >= high:
        position, reason = len(keys) - 1, "its last key belongs into the page after it"
    else:
        return
    pages.fail(image.page, image.offset + _element_start(position), reason)


def _element_start(position: int) -> int:
    return PAGE_HEADER.size_bytes + position * ELEMENT_BYTES
