"""A database as a whole new file, with rows of its buckets replaced; the source is only read.

Whatever the transaction that counts reaches is read and checked while it is copied: a defect ends
the work, so that no row is lost in silence. What nothing reaches (free pages, older transactions)
stays behind, and so does the SHA-256 at the end of a file of `snapshot save`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from formats.bbolt import BUCKET_HEADER
from walctl.backend import tree
from walctl.backend.check import OncePages
from walctl.backend.pages import Pages, read_metas
from walctl.backend.writer import Contents, Items, written
from walctl.errors import AccessError, RefusedError
from walctl.fs.base import File


class Edit(NamedTuple):
    """One row of a top-level bucket as it is to be; a `value` of `None` takes it out."""

    bucket: bytes
    key: bytes
    value: bytes | None


def rebuilt(
    file: File, *, cleared: Iterable[bytes] = (), rows: Iterable[Edit] = ()
) -> Iterator[bytes]:
    """The bytes of a new database with the buckets of `file`, in blocks; the same every time.

    A bucket in `cleared` loses everything that was in it, unread; then `rows` are put or taken
    out, of two for one key the later one, and buckets that they name are made where there are
    none. Page size, transaction and the buckets' sequences stay. The file is read twice; the
    caller owns it.

    Raises: PageError, when something in it does not read; AccessError, also when it was written to
    meanwhile; RefusedError, for rows that a bbolt file cannot have.
    """
    pages = Pages(file)
    before = pages.metas
    edits: dict[bytes, dict[bytes, bytes | None]] = {name: {} for name in cleared}
    is_cleared = frozenset(edits)
    for row in rows:
        edits.setdefault(row.bucket, {})[row.key] = row.value
    source = _Source(file, edits, is_cleared)
    yield from written(
        Contents(source.items, pages.meta.sequence),
        page_bytes=before.page_bytes,
        txid=pages.meta.txid,
    )
    if read_metas(file).pages != before.pages:
        raise AccessError(f"{file.path}: it changed while it was read: a server may be writing")


class _Source:
    """The buckets of a file with their edits, each time it is asked read anew."""

    def __init__(
        self,
        file: File,
        edits: Mapping[bytes, Mapping[bytes, bytes | None]],
        cleared: frozenset[bytes],
    ) -> None:
        self._file = file
        self._edits = edits
        self._cleared = cleared

    def items(self) -> Items:
        """The top-level buckets."""
        pages = OncePages(self._file)
        root = tree.root(pages)
        waiting = sorted(self._edits)
        for item in root.items():
            while waiting and waiting[0] < item.key:
                yield from self._new(waiting.pop(0))
            if not waiting or waiting[0] != item.key:
                yield item.key, _value(pages, root, item)
                continue
            del waiting[0]
            if not item.is_bucket:
                pages.fail(item.page, item.offset, f"expected a bucket {item.key!r}, found a value")
            yield item.key, self._edited(pages, root, item)
        for name in waiting:
            yield from self._new(name)

    def _new(self, name: bytes) -> Items:
        """A bucket that is not there; only rows to be put make it."""
        edits = self._edits[name]
        if any(value is not None for value in edits.values()):
            yield name, Contents(lambda: _merged(iter(()), edits))

    def _edited(self, pages: Pages, root: tree.Bucket, item: tree.Item) -> Contents:
        edits = self._edits[item.key]
        sequence = _sequence(pages, item)
        if item.key in self._cleared:
            return Contents(lambda: _merged(iter(()), edits), sequence)
        return Contents(lambda: _merged(_rows(pages, root.open(item)), edits), sequence)


def _value(pages: Pages, parent: tree.Bucket, item: tree.Item) -> bytes | Contents:
    """A value as it is, or what a nested bucket holds."""
    if not item.is_bucket:
        return item.value
    return Contents(lambda: _rows(pages, parent.open(item)), _sequence(pages, item))


def _rows(pages: Pages, bucket: tree.Bucket) -> Items:
    for item in bucket.items():
        yield item.key, _value(pages, bucket, item) if item.is_bucket else item.value


def _sequence(pages: Pages, item: tree.Item) -> int:
    """The sequence that a bucket's value begins with.

    Raises: PageError.
    """
    if len(item.value) < BUCKET_HEADER.size_bytes:
        pages.fail(item.page, item.offset, "a bucket's value is shorter than its head")
    return BUCKET_HEADER.parse(item.value).sequence


def _merged(rows: Items, edits: Mapping[bytes, bytes | None]) -> Items:
    """`rows` with `edits`, which win; those of `None` and the rows that they name are left out."""
    waiting = sorted(edits)
    waiting.reverse()
    for key, value in rows:
        while waiting and waiting[-1] < key:
            yield from _put(waiting.pop(), edits)
        if not waiting or waiting[-1] != key:
            yield key, value
            continue
        if isinstance(value, Contents):
            raise RefusedError(f"{key!r} is a bucket; a row cannot take its place")
        yield from _put(waiting.pop(), edits)
    while waiting:
        yield from _put(waiting.pop(), edits)


def _put(key: bytes, edits: Mapping[bytes, bytes | None]) -> Iterator[tuple[bytes, bytes]]:
    value = edits[key]
    if value is not None:
        yield key, value
