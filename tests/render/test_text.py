"""Whatever a file holds, a terminal sees one harmless line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.render.text import (
    byte_count,
    columns,
    counted,
    hex_id,
    index_range,
    printable,
    quoted,
)

HOSTILE = st.one_of(
    st.binary(max_size=64), st.text(st.characters(codec=None, exclude_categories=()), max_size=64)
)


@given(HOSTILE)
def test_no_value_leaves_anything_that_a_terminal_could_obey(value: bytes | str) -> None:
    assert printable(value).isprintable()
    assert quoted(value).isprintable()


@given(HOSTILE)
def test_escaping_what_is_escaped_changes_nothing(value: bytes | str) -> None:
    assert printable(printable(value)) == printable(value)


@given(st.one_of(st.lists(st.binary(max_size=8), min_size=2, max_size=2, unique=True)))
def test_no_two_byte_strings_look_alike_in_quotes(pair: list[bytes]) -> None:
    assert quoted(pair[0]) != quoted(pair[1])


@given(HOSTILE, st.integers(1, 40))
def test_a_width_is_never_exceeded_and_nothing_is_cut_without_a_mark(
    value: bytes | str, width_max: int
) -> None:
    text = printable(value, width_max=width_max)
    assert columns(text) <= width_max
    assert text == printable(value) or text.endswith("…")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc\r", r"a\x0ab\x09c\x0d"),
        ("\x7f", r"\x7f"),
        ("\x85\x9b31m", r"\u0085\u009b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066\u200b\ufeff", r"\u2066\u200b\ufeff"),
        (b"\xff\x80ok", r"\xff\x80ok"),
        ("name\udcff", r"name\xff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u00a0b", r"a\u00a0b"),
        ("[red]käse[/red] 鍵", "[red]käse[/red] 鍵"),
    ],
)
def test_each_kind_of_mischief_has_its_escape(value: bytes | str, text: str) -> None:
    assert printable(value) == text


def test_an_escape_is_never_cut_in_two() -> None:
    assert printable(b"abc\x00def", width_max=6) == "abc…"
    assert printable(b"abc\x00def", width_max=9) == r"abc\x00d…"
    assert printable(b"abc\x00de", width_max=9) == r"abc\x00de"


def test_wide_characters_count_twice_and_combining_marks_not_at_all() -> None:
    assert columns("鍵値") == 4
    assert columns("e\u0301") == 1
    assert printable("鍵値鍵値", width_max=6) == "鍵値…"


def test_a_value_of_megabytes_costs_no_more_than_the_columns_it_may_fill() -> None:
    assert printable(b"x" * 50_000_000, width_max=10) == "xxxxxxxxx…"


def test_quotes_show_where_a_cut_value_ends() -> None:
    assert quoted(b'a"b\\') == r'"a\"b\\"'
    assert quoted(b"abcdef", width_max=4) == '"abc"…'
    assert quoted("abc…", width_max=4) == '"abc…"'


def test_figures_read_as_in_a_sentence() -> None:
    assert byte_count(4096) == "4,096 bytes"
    assert byte_count(1) == "1 byte"
    assert counted(2, "entry", "entries") == "2 entries"
    assert hex_id(0x0A5CA8A606383A88F) == "a5ca8a606383a88f"
    assert hex_id(None) == "unknown"
    assert index_range(231, 477) == "231–477"
    assert index_range(231, 231) == "231"
    assert index_range(231, None) == "231–…"
    assert index_range(None, None) == "…–…"
