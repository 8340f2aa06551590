"""How following looks: as dump does, with a line for each event."""

import json

from tests.inspect.following import FIRST, WAL, disk_with, followed
from tests.render.drawing import Paper
from tests.wal.builders import METADATA, STATE, Builder, fresh, metadata, state
from walctl.inspect.event import Event, EventKind, event_document
from walctl.render import follow as render
from walctl.wal.names import format_name


def overwriting() -> list[object]:
    """What is given of a log in which a new leader replaces two entries, in the next segment."""
    first = fresh().puts(1, 3)
    second = Builder(first.crc).add(METADATA, metadata()).add(STATE, state(2, 8, 1))
    second.put(2, 2, b"\x1b[2Jred").add(STATE, state(2, 8, 2))
    name = format_name(seq=1, index=4)
    disk = disk_with({FIRST: first.done(), name: second.done(400)})
    return list(followed(disk, [lambda: disk.remove(WAL / FIRST)]))


def drawn(items: list[object], *, output: str = "text") -> str:
    paper = Paper(output=output)
    render.show(paper, items)  # type: ignore[arg-type]
    return paper.text


def test_events_stand_between_the_records_and_segments_have_headings() -> None:
    lines = drawn(overwriting()).splitlines()
    assert [line for line in lines if line.endswith(".wal")] == [FIRST, format_name(seq=1, index=4)]
    told = [line.split("  -- ")[1] for line in lines if "  -- " in line]
    assert told == [
        "overwritten: entries 2–3 of term 1 by a leader of term 2",
        f"purged: {FIRST}: the segment was removed; the log goes on without it",
    ]
    position = next(n for n, line in enumerate(lines) if "overwritten:" in line)
    assert "  entry " in lines[position + 1]
    assert lines[position].split()[0] == lines[position + 1].split()[0]  # the same offset


def test_no_control_sequence_of_a_payload_or_a_name_reaches_the_terminal() -> None:
    event = Event(kind=EventKind.PURGED, segment="\x1b[2J.wal", detail="gone")
    assert "\x1b" not in drawn([*overwriting(), event])


def test_in_json_each_item_is_a_line_and_events_say_what_they_are() -> None:
    items = overwriting()
    documents = [json.loads(line) for line in drawn(items, output="ndjson").splitlines()]
    assert len(documents) == len(items)
    told = [each for each in documents if each["kind"] == "event"]
    assert [each["event"] for each in told] == ["segment", "overwritten", "purged", "ended"]
    assert told == [event_document(each) for each in items if isinstance(each, Event)]


def test_what_is_taken_back_says_what_went_with_it() -> None:
    event = Event(
        kind=EventKind.REWOUND, segment=FIRST, offset=96, first=4, last=9, detail="it was cut"
    )
    assert drawn([event]) == "        96  -- rewound: it was cut (entries 4–9 went with it)\n"
    event = Event(kind=EventKind.REWOUND, segment=FIRST, offset=96, detail="it was cut")
    assert drawn([event]) == "        96  -- rewound: it was cut\n"
