"""Every page that a database uses, read once: does the tree hold from its root to its rows?

Structure only: page ids, flags, counts, positions, the order of keys, nested buckets. What rows
mean is not looked at, nor pages that nothing reaches (the free list comes with the writer).
"""

from collections.abc import Iterator
from pathlib import Path

from walctl.backend import tree
from walctl.backend.pages import PageError, Pages
from walctl.fs.base import FileSystem


def check_tree(disk: FileSystem, path: Path) -> Iterator[tuple[str, PageError]]:
    """Yield the name of each bucket that does not read to its end, and where it stops.

    The name is empty for the root, escaped where it is not UTF-8. Memory does not follow the file.
    Raises: AccessError; PageError when the database cannot be opened at all.
    """
    with disk.open(path) as file:
        root = tree.root(Pages(file))
        try:
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
