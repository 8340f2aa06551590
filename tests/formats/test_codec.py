"""Properties of every codec: what is built parses back, both parsers agree, nothing escapes."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from formats import limits, raftpb, walpb
from formats.codec import Codec
from formats.errors import FormatError, LimitError, WireError
from formats.fields import spec_of
from formats.spans import FieldSpan
from tests import strategies
from tests.formats import gogo
from tests.formats.schemas import CODECS, TREE, Tree

every_codec = pytest.mark.parametrize("name", CODECS)
few = settings(max_examples=20)


def outcome(codec: Codec[Any], data: bytes) -> Any:
    """The message, or the words of the failure."""
    try:
        return codec.parse_exact(data)
    except FormatError as error:
        return error.message if 0 <= error.offset <= len(data) else f"offset {error.offset}"


def expected(codec: Codec[Any], data: bytes) -> Any:
    try:
        return gogo.unmarshal(codec.cls, data)
    except gogo.GogoError as error:
        return str(error)


@every_codec
@given(st.data())
@few
def test_what_was_built_parses_back_on_either_path(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    message = data.draw(strategies.messages(codec.cls))
    built = codec.build(message)
    assert codec.parse_exact(built) == message
    assert codec.parse_fast(built) == message


@every_codec
@given(st.data())
@few
def test_unknown_fields_are_kept_behind_the_known_ones(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    message = data.draw(strategies.messages(codec.cls))
    unknown = tuple(data.draw(st.lists(strategies.unknown_fields(range(200, 209)), min_size=1)))
    whole = dataclasses.replace(message, unknown=unknown)
    built = codec.build(whole)
    assert built == codec.build(message) + b"".join(field.data for field in unknown)
    assert codec.parse_exact(built) == whole
    assert codec.parse_fast(built) is None
    assert codec.parse(built) == whole


@every_codec
@given(st.data())
@few
def test_building_what_was_parsed_parses_to_the_same(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    read = outcome(codec, data.draw(strategies.hostile(codec)))
    if not isinstance(read, str):
        assert codec.parse(codec.build(read)) == read


@every_codec
@given(st.data())
@few
def test_hostile_bytes_get_the_verdict_of_gogo(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    given_bytes = data.draw(strategies.hostile(codec))
    assert outcome(codec, given_bytes) == expected(codec, given_bytes)


@every_codec
@given(st.data())
@few
def test_where_the_fast_codec_counts_the_definition_agrees(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    given_bytes = data.draw(strategies.hostile(codec))
    quick = codec.parse_fast(given_bytes)
    if quick is not None:
        assert quick == codec.parse_exact(given_bytes)
        assert codec.build(quick) == given_bytes


@pytest.mark.slow
@every_codec
@given(st.data())
@settings(max_examples=400)
def test_long_runs_of_hostile_bytes_get_the_verdict_of_gogo(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    given_bytes = data.draw(strategies.hostile(codec))
    read = outcome(codec, given_bytes)
    assert read == expected(codec, given_bytes)
    quick = codec.parse_fast(given_bytes)
    assert quick is None or quick == read


@given(st.data())
@few
def test_memoryviews_parse_like_bytes(data: st.DataObject) -> None:
    built = walpb.RECORD.build(data.draw(strategies.messages(walpb.Record)))
    view = memoryview(b"<" + built + b">")[1:-1]
    assert walpb.RECORD.parse(view) == walpb.RECORD.parse(built)
    assert walpb.RECORD.parse_exact(view) == walpb.RECORD.parse_exact(built)


def flat(spans: tuple[FieldSpan, ...]) -> list[FieldSpan]:
    return [each for span in spans for each in (span, *flat(span.nested))]


@every_codec
@given(st.data())
@few
def test_spans_cover_every_byte_once_and_values_lie_where_they_say(
    name: str, data: st.DataObject
) -> None:
    codec = CODECS[name]
    built = codec.build(data.draw(strategies.messages(codec.cls)))
    spans = codec.spans(built)
    assert [span.tag_start for span in spans] == [0, *(each.value_stop for each in spans)][:-1]
    assert not spans or spans[-1].value_stop == len(built)
    for span in flat(spans):
        assert span.tag_start < span.tag_stop <= span.value_start <= span.value_stop
        if isinstance(span.value, bytes):
            assert built[span.value_start : span.value_stop] == span.value
        if span.nested:
            assert span.nested[0].tag_start == span.value_start
            assert span.nested[-1].value_stop == span.value_stop


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (walpb.Record(type=1 << 63), 1 << 63),
        (walpb.Record(crc=-1), -1),
        (raftpb.Entry(term=1 << 64), 1 << 64),
        (raftpb.Entry(type=1 << 31), 1 << 31),
    ],
)
def test_a_number_that_does_not_fit_is_not_written(message: Any, number: int) -> None:
    codec = walpb.RECORD if isinstance(message, walpb.Record) else raftpb.ENTRY
    with pytest.raises(WireError, match=f"{number} does not fit"):
        codec.build(message)


def test_text_that_no_bytes_stand_for_is_not_written() -> None:
    with pytest.raises(WireError, match="no bytes stand for"):
        TREE.build(Tree(name="\ud800"))


def test_text_that_is_no_utf8_comes_back_as_it_was() -> None:
    data = bytes.fromhex("1a03 61ff62")
    assert TREE.parse_fast(data) == Tree(name="a\udcffb")
    assert TREE.parse_exact(data) == Tree(name="a\udcffb")
    assert TREE.build(TREE.parse(data)) == data


def nested_messages(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = (
            raftpb.MESSAGE.build(raftpb.Message()) + b"\x72" + strategies.varint(len(data)) + data
        )
    return data


@pytest.mark.parametrize("depth", [limits.NESTING_MAX, limits.NESTING_MAX + 1, 90, 5_000])
def test_messages_nest_as_deep_as_the_limit_and_no_deeper(depth: int) -> None:
    data = nested_messages(depth)
    if depth <= limits.NESTING_MAX:
        assert raftpb.MESSAGE.parse_fast(data) == raftpb.MESSAGE.parse_exact(data)
        return
    assert raftpb.MESSAGE.parse_fast(data) is None
    with pytest.raises(LimitError, match="nested too deeply"):
        raftpb.MESSAGE.parse(data)


@pytest.mark.parametrize("depth", [limits.NESTING_MAX, limits.NESTING_MAX + 1, 5_000])
def test_groups_nest_as_deep_as_the_limit_and_no_deeper(depth: int) -> None:
    data = b"\x4b" * depth + b"\x4c" * depth
    if depth <= limits.NESTING_MAX:
        assert walpb.RECORD.parse(data).unknown[0].data == data
        return
    with pytest.raises(LimitError, match="nested too deeply"):
        walpb.RECORD.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x01" * 101,
        b"\x0a\x65" + b"\x01" * 101,
        b"\x78\x00" * 101,
        b"\x7b" + b"\x08\x00" * 101 + b"\x7c",
    ],
    ids=["single", "packed", "unknown", "in-a-group"],
)
def test_fields_beyond_the_limit_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(raftpb.CONF_STATE.spans(data)) in (1, 101)
    monkeypatch.setattr(limits, "FIELDS_MAX", 100)
    assert raftpb.CONF_STATE.parse_fast(data) is None
    with pytest.raises(LimitError, match="more than 100 fields"):
        raftpb.CONF_STATE.parse(data)


def test_fields_of_nested_messages_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (raftpb.Entry(type=1, term=1, index=1),) * 25
    data = raftpb.MESSAGE.build(raftpb.Message(entries=entries))
    monkeypatch.setattr(limits, "FIELDS_MAX", 100)
    assert raftpb.MESSAGE.parse(data).entries == entries
    monkeypatch.setattr(limits, "FIELDS_MAX", 99)
    assert raftpb.MESSAGE.parse_fast(data) is None
    with pytest.raises(LimitError, match="more than 99 fields"):
        raftpb.MESSAGE.parse(data)


def test_messages_longer_than_the_limit_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = b"\x08\x01" * 8
    monkeypatch.setattr(limits, "MESSAGE_BYTES_MAX", 15)
    for parse in (walpb.RECORD.parse, walpb.RECORD.parse_fast, walpb.RECORD.parse_exact):
        with pytest.raises(LimitError, match="16 bytes"):
            parse(data)


def test_a_length_is_compared_before_anything_is_read() -> None:
    promise = b"\x1a" + strategies.varint((1 << 63) - 100)
    with pytest.raises(FormatError, match="unexpected EOF"):
        walpb.RECORD.parse(promise)


@given(st.binary(max_size=40))
@example(bytes.fromhex("08011001"))
@few
def test_the_fast_class_reads_like_the_message(data: bytes) -> None:
    record = walpb.Record(type=2, crc=7, data=data)
    read = walpb.RECORD.fast_class.FromString(walpb.RECORD.build(record))
    assert (read.type, read.crc, read.data) == (record.type, record.crc, record.data)


def test_declaring_messages_imports_neither_construct_nor_protobuf() -> None:
    program = (
        "import sys, formats.walpb, formats.raftpb, formats.snappb, formats.etcdserverpb, "
        "formats.internalpb, formats.mvccpb, formats.leasepb, formats.frame; "
        "print([m for m in ('construct', 'google.protobuf') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@every_codec
def test_declarations_name_each_field_once_in_ascending_order(name: str) -> None:
    numbers = [field.number for field in spec_of(CODECS[name].cls).fields]
    assert numbers == sorted(set(numbers))
    assert {field.name for field in spec_of(CODECS[name].cls).fields} | {"unknown"} == {
        field.name for field in dataclasses.fields(CODECS[name].cls)
    }
