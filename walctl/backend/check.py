"""Every page that a database uses, read once: does the tree hold from its root to its rows?

Structure only: page ids, flags, counts, positions, the order of keys, nested buckets, that no page
is used twice, and that the free list, where the file has one, names no page that is used: the next
transaction would write over it. What rows mean is not looked at, nor what stands in pages that
nothing reaches. A page that is neither used nor free costs room and nothing else: no defect.
"""

import struct
from collections.abc import Iterator, Set
from itertools import islice
from pathlib import Path

from formats.bbolt import FREELIST_NOT_STORED, PAGE_HEADER, PAGES_FIRST, PageFlag, PageHeader
from formats.limits import DB_OVERFLOW_BYTES_MAX
from walctl.backend import tree
from walctl.backend.pages import Image, PageError, Pages, read_metas
from walctl.fs.base import File, FileSystem

ATTEMPTS_MAX = 3
"""Readings before a database that a server writes to is given up as one that moves."""
DEFECTS_MAX = 100
"""Buckets that are told; behind the last the check ends."""
FREE_LIST = "free list"
"""The name that `check_tree` gives what is no bucket."""
_COUNT_ELSEWHERE = 0xFFFF
"""An element count that says: the first id of the free list is their number."""
_ID = struct.Struct("<Q")


class OncePages(Pages):
    """Pages of which each may be read once: a tree that meets a page again is none, and following
    it could take for ever."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._seen: set[int] = set()

    @property
    def seen(self) -> Set[int]:
        """The ids of all pages that were read so far, overflow included."""
        return self._seen

    def read(self, page: int) -> Image:
        """As `Pages.read`; a page that was part of an earlier one raises PageError."""
        image = super().read(page)
        for each in image.span:
            if each in self._seen:
                self.fail(page, image.offset, f"page {each} is used twice")
            self._seen.add(each)
        return image

    def free_list(self) -> Image | None:
        """The page with the stored free list and its overflow; `None` where it is not stored.

        Raises: PageError, AccessError.
        """
        page = self.meta.freelist
        if page == FREELIST_NOT_STORED:
            return None
        offset = page * self.page_bytes
        if not PAGES_FIRST <= page < self.meta.high_water:
            self.fail(
                page,
                min(offset, self.metas.size),
                f"expected the free list from page {PAGES_FIRST} to {self.meta.high_water - 1}",
            )
        head = self._file.read_at(offset, PAGE_HEADER.size_bytes)
        if len(head) < PAGE_HEADER.size_bytes:
            self.fail(page, offset + len(head), "the file ends before the free list does")
        header = PAGE_HEADER.parse(head)
        if header.id != page or header.flags != PageFlag.FREELIST:
            self.fail(
                page,
                offset,
                f"expected the free list, found page {header.id} with flags {header.flags:#x}",
            )
        return self._whole_list(page, offset, header)

    def _whole_list(self, page: int, offset: int, header: PageHeader) -> Image:
        """The free list's bytes, its size checked before they are read."""
        span = range(page, page + header.overflow + 1)
        size = len(span) * self.page_bytes
        is_bounded = span.stop <= self.meta.high_water and size <= DB_OVERFLOW_BYTES_MAX
        data = self._file.read_at(offset, size) if is_bounded else b""
        if len(data) < size:
            self.fail(page, offset + 12, f"the free list takes {len(span)} pages, past the end")
        return Image(page=page, span=span, offset=offset, header=header, data=data)


def check_tree(disk: FileSystem, path: Path) -> list[tuple[str, PageError]] | None:
    """The name of each bucket that does not read to its end, and where it stops.

    The name is empty for the root, escaped where it is not UTF-8, `FREE_LIST` for the free list.
    `None` when the database changed during every attempt. Memory does not follow the rows, only the
    number of pages.
    Raises: AccessError; PageError when the database cannot be opened at all.
    """
    for _ in range(ATTEMPTS_MAX):
        with disk.open(path) as file:
            before = read_metas(file)
            found = list(islice(_check(OncePages(file)), DEFECTS_MAX))
            if read_metas(file).pages == before.pages:
                return found
    return None


def _check(pages: OncePages) -> Iterator[tuple[str, PageError]]:
    try:
        root = tree.root(pages)
        for item in root.items():
            if item.is_bucket:
                yield from _check_bucket(root, item)
    except PageError as error:
        yield "", error
    # Last, since by now it is known which pages are used.
    try:
        _check_free(pages)
    except PageError as error:
        yield FREE_LIST, error


def _check_bucket(parent: tree.Bucket, item: tree.Item) -> Iterator[tuple[str, PageError]]:
    name = item.key.decode("utf-8", "backslashreplace")
    try:
        bucket = parent.open(item)
        for row in bucket.items():
            if row.is_bucket:
                yield from _check_bucket(bucket, row)
    except PageError as error:
        yield name, error


def _check_free(pages: OncePages) -> None:
    """The free list against the pages that were read.

    Raises: PageError, at its first defect.
    """
    image = pages.free_list()
    if image is None:
        return
    used = pages.seen
    for each in image.span:
        if each in used:
            pages.fail(image.page, image.offset, f"page {each} of the free list is used by a tree")
    seen = set(image.span)
    for offset, each in _free_ids(pages, image):
        if not PAGES_FIRST <= each < pages.meta.high_water:
            reason = f"expected a page from {PAGES_FIRST} to {pages.meta.high_water - 1}"
            pages.fail(image.page, offset, f"page {each} is free: {reason}")
        if each in used:
            pages.fail(image.page, offset, f"page {each} is free and used")
        if each in seen:
            pages.fail(image.page, offset, f"page {each} is free twice, or holds the free list")
        seen.add(each)


def _free_ids(pages: Pages, image: Image) -> Iterator[tuple[int, int]]:
    """Each id of a free list, and the byte of the file that it stands at."""
    start, count = PAGE_HEADER.size_bytes, image.header.element_count
    if count == _COUNT_ELSEWHERE:
        (count,) = _ID.unpack_from(image.data, start)
        start += _ID.size
    if start + count * _ID.size > len(image.data):
        pages.fail(image.page, image.offset + 10, f"{count} free pages do not fit into the list")
    for position in range(start, start + count * _ID.size, _ID.size):
        yield image.offset + position, _ID.unpack_from(image.data, position)[0]
