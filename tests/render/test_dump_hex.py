"""Bytes as they are: nothing left out, nothing hidden shown, every byte where it stands."""

import functools
import io
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import raftpb, walpb
from formats.fields import UnknownField
from formats.frame import build_frame
from tests.corpus import needs_corpus, unpacked
from tests.render.decoded import entry_row, made_row, rows_with_bytes
from tests.render.drawing import Paper, laid
from walctl.inspect.row import FindingRow, RecordRow, Row
from walctl.model.finding import Code, Finding, Place, Severity
from walctl.model.record import Span, Unknown
from walctl.payload.base import Blob, Privacy, Redaction, Request
from walctl.render import dump_hex
from walctl.render.frame_bytes import Part, hidden_bytes, parts

SEGMENT = "0000000000000000-0000000000000000.wal"
SECRET = Request(decoder="x", type="x", body={"x": {"p": Blob(b"", Privacy.SECRET)}})


@functools.cache
def rows_of(case: str) -> tuple[Row, ...]:
    return tuple(rows_with_bytes(laid(case)))


def hexed(rows: list[Row], redaction: Redaction = Redaction.NONE) -> list[str]:
    paper = Paper()
    dump_hex.hex_lines(paper, rows, redaction=redaction)
    return paper.text.splitlines()


def dumped(rows: list[Row], redaction: Redaction = Redaction.NONE) -> list[str]:
    """The lines of bytes alone."""
    paper = Paper()
    dump_hex.hexdump_lines(paper, rows, redaction=redaction)
    return [line for line in paper.text.splitlines() if re.match(r" {2,}[0-9]+  (..  ?)+ ", line)]


def row_with(entry: bytes, *, request: Request | None = None) -> RecordRow:
    """A row whose bytes are a whole frame around an entry."""
    parsed = raftpb.ENTRY.parse(entry)
    raw = build_frame(walpb.RECORD.build(walpb.Record(type=2, crc=5, data=entry)))
    row = entry_row(parsed.data, request=request)
    stop = row.frame.span.start + len(raw)
    record = split(raw)
    payload = Span(80 + record - len(entry), 80 + record)
    frame = replace(row.frame, span=Span(80, stop), payload=payload)
    return replace(row, raw=raw, frame=frame)


def split(raw: bytes) -> int:
    """Where the record of a frame ends."""
    return 8 + int.from_bytes(raw[:7], "little")


def entry_bytes(data: bytes) -> bytes:
    return raftpb.ENTRY.build(raftpb.Entry(type=0, term=2, index=7, data=data))


@needs_corpus
@pytest.mark.parametrize("name", ["a-single-20puts-35", "b-single-allops-34"])
def test_the_hex_of_all_records_is_the_segment(name: str) -> None:
    """The definition of lossless: what comes back is the file up to the end of its log."""
    member = unpacked(name) / "n1"
    lines = hexed(list(rows_with_bytes(member)))
    found: dict[str, bytes] = {}
    for line in lines:
        place, text = line.split(" ")
        segment, offset = place.split(":")
        before = found.get(segment, b"")
        assert int(offset) == len(before)
        found[segment] = before + bytes.fromhex(text)
    for segment, data in found.items():
        with (member / "member" / "wal" / segment).open("rb") as file:
            assert file.read(len(data)) == data
            assert file.read(8) in (bytes(8), b"")
    assert len(lines) > 20


def test_damage_is_a_comment_with_the_bytes_that_no_record_has() -> None:
    lines = hexed(list(rows_of("trailing-garbage")))
    words, shown = [line for line in lines if line.startswith("#")]
    assert words.startswith(
        f"# {SEGMENT}:30488 trailing-garbage: Behind the zeros that end the log"
    )
    (damage,) = [row for row in rows_of("trailing-garbage") if isinstance(row, FindingRow)]
    assert damage.finding.stop is not None
    rest = damage.finding.stop - 30488 - 4096
    assert shown == f"# {SEGMENT}:30488 {damage.raw.hex()} and {rest:,} bytes more"


