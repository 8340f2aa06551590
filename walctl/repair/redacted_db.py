"""A database page by page, each where it was, with nothing of its users in it: what holds the tree
together stays, so whatever is wrong with the tree is still wrong at the same byte.

    kept        both metas; of every page that the newest meta's tree reaches its header, elements
                and keys; all rows of meta, cluster, members, members_removed, alarm and lease
    hidden      keys and values in the rows of the key space (revisions stay); the values of users
                and roles; with `all` also those rows themselves, and the names in members
    left out    pages that the tree does not reach (free ones hold old rows), whatever lies behind a
                page's rows, buckets that etcd does not have

Two passes: the first walks the tree and notes of each page what it is, a byte a page; the second
goes through the file in order. Memory does not follow the rows.
"""

import enum
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

from formats.bbolt import (
    BRANCH_ELEMENT,
    BUCKET_HEADER,
    ELEMENT_BYTES,
    FREELIST_NOT_STORED,
    LEAF_ELEMENT,
    META,
    PAGE_HEADER,
    PAGES_FIRST,
    PageFlag,
)
from formats.limits import DB_OVERFLOW_BYTES_MAX
from walctl.backend import schema, tree
from walctl.backend.pages import Image, PageError, Pages, read_metas
from walctl.backend.schema import TRAILER_BYTES, is_saved_snapshot, trailer_fits
from walctl.errors import UnsupportedError
from walctl.fs.base import File
from walctl.payload.base import Redaction
from walctl.repair.hiding import blotted, hidden_key_value, masked_names

PAGES_MAX = 1 << 28
"""A tebibyte of pages of 4 KiB."""
BUCKETS_MAX = 1000
_REVISION_BYTES = (17, 18)
_REVISION_MARK = b"_"
_META_BYTES: Final = PAGE_HEADER.size_bytes + META.size_bytes
_HEADER_BYTES: Final = PAGE_HEADER.size_bytes


class _Kind(enum.IntEnum):
    """What is kept of a page."""

    NOTHING = 0
    HEADER = 1
    META = 2
    ROOT = 3
    WHOLE = 4
    ROWS = 5
    """Rows of the key space."""
    VALUES = 6
    """Rows whose values are hidden."""
    NAMES = 7
    """Rows whose values are JSON with names in it."""
    EMPTY = 8
    """The root of a bucket that is given no rows."""
    FREELIST = 9
    INNER = 10
    """Overflow of the page in front."""


def _kind_of(name: bytes, redaction: Redaction) -> _Kind:
    """What is kept of the rows of a bucket."""
    hides_names = redaction is Redaction.ALL
    match name:
        case schema.META | schema.CLUSTER | schema.MEMBERS_REMOVED | schema.AUTH:
            return _Kind.WHOLE
        case schema.LEASE | schema.ALARM:
            return _Kind.WHOLE
        case schema.MEMBERS:
            return _Kind.NAMES if hides_names else _Kind.WHOLE
        case schema.KEY:
            return _Kind.ROWS
        case schema.AUTH_USERS | schema.AUTH_ROLES:
            return _Kind.EMPTY if hides_names else _Kind.VALUES
        case _:
            return _Kind.EMPTY


def redacted_database(file: File, redaction: Redaction) -> Iterator[bytes]:
    """The file's bytes in blocks, hidden; as many as it has.

    Raises: AccessError; UnsupportedError, when it has more pages than are looked at.
    """
    size = file.stat().size
    blocks = _pages(file, size, redaction)
    if not is_saved_snapshot(size):
        yield from blocks
        return
    is_good = trailer_fits(file, size)
    now = sha256()
    left = size - TRAILER_BYTES
    for block in blocks:
        part = block[: max(left, 0)]
        now.update(part)
        left -= len(block)
        if part:
            yield part
    yield now.digest() if is_good else b"w" * TRAILER_BYTES


def _pages(file: File, size: int, redaction: Redaction) -> Iterator[bytes]:
    metas = read_metas(file)
    page_bytes = metas.page_bytes
    count = size // page_bytes
    if count > PAGES_MAX:
        raise UnsupportedError(f"{file.path}: {count:,} pages are more than {PAGES_MAX:,}")
    kinds = bytearray(count)
    kinds[:PAGES_FIRST] = bytes([_Kind.META]) * min(count, PAGES_FIRST)
    _mark(file, kinds, redaction)
    page = 0
    zeros = bytes(page_bytes)
    while page < count:
        kind = _Kind(kinds[page])
        if kind in (_Kind.NOTHING, _Kind.INNER):
            yield zeros
            page += 1
            continue
        span = 1
        while kind is not _Kind.META and page + span < count and kinds[page + span] == _Kind.INNER:
            span += 1
        data = file.read_at(page * page_bytes, span * page_bytes)
        yield _image(data, kind, redaction).ljust(span * page_bytes, b"\0")
        page += span
    if size % page_bytes:
        yield blotted(file.read_at(count * page_bytes, size % page_bytes))


