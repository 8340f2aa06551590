"""The length field against its definition, and frames against bytes that etcd wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import frame
from formats.errors import LimitError, TruncatedError
from formats.frame import LENGTH_FIELD, SECTOR_BYTES, Length, sector_parts

words = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.builds(lambda size, top: size | top << 56, st.integers(0, 300), st.integers(0, 255)),
)
sizes = st.one_of(st.integers(0, 300), st.integers(0, (1 << 56) - 1))


def field(word: int) -> bytes:
    return word.to_bytes(8, "little")


@given(words)
def test_splitting_a_length_field_equals_its_definition(word: int) -> None:
    assert frame.split_length(word) == LENGTH_FIELD.parse(field(word))


@given(sizes)
def test_joining_a_length_field_equals_its_definition(record_bytes: int) -> None:
    length = Length(record_bytes, frame.padding_bytes(record_bytes), is_canonical=True)
    assert field(frame.join_length(record_bytes)) == LENGTH_FIELD.build(length)
    assert frame.split_length(frame.join_length(record_bytes)) == length


def test_the_definition_has_the_size_of_the_field() -> None:
    assert LENGTH_FIELD.sizeof() == frame.LENGTH_FIELD_BYTES == 8


@given(sizes)
def test_padding_fills_up_to_a_multiple_of_eight_and_no_further(record_bytes: int) -> None:
    padding = frame.padding_bytes(record_bytes)
    assert 0 <= padding <= 7
    assert (record_bytes + padding) % 8 == 0


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0400000000000084", Length(4, 4, is_canonical=True)),
        ("1000000000000000", Length(16, 0, is_canonical=True)),
        ("9900000000000087", Length(153, 7, is_canonical=True)),
        ("0000000000000000", Length(0, 0, is_canonical=True)),
        ("1000000000000080", Length(16, 0, is_canonical=False)),  # accepted, and means 00
        ("04000000000000fc", Length(4, 4, is_canonical=False)),  # reserved bits do not count
        ("0400000000000004", Length(4, 0, is_canonical=False)),  # no sign, no padding
        ("0400000000000083", Length(4, 3, is_canonical=False)),  # padding of another size
        ("ffffffffffffffff", Length((1 << 56) - 1, 7, is_canonical=False)),
    ],
)
def test_length_fields_say_what_etcd_reads_in_them(text: str, length: Length) -> None:
    data = bytes.fromhex(text)
    assert frame.split_length(int.from_bytes(data, "little")) == length
    assert LENGTH_FIELD.parse(memoryview(data)) == length


@pytest.mark.parametrize("size", range(8))
def test_a_length_field_cut_short_is_truncated(size: int) -> None:
    with pytest.raises(TruncatedError):
        LENGTH_FIELD.parse(bytes(size))


@pytest.mark.parametrize(
    "length", [Length(-1, 0, True), Length(1 << 56, 0, True), Length(8, 8, True)]
)
def test_what_a_length_field_has_no_room_for_is_not_written(length: Length) -> None:
    with pytest.raises(LimitError, match="no length field"):
        LENGTH_FIELD.build(length)


def test_frames_are_built_as_etcd_writes_them() -> None:
    crc_record = bytes.fromhex("08041000")
    assert frame.build_frame(crc_record) == bytes.fromhex("0400000000000084 0804100000000000")
    aligned = bytes(16)
    assert frame.build_frame(aligned) == bytes.fromhex("1000000000000000") + aligned


@given(st.integers(0, 3000), st.integers(0, 5000))
def test_sector_parts_cover_all_and_none_crosses_a_sector(size: int, offset: int) -> None:
    parts = list(sector_parts(size, offset))
    assert [each for start, stop in parts for each in range(start, stop)] == list(range(size))
    sectors = [{(offset + each) // SECTOR_BYTES for each in range(*part)} for part in parts]
    assert all(len(each) == 1 for each in sectors)
    assert len(parts) == len(set().union(*sectors))
