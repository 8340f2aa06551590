"""Rows as CSV: what a spreadsheet or a database reads back is what was there, and no formula."""

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.render.decoded import entry_row, made_row
from tests.render.drawing import CASES, DISK, Paper, laid
from walctl.datadir.layout import understand
from walctl.inspect.document import row_document
from walctl.inspect.reading import ONE_PROCESS, survey_of
from walctl.inspect.row import FindingRow, Row
from walctl.inspect.select import Selection, rows
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import HardState, Metadata, Unknown
from walctl.payload.base import KeyRange, PayloadError, Redaction, Request, key_blob, value_blob
from walctl.render import dump_csv


def read(found: list[Row], redaction: Redaction = Redaction.NONE) -> list[dict[str, str]]:
    """What another reader of CSV makes of it."""
    paper = Paper()
    dump_csv.lines(paper, found, redaction=redaction)
    return list(csv.DictReader(io.StringIO(paper.text, newline=""), strict=True))


def put(key: bytes, value: bytes = b"v", *, end: bytes | None = None) -> Request:
    return Request(
        decoder="etcd",
        type="put",
        request_id=0x3C12A,
        body={
            "header": {"ID": "3c12a"},
            "put": {"key": key_blob(key), "value": value_blob(value), "lease": "694d"},
        },
        keys=(KeyRange(key, end),),
    )


def cell_of(key: bytes) -> str:
    (row,) = read([entry_row(b"\x08", request=put(key))])
    return row["key"]


@pytest.mark.parametrize("case", CASES)
def test_the_columns_hold_what_json_says(case: str) -> None:
    layout = understand(DISK, laid(case))
    survey = survey_of(DISK, layout, depth=ONE_PROCESS)
    found = list(rows(DISK, layout, survey, Selection()))
    table = read(found)
    assert len(table) == len(found)
    for cells, row in zip(table, found, strict=True):
        told = row_document(row)
        if isinstance(row, FindingRow):
            assert (cells["kind"], cells["type"]) == ("finding", told["code"])
            assert cells["detail"] == told["detail"]
            assert row.finding.stop is not None
            assert int(cells["offset"]) + int(cells["length"]) == row.finding.stop
            continue
        for name in ("kind", "type", "segment", "offset", "length", "crc", "check"):
            assert cells[name] == str(told[name])
        for name in ("term", "index", "entry_type", "size", "status", "vote", "commit"):
            assert cells[name] == ("" if told.get(name) is None else str(told[name]))


def test_the_columns_are_those_that_scripts_know() -> None:
    paper = Paper()
    dump_csv.lines(paper, [])
    assert paper.text == (
        "kind,type,segment,offset,length,crc,check,term,index,entry_type,size,status,"
        "request_type,request_id,key,key_end,keys,value_size,lease,vote,commit,detail,value\n"
    )
    assert dump_csv.__doc__ is not None
    listed = [line for line in dump_csv.__doc__.splitlines() if line.startswith("    ")]
    named = " ".join(line[4:18].replace(",", " ") for line in listed).split()
    assert named == list(dump_csv.COLUMNS)


def test_a_put_is_taken_apart() -> None:
    (row,) = read([entry_row(b"\x08\x01", request=put(b"k/000", b"third"))])
    asked = {
        "request_type": "put",
        "request_id": "3c12a",
        "key": "k/000",
        "key_end": "",
        "keys": "1",
        "value_size": "5",
        "value": "third",
        "detail": "",
        "lease": "694d",
    }
    assert {name: row[name] for name in asked} == asked


def test_a_range_has_both_ends() -> None:
    (row,) = read([entry_row(b"\x08", request=put(b"k", end=b"\0"))])
    assert (row["key"], row["key_end"]) == ("k", "hex:00")


def test_the_lease_of_a_grant_is_not_the_id_of_its_request() -> None:
    grant = Request(
        decoder="etcd",
        type="lease_grant",
        body={"header": {"ID": "1"}, "lease_grant": {"ID": "694d"}},
    )
    checkpoint = Request(
        decoder="etcd",
        type="lease_checkpoint",
        body={"header": {"ID": "1"}, "lease_checkpoint": {"checkpoints": [{"ID": "694d"}]}},
    )
    table = read([entry_row(b"\x08", request=each) for each in (grant, checkpoint)])
    assert [row["lease"] for row in table] == ["694d", ""]


