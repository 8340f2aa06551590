"""bbolt's layouts: the fast reading equals the definition, and both equal real bytes."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.bbolt import (
    BRANCH_ELEMENT,
    BUCKET_HEADER,
    FREELIST_NOT_STORED,
    LEAF_ELEMENT,
    MAGIC,
    META,
    PAGE_HEADER,
    Layout,
    LeafElement,
    Meta,
    PageFlag,
    PageHeader,
    fnv1a64,
    meta_checksum,
)
from formats.errors import TruncatedError

LAYOUTS: list[Layout[Any]] = [PAGE_HEADER, META, LEAF_ELEMENT, BRANCH_ELEMENT, BUCKET_HEADER]

# A meta page of etcd 3.5.1, and the value of its inline bucket `meta` up to the first key.
REAL_META = bytes.fromhex(
    "00000000000000000400000000000000 edda0ced020000000010000000000000"
    "03000000000000000000000000000000 ffffffffffffffff0600000000000000"
    "1400000000000000b2930ab30772219b"
)
REAL_INLINE = bytes.fromhex(
    "00000000000000000000000000000000 00000000000000000200030000000000"
    "00000000300000000900000033000000 000000005c0000001000000008000000"
    "00000000640000000400000008000000"
)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_the_fast_parse_equals_the_definition(layout: Layout[Any], data: st.DataObject) -> None:
    size = layout.size_bytes
    raw = data.draw(st.binary(min_size=size, max_size=size + 9))
    offset = data.draw(st.integers(0, len(raw) - size))
    record = layout.parse(raw, offset)
    assert record == layout.parse_exact(raw, offset)
    assert type(record) is type(layout.parse_exact(raw, offset))
    assert layout.build(record) == layout.build_exact(record) == raw[offset : offset + size]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_size_and_the_names_of_its_definition(layout: Layout[Any]) -> None:
    assert layout.definition.sizeof() == layout.size_bytes
    record = layout.parse(bytes(layout.size_bytes))
    assert tuple(each.name for each in layout.definition.subcons) == record._fields


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_input_that_is_too_short_is_truncated_at_its_end(layout: Layout[Any]) -> None:
    for size in range(layout.size_bytes):
        for parse in (layout.parse, layout.parse_exact):
            with pytest.raises(TruncatedError, match="unexpected EOF") as caught:
                parse(bytes(size))
            assert caught.value.offset == size


@given(st.binary(max_size=100), st.integers(0, 40), st.integers(0, 6))
def test_many_records_are_each_of_them_or_truncated(raw: bytes, offset: int, count: int) -> None:
    if offset + count * 16 > len(raw):
        with pytest.raises(TruncatedError):
            LEAF_ELEMENT.parse_many(raw, offset=offset, count=count)
    else:
        assert list(LEAF_ELEMENT.parse_many(raw, offset=offset, count=count)) == [
            LEAF_ELEMENT.parse_exact(raw, offset + 16 * each) for each in range(count)
        ]


def test_a_negative_offset_or_count_is_truncated_too() -> None:
    with pytest.raises(TruncatedError):
        PAGE_HEADER.parse(bytes(64), -16)
    with pytest.raises(TruncatedError):
        LEAF_ELEMENT.parse_many(bytes(64), offset=0, count=-1)
    with pytest.raises(TruncatedError):
        meta_checksum(bytes(64), -1)


def test_a_real_meta_page_reads_as_etcd_wrote_it() -> None:
    assert PAGE_HEADER.parse(REAL_META) == PageHeader(
        id=0, flags=PageFlag.META, element_count=0, overflow=0
    )
    assert META.parse(REAL_META, 16) == Meta(
        magic=MAGIC,
        version=2,
        page_size=4096,
        flags=0,
        root=3,
        sequence=0,
        freelist=FREELIST_NOT_STORED,
        high_water=6,
        txid=20,
        checksum=0x9B217207B30A93B2,
    )
    assert meta_checksum(REAL_META, 16) == 0x9B217207B30A93B2


def test_a_real_inline_bucket_reads_as_etcd_wrote_it() -> None:
    assert BUCKET_HEADER.parse(REAL_INLINE) == (0, 0)
    assert PAGE_HEADER.parse(REAL_INLINE, 16) == (0, PageFlag.LEAF, 3, 0)
    assert list(LEAF_ELEMENT.parse_many(REAL_INLINE, offset=32, count=3)) == [
        LeafElement(flags=0, pos=0x30, key_bytes=9, value_bytes=51),
        LeafElement(flags=0, pos=0x5C, key_bytes=16, value_bytes=8),
        LeafElement(flags=0, pos=0x64, key_bytes=4, value_bytes=8),
    ]


def test_the_checksum_is_fnv_1a_of_64_bits() -> None:
    published = {b"": 0xCBF29CE484222325, b"a": 0xAF63DC4C8601EC8C, b"foobar": 0x85944171F73967E8}
    assert {text: fnv1a64(text) for text in published} == published


def test_construct_is_not_loaded_before_a_definition_is_asked_for() -> None:
    code = (
        "import sys; from formats.bbolt import META; META.parse(bytes(64));"
        " assert 'construct' not in sys.modules; META.parse_exact(bytes(64));"
        " assert 'construct' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
