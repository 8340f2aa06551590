"""Records as lines for people and objects for machines."""

import base64
import functools
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.render.drawing import CASES, DISK, Paper, laid
from walctl.datadir.layout import understand
from walctl.inspect.document import row_document
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.inspect.select import Choice, Selection, rows
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import (
    Check,
    ConfState,
    Entry,
    EntryKind,
    Frame,
    Metadata,
    Record,
    SnapshotMark,
    Span,
    Unknown,
)
from walctl.render import dump as render
from walctl.render.dump_show import Sheet
from walctl.render.dump_view import Look, view_of


@functools.cache
def rows_of(case: str) -> list[Row]:
    layout = understand(DISK, laid(case))
    return list(rows(DISK, layout, survey_of(DISK, layout, depth=ONE_PROCESS), Selection()))


def drawn(found: list[Row]) -> str:
    paper = Paper()
    render.lines(paper, found)
    return paper.text


def shown(paper: Paper, found: Iterable[Row]) -> None:
    """What the command does with rows."""
    choice = Choice(disk=DISK, folder=Path("/nowhere"))
    sheet = Sheet(paper)
    sheet.rows(found, view_of(paper, choice, Look()))
    sheet.end()


def row(record: Record, *, check: Check = Check.VERIFIED, status: str | None = None) -> RecordRow:
    frame = Frame(
        segment="0.wal",
        span=Span(80, 120),
        payload=None,
        record=record,
        check=check,
        stored=0x1A,
        computed=0x2B if check is Check.FAILED else 0x1A,
    )
    return RecordRow(frame=frame, status=status)


def entry(payload: bytes | None) -> Entry:
    return Entry(index=7, term=2, kind=EntryKind.NORMAL, raw_kind=0, payload=payload)


def test_a_line_has_offset_type_checksum_and_what_is_known_of_it() -> None:
    found = rows_of("etcd-3.5-three-puts")
    lines = drawn(found).splitlines()
    assert lines[0] == "0000000000000000-0000000000000000.wal"
    assert lines[1].split() == ["0", "crc", "00000000", "verified"]
    words = ["member", "799928778dcb07df", "cluster", "5cd459230430312e"]
    assert lines[2].split()[0:2] + lines[2].split()[3:] == ["16", "metadata", "verified", *words]
    assert len(lines) == len(found) + 1
    assert lines[-1].split()[1:2] == ["state"]
    assert lines[-1].endswith("commit 7")


def test_a_failed_record_shows_both_checksums_and_an_entry_its_status() -> None:
    text = drawn([row(entry(b"abc"), check=Check.FAILED, status="committed")])
    assert text.splitlines()[1] == (
        "        80  entry     0000001a  failed        7  term 2  normal"
        "  <redacted 3 bytes>  3 bytes  committed  its data gives 0000002b"
    )


def test_damage_stands_in_its_place_with_its_code() -> None:
    found = rows_of("zero-page")
    (position,) = [n for n, each in enumerate(found) if isinstance(each, FindingRow)]
    text = drawn(found)
    assert "     12264  !! zero-hole: 4,096 bytes from 12288 on are zero." in text
    before = found[position - 1]
    assert isinstance(before, RecordRow)
    assert before.frame.span.stop == 12264


def test_no_record_can_write_on_the_terminal_what_it_wants() -> None:
    hostile = Unknown(raw_type=9, payload=b"\x1b[2J", reason="type 9 \x1b[31m\nis unknown")
    text = drawn([row(hostile)])
    assert "\x1b" not in text
    assert "\\x1b[31m\\x0ais unknown" in text