def test_bytes_of_damage_that_is_a_record_are_shown_once() -> None:
    rows = list(rows_of("flipped-bit-in-data"))
    (position,) = [n for n, row in enumerate(rows) if isinstance(row, FindingRow)]
    lines = hexed(rows)
    assert len(lines) == len(rows)
    damaged = rows[position + 1]
    assert lines[position].startswith("# ")
    assert lines[position + 1] == f"{SEGMENT}:{start_of(damaged)} {damaged.raw.hex()}"
    # The other way round too: what cannot be decoded is told behind its record.
    again = [rows[position + 1], rows[position]]
    assert len(hexed(again)) == 2


def start_of(row: Row) -> int:
    assert isinstance(row, RecordRow)
    return row.frame.span.start


def test_a_hexdump_has_the_pairs_of_od_and_the_characters_that_can_be_printed(
    tmp_path: Path,
) -> None:
    row = next(row for row in rows_of("etcd-3.5-three-puts") if len(row.raw) > 100)
    (tmp_path / "raw").write_bytes(row.raw)
    command = ["od", "-An", "-v", "-tx1", "raw"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    found = dumped([row])
    assert [line[14:62].split() for line in found] == [line.split() for line in told.splitlines()]
    printable = "".join(chr(byte) if chr(byte).isascii() else "." for byte in row.raw)
    assert "".join(line[64:] for line in found) == re.sub(r"[^ -~]", ".", printable)


def test_a_hexdump_stands_below_its_record_with_offsets_of_the_file() -> None:
    paper = Paper()
    dump_hex.hexdump_lines(paper, list(rows_of("etcd-3.5-three-puts"))[:2])
    name, crc, crc_bytes, metadata, first, *rest = paper.text.splitlines()
    assert name == SEGMENT
    assert crc == "         0  crc       00000000  verified"
    assert crc_bytes == (
        "           0  04 00 00 00 00 00 00 84  08 04 10 00 00 00 00 00  ................"
    )
    assert metadata.startswith("        16  metadata  ")
    assert first.startswith("          16  1e 00 00 00 00 00 00 82  08 01 10 ")
    assert [line.split()[0] for line in rest] == ["32", "48"]


@pytest.mark.parametrize("case", ["etcd-3.5-three-puts", "zero-page", "flipped-bit-in-length"])
def test_a_line_of_bytes_fits_a_terminal_of_80_columns(case: str) -> None:
    assert max(map(len, dumped(list(rows_of(case))))) <= 80


def test_lines_that_repeat_are_told_by_a_star_and_the_last_is_there() -> None:
    paper = Paper()
    rows: list[Row] = [
        replace(made_row(Unknown(raw_type=9, payload=None, reason="")), raw=bytes(100))
    ]
    dump_hex.hexdump_lines(paper, rows)
    lines = paper.text.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["80", "*", "176"]
    assert lines[2].split()[1:5] == ["00"] * 4


def test_what_a_redaction_hides_is_marked_and_the_rest_stands_where_it_did() -> None:
    data = b"\xa2\x3f\x10password password"
    row = row_with(entry_bytes(data))
    plain, hidden = hexed([row])[0], hexed([row], Redaction.AUTH)[0]
    assert data.hex() in plain
    assert hidden == plain.replace(data.hex(), "--" * len(data))
    shown = dumped([row], Redaction.AUTH)
    assert not any("pass" in line or "word" in line for line in shown)
    assert "·" * 8 in "".join(line[64:] for line in shown)
    pairs = " ".join(line[14:62] for line in shown).split()
    assert pairs == re.findall("..", hidden.split(" ")[1])


def test_entries_with_data_twice_or_among_fields_that_nobody_knows_hide_all_of_it() -> None:
    first = entry_bytes(b"first secret")
    other = UnknownField(number=9, wire_type=2, data=b"\x4a\x06hidden")
    entry = first + raftpb.ENTRY.build(raftpb.Entry(data=b"\xa2\x3f second", unknown=(other,)))
    row = row_with(entry)
    assert b"first secret" in row.raw
    line = hexed([row], Redaction.AUTH)[0].split(" ")[1]
    shown = bytes.fromhex(line.replace("--", ""))
    for word in (b"secret", b"second", b"hidden"):
        assert word not in shown
    assert shown.startswith(row.raw[:8])


def test_a_record_of_another_type_hides_what_may_be_an_entry() -> None:
    row = row_with(entry_bytes(b"\xa2\x3f password"))
    assert row.frame.payload is not None
    start, stop = row.frame.payload.start - 80, row.frame.payload.stop - 80
    payload = row.raw[start:stop]
    odd = replace(row.frame, record=Unknown(raw_type=9, payload=payload, reason=""))
    line = hexed([replace(row, frame=odd)], Redaction.AUTH)[0]
    assert b"pass" not in bytes.fromhex(line.split(" ")[1].replace("--", ""))


@given(st.binary(max_size=60), st.sampled_from(Redaction))
def test_any_bytes_can_be_shown_under_any_redaction(raw: bytes, redaction: Redaction) -> None:
    entry = replace(entry_row(b"\xa2\x3f", request=SECRET), raw=raw)
    entry = replace(entry, frame=replace(entry.frame, payload=Span(90, 100)))
    finding = FindingRow(
        finding=Finding(code=Code.BAD_RECORD, severity=Severity.DAMAGE, detail=""), raw=raw
    )
    for row in (entry, finding):
        spans = hidden_bytes(row, redaction)
        edges = [edge for span in spans for edge in (span.start, span.stop)]
        assert edges == sorted(edges)
        assert all(edge <= len(raw) for edge in edges)
        covered = [position for _, span in parts(row) for position in range(span.start, span.stop)]
        assert covered == list(range(len(raw)))
        assert hexed([row], redaction)
        dumped([row], redaction)


def test_the_parts_of_a_frame_are_its_fields() -> None:
    row = row_with(entry_bytes(b"abc"))
    found = {part: row.raw[span.start : span.stop] for part, span in parts(row)}
    assert found[Part.LENGTH] == row.raw[:8]
    assert found[Part.HEAD][:4] == b"\x08\x02\x10\x05"
    assert found[Part.PAYLOAD] == entry_bytes(b"abc")
    assert set(found[Part.PADDING]) == {0}


def test_colour_tells_the_parts_and_changes_no_character() -> None:
    rows = list(rows_of("etcd-3.5-three-puts"))[:6]
    plain, coloured = Paper(), Paper(colour=True)
    dump_hex.hexdump_lines(plain, rows)
    dump_hex.hexdump_lines(coloured, rows)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured.text) == plain.text
    line = next(line for line in coloured.text.splitlines() if "  1e 00 00" in strip(line))
    assert line.index("\x1b[36m1e") < line.index("\x1b[35m08")


def strip(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_no_name_and_no_byte_can_write_on_the_terminal_what_it_wants() -> None:
    row = replace(entry_row(b"x"), raw=b"\x1b[2J" * 8)
    row = replace(row, frame=replace(row.frame, segment="\x1b[2J.wal"))
    for draw in (dump_hex.hex_lines, dump_hex.hexdump_lines):
        paper = Paper()
        paper.stdout = io.StringIO()
        draw(paper, [row])
        assert "\x1b" not in paper.stdout.getvalue()


def test_damage_at_no_place_is_told_without_bytes() -> None:
    finding = Finding(
        code=Code.SEGMENT_MISSING, severity=Severity.DAMAGE, place=Place(), detail="It is gone."
    )
    assert hexed([FindingRow(finding=finding)]) == ["#  segment-missing: It is gone."]