class _Marking(Pages):
    """Pages that note what each one that is read is kept for."""

    def __init__(self, file: File, kinds: bytearray) -> None:
        super().__init__(file)
        self.kind = _Kind.ROOT
        self._kinds = kinds

    def read(self, page: int) -> Image:
        """As `Pages.read`."""
        try:
            image = super().read(page)
        except PageError:
            if PAGES_FIRST <= page < len(self._kinds) and self._kinds[page] == _Kind.NOTHING:
                self._kinds[page] = _Kind.HEADER
            raise
        inside = range(image.span.start + 1, min(image.span.stop, len(self._kinds)))
        if page < len(self._kinds) and self._kinds[page] in (_Kind.NOTHING, self.kind):
            self._kinds[page] = self.kind
            for each in inside:
                if self._kinds[each] == _Kind.NOTHING:
                    self._kinds[each] = _Kind.INNER
        return image


def _mark(file: File, kinds: bytearray, redaction: Redaction) -> None:
    """Walk the tree as the checks do; damage ends a bucket, and what lies behind stays unseen."""
    try:
        pages = _Marking(file, kinds)
        _mark_freelist(file, pages, kinds)
        root = tree.root(pages)
        items = list(islice(root.items(), BUCKETS_MAX))
    except PageError:
        items = []
    for item in items:
        if not item.is_bucket:
            continue
        pages.kind = _kind_of(item.key, redaction)
        try:
            bucket = root.open(item)
        except PageError:
            continue
        if pages.kind is _Kind.EMPTY:
            continue
        for walk in (bucket.items, lambda bucket=bucket: [bucket.last()]):
            try:
                for _ in walk():
                    pass
            except PageError:
                continue


def _mark_freelist(file: File, pages: _Marking, kinds: bytearray) -> None:
    page = pages.meta.freelist
    if page == FREELIST_NOT_STORED or not PAGES_FIRST <= page < len(kinds):
        return
    head = file.read_at(page * pages.page_bytes, _HEADER_BYTES)
    header = PAGE_HEADER.parse(head)
    is_sized = header.overflow * pages.page_bytes <= DB_OVERFLOW_BYTES_MAX
    if header.id == page and header.flags == PageFlag.FREELIST and is_sized:
        kinds[page] = _Kind.FREELIST
        stop = min(page + 1 + header.overflow, len(kinds))
        kinds[page + 1 : stop] = bytes([_Kind.INNER]) * (stop - page - 1)


def _image(data: bytes, kind: _Kind, redaction: Redaction) -> bytes:
    """One page with its overflow, or the page inside an inline bucket."""
    if kind is _Kind.META:
        return data[:_META_BYTES]
    if kind is _Kind.HEADER or len(data) < _HEADER_BYTES:
        return data[:_HEADER_BYTES]
    header = PAGE_HEADER.parse(data)
    if kind is _Kind.FREELIST:
        count = header.element_count
        if count == 0xFFFF:
            count = int.from_bytes(data[_HEADER_BYTES : _HEADER_BYTES + 8], "little") + 1
        return data[: _HEADER_BYTES + 8 * count]
    if kind is _Kind.EMPTY:
        empty = header._replace(flags=int(PageFlag.LEAF), element_count=0)
        return PAGE_HEADER.build(empty)
    out = bytearray(len(data))
    out[:_HEADER_BYTES] = data[:_HEADER_BYTES]
    is_leaf = header.flags == PageFlag.LEAF
    free = _HEADER_BYTES + header.element_count * ELEMENT_BYTES
    if free > len(data):
        return bytes(out)
    for position in range(header.element_count):
        start = _HEADER_BYTES + position * ELEMENT_BYTES
        out[start : start + ELEMENT_BYTES] = data[start : start + ELEMENT_BYTES]
        flags = value_bytes = 0
        if is_leaf:
            flags, pos, key_bytes, value_bytes = LEAF_ELEMENT.parse(data, start)
        else:
            pos, key_bytes, _ = BRANCH_ELEMENT.parse(data, start)
        key_start = start + pos
        key_stop, stop = key_start + key_bytes, key_start + key_bytes + value_bytes
        if key_start < free or stop > len(data):
            break  # the walk ends here too, with the same words
        free = stop
        key = data[key_start:key_stop]
        out[key_start:key_stop] = _key(key, kind)
        value = _value(key, data[key_stop:stop], kind, redaction, is_bucket=flags != 0)
        out[key_stop:stop] = value.ljust(value_bytes, b"\0")
    return bytes(out)


def _key(key: bytes, kind: _Kind) -> bytes:
    is_revision = len(key) in _REVISION_BYTES and key[8:9] == _REVISION_MARK
    return blotted(key) if kind is _Kind.ROWS and not is_revision else key


def _value(
    key: bytes, value: bytes, kind: _Kind, redaction: Redaction, *, is_bucket: bool
) -> bytes:
    """A row's value; never longer than it was."""
    if kind is _Kind.ROOT:
        head = value[: BUCKET_HEADER.size_bytes]
        if not is_bucket or len(head) < BUCKET_HEADER.size_bytes or BUCKET_HEADER.parse(head).root:
            return head if is_bucket else blotted(value)
        inner = value[BUCKET_HEADER.size_bytes :]
        return head + _image(inner, _kind_of(key, redaction), redaction)
    match kind:
        case _Kind.ROWS:
            return hidden_key_value(value, redaction)
        case _Kind.VALUES:
            return b"x" * len(value)
        case _Kind.NAMES:
            return masked_names(value)
        case _:
            return value
