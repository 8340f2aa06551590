"""A bbolt file as pages: which meta counts, and one page with its overflow; nothing of etcd.

A database has two metas, in pages 0 and 1. Transaction t writes its meta over the older one after
everything that it points to is on the disk, so the valid meta with the higher txid is the state;
when that one is damaged, the other is, one transaction older, and bbolt says nothing about it.

Every defect raises `PageError`. Nothing is cached: a page is read when it is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from formats.bbolt import (
    CHECKSUM_OFFSET,
    MAGIC,
    META,
    PAGE_HEADER,
    PAGES_FIRST,
    VERSION,
    Meta,
    PageFlag,
    PageHeader,
    meta_checksum,
)
from formats.limits import DB_OVERFLOW_BYTES_MAX, DB_PAGE_BYTES_MAX
from walctl.errors import CorruptionError
from walctl.fs.base import File

PAGE_BYTES_MIN = 1024
PAGE_BYTES_USUAL = 4096
META_STOP = PAGE_HEADER.size_bytes + META.size_bytes
"""Bytes of a meta page that mean anything."""

TOO_SMALL = "file size too small"
INVALID = "invalid database"
WRONG_VERSION = "version mismatch"
WRONG_CHECKSUM = "checksum error"


class PageError(CorruptionError):
    """The database is damaged here: what has to be read cannot be.

    `page` is the page id, `offset` the byte of the file that does not fit, `reason` one line
    without the place (the message has both). `words` is what bbolt itself says on opening such a
    file, `None` where it has no words (it would panic, fault or notice nothing).
    """

    def __init__(
        self, path: Path, *, page: int, offset: int, reason: str, words: str | None = None
    ) -> None:
        super().__init__(f"{path}:{offset}: page {page}: {reason}")
        self.page = page
        self.offset = offset
        self.reason = reason
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaPage:
    """What one of the two meta pages says.

    `words` is why bbolt does not take it (`None`: it is valid), `detail` the evidence. `meta` and
    `header` are `None` where the file is too short to hold them.
    """

    page: int
    offset: int
    header: PageHeader | None
    meta: Meta | None
    words: str | None
    detail: str

    @property
    def is_valid(self) -> bool:
        """Whether bbolt would use it."""
        return self.words is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metas:
    """Both meta pages of a file, whatever their state; `page_bytes` is the size of all pages."""

    page_bytes: int
    size: int
    pages: tuple[MetaPage, MetaPage]

    @property
    def chosen(self) -> MetaPage | None:
        """The one that counts: valid, with the higher txid; page 0 at a tie. `None`: neither."""
        valid = [each for each in self.pages if each.is_valid and each.meta is not None]
        return max(valid, key=_txid, default=None)

    @property
    def txids(self) -> tuple[int | None, int | None]:
        """The txid of page 0 and of page 1; `None` for a page that is not valid."""
        first, second = (
            each.meta.txid if each.is_valid and each.meta is not None else None
            for each in self.pages
        )
        return first, second


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One page with its overflow, or the page image inside an inline bucket.

    `page` is the page that it begins in, `span` the ids of all its pages, `offset` where `data`
    begins in the file.
    """

    page: int
    span: range
    offset: int
    header: PageHeader
    data: bytes


class Pages:
    """The pages of an open database, as of the meta that counts. The caller owns `file`.

    Raises: PageError when neither meta is valid, or the file is shorter than two pages.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self.metas = read_metas(file)
        self.meta = _demand_meta(file.path, self.metas)

    @property
    def path(self) -> Path:
        """The file's path."""
        return self._file.path

    @property
    def page_bytes(self) -> int:
        """Size of a page."""
        return self.metas.page_bytes

    def read(self, page: int) -> Image:
        """A branch or leaf page with its overflow, its header checked.

        Raises: PageError, AccessError.
        """
        offset = page * self.page_bytes
        if not PAGES_FIRST <= page < self.meta.high_water:
            self.fail(
                page,
                min(offset, self.metas.size),
                f"expected a page from {PAGES_FIRST} to {self.meta.high_water - 1}"
                " (below the high-water mark)",
            )
        data = self._file.read_at(offset, self.page_bytes)
        if len(data) < self.page_bytes:
            stop = min(offset + len(data), self.metas.size)
            self.fail(page, stop, "the file ends before the page does")
        header = PAGE_HEADER.parse(data)
        self._check(page, offset, header)
        if header.overflow:
            rest_bytes = header.overflow * self.page_bytes
            data += self._file.read_at(offset + self.page_bytes, rest_bytes)
            if len(data) < self.page_bytes + rest_bytes:
                self.fail(page, offset + len(data), "the file ends before the page's overflow")
        span = range(page, page + header.overflow + 1)
        return Image(page=page, span=span, offset=offset, header=header, data=data)

    def fail(self, page: int, offset: int, reason: str) -> NoReturn:
        """Raise a `PageError` of this file."""
        raise PageError(self.path, page=page, offset=offset, reason=reason)

    def _check(self, page: int, offset: int, header: PageHeader) -> None:
        """Everything that a header must be before a byte behind the first page is read."""
        if header.id != page:
            self.fail(page, offset, f"the header says page {header.id}")
        if header.flags not in (PageFlag.BRANCH, PageFlag.LEAF):
            self.fail(
                page, offset + 8, f"expected a branch or leaf page, found flags {header.flags:#x}"
            )
        last = page + header.overflow
        if last >= self.meta.high_water:
            self.fail(
                page,
                offset + 12,
                f"its overflow reaches page {last}, the high-water mark is {self.meta.high_water}",
            )
        size = (header.overflow + 1) * self.page_bytes
        if size > DB_OVERFLOW_BYTES_MAX or offset + size > self.metas.size:
            self.fail(
                page,
                offset + 12,
                f"its overflow makes it {size} bytes, the file has {self.metas.size}",
            )