def test_a_redaction_leaves_sizes() -> None:
    (row,) = read([entry_row(b"\x08", request=put(b"k/000"))], Redaction.KEYS)
    assert row["key"] == "<redacted 5 bytes>"
    assert row["value_size"] == "1"
    assert row["value"] == "<redacted 1 byte>"


def test_a_request_that_is_no_put_says_what_it_asks_for() -> None:
    revoke = Request(decoder="etcd", type="lease_revoke", body={}, words=("lease revoke ", "5"))
    (row,) = read([entry_row(b"\x08", request=revoke)])
    assert (row["detail"], row["value"]) == ("lease revoke 5", "")


@pytest.mark.parametrize(
    "key",
    [
        b"=1+1",
        b"+1",
        b"-1",
        b"@SUM(A1)",
        b"  =1+1",
        "＝1+1".encode(),
        b"'=1+1",
        b"'",
        b"=cmd|' /C calc'!A0",
    ],
)
def test_no_key_becomes_a_formula_and_one_quote_less_is_the_key(key: bytes) -> None:
    assert cell_of(key) == "'" + key.decode()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (b'plain key, with "quotes"', 'plain key, with "quotes"'),
        ("größe".encode(), "größe"),
        (b"\t=1+1", "hex:093d312b31"),
        (b"\x1b[2J", "hex:1b5b324a"),
        (b"\xff", "hex:ff"),
        (b"", ""),
        (b"hex:ff", "hex:6865783a6666"),
        (b"<redacted 5 bytes>", "hex:3c72656461637465642035206279746573" + "3e"),
    ],
)
def test_keys_are_their_text_where_that_can_be_printed(key: bytes, text: str) -> None:
    assert cell_of(key) == text


def known(cell: str) -> bytes:
    """The key that a cell stands for, by the rules of the docstring."""
    text = cell.removeprefix("'")
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


@given(
    st.one_of(
        st.binary(max_size=30),
        st.text(max_size=30).map(str.encode),
        st.text("'=+-@ \t\r,\n\"" + string.ascii_letters, max_size=8).map(str.encode),
    )
)
def test_every_key_comes_back_and_none_begins_like_a_formula(key: bytes) -> None:
    cell = cell_of(key)
    assert known(cell) == key
    assert cell.isprintable()
    assert cell.strip(" ")[:1] not in tuple("=+-@＝＋－＠\t\r\n")


def test_other_records_say_what_they_hold() -> None:
    state, metadata, foreign, odd = read(
        [
            made_row(HardState(term=3, vote=0xA, commit=9)),
            made_row(Metadata(node_id=1, cluster_id=2, raw=b"")),
            made_row(Metadata(node_id=None, cluster_id=None, raw=b"")),
            made_row(Unknown(raw_type=9, payload=None, reason="=type 9\nis unknown")),
        ]
    )
    assert (state["term"], state["vote"], state["commit"]) == ("3", "a", "9")
    assert metadata["detail"] == "member 1 cluster 2"
    assert foreign["detail"] == "not etcd's"
    assert odd["detail"] == r"'=type 9\x0ais unknown"


def test_a_payload_that_cannot_be_read_says_why() -> None:
    (row,) = read([entry_row(b"\x08", problem=PayloadError("unexpected EOF", offset=1))])
    assert (row["request_type"], row["detail"]) == ("undecoded", "unexpected EOF")


def test_a_finding_without_a_place_is_a_line_too() -> None:
    finding = Finding(
        code=Code.SEGMENT_MISSING, severity=Severity.DAMAGE, place=Place(), detail="It is gone."
    )
    (row,) = read([FindingRow(finding=finding)])
    assert (row["kind"], row["type"], row["offset"]) == ("finding", "segment-missing", "")


def test_an_entry_without_a_payload_has_no_size() -> None:
    table = read([entry_row(None), entry_row(b"")])
    assert [(row["size"], row["request_type"]) for row in table] == [("", "noop"), ("0", "noop")]
