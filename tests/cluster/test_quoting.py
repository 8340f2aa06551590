"""Lines into words, and what quotes do to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walctl.cluster.quoting import (
    bytes_of,
    in_quotes,
    is_bare,
    option,
    parted,
    quoted,
    split,
    text_of,
    words_of,
)
from walctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("put k v", ["put", "k", "v"]),
        ('put k "a b;#"', ["put", "k", "a b;#"]),
        ('put "" v', ["put", "", "v"]),
        (r'put k "a\"b\\c\nd"', ["put", "k", 'a"b\\c\nd']),
        ('put a"b c"d # and no more', ["put", "ab cd"]),
        ("put a#b", ["put", "a#b"]),
        ("", []),
    ],
)
def test_a_line_is_these_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_commands_are_parted_by_semicolons_and_ends_of_lines() -> None:
    assert list(split("a 1; b\n;;\nc", name="f")) == [(1, ["a", "1"]), (1, ["b"]), (3, ["c"])]


def test_a_quote_that_does_not_end_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        list(split('a\nb "c', name="f"))
    assert caught.value.message == "f:2: expected a second quote, found 'b \"c'"


def test_a_name_ends_at_the_first_equals_sign_that_is_not_in_quotes() -> None:
    (word,) = words_of('"a=b"=c=d')
    assert parted(word) == ("a=b", "=", "c=d")
    (word,) = words_of('"a=b"')
    assert parted(word) == ("a=b", "", "")
    assert parted("a=b") == ("a", "=", "b")


def test_a_word_in_quotes_has_no_meaning_of_its_own() -> None:
    bare, in_them = words_of('- "-"')
    assert bare == in_them == "-"
    assert is_bare(bare, "-")
    assert not is_bare(in_them, "-")
    assert is_bare("-", "-")


@given(st.text())
def test_any_text_is_one_word_in_quotes_and_where_it_needs_none_it_has_none(text: str) -> None:
    for written in (quoted(text), in_quotes(text), "".join(option("name", text))):
        assert "\n" not in written
        (word,) = words_of(written)
        assert word.removeprefix("name=") == text.removeprefix("name=")
    assert quoted("plain-word->1") == "plain-word->1"


@given(st.binary())
def test_any_bytes_are_one_word_and_come_back(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    written = quoted(text)
    assert written.isprintable() or not text.isprintable()
    (word,) = words_of(written)
    assert bytes_of(word) == data


def test_a_byte_that_is_no_text_is_written_by_its_number() -> None:
    (word,) = words_of(r'"caf\xe9 \x41"')
    assert bytes_of(word) == b"caf\xe9 A"
    assert quoted(word) == r'"caf\xe9 A"'


@given(st.binary())
def test_bytes_are_a_word_and_the_word_is_these_bytes(data: bytes) -> None:
    (word,) = words_of(in_quotes(text_of(data)))
    assert bytes_of(word) == data
