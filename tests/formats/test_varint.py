"""Varints by themselves, held against the definition's own reading."""

from hypothesis import given
from hypothesis import strategies as st

from formats.varint import build_varint, varint_stop, whole_varint

U64 = st.integers(0, (1 << 64) - 1)


@given(U64)
def test_a_varint_reads_as_what_it_was_built_from(value: int) -> None:
    assert whole_varint(build_varint(value)) == value


@given(U64, st.binary(max_size=4), st.binary(max_size=4))
def test_its_end_is_found_wherever_it_stands(value: int, before: bytes, behind: bytes) -> None:
    built = build_varint(value)
    assert varint_stop(before + built + behind, len(before)) == len(before) + len(built)


@given(U64)
def test_no_shorter_and_no_longer_bytes_are_that_varint(value: int) -> None:
    built = build_varint(value)
    assert whole_varint(built[:-1]) == -1
    assert whole_varint(built + b"\0") == -1


def test_eleven_bytes_that_all_go_on_are_no_varint() -> None:
    assert varint_stop(b"\x80" * 11 + b"\0", 0) == -1


def test_more_than_ten_bytes_or_64_bits_are_no_varint() -> None:
    assert whole_varint(b"\x85" + b"\x80" * 8 + b"\x00") == 5
    assert whole_varint(b"\x85" + b"\x80" * 9 + b"\x00") == -1
    assert whole_varint(b"\xff" * 9 + b"\x01") == (1 << 64) - 1
    assert whole_varint(b"\xff" * 9 + b"\x02") == -1


def test_a_longer_form_of_a_number_is_that_number() -> None:
    assert whole_varint(b"\x85\x80\x00") == 5
