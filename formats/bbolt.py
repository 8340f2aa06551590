"""bbolt's fixed layouts: meta, page header, leaf and branch elements, bucket header; no file here.

All integers are little-endian. A file is an array of pages; pages 0 and 1 hold a meta each:

    page header, 16 bytes                      meta, behind the header of page 0 and of page 1
    +0   u64  id                               +0   u32  magic       ed da 0c ed
    +8   u16  flags  1 branch, 2 leaf,         +4   u32  version     2
                     4 meta, 16 free list      +8   u32  page_size
    +10  u16  element_count                    +12  u32  flags       0
    +12  u32  overflow  further pages          +16  u64  root        page of the root bucket
                                               +24  u64  sequence
    leaf element, 16 bytes                     +32  u64  freelist    page, or all ones: not stored
    +0   u32  flags  1: value is a bucket      +40  u64  high_water  first page never allocated
    +4   u32  pos                              +48  u64  txid
    +8   u32  key_bytes                        +56  u64  checksum    FNV-1a 64 of bytes 0 to 55
    +12  u32  value_bytes

    branch element, 16 bytes                   bucket header, 16 bytes, begins a bucket's value
    +0   u32  pos                              +0   u64  root        0: inline, a leaf page image
    +4   u32  key_bytes                                              (its id 0) follows
    +8   u64  child  page id                   +8   u64  sequence

`pos` counts from the element's own first byte to its key; a leaf's value follows its key.

Source: etcd-data-dir notes 8.1 and 11.5, checked against files of etcd 3.4.23 and 3.5.1.
"""

import enum
import functools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from formats.errors import TruncatedError

if TYPE_CHECKING:
    import construct

MAGIC: Final = 0xED0CDAED
VERSION: Final = 2
FREELIST_NOT_STORED: Final = (1 << 64) - 1
"""`Meta.freelist` when the free list is rebuilt on opening, as etcd has it."""
PAGES_FIRST: Final = 2
"""The first page that is no meta."""
ELEMENT_BYTES: Final = 16
"""Leaf and branch elements have the same size."""
CHECKSUM_OFFSET: Final = 56
"""Where in a meta its checksum lies: it covers everything before."""


class PageFlag(enum.IntFlag):
    """What a page holds; exactly one is set."""

    BRANCH = 0x01
    LEAF = 0x02
    META = 0x04
    FREELIST = 0x10


class LeafFlag(enum.IntFlag):
    """What a leaf element's value is."""

    BUCKET = 0x01


class PageHeader(NamedTuple):
    """The first 16 bytes of a page; `overflow` counts the pages that follow and belong to it."""

    id: int
    flags: int
    element_count: int
    overflow: int


class Meta(NamedTuple):
    """The root of one transaction; see the module for the fields."""

    magic: int
    version: int
    page_size: int
    flags: int
    root: int
    sequence: int
    freelist: int
    high_water: int
    txid: int
    checksum: int


class LeafElement(NamedTuple):
    """One key and its value; `pos` is from the element's first byte to the key's."""

    flags: int
    pos: int
    key_bytes: int
    value_bytes: int


class BranchElement(NamedTuple):
    """The smallest key of a child page; `pos` is from the element's first byte to the key's."""

    pos: int
    key_bytes: int
    child: int


class BucketHeader(NamedTuple):
    """The first 16 bytes of a bucket's value; `root` 0 means that a page image follows."""

    root: int
    sequence: int


RecordT = TypeVar("RecordT", bound=tuple[int, ...])

_STRUCT_CODES = {16: "H", 32: "I", 64: "Q"}


class Layout(Generic[RecordT]):
    """A fixed run of unsigned integers, declared once: its definition and its fast twin.

    `parse`, `parse_many` and `build` are the twin (`struct`); `parse_exact` and `build_exact` go
    through construct, which is loaded at their first use. A property test holds them equal.
    """

    def __init__(self, make: Callable[[Iterable[int]], RecordT], **bits: int) -> None:
        self._make = make
        self._bits = bits
        self._struct = struct.Struct("<" + "".join(_STRUCT_CODES[each] for each in bits.values()))
        self.size_bytes: Final = self._struct.size

    @functools.cached_property
    def definition(self) -> "construct.Struct":
        """The layout as construct has it."""
        import construct

        types = {16: construct.Int16ul, 32: construct.Int32ul, 64: construct.Int64ul}
        return construct.Struct(*(name / types[bits] for name, bits in self._bits.items()))

    def parse(self, data: bytes | memoryview, offset: int = 0) -> RecordT:
        """The record at `offset`; what lies behind it is not looked at.

        Raises: TruncatedError.
        """
        self._demand(data, offset, 1)
        return self._make(self._struct.unpack_from(data, offset))

    def parse_many(self, data: bytes | memoryview, *, offset: int, count: int) -> Iterator[RecordT]:
        """`count` records, one behind the other, from `offset` on.

        Raises: TruncatedError, before the first one, when not all of them are there.
        """
        self._demand(data, offset, count)
        window = memoryview(data)[offset : offset + count * self.size_bytes]
        return map(self._make, self._struct.iter_unpack(window))

    def build(self, record: RecordT) -> bytes:
        """The bytes of `record`, whose fields must fit their widths."""
        return self._struct.pack(*record)

    def parse_exact(self, data: bytes | memoryview, offset: int = 0) -> RecordT:
        """`parse`, by the definition.

        Raises: TruncatedError.
        """
        self._demand(data, offset, 1)
        found = self.definition.parse(bytes(data[offset : offset + self.size_bytes]))
        return self._make(found[name] for name in self._bits)

    def build_exact(self, record: RecordT) -> bytes:
        """`build`, by the definition."""
        return self.definition.build(dict(zip(self._bits, record, strict=True)))

    def _demand(self, data: bytes | memoryview, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count * self.size_bytes > len(data):
            raise TruncatedError("unexpected EOF", offset=len(data))


PAGE_HEADER: Final = Layout(PageHeader._make, id=64, flags=16, element_count=16, overflow=32)
META: Final = Layout(
    Meta._make,
    magic=32,
    version=32,
    page_size=32,
    flags=32,
    root=64,
    sequence=64,
    freelist=64,
    high_water=64,
    txid=64,
    checksum=64,
)
LEAF_ELEMENT: Final = Layout(LeafElement._make, flags=32, pos=32, key_bytes=32, value_bytes=32)
BRANCH_ELEMENT: Final = Layout(BranchElement._make, pos=32, key_bytes=32, child=64)
BUCKET_HEADER: Final = Layout(BucketHeader._make, root=64, sequence=64)

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_U64_MASK: Final = (1 << 64) - 1


def fnv1a64(data: bytes) -> int:
    """FNV-1a, 64 bits: the checksum of a meta."""
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & _U64_MASK
    return value


def meta_checksum(data: bytes, offset: int = 0) -> int:
    """What the checksum of the meta at `offset` has to be.

    Raises: TruncatedError.
    """
    stop = offset + CHECKSUM_OFFSET
    if offset < 0 or stop > len(data):
        raise TruncatedError("unexpected EOF", offset=len(data))
    return fnv1a64(data[offset:stop])