def read_metas(file: File) -> Metas:
    """Both meta pages, found as bbolt finds them; damage is in the value.

    The page size is that of page 0; when page 0 is damaged, page 1 is looked for at 4096, then at
    1024, 2048 and so on.

    Raises: AccessError.
    """
    size = file.stat().size
    first = _meta_page(file, size, page=0, page_bytes=PAGE_BYTES_USUAL)
    if first.is_valid and first.meta is not None:
        page_bytes = first.meta.page_size
        second = _meta_page(file, size, page=1, page_bytes=page_bytes)
        return Metas(page_bytes=page_bytes, size=size, pages=(first, second))
    attempts = [_meta_page(file, size, page=1, page_bytes=each) for each in _page_sizes()]
    fits = (each for each in attempts if each.is_valid)
    like = (each for each in attempts if each.meta is not None and each.meta.magic == MAGIC)
    second = next(fits, None) or next(like, None) or attempts[0]
    return Metas(page_bytes=second.offset, size=size, pages=(first, second))


def _page_sizes() -> Iterator[int]:
    """Sizes to try where page 0 does not tell, in bbolt's order."""
    yield PAGE_BYTES_USUAL
    size = PAGE_BYTES_MIN
    while size <= DB_PAGE_BYTES_MAX:
        yield size
        size *= 2


def _meta_page(file: File, size: int, *, page: int, page_bytes: int) -> MetaPage:
    """Judge the meta of `page`, in bbolt's order: magic, version, checksum."""
    offset = page * page_bytes
    data = file.read_at(offset, META_STOP) if offset < size else b""
    header = PAGE_HEADER.parse(data) if len(data) >= PAGE_HEADER.size_bytes else None
    meta: Meta | None = None
    words: str | None
    if len(data) < META_STOP:
        words, detail = TOO_SMALL, f"the file ends at byte {size}, inside it or before"
    else:
        meta = META.parse(data, PAGE_HEADER.size_bytes)
        computed = meta_checksum(data, PAGE_HEADER.size_bytes)
        words, detail = _judge(meta, computed)
        # What bbolt believes of a meta that vouches for a wrong page size is not worth following.
        if words is None and page == 1 and meta.page_size != page_bytes:
            words = INVALID
            detail = f"it says pages of {meta.page_size} bytes, page 0 or its place {page_bytes}"
    return MetaPage(page=page, offset=offset, header=header, meta=meta, words=words, detail=detail)


def _judge(meta: Meta, computed: int) -> tuple[str | None, str]:
    """bbolt's words for what is wrong with `meta`, and the evidence."""
    if meta.magic != MAGIC:
        return INVALID, f"magic is {meta.magic:08x}, expected {MAGIC:08x}"
    if meta.version != VERSION:
        return WRONG_VERSION, f"version is {meta.version}, expected {VERSION}"
    if meta.checksum != computed:
        none = "; the bbolt of etcd 3.4 takes 0 for none" if meta.checksum == 0 else ""
        return (
            WRONG_CHECKSUM,
            f"checksum is {meta.checksum:016x}, its {CHECKSUM_OFFSET} bytes give {computed:016x}"
            + none,
        )
    size = meta.page_size
    if not PAGE_BYTES_MIN <= size <= DB_PAGE_BYTES_MAX or size & (size - 1):
        return INVALID, f"page size is {size}"
    return None, f"txid {meta.txid}"


def _demand_meta(path: Path, metas: Metas) -> Meta:
    """The meta that counts.

    Raises: PageError, with bbolt's words: those for page 0, when both are bad.
    """
    first, second = metas.pages
    if metas.size == 0:
        raise PageError(
            path, page=0, offset=0, reason="the file is empty: bbolt would begin a new one"
        )
    if metas.size < 2 * metas.page_bytes:
        reason = f"{TOO_SMALL}: {metas.size} bytes, two pages are {2 * metas.page_bytes}"
        raise PageError(path, page=0, offset=metas.size, reason=reason, words=TOO_SMALL)
    chosen = metas.chosen
    if chosen is None or chosen.meta is None:
        reason = (
            f"no valid meta: page 0: {first.words}: {first.detail};"
            f" page 1: {second.words}: {second.detail}"
        )
        raise PageError(path, page=0, offset=0, reason=reason, words=first.words)
    return chosen.meta


def _txid(page: MetaPage) -> int:
    return -1 if page.meta is None else page.meta.txid
