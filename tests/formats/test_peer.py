"""Streams between a lab's nodes: hello and frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import FormatError, LimitError, TruncatedError, WireError
from formats.peer import (
    FRAME_BYTES_MAX,
    HELLO_BYTES,
    Frame,
    FrameKind,
    Hello,
    Purpose,
    build_frame,
    build_hello,
    frame_bytes,
    parse_frame,
    parse_hello,
)

IDS = st.integers(0, (1 << 64) - 1)
FRAMES = st.builds(Frame, st.sampled_from(FrameKind), st.text(max_size=60), st.binary(max_size=200))


@given(st.builds(Hello, IDS, IDS, st.sampled_from(Purpose)))
def test_a_hello_is_read_as_it_was_written(hello: Hello) -> None:
    data = build_hello(hello)
    assert len(data) == HELLO_BYTES
    assert parse_hello(data + b"more") == hello


@given(FRAMES)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    data = build_frame(frame)
    assert frame_bytes(data[:4]) == len(data)
    assert parse_frame(data) == frame


def test_a_frame_has_the_bytes_that_the_layout_says() -> None:
    frame = Frame(FrameKind.SNAPSHOT_END, "g1", b"\x01\x02\x03\x04")
    assert build_frame(frame) == bytes.fromhex("00000008 03 02 6731 01020304")
    assert build_hello(Hello(1, 2)) == b"walctl-peer/1\n" + bytes.fromhex(
        "00 00 0000000000000001 0000000000000002"
    )


@given(st.binary(max_size=100))
def test_other_bytes_are_no_hello(data: bytes) -> None:
    with pytest.raises((WireError, TruncatedError)):
        parse_hello(data)


@given(FRAMES, st.data())
def test_a_frame_that_was_cut_is_refused(frame: Frame, data: st.DataObject) -> None:
    whole = build_frame(frame)
    with pytest.raises(FormatError):
        parse_frame(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_frame_that_is_too_long_is_neither_written_nor_read() -> None:
    with pytest.raises(LimitError):
        build_frame(Frame(FrameKind.MESSAGE, "g", bytes(FRAME_BYTES_MAX)))
    with pytest.raises(LimitError):
        frame_bytes(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("text", ["00000000", "0000000109", "000000020905", "000000030001ff"])
def test_a_frame_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_frame(bytes.fromhex(text))