@pytest.mark.parametrize("case", CASES)
def test_every_row_is_one_line_of_ndjson_with_the_promised_fields(case: str) -> None:
    found = rows_of(case)
    paper = Paper(output="ndjson")
    shown(paper, found)
    lines = paper.text.splitlines()
    assert len(lines) == len(found)
    assert paper.text.isascii()
    for line, each in zip(lines, found, strict=True):
        told = json.loads(line)
        assert told["v"] == 1
        if isinstance(each, FindingRow):
            assert told["kind"] == "finding"
            assert told["code"] == str(each.finding.code)
            continue
        common = {"kind", "type", "segment", "offset", "length", "crc", "crc_computed", "check"}
        assert common <= set(told)
        assert told["offset"] == each.frame.span.start
        if told["type"] == "entry":
            fields = {"term", "index", "entry_type", "size", "data", "status", "request"}
            assert fields <= set(told)
            data = None if told["data"] is None else len(base64.b64decode(told["data"]))
            is_hidden = bool(told["size"]) and told["check"] == "failed"
            assert data == (None if is_hidden else told["size"])
            assert told.get("redacted", False) == is_hidden


def test_json_is_one_document_of_the_same_rows() -> None:
    found = rows_of("etcd-3.5-three-puts")
    one, many = Paper(output="json"), Paper(output="ndjson")
    shown(one, found)
    shown(many, found)
    told = json.loads(one.text)
    assert told["v"] == 1
    assert told["records"] == [json.loads(line) for line in many.text.splitlines()]


def test_json_of_no_rows_is_a_document_too() -> None:
    paper = Paper(output="json")
    shown(paper, [])
    assert json.loads(paper.text) == {"v": 1, "records": []}


def test_rows_are_written_as_they_come() -> None:
    stream = io.StringIO()
    paper = Paper(output="ndjson")
    paper.stdout = stream
    seen: list[int] = []

    def one_by_one() -> Iterator[Row]:
        for number in range(3):
            seen.append(stream.getvalue().count("\n"))
            yield row(entry(str(number).encode()))

    shown(paper, one_by_one())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("payload", "data", "text"),
    [
        (None, None, None),
        (b"", "", ""),
        (b"plain", "cGxhaW4=", "plain"),
        (b"\x1b[2J", "G1sySg==", None),
        (b"\xff", "/w==", None),
        ("größe".encode(), "Z3LDtsOfZQ==", "größe"),
    ],
)
def test_data_is_base64_and_text_only_where_it_can_be_printed(
    payload: bytes | None, data: str | None, text: str | None
) -> None:
    told = row_document(row(entry(payload), status="committed"))
    assert (told["data"], told.get("text")) == (data, text)
    assert told["size"] == (None if payload is None else len(payload))


def test_absent_data_is_not_empty_data() -> None:
    assert "no data" in drawn([row(entry(None))])
    assert "0 bytes" in drawn([row(entry(b""))])


def test_a_marker_has_its_membership_in_json() -> None:
    mark = SnapshotMark(index=5, term=2, conf_state=ConfState(voters=(0x1F, 2**64 - 1)))
    told = row_document(row(mark))
    assert (told["type"], told["index"], told["term"]) == ("snapshot", 5, 2)
    assert told["conf_state"] == {
        "voters": ["1f", "ffffffffffffffff"],
        "learners": [],
        "voters_outgoing": [],
        "learners_next": [],
        "auto_leave": False,
    }


def test_metadata_that_is_not_of_etcd_comes_with_its_bytes() -> None:
    told = row_document(row(Metadata(node_id=None, cluster_id=None, raw=b"hi")))
    assert (told["node_id"], told["cluster_id"], told["data"]) == (None, None, "aGk=")
    assert "not etcd's  2 bytes" in drawn([row(Metadata(node_id=None, cluster_id=None, raw=b"hi"))])


def test_a_finding_without_an_offset_is_a_line_too() -> None:
    finding = Finding(
        code=Code.SEGMENT_MISSING,
        severity=Severity.DAMAGE,
        place=Place(segment="1.wal"),
        detail="It is gone.",
    )
    assert drawn([FindingRow(finding=finding)]).splitlines()[1].strip() == (
        "!! segment-missing: It is gone."
    )


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in drawn(rows_of("zero-page")).splitlines())
