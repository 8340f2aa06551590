"""A whole new bbolt file from buckets, page by page in file order; never a file in place.

    page 0, 1    the metas, transaction t in page t mod 2 and t - 1 in the other, both of the same
                 root: whatever happens to one of them, the other gives the same rows
    page 2 ...   of each bucket its leaves, then its branches level by level, its root last; a
                 nested bucket's pages come before the leaf that holds its value; the root bucket
                 comes last of all

bbolt's own rules hold: keys ascend, a branch's key is the smallest key of its child, a bucket of
one leaf without buckets in it that takes no more than a quarter of a page lies inline, a page that
is too small gets overflow pages. Ours, where bbolt leaves the choice: pages are filled to 90 %
(etcd's own wish for its keys, which are appended), a leaf may hold a single row, and the free list
is not stored, as etcd runs: bbolt finds the free pages by walking the tree when it opens the file.

The metas come first and name what comes last, so the input is read twice: once to count pages,
once to write them. Memory follows the number of pages (the first key of each), not the rows.

Source: etcd-data-dir notes 8.1 and 11.5; read back by etcd 3.5.1 and its etcdutl.
"""

import struct
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, NoReturn, TypeAlias, Union

from formats.bbolt import (
    BUCKET_HEADER,
    ELEMENT_BYTES,
    FREELIST_NOT_STORED,
    MAGIC,
    META,
    PAGE_HEADER,
    PAGES_FIRST,
    VERSION,
    BucketHeader,
    LeafFlag,
    Meta,
    PageFlag,
    PageHeader,
    meta_checksum,
)
from formats.limits import DB_DEPTH_MAX, DB_OVERFLOW_BYTES_MAX
from walctl.errors import AccessError, RefusedError
from walctl.fs.blocks import gathered

KEY_BYTES_MAX: Final = 32768
"""bbolt's longest key."""
FILL_PERCENT: Final = 90
"""How full a page gets before the next one is begun."""
_CHILDREN_MIN = 2
"""A branch page with a single child would be a level for nothing, and bbolt has none."""
_LEAF_ELEMENT = struct.Struct("<IIII")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_HEADER_BYTES = PAGE_HEADER.size_bytes

