"""Reading an event file: what it says, and how a line that makes no sense is refused."""

import json
from pathlib import Path

import pytest

from tests.sim.traces import HEADER, story, trace
from walctl.cluster.events import LINE_BYTES_MAX, EventKind
from walctl.errors import UsageError
from walctl.fs.memory import MemoryFileSystem
from walctl.sim import trace_file
from walctl.sim.trace_file import Event, Trace, name_of

PATH = Path("/run.jsonl")


def read(data: bytes) -> tuple[Trace, list[Event]]:
    disk = MemoryFileSystem()
    disk.create(PATH, data)
    found = Trace(disk, PATH)
    return found, list(found.events())


def refusal(data: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(data)
    return caught.value.message


def lines(*bodies: str) -> bytes:
    return "\n".join([json.dumps(HEADER), *bodies, ""]).encode()


def test_a_trace_has_its_header_and_all_of_its_events() -> None:
    found, events = read(trace(story()))
    assert (found.header.seed, found.header.scenario) == ("0x2f", "double-vote")
    assert len(events) == len(story())
    assert [each.number for each in events] == list(range(len(events)))
    assert events[3].kind is EventKind.ROLE
    assert (events[3].node, events[3].time_us, events[3].line) == ("n1", 1_203_145, 5)
    assert not found.is_torn


def test_a_trace_may_be_read_twice() -> None:
    disk = MemoryFileSystem()
    disk.create(PATH, trace(story()))
    found = Trace(disk, PATH)
    assert len(list(found.events())) == len(list(found.events())) == len(story())


def test_optional_fields_may_be_absent_and_nodes_may_be_numbers() -> None:
    _, events = read(lines('{"t":5,"k":"note"}', "", '{"t":6,"n":2,"c":4,"g":1,"k":"note"}'))
    assert (events[0].node, events[0].group, events[0].client) == (None, None, None)
    assert (events[1].node, events[1].group, events[1].client) == ("n2", "g1", "c4")
    assert [each.number for each in events] == [0, 2]


def test_a_line_longer_than_the_window_of_reading_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "WINDOW_BYTES", 7)
    _, events = read(trace(story()))
    assert len(events) == len(story())


def test_a_half_written_last_line_is_left_out_and_told() -> None:
    found, events = read(trace(story())[:-20])
    assert found.is_torn
    assert len(events) == len(story()) - 1


def test_a_whole_last_line_without_its_end_counts() -> None:
    found, events = read(trace(story())[:-1])
    assert not found.is_torn
    assert len(events) == len(story())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"t":1', "expected a JSON object, found '{\"t\":1'"),
        ("[1]", "expected a JSON object, found '[1]'"),
        ("\x1b[2J", r"found '\x1b[2J'"),
        ('{"t":1}', "expected a kind of event as 'k', found nothing"),
        ('{"t":1,"k":"nonsense"}', "as 'k', found 'nonsense'"),
        ('{"t":1,"k":{}}', "as 'k', found an object"),
        ('{"k":"note"}', "as 't', found nothing"),
        ('{"t":-1,"k":"note"}', "as 't', found -1"),
        ('{"t":1.5,"k":"note"}', "as 't', found 1.5"),
        ('{"t":true,"k":"note"}', "as 't', found True"),
        ('{"t":99999999999999999999,"k":"note"}', "as 't', found 99999999999999999999"),
        ('{"t":1,"i":"x","k":"note"}', "expected a whole number as 'i', found 'x'"),
        ('{"t":1,"n":[],"k":"note"}', "expected a name or a number as 'n', found a list"),
        ('{"t":1,"k":"note","x":' + "[" * 100_000, "nests too deep"),
        ('{"t":' + "9" * 5000 + "}", "expected a JSON object"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_its_number(body: str, words: str) -> None:
    said = refusal(lines('{"t":0,"k":"note"}', body))
    assert said.startswith("/run.jsonl:3: expected ")
    assert words in said or words == "nests too deep"
    assert len(said) < 400
    assert said.isprintable()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "/run.jsonl:1: expected the header of an event file, found an empty file"),
        (b"hello\n", "/run.jsonl:1: expected a JSON object, found 'hello'"),
        (b'{"t":1,"k":"note"}\n', "/run.jsonl:1: expected a header with 'walctl_trace'"),
        (b'{"walctl_trace":2}\n', "/run.jsonl:1: expected version 1 of the format, found 2"),
        (b"\xff\xfe\n", "/run.jsonl:1: expected a JSON object, found"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(data: bytes, words: str) -> None:
    assert refusal(data).startswith(words)


def test_a_line_without_an_end_is_not_read_for_ever() -> None:
    data = lines() + b'{"' + b"x" * (3 * LINE_BYTES_MAX)
    assert refusal(data).startswith(f"/run.jsonl:2: expected a line of at most {LINE_BYTES_MAX:,}")


def test_more_events_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "EVENTS_MAX", 3)
    assert "/run.jsonl:5: expected at most 3 events" in refusal(trace(story()))


def test_a_node_is_named_by_name_or_by_raft_id() -> None:
    assert (name_of("n1"), name_of(2)) == ("n1", "n2")
    nobody: list[object] = [0, True, None, [], ""]
    assert [name_of(each) for each in nobody] == [None] * len(nobody)
