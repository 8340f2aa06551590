"""Snapshots of maps: whatever their bytes, in which form, in pieces, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import jsonpairs, kvstore
from formats.errors import FormatError, LimitError, TruncatedError
from formats.raftexample import build_store, parse_store
from tests.formats.test_raftexample import BYTES

MAPS = st.dictionaries(BYTES, BYTES, max_size=8)
MARKED = b'{"walctl":1,"pairs":{"L2s=":"/w==","L2w=":""}}'


def is_text(pairs: dict[bytes, bytes]) -> bool:
    return all(jsonpairs.is_utf8(each) for pair in pairs.items() for each in pair)


@given(MAPS)
def test_every_map_comes_back_as_it_was(pairs: dict[bytes, bytes]) -> None:
    data = kvstore.build_map(pairs)
    assert kvstore.parse_map(data) == pairs
    assert kvstore.parse_map(memoryview(data)) == pairs
    assert kvstore.is_marked(data) == (not is_text(pairs))
    assert not is_text(pairs) or data == build_store(pairs)


def test_the_marked_form_is_that_of_the_manual() -> None:
    assert kvstore.build_map({b"/l": b"", b"/k": b"\xff"}) == MARKED
    assert kvstore.parse_map(b'{"walctl":1,"pairs":{}}') == {}


def test_the_sign_for_lost_bytes_is_text_where_it_was_stored() -> None:
    pairs = {b"/k": "\N{REPLACEMENT CHARACTER}".encode()}
    assert kvstore.build_map(pairs) == build_store(pairs)


@given(MAPS)
def test_a_real_raftexample_refuses_the_marked_form(pairs: dict[bytes, bytes]) -> None:
    data = b"".join(kvstore.marked_chunks([sorted(pairs.items())]))
    # Go reads a map of strings: a number is none, whatever follows.
    assert json.loads(data)["walctl"] == 1
    with pytest.raises(FormatError, match="expected a string, found '1,") as caught:
        parse_store(data)
    assert caught.value.offset == data.index(b"1")


@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [
        (MARKED[:20], 20, "expected { behind the mark"),
        (MARKED[:21], 21, "ends where a text is expected"),
        (MARKED[:22], 21, "expected a text"),
        (MARKED[:-2], 44, "ends where a comma or the end is expected"),
        (MARKED + b" ", 44, "expected a comma or the end"),
        (MARKED.replace(b'=":"', b'=" :"', 1), 27, "expected a colon"),
        (MARKED.replace(b"/w==", b"/w="), 21, "a text that is no base64"),
        (MARKED.replace(b"/w==", b"/w==w==="), 21, "a text that is no base64"),
        (MARKED.replace(b"L2w", b"L2s"), 35, "a key that is there twice"),
    ],
)
def test_what_is_no_marked_map_is_told_with_its_place(data: bytes, offset: int, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        kvstore.parse_map(data)
    assert (caught.value.message, caught.value.offset) == (words, offset)
    assert isinstance(caught.value, TruncatedError) == words.startswith("ends")


def test_a_snapshot_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvstore, "SNAP_FILE_BYTES_MAX", len(MARKED) - 1)
    with pytest.raises(LimitError):
        kvstore.parse_map(MARKED)


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0a=L2 ', max_size=60).map(str.encode))
def test_any_bytes_behind_the_mark_are_a_map_or_a_format_error(rest: bytes) -> None:
    data = kvstore.MARK + rest
    try:
        pairs = kvstore.parse_map(data)
    except FormatError as error:
        place, pairs = error.offset, {}
    else:
        place = 0
    assert 0 <= place <= len(data)
    assert kvstore.parse_map(kvstore.build_map(pairs)) == pairs