Items: TypeAlias = Iterator[tuple[bytes, Union[bytes, "Contents"]]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bucket is to hold.

    `items` gives its keys in ascending order, from the first one each time it is called: a value,
    or the contents of a nested bucket.
    """

    items: Callable[[], Items]
    sequence: int = 0


class _Row(NamedTuple):
    """One element of a leaf to be."""

    flags: int
    key: bytes
    value: bytes


class _Child(NamedTuple):
    """One element of a branch to be."""

    key: bytes
    page: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """A bucket whose pages are all out: its root page, or the rows that it may hold inline."""

    page: int | None
    rows: Sequence[_Row]
    depth: int


def written(root: Contents, *, page_bytes: int, txid: int) -> Iterator[bytes]:
    """The bytes of a database that holds `root`, of transaction `txid`, in blocks.

    The same input gives the same bytes. Raises: RefusedError, for what bbolt could not hold (a key
    that is empty or too long, keys that do not ascend, buckets nested too deeply, a page of more
    than a GiB); AccessError, when the second reading of the input did not give what the first did.
    """
    counted = _Pass(page_bytes, is_counting=True)
    top = _last(counted.pages_of(root))
    final = Meta(
        magic=MAGIC,
        version=VERSION,
        page_size=page_bytes,
        flags=0,
        root=top,
        sequence=root.sequence,
        freelist=FREELIST_NOT_STORED,
        high_water=counted.next_page,
        txid=max(txid, 1),
        checksum=0,
    )
    yield from gathered(_file(root, final))


def _file(root: Contents, final: Meta) -> Iterator[bytes]:
    """The second pass: the metas, then every page."""
    for page in range(PAGES_FIRST):
        yield _meta_page(page, final)
    writing = _Pass(final.page_size, is_counting=False)
    top = yield from writing.pages_of(root)
    if (top, writing.next_page) != (final.root, final.high_water):
        raise AccessError("what a database is made from changed while it was written")


def _last(pages: Generator[bytes, None, int]) -> int:
    """Run through `pages` for what it returns."""
    while True:
        try:
            next(pages)
        except StopIteration as end:
            return int(end.value)


class _Pass:
    """One walk through the input; where it only counts, its pages have no bytes."""

    def __init__(self, page_bytes: int, *, is_counting: bool) -> None:
        self.next_page = PAGES_FIRST
        self._page_bytes = page_bytes
        self._full_bytes = page_bytes * FILL_PERCENT // 100
        self._is_counting = is_counting

    def pages_of(self, root: Contents) -> Generator[bytes, None, int]:
        """Every page behind the metas; returns the root bucket's."""
        ended = yield from self._bucket(root, inline_bytes_max=0, level=1)
        if ended.page is None:  # an empty database has an empty leaf
            page, image = self._leaf(ended.rows)
            yield image
            return page
        return ended.page

    def _bucket(
        self, contents: Contents, *, inline_bytes_max: int, level: int
    ) -> Generator[bytes, None, _Ended]:
        """The pages of a bucket `level` deep; none, if its rows fit into `inline_bytes_max`."""
        if level > DB_DEPTH_MAX:
            raise RefusedError(f"buckets nested more than {DB_DEPTH_MAX} deep")
        leaves: list[_Child] = []
        rows: list[_Row] = []
        filled = _HEADER_BYTES
        depth = 0
        last = b""
        for key, value in contents.items():
            if key <= last or len(key) > KEY_BYTES_MAX:
                _refuse_key(key, last)
            last = key
            flags = 0
            if isinstance(value, Contents):
                nested = yield from self._nested(value, level + 1)
                value, flags, depth = nested.value, LeafFlag.BUCKET, max(depth, nested.depth)
            size = ELEMENT_BYTES + len(key) + len(value)
            if rows and filled + size > self._full_bytes:
                page, image = self._leaf(rows)
                yield image
                leaves.append(_Child(rows[0].key, page))
                rows, filled = [], _HEADER_BYTES
            rows.append(_Row(flags, key, value))
            filled += size
        if not leaves and (not rows or (not depth and filled <= inline_bytes_max)):
            return _Ended(None, rows, 1)
        page, image = self._leaf(rows)
        yield image
        leaves.append(_Child(rows[0].key, page))
        top, levels = yield from self._branches(leaves)
        if depth + levels > DB_DEPTH_MAX:
            raise RefusedError(f"more than {DB_DEPTH_MAX} pages on the way to a row")
        return _Ended(top, (), depth + levels)

    def _nested(self, contents: Contents, level: int) -> Generator[bytes, None, "_Nested"]:
        """The pages of a nested bucket; returns its value."""
        # bbolt allows a quarter of a page for the page image; its bucket header comes on top.
        ended = yield from self._bucket(
            contents, inline_bytes_max=self._page_bytes // 4, level=level
        )
        header = BUCKET_HEADER.build(BucketHeader(root=ended.page or 0, sequence=contents.sequence))
        if ended.page is None:
            header += _page(0, PageFlag.LEAF, len(ended.rows), _leaf_body(ended.rows), overflow=0)
        return _Nested(header, ended.depth)

    def _branches(self, children: list[_Child]) -> Generator[bytes, None, tuple[int, int]]:
        """The pages above `children`; returns the topmost page, and the number of levels."""
        levels = 1
        while len(children) > 1:
            above = []
            for group in self._groups(children):
                page, image = self._allocated(
                    PageFlag.BRANCH,
                    len(group),
                    sum(ELEMENT_BYTES + len(each.key) for each in group),
                    partial(_branch_body, group),
                )
                yield image
                above.append(_Child(group[0].key, page))
            children = above
            levels += 1
        return children[0].page, levels

    def _groups(self, children: Sequence[_Child]) -> Iterator[list[_Child]]:
        """The children of each branch page, in order."""
        group: list[_Child] = []
        filled = _HEADER_BYTES
        for position, child in enumerate(children):
            size = ELEMENT_BYTES + len(child.key)
            is_full = len(group) >= _CHILDREN_MIN and filled + size > self._full_bytes
            # The last page must get as many; rather is the one before it too full by one.
            if is_full and len(children) - position >= _CHILDREN_MIN:
                yield group
                group, filled = [], _HEADER_BYTES
            group.append(child)
            filled += size
        yield group

    def _leaf(self, rows: Sequence[_Row]) -> tuple[int, bytes]:
        body_bytes = sum(ELEMENT_BYTES + len(each.key) + len(each.value) for each in rows)
        return self._allocated(PageFlag.LEAF, len(rows), body_bytes, partial(_leaf_body, rows))

    def _allocated(
        self, flag: PageFlag, count: int, body_bytes: int, body: Callable[[], bytes]
    ) -> tuple[int, bytes]:
        """The next page with as much overflow as it needs; its id, and its bytes."""
        page = self.next_page
        pages = -(-(_HEADER_BYTES + body_bytes) // self._page_bytes)
        if pages * self._page_bytes > DB_OVERFLOW_BYTES_MAX:
            raise RefusedError(
                f"a page of {body_bytes} bytes; more than {DB_OVERFLOW_BYTES_MAX} are not written"
            )
        self.next_page += pages
        if self._is_counting:
            return page, b""
        image = _page(page, flag, count, body(), overflow=pages - 1)
        return page, image.ljust(pages * self._page_bytes, b"\0")


class _Nested(NamedTuple):
    """The value that a nested bucket has in its parent, and how deep its pages go."""

    value: bytes
    depth: int


def _refuse_key(key: bytes, last: bytes) -> NoReturn:
    """Raises: RefusedError, for a key that bbolt does not take."""
    if not 0 < len(key) <= KEY_BYTES_MAX:
        raise RefusedError(f"a key of {len(key)} bytes; bbolt takes 1 to {KEY_BYTES_MAX}")
    raise RefusedError(f"keys do not ascend: {key[:32]!r} after {last[:32]!r}")


def _page(page: int, flag: PageFlag, count: int, body: bytes, *, overflow: int) -> bytes:
    header = PageHeader(id=page, flags=flag, element_count=count, overflow=overflow)
    return PAGE_HEADER.build(header) + body


def _leaf_body(rows: Sequence[_Row]) -> bytes:
    """Elements, then keys and values one behind the other."""
    elements, data = [], []
    pos = ELEMENT_BYTES * len(rows)
    for flags, key, value in rows:
        elements.append(_LEAF_ELEMENT.pack(flags, pos, len(key), len(value)))
        data.append(key)
        data.append(value)
        # A position counts from its own element, and the next element is that much nearer.
        pos += len(key) + len(value) - ELEMENT_BYTES
    return b"".join(elements + data)


def _branch_body(children: Sequence[_Child]) -> bytes:
    """Elements, then keys."""
    elements = []
    pos = ELEMENT_BYTES * len(children)
    for key, page in children:
        elements.append(_BRANCH_ELEMENT.pack(pos, len(key), page))
        pos += len(key) - ELEMENT_BYTES
    return b"".join(elements) + b"".join(each.key for each in children)


def _meta_page(page: int, final: Meta) -> bytes:
    """Page 0 or 1: the meta of the transaction that bbolt would have written there."""
    txid = final.txid if final.txid % PAGES_FIRST == page else final.txid - 1
    unsigned = META.build(final._replace(txid=txid))
    body = META.build(final._replace(txid=txid, checksum=meta_checksum(unsigned)))
    return _page(page, PageFlag.META, 0, body, overflow=0).ljust(final.page_size, b"\0")
