"""Where messages end: the same places however the bytes come in, and nothing that is no stream."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError
from formats.peer import Frame, FrameKind, build_frame
from walctl.cluster.proxy_frames import Borders, Chunks, chunk, etcd_borders, walctl_borders


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def msgapp_entries(entries: Sequence[bytes]) -> bytes:
    inner = b"".join(u64(len(each)) + each for each in entries)
    return b"\1" + u64(len(entries)) + inner + u64(7)


FRAMES = st.binary(max_size=40).map(lambda body: build_frame(Frame(FrameKind.MESSAGE, "g", body)))
MESSAGES = st.binary(max_size=40).map(lambda body: u64(len(body)) + body)
MSGAPPS = st.one_of(
    st.just(b"\0"),
    st.lists(st.binary(max_size=20), max_size=3).map(msgapp_entries),
    st.binary(max_size=40).map(lambda body: b"\2" + u64(len(body)) + body),
)
STREAMS = {"walctl": FRAMES, "message": MESSAGES, "msgapp": MSGAPPS}


def borders_of(stream: str) -> Borders:
    found = walctl_borders() if stream == "walctl" else etcd_borders(stream)
    assert found is not None
    return found


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize("stream", list(STREAMS))
@given(data=st.data())
def test_ends_are_the_same_however_the_bytes_come(stream: str, data: st.DataObject) -> None:
    messages = data.draw(st.lists(STREAMS[stream], max_size=8))
    whole = b"".join(messages)
    expected = [sum(map(len, messages[: n + 1])) for n in range(len(messages))]
    borders, at = borders_of(stream), 0
    found = []
    for piece in in_pieces(whole, data.draw(st.lists(st.integers(0, 400), max_size=12))):
        found += [at + end for end in borders.ends(piece)]
        at += len(piece)
        assert borders.is_inside == (at not in (0, *expected))
    assert found == expected


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("walctl", b"\xff\xff\xff\xff"),
        ("message", u64(1 << 40)),
        ("msgapp", b"\3"),
        ("msgapp", b"\2" + u64(1 << 40)),
        ("msgapp", b"\1" + u64(1) + u64(1 << 40)),
    ],
)
def test_what_cannot_be_a_message_is_refused(stream: str, data: bytes) -> None:
    with pytest.raises(FormatError):
        borders_of(stream).ends(data)


def test_a_stream_of_etcd_that_is_not_known_has_no_borders() -> None:
    assert etcd_borders("msgapp2") is None


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.binary(max_size=9), st.data())
def test_chunks_give_what_was_put_into_them_and_what_follows(
    payloads: list[bytes], behind: bytes, data: st.DataObject
) -> None:
    ending = data.draw(st.sampled_from((b"0\r\n\r\n", b"0\r\nX-Last: 1\r\n\r\n")))
    whole = b"".join(map(chunk, payloads)) + ending
    chunks, got = Chunks(), b""
    pieces = in_pieces(whole, data.draw(st.lists(st.integers(0, 400), max_size=12)))
    *first, last = [piece for piece in pieces if piece]
    for piece in first:
        payload, rest = chunks.feed(piece)
        got += payload
        assert rest is None
    payload, rest = chunks.feed(last + behind)
    assert (got + payload, rest, chunks.ending) == (b"".join(payloads), behind, ending)


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"-1\r\n", b"\r\n", b"f" * 16 + b"\r\n", b"1" * 5000, b"0x10\r\n"]
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Chunks().feed(data)


def test_trailers_without_an_end_are_refused() -> None:
    with pytest.raises(FormatError):
        Chunks().feed(b"0\r\n" + b"X: y\r\n" * 5000)


@given(st.binary(max_size=60))
def test_any_bytes_are_borders_or_a_format_error(data: bytes) -> None:
    for stream in STREAMS:
        try:
            ends = borders_of(stream).ends(data)
        except FormatError:
            continue
        assert ends == sorted(ends)
        assert all(0 < end <= len(data) for end in ends)
