"""Many pairs at once are held to the definition that reads and writes one: by any text."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import jsonpairs, raftexample
from formats.errors import FormatError
from formats.raftexample import build_store, parse_store, store_chunks

PLAIN = st.text("ab,:", max_size=6)
TEXTS = PLAIN | st.text('ab",:\\<>&\n\b\x7f\u2028\ufffd\u00e9\U0001f600/', max_size=6)
BYTES = TEXTS.map(str.encode) | st.binary(max_size=4)
PAIRS = st.dictionaries(BYTES, BYTES, max_size=30) | st.dictionaries(
    PLAIN.map(str.encode), TEXTS.map(str.encode), max_size=30
)
WORDS = ['"', "a", "b", ":", ",", '","', '":"', "\\", '\\"', "\\n", "\\u00e9", "\\ud83d", "{", "}"]
JSON = st.lists(
    st.sampled_from([*WORDS, '"a":"b"', '"c":"d"', '"\\n":"\\ufffd"', " ", "null", "1", "[]"]),
    max_size=20,
).map("".join)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, or why not."""

    store: raftexample.Store | None = None
    words: tuple[str, int] = ("", 0)


def read(data: bytes) -> Read:
    try:
        return Read(parse_store(data))
    except FormatError as error:
        return Read(None, (error.message, error.offset))


@contextmanager
def only_the_definition() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonpairs, "read", lambda data, position: None)
        patch.setattr(jsonpairs, "written", lambda batch: None)
        yield


@contextmanager
def small(size: int) -> Iterator[None]:
    """Windows and batches so small that they end anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonpairs, "_WINDOW_BYTES", size)
        patch.setattr(jsonpairs, "BATCH_PAIRS_MAX", max(size // 8, 1))
        patch.setattr(jsonpairs, "BATCH_BYTES_MAX", size)
        patch.setattr(raftexample, "_PLAIN_AGAIN_BYTES", 0)
        yield


@given(PAIRS, st.integers(2, 80))
def test_maps_are_written_and_read_as_by_the_definition(
    pairs: dict[bytes, bytes], size: int
) -> None:
    with only_the_definition():
        data = build_store(pairs)
        store = read(data)
    with small(size):
        assert build_store(pairs) == data
        assert read(data) == store


@given(JSON | st.text('"{}:,\\abu0 ', max_size=40), st.integers(2, 30))
def test_any_text_is_read_as_by_the_definition(text: str, size: int) -> None:
    for data in (text.encode(), f"{{{text}}}".encode(), f'{{"a":"b",{text},"c":"d"}}'.encode()):
        with only_the_definition():
            expected = read(data)
        with small(size):
            assert read(data) == expected


@given(st.lists(st.tuples(st.just('"a'), st.integers(0, 3)), max_size=6), st.integers(2, 40))
def test_a_key_that_is_there_twice_is_told_wherever_a_window_ends(
    keys: list[tuple[str, int]], size: int
) -> None:
    body = ",".join(f'"{number}":"{at}"' for at, (_, number) in enumerate(keys))
    data = f"{{{body}}}".encode()
    with only_the_definition():
        expected = read(data)
    with small(size):
        assert read(data) == expected


def test_a_large_map_comes_in_pieces_of_a_bounded_size() -> None:
    batch = [(b"%05d" % each, b"v" * 1000) for each in range(5000)]
    pieces = list(store_chunks([batch]))
    assert b"".join(pieces) == build_store(dict(batch))
    assert max(map(len, pieces)) < 2 << 20
    assert parse_store(b"".join(pieces)).pairs == dict(batch)


def test_a_pair_that_is_longer_than_a_window_is_read() -> None:
    pairs = {b"/a": b"x" * 300_000, b"/b": b'"' * 300_000, b"/c": b"", b"/d": b"1"}
    assert parse_store(build_store(pairs)).pairs == pairs
