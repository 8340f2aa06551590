"""Every page that a database uses, read once: does the tree hold from its root to its rows?

Structure only: page ids, flags, counts, positions, the order of keys, nested buckets, and that no
page is used twice. What rows mean is not looked at, nor pages that nothing reaches (the free list
comes with the writer).
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from walctl.backend import tree
from walctl.backend.pages import Image, PageError, Pages, read_metas
from walctl.fs.base import File, FileSystem

ATTEMPTS_MAX = 3
"""Readings before a database that a server writes to is given up as one that moves."""
DEFECTS_MAX = 100
"""Buckets that are told; behind the last the check ends."""


class _OncePages(Pages):
    """Pages of which each may be read once: a tree that meets a page again is none, and following
    it could take for ever."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._seen: set[int] = set()

    def read(self, page: int) -> Image:
        """As `Pages.read`; a page that was part of an earlier one raises PageError."""
        image = super().read(page)
        for each in image.span:
            if each in self._seen:
                self.fail(page, image.offset, f"page {each} is used twice")
            self._seen.add(each)
        return image


def check_tree(disk: FileSystem, path: Path) -> list[tuple[str, PageError]] | None:
    """The name of each bucket that does not read to its end, and where it stops.

    The name is empty for the root, escaped where it is not UTF-8. `None` when the database changed
    during every attempt. Memory does not follow the rows, only the number of pages.
    Raises: AccessError; PageError when the database cannot be opened at all.
    """
    for _ in range(ATTEMPTS_MAX):
        with disk.open(path) as file:
            before = read_metas(file)
            found = list(islice(_check(_OncePages(file)), DEFECTS_MAX))
            if read_metas(file).pages == before.pages:
                return found
    return None


def _check(pages: Pages) -> Iterator[tuple[str, PageError]]:
    try:
        root = tree.root(pages)
        for item in root.items():
            if item.is_bucket:
                yield from _check_bucket(root, item)
    except PageError as error:
        yield "", error


def _check_bucket(parent: tree.Bucket, item: tree.Item) -> Iterator[tuple[str, PageError]]:
    name = item.key.decode("utf-8", "backslashreplace")
    try:
        bucket = parent.open(item)
        for row in bucket.items():
            if row.is_bucket:
                yield from _check_bucket(bucket, row)
    except PageError as error:
        yield name, error
